//! The events and the output of jobs and of project updates.
//!
//! An event is a row of `stored_job_events` with what lists filter by. Its output and its other data are in a batch of
//! events, compressed together. [`EventWriter`] writes the events of one running job in the transactions of its caller,
//! each with the position in the spool up to which they were read, so that none is lost or written twice. The readers
//! load the bodies of a page, ranges of lines, and the whole output step by step.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod batch;
mod bodies;
mod cursor;
mod display;
mod event_types;
mod log;
mod names;
mod output;
mod page;
mod search;
mod spool_event;
mod statistics;
mod terminal;
mod url_secrets;
mod writer;

use sha2::{Digest, Sha256};

pub use bodies::{EventBody, read_bodies};
pub use display::{event_display, shortened};
pub use event_types::{EVENT_CHOICES, EventType, PARENT_EVENTS, event_type};
pub use log::EventLog;
pub use names::{NameColumn, name_ids};
pub use output::{Lines, OutputReader, OutputSize, output_size, read_lines};
pub use page::{StoredEvent, events_after};
pub use search::{EventText, events_with};
pub use terminal::{HtmlColors, PlainText, to_html, to_plain};
pub use writer::EventWriter;

/// The number of bits of an event's id that are its counter.
const COUNTER_BITS: u32 = 24;

/// The greatest counter of an event.
pub const GREATEST_COUNTER: i64 = (1 << COUNTER_BITS) - 1;

/// The id of the event of a job with this counter.
pub const fn event_id(job_id: i64, counter: i64) -> i64 {
    (job_id << COUNTER_BITS) + counter
}

/// The counter of the event with this id.
pub const fn counter_of(event_id: i64) -> i64 {
    event_id & GREATEST_COUNTER
}

/// The job of the event with this id.
pub const fn job_of(event_id: i64) -> i64 {
    event_id >> COUNTER_BITS
}

/// The number by which events are found by their UUID.
pub fn uuid_hash(uuid: &str) -> i64 {
    let digest = Sha256::digest(uuid.as_bytes());
    digest.first_chunk().map_or(0, |first: &[u8; 8]| i64::from_be_bytes(*first))
}

/// Why events could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// An error of the database.
    #[error(transparent)]
    Database(#[from] hostler_database::Error),
    /// There is no such job.
    #[error("the job {0} does not exist")]
    NoJob(i64),
    /// A record of the spool is no event.
    #[error("an event of the job {0} cannot be read")]
    InvalidEvent(i64),
    /// The counters of a job have no gap.
    #[error("the job {job} continues with the event {found}, not {expected}")]
    Gap {
        /// The job.
        job: i64,
        /// The counter that was expected.
        expected: i64,
        /// The counter that was found.
        found: i64,
    },
    /// The job has too many events.
    #[error("the job {0} has more than 16,777,215 events")]
    TooManyEvents(i64),
    /// A batch is damaged.
    #[error("the batch of events {0} is damaged")]
    DamagedBatch(i64),
}
