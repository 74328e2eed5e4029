//! A client of WebSockets.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::client::IntoClientRequest as _;
use tungstenite::handshake::HandshakeError;
use tungstenite::http::{HeaderName, HeaderValue};
use tungstenite::{Error, Message, WebSocket};

use crate::server::TestServer;

/// The CSRF token of clients that are no browser.
pub const TOKEN: &str = "a-token-of-the-client";
/// A test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// An open socket.
pub struct Websocket {
    stream: WebSocket<TcpStream>,
    token: String,
}

impl TestServer {
    /// Opens a socket at this path with these headers, or returns the status of the refusal with its body.
    ///
    /// # Errors
    /// The refusal.
    pub fn open_websocket(&self, path: &str, headers: &[(&str, &str)]) -> Result<Websocket, (u16, String)> {
        Websocket::open(&self.base(), path, headers)
    }

    /// A socket of the user with this value of `Authorization`, which has read its first message.
    pub fn websocket(&self, authorization: &str) -> Websocket {
        Websocket::accepted(&self.base(), authorization)
    }
}

impl Websocket {
    /// Opens a socket of the server at this address, as [`TestServer::open_websocket`].
    ///
    /// # Errors
    /// The refusal.
    pub fn open(base: &str, path: &str, headers: &[(&str, &str)]) -> Result<Websocket, (u16, String)> {
        let address = base.trim_start_matches("http://").to_owned();
        let stream = TcpStream::connect(&address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut request = format!("ws://{address}{path}").into_client_request().expect("a URL");
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            request.headers_mut().append(name, HeaderValue::from_str(value).expect("a value"));
        }
        match tungstenite::client(request, stream) {
            Ok((stream, _)) => Ok(Websocket { stream, token: TOKEN.to_owned() }),
            Err(HandshakeError::Failure(Error::Http(response))) => {
                let body = response.body().as_deref().unwrap_or_default();
                Err((response.status().as_u16(), String::from_utf8_lossy(body).into_owned()))
            }
            Err(problem) => panic!("the handshake fails: {problem:?}"),
        }
    }

    /// As [`TestServer::websocket`].
    pub fn accepted(base: &str, authorization: &str) -> Websocket {
        let cookie = format!("csrftoken={TOKEN}");
        let headers = [("Authorization", authorization), ("Cookie", &cookie)];
        let mut socket = Websocket::open(base, "/websocket/", &headers).expect("a socket");
        assert_eq!(socket.read()["accept"], true);
        socket
    }

    /// The same socket, with another CSRF token in its messages.
    #[must_use]
    pub fn with_token(self, token: &str) -> Self {
        Websocket { token: token.to_owned(), ..self }
    }

    /// Sends a text.
    pub fn send(&mut self, text: impl Into<String>) {
        self.stream.send(Message::text(text.into())).expect("it is sent");
    }

    /// Sends bytes, as a binary message.
    pub fn send_binary(&mut self, bytes: &[u8]) {
        self.stream.send(Message::binary(bytes.to_vec())).expect("it is sent");
    }

    /// Subscribes to these groups, without reading the answer.
    pub fn ask(&mut self, groups: Value, resume: Value) {
        self.send(json!({"groups": groups, "resume": resume, "xrftoken": self.token}).to_string());
    }

    /// Subscribes to these groups, and returns the answer.
    pub fn subscribe(&mut self, groups: Value) -> Value {
        self.ask(groups, json!({}));
        self.read()
    }

    /// The next message.
    pub fn read(&mut self) -> Value {
        loop {
            match self.stream.read().expect("a message") {
                Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("no text: {other:?}"),
            }
        }
    }

    /// The messages until one that this accepts, with it.
    pub fn read_until(&mut self, is_last: impl Fn(&Value) -> bool) -> Vec<Value> {
        let begin = Instant::now();
        let mut messages = vec![];
        loop {
            let message = self.read();
            let ends = is_last(&message);
            messages.push(message);
            if ends {
                return messages;
            }
            assert!(begin.elapsed() < PATIENCE, "{messages:?}");
        }
    }

    /// The code with which the server closes the socket.
    pub fn closed(&mut self) -> Option<u16> {
        loop {
            match self.stream.read() {
                Ok(Message::Close(frame)) => return frame.map(|frame| frame.code.into()),
                Ok(_) => {}
                Err(Error::Io(problem)) if problem.kind() == ErrorKind::WouldBlock => panic!("it stays open"),
                Err(_) => return None,
            }
        }
    }
}
