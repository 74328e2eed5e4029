//! What the log, the metrics and the traces record of a request, at the end of its response.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{BodyDataStream, Bytes};
use axum::http::{Method, StatusCode, Uri};
use futures_util::Stream;
use hostler_database::count_statements_of;
use hostler_telemetry::{ParentSpan, RequestSpan};

use crate::metrics::{AuthMethod, RoutePattern, standard_method};
use crate::state::App;

/// What is known of a request before its response.
#[derive(Default)]
pub(crate) struct RequestLog {
    pub actor: Option<String>,
    pub is_authenticated: bool,
    pub client: Option<IpAddr>,
    pub is_tls: bool,
    pub is_https: bool,
    pub pattern: Option<RoutePattern>,
    pub auth_method: Option<AuthMethod>,
}

/// A request with its response.
pub(crate) struct AnsweredRequest {
    pub id: String,
    pub method: Method,
    pub uri: Uri,
    pub parent: Option<ParentSpan>,
    pub log: RequestLog,
    pub status: StatusCode,
    pub started: Instant,
    /// The time until the headers of the response.
    pub took: Duration,
}

/// How a response ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResponseEnd {
    Complete,
    /// The client closed the connection, or the server stopped.
    ClosedEarly,
    /// The content could not be produced to its end.
    Failed,
}

impl AnsweredRequest {
    /// Writes the log entry, the metrics and the span.
    pub(crate) fn record(self, app: &App, statements: u32, end: ResponseEnd) {
        let AnsweredRequest { id, method, uri, parent, log, status, started, took } = self;
        let path = uri.path();
        let is_rejected = [StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS].contains(&status);
        let (status, seconds) = (status.as_u16(), took.as_secs_f64());
        app.counters.count(log.pattern.unwrap_or(RoutePattern::Unknown), &method, status, seconds, statements);
        if let (true, Some(auth_method)) = (is_rejected, log.auth_method) {
            app.counters.count_auth_failure(auth_method);
        }
        if let Some(exporter) = &app.trace_exporter {
            exporter.record(RequestSpan {
                id: &id,
                parent,
                method: standard_method(&method),
                route: log.pattern.map(|pattern| format!("/api/{pattern}")),
                path,
                scheme: if log.is_https { "https" } else { "http" },
                client: log.client,
                status,
                end: app.engine().clock.now().into(),
                duration: started.elapsed(),
                statements,
            });
        }
        let client = log.client.map_or_else(|| "-".to_owned(), |address| address.to_string());
        let actor = log.actor.as_deref().unwrap_or("-");
        let (milliseconds, queries) = (seconds * 1000.0, statements);
        let is_slow = app.options.slow_request.is_some_and(|slow| took >= slow);
        match end {
            ResponseEnd::Complete if is_slow => {
                tracing::warn!(request = %id, actor, client, %method, %path, status, milliseconds, queries, "slow request");
            }
            ResponseEnd::Complete => {
                tracing::info!(request = %id, actor, client, %method, %path, status, milliseconds, queries, "request");
            }
            ResponseEnd::ClosedEarly => {
                tracing::info!(request = %id, actor, client, %method, %path, status, milliseconds, queries, "request, closed before the end of its response");
            }
            ResponseEnd::Failed => {
                tracing::error!(request = %id, actor, client, %method, %path, status, milliseconds, queries, "request, response broke off");
            }
        }
    }
}

/// The parts of a streamed response. The request is recorded when they end.
pub(crate) struct RecordedParts {
    parts: BodyDataStream,
    app: Arc<App>,
    /// None once it is recorded.
    request: Option<AnsweredRequest>,
    statements: u32,
    /// The number of bytes to come, if the length is known.
    rest: Option<u64>,
}

impl RecordedParts {
    /// `statements` are those before the first part.
    pub(crate) fn new(
        parts: BodyDataStream,
        length: Option<u64>,
        app: Arc<App>,
        request: AnsweredRequest,
        statements: u32,
    ) -> Self {
        // A response to HEAD is complete without content.
        let rest = if request.method == Method::HEAD { Some(0) } else { length };
        RecordedParts { parts, app, request: Some(request), statements, rest }
    }

    fn end(&mut self, end: ResponseEnd) {
        if let Some(request) = self.request.take() {
            request.record(&self.app, self.statements, end);
        }
    }
}

impl Stream for RecordedParts {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let (polled, statements) = count_statements_of(|| Pin::new(&mut this.parts).poll_next(context));
        this.statements = this.statements.saturating_add(statements);
        match &polled {
            Poll::Ready(None) => this.end(ResponseEnd::Complete),
            Poll::Ready(Some(Err(error))) => {
                let id = this.request.as_ref().map_or("-", |request| &request.id);
                tracing::error!(request = id, %error, "could not produce a response to its end");
                this.end(ResponseEnd::Failed);
            }
            Poll::Ready(Some(Ok(part))) => this.rest = this.rest.map(|rest| rest.saturating_sub(part.len() as u64)),
            Poll::Pending => {}
        }
        polled
    }
}

impl Drop for RecordedParts {
    fn drop(&mut self) {
        // With a known length, the end of the stream is not read.
        let end = match self.rest {
            Some(0) => ResponseEnd::Complete,
            _ if std::thread::panicking() => ResponseEnd::Failed,
            _ => ResponseEnd::ClosedEarly,
        };
        self.end(end);
    }
}
