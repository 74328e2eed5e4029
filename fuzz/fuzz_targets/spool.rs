//! Spool files of jobs, which a job that is not isolated can damage.
#![no_main]

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::LazyLock;

use hostler_supervisor::{Record, SpoolReader};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

static DIRECTORY: LazyLock<TempDir> = LazyLock::new(|| TempDir::new().expect("a folder"));

/// The input as a spool: lines that begin with E or F become records with a valid header, others stay as they are.
fn spool(data: &[u8]) -> Vec<u8> {
    let mut spool = vec![];
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        match line {
            [kind @ (b'E' | b'F'), json @ .., b'\n'] => {
                let header = format!("{} {:08x} {:08x} ", *kind as char, json.len(), crc32fast::hash(json));
                spool.extend([header.as_bytes(), json, b"\n"].concat());
            }
            line => spool.extend(line),
        }
    }
    spool
}

/// Reads until nothing more is there, and returns whether there may be more later.
fn read(reader: &mut SpoolReader, found: &mut Vec<String>) -> bool {
    loop {
        let before = reader.position();
        match reader.read_record() {
            Ok(None) => return true,
            Ok(Some(record)) => {
                let is_last = matches!(record, Record::Final(_));
                found.push(format!("{record:?}"));
                assert!(reader.position() > before);
                if is_last {
                    return false;
                }
            }
            Err(problem) => {
                found.push(problem.to_string());
                return false;
            }
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((cut, data)) = data.split_first() else { return };
    let spool = spool(data);
    let path: PathBuf = DIRECTORY.path().join("spool");
    fs::write(&path, &spool).expect("a file");
    let mut at_once = vec![];
    read(&mut SpoolReader::open_unwatched(DIRECTORY.path()).expect("the file"), &mut at_once);
    // The same is found while the file grows.
    let (first, rest) = spool.split_at(usize::from(*cut).min(spool.len()));
    fs::write(&path, first).expect("a file");
    let mut reader = SpoolReader::open_unwatched(DIRECTORY.path()).expect("the file");
    let mut in_parts = vec![];
    if read(&mut reader, &mut in_parts) {
        OpenOptions::new().append(true).open(&path).and_then(|mut file| file.write_all(rest)).expect("a longer file");
        read(&mut reader, &mut in_parts);
    }
    assert_eq!(at_once, in_parts);
});
