//! HTTP towards a collector, in the thread that sends.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use rustls::crypto::ring;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// The most that is read of what a collector answers, in bytes.
const MOST: u64 = 64 * 1024;

/// What was wrong when the collector could not be reached last; the exporter keeps it to itself.
pub(crate) type Problem = Arc<Mutex<Option<String>>>;

#[derive(Debug)]
pub(crate) struct Collector {
    agent: Agent,
    problem: Problem,
}

impl Collector {
    pub(crate) fn new(patience: Duration) -> Collector {
        // Some of the system's files may be unreadable; what can be read is trusted.
        let roots = rustls_native_certs::load_native_certs().certs;
        let roots: Vec<_> = roots.iter().map(|root| Certificate::from_der(root.as_ref()).to_owned()).collect();
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .root_certs(RootCerts::new_with_certs(&roots))
            .build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .timeout_global(Some(patience))
            .http_status_as_error(false)
            .max_redirects(0)
            .build()
            .new_agent();
        Collector { agent, problem: Problem::default() }
    }

    pub(crate) fn problem(&self) -> Problem {
        Arc::clone(&self.problem)
    }
}

#[async_trait]
impl HttpClient for Collector {
    /// Blocks: there is nothing else to do in that thread.
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (parts, body) = request.into_parts();
        let sent = self.agent.run(Request::from_parts(parts, body.to_vec()));
        let problem = sent.as_ref().err().map(ToString::to_string);
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
        let (parts, mut body) = sent?.into_parts();
        let body = body.with_config().limit(MOST).read_to_vec()?;
        Ok(Response::from_parts(parts, body.into()))
    }
}
