//! `/api/v2/metrics/`: figures for Prometheus, in AWX's names where AWX counts the same.

mod counters;
mod families;

use axum::http::StatusCode;

pub(crate) use counters::{AuthMethod, Counters, RoutePattern, standard_method};

use crate::browse::prefers_plain_text;
use crate::error::HandlerResult;
use crate::request::Request;
use crate::response::Response;
use crate::state::App;

/// `GET /api/v2/metrics/`, for whom the caller has found allowed. `dbonly=1` and `subsystemonly=1` leave out, as in AWX,
/// what this server has counted, or what stands in the database.
pub(crate) async fn show(app: &App, request: &Request) -> HandlerResult {
    let is_on = |name: &str| request.parameter(name) == Some("1");
    let mut found = vec![];
    if !is_on("subsystemonly") {
        found.extend(families::of_the_database(app, &request.settings).await?);
    }
    if !is_on("dbonly") {
        found.extend(families::of_this_server(&app.counters));
    }
    Ok(if prefers_plain_text(&request.headers, &request.query) {
        Response::text(StatusCode::OK, families::text(&found))
    } else {
        Response::ok(families::json(&found))
    })
}
