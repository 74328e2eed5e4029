//! The spool file; the documentation of the crate describes its format.

mod reader;
mod writer;

pub use reader::{Record, SpoolReader};
pub use writer::SpoolWriter;

/// Bytes before the JSON of a record: kind, length and checksum, each followed by a space.
const HEADER: usize = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Event,
    Final,
}

struct Header {
    kind: Kind,
    length: usize,
    checksum: u32,
}

impl Header {
    fn encode(kind: Kind, json: &[u8]) -> String {
        let kind = match kind {
            Kind::Event => 'E',
            Kind::Final => 'F',
        };
        format!("{kind} {:08x} {:08x} ", json.len(), crc32fast::hash(json))
    }

    fn decode(bytes: &[u8; HEADER]) -> Option<Self> {
        let kind = match bytes.first()? {
            b'E' => Kind::Event,
            b'F' => Kind::Final,
            _ => return None,
        };
        let number = |range| u32::from_str_radix(str::from_utf8(bytes.get(range)?).ok()?, 16).ok();
        let spaces = [1, 10, 19].into_iter().all(|at| bytes[at] == b' ');
        spaces.then_some(Self { kind, length: usize::try_from(number(2..10)?).ok()?, checksum: number(11..19)? })
    }
}
