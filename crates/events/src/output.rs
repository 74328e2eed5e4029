//! The output of a job: its size, ranges of lines, and all of it step by step.

use hostler_database::Database;
use sea_query::{Condition, Expr, ExprTrait, Order};

use crate::EventError;
use crate::batch::Texts;
use crate::bodies::blocking;
use crate::cursor::{Cursor, Part, of_job};

/// The number of batches that are read at a time.
const BATCHES: u64 = 16;

/// The size of an output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputSize {
    /// The number of line feeds.
    pub line_feeds: i64,
    /// The number of bytes.
    pub bytes: i64,
    /// Whether it ends within a line.
    pub ends_within_line: bool,
}

impl OutputSize {
    /// The number of lines, the last one even if it has no end yet.
    pub fn lines(&self) -> i64 {
        self.line_feeds + i64::from(self.ends_within_line)
    }
}

/// The size of the output of a job.
///
/// # Errors
/// Database errors.
pub async fn output_size(database: &Database, job_id: i64) -> Result<OutputSize, EventError> {
    let last =
        of_job(job_id, ["last_line", "last_byte", "ends_within_line"]).order_by("id", Order::Desc).limit(1).to_owned();
    let last: Option<(i64, i64, bool)> = database.read_first(&last).await?;
    Ok(last.map_or_else(OutputSize::default, |(line_feeds, bytes, ends_within_line)| OutputSize {
        line_feeds,
        bytes,
        ends_within_line,
    }))
}

/// Lines of an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lines {
    /// The lines, each with its line feed.
    Text(String),
    /// They have more bytes than allowed.
    TooLong,
}

/// The lines from `start`, counted from 0, up to before `end`.
///
/// # Errors
/// [`EventError::DamagedBatch`], and database errors.
pub async fn read_lines(
    database: &Database,
    job_id: i64,
    start: i64,
    end: i64,
    most_bytes: usize,
) -> Result<Lines, EventError> {
    let mut text = Vec::new();
    if end <= start {
        return Ok(Lines::Text(String::new()));
    }
    let mut cursor = Cursor::new(job_id);
    // The number of line feeds that are still to be skipped, once the first batch is known.
    let mut skip = None;
    let mut wanted = end - start;
    while wanted > 0 {
        let in_range = Condition::all().add(Expr::col("last_line").gte(start)).add(Expr::col("first_line").lt(end));
        let parts = cursor.next(database, "stdout", in_range, BATCHES).await?;
        let Some(first) = parts.first() else { break };
        let is_end = (parts.len() as u64) < BATCHES;
        let mut skipped = skip.unwrap_or_else(|| Ord::max(start - first.first_line, 0));
        for texts in decompress_all(parts).await? {
            let mut rest = texts.all();
            while skipped > 0 && !rest.is_empty() {
                let (line, after) = split_line(rest);
                rest = after;
                skipped -= i64::from(line.ends_with(b"\n"));
            }
            while wanted > 0 && !rest.is_empty() {
                let (line, after) = split_line(rest);
                rest = after;
                wanted -= i64::from(line.ends_with(b"\n"));
                if text.len() + line.len() > most_bytes {
                    return Ok(Lines::TooLong);
                }
                text.extend_from_slice(line);
            }
        }
        skip = Some(skipped);
        if is_end {
            break;
        }
    }
    Ok(Lines::Text(String::from_utf8_lossy(&text).into_owned()))
}

/// The first line, with its line feed if it has one, and the rest.
fn split_line(text: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr::memchr(b'\n', text).map_or(text.len(), |line_feed| line_feed + 1);
    text.split_at(end)
}

/// Decompresses parts, on another thread.
async fn decompress_all(parts: Vec<Part>) -> Result<Vec<Texts>, EventError> {
    blocking(move || parts.iter().map(Part::texts).collect()).await
}

/// Reads the output of a job from its begin to its end, a few batches at a time.
pub struct OutputReader {
    database: Database,
    cursor: Cursor,
}

impl OutputReader {
    /// A reader at the begin of the output of a job.
    pub fn new(database: Database, job_id: i64) -> Self {
        OutputReader { database, cursor: Cursor::new(job_id) }
    }

    /// The next part of the output; none at its end. A part may end within a line, and within a character.
    ///
    /// # Errors
    /// [`EventError::DamagedBatch`], and database errors.
    pub async fn next_part(&mut self) -> Result<Option<Vec<u8>>, EventError> {
        let parts = self.cursor.next(&self.database, "stdout", Condition::all(), BATCHES).await?;
        if parts.is_empty() {
            return Ok(None);
        }
        let mut output = Vec::new();
        for texts in decompress_all(parts).await? {
            match output.is_empty() {
                true => output = texts.into_bytes(),
                false => output.extend_from_slice(texts.all()),
            }
        }
        Ok(Some(output))
    }
}
