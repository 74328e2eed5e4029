//! The data folder: its files, and opening them.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};
use hostler_database::{Database, Location};
use hostler_identity::key::{SecretKey, make_file};
use hostler_server::{App, Keys, Options};
use hostler_vault::Vault;

use crate::options::{DataOptions, MANUAL_PROJECTS};

/// The database file in the data folder.
pub const DATABASE_FILE: &str = "hostler.db";
/// The file that a restore fills; it is renamed to the database file when it is complete.
pub const RESTORING_FILE: &str = "hostler.db.restoring";
/// The secret key in the data folder.
pub const KEY_FILE: &str = "secret.key";
/// The folder of the keys that encrypt secrets, in the data folder.
pub const VAULT_FOLDER: &str = "keys";
/// The file that records an unfinished restore into the data folder.
pub const UNFINISHED_FILE: &str = "unfinished-restore";
/// The lock file of the data folder.
const LOCK_FILE: &str = ".lock";

/// Opens the data of the options, and creates it if it does not exist.
pub async fn open(options: &DataOptions) -> Result<(Database, Keys)> {
    let folder = &options.data;
    make_private(folder)?;
    share(folder)?;
    refuse_unfinished(folder)?;
    // An unusable key is reported before the database is opened, and no key is created for a rejected database.
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

/// Opens existing data: a mistyped folder must be an error instead of a new empty database.
///
/// # Errors
/// If no server has been started with this folder.
pub async fn existing(options: &DataOptions) -> Result<(Database, Keys)> {
    let folder = &options.data;
    let remedy = "set --data or HOSTLER_DATA to the folder of the server; hostler serve creates a new one";
    if !folder.is_dir() {
        bail!("there is no data folder {}: {remedy}", folder.display());
    }
    refuse_unfinished(folder)?;
    let is_there = folder.join(DATABASE_FILE).try_exists();
    let is_there = is_there.with_context(|| format!("cannot read the data folder {}", folder.display()))?;
    if options.database.is_none() && !is_there {
        bail!("there is no {DATABASE_FILE} in the data folder {}: {remedy}", folder.display());
    }
    open(options).await
}

/// Opens the data of the options for a command.
///
/// # Errors
/// As [`existing`].
pub async fn app(options: &DataOptions) -> Result<App> {
    let (database, keys) = existing(options).await?;
    Ok(App::new(
        database,
        keys,
        Options {
            node: "command-line".into(),
            debug_headers: false,
            slow_request: None,
            manual_projects: options.data.join(MANUAL_PROJECTS),
            hsts: 0,
        },
    ))
}

/// The location of the database.
pub fn location(options: &DataOptions) -> Result<Location> {
    match &options.database {
        None => Ok(Location::Sqlite(options.data.join(DATABASE_FILE))),
        Some(url) => postgres(url).context("--database"),
    }
}

/// The location of a PostgreSQL database by its URL.
pub fn postgres(url: &str) -> Result<Location> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Ok(Location::Postgres(url.to_owned()));
    }
    bail!("the URL of a PostgreSQL database must be like postgres://user@host/name")
}

/// Rejects a folder with an interrupted restore: it may contain keys of one installation and data of another.
pub fn refuse_unfinished(folder: &Path) -> Result<()> {
    let has = |name: &str| folder.join(name).exists();
    if has(UNFINISHED_FILE) || (has(RESTORING_FILE) && !has(DATABASE_FILE)) {
        bail!("a restore into {} was interrupted: run hostler restore again", folder.display());
    }
    Ok(())
}

/// Takes a shared lock on the data folder until the process ends.
///
/// # Errors
/// If a restore or a migration has an exclusive lock.
pub fn share(folder: &Path) -> Result<()> {
    hold(folder, File::try_lock_shared, "a restore or a migration of the data folder")
}

/// Takes an exclusive lock on the data folder until the process ends.
///
/// # Errors
/// If another process uses it.
pub fn claim(folder: &Path) -> Result<()> {
    hold(folder, File::try_lock, "a Hostler that uses the data folder")
}

fn hold(folder: &Path, lock: fn(&File) -> Result<(), TryLockError>, other: &str) -> Result<()> {
    // Closing the file would release the lock.
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

/// The folder contains secrets: other users must not have access.
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
    // Detect an unwritable folder now, with a clear message. The file name contains the process id, because other
    // processes may start in the same folder at the same time.
    let probe = folder.join(format!(".written-{}", std::process::id()));
    fs::write(&probe, b"").with_context(|| format!("the data folder {} cannot be written", folder.display()))?;
    fs::remove_file(&probe).with_context(|| format!("the data folder {} cannot be written", folder.display()))
}

/// The files of the embedded database.
pub fn database_files(folder: &Path) -> Vec<PathBuf> {
    ["", "-wal", "-shm"].map(|suffix| folder.join(format!("{DATABASE_FILE}{suffix}"))).to_vec()
}

/// Syncs a directory, so that its entries survive a power failure.
pub fn sync(folder: &Path) -> Result<()> {
    File::open(folder)
        .and_then(|file| file.sync_all())
        .with_context(|| format!("{} cannot be written", folder.display()))
}
