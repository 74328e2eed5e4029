//! The server's log, on standard error.

use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::AsFd as _;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use serde_json::{Map, Value as Json};
use tracing::{Event, Subscriber};
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{self, Format, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent};
use tracing_subscriber::registry::LookupSpan;

use crate::options::{LogFormat, ServeOptions};

/// The prefix of the fields with source locations that `tracing-log` adds to events of the `log` crate.
const LOG_CRATE_FIELDS: &str = "log.";
/// Refinery logs three lines for each migration, one of them with line breaks; the database logs one line itself.
const DEFAULT_DIRECTIVE: &str = "refinery_core=warn";
/// Lines that wait for a slow reader of standard error. Further lines are dropped.
const BUFFERED_LINES: usize = 8192;
/// How often dropped lines are looked for.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// The running log. It writes what is buffered when it is dropped, for a second at most.
pub struct Log {
    dropped: ErrorCounter,
    _worker: WorkerGuard,
}

/// Starts logging with the level and format of the options.
///
/// # Errors
/// If a log is running already.
pub fn start(options: &ServeOptions) -> Result<Log> {
    // Of two directives for a module the later one wins, so the option can override the default.
    let filter = EnvFilter::try_new(format!("{DEFAULT_DIRECTIVE},{}", options.log)).context("the log levels")?;
    // Not `std::io::Stderr`: its lock would be held while the worker waits for a slow reader.
    let stderr: File = io::stderr().as_fd().try_clone_to_owned().context("standard error")?.into();
    let (writer, worker) = lossy_writer(stderr);
    let log = Log { dropped: writer.error_counter(), _worker: worker };
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    // A failure to write cannot be reported: the report would fail, too.
    let subscriber = subscriber.log_internal_errors(false);
    let started = match options.log_format {
        LogFormat::Human => subscriber.with_ansi(false).try_init(),
        LogFormat::Json => subscriber
            .fmt_fields(JsonFields::new())
            .event_format(JsonLines(format::json().flatten_event(true)))
            .try_init(),
    };
    started.map_err(|problem| anyhow!("the log could not be started: {problem}"))?;
    Ok(log)
}

/// A writer that drops lines instead of blocking while its buffer is full.
fn lossy_writer(target: impl Write + Send + 'static) -> (NonBlocking, WorkerGuard) {
    // The worker flushes when no line is waiting, so lines share a system call under load only.
    let target = BufWriter::new(target);
    NonBlockingBuilder::default().lossy(true).buffered_lines_limit(BUFFERED_LINES).thread_name("log").finish(target)
}

impl Log {
    /// Logs how many lines were dropped, until the future is dropped.
    pub fn report_dropped_lines(&self) -> impl Future<Output = ()> + Send + use<> {
        let dropped = self.dropped.clone();
        async move {
            let mut reported = 0;
            loop {
                tokio::time::sleep(REPORT_INTERVAL).await;
                let total = dropped.dropped_lines();
                if total > reported {
                    // The total since the start: this line may be dropped, too.
                    tracing::warn!(total, "log lines dropped: the reader of standard error is too slow");
                    reported = total;
                }
            }
        }
    }
}

/// JSON without the source locations of events of the `log` crate.
struct JsonLines(Format<format::Json>);

impl<S> FormatEvent<S, JsonFields> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if event.metadata().fields().iter().all(|field| !field.name().starts_with(LOG_CRATE_FIELDS)) {
            return self.0.format_event(context, writer, event);
        }
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        let mut line: Map<String, Json> = serde_json::from_str(&line).map_err(|_| fmt::Error)?;
        line.retain(|name, _| !name.starts_with(LOG_CRATE_FIELDS));
        writeln!(writer, "{}", Json::Object(line))
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "tests report by panicking")]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn lines_are_dropped_and_counted_while_nothing_reads() {
        let (mut reader, pipe) = io::pipe().expect("a pipe");
        let (mut writer, worker) = lossy_writer(pipe);
        let line = format!("{}\n", "x".repeat(999));
        // More than the buffer and the pipe take. A writer that blocks would never finish.
        for _ in 0..BUFFERED_LINES + 2000 {
            writer.write_all(line.as_bytes()).expect("a line");
        }
        let dropped = writer.error_counter().dropped_lines();
        assert!(dropped > 0);
        let reading = std::thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).map(|_| text)
        });
        drop((writer, worker));
        let text = reading.join().expect("no panic").expect("lines");
        assert!(text.lines().all(|line| line == "x".repeat(999)), "lines are whole");
        assert_eq!(text.lines().count() + dropped, BUFFERED_LINES + 2000);
    }
}
