//! One connection.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;

use axum::body::Body;
use hyper::body::Incoming as IncomingBody;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tower::{Service, ServiceExt as _};

use crate::listener::{Accepted, PeerAddr};
use crate::plain_http;
use crate::serve::Shutdown;
use crate::slow_clients::{Phase, SlowClientGuard};
use crate::timeouts::{HANDSHAKE, MAX_HEADER, Timeouts};

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Answers requests, such as an [`axum::Router`].
pub trait HttpService:
    Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}
impl<S> HttpService for S where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

/// Serves a connection until it closes.
pub(crate) async fn run(
    accepted: Accepted,
    tls: Option<TlsAcceptor>,
    service: impl HttpService,
    timeouts: Timeouts,
    mut shutdown: watch::Receiver<Shutdown>,
) {
    let (stream, peer): (Box<dyn Stream>, PeerAddr) = match (accepted, tls) {
        (Accepted::Unix(stream), _) => (Box::new(stream), PeerAddr::Unix),
        (Accepted::Tcp(stream, address), None) => (Box::new(stream), PeerAddr::Tcp { address, is_tls: false }),
        (Accepted::Tcp(stream, address), Some(acceptor)) => {
            let handshake = tokio::select! {
                handshake = timeout(HANDSHAKE, handshake(stream, &acceptor)) => handshake,
                _ = shutdown.changed() => return,
            };
            match handshake {
                Ok(Ok(Some(stream))) => (stream, PeerAddr::Tcp { address, is_tls: true }),
                Ok(Ok(None)) => {
                    tracing::info!(client = %address, "plain HTTP request on TLS port");
                    return;
                }
                Ok(Err(problem)) => {
                    tracing::info!(client = %address, %problem, "TLS handshake failed");
                    return;
                }
                Err(_) => {
                    tracing::info!(client = %address, "TLS handshake timed out");
                    return;
                }
            }
        }
    };
    if let Err(problem) = requests(stream, peer, service, timeouts, shutdown).await {
        let problem: &dyn std::error::Error = &problem;
        tracing::debug!(?peer, problem, "connection failed");
    }
}

/// The TLS handshake; `None` if the client sends plain HTTP, which gets a response.
async fn handshake(stream: tokio::net::TcpStream, acceptor: &TlsAcceptor) -> io::Result<Option<Box<dyn Stream>>> {
    if plain_http::is_plain_http(&stream).await? {
        plain_http::respond(stream).await?;
        return Ok(None);
    }
    Ok(Some(Box::new(acceptor.accept(stream).await?)))
}

async fn requests(
    stream: Box<dyn Stream>,
    peer: PeerAddr,
    service: impl HttpService,
    timeouts: Timeouts,
    mut shutdown: watch::Receiver<Shutdown>,
) -> hyper::Result<()> {
    let phase = Arc::new(Phase::default());
    let stream = TokioIo::new(SlowClientGuard::new(stream, Arc::clone(&phase), timeouts.header));
    let service = service_fn(move |request: Request<IncomingBody>| {
        phase.advance();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        let (response, phase) = (service.clone().oneshot(request), Arc::clone(&phase));
        // A connection has room for this future also while it waits for a request.
        Box::pin(async move {
            let response = response.await;
            // After an upgrade no request header follows.
            if response.as_ref().is_ok_and(|response| response.status() != StatusCode::SWITCHING_PROTOCOLS) {
                phase.advance();
            }
            response
        })
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // It starts at the end of a response.
        .header_read_timeout(timeouts.idle)
        .max_header_size(MAX_HEADER)
        .serve_connection(stream, service)
        .with_upgrades();
    let mut connection = pin!(connection);
    loop {
        tokio::select! {
            ended = connection.as_mut() => return ended,
            changed = shutdown.changed() => match *shutdown.borrow_and_update() {
                Shutdown::Graceful if changed.is_ok() => connection.as_mut().graceful_shutdown(),
                _ => return Ok(()),
            },
        }
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "tests report by panicking")]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use hyper::header::{CONNECTION, UPGRADE};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;
    use crate::{ListenAddr, Listener, Socket, serve};

    /// Switches to a protocol that repeats each byte.
    async fn upgrade(request: Request<Body>) -> Result<Response<Body>, Infallible> {
        tokio::spawn(async move {
            let upgraded = hyper::upgrade::on(request).await.expect("an upgrade");
            let (mut reader, mut writer) = tokio::io::split(TokioIo::new(upgraded));
            tokio::io::copy(&mut reader, &mut writer).await
        });
        let response = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
        let response = response.header(CONNECTION, "upgrade").header(UPGRADE, "echo").body(Body::empty());
        Ok(response.expect("a response"))
    }

    #[tokio::test]
    async fn upgraded_connection_has_no_header_timeout() {
        let address = ListenAddr::Tcp(([127, 0, 0, 1], 0).into());
        let socket = Socket::bind(&address, 0o600).await.expect("a free port");
        let listener = Listener::new(socket, None).expect("no TLS");
        let url = listener.address().expect("an address");
        let header = Duration::from_millis(50);
        let timeouts = Timeouts { header, idle: Duration::from_secs(60), shutdown: Duration::ZERO };
        tokio::spawn(serve(vec![listener], tower::service_fn(upgrade), timeouts, pending(), pending()));

        let mut client = TcpStream::connect(url.trim_start_matches("http://")).await.expect("a connection");
        let request = "GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
        client.write_all(request.as_bytes()).await.expect("a request");
        let mut response = vec![];
        while !response.ends_with(b"\r\n\r\n") {
            response.push(client.read_u8().await.expect("a response"));
        }
        assert!(response.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&response));
        for byte in [b'a', b'b'] {
            client.write_u8(byte).await.expect("written");
            assert_eq!(client.read_u8().await.ok(), Some(byte));
            tokio::time::sleep(3 * header).await;
        }
    }
}
