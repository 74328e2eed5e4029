//! Traces of requests: each request becomes one OpenTelemetry span, exported with OTLP (Protobuf over HTTP).
//!
//! Requests never wait for the collector: OpenTelemetry's batch span processor queues spans and exports them on its own
//! thread. It drops spans while its queue is full. The variables `OTEL_BSP_*` configure it.
//!
//! A span has the same data as the log line of a request: no query, no headers, no body.

mod client;
mod exporter;
mod span;

use std::time::Duration;

use opentelemetry::Key;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SpanExporter as _, SpanProcessor as _};
use url::Url;

use crate::client::CollectorClient;
use crate::exporter::LoggingExporter;
pub use crate::span::{ParentSpan, RequestSpan};

/// The path of the collector's trace endpoint, below its address.
const PATH: [&str; 2] = ["v1", "traces"];
/// The timeout of one export, retries included, and of the export at shutdown.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The resource attribute with the name of the service (semantic conventions).
const SERVICE_NAME: &str = "service.name";

/// Why traces cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum TraceExportError {
    /// It is not the URL of a collector.
    #[error("{0} is not the URL of a collector, such as http://127.0.0.1:4318")]
    Url(String),
    /// The URL contains credentials. They would be shown wherever the URL is shown.
    #[error(
        "the URL of a collector must not contain a user name, a password or a query: set credentials in OTEL_EXPORTER_OTLP_HEADERS"
    )]
    Credentials,
    /// The exporter rejected its configuration, part of which comes from environment variables.
    #[error("traces cannot be exported: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
}

/// Exports spans of requests to a collector.
pub struct TraceExporter(BatchSpanProcessor);

impl TraceExporter {
    /// Starts exporting to the collector at this URL (as `OTEL_EXPORTER_OTLP_ENDPOINT`: the path of the trace endpoint
    /// is appended). The collector need not be running yet.
    ///
    /// # Errors
    /// [`TraceExportError`].
    pub fn start(collector: &str, node: &str, version: &'static str) -> Result<TraceExporter, TraceExportError> {
        let endpoint = endpoint(collector)?;
        let client = CollectorClient::new(TIMEOUT);
        let last_error = client.last_error();
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_endpoint(endpoint.as_str())
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(TIMEOUT)
            .build()?;
        exporter.set_resource(&resource(node, version));
        let exporter = LoggingExporter::new(exporter, last_error);
        Ok(TraceExporter(BatchSpanProcessor::new(exporter, BatchConfigBuilder::default().build())))
    }

    /// Queues the span of a request. It never blocks.
    pub fn record(&self, request: RequestSpan<'_>) {
        if let Some(span) = request.into_span() {
            self.0.on_end(span);
        }
    }

    /// Exports the queued spans, and stops. It blocks for at most [`TIMEOUT`].
    pub fn shutdown(&self) {
        // The processor logs a timeout itself.
        let _ = self.0.shutdown_with_timeout(TIMEOUT);
    }
}

fn endpoint(text: &str) -> Result<Url, TraceExportError> {
    // Checked first: the other error repeats the text.
    if text.contains(['@', '?']) {
        return Err(TraceExportError::Credentials);
    }
    let invalid = || TraceExportError::Url(text.to_owned());
    let mut url = Url::parse(text).map_err(|_| invalid())?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() || url.fragment().is_some() {
        return Err(invalid());
    }
    url.path_segments_mut().map_err(|()| invalid())?.pop_if_empty().extend(PATH);
    Ok(url)
}

/// The attributes that all spans share.
fn resource(node: &str, version: &'static str) -> Resource {
    // OpenTelemetry reads OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES.
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
    use std::net::TcpListener;
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn trace_endpoint_is_below_the_collector_url() {
        for (text, expected) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces"),
            ("https://collector.example.org/otlp", "https://collector.example.org/otlp/v1/traces"),
        ] {
            assert_eq!(endpoint(text).expect("a URL").as_str(), expected);
        }
        for text in ["", "127.0.0.1:4318", "grpc://host:4317", "unix:/run/x", "http://"] {
            assert!(matches!(endpoint(text), Err(TraceExportError::Url(_))), "{text}");
        }
    }

    #[test]
    fn record_does_not_block_while_the_collector_is_silent() {
        let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = format!("http://{}", silent.local_addr().expect("its address"));
        let exporter = TraceExporter::start(&address, "node", "0").expect("an exporter");
        // More spans than the queue has space for: a call that blocks would never return.
        for _ in 0..10_000 {
            exporter.record(RequestSpan {
                id: "0123456789abcdef0123456789abcdef",
                parent: None,
                method: Some("GET"),
                route: None,
                path: "/",
                scheme: "http",
                client: None,
                status: 200,
                end: SystemTime::UNIX_EPOCH,
                duration: Duration::ZERO,
                statements: 0,
            });
        }
    }

    #[test]
    fn collector_url_with_credentials_is_rejected_without_repeating_them() {
        for text in ["http://me:secret@host", "http://token@host", "https://host/?key=secret", "me:secret@host"] {
            let problem = endpoint(text).expect_err("credentials").to_string();
            assert!(
                !problem.contains("secret@") && !problem.contains("key=") && !problem.contains("token@"),
                "{problem}"
            );
        }
    }
}
