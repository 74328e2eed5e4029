//! The server's log, on standard error.

mod lossy_writer;

use std::fmt;
use std::sync::Mutex;

use anyhow::{Context, Result, anyhow};
use serde_json::{Map, Value as Json};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{self, Format, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent};
use tracing_subscriber::registry::LookupSpan;

use self::lossy_writer::LossyWriter;
use crate::options::{LogFormat, ServeOptions};

/// The prefix of the fields with source locations that `tracing-log` adds to events of the `log` crate.
const LOG_CRATE_FIELDS: &str = "log.";
/// Refinery logs three lines for each migration, one of them with line breaks; the database logs one line itself.
const DEFAULT_DIRECTIVE: &str = "refinery_core=warn";

/// Starts logging with the level and format of the options.
///
/// # Errors
/// If a log is running already.
pub fn start(options: &ServeOptions) -> Result<()> {
    // Of two directives for a module the later one wins, so the option can override the default.
    let filter = EnvFilter::try_new(format!("{DEFAULT_DIRECTIVE},{}", options.log)).context("the log levels")?;
    let writer = LossyWriter::new(std::io::stderr(), options.log_format).context("standard error")?;
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Mutex::new(writer));
    // A failure to write cannot be reported: the report would fail, too.
    let subscriber = subscriber.log_internal_errors(false);
    let started = match options.log_format {
        LogFormat::Human => subscriber.with_ansi(false).try_init(),
        LogFormat::Json => subscriber
            .fmt_fields(JsonFields::new())
            .event_format(JsonLines(format::json().flatten_event(true)))
            .try_init(),
    };
    started.map_err(|problem| anyhow!("the log could not be started: {problem}"))
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
