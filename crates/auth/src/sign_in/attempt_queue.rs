//! Guesses at one username, user or network, checked one at a time once there were too many failures.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hostler_database::Error;
use hostler_engine::{Clock, Engine};
use hostler_identity::throttle::{DelayPolicy, FailureCount};
use jiff::Timestamp;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use super::failure_store;
use super::rate_limit::{AttemptRefused, LoginLimits};

/// How long an attempt waits for its turn.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// How many attempts wait in one queue.
const MAX_WAITING: u32 = 4;
/// The shortest `Retry-After`.
const MIN_RETRY_AFTER: Duration = Duration::from_secs(1);

/// Where the failures of a queue are counted.
#[derive(Clone, Copy)]
pub(super) enum Failures<'a> {
    /// In the queue, on this node.
    InMemory,
    /// In the database, under the digest of a username.
    Stored { engine: &'a Engine, limits: &'a LoginLimits, name_digest: &'a str },
}

/// Attempts that share a count of failures.
#[derive(Default)]
pub(super) struct AttemptQueue {
    /// The failures of [`Failures::InMemory`].
    count: Mutex<FailureCount>,
    in_progress: AtomicU32,
    waiting: AtomicU32,
    /// Serializes reading the count and deciding by it.
    admission: AsyncMutex<()>,
    turn: Arc<AsyncMutex<()>>,
}

/// The permission to check one attempt. Dropping it ends the attempt.
pub(super) struct QueueSlot {
    queue: Arc<AttemptQueue>,
    _turn: Option<OwnedMutexGuard<()>>,
}

/// Counts an attempt until it is dropped.
struct Counted<'a>(&'a AtomicU32);

