//! The log of the server, on standard error.

mod outlet;

use std::fmt;
use std::sync::Mutex;

use anyhow::{Context, Result, anyhow};
use serde_json::{Map, Value as Json};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{self, Format, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent};
use tracing_subscriber::registry::LookupSpan;

use self::outlet::Outlet;
use crate::options::{LogFormat, ServeOptions};

/// What libraries that log in another way than ours say, too: where in their source a line comes from.
const FOREIGN: &str = "log.";
/// Each migration by three lines of the library, one of them with line breaks in it; ours tells the same in one.
const QUIET: &str = "refinery_core=warn";

/// Begins to log as the options say.
///
/// # Errors
/// If something logs already.
pub fn start(options: &ServeOptions) -> Result<()> {
    // Whoever names the library in the options hears it: the later of two directives counts.
    let filter = EnvFilter::try_new(format!("{QUIET},{}", options.log)).context("the levels to log")?;
    let outlet = Outlet::new(std::io::stderr(), options.log_format).context("standard error")?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Mutex::new(outlet));
    // A line that cannot be written is lost. To say so would fail in the same place, and end whatever wrote it.
    let log = log.log_internal_errors(false);
    let started = match options.log_format {
        LogFormat::Human => log.with_ansi(false).try_init(),
        LogFormat::Json => {
            log.fmt_fields(JsonFields::new()).event_format(Lines(format::json().flatten_event(true))).try_init()
        }
    };
    started.map_err(|problem| anyhow!("the log could not be started: {problem}"))
}

/// JSON without the paths of the sources that it was built from.
struct Lines(Format<format::Json>);

impl<S> FormatEvent<S, JsonFields> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if event.metadata().fields().iter().all(|field| !field.name().starts_with(FOREIGN)) {
            return self.0.format_event(context, writer, event);
        }
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        let mut line: Map<String, Json> = serde_json::from_str(&line).map_err(|_| fmt::Error)?;
        line.retain(|name, _| !name.starts_with(FOREIGN));
        writeln!(writer, "{}", Json::Object(line))
    }
}
