//! How jobs end.

use hostler_database::Transaction;
use hostler_events::{EventError, EventLog, EventWriter};
use hostler_queue::{Ended, ExecutorError, Finish, JobSignals, Pauses, Status, finish};
use hostler_supervisor::{Exit, FinalRecord, Reason};
use jiff::Timestamp;
use serde_json::Map;

use crate::job_directory::JobDirectory;
use crate::job_row::JobRow;
use crate::preparation::Refusal;
use crate::runner::Runner;

/// The end of a job.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub status: Status,
    /// For users; empty if the output says it.
    pub explanation: String,
    /// When, if it is known.
    pub time: Option<Timestamp>,
}

impl End {
    pub fn error(explanation: impl Into<String>) -> Self {
        End { status: Status::Error, explanation: explanation.into(), time: None }
    }

    pub fn canceled() -> Self {
        End { status: Status::Canceled, explanation: String::new(), time: None }
    }

    /// The end that the supervisor recorded.
    pub fn of(record: &FinalRecord) -> Self {
        let message = record.message.clone();
        let (status, explanation) = match (record.reason, record.exit) {
            (Reason::Exited, Some(Exit::Code(0))) => (Status::Successful, message),
            (Reason::Exited, Some(Exit::Code(_))) => (Status::Failed, message),
            (Reason::Canceled, _) => (Status::Canceled, String::new()),
            // AWX's words.
            (Reason::TimedOut, _) => (Status::Failed, "Job terminated due to timeout".to_owned()),
            (Reason::Exited | Reason::NotStarted | Reason::DiskFull | Reason::Terminated, _) => {
                (Status::Error, message)
            }
        };
        End { status, explanation, time: record.finished.parse().ok() }
    }

    /// Writes it, in the transaction of the last events. False if the job had ended before.
    pub async fn write(&self, tx: &mut Transaction, job: i64, now: Timestamp) -> Result<bool, hostler_database::Error> {
        // The clock may have been set back since.
        let now = self.time.map_or(now, |time| time.min(now));
        let end = Finish { status: self.status, explanation: &self.explanation, traceback: "", now };
        finish(tx, job, &end).await
    }
}

impl From<Refusal> for End {
    fn from(refusal: Refusal) -> Self {
        End { status: refusal.status, explanation: refusal.explanation, time: None }
    }
}

impl Runner {
    /// Ends a job that has no supervisor. The reason is its last event, too, so that its output shows it.
    pub(crate) async fn end_without_supervisor(
        &self,
        job: &JobRow,
        directory: &JobDirectory,
        end: End,
        signals: &JobSignals,
    ) -> Result<Ended, ExecutorError> {
        let mut pauses = Pauses::default();
        loop {
            match self.store_end(job.id, &end).await {
                Ok(()) => break,
                Err(EventError::Database(problem)) if problem.is_temporary() => {
                    if !pauses.wait(job.id, &problem, &signals.shutdown).await {
                        return Ok(Ended::Detached);
                    }
                }
                Err(problem) => {
                    return Err(ExecutorError(format!("The end of the job could not be stored: {problem}.")));
                }
            }
        }
        self.log_end(job.id, &end);
        self.remove(directory).await;
        Ok(Ended::Finished)
    }

    async fn store_end(&self, job: i64, end: &End) -> Result<(), EventError> {
        let mut writer = EventWriter::open(&self.database, job).await?;
        let mut tx = self.database.begin().await?;
        self.append_reason(&mut tx, &mut writer, end).await?;
        if end.write(&mut tx, job, (self.clock)()).await? {
            tx.commit().await?;
        }
        // Otherwise it had ended before, perhaps by an attempt whose answer was lost: the reason is not added again.
        self.jobs.wake();
        Ok(())
    }

    /// Adds the reason of an end to the output.
    pub(crate) async fn append_reason(
        &self,
        tx: &mut Transaction,
        writer: &mut EventWriter,
        end: &End,
    ) -> Result<(), EventError> {
        if end.explanation.is_empty() {
            return Ok(());
        }
        let text = format!("ERROR! {}", end.explanation);
        let position = writer.spool_position();
        let (event, _) = EventLog::after(writer).event("error", (self.clock)(), None, Some(&text), Map::new());
        writer.append(tx, &[event], position).await
    }

    pub(crate) fn log_end(&self, job: i64, end: &End) {
        let (status, reason) = (end.status.as_str(), &end.explanation);
        match end.status {
            Status::Error => tracing::warn!(job, status, reason, "the job has ended"),
            _ => tracing::info!(job, status, reason, "the job has ended"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_follows_from_the_final_record() {
        let record = |reason, exit| FinalRecord {
            reason,
            exit,
            message: "m".into(),
            started: None,
            finished: "2026-01-01T00:00:00Z".into(),
            elapsed: 0.0,
            events: 0,
            lines: 0,
            survivors: vec![],
        };
        for (reason, exit, status, explanation) in [
            (Reason::Exited, Some(Exit::Code(0)), Status::Successful, "m"),
            (Reason::Exited, Some(Exit::Code(2)), Status::Failed, "m"),
            (Reason::Exited, Some(Exit::Signal(9)), Status::Error, "m"),
            (Reason::Canceled, Some(Exit::Code(0)), Status::Canceled, ""),
            (Reason::TimedOut, None, Status::Failed, "Job terminated due to timeout"),
            (Reason::NotStarted, None, Status::Error, "m"),
            (Reason::DiskFull, Some(Exit::Signal(9)), Status::Error, "m"),
            (Reason::Terminated, None, Status::Error, "m"),
        ] {
            let end = End::of(&record(reason, exit));
            assert_eq!((end.status, end.explanation.as_str()), (status, explanation), "{reason:?} {exit:?}");
            assert!(end.time.is_some());
        }
    }
}
