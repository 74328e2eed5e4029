//! The health endpoints for load balancers and service managers: `/healthz` (alive) and `/readyz` (ready).
//!
//! They need no authentication, so responses contain only fixed texts, and many requests at once cost as much as one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response as HttpResponse, StatusCode, header};
use axum::routing::get;
use hostler_engine::Engine;
use hostler_http::Response;
use serde_json::{Value, json};
use tokio::sync::Mutex;

/// How long a result is cached.
const CACHE_TTL: Duration = Duration::from_secs(1);
/// The timeout of the checks: less than the usual timeout of load balancers.
const TIMEOUT: Duration = Duration::from_secs(3);

const UNREACHABLE: &str = "The database does not respond.";
const OTHER_SCHEMA: &str = "The schema of the database belongs to another version of Hostler.";
const READ_ONLY: &str = "The database is read-only: it may be a standby.";
const NO_KEY: &str = "The key that encrypts secrets is missing.";

/// The state of the readiness check.
struct Readiness {
    engine: Engine,
    /// The last result with its time.
    last: Mutex<Option<(Instant, Vec<&'static str>)>>,
}

/// The paths of [`routes`].
pub(crate) const PATHS: [&str; 2] = ["/healthz", "/readyz"];

/// The routes of [`PATHS`].
pub(crate) fn routes(engine: Engine) -> Router {
    let readiness = Arc::new(Readiness { engine, last: Mutex::default() });
    Router::new().route(PATHS[0], get(live)).route(PATHS[1], get(ready)).with_state(readiness)
}

async fn live() -> HttpResponse<Body> {
    response(StatusCode::OK, json!({"status": "live"}))
}

async fn ready(State(readiness): State<Arc<Readiness>>) -> HttpResponse<Body> {
    let reasons = readiness.reasons().await;
    if reasons.is_empty() {
        response(StatusCode::OK, json!({"status": "ready"}))
    } else {
        response(StatusCode::SERVICE_UNAVAILABLE, json!({"status": "not ready", "reasons": reasons}))
    }
}

fn response(status: StatusCode, body: Value) -> HttpResponse<Body> {
    Response::json(status, body).with(header::CACHE_CONTROL, "no-store").into_http()
}

impl Readiness {
    /// Why the server is not ready; empty if it is. Concurrent requests wait for one check.
    async fn reasons(&self) -> Vec<&'static str> {
        let mut last = self.last.lock().await;
        if let Some((_, reasons)) = last.as_ref().filter(|(checked, _)| checked.elapsed() < CACHE_TTL) {
            return reasons.clone();
        }
        let reasons = tokio::time::timeout(TIMEOUT, self.check()).await.unwrap_or_else(|_| vec![UNREACHABLE]);
        if !reasons.is_empty() {
            tracing::warn!(?reasons, "not ready");
        }
        *last = Some((Instant::now(), reasons.clone()));
        reasons
    }

    async fn check(&self) -> Vec<&'static str> {
        let mut reasons = vec![];
        match self.engine.database.is_current().await {
            Ok(true) => {}
            Ok(false) => reasons.push(OTHER_SCHEMA),
            Err(problem) => {
                tracing::warn!(%problem, "the database does not respond");
                return vec![UNREACHABLE];
            }
        }
        match self.engine.database.is_writable().await {
            Ok(true) => {}
            Ok(false) => reasons.push(READ_ONLY),
            Err(problem) => {
                tracing::warn!(%problem, "the database does not respond");
                return vec![UNREACHABLE];
            }
        }
        if let Err(problem) = self.engine.vault.check(&self.engine.database).await {
            tracing::warn!(%problem, "secrets cannot be encrypted");
            reasons.push(NO_KEY);
        }
        reasons
    }
}
