//! Timeouts for clients that send request headers or read responses too slowly.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use crate::timeouts::WRITE_STALL;

/// The phase of a connection: even while the client sends a request header, odd while the request is answered. It only
/// grows.
#[derive(Default)]
pub(crate) struct Phase(AtomicUsize);

impl Phase {
    /// A request header has arrived, or a response is ready.
    pub(crate) fn advance(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn current(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Fails reads when a request header takes longer than a timeout, and writes when the client reads nothing for
/// [`WRITE_STALL`]. The time between requests is limited elsewhere.
pub(crate) struct SlowClientGuard<S> {
    stream: S,
    phase: Arc<Phase>,
    header_timeout: Duration,
    /// The phase and the time of the first byte of a request header.
    header_start: Option<(usize, Instant)>,
    header_timer: Option<Pin<Box<Sleep>>>,
    write_timer: Option<Pin<Box<Sleep>>>,
}

impl<S> SlowClientGuard<S> {
    pub(crate) fn new(stream: S, phase: Arc<Phase>, header_timeout: Duration) -> Self {
        SlowClientGuard { stream, phase, header_timeout, header_start: None, header_timer: None, write_timer: None }
    }

    /// The result of a write, or a timeout.
    fn check_write<T>(&mut self, context: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.write_timer = None;
            return result;
        }
        let timer = self.write_timer.get_or_insert_with(|| Box::pin(sleep(WRITE_STALL)));
        timer.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for SlowClientGuard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(context, buffer);
        let phase = self.phase.current();
        let is_answering = !phase.is_multiple_of(2);
        if is_answering || self.header_start.is_some_and(|(start, _)| start != phase) {
            (self.header_start, self.header_timer) = (None, None);
        }
        if result.is_ready() {
            if !is_answering && buffer.filled().len() > before {
                // Most headers arrive at once: the timer is created only when a read has to wait.
                self.header_start.get_or_insert_with(|| (phase, Instant::now()));
            }
            return result;
        }
        let Some((_, start)) = self.header_start else { return result };
        let deadline = start + self.header_timeout;
        let timer = self.header_timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        timer.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for SlowClientGuard<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.check_write(context, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.check_write(context, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(context);
        self.check_write(context, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_shutdown(context);
        self.check_write(context, result)
    }
}
