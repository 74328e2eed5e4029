//! Waiting for one's turn to guess.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hostler_identity::throttle::{Lane, Limits};
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

/// The longest that an attempt waits for its turn. Who would wait longer is sent away.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many wait in one lane.
const LONGEST_QUEUE: u32 = 4;
/// What is told to those who are sent away, at least.
const COME_BACK: Duration = Duration::from_secs(1);

/// A lane and those who are in it.
#[derive(Default)]
pub(super) struct Queue {
    lane: Mutex<Lane>,
    /// Attempts that are being checked.
    under_way: AtomicU32,
    waiting: AtomicU32,
    turn: Arc<Turn<()>>,
}

/// The right to check one attempt.
pub(super) struct Entry {
    queue: Arc<Queue>,
    _turn: Option<OwnedMutexGuard<()>>,
}

/// Counts somebody for as long as they are there, also if they go away.
struct Counted<'a>(&'a AtomicU32);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicU32) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Counted(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Queue {
    fn lane(&self) -> MutexGuard<'_, Lane> {
        self.lane.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over wrong guesses that others know of, if they are more.
    pub(super) fn learn(&self, failures: u32) {
        self.lane().learn(Instant::now(), failures);
    }

    pub(super) fn clear(&self) {
        self.lane().clear();
    }

    /// Waits for one's turn.
    ///
    /// # Errors
    /// After what time to come back, for one who would have to wait too long.
    pub(super) async fn enter(self: &Arc<Self>, limits: &Limits) -> Result<Entry, Duration> {
        let closed = {
            let (lane, now) = (self.lane(), Instant::now());
            let under_way = self.under_way.load(Ordering::Acquire);
            if !limits.is_strict(lane.failures(now), under_way) {
                // Counted while the lane is held, so that those who come at once see each other.
                self.under_way.fetch_add(1, Ordering::AcqRel);
                return Ok(Entry { queue: Arc::clone(self), _turn: None });
            }
            let waiting = self.waiting.load(Ordering::Acquire);
            let closed = lane.closed_for(now) + limits.pause(lane.failures(now)) * waiting;
            if waiting >= LONGEST_QUEUE || closed > PATIENCE {
                return Err(closed.max(COME_BACK));
            }
            closed
        };
        let _waiting = Counted::new(&self.waiting);
        let turn = Arc::clone(&self.turn);
        // Twice the time foreseen: those before may fail as well, which makes the pauses longer.
        let entered = tokio::time::timeout(PATIENCE + closed, async {
            let turn = turn.lock_owned().await;
            loop {
                let closed = self.lane().closed_for(Instant::now());
                if closed.is_zero() {
                    return turn;
                }
                tokio::time::sleep(closed).await;
            }
        });
        match entered.await {
            Ok(turn) => {
                self.under_way.fetch_add(1, Ordering::AcqRel);
                Ok(Entry { queue: Arc::clone(self), _turn: Some(turn) })
            }
            Err(_) => Err(self.lane().closed_for(Instant::now()).max(COME_BACK)),
        }
    }
}

impl Entry {
    /// The attempt was wrong.
    pub(super) fn fail(&self, limits: &Limits) {
        self.queue.lane().fail(Instant::now(), limits);
    }

    /// Forgets what was wrong in this lane, and tells how much it was.
    pub(super) fn clear(&self) -> u32 {
        let mut lane = self.queue.lane();
        let failures = lane.failures(Instant::now());
        lane.clear();
        failures
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.queue.under_way.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { free: 3, longest_pause: Duration::from_secs(60) };

    #[tokio::test]
    async fn guesses_at_once_are_no_more_than_guesses_one_by_one() {
        let queue = Arc::new(Queue::default());
        let mut entries = vec![];
        for _ in 0..3 {
            entries.push(queue.enter(&LIMITS).await.ok());
        }
        assert!(entries.iter().all(|entry| entry.as_ref().is_some_and(|entry| entry._turn.is_none())));
        let fourth = queue.enter(&LIMITS).await.ok();
        assert!(fourth.is_some_and(|entry| entry._turn.is_some()));
    }

    #[tokio::test]
    async fn few_wait_and_the_others_are_sent_away() {
        let queue = Arc::new(Queue::default());
        queue.learn(3);
        let first = queue.enter(&LIMITS).await.ok();
        let waiting: Vec<_> = (0..LONGEST_QUEUE)
            .map(|_| {
                let queue = Arc::clone(&queue);
                tokio::spawn(async move { queue.enter(&LIMITS).await.is_ok() })
            })
            .collect();
        while queue.waiting.load(Ordering::Acquire) < LONGEST_QUEUE {
            tokio::task::yield_now().await;
        }
        assert!(queue.enter(&LIMITS).await.is_err());
        drop(first);
        for waiting in waiting {
            assert!(waiting.await.is_ok_and(|entered| entered));
        }
        assert_eq!(queue.under_way.load(Ordering::Acquire), 0);
    }

    #[tokio::test]
    async fn a_long_pause_is_not_waited_for() {
        let queue = Arc::new(Queue::default());
        queue.learn(80);
        let entry = queue.enter(&LIMITS).await.ok();
        if let Some(entry) = &entry {
            entry.fail(&LIMITS);
        }
        drop(entry);
        let refused = queue.enter(&LIMITS).await.err();
        assert!(refused.is_some_and(|pause| pause > PATIENCE), "{refused:?}");
        queue.clear();
        assert!(queue.enter(&LIMITS).await.is_ok());
    }
}
