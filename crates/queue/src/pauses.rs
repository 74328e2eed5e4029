//! Waiting for a database that does not answer.

use std::time::Duration;

use hostler_database::Error;
use tokio_util::sync::CancellationToken;

const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The pauses between the attempts of an executor, each longer than the one before.
#[derive(Debug)]
pub struct Pauses {
    next: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Pauses { next: SHORTEST_PAUSE }
    }
}

impl Pauses {
    /// Waits until the next attempt. False if the server stops. The first failure of a job is logged.
    pub async fn wait(&mut self, job: i64, problem: &Error, shutdown: &CancellationToken) -> bool {
        if self.next == SHORTEST_PAUSE {
            tracing::warn!(job, %problem, "the database does not answer: what it needs to know of the job is written later");
        }
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST_PAUSE);
        tokio::select! {
            () = tokio::time::sleep(pause) => true,
            () = shutdown.cancelled() => false,
        }
    }
}
