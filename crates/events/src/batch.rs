//! Batches: the output and the other data of events that follow each other, compressed.
//!
//! A compressed part is the length of its content in four bytes, and a zstd frame. The content is the number of events,
//! the length of each event's text, all as four bytes in little-endian order, and the texts.

use crate::EventError;

/// Much less than the output of a job has; more would not be smaller, and take longer to read for one event.
pub(crate) const MOST_EVENTS: usize = 256;
const MOST_BYTES: usize = 512 << 10;
/// A smaller batch is written again together with the events after it.
const SMALL: usize = 128 << 10;

const LEVEL: i32 = 3;

/// The texts of one kind of a batch.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Texts {
    lengths: Vec<u32>,
    bytes: Vec<u8>,
}

impl Texts {
    pub fn push(&mut self, text: &[u8]) {
        // A record of the spool has at most 64 MiB.
        self.lengths.push(u32::try_from(text.len()).unwrap_or(u32::MAX));
        self.bytes.extend_from_slice(text);
    }

    fn append(&mut self, other: &mut Texts) {
        self.lengths.append(&mut other.lengths);
        self.bytes.append(&mut other.bytes);
    }

    /// All texts, one after the other.
    pub fn all(&self) -> &[u8] {
        &self.bytes
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The texts of the events, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut begin = 0;
        self.lengths.iter().map(move |length| {
            let end = begin + *length as usize;
            let text = self.bytes.get(begin..end).unwrap_or_default();
            begin = end;
            text
        })
    }

    /// Without the texts of the first events.
    pub fn without_first(mut self, events: usize) -> Self {
        let lengths = self.lengths.drain(..events.min(self.lengths.len()));
        let bytes: usize = lengths.map(|length| length as usize).sum();
        self.bytes.drain(..bytes.min(self.bytes.len()));
        self
    }

    fn compress(&self) -> std::io::Result<Vec<u8>> {
        let numbers = std::iter::once(self.lengths.len() as u32).chain(self.lengths.iter().copied());
        let mut content: Vec<u8> = numbers.flat_map(u32::to_le_bytes).collect();
        content.extend_from_slice(&self.bytes);
        let mut compressed = (content.len() as u32).to_le_bytes().to_vec();
        compressed.extend(zstd::bulk::compress(&content, LEVEL)?);
        Ok(compressed)
    }

    /// The texts of a compressed part; none if it is damaged.
    fn decompress(compressed: &[u8]) -> Option<Texts> {
        let (length, frame) = compressed.split_first_chunk::<4>()?;
        let mut content = zstd::bulk::decompress(frame, u32::from_le_bytes(*length) as usize).ok()?;
        let count = number(&content, 0)? as usize;
        let head = count.checked_add(1)?.checked_mul(4)?;
        let lengths: Vec<u32> = (1..=count).map(|index| number(&content, index)).collect::<Option<_>>()?;
        content.drain(..content.get(..head)?.len());
        let total: u64 = lengths.iter().map(|length| u64::from(*length)).sum();
        (total == content.len() as u64).then_some(Texts { lengths, bytes: content })
    }
}

fn number(content: &[u8], index: usize) -> Option<u32> {
    content.get(index * 4..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

/// Decompresses a part of the batch with this id.
pub(crate) fn decompress(batch: i64, compressed: &[u8]) -> Result<Texts, EventError> {
    Texts::decompress(compressed).ok_or(EventError::DamagedBatch(batch))
}

/// A batch that is being filled.
#[derive(Debug)]
pub(crate) struct Batch {
    pub first_counter: i64,
    pub first_line: i64,
    pub last_line: i64,
    pub first_byte: i64,
    pub last_byte: i64,
    /// Whether the output ends within a line.
    pub ends_within_line: bool,
    stdout: Texts,
    data: Texts,
}

impl Batch {
    pub fn new(first_counter: i64, line: i64, byte: i64, ends_within_line: bool) -> Self {
        Batch {
            first_counter,
            first_line: line,
            last_line: line,
            first_byte: byte,
            last_byte: byte,
            ends_within_line,
            stdout: Texts::default(),
            data: Texts::default(),
        }
    }

    pub fn push(&mut self, stdout: &[u8], data: &[u8], end_line: i64) {
        self.stdout.push(stdout);
        self.data.push(data);
        self.last_line = end_line;
        self.last_byte += stdout.len() as i64;
        if let Some(last) = stdout.last() {
            self.ends_within_line = *last != b'\n';
        }
    }

    pub fn events(&self) -> usize {
        self.data.lengths.len()
    }

    pub fn last_counter(&self) -> i64 {
        self.first_counter + self.events() as i64 - 1
    }

    fn size(&self) -> usize {
        self.stdout.bytes.len() + self.data.bytes.len()
    }

    pub fn is_full(&self) -> bool {
        self.events() >= MOST_EVENTS || self.size() >= MOST_BYTES
    }

    /// Whether a batch is written again together with the one after it: small ones are, but not for much smaller ones,
    /// so that each event is written a few times at most.
    pub fn joins(&self, next: &Batch) -> bool {
        self.size() < SMALL && self.size() <= next.size() * 2 && self.events() + next.events() <= MOST_EVENTS
    }

    /// Adds the batch after this one.
    pub fn join(&mut self, mut next: Batch) {
        self.stdout.append(&mut next.stdout);
        self.data.append(&mut next.data);
        self.last_line = next.last_line;
        self.last_byte = next.last_byte;
        self.ends_within_line = next.ends_within_line;
    }

    /// Whether the batch may still be joined with a later one.
    pub fn is_small(&self) -> bool {
        self.size() < SMALL && self.events() < MOST_EVENTS
    }

    /// The compressed output and data.
    pub fn compress(&self) -> std::io::Result<(Vec<u8>, Vec<u8>)> {
        Ok((self.stdout.compress()?, self.data.compress()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back() {
        let mut texts = Texts::default();
        for text in ["", "one\n", "\u{17c}\u{f3}\u{142}w", ""] {
            texts.push(text.as_bytes());
        }
        let compressed = texts.compress().expect("compression");
        let read = Texts::decompress(&compressed).expect("undamaged");
        assert_eq!(read, texts);
        assert_eq!(read.iter().map(<[u8]>::len).collect::<Vec<_>>(), [0, 4, 7, 0]);
        let rest = read.without_first(2);
        assert_eq!((rest.iter().count(), rest.all()), (2, "\u{17c}\u{f3}\u{142}w".as_bytes()));
        assert_eq!(rest.without_first(9), Texts::default());
    }

    #[test]
    fn damaged_parts_are_refused() {
        let mut texts = Texts::default();
        texts.push(b"some text");
        let compressed = texts.compress().expect("compression");
        for end in 0..compressed.len() {
            assert_eq!(Texts::decompress(&compressed[..end]), None, "{end}");
        }
        let mut longer = compressed.clone();
        longer[0] = 255;
        longer[4..].reverse();
        assert_eq!(Texts::decompress(&longer), None);
    }

    #[test]
    fn small_batches_join_by_size() {
        let batch = |first, size| {
            let mut batch = Batch::new(first, 0, 0, false);
            batch.push(&vec![b'x'; size], b"", 0);
            batch
        };
        assert!(batch(1, 100).joins(&batch(2, 60)));
        assert!(!batch(1, 100).joins(&batch(2, 40)));
        assert!(!batch(1, SMALL).joins(&batch(2, SMALL)));
    }
}