impl<'a> Counted<'a> {
    fn new(counter: &'a AtomicU32) -> Self {
        counter.fetch_add(1, Ordering::AcqRel);
        Counted(counter)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl AttemptQueue {
    fn count(&self) -> MutexGuard<'_, FailureCount> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The failures so far.
    async fn load_count(&self, failures: Failures<'_>, now: Timestamp) -> Result<FailureCount, Error> {
        match failures {
            Failures::InMemory => Ok(*self.count()),
            Failures::Stored { engine, limits, name_digest } => {
                let stored = failure_store::load(engine, name_digest).await?;
                Ok(stored.map(|stored| stored.count(limits, now)).unwrap_or_default())
            }
        }
    }

    /// Waits for a slot.
    ///
    /// # Errors
    /// [`AttemptRefused::RetryAfter`] for an attempt that would wait too long, and errors of the database.
    pub(super) async fn enter(
        self: &Arc<Self>,
        policy: &DelayPolicy,
        clock: &dyn Clock,
        failures: Failures<'_>,
    ) -> Result<QueueSlot, AttemptRefused> {
        let (retry_after, _waiting) = {
            // Attempts that arrive at once see each other.
            let _admission = self.admission.lock().await;
            let now = clock.now();
            let count = self.load_count(failures, now).await?;
            if !policy.is_serial(count.recent(now), self.in_progress.load(Ordering::Acquire)) {
                return Ok(self.slot(None));
            }
            let waiting = self.waiting.load(Ordering::Acquire);
            let retry_after = policy.retry_after(&count, now) + policy.delay(count.recent(now)) * waiting;
            if waiting >= MAX_WAITING || retry_after > MAX_WAIT {
                return Err(AttemptRefused::RetryAfter(retry_after.max(MIN_RETRY_AFTER)));
            }
            (retry_after, Counted::new(&self.waiting))
        };
        let turn = async {
            let turn = Arc::clone(&self.turn).lock_owned().await;
            loop {
                let now = clock.now();
                let retry_after = policy.retry_after(&self.load_count(failures, now).await?, now);
                if retry_after.is_zero() {
                    return Ok::<_, Error>(turn);
                }
                tokio::time::sleep(retry_after).await;
            }
        };
        // Longer than foreseen: the attempts before this one may fail and make the delays longer.
        match tokio::time::timeout(MAX_WAIT + retry_after, turn).await {
            Ok(turn) => Ok(self.slot(Some(turn?))),
            Err(_) => {
                let now = clock.now();
                let retry_after = policy.retry_after(&self.load_count(failures, now).await?, now);
                Err(AttemptRefused::RetryAfter(retry_after.max(MIN_RETRY_AFTER)))
            }
        }
    }

    fn slot(self: &Arc<Self>, turn: Option<OwnedMutexGuard<()>>) -> QueueSlot {
        self.in_progress.fetch_add(1, Ordering::AcqRel);
        QueueSlot { queue: Arc::clone(self), _turn: turn }
    }
}

impl QueueSlot {
    /// Counts a failure in memory.
    pub(super) fn fail(&self, now: Timestamp) {
        self.queue.count().add(now);
    }

    /// Resets the failures in memory, and returns their number.
    pub(super) fn reset(&self, now: Timestamp) -> u32 {
        std::mem::take(&mut *self.queue.count()).recent(now)
    }
}

impl Drop for QueueSlot {
    fn drop(&mut self) {
        self.queue.in_progress.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use hostler_engine::SystemClock;

    use super::*;

    const POLICY: DelayPolicy = DelayPolicy { free_failures: 3, max_delay: Duration::from_secs(60) };

    async fn enter(queue: &Arc<AttemptQueue>) -> Result<QueueSlot, Duration> {
        queue.enter(&POLICY, &SystemClock, Failures::InMemory).await.map_err(|refused| match refused {
            AttemptRefused::RetryAfter(duration) => duration,
            AttemptRefused::Database(_) => Duration::MAX,
        })
    }

    fn with_failures(failures: u32) -> Arc<AttemptQueue> {
        let queue = AttemptQueue::default();
        // Long enough ago that no delay is left.
        let last_failure = SystemClock.now().checked_sub(jiff::SignedDuration::from_secs(120)).ok();
        *queue.count() = FailureCount { failures, last_failure };
        Arc::new(queue)
    }

    #[tokio::test]
    async fn concurrent_attempts_count_as_failures() {
        let queue = Arc::new(AttemptQueue::default());
        let mut slots = vec![];
        for _ in 0..3 {
            slots.push(enter(&queue).await.ok());
        }
        assert!(slots.iter().all(|slot| slot.as_ref().is_some_and(|slot| slot._turn.is_none())));
        let fourth = enter(&queue).await.ok();
        assert!(fourth.is_some_and(|slot| slot._turn.is_some()));
    }

    #[tokio::test]
    async fn excess_attempts_are_rejected() {
        let queue = with_failures(3);
        let first = enter(&queue).await.ok();
        let waiting: Vec<_> = (0..MAX_WAITING)
            .map(|_| {
                let queue = Arc::clone(&queue);
                tokio::spawn(async move { enter(&queue).await.is_ok() })
            })
            .collect();
        while queue.waiting.load(Ordering::Acquire) < MAX_WAITING {
            tokio::task::yield_now().await;
        }
        assert!(enter(&queue).await.is_err());
        drop(first);
        for waiting in waiting {
            assert!(waiting.await.is_ok_and(|entered| entered));
        }
        assert_eq!(queue.in_progress.load(Ordering::Acquire), 0);
    }

    #[tokio::test]
    async fn attempt_does_not_wait_for_long_delay() {
        let queue = with_failures(80);
        let slot = enter(&queue).await.ok();
        if let Some(slot) = &slot {
            slot.fail(SystemClock.now());
        }
        drop(slot);
        let refused = enter(&queue).await.err();
        assert!(refused.is_some_and(|retry_after| retry_after > MAX_WAIT), "{refused:?}");
        *queue.count() = FailureCount::default();
        assert!(enter(&queue).await.is_ok());
    }
}
