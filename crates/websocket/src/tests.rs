//! Sockets with clients in the same process.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value as Json, json};
use tokio::io::{DuplexStream, duplex};
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::{Client, Event, EventKind, Group, Hub, Limits, Notice, Reader, Store, Subject, Unavailable, serve};

/// A job with events 1 to 500.
const LONG: i64 = 5;
/// The most events that the store returns at once.
const PAGE: i64 = 7;

/// Each job has stored events up to this counter.
struct Stored(i64);

fn event(counter: i64) -> Event {
    Event { counter, text: json!({"counter": counter}).to_string().into() }
}

#[async_trait]
impl Store for Stored {
    async fn last_counter(&self, _: i64) -> Result<i64, Unavailable> {
        Ok(self.0)
    }

    async fn events_after(&self, _: EventKind, _: i64, counter: i64) -> Result<Vec<Event>, Unavailable> {
        Ok((counter + 1..=self.0.min(counter + PAGE)).map(event).collect())
    }
}

/// Sees the objects with these ids.
#[derive(Default)]
struct User {
    ids: Mutex<HashSet<i64>>,
    is_unavailable: AtomicBool,
}

#[async_trait]
impl Reader for User {
    fn sees_all(&self) -> bool {
        false
    }

    async fn visible(&self, subjects: &[Subject]) -> Result<HashSet<Subject>, Unavailable> {
        if self.is_unavailable.load(Ordering::Relaxed) {
            return Err(Unavailable);
        }
        let ids = self.ids.lock().unwrap();
        let is_visible = |subject: &Subject| match subject {
            Subject::Job(_, id) | Subject::UnifiedJob(id) | Subject::WorkflowJob(id) => ids.contains(id),
        };
        Ok(subjects.iter().copied().filter(is_visible).collect())
    }
}

struct Test {
    hub: Arc<Hub>,
    user: Arc<User>,
    reader: watch::Sender<Option<Arc<dyn Reader>>>,
}

impl Test {
    fn new(limits: Limits, stored: i64) -> Self {
        let hub = Hub::new(Arc::new(Stored(stored)), limits);
        // The poller, which has nothing to read.
        let poller = Arc::clone(&hub);
        tokio::spawn(async move {
            loop {
                poller.round_wanted().await;
                poller.round_done();
            }
        });
        let user = Arc::new(User { ids: Mutex::new([LONG, 6].into()), ..User::default() });
        let reader = watch::Sender::new(Some(Arc::clone(&user) as Arc<dyn Reader>));
        Test { hub, user, reader }
    }

    /// A client that has read the first message.
    async fn open(&self) -> Peer {
        self.open_with(64 << 10).await
    }

    async fn open_with(&self, buffer: usize) -> Peer {
        let (server, client) = duplex(buffer);
        let permit = self.hub.open(1, 2000).unwrap();
        let client_of = Client { permit, csrf_cookie: Some("token".into()), reader: self.reader.subscribe() };
        self.hub.spawn(serve(Arc::clone(&self.hub), server, client_of));
        let mut peer = Peer(WebSocketStream::from_raw_socket(client, Role::Client, None).await);
        assert_eq!(peer.read().await, json!({"accept": true, "user": 1}));
        peer
    }
}

struct Peer(WebSocketStream<DuplexStream>);

impl Peer {
    async fn send(&mut self, message: Json) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    async fn message(&mut self) -> Message {
        loop {
            let next = tokio::time::timeout(Duration::from_secs(20), self.0.next()).await;
            match next.expect("a message").expect("an open connection").expect("no error") {
                Message::Ping(_) | Message::Pong(_) => {}
                message => return message,
            }
        }
    }

