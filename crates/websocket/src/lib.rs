//! WebSockets of clients that follow jobs, with AWX's protocol (`docs/websocket.md`).
//!
//! A client subscribes to groups. The events of a job are loaded and serialized once, by the owner of the [`Hub`], and are in
//! the buffer of their [`Feed`], which all sockets share; other messages are in one [`notices`] buffer. A socket has no
//! buffer of its own, only its position in these: the task that fills them never waits for a client. A client that is slower than
//! the buffer of a job gets the missing events from the [`Store`]; one that does not read at all is disconnected.
//!
//! This crate knows no database, no API and no HTTP: [`Store`] and [`Reader`] are what it asks.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod feed;
mod group;
mod hub;
mod notices;
mod protocol;
mod socket;
mod subscriptions;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use async_trait::async_trait;
use bytes::Bytes;

pub use feed::{Event, Feed};
pub use group::{EventKind, Group, Subject};
pub use hub::{Hub, Limits, SocketPermit, TooMany};
pub use notices::Notice;
pub use socket::{Client, serve};
pub use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The database does not answer.
#[derive(Debug)]
pub struct Unavailable;

/// The stored events.
#[async_trait]
pub trait Store: Send + Sync {
    /// The counter of the last stored event of a job, 0 before the first.
    async fn last_counter(&self, job: i64) -> Result<i64, Unavailable>;

    /// Some events that follow the one with this counter, in their order; none if it is the last one.
    async fn events_after(&self, kind: EventKind, job: i64, counter: i64) -> Result<Vec<Event>, Unavailable>;
}

/// The user of a socket.
#[async_trait]
pub trait Reader: Send + Sync {
    /// Whether the user may see all objects.
    fn sees_all(&self) -> bool;

    /// Those of these objects that exist and that the user may see.
    async fn visible(&self, subjects: &[Subject]) -> Result<HashSet<Subject>, Unavailable>;
}

/// A serialized message, which all sockets share.
pub type Text = Bytes;
