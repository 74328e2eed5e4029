//! What an archive says about itself.

use hostler_database::copy::Table;
use serde::{Deserialize, Serialize};

/// The format that is written, and the newest one that is read.
pub const FORMAT: u64 = 1;

/// The entry that holds the manifest: the first.
pub(crate) const MANIFEST: &str = "manifest.json";
/// The entry that holds the sum of the manifest: the last.
pub(crate) const SUM: &str = "manifest.sha256";

/// What an archive says about itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// The format of the archive.
    pub format: u64,
    /// The version of Hostler that wrote it.
    pub hostler: String,
    /// The version of the schema that the rows are in.
    pub schema: i64,
    /// When it was written, as RFC 3339 has it.
    pub created: String,
    /// Which database it was made from: `sqlite` or `postgresql`.
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
    /// SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
}

/// A table in an archive.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TableEntry {
    /// The table.
    pub name: String,
    /// The columns, in the order of the values of a row.
    pub columns: Vec<String>,
    /// The greatest id that was ever given to a row.
    pub last_id: Option<i64>,
    /// How many rows it has.
    pub rows: u64,
    /// SHA-256 of its rows as lines.
    pub rows_sha256: String,
    /// SHA-256 of the entry, which is compressed.
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
