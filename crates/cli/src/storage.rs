//! Opening the data folder and the database in it.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use hostler_database::{Database, Location};
use hostler_identity::key::SecretKey;
use hostler_server::{App, Keys, Options};
use hostler_vault::Vault;

use crate::options::DataOptions;

/// The database file in the data folder.
const DATABASE_FILE: &str = "hostler.db";
/// The secret key in the data folder.
const KEY_FILE: &str = "secret.key";
/// The folder of the keys that seal secrets, in the data folder.
const VAULT_FOLDER: &str = "keys";

/// Opens, and if need be creates, what the options name.
pub async fn open(options: &DataOptions) -> Result<(Database, Keys)> {
    let folder = &options.data;
    make_private(folder)?;
    let secret = SecretKey::load_or_create(&folder.join(KEY_FILE))?;
    let location = match &options.database {
        None => Location::Sqlite(folder.join(DATABASE_FILE)),
        Some(url) if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
            Location::Postgres(url.clone())
        }
        Some(_) => bail!("--database takes a URL like postgres://user@host/name"),
    };
    let database = Database::open(&location).await?;
    let vault = Vault::start(&folder.join(VAULT_FOLDER), &database).await?;
    Ok((database, Keys { secret, vault }))
}

/// What the options name, to work on it without serving it.
pub async fn app(options: &DataOptions) -> Result<App> {
    let (database, keys) = open(options).await?;
    Ok(App::new(database, keys, Options { node: "command-line".into(), debug_headers: false }))
}

/// The folder holds secrets: nobody else may look in.
fn make_private(folder: &Path) -> Result<()> {
    if !folder.exists() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("the data folder {} could not be created", folder.display()))?;
    }
    if !folder.is_dir() {
        bail!("the data folder {} is not a folder", folder.display());
    }
    // Find out now, with a clear message, rather than by an odd error of the database.
    // A name of this process: others may start in the same folder at this moment.
    let probe = folder.join(format!(".written-{}", std::process::id()));
    fs::write(&probe, b"").with_context(|| format!("the data folder {} cannot be written", folder.display()))?;
    fs::remove_file(&probe).with_context(|| format!("the data folder {} cannot be written", folder.display()))
}
