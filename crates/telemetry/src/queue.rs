//! Spans on their way to the collector.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use futures_executor::block_on;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};

use crate::client::Problem;

/// How many spans wait at most.
const LENGTH: usize = 4096;
/// How many are sent at once.
const BATCH: usize = 512;
/// How long a span waits for others at most.
const DELAY: Duration = Duration::from_secs(1);
/// How long the log is silent of spans that are lost, once it has told of some.
const SILENCE: Duration = Duration::from_secs(60);

enum Message {
    Span(Box<SpanData>),
    /// Send what there is, and tell.
    Flush(SyncSender<()>),
}

pub(crate) struct Queue {
    sender: SyncSender<Message>,
    lost: Arc<AtomicU64>,
}

impl Queue {
    pub(crate) fn start(exporter: SpanExporter, problem: Problem) -> io::Result<Queue> {
        let (sender, receiver) = sync_channel(LENGTH);
        let lost = Arc::new(AtomicU64::new(0));
        let sending = Sending { receiver, exporter, problem, lost: Arc::clone(&lost), told: None };
        thread::Builder::new().name("traces".to_owned()).spawn(|| sending.run())?;
        Ok(Queue { sender, lost })
    }

    /// Puts a span into the queue; if that is full, it is lost.
    pub(crate) fn push(&self, span: SpanData) {
        if self.sender.try_send(Message::Span(Box::new(span))).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until all before has been sent, or given up, or the time is over.
    pub(crate) fn flush(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let (done, wait) = sync_channel(1);
        let mut message = Message::Flush(done);
        while let Err(TrySendError::Full(back)) = self.sender.try_send(message) {
            if Instant::now() >= deadline {
                return;
            }
            message = back;
            thread::sleep(Duration::from_millis(10));
        }
        // It fails if the time is over: then the rest is lost.
        let _ = wait.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }
}

/// The thread that sends.
struct Sending {
    receiver: Receiver<Message>,
    exporter: SpanExporter,
    problem: Problem,
    lost: Arc<AtomicU64>,
    /// When the log was told last of spans that were lost, and how many these were.
    told: Option<(Instant, u64)>,
}

impl Sending {
    fn run(mut self) {
        while let Ok(first) = self.receiver.recv() {
            let (batch, flushed) = self.gather(first);
            if !batch.is_empty() {
                self.send(batch);
            }
            if let Some(done) = flushed {
                self.tell(None, true);
                // Who asked may have given up.
                let _ = done.send(());
            }
        }
    }

    /// What is to be sent together with the first, and who wants to know when that is done.
    fn gather(&self, first: Message) -> (Vec<SpanData>, Option<SyncSender<()>>) {
        let deadline = Instant::now() + DELAY;
        let mut batch = vec![];
        let mut next = Ok(first);
        loop {
            match next {
                Ok(Message::Span(span)) => batch.push(*span),
                Ok(Message::Flush(done)) => return (batch, Some(done)),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return (batch, None),
            }
            if batch.len() == BATCH {
                return (batch, None);
            }
            next = self.receiver.recv_timeout(deadline.saturating_duration_since(Instant::now()));
        }
    }

    fn send(&mut self, batch: Vec<SpanData>) {
        let length = batch.len();
        match block_on(self.exporter.export(batch)) {
            Ok(()) => self.tell(None, false),
            Err(problem) => {
                self.lost.fetch_add(length as u64, Ordering::Relaxed);
                let reason = self.problem.lock().unwrap_or_else(PoisonError::into_inner).take();
                self.tell(Some(reason.unwrap_or_else(|| problem.to_string())), false);
            }
        }
    }

    /// Tells the log how many spans were lost since it was told last, now and then.
    fn tell(&mut self, problem: Option<String>, is_last: bool) {
        let lost = self.lost.load(Ordering::Relaxed);
        let (when, known) = self.told.unzip();
        let count = lost - known.unwrap_or(0);
        if count == 0 || (!is_last && when.is_some_and(|when| when.elapsed() < SILENCE)) {
            return;
        }
        let problem = problem.unwrap_or_else(|| "more came than could be sent".to_owned());
        tracing::warn!(lost = count, %problem, "traces do not reach the collector");
        self.told = Some((Instant::now(), lost));
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "tests report by panicking")]
mod tests {
    use std::net::TcpListener;
    use std::time::SystemTime;

    use crate::{RequestSpan, TraceExporter};

    use super::*;

    #[test]
    fn what_finds_no_place_is_counted_and_holds_up_nobody() {
        // It takes connections, and never answers.
        let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = format!("http://{}", silent.local_addr().expect("its address"));
        let traces = TraceExporter::start(&address, "node", "0").expect("a thread");
        let more = 100;
        for _ in 0..LENGTH + BATCH + more {
            traces.record(RequestSpan {
                id: "0123456789abcdef0123456789abcdef",
                parent: None,
                method: Some("GET"),
                route: None,
                path: "/",
                scheme: "http",
                client: None,
                status: 200,
                end: SystemTime::UNIX_EPOCH,
                took: Duration::ZERO,
                statements: 0,
            });
        }
        let lost = traces.0.lost.load(Ordering::Relaxed);
        assert!((more as u64..=(more + BATCH) as u64).contains(&lost), "{lost}");
        traces.0.flush(Duration::ZERO);
    }
}
