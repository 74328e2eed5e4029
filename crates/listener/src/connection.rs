//! One connection.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;

use axum::body::Body;
use hyper::body::Incoming as IncomingBody;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tower::{Service, ServiceExt as _};

use crate::listener::{Incoming, PeerAddr};
use crate::plain_http;
use crate::serve::Shutdown;
use crate::slow_clients::{Phase, SlowClientGuard};
use crate::timeouts::{HANDSHAKE, LONGEST_HEAD, Timeouts};

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// What answers requests: an [`axum::Router`], say.
pub trait HttpService:
    Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}
impl<S> HttpService for S where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

/// Serves a connection to its end.
pub(crate) async fn run(
    incoming: Incoming,
    tls: Option<TlsAcceptor>,
    app: impl HttpService,
    timeouts: Timeouts,
    mut stage: watch::Receiver<Shutdown>,
) {
    let (stream, peer): (Box<dyn Stream>, PeerAddr) = match (incoming, tls) {
        (Incoming::Unix(stream), _) => (Box::new(stream), PeerAddr::Unix),
        (Incoming::Tcp(stream, address), None) => (Box::new(stream), PeerAddr::Tcp { address, is_tls: false }),
        (Incoming::Tcp(stream, address), Some(acceptor)) => {
            let agreed = tokio::select! {
                agreed = timeout(HANDSHAKE, agree(stream, &acceptor)) => agreed,
                _ = stage.changed() => return,
            };
            match agreed {
                Ok(Ok(Some(stream))) => (stream, PeerAddr::Tcp { address, is_tls: true }),
                Ok(Ok(None)) => {
                    tracing::info!(client = %address, "a client spoke http at a port of https");
                    return;
                }
                Ok(Err(problem)) => {
                    tracing::info!(client = %address, %problem, "a client did not agree on TLS");
                    return;
                }
                Err(_) => {
                    tracing::info!(client = %address, "a client took too long to agree on TLS");
                    return;
                }
            }
        }
    };
    let ended = requests(stream, peer, app, timeouts, stage).await;
    if let Err(problem) = ended {
        let problem: &dyn std::error::Error = &problem;
        tracing::debug!(?peer, problem, "a connection broke off");
    }
}

/// TLS with a client; nothing if it speaks HTTP, which is answered.
async fn agree(stream: tokio::net::TcpStream, acceptor: &TlsAcceptor) -> io::Result<Option<Box<dyn Stream>>> {
    if plain_http::is_plain_http(&stream).await? {
        plain_http::explain(stream).await?;
        return Ok(None);
    }
    Ok(Some(Box::new(acceptor.accept(stream).await?)))
}

async fn requests(
    stream: Box<dyn Stream>,
    peer: PeerAddr,
    app: impl HttpService,
    timeouts: Timeouts,
    mut stage: watch::Receiver<Shutdown>,
) -> hyper::Result<()> {
    let phase = Arc::new(Phase::default());
    let stream = TokioIo::new(SlowClientGuard::new(stream, Arc::clone(&phase), timeouts.header));
    let service = service_fn(move |request: Request<IncomingBody>| {
        phase.advance();
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        let (answer, phase) = (app.clone().oneshot(request), Arc::clone(&phase));
        async move {
            let answer = answer.await;
            phase.advance();
            answer
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // It runs from the end of an answer on.
        .header_read_timeout(timeouts.idle)
        .max_header_size(LONGEST_HEAD)
        .serve_connection(stream, service);
    let mut connection = pin!(connection);
    loop {
        tokio::select! {
            ended = connection.as_mut() => return ended,
            changed = stage.changed() => match *stage.borrow_and_update() {
                Shutdown::Finishing if changed.is_ok() => connection.as_mut().graceful_shutdown(),
                _ => return Ok(()),
            },
        }
    }
}
