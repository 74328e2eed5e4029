//! The messages that are no events, in one buffer that all sockets read.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::hub::SocketId;
use crate::{Group, Subject, Text};

/// A message to a group.
#[derive(Debug)]
pub struct Notice {
    /// The group.
    pub group: Group,
    /// Only those who see it get the message; everybody in the group if it is none.
    pub subject: Option<Subject>,
    /// The message.
    pub text: Text,
}

/// The latest messages.
pub(crate) struct Notices {
    most: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The number of messages that were ever dropped, which is the position of the first one here.
    first: u64,
    notices: VecDeque<Arc<Notice>>,
    followers: HashMap<SocketId, Arc<Notify>>,
}

impl State {
    fn end(&self) -> u64 {
        self.first + self.notices.len() as u64
    }
}

impl Notices {
    pub(crate) fn new(most: usize) -> Self {
        Notices { most, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is locked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, notices: Vec<Notice>) {
        if notices.is_empty() {
            return;
        }
        let mut state = self.state();
        // Nobody would read them.
        if state.followers.is_empty() {
            state.first = state.end();
            state.notices = VecDeque::new();
            return;
        }
        state.notices.extend(notices.into_iter().map(Arc::new));
        let more = state.notices.len().saturating_sub(self.most);
        state.notices.drain(..more);
        state.first += more as u64;
        state.followers.values().for_each(|follower| follower.notify_one());
    }

    /// At most so many messages from this position on; none if they are not in the buffer any more.
    pub(crate) fn from(&self, position: u64, most: usize) -> Option<Vec<Arc<Notice>>> {
        let state = self.state();
        let skipped = position.checked_sub(state.first)?;
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        Some(state.notices.iter().skip(skipped).take(most).map(Arc::clone).collect())
    }

    /// Adds a socket, and returns the position of the next message.
    pub(crate) fn add_follower(&self, socket: SocketId, notify: Arc<Notify>) -> u64 {
        let mut state = self.state();
        state.followers.insert(socket, notify);
        state.end()
    }

    pub(crate) fn remove_follower(&self, socket: SocketId) {
        self.state().followers.remove(&socket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notices(count: u64) -> Vec<Notice> {
        let notice = |_| Notice { group: Group::Control(1), subject: None, text: Text::new() };
        (0..count).map(notice).collect()
    }

    #[test]
    fn buffer_is_bounded_and_only_filled_for_followers() {
        let buffer = Notices::new(3);
        buffer.push(notices(2));
        let start = buffer.add_follower(1, Arc::default());
        assert_eq!(buffer.from(start, 9).map(|found| found.len()), Some(0));
        buffer.push(notices(3));
        assert_eq!(buffer.from(start, 2).map(|found| found.len()), Some(2));
        assert_eq!(buffer.from(start + 3, 2).map(|found| found.len()), Some(0));
        buffer.push(notices(1));
        assert!(buffer.from(start, 9).is_none());
        assert_eq!(buffer.from(start + 1, 9).map(|found| found.len()), Some(3));
        buffer.remove_follower(1);
        buffer.push(notices(1));
        assert_eq!(buffer.add_follower(2, Arc::default()), start + 4);
    }
}
