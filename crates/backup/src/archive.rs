//! Reading an archive.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use hostler_database::copy::{CopyError, Sink, Source, Table};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::manifest::{FORMAT, MANIFEST, Manifest, SUM};
use crate::transfer::RowDigest;
use crate::writer::{HashWriter, sum};
use crate::{BackupError, KeyFile};

/// The longest manifest, in bytes.
const LONGEST_MANIFEST: u64 = 16 << 20;
/// The longest key file, in bytes.
const LONGEST_KEY: u64 = 1 << 20;
/// The longest row, in bytes. Hostler's rows are much shorter; the limit protects the memory.
const LONGEST_ROW: u64 = 1 << 30;

/// An archive whose checksums were verified.
pub struct Archive {
    path: PathBuf,
    file: File,
    manifest: Manifest,
    tables: Vec<Table>,
    ranges: HashMap<String, EntryRange>,
}

/// The position of an entry's content.
#[derive(Clone, Copy)]
struct EntryRange {
    start: u64,
    length: u64,
}

impl Archive {
    /// Opens an archive and checks all of it.
    ///
    /// # Errors
    /// [`BackupError::File`], [`BackupError::Damaged`], [`BackupError::NewerFormat`].
    pub fn open(path: &Path) -> Result<Archive, BackupError> {
        let file_error = |source| BackupError::File { doing: "read", path: path.to_owned(), source };
        let damaged = |problem: &str| BackupError::Damaged { path: path.to_owned(), problem: problem.to_owned() };
        let mut file = File::open(path).map_err(file_error)?;
        let (sums, ranges) = read_entries(&file).map_err(|problem| damaged(&problem))?;
        let content = |file: &mut File, name: &str, longest: u64| -> Result<Vec<u8>, BackupError> {
            let range = ranges.get(name).filter(|range| range.length <= longest);
            let range = *range.ok_or_else(|| damaged(&format!("it has no {name}")))?;
            let mut bytes = vec![];
            part(file, range).and_then(|mut part| part.read_to_end(&mut bytes)).map_err(file_error)?;
            Ok(bytes)
        };
        let text = content(&mut file, MANIFEST, LONGEST_MANIFEST)?;
        // The first check, because the rest may have another format.
        let format: Json = serde_json::from_slice(&text).map_err(|_| damaged("its manifest cannot be read"))?;
        match format["format"].as_u64() {
            Some(found) if found > FORMAT => {
                let version = format["hostler"].as_str().unwrap_or("unknown").to_owned();
                return Err(BackupError::NewerFormat { path: path.to_owned(), found, version });
            }
            Some(_) => {}
            None => return Err(damaged("its manifest has no format")),
        }
        if content(&mut file, SUM, 64)? != sum(&text).as_bytes() {
            return Err(damaged("its manifest was changed"));
        }
        let manifest: Manifest =
            serde_json::from_slice(&text).map_err(|_| damaged("its manifest lacks what is needed"))?;
        let mut expected: HashMap<String, &str> = HashMap::new();
        expected.extend(manifest.keys.iter().map(|key| (key.name.clone(), key.sha256.as_str())));
        expected.extend(manifest.tables.iter().map(|table| (table.entry(), table.sha256.as_str())));
        for (name, sum) in &sums {
            match expected.remove(name.as_str()) {
                Some(expected) if expected == sum => {}
                None if name == MANIFEST || name == SUM => {}
                Some(_) => return Err(damaged(&format!("{name} was changed"))),
                None => return Err(damaged(&format!("{name} does not belong to it"))),
            }
        }
        if let Some(name) = expected.keys().next() {
            return Err(damaged(&format!("{name} is missing")));
        }
        if let Some(key) = manifest.keys.iter().find(|key| !is_key_file(&key.name)) {
            return Err(damaged(&format!("{} is no key file", key.name)));
        }
        let tables = manifest.tables.iter().map(|entry| entry.table()).collect();
        Ok(Archive { path: path.to_owned(), file, manifest, tables, ranges })
    }

