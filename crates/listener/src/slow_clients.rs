//! A connection whose client must keep going.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use crate::timeouts::STALL;

/// What is going on at a connection: an even number while its client is to send the head of a request, an odd one
/// while a request is answered; it never comes back to an earlier number.
#[derive(Default)]
pub(crate) struct Phase(AtomicUsize);

impl Phase {
    /// The head of a request has arrived, or an answer is ready.
    pub(crate) fn advance(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn now(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Ends the connection of a client that sends the head of a request too slowly, or takes nothing of an answer for too
/// long. How long it may send nothing at all between requests is for whoever reads it to say.
pub(crate) struct SlowClientGuard<S> {
    stream: S,
    phase: Arc<Phase>,
    longest_head: Duration,
    /// When a head began, and in which phase.
    began: Option<(usize, Instant)>,
    head: Option<Pin<Box<Sleep>>>,
    stall: Option<Pin<Box<Sleep>>>,
}

impl<S> SlowClientGuard<S> {
    pub(crate) fn new(stream: S, phase: Arc<Phase>, longest_head: Duration) -> Self {
        SlowClientGuard { stream, phase, longest_head, began: None, head: None, stall: None }
    }

    /// What a write came to, unless nothing moved for too long.
    fn moved<T>(&mut self, context: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.stall = None;
            return outcome;
        }
        let stall = self.stall.get_or_insert_with(|| Box::pin(sleep(STALL)));
        stall.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for SlowClientGuard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(context, buffer);
        let phase = self.phase.now();
        let is_answering = !phase.is_multiple_of(2);
        if is_answering || self.began.is_some_and(|(began, _)| began != phase) {
            (self.began, self.head) = (None, None);
        }
        if outcome.is_ready() {
            if !is_answering && buffer.filled().len() > before {
                // Most heads arrive at once, and need no clock to be set.
                self.began.get_or_insert_with(|| (phase, Instant::now()));
            }
            return outcome;
        }
        let Some((_, began)) = self.began else { return outcome };
        let end = began + self.longest_head;
        let head = self.head.get_or_insert_with(|| Box::pin(sleep_until(end)));
        head.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for SlowClientGuard<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.moved(context, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.moved(context, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(context);
        self.moved(context, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_shutdown(context);
        self.moved(context, outcome)
    }
}
