//! One socket: what is sent, what is received, and when it is closed.

use std::collections::HashSet;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::feed::Next;
use crate::hub::{Hub, SocketPermit};
use crate::subscriptions::Subscriptions;
use crate::{Notice, Reader, Subject, Text, protocol};

/// Longer messages are sent in several frames, so that the buffer of a socket stays small.
const FRAME: usize = 8 << 10;
/// The most messages that are sent before a socket looks for those of its client.
const TURN: usize = 64;
/// How many messages of a client are handled at once, and how many each second afterwards.
const BURST: u32 = 20;
const PAUSE: Duration = Duration::from_millis(50);
/// How long a client may take to answer the end of the connection.
const CLOSING: Duration = Duration::from_secs(2);

/// The client of a socket.
pub struct Client {
    /// Its place among the sockets of its user.
    pub permit: SocketPermit,
    /// The value of the CSRF cookie in its handshake.
    pub csrf_cookie: Option<String>,
    /// The user; none when the sign-in of the socket is over.
    pub reader: watch::Receiver<Option<Arc<dyn Reader>>>,
}

/// Why a socket ends.
enum End {
    /// The client is gone, or has closed it.
    Gone,
    /// It is closed with this code and reason.
    Close(CloseCode, &'static str),
}

struct Socket<S> {
    hub: Arc<Hub>,
    stream: WebSocketStream<S>,
    user: i64,
    csrf_cookie: Option<String>,
    readers: watch::Receiver<Option<Arc<dyn Reader>>>,
    subscriptions: Subscriptions,
    ping: Interval,
    /// When something came from the client.
    heard: Instant,
    /// When further messages of the client may be handled: at most a burst ahead of now.
    paced: Instant,
    // Given back last.
    _permit: SocketPermit,
}

/// Serves a client on an upgraded connection, until one of both closes it.
pub async fn serve<S: AsyncRead + AsyncWrite + Unpin>(hub: Arc<Hub>, connection: S, client: Client) {
    let limits = hub.limits;
    let config = WebSocketConfig::default()
        .read_buffer_size(1 << 10)
        .write_buffer_size(FRAME)
        .max_write_buffer_size(8 * FRAME)
        .max_message_size(Some(limits.message))
        .max_frame_size(Some(limits.message));
    let stream = WebSocketStream::from_raw_socket(connection, Role::Server, Some(config)).await;
    let Client { permit, csrf_cookie, reader } = client;
    let mut ping = interval(limits.ping);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut socket = Socket {
        stream,
        user: permit.user,
        csrf_cookie,
        readers: reader,
        subscriptions: Subscriptions::new(Arc::clone(&hub), permit.socket, permit.user),
        ping,
        heard: Instant::now(),
        paced: Instant::now(),
        hub,
        _permit: permit,
    };
    let Err(end) = socket.run().await;
    socket.close(end).await;
}

/// A socket never ends well: there is always a reason.
enum Never {}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    async fn run(&mut self) -> Result<Never, End> {
        self.send(&protocol::accepted(self.user)).await?;
        loop {
            let has_more = self.send_waiting().await?;
            self.flush().await?;
            let stopping = self.hub.stopping.clone();
            tokio::select! {
                biased;
                () = stopping.cancelled() => return Err(End::Close(CloseCode::Away, "the server stops")),
                changed = self.readers.changed() => {
                    changed.map_err(|_| End::Gone)?;
                    self.check().await?;
                }
                message = self.stream.next() => self.receive(message).await?,
                _ = self.ping.tick() => self.tick().await?,
                () = self.subscriptions.notify.notified(), if !has_more => {}
                () = ready(()), if has_more => {}
            }
        }
    }

    fn reader(&self) -> Result<Arc<dyn Reader>, End> {
        self.readers.borrow().clone().ok_or(End::Close(CloseCode::Policy, "the sign-in is over"))
    }

    /// Sends some of what the client has not got yet. True if there may be more.
    async fn send_waiting(&mut self) -> Result<bool, End> {
        let mut has_more = self.send_notices().await?;
        let mut waiting = vec![];
        // A job with many events must not keep those of others back.
        let most = (TURN / self.subscriptions.feeds().count().max(1)).max(1);
        for followed in self.subscriptions.feeds() {
            let found = match followed.feed.after(followed.counter, most) {
                Next::Events(found) => found,
                Next::InStore => {
                    let Ok(_permit) = self.hub.store_readers.acquire().await else { return Err(End::Gone) };
                    let (feed, counter) = (&followed.feed, followed.counter);
                    match self.hub.store.events_after(feed.kind, feed.job, counter).await {
                        Ok(found) => found,
                        // The next round of the poller wakes the socket again, or the next ping.
                        Err(_) => continue,
                    }
                }
            };
            if let Some(last) = found.last() {
                followed.counter = last.counter;
                waiting.extend(found);
                has_more = true;
            }
        }
        for event in waiting {
            self.send(&event.text).await?;
        }
        Ok(has_more)
    }

