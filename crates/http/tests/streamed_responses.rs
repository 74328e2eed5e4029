//! Streamed responses over a real connection.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests report by panicking")]

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Request, Response as HttpResponse};
use futures_util::stream::{self, Stream, StreamExt as _};
use hostler_engine::Error;
use hostler_http::Response;
use hostler_listener::{ListenAddr, Listener, Socket, Timeouts, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

type Parts = Vec<Result<Bytes, Error>>;

/// Sets a flag when it is dropped.
struct NoteDrop(Arc<AtomicBool>);

impl Drop for NoteDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Connects to a server that answers each request with what `respond` returns.
async fn connect(respond: impl Fn() -> Response + Clone + Send + Sync + 'static) -> TcpStream {
    let socket = Socket::bind(&ListenAddr::Tcp(([127, 0, 0, 1], 0).into()), 0o600).await.expect("a free port");
    let listener = Listener::new(socket, None).expect("no TLS");
    let url = listener.address().expect("an address");
    let service = tower::service_fn(move |_: Request<Body>| {
        let response: Result<HttpResponse<Body>, Infallible> = Ok(respond().into_http());
        async move { response }
    });
    let minute = Duration::from_secs(60);
    let timeouts = Timeouts { header: minute, idle: minute, shutdown: Duration::ZERO };
    tokio::spawn(serve(vec![listener], service, timeouts, pending(), pending()));
    TcpStream::connect(url.trim_start_matches("http://")).await.expect("a connection")
}

async fn send(client: &mut TcpStream, method: &str) {
    client.write_all(format!("{method} / HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.expect("a request");
}

/// Reads until the text ends like this.
async fn read_until(client: &mut TcpStream, end: &str) -> String {
    let mut text = vec![];
    while !text.ends_with(end.as_bytes()) {
        text.push(client.read_u8().await.expect("the connection is open"));
    }
    String::from_utf8(text).expect("a text")
}

fn parts(parts: Parts) -> impl Stream<Item = Result<Bytes, Error>> + Send + 'static {
    stream::iter(parts)
}

#[tokio::test]
async fn parts_are_sent_and_connection_stays_open() {
    let one_two = || parts(vec![Ok("one".into()), Ok("two".into())]);
    let mut client = connect(move || Response::stream("text/plain", None, one_two())).await;
    for _ in 0..2 {
        send(&mut client, "GET").await;
        let text = read_until(&mut client, "\r\n0\r\n\r\n").await;
        assert!(text.contains("\r\n3\r\none\r\n3\r\ntwo\r\n"), "{text}");
        assert!(text.contains("content-type: text/plain\r\n"), "{text}");
    }
}

#[tokio::test]
async fn known_length_is_sent() {
    let mut client = connect(|| Response::stream("text/plain", Some(3), parts(vec![Ok("one".into())]))).await;
    for _ in 0..2 {
        send(&mut client, "GET").await;
        let text = read_until(&mut client, "one").await;
        assert!(text.contains("content-length: 3\r\n") && !text.contains("transfer-encoding"), "{text}");
    }
}

#[tokio::test]
async fn head_produces_no_content() {
    let mut client = connect(|| {
        let never = stream::once(async { panic!("HEAD has no content") });
        Response::stream("text/plain", Some(10), never)
    })
    .await;
    for _ in 0..2 {
        send(&mut client, "HEAD").await;
        let text = read_until(&mut client, "\r\n\r\n").await;
        assert!(text.contains("content-length: 10\r\n"), "{text}");
    }
}

#[tokio::test]
async fn error_closes_connection() {
    for length in [None, Some(100)] {
        let broken = || {
            let error = async {
                // Later, so that the first part is sent before.
                tokio::time::sleep(Duration::from_millis(20)).await;
                Err(Error::Internal("secret detail".into()))
            };
            parts(vec![Ok("one".into())]).chain(stream::once(error))
        };
        let mut client = connect(move || Response::stream("text/plain", length, broken())).await;
        send(&mut client, "GET").await;
        let mut text = String::new();
        client.read_to_string(&mut text).await.expect("the end of the connection");
        assert!(text.starts_with("HTTP/1.1 200 ") && text.contains("one"), "{text}");
        assert!(!text.ends_with("\r\n0\r\n\r\n") && !text.contains("secret"), "{text}");
    }
}

#[tokio::test]
async fn content_of_a_gone_client_is_dropped() {
    let dropped = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&dropped);
    let mut client = connect(move || {
        let note = NoteDrop(Arc::clone(&flag));
        let endless = stream::repeat_with(move || {
            let _ = &note;
            Ok(Bytes::from_static(&[b'x'; 16 * 1024]))
        });
        Response::stream("text/plain", None, endless)
    })
    .await;
    send(&mut client, "GET").await;
    read_until(&mut client, "xxx").await;
    drop(client);
    for _ in 0..3000 {
        if dropped.load(Ordering::SeqCst) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the content is still produced");
}