    async fn read(&mut self) -> Json {
        match self.message().await {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    async fn subscribe(&mut self, groups: Json, resume: Json) -> Json {
        self.send(json!({"groups": groups, "resume": resume, "xrftoken": "token"})).await;
        self.read().await
    }

    /// The code of the end.
    async fn closed(&mut self) -> u16 {
        loop {
            if let Message::Close(frame) = self.message().await {
                return frame.expect("a code").code.into();
            }
        }
    }

    async fn counters(&mut self, count: usize) -> Vec<i64> {
        let mut counters = vec![];
        while counters.len() < count {
            counters.extend(self.read().await["counter"].as_i64());
        }
        counters
    }
}

fn limits() -> Limits {
    Limits { ping: Duration::from_millis(50), ..Limits::default() }
}

#[tokio::test]
async fn events_come_in_order_to_all() {
    let test = Test::new(limits(), 3);
    let (mut one, mut other) = (test.open().await, test.open().await);
    for peer in [&mut one, &mut other] {
        let answer = peer.subscribe(json!({"job_events": [LONG, 7]}), json!({})).await;
        assert_eq!(answer, json!({"error": "access denied to channel job_events for resource id 7"}));
        let names = json!(["job_events-5"]);
        assert_eq!(peer.read().await, json!({"groups_current": names, "groups_left": [], "groups_joined": names}));
    }
    let feed = test.hub.followed().pop().expect("a feed");
    assert_eq!(feed.wanted_after(), Some(3));
    for first in (4..500).step_by(10) {
        feed.push((first..first + 10).map(event).collect());
    }
    let expected: Vec<i64> = (4..504).collect();
    for peer in [&mut one, &mut other] {
        assert_eq!(peer.counters(500).await, expected);
    }
    drop(feed);
    assert!(one.subscribe(json!({}), json!({})).await["groups_left"] == json!(["job_events-5"]));
    drop(other);
    while !test.hub.followed().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn client_resumes_after_an_event() {
    let test = Test::new(limits(), 100);
    let mut peer = test.open().await;
    peer.subscribe(json!({"job_events": ["5"]}), json!({"5": 90})).await;
    assert_eq!(peer.counters(10).await, (91..=100).collect::<Vec<_>>());
    let feed = test.hub.followed().pop().expect("a feed");
    feed.push(vec![event(101)]);
    assert_eq!(peer.counters(1).await, [101]);
    // A changed subscription does not repeat events.
    let answer = peer.subscribe(json!({"job_events": [5, 6]}), json!({})).await;
    assert_eq!(answer["groups_joined"], json!(["job_events-6"]));
    feed.push(vec![event(102)]);
    assert_eq!(peer.counters(1).await, [102]);
}

#[tokio::test]
async fn long_messages_arrive_whole() {
    let test = Test::new(limits(), 0);
    let mut peer = test.open().await;
    peer.subscribe(json!({"job_events": [5]}), json!({})).await;
    let text = "\u{e9}".repeat(100_000);
    let event = Event { counter: 1, text: json!({"counter": 1, "stdout": text}).to_string().into() };
    test.hub.followed().pop().expect("a feed").push(vec![event]);
    assert_eq!(peer.read().await["stdout"], text);
}

#[tokio::test]
async fn client_that_does_not_read_is_closed_and_delays_nobody() {
    let write = Duration::from_millis(200);
    let test = Test::new(Limits { write, buffer: 10_000, ..limits() }, 0);
    let (mut slow, mut fast) = (test.open_with(1000).await, test.open().await);
    for peer in [&mut slow, &mut fast] {
        peer.subscribe(json!({"job_events": [5]}), json!({})).await;
    }
    let feed = test.hub.followed().pop().expect("a feed");
    for counter in 1..=100 {
        feed.push(vec![Event { counter, text: json!({"counter": counter, "x": "x".repeat(90)}).to_string().into() }]);
        assert_eq!(fast.counters(1).await, [counter]);
    }
    while test.hub.sockets() > 1 {
        fast.0.send(Message::Ping(Default::default())).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn client_far_behind_reads_from_the_store() {
    let test = Test::new(Limits { buffer: 50, ..limits() }, 200);
    let mut peer = test.open().await;
    peer.subscribe(json!({"job_events": [5]}), json!({"5": 0})).await;
    assert_eq!(peer.counters(200).await, (1..=200).collect::<Vec<_>>());
}

#[tokio::test]
async fn broken_messages_are_answered() {
    let test = Test::new(limits(), 0);
    let mut peer = test.open().await;
    for text in ["", "{", "[]", "nul", "{\"groups\": {\"job_events\": [\"x\"]}, \"xrftoken\": \"wrong\"}"] {
        peer.0.send(Message::text(text)).await.unwrap();
        assert!(peer.read().await["error"].is_string(), "{text}");
    }
    peer.0.send(Message::binary(vec![1, 2])).await.unwrap();
    assert_eq!(peer.read().await["error"], "the message is binary, not text");
    peer.send(json!({"xrftoken": "token"})).await;
    assert_eq!(peer.subscribe(json!({}), json!({})).await["groups_current"], json!([]));
    peer.0.send(Message::text("x".repeat(70_000))).await.unwrap();
    assert_eq!(peer.closed().await, 1009);
}

#[tokio::test]
async fn messages_go_to_those_who_see_their_object() {
    let test = Test::new(limits(), 0);
    let mut peer = test.open().await;
    let groups = json!({"jobs": ["status_changed"], "control": ["limit_reached_1", "limit_reached_2"]});
    let answer = peer.subscribe(groups, json!({})).await;
    assert_eq!(answer["error"], "access denied to channel control for resource id limit_reached_2");
    assert_eq!(peer.read().await["groups_current"], json!(["jobs-status_changed", "control-limit_reached_1"]));
    let notice = |group: Group, subject: Option<i64>, number: i64| {
        let text = json!({"counter": number}).to_string().into();
        Notice { group, subject: subject.map(Subject::UnifiedJob), text }
    };
    let jobs = || Group::Named("jobs-status_changed".into());
    test.hub.push(vec![
        notice(jobs(), Some(LONG), 1),
        notice(jobs(), Some(99), 2),
        notice(Group::Named("jobs-summary".into()), Some(LONG), 3),
        notice(Group::Control(1), None, 4),
        notice(Group::Control(2), None, 5),
    ]);
    assert_eq!(peer.counters(2).await, [1, 4]);
    // While the database does not answer, messages wait.
    test.user.is_unavailable.store(true, Ordering::Relaxed);
    test.hub.push(vec![notice(jobs(), Some(LONG), 6)]);
    tokio::time::sleep(Duration::from_millis(20)).await;
    test.user.is_unavailable.store(false, Ordering::Relaxed);
    assert_eq!(peer.counters(1).await, [6]);
}

#[tokio::test]
async fn lost_right_ends_the_subscription() {
    let test = Test::new(limits(), 0);
    let mut peer = test.open().await;
    peer.subscribe(json!({"job_events": [5, 6]}), json!({})).await;
    test.user.ids.lock().unwrap().remove(&6);
    assert_eq!(peer.read().await["error"], "access denied to channel job_events for resource id 6");
    let answer = peer.subscribe(json!({"job_events": [5]}), json!({})).await;
    assert_eq!(answer, json!({"groups_current": ["job_events-5"], "groups_left": [], "groups_joined": []}));
}

#[tokio::test]
async fn socket_ends_with_its_sign_in_and_the_server() {
    let test = Test::new(limits(), 0);
    let mut peer = test.open().await;
    test.reader.send_replace(None);
    assert_eq!(peer.closed().await, 1008);
    let test = Test::new(limits(), 0);
    let mut peer = test.open().await;
    let (stopped, code) = tokio::join!(test.hub.stop(Duration::from_secs(5)), peer.closed());
    assert_eq!(((), 1001), (stopped, code));
}

#[tokio::test]
async fn silent_client_is_closed() {
    let test = Test::new(Limits { silence: Duration::from_millis(100), ..limits() }, 0);
    let (server, client) = duplex(64 << 10);
    let permit = test.hub.open(1, 1).unwrap();
    assert!(test.hub.open(1, 1).is_err());
    let client_of = Client { permit, csrf_cookie: None, reader: test.reader.subscribe() };
    serve(Arc::clone(&test.hub), server, client_of).await;
    assert_eq!(test.hub.sockets(), 0);
    drop(client);
}