    async fn send_notices(&mut self) -> Result<bool, End> {
        let Some(position) = self.subscriptions.position else { return Ok(false) };
        let Some(found) = self.hub.notices.from(position, TURN) else {
            return Err(End::Close(CloseCode::Again, "the client reads too slowly"));
        };
        if found.is_empty() {
            return Ok(false);
        }
        let count = found.len();
        let found: Vec<Arc<Notice>> =
            found.into_iter().filter(|notice| self.subscriptions.contains(&notice.group)).collect();
        let reader = self.reader()?;
        let subjects: HashSet<Subject> = found.iter().filter_map(|notice| notice.subject).collect();
        let subjects: Vec<Subject> = subjects.into_iter().collect();
        let visible = match subjects.is_empty() || reader.sees_all() {
            true => None,
            false => match reader.visible(&subjects).await {
                Ok(visible) => Some(visible),
                // They are tried again: see above.
                Err(_) => return Ok(false),
            },
        };
        for notice in found {
            let is_visible = |subject| visible.as_ref().is_none_or(|visible| visible.contains(&subject));
            if notice.subject.is_none_or(is_visible) {
                self.send(&notice.text).await?;
            }
        }
        self.subscriptions.position = Some(position + count as u64);
        Ok(true)
    }

    /// Queues a message. Waits while the client does not read what was sent before.
    async fn send(&mut self, text: &Text) -> Result<(), End> {
        let mut rest = text.clone();
        let mut code = Data::Text;
        loop {
            let part = rest.split_to(rest.len().min(FRAME));
            let frame = Frame::message(part, OpCode::Data(code), rest.is_empty());
            self.in_time(Message::Frame(frame)).await?;
            if rest.is_empty() {
                return Ok(());
            }
            code = Data::Continue;
        }
    }

    async fn in_time(&mut self, message: Message) -> Result<(), End> {
        outcome(timeout(self.hub.limits.write, self.stream.feed(message)).await)
    }

    async fn flush(&mut self) -> Result<(), End> {
        outcome(timeout(self.hub.limits.write, self.stream.flush()).await)
    }

    async fn receive(&mut self, message: Option<Result<Message, Error>>) -> Result<(), End> {
        self.heard = Instant::now();
        match message {
            Some(Ok(Message::Text(text))) => self.handle(text.as_bytes()).await,
            Some(Ok(Message::Binary(_))) => {
                self.pace().await;
                self.send(&protocol::error("the message is binary, not text")).await
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(()),
            Some(Ok(Message::Close(_))) | None => Err(End::Gone),
            Some(Err(Error::Capacity(_))) => Err(End::Close(CloseCode::Size, "the message is too long")),
            Some(Err(Error::Utf8(_))) => Err(End::Close(CloseCode::Invalid, "the message is not UTF-8")),
            Some(Err(Error::Protocol(_))) => Err(End::Close(CloseCode::Protocol, "the frame is invalid")),
            Some(Err(_)) => Err(End::Gone),
        }
    }

    /// Slows down a client that sends many messages: meanwhile nothing is read from it.
    async fn pace(&mut self) {
        self.paced = self.paced.max(Instant::now()) + PAUSE;
        if let Some(at) = self.paced.checked_sub(PAUSE * BURST) {
            sleep_until(at).await;
        }
    }

    async fn handle(&mut self, text: &[u8]) -> Result<(), End> {
        self.pace().await;
        let answers = match protocol::parse(text, self.csrf_cookie.as_deref(), self.hub.limits.groups) {
            Err(problem) => vec![protocol::error(&problem)],
            Ok(None) => vec![],
            Ok(Some(wanted)) => {
                let reader = self.reader()?;
                self.subscriptions.change(wanted, &*reader).await
            }
        };
        self.send_all(answers).await
    }

    async fn send_all(&mut self, texts: Vec<Text>) -> Result<(), End> {
        for text in texts {
            self.send(&text).await?;
        }
        Ok(())
    }

    /// Leaves what the user may not see any more.
    async fn check(&mut self) -> Result<(), End> {
        let reader = self.reader()?;
        let answers = self.subscriptions.check(&*reader).await;
        self.send_all(answers).await
    }

    async fn tick(&mut self) -> Result<(), End> {
        if self.heard.elapsed() > self.hub.limits.silence {
            return Err(End::Close(CloseCode::Policy, "the client does not answer"));
        }
        self.in_time(Message::Ping(Text::new())).await?;
        self.check().await
    }

    /// Ends the connection: with the code, if there is one, and after what was sent before, if the client reads it.
    async fn close(&mut self, end: End) {
        let (frame, is_readable) = match end {
            End::Gone => (None, true),
            End::Close(code, reason) => {
                let is_readable = !matches!(code, CloseCode::Size | CloseCode::Invalid | CloseCode::Protocol);
                (Some(CloseFrame { code, reason: reason.into() }), is_readable)
            }
        };
        let closing = async {
            // An error means that the client is gone.
            let _ = self.stream.close(frame).await;
            // Until the client has answered.
            while is_readable && let Some(Ok(_)) = self.stream.next().await {}
            // The connection would be reset while something is unread, and the client would not get the code.
            let mut rest = [0; 1 << 10];
            while !is_readable && self.stream.get_mut().read(&mut rest).await.is_ok_and(|length| length > 0) {}
        };
        let _ = timeout(CLOSING, closing).await;
    }
}

fn outcome(sent: Result<Result<(), Error>, tokio::time::error::Elapsed>) -> Result<(), End> {
    match sent {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(End::Gone),
        Err(_) => Err(End::Close(CloseCode::Again, "the client reads too slowly")),
    }
}
