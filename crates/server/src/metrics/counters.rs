//! The metrics that this process counts while it runs.

use axum::http::Method;
use hostler_queue::DispatcherEvent;
use hostler_tasks::RunResult;
use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry};

/// Upper bounds of the duration histogram, in seconds.
const DURATION_BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// The route of a request, as a label. The path itself would make a time series for each object, and for each path that
/// a client invents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RoutePattern {
    /// An unknown path.
    Unknown,
    /// A path without parameters.
    Fixed(&'static str),
    /// The list of a resource.
    List(&'static str),
    /// An object of a resource.
    Detail(&'static str),
    /// A path below an object.
    Below(&'static str, &'static str),
    /// A path below the list of a resource.
    BelowList(&'static str, &'static str),
}

/// Without `/api/`, so that it does not look like a link.
impl std::fmt::Display for RoutePattern {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RoutePattern::Unknown => write!(formatter, "unknown"),
            RoutePattern::Fixed(rest) => write!(formatter, "{rest}"),
            RoutePattern::List(plural) => write!(formatter, "v2/{plural}/"),
            RoutePattern::Detail(plural) => write!(formatter, "v2/{plural}/{{id}}/"),
            RoutePattern::Below(plural, below) => write!(formatter, "v2/{plural}/{{id}}/{below}/"),
            RoutePattern::BelowList(plural, below) => write!(formatter, "v2/{plural}/{below}/"),
        }
    }
}

/// How a request authenticates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthMethod {
    /// HTTP Basic.
    Basic,
    /// A Bearer token.
    Token,
    /// The login form.
    LoginForm,
}

impl AuthMethod {
    const ALL: [AuthMethod; 3] = [AuthMethod::Basic, AuthMethod::Token, AuthMethod::LoginForm];

    fn label(self) -> &'static str {
        match self {
            AuthMethod::Basic => "basic",
            AuthMethod::Token => "token",
            AuthMethod::LoginForm => "login",
        }
    }
}

/// The counters since the start of the process.
pub(crate) struct Counters {
    registry: Registry,
    requests: IntCounterVec,
    durations: HistogramVec,
    auth_failures: IntCounterVec,
    statements: IntCounter,
    tasks: IntCounterVec,
    jobs: IntCounterVec,
}

impl Default for Counters {
    #[expect(clippy::expect_used, reason = "names and labels are constants, and a test creates them")]
    fn default() -> Self {
        Counters::new().expect("valid metric names")
    }
}

impl Counters {
    fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let counters = Counters {
            requests: register(
                &registry,
                IntCounterVec::new(
                    Opts::new("hostler_http_requests_total", "Requests, by route."),
                    &["route", "method", "status"],
                )?,
            )?,
            durations: register(
                &registry,
                HistogramVec::new(
                    HistogramOpts::new("hostler_http_request_duration_seconds", "Durations of requests, by route.")
                        .buckets(DURATION_BUCKETS.to_vec()),
                    &["route", "method"],
                )?,
            )?,
            auth_failures: register(
                &registry,
                IntCounterVec::new(
                    Opts::new(
                        "hostler_sign_in_failures_total",
                        "Requests with a wrong password or token, or rejected after too many of them.",
                    ),
                    &["by"],
                )?,
            )?,
            statements: register(
                &registry,
                IntCounter::new("hostler_database_statements_total", "SQL statements executed for requests.")?,
            )?,
            tasks: register(
                &registry,
                IntCounterVec::new(
                    Opts::new("hostler_task_runs_total", "Runs of background tasks, by their result."),
                    &["task", "result"],
                )?,
            )?,
            jobs: register(
                &registry,
                IntCounterVec::new(
                    Opts::new(
                        "hostler_job_runs_total",
                        "Jobs that this server started, adopted, ended or could not run.",
                    ),
                    &["type", "event"],
                )?,
            )?,
            registry,
        };
        for method in AuthMethod::ALL {
            counters.auth_failures.with_label_values(&[method.label()]);
        }
        Ok(counters)
    }

    /// Counts a request after its response.
    pub(crate) fn count(&self, route: RoutePattern, method: &Method, status: u16, seconds: f64, statements: u32) {
        let (route, method) = (route.to_string(), standard_method(method).unwrap_or("other"));
        self.requests.with_label_values(&[route.as_str(), method, &status.to_string()]).inc();
        self.durations.with_label_values(&[route.as_str(), method]).observe(seconds);
        self.statements.inc_by(statements.into());
    }

    /// Counts a failed authentication.
    pub(crate) fn count_auth_failure(&self, method: AuthMethod) {
        self.auth_failures.with_label_values(&[method.label()]).inc();
    }

    /// Counts a run of a background task.
    pub(crate) fn count_task(&self, task: &str, result: RunResult) {
        let result = match result {
            RunResult::Complete => "complete",
            RunResult::Interrupted => "interrupted",
            RunResult::Failed => "failed",
        };
        self.tasks.with_label_values(&[task, result]).inc();
    }

    /// Counts the start or the end of a job.
    pub(crate) fn count_job(&self, event: DispatcherEvent) {
        let (kind, event) = match event {
            DispatcherEvent::Started(kind) => (kind, "started"),
            DispatcherEvent::Adopted(kind) => (kind, "adopted"),
            DispatcherEvent::Ended(kind) => (kind, "ended"),
            DispatcherEvent::Failed(kind) => (kind, "failed"),
        };
        self.jobs.with_label_values(&[kind.as_str(), event]).inc();
    }

    /// The current values.
    pub(super) fn gather(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> prometheus::Result<C> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

/// The method if it is a standard one: clients may send any others.
pub(crate) fn standard_method(method: &Method) -> Option<&'static str> {
    const STANDARD: [&str; 7] = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];
    STANDARD.into_iter().find(|standard| *standard == method.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_valid_and_start_at_zero() {
        let names: Vec<String> = Counters::default().gather().iter().map(|family| family.name().to_owned()).collect();
        assert_eq!(names, ["hostler_database_statements_total", "hostler_sign_in_failures_total"]);
    }
}
