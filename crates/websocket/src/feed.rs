//! The events of one job, which all sockets that follow it share.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::hub::SocketId;
use crate::{EventKind, Text};

/// A serialized event.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its counter.
    pub counter: i64,
    /// The message.
    pub text: Text,
}

/// How much the buffers may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BufferLimits {
    /// The bytes of one feed.
    pub of_feed: usize,
    /// The bytes of all feeds together: above it, a feed keeps only its newest events.
    pub of_all: usize,
    /// How long events are kept. A socket that is further behind reads them from the store.
    pub time: Duration,
}

/// The latest events of a job. They are put in by one task, in their order.
pub struct Feed {
    /// The type of the job.
    pub kind: EventKind,
    /// The job.
    pub job: i64,
    limits: BufferLimits,
    /// The bytes in all feeds.
    total: Arc<AtomicUsize>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Without gaps.
    events: VecDeque<(Instant, Event)>,
    bytes: usize,
    /// The counter of the last event that was put in, or of the last one before the feed began; none before that is known.
    last: Option<i64>,
    is_complete: bool,
    followers: HashMap<SocketId, Arc<Notify>>,
}

/// What follows an event.
pub(crate) enum Next {
    Events(Vec<Event>),
    /// They are not in the buffer any more.
    InStore,
}

impl Feed {
    pub(crate) fn new(kind: EventKind, job: i64, limits: BufferLimits, total: Arc<AtomicUsize>) -> Self {
        Feed { kind, job, limits, total, state: Mutex::default() }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // Nothing panics while it is locked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The counter after which the next events are wanted; none if it is not known yet, or the job has no more events.
    pub fn wanted_after(&self) -> Option<i64> {
        let state = self.state();
        state.last.filter(|_| !state.is_complete)
    }

    /// The counter of the last event.
    pub(crate) fn last(&self) -> Option<i64> {
        self.state().last
    }

    /// Begins after this event, unless it has begun already. Returns the counter of the last event.
    pub(crate) fn begin_after(&self, counter: i64) -> i64 {
        *self.state().last.get_or_insert(counter)
    }

    /// Adds events that follow the last one. Others are left out.
    pub fn push(&self, events: Vec<Event>) {
        let now = Instant::now();
        let mut state = self.state();
        for event in events {
            if state.last.is_none_or(|last| event.counter <= last) {
                continue;
            }
            state.last = Some(event.counter);
            state.bytes += event.text.len();
            self.total.fetch_add(event.text.len(), Ordering::Relaxed);
            state.events.push_back((now, event));
        }
        let most = match self.total.load(Ordering::Relaxed) > self.limits.of_all {
            true => 0,
            false => self.limits.of_feed,
        };
        // What came now is kept in any case, if the whole fits.
        self.trim(&mut state, |state, stored| {
            state.bytes > most && (*stored < now || state.bytes > self.limits.of_feed)
        });
        state.followers.values().for_each(|follower| follower.notify_one());
    }

    /// The job has no more events.
    pub fn complete(&self) {
        self.state().is_complete = true;
    }

    /// Drops events that were put in long ago.
    pub fn drop_old(&self) {
        let time = self.limits.time;
        let mut state = self.state();
        self.trim(&mut state, |_, stored| stored.elapsed() >= time);
    }

    fn trim(&self, state: &mut State, is_dropped: impl Fn(&State, &Instant) -> bool) {
        while let Some((stored, event)) = state.events.front() {
            if !is_dropped(state, stored) {
                break;
            }
            let length = event.text.len();
            state.events.pop_front();
            state.bytes -= length;
            self.total.fetch_sub(length, Ordering::Relaxed);
        }
        if state.events.is_empty() {
            state.events.shrink_to_fit();
        }
    }

    /// At most so many events after the one with this counter.
    pub(crate) fn after(&self, counter: i64, most: usize) -> Next {
        let state = self.state();
        if state.last.is_none_or(|last| last <= counter) {
            return Next::Events(vec![]);
        }
        let Some((_, first)) = state.events.front() else { return Next::InStore };
        if first.counter > counter + 1 {
            return Next::InStore;
        }
        // The counters have no gap, so the position follows from the first one.
        let skipped = usize::try_from(counter + 1 - first.counter).unwrap_or(usize::MAX);
        Next::Events(state.events.iter().skip(skipped).take(most).map(|(_, event)| event.clone()).collect())
    }

    pub(crate) fn add_follower(&self, socket: SocketId, notify: Arc<Notify>) {
        self.state().followers.insert(socket, notify);
    }

    pub(crate) fn remove_follower(&self, socket: SocketId) {
        self.state().followers.remove(&socket);
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let bytes = self.state().bytes;
        self.total.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(of_feed: usize, of_all: usize) -> Feed {
        let limits = BufferLimits { of_feed, of_all, time: Duration::ZERO };
        Feed::new(EventKind::Job, 5, limits, Arc::default())
    }

    fn events(counters: std::ops::RangeInclusive<i64>) -> Vec<Event> {
        counters.map(|counter| Event { counter, text: Text::from_static(b"0123456789") }).collect()
    }

    fn counters(next: Next) -> Option<Vec<i64>> {
        match next {
            Next::Events(events) => Some(events.into_iter().map(|event| event.counter).collect()),
            Next::InStore => None,
        }
    }

    #[test]
    fn followers_read_from_their_positions() {
        let feed = feed(1000, 1000);
        assert_eq!(feed.wanted_after(), None);
        assert_eq!(feed.begin_after(3), 3);
        assert_eq!(feed.begin_after(5), 3);
        feed.push(events(4..=8));
        feed.push(events(6..=9));
        assert_eq!(feed.wanted_after(), Some(9));
        assert_eq!(counters(feed.after(3, 2)), Some(vec![4, 5]));
        assert_eq!(counters(feed.after(7, 9)), Some(vec![8, 9]));
        assert_eq!(counters(feed.after(9, 9)), Some(vec![]));
        assert_eq!(counters(feed.after(20, 9)), Some(vec![]));
        assert_eq!(counters(feed.after(2, 9)), None);
        feed.complete();
        assert_eq!((feed.wanted_after(), feed.last()), (None, Some(9)));
    }

    #[test]
    fn buffer_is_bounded() {
        let feed = feed(50, 1000);
        feed.begin_after(0);
        feed.push(events(1..=20));
        assert_eq!(counters(feed.after(15, 99)), Some(vec![16, 17, 18, 19, 20]));
        assert_eq!(counters(feed.after(14, 99)), None);
        feed.drop_old();
        assert_eq!(counters(feed.after(19, 99)), None);
        assert_eq!(counters(feed.after(20, 99)), Some(vec![]));
        assert_eq!(feed.total.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn all_buffers_together_are_bounded() {
        let total = Arc::new(AtomicUsize::new(0));
        let limits = BufferLimits { of_feed: 100, of_all: 100, time: Duration::from_secs(60) };
        let feeds: Vec<Feed> = (0..10).map(|job| Feed::new(EventKind::Job, job, limits, Arc::clone(&total))).collect();
        for feed in &feeds {
            feed.begin_after(0);
        }
        for first in [1, 6, 11, 16] {
            feeds.iter().for_each(|feed| feed.push(events(first..=first + 4)));
        }
        assert!(feeds.iter().all(|feed| counters(feed.after(15, 99)) == Some(vec![16, 17, 18, 19, 20])));
        // No feed keeps more than what came last.
        assert!(total.load(Ordering::Relaxed) <= 10 * 50 + 100);
        drop(feeds);
        assert_eq!(total.load(Ordering::Relaxed), 0);
    }
}
