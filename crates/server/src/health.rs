//! What load balancers and supervisors ask: whether the server lives, and whether it can serve.
//!
//! Both answer anybody and outside of the API, so they tell nothing but fixed words, and many who ask at once cost no
//! more than one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response as HttpResponse, StatusCode, header};
use axum::routing::get;
use hostler_engine::Engine;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::response::Response;

/// How long an answer is given again without looking.
const MEMORY: Duration = Duration::from_secs(1);
/// How long the database may take to answer: less than the patience of who asks.
const PATIENCE: Duration = Duration::from_secs(3);

const UNREACHABLE: &str = "The database does not answer.";
const OTHER_SCHEMA: &str = "The schema of the database belongs to another version of Hostler.";
const READ_ONLY: &str = "The database takes no changes: it is a standby, or was made read-only.";
const NO_KEY: &str = "The key that seals secrets is missing.";

/// What is needed to tell whether requests can be served.
struct Readiness {
    engine: Engine,
    /// What was found last, and when.
    last: Mutex<Option<(Instant, Vec<&'static str>)>>,
}

/// The paths of [`routes`].
pub(crate) const PATHS: [&str; 2] = ["/healthz", "/readyz"];

/// Answers at [`PATHS`].
pub(crate) fn routes(engine: Engine) -> Router {
    let readiness = Arc::new(Readiness { engine, last: Mutex::default() });
    Router::new().route(PATHS[0], get(live)).route(PATHS[1], get(ready)).with_state(readiness)
}

async fn live() -> HttpResponse<Body> {
    answer(StatusCode::OK, json!({"status": "live"}))
}

async fn ready(State(readiness): State<Arc<Readiness>>) -> HttpResponse<Body> {
    let reasons = readiness.reasons().await;
    if reasons.is_empty() {
        answer(StatusCode::OK, json!({"status": "ready"}))
    } else {
        answer(StatusCode::SERVICE_UNAVAILABLE, json!({"status": "not ready", "reasons": reasons}))
    }
}

fn answer(status: StatusCode, body: Value) -> HttpResponse<Body> {
    Response::json(status, body).with(header::CACHE_CONTROL, "no-store").into_http()
}

impl Readiness {
    /// Why requests cannot be served; empty if they can. Whoever asks while another finds out waits for that.
    async fn reasons(&self) -> Vec<&'static str> {
        let mut last = self.last.lock().await;
        if let Some((_, reasons)) = last.as_ref().filter(|(found, _)| found.elapsed() < MEMORY) {
            return reasons.clone();
        }
        let reasons = tokio::time::timeout(PATIENCE, self.look()).await.unwrap_or_else(|_| vec![UNREACHABLE]);
        if !reasons.is_empty() {
            tracing::warn!(?reasons, "not ready");
        }
        *last = Some((Instant::now(), reasons.clone()));
        reasons
    }

    async fn look(&self) -> Vec<&'static str> {
        let mut reasons = vec![];
        match self.engine.database.is_current().await {
            Ok(true) => {}
            Ok(false) => reasons.push(OTHER_SCHEMA),
            Err(problem) => {
                tracing::warn!(%problem, "the database does not answer");
                return vec![UNREACHABLE];
            }
        }
        match self.engine.database.is_writable().await {
            Ok(true) => {}
            Ok(false) => reasons.push(READ_ONLY),
            Err(problem) => {
                tracing::warn!(%problem, "the database does not answer");
                return vec![UNREACHABLE];
            }
        }
        if let Err(problem) = self.engine.vault.check(&self.engine.database).await {
            tracing::warn!(%problem, "secrets cannot be sealed");
            reasons.push(NO_KEY);
        }
        reasons
    }
}
