//! The OTLP exporter with a log message for batches that could not be sent.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry_otlp::SpanExporter as OtlpExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

use crate::client::LastError;

/// The shortest time between two log messages about failed exports.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct LoggingExporter {
    exporter: OtlpExporter,
    last_error: LastError,
    failures: Mutex<Failures>,
}

#[derive(Debug, Default)]
struct Failures {
    /// Spans lost since the last log message.
    spans: usize,
    error: String,
    logged: Option<Instant>,
}

impl LoggingExporter {
    pub(crate) fn new(exporter: OtlpExporter, last_error: LastError) -> Self {
        LoggingExporter { exporter, last_error, failures: Mutex::default() }
    }

    fn log(failures: &mut Failures) {
        if failures.spans > 0 {
            tracing::warn!(dropped = failures.spans, error = failures.error, "spans could not be exported");
            *failures = Failures { logged: Some(Instant::now()), ..Failures::default() };
        }
    }
}

impl SpanExporter for LoggingExporter {
    /// A failure is logged here, so it is not returned: the processor would log each failed batch.
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        if let Err(error) = self.exporter.export(batch).await {
            let cause = self.last_error.lock().unwrap_or_else(PoisonError::into_inner).take();
            let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
            failures.spans += spans;
            failures.error = cause.unwrap_or_else(|| error.to_string());
            if failures.logged.is_none_or(|logged| logged.elapsed() >= LOG_INTERVAL) {
                LoggingExporter::log(&mut failures);
            }
        }
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        LoggingExporter::log(&mut self.failures.lock().unwrap_or_else(PoisonError::into_inner));
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
