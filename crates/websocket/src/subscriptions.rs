//! The groups of one socket, and its positions in what it follows.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::Notify;

use crate::hub::{Hub, SocketId};
use crate::protocol::{self, Wanted};
use crate::{EventKind, Feed, Group, Reader, Subject, Text, Unavailable};

/// The groups of a socket.
pub(crate) struct Subscriptions {
    hub: Arc<Hub>,
    socket: SocketId,
    user: i64,
    /// Wakes the socket.
    pub notify: Arc<Notify>,
    groups: HashSet<Group>,
    feeds: HashMap<(EventKind, i64), Followed>,
    /// The position of the next message that is no event; none without groups of such.
    pub position: Option<u64>,
}

/// A job whose events the socket gets.
pub(crate) struct Followed {
    pub feed: Arc<Feed>,
    /// The counter of the last event that was sent.
    pub counter: i64,
}

/// The database does not answer.
const TRY_AGAIN: &str = "the groups cannot be read now: try again";

impl Subscriptions {
    pub fn new(hub: Arc<Hub>, socket: SocketId, user: i64) -> Self {
        let (groups, feeds) = (HashSet::new(), HashMap::new());
        Subscriptions { hub, socket, user, notify: Arc::default(), groups, feeds, position: None }
    }

    pub fn contains(&self, group: &Group) -> bool {
        self.groups.contains(group)
    }

    pub fn feeds(&mut self) -> impl Iterator<Item = &mut Followed> {
        self.feeds.values_mut()
    }

    /// Changes the groups to those that are wanted, as far as the user may see them. Returns the answers.
    pub async fn change(&mut self, wanted: Wanted, reader: &dyn Reader) -> Vec<Text> {
        match self.try_change(wanted, reader).await {
            Ok(answers) => answers,
            Err(Unavailable) => vec![protocol::error(TRY_AGAIN)],
        }
    }

    async fn try_change(&mut self, wanted: Wanted, reader: &dyn Reader) -> Result<Vec<Text>, Unavailable> {
        let visible = visible(wanted.groups.iter(), reader).await?;
        let mut answers: Vec<Text> = wanted.refusals.iter().map(|refusal| protocol::error(refusal)).collect();
        let mut current = vec![];
        for group in wanted.groups {
            match self.may_join(&group, reader, &visible) {
                true => current.push(group),
                false => answers.push(protocol::error(&group.refusal())),
            }
        }
        // All positions first: if the database does not answer, nothing is changed.
        let mut feeds = HashMap::new();
        for group in &current {
            let Group::Events(kind, job) = *group else { continue };
            let feed = self.hub.feed(kind, job);
            let last = match feed.last() {
                Some(last) => last,
                None => feed.begin_after(self.hub.store.last_counter(job).await?),
            };
            let before = self.feeds.get(&(kind, job)).map(|followed| followed.counter);
            let counter = wanted.resume.get(&job).copied().or(before).unwrap_or(last);
            feeds.insert((kind, job), Followed { feed, counter });
        }
        let has_notices = current.iter().any(|group| !matches!(group, Group::Events(..)));
        if has_notices && self.position.is_none() {
            if !self.hub.catch_up().await {
                return Err(Unavailable);
            }
            self.position = Some(self.hub.notices.add_follower(self.socket, Arc::clone(&self.notify)));
        }
        if !has_notices {
            self.hub.notices.remove_follower(self.socket);
            self.position = None;
        }
        for (key, followed) in &feeds {
            if !self.feeds.contains_key(key) {
                followed.feed.add_follower(self.socket, Arc::clone(&self.notify));
            }
        }
        for (key, followed) in &self.feeds {
            if !feeds.contains_key(key) {
                followed.feed.remove_follower(self.socket);
            }
        }
        self.feeds = feeds;
        let before = std::mem::replace(&mut self.groups, current.iter().cloned().collect());
        let left: Vec<&Group> = before.iter().filter(|group| !self.groups.contains(*group)).collect();
        let joined: Vec<&Group> = current.iter().filter(|group| !before.contains(*group)).collect();
        answers.push(protocol::subscribed(&current.iter().collect::<Vec<_>>(), &left, &joined));
        Ok(answers)
    }

    fn may_join(&self, group: &Group, reader: &dyn Reader, visible: &HashSet<Subject>) -> bool {
        match group {
            Group::Control(user) => *user == self.user || reader.sees_all(),
            group => group.subject().is_none_or(|subject| visible.contains(&subject)),
        }
    }

    /// Leaves the groups that the user may not see any more. Returns what is said about them. If the database does not
    /// answer, nothing new can be sent either.
    pub async fn check(&mut self, reader: &dyn Reader) -> Vec<Text> {
        let Ok(visible) = visible(self.groups.iter(), reader).await else { return vec![] };
        let lost: Vec<Group> =
            self.groups.iter().filter(|group| !self.may_join(group, reader, &visible)).cloned().collect();
        for group in &lost {
            self.groups.remove(group);
            if let Group::Events(kind, job) = *group
                && let Some(followed) = self.feeds.remove(&(kind, job))
            {
                followed.feed.remove_follower(self.socket);
            }
        }
        lost.iter().map(|group| protocol::error(&group.refusal())).collect()
    }
}

/// Those of the objects of these groups that the user may see.
async fn visible<'g>(
    groups: impl Iterator<Item = &'g Group>,
    reader: &dyn Reader,
) -> Result<HashSet<Subject>, Unavailable> {
    let subjects: Vec<Subject> = groups.filter_map(Group::subject).collect();
    if subjects.is_empty() { Ok(HashSet::new()) } else { reader.visible(&subjects).await }
}

impl Drop for Subscriptions {
    fn drop(&mut self) {
        self.hub.notices.remove_follower(self.socket);
        self.feeds.values().for_each(|followed| followed.feed.remove_follower(self.socket));
    }
}