    /// The archive's manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The key files.
    ///
    /// # Errors
    /// [`BackupError::File`].
    pub fn keys(&mut self) -> Result<Vec<KeyFile>, BackupError> {
        let mut keys = vec![];
        for entry in &self.manifest.keys {
            let mut bytes = Zeroizing::new(vec![]);
            let range = self.ranges.get(&entry.name).copied().filter(|range| range.length <= LONGEST_KEY);
            let read = range
                .ok_or_else(|| io::Error::other("a key file is too long"))
                .and_then(|range| part(&mut self.file, range)?.read_to_end(&mut bytes));
            read.map_err(|source| BackupError::File { doing: "read", path: self.path.clone(), source })?;
            keys.push(KeyFile { name: entry.name.clone(), bytes });
        }
        Ok(keys)
    }
}

impl Source for Archive {
    fn schema(&self) -> i64 {
        self.manifest.schema
    }

    fn tables(&self) -> &[Table] {
        &self.tables
    }

    fn rows(&mut self, table: &Table, sink: &mut Sink<'_>) -> Result<(), CopyError> {
        let path = self.path.display().to_string();
        let wrong = |problem: &str| CopyError::Source(format!("{path}: table {}: {problem}", table.name));
        let entry = self.manifest.tables.iter().find(|entry| entry.name == table.name);
        let entry = entry.ok_or_else(|| CopyError::UnknownTable(table.name.clone()))?;
        let range = *self.ranges.get(&entry.entry()).ok_or_else(|| CopyError::UnknownTable(table.name.clone()))?;
        let packed = part(&mut self.file, range).map_err(|problem| wrong(&problem.to_string()))?;
        let mut lines = BufReader::new(GzDecoder::new(BufReader::new(packed)));
        let mut digest = RowDigest::default();
        let mut line = vec![];
        loop {
            line.clear();
            let read = (&mut lines).take(LONGEST_ROW).read_until(b'\n', &mut line);
            if read.map_err(|problem| wrong(&problem.to_string()))? == 0 {
                break;
            }
            let row: Vec<Json> = serde_json::from_slice(&line).map_err(|_| wrong("a line is no row"))?;
            if row.len() != table.columns.len() {
                return Err(wrong("a row has more or fewer values than columns"));
            }
            digest.add(&row)?;
            sink(&row)?;
        }
        if digest.finish() != (entry.rows, entry.rows_sha256.clone()) {
            return Err(wrong("the rows are not those that were written"));
        }
        Ok(())
    }
}

/// The name and the sum of each entry, in their order.
type Sums = Vec<(String, String)>;

/// The checksum of each entry, and its position.
fn read_entries(file: &File) -> Result<(Sums, HashMap<String, EntryRange>), String> {
    // The error of the tar reader may quote the file, which may contain anything.
    let unreadable = |_: io::Error| "it is not a whole archive of tar".to_owned();
    let (mut sums, mut ranges) = (vec![], HashMap::new());
    let mut archive = tar::Archive::new(BufReader::new(file));
    for entry in archive.entries().map_err(unreadable)? {
        let mut entry = entry.map_err(unreadable)?;
        let name = entry.path().map_err(unreadable)?.to_str().unwrap_or_default().to_owned();
        let range = EntryRange { start: entry.raw_file_position(), length: entry.size() };
        let mut hash = Sha256::new();
        if io::copy(&mut entry, &mut HashWriter(&mut hash)).map_err(unreadable)? != range.length {
            return Err(format!("{name} is cut off"));
        }
        if ranges.insert(name.clone(), range).is_some() {
            return Err(format!("{name} is there twice"));
        }
        sums.push((name, hex::encode(hash.finalize())));
    }
    Ok((sums, ranges))
}

fn part(file: &mut File, range: EntryRange) -> io::Result<impl Read> {
    file.seek(SeekFrom::Start(range.start))?;
    Ok(file.take(range.length))
}

/// Whether this is the name of a key file: no other file may be written into a data folder.
fn is_key_file(name: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    name == "secret.key" || name.strip_prefix("keys/").and_then(|name| name.strip_suffix(".key")).is_some_and(is_number)
}

#[cfg(test)]
mod tests {
    use super::is_key_file;

    #[test]
    fn only_key_files_leave_an_archive() {
        for name in ["secret.key", "keys/1.key", "keys/12.key"] {
            assert!(is_key_file(name), "{name}");
        }
        for name in ["hostler.db", "keys/../secret.key", "keys/.key", "keys/1.key/2.key", "/secret.key", "keys/x.key"] {
            assert!(!is_key_file(name), "{name}");
        }
    }
}
