//! Copies rows into a database and verifies the copy.

use std::collections::BTreeSet;

use hostler_database::copy::{CopyError, Destination, Import, Source};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::BackupError;

/// The result of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferSummary {
    /// The number of tables.
    pub tables: usize,
    /// The number of rows.
    pub rows: u64,
}

/// Counts and hashes the rows of a table as lines of JSON.
#[derive(Default)]
pub(crate) struct RowDigest {
    rows: u64,
    hash: Sha256,
    line: Vec<u8>,
}

impl RowDigest {
    /// Counts a row, and returns its line.
    pub(crate) fn add(&mut self, row: &[Json]) -> Result<&[u8], CopyError> {
        self.line.clear();
        // Fails only for maps with keys that are not strings, which rows do not have.
        serde_json::to_writer(&mut self.line, row).map_err(|problem| CopyError::Source(problem.to_string()))?;
        self.line.push(b'\n');
        self.hash.update(&self.line);
        self.rows += 1;
        Ok(&self.line)
    }

    /// The number of rows, and the checksum of their lines.
    pub(crate) fn finish(self) -> (u64, String) {
        (self.rows, hex::encode(self.hash.finalize()))
    }
}

/// Copies all rows into a database, verifies the written rows, and calls `ready` before the commit. After an error of
/// `ready` or any other error nothing is changed.
///
/// # Errors
/// [`BackupError::Mismatch`], and errors of the source, the database or `ready`.
pub fn transfer(
    source: &mut dyn Source,
    destination: &Destination,
    ready: impl FnOnce() -> Result<(), BackupError>,
) -> Result<TransferSummary, BackupError> {
    let mut import = Import::begin(destination, source.schema())?;
    let tables = source.tables().to_vec();
    let mut sent = vec![];
    for table in &tables {
        let mut digest = RowDigest::default();
        import.load(table, &mut |sink| {
            source.rows(table, &mut |row| {
                digest.add(row)?;
                sink(row)
            })
        })?;
        sent.push(digest.finish());
    }
    // The rows are read after everything was written, so that types and triggers have taken effect.
    let mut rows = 0;
    for (table, sent) in tables.iter().zip(&sent) {
        let mut digest = RowDigest::default();
        import.rows(table, &mut |row| digest.add(row).map(drop))?;
        let arrived = digest.finish();
        if arrived != *sent {
            return Err(BackupError::Mismatch { table: table.name.clone(), sent: sent.0, arrived: arrived.0 });
        }
        rows += arrived.0;
    }
    ready()?;
    import.commit()?;
    Ok(TransferSummary { tables: tables.len(), rows })
}

/// Collects the ids of the keys that encrypted the secrets of a row, which may be whole values or parts of values.
pub fn encryption_key_ids(row: &[Json], found: &mut BTreeSet<String>) {
    const START: &str = "$hostler$";
    for text in row.iter().filter_map(Json::as_str) {
        for (position, _) in text.match_indices(START) {
            found.extend(hostler_vault::key_id(&text[position..]).map(str::to_owned));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_inside_of_other_values() {
        let mut found = BTreeSet::new();
        let row = [
            Json::from(1),
            Json::from("$hostler$1$0123456789abcdef$AAAA"),
            Json::from("{\"a\": \"$hostler$1$fedcba9876543210$AA\", \"b\": \"$hostler$1$0000000000000000$AA\"}"),
            Json::from("$hostler$ is no secret, nor is $hostler$1$xyz$"),
        ];
        encryption_key_ids(&row, &mut found);
        let found: Vec<&str> = found.iter().map(String::as_str).collect();
        assert_eq!(found, ["0000000000000000", "0123456789abcdef", "fedcba9876543210"]);
    }
}
