//! What this server counts while it runs.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use axum::http::Method;

/// Upper ends of the classes of durations, in seconds.
pub(crate) const DURATION_BUCKETS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Which kind of path was asked. Never the path itself: there are as many patterns as there are kinds of paths, however
/// many objects there are and whatever clients make up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RoutePattern {
    /// A path that leads nowhere.
    Unknown,
    /// A path that is the same for all.
    Fixed(&'static str),
    /// The list of a resource.
    List(&'static str),
    /// An object of a resource.
    Detail(&'static str),
    /// What is below an object.
    Below(&'static str, &'static str),
}

/// Without `/api/`, as it is no path that anybody could follow.
impl std::fmt::Display for RoutePattern {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RoutePattern::Unknown => write!(formatter, "unknown"),
            RoutePattern::Fixed(rest) => write!(formatter, "{rest}"),
            RoutePattern::List(plural) => write!(formatter, "v2/{plural}/"),
            RoutePattern::Detail(plural) => write!(formatter, "v2/{plural}/{{id}}/"),
            RoutePattern::Below(plural, below) => write!(formatter, "v2/{plural}/{{id}}/{below}/"),
        }
    }
}

/// By what somebody wanted to prove who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthMethod {
    /// Name and password with the request.
    Basic,
    /// A token with the request.
    Token,
    /// The form of the log-in.
    LoginForm,
}

impl AuthMethod {
    pub(crate) const ALL: [(AuthMethod, &'static str); 3] =
        [(AuthMethod::Basic, "basic"), (AuthMethod::Token, "token"), (AuthMethod::LoginForm, "login")];
}

/// Requests of one pattern and method.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests {
    /// How many were answered by each status.
    pub by_status: BTreeMap<u16, u64>,
    /// How many took at most as long as each class, and none of the shorter ones, allows; those beyond the last are
    /// in none.
    pub classes: [u64; DURATION_BUCKETS.len()],
    /// In seconds.
    pub total: f64,
}

/// What was counted since the server started.
#[derive(Default)]
pub(crate) struct Counters {
    requests: Mutex<BTreeMap<(RoutePattern, &'static str), Requests>>,
    statements: AtomicU64,
    failures: [AtomicU64; AuthMethod::ALL.len()],
}

impl Counters {
    /// Counts a request that was answered.
    pub(crate) fn count(&self, pattern: RoutePattern, method: &Method, status: u16, seconds: f64, statements: u32) {
        self.statements.fetch_add(statements.into(), Ordering::Relaxed);
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = requests.entry((pattern, standard_method(method).unwrap_or("other"))).or_default();
        *counted.by_status.entry(status).or_default() += 1;
        counted.total += seconds;
        if let Some(class) = DURATION_BUCKETS.iter().position(|end| seconds <= *end) {
            counted.classes[class] += 1;
        }
    }

    /// Counts somebody who could not prove who they are.
    pub(crate) fn count_auth_failure(&self, presented: AuthMethod) {
        for ((kind, _), failures) in AuthMethod::ALL.iter().zip(&self.failures) {
            if *kind == presented {
                failures.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// The requests by pattern and method.
    pub(crate) fn requests(&self) -> BTreeMap<(RoutePattern, &'static str), Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many statements the requests took.
    pub(crate) fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// How often somebody could not prove who they are, by what they presented.
    pub(crate) fn failures(&self) -> impl Iterator<Item = (&'static str, u64)> {
        AuthMethod::ALL.iter().zip(&self.failures).map(|((_, word), count)| (*word, count.load(Ordering::Relaxed)))
    }
}

/// The method, if it is one that we know: clients may make up others without end.
pub(crate) fn standard_method(method: &Method) -> Option<&'static str> {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];
    KNOWN.into_iter().find(|known| *known == method.as_str())
}
