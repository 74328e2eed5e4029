//! The data folder: what is in it, and opening it.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};
use hostler_database::{Database, Location};
use hostler_identity::key::{SecretKey, make_file};
use hostler_server::{App, Keys, Options};
use hostler_vault::Vault;

use crate::options::DataOptions;

/// The database file in the data folder.
pub const DATABASE_FILE: &str = "hostler.db";
/// What a restore fills; it gets the name of the database when it is complete.
pub const RESTORING_FILE: &str = "hostler.db.restoring";
/// The secret key in the data folder.
pub const KEY_FILE: &str = "secret.key";
/// The folder of the keys that encrypt secrets, in the data folder.
pub const VAULT_FOLDER: &str = "keys";
/// The file that says that a restore has begun to change the data folder, and not ended.
pub const UNFINISHED_FILE: &str = "unfinished-restore";
/// The file whose lock says that the data folder is in use.
const LOCK_FILE: &str = ".lock";

/// Opens, and if need be creates, what the options name.
pub async fn open(options: &DataOptions) -> Result<(Database, Keys)> {
    let folder = &options.data;
    make_private(folder)?;
    share(folder)?;
    refuse_unfinished(folder)?;
    // A key that is of no use is said before the database is touched, and none is made for a database that is refused.
    let key = folder.join(KEY_FILE);
    if key.exists() {
        SecretKey::load(&key)?;
    }
    let location = location(options)?;
    if let Location::Sqlite(file) = &location {
        make_file(file).with_context(|| format!("cannot create the database {}", file.display()))?;
    }
    let database = Database::open(&location).await?;
    let secret = SecretKey::load_or_create(&key)?;
    let vault = Vault::open(&folder.join(VAULT_FOLDER), &database).await?;
    Ok((database, Keys { secret, vault }))
}

/// Opens the data without creating anything: a mistyped folder must not give an empty database.
///
/// # Errors
/// If no server has ever started there.
pub async fn existing(options: &DataOptions) -> Result<(Database, Keys)> {
    let folder = &options.data;
    let remedy = "name the one that the server uses by --data or HOSTLER_DATA; hostler serve creates what is not there";
    if !folder.is_dir() {
        bail!("there is no data folder {}: {remedy}", folder.display());
    }
    refuse_unfinished(folder)?;
    let is_there = folder.join(DATABASE_FILE).try_exists();
    let is_there = is_there.with_context(|| format!("cannot look into the data folder {}", folder.display()))?;
    if options.database.is_none() && !is_there {
        bail!("there is no {DATABASE_FILE} in the data folder {}: {remedy}", folder.display());
    }
    open(options).await
}

/// What the options name, to work on it without serving it.
///
/// # Errors
/// As [`existing`].
pub async fn app(options: &DataOptions) -> Result<App> {
    let (database, keys) = existing(options).await?;
    Ok(App::new(
        database,
        keys,
        Options { node: "command-line".into(), debug_headers: false, slow_request: None, hsts: 0 },
    ))
}

/// Where the database is.
pub fn location(options: &DataOptions) -> Result<Location> {
    match &options.database {
        None => Ok(Location::Sqlite(options.data.join(DATABASE_FILE))),
        Some(url) => postgres(url).context("--database"),
    }
}

/// A PostgreSQL server by its URL.
pub fn postgres(url: &str) -> Result<Location> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Ok(Location::Postgres(url.to_owned()));
    }
    bail!("a PostgreSQL database is named by a URL like postgres://user@host/name")
}

/// Refuses a folder in which a restore was interrupted: it may hold keys of one installation and data of another.
pub fn refuse_unfinished(folder: &Path) -> Result<()> {
    let has = |name: &str| folder.join(name).exists();
    if has(UNFINISHED_FILE) || (has(RESTORING_FILE) && !has(DATABASE_FILE)) {
        bail!("a restore into {} was interrupted: run hostler restore again", folder.display());
    }
    Ok(())
}

/// Says that this process uses the data folder, until it ends; several may.
///
/// # Errors
/// If a restore or a migration has it for itself.
pub fn share(folder: &Path) -> Result<()> {
    hold(folder, File::try_lock_shared, "a restore or a migration of the data folder")
}

/// Has the data folder for this process alone, until it ends.
///
/// # Errors
/// If another process uses it.
pub fn claim(folder: &Path) -> Result<()> {
    hold(folder, File::try_lock, "a Hostler that uses the data folder")
}

fn hold(folder: &Path, lock: fn(&File) -> Result<(), TryLockError>, other: &str) -> Result<()> {
    // Closing the file would end the lock.
    static LOCK: OnceLock<File> = OnceLock::new();
    let path = folder.join(LOCK_FILE);
    let failed = || format!("{} cannot be locked", path.display());
    make_file(&path).with_context(failed)?;
    let file = OpenOptions::new().write(true).open(&path).with_context(failed)?;
    match lock(&file) {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => bail!("{other} {} is running: stop it first", folder.display()),
        Err(TryLockError::Error(problem)) => return Err(problem).with_context(failed),
    }
    LOCK.get_or_init(|| file);
    Ok(())
}

/// The folder holds secrets: nobody else may look in.
pub fn make_private(folder: &Path) -> Result<()> {
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

/// The files of the embedded database.
pub fn database_files(folder: &Path) -> Vec<PathBuf> {
    ["", "-wal", "-shm"].map(|suffix| folder.join(format!("{DATABASE_FILE}{suffix}"))).to_vec()
}

/// Makes names in a folder outlast a power cut.
pub fn sync(folder: &Path) -> Result<()> {
    File::open(folder)
        .and_then(|file| file.sync_all())
        .with_context(|| format!("{} cannot be written", folder.display()))
}
