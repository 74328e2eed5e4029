//! The span of a request.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{IdGenerator as _, RandomIdGenerator, SpanData, SpanEvents, SpanLinks};

/// The parent span of a request, from its headers `traceparent` and `tracestate` (W3C Trace Context).
///
/// Any client may set these headers: they decide only where in the traces a request appears.
#[derive(Clone, Debug)]
pub struct ParentSpan(SpanContext);

impl ParentSpan {
    /// The parent span in these headers, if they have a valid one.
    pub fn from_headers(headers: &HeaderMap) -> Option<ParentSpan> {
        let found = TraceContextPropagator::new().extract_with_context(&Context::new(), &HeaderExtractor(headers));
        let context = found.span().span_context().clone();
        context.is_valid().then_some(ParentSpan(context))
    }
}

/// The data of a request after its response.
pub struct RequestSpan<'a> {
    /// Its id, 32 hexadecimal digits. It is the trace id, too, if the request has no parent span.
    pub id: &'a str,
    /// The parent span.
    pub parent: Option<ParentSpan>,
    /// The method; `None` if it is not a standard one.
    pub method: Option<&'static str>,
    /// The route, such as `/api/v2/users/{id}/`; `None` for an unknown path.
    pub route: Option<String>,
    /// The path, without the query.
    pub path: &'a str,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The client's address, if known.
    pub client: Option<IpAddr>,
    /// The status of the response.
    pub status: u16,
    /// The time of the response.
    pub end: SystemTime,
    /// The duration of the request.
    pub duration: Duration,
    /// The number of SQL statements.
    pub statements: u32,
}

impl RequestSpan<'_> {
    /// The span, with the attributes of OpenTelemetry's semantic conventions for HTTP servers; `None` if the parent span
    /// is not sampled.
    pub(crate) fn into_span(self) -> Option<SpanData> {
        let ids = RandomIdGenerator::default();
        let (trace, parent, state) = match &self.parent {
            Some(ParentSpan(parent)) if !parent.is_sampled() => return None,
            Some(ParentSpan(parent)) => (parent.trace_id(), parent.span_id(), parent.trace_state().clone()),
            None => {
                let trace = TraceId::from_hex(self.id).unwrap_or_else(|_| ids.new_trace_id());
                (trace, SpanId::INVALID, TraceState::NONE)
            }
        };
        let mut attributes = vec![
            KeyValue::new("http.request.method", self.method.unwrap_or("_OTHER")),
            KeyValue::new("http.response.status_code", i64::from(self.status)),
            KeyValue::new("url.path", self.path.to_owned()),
            KeyValue::new("url.scheme", self.scheme),
            KeyValue::new("hostler.request.id", self.id.to_owned()),
            KeyValue::new("hostler.database.statements", i64::from(self.statements)),
        ];
        if let Some(client) = self.client {
            attributes.push(KeyValue::new("client.address", client.to_string()));
        }
        // A 4xx is not an error of a server span (semantic conventions).
        let is_error = self.status >= 500;
        if is_error {
            attributes.push(KeyValue::new("error.type", self.status.to_string()));
        }
        let method = self.method.unwrap_or("HTTP");
        let name = match self.route {
            Some(route) => {
                let name = format!("{method} {route}");
                attributes.push(KeyValue::new("http.route", route));
                name.into()
            }
            None => method.into(),
        };
        Some(SpanData {
            span_context: SpanContext::new(trace, ids.new_span_id(), TraceFlags::SAMPLED, false, state),
            parent_span_id: parent,
            parent_span_is_remote: self.parent.is_some(),
            span_kind: SpanKind::Server,
            name,
            start_time: self.end.checked_sub(self.duration).unwrap_or(self.end),
            end_time: self.end,
            attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: if is_error { Status::error("") } else { Status::Unset },
            instrumentation_scope: InstrumentationScope::builder("hostler").build(),
        })
    }
}
