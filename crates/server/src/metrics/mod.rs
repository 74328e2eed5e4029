//! `/api/v2/metrics/`: metrics for Prometheus, with AWX's names where AWX has the same metric.

mod counters;
mod gauges;
mod json;

use hostler_engine::Error;
use hostler_http::{HandlerResult, Request, Response};
use prometheus::TextEncoder;

pub(crate) use counters::{AuthMethod, Counters, RoutePattern, standard_method};

use crate::browse::prefers_plain_text;
use crate::state::App;

/// `GET /api/v2/metrics/`; the caller has checked the permission. As in AWX, `dbonly=1` selects the metrics of the
/// database, and `subsystemonly=1` those of this process.
pub(crate) async fn show(app: &App, request: &Request) -> HandlerResult {
    let is_set = |name: &str| request.parameter(name) == Some("1");
    let mut families = vec![];
    if !is_set("subsystemonly") {
        families.extend(gauges::database(app, &request.settings).await?);
    }
    if !is_set("dbonly") {
        families.extend(app.counters.gather());
        families.extend(gauges::process()?);
    }
    if prefers_plain_text(&request.headers, &request.query) {
        let text = TextEncoder::new().encode_to_string(&families);
        let text = text.map_err(|problem| Error::Internal(format!("metrics: {problem}")))?;
        return Ok(Response::text("text/plain", text));
    }
    Ok(Response::ok(json::encode(&families)))
}
