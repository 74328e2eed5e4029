//! The manifest of an archive.

use hostler_database::copy::Table;
use serde::{Deserialize, Serialize};

/// The format of new archives, and the newest one that can be read.
pub const FORMAT: u64 = 1;

/// The entry with the manifest: the first.
pub(crate) const MANIFEST: &str = "manifest.json";
/// The entry with the checksum of the manifest: the last.
pub(crate) const SUM: &str = "manifest.sha256";

/// The manifest of an archive.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// The format of the archive.
    pub format: u64,
    /// The version of Hostler that wrote it.
    pub hostler: String,
    /// The schema version of the rows.
    pub schema: i64,
    /// The time of the backup (RFC 3339).
    pub created: String,
    /// The database of the backup: `sqlite` or `postgresql`.
    pub database: String,
    /// The key files.
    pub keys: Vec<FileEntry>,
    /// The tables.
    pub tables: Vec<TableEntry>,
}

/// A key file in an archive.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FileEntry {
    /// The entry, which is the path below the data folder.
    pub name: String,
    /// The SHA-256 checksum, in hexadecimal digits.
    pub sha256: String,
}

/// A table in an archive.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TableEntry {
    /// The table.
    pub name: String,
    /// The columns, in the order of the values of a row.
    pub columns: Vec<String>,
    /// The greatest id that any row ever had.
    pub last_id: Option<i64>,
    /// The number of rows.
    pub rows: u64,
    /// The SHA-256 checksum of its rows as lines.
    pub rows_sha256: String,
    /// The SHA-256 checksum of the compressed entry.
    pub sha256: String,
}

impl TableEntry {
    /// The name of the entry.
    pub(crate) fn entry(&self) -> String {
        format!("tables/{}.jsonl.gz", self.name)
    }

    pub(crate) fn table(&self) -> Table {
        Table { name: self.name.clone(), columns: self.columns.clone(), last_id: self.last_id }
    }
}
