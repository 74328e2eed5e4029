//! TraceExporter of requests, for a collector of OpenTelemetry: each request that was answered becomes one span, sent by OTLP
//! (Protobuf over HTTP).
//!
//! It never holds up a request. Spans wait in a queue of a fixed length for a thread that sends them; what finds no
//! place there, or cannot be sent, is lost, counted, and told of in the log.
//!
//! A span tells what the log tells of a request: never its query, its headers or its body.

mod client;
mod queue;
mod span;

use std::time::Duration;

use opentelemetry::Key;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanExporter as _;
use url::Url;

use crate::client::Collector;
use crate::queue::Queue;
pub use crate::span::{ParentSpan, RequestSpan};

/// Where a collector takes traces, below its address.
const PATH: [&str; 2] = ["v1", "traces"];
/// How long the collector may take, with all attempts.
const PATIENCE: Duration = Duration::from_secs(5);
/// What the semantic conventions call the name of a service.
const SERVICE_NAME: &str = "service.name";

/// Why traces cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum TraceExportError {
    /// The address is none of a collector.
    #[error("{0} is not the address of a collector, such as http://127.0.0.1:4318")]
    Address(String),
    /// Names and passwords would be shown wherever the address is.
    #[error(
        "the address of a collector holds neither name, password nor query: OTEL_EXPORTER_OTLP_HEADERS is the place for what proves who sends"
    )]
    Secret,
    /// What the exporter says of its configuration, of which some stands in variables of OpenTelemetry.
    #[error("traces cannot be sent: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// There is no thread to be had.
    #[error("the thread that sends traces could not be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// Sends spans of requests to a collector.
pub struct TraceExporter(Queue);

impl TraceExporter {
    /// Begins to send to the collector at this address, as that of `OTEL_EXPORTER_OTLP_ENDPOINT` without the path of
    /// traces. The variables `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` count, too.
    /// The collector need not be there yet.
    ///
    /// # Errors
    /// [`TraceExportError`].
    pub fn start(collector: &str, node: &str, version: &'static str) -> Result<TraceExporter, TraceExportError> {
        let endpoint = endpoint(collector)?;
        let client = Collector::new(PATIENCE);
        let problem = client.problem();
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_endpoint(endpoint.as_str())
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(PATIENCE)
            .build()?;
        exporter.set_resource(&resource(node, version));
        Ok(TraceExporter(Queue::start(exporter, problem)?))
    }

    /// Sends what a request came to, later. It takes no time to speak of, and waits for nothing.
    pub fn record(&self, answered: RequestSpan<'_>) {
        if let Some(span) = answered.into_span() {
            self.0.push(span);
        }
    }

    /// Waits until all that was recorded has been sent, but not for long. Blocks.
    pub fn shutdown(&self) {
        self.0.flush(PATIENCE);
    }
}

fn endpoint(text: &str) -> Result<Url, TraceExportError> {
    // First, for the other error repeats the text.
    if text.contains(['@', '?']) {
        return Err(TraceExportError::Secret);
    }
    let bad = || TraceExportError::Address(text.to_owned());
    let mut url = Url::parse(text).map_err(|_| bad())?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() || url.fragment().is_some() {
        return Err(bad());
    }
    url.path_segments_mut().map_err(|()| bad())?.pop_if_empty().extend(PATH);
    Ok(url)
}

/// What all spans have in common.
fn resource(node: &str, version: &'static str) -> Resource {
    // What the environment says of the service is found by OpenTelemetry itself.
    let found = Resource::builder().build().get(&Key::new(SERVICE_NAME));
    let is_named = found.is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    let mut resource = Resource::builder().with_attributes([
        opentelemetry::KeyValue::new("service.version", version),
        opentelemetry::KeyValue::new("service.instance.id", node.to_owned()),
    ]);
    if !is_named {
        resource = resource.with_service_name("hostler");
    }
    resource.build()
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "tests report by panicking")]
mod tests {
    use super::*;

    #[test]
    fn traces_have_their_path_below_the_collector() {
        for (text, expected) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces"),
            ("https://collector.example.org/otlp", "https://collector.example.org/otlp/v1/traces"),
        ] {
            assert_eq!(endpoint(text).expect("an address").as_str(), expected);
        }
        for text in ["", "127.0.0.1:4318", "grpc://host:4317", "unix:/run/x", "http://"] {
            assert!(matches!(endpoint(text), Err(TraceExportError::Address(_))), "{text}");
        }
        for text in ["http://me:secret@host", "http://token@host", "https://host/?key=secret", "me:secret@host"] {
            let problem = endpoint(text).expect_err("a secret").to_string();
            assert!(
                !problem.contains("secret@") && !problem.contains("key=") && !problem.contains("token@"),
                "{problem}"
            );
        }
    }
}
