//! The HTTP client of the OTLP exporter.
//!
//! It blocks: the batch span processor exports on its own thread, outside of the Tokio runtime.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use rustls::crypto::ring;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// The longest response body that is read, in bytes.
const MAX_RESPONSE: u64 = 64 * 1024;

/// The error of the last request. The exporter itself reports only that a request failed.
pub(crate) type LastError = Arc<Mutex<Option<String>>>;

#[derive(Debug)]
pub(crate) struct CollectorClient {
    agent: Agent,
    last_error: LastError,
}

impl CollectorClient {
    pub(crate) fn new(timeout: Duration) -> CollectorClient {
        // Unreadable certificate files of the system are skipped.
        let roots = rustls_native_certs::load_native_certs().certs;
        let roots: Vec<_> = roots.iter().map(|root| Certificate::from_der(root.as_ref()).to_owned()).collect();
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .root_certs(RootCerts::new_with_certs(&roots))
            .build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .build()
            .new_agent();
        CollectorClient { agent, last_error: LastError::default() }
    }

    pub(crate) fn last_error(&self) -> LastError {
        Arc::clone(&self.last_error)
    }
}

#[async_trait]
impl HttpClient for CollectorClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (parts, body) = request.into_parts();
        let sent = self.agent.run(Request::from_parts(parts, body.to_vec()));
        let error = sent.as_ref().err().map(ToString::to_string);
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = error;
        let (parts, mut body) = sent?.into_parts();
        let body = body.with_config().limit(MAX_RESPONSE).read_to_vec()?;
        Ok(Response::from_parts(parts, body.into()))
    }
}
