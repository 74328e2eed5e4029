//! Events whose output or data has a text, found by reading the batches of one job.

use hostler_database::Database;
use sea_query::Condition;

use crate::EventError;
use crate::batch::Texts;
use crate::bodies::blocking;
use crate::cursor::{Cursor, Part};
use crate::spool_event::StoredData;

/// The number of batches that are read at a time.
const BATCHES: u64 = 64;

/// A text of events that is in their batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventText {
    /// The output, without the line feed at its end.
    Stdout,
    /// `event_data`, as JSON.
    Data,
}

impl EventText {
    const fn column(self) -> &'static str {
        match self {
            EventText::Stdout => "stdout",
            EventText::Data => "data",
        }
    }
}

/// The ids of the events of a job whose text matches, ascending.
///
/// `may_match` gets the texts of a whole batch and says whether any event can match; it is faster than `matches` on each
/// of them.
///
/// # Errors
/// [`EventError::DamagedBatch`], and database errors.
pub async fn events_with(
    database: &Database,
    job_id: i64,
    text: EventText,
    may_match: impl Fn(&[u8]) -> bool + Send + Sync + Clone + 'static,
    matches: impl Fn(&str) -> bool + Send + Sync + Clone + 'static,
) -> Result<Vec<i64>, EventError> {
    let mut found = Vec::new();
    let mut cursor = Cursor::new(job_id);
    let mut parts = cursor.next(database, text.column(), Condition::all(), BATCHES).await?;
    loop {
        let is_end = (parts.len() as u64) < BATCHES;
        let (may_match, matches) = (may_match.clone(), matches.clone());
        let searched = blocking(move || search(text, &parts, &may_match, &matches));
        if is_end {
            found.extend(searched.await?);
            return Ok(found);
        }
        // The next ones are read in the meantime.
        let next = cursor.next(database, text.column(), Condition::all(), BATCHES);
        let (searched, next) = tokio::join!(searched, next);
        found.extend(searched?);
        parts = next?;
    }
}

fn search(
    text: EventText,
    parts: &[Part],
    may_match: &(impl Fn(&[u8]) -> bool + Sync),
    matches: &(impl Fn(&str) -> bool + Sync),
) -> Result<Vec<i64>, EventError> {
    let search = |parts: &[Part]| -> Result<Vec<i64>, EventError> {
        let mut found = Vec::new();
        for part in parts {
            let texts = part.texts()?;
            if may_match(texts.all()) {
                found.extend(in_part(text, part.first_event(), &texts, matches));
            }
        }
        Ok(found)
    };
    // Two threads: the search of one request may not take all.
    let (first, second) = parts.split_at(parts.len() / 2);
    std::thread::scope(|scope| {
        let second = scope.spawn(|| search(second));
        let mut found = search(first)?;
        let interrupted = || hostler_database::Error::Internal("a search was interrupted".to_owned());
        found.extend(second.join().map_err(|_| interrupted())??);
        Ok(found)
    })
}

fn in_part(kind: EventText, first_event: i64, texts: &Texts, matches: impl Fn(&str) -> bool) -> Vec<i64> {
    let is_match = |text: &[u8]| match kind {
        EventText::Stdout => matches(&String::from_utf8_lossy(text.strip_suffix(b"\n").unwrap_or(text))),
        EventText::Data => {
            serde_json::from_slice::<StoredData<'_>>(text).is_ok_and(|data| matches(data.event_data.get()))
        }
    };
    texts.iter().zip(first_event..).filter(|(text, _)| is_match(text)).map(|(_, id)| id).collect()
}
