//! Writes archives.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use hostler_database::copy::{CopyError, Source, Table};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use crate::manifest::{FORMAT, FileEntry, MANIFEST, Manifest, SUM, TableEntry};
use crate::transfer::RowDigest;
use crate::{BackupError, TransferSummary};

/// A key file in an archive.
pub struct KeyFile {
    /// Its path below the data folder.
    pub name: String,
    /// Its content.
    pub bytes: Zeroizing<Vec<u8>>,
}

/// The source of an archive.
pub struct BackupOrigin {
    /// The version of Hostler.
    pub hostler: String,
    /// The time (RFC 3339).
    pub created: String,
    /// The database: `sqlite` or `postgresql`.
    pub database: &'static str,
}

/// Writes an archive to `path`, completely or not at all; only its owner can read it.
///
/// `keys` is called after all rows were read, and `each` is called for every row.
///
/// # Errors
/// [`BackupError::Exists`] unless the file may be replaced; errors of the source, `keys` or the file system.
pub fn write<E: From<BackupError>>(
    source: &mut dyn Source,
    path: &Path,
    replace: bool,
    origin: BackupOrigin,
    each: &mut dyn FnMut(&Table, &[Json]),
    keys: impl FnOnce() -> Result<Vec<KeyFile>, E>,
) -> Result<TransferSummary, E> {
    if !replace && path.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(path.to_owned()).into());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |source| BackupError::File { doing: "write", path: path.to_owned(), source };
    let mut tables = vec![];
    for table in source.tables().to_vec() {
        tables.push(stage(source, table, folder, &failed, each)?);
    }
    let keys = keys()?;
    let rows = tables.iter().map(|(entry, _)| entry.rows).sum();
    let summary = TransferSummary { tables: tables.len(), rows };
    let manifest = Manifest {
        format: FORMAT,
        hostler: origin.hostler,
        schema: source.schema(),
        created: origin.created,
        database: origin.database.to_owned(),
        keys: keys.iter().map(|key| FileEntry { name: key.name.clone(), sha256: sum(&key.bytes) }).collect(),
        tables: tables.iter().map(|(entry, _)| entry.clone()).collect(),
    };
    assemble(path, folder, replace, &manifest, &keys, &mut tables).map_err(|source| {
        if source.kind() == io::ErrorKind::AlreadyExists {
            BackupError::Exists(path.to_owned())
        } else {
            failed(source)
        }
    })?;
    Ok(summary)
}

/// Compresses a table into a temporary file: an archive contains the size of an entry before its content.
fn stage(
    source: &mut dyn Source,
    table: Table,
    folder: &Path,
    failed: &dyn Fn(io::Error) -> BackupError,
    each: &mut dyn FnMut(&Table, &[Json]),
) -> Result<(TableEntry, File), BackupError> {
    let file = tempfile::tempfile_in(folder).map_err(failed)?;
    let mut packed = GzEncoder::new(io::BufWriter::new(file), Compression::default());
    let mut digest = RowDigest::default();
    source.rows(&table, &mut |row| {
        each(&table, row);
        packed.write_all(digest.add(row)?).map_err(|problem| CopyError::Source(failed(problem).to_string()))
    })?;
    let mut file = packed.finish().and_then(|buffer| Ok(buffer.into_inner()?)).map_err(failed)?;
    let (rows, rows_sha256) = digest.finish();
    let mut hash = Sha256::new();
    file.rewind().and_then(|()| io::copy(&mut file, &mut HashWriter(&mut hash))).map_err(failed)?;
    let sha256 = hex::encode(hash.finalize());
    let entry =
        TableEntry { name: table.name, columns: table.columns, last_id: table.last_id, rows, rows_sha256, sha256 };
    Ok((entry, file))
}

fn assemble(
    path: &Path,
    folder: &Path,
    replace: bool,
    manifest: &Manifest,
    keys: &[KeyFile],
    tables: &mut [(TableEntry, File)],
) -> io::Result<()> {
    // Created with mode 0600, and removed unless it is renamed.
    let mut file = tempfile::Builder::new().prefix(".hostler-backup-").tempfile_in(folder)?;
    let text = serde_json::to_vec_pretty(manifest)?;
    let mut archive = Builder::new(io::BufWriter::new(file.as_file_mut()));
    append(&mut archive, MANIFEST, text.len() as u64, text.as_slice())?;
    for key in keys {
        append(&mut archive, &key.name, key.bytes.len() as u64, key.bytes.as_slice())?;
    }
    for (entry, file) in tables {
        file.rewind()?;
        let length = file.metadata()?.len();
        append(&mut archive, &entry.entry(), length, file)?;
    }
    let sum = sum(&text);
    append(&mut archive, SUM, sum.len() as u64, sum.as_bytes())?;
    archive.into_inner()?.flush()?;
    persist(file, path, folder, replace)
}

fn persist(file: NamedTempFile, path: &Path, folder: &Path, replace: bool) -> io::Result<()> {
    file.as_file().sync_all()?;
    if replace {
        file.persist(path)?;
    } else {
        file.persist_noclobber(path)?;
    }
    // The name must survive a power failure, too.
    File::open(folder)?.sync_all()
}

fn append(archive: &mut Builder<impl Write>, name: &str, length: u64, content: impl Read) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_size(length);
    header.set_mode(0o600);
    archive.append_data(&mut header, PathBuf::from(name), content)
}

pub(crate) fn sum(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Hashes the written bytes.
pub(crate) struct HashWriter<'h>(pub(crate) &'h mut Sha256);

impl Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
