//! Reading the body of a request.

use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Map, Value as Json};

use crate::response::Response;

/// The maximum body size, in bytes, as in AWX.
const MAX_LENGTH: usize = 2_621_440;
/// The timeout for the whole body.
const TIMEOUT: Duration = Duration::from_secs(30);

const WRONG_TYPE: &str = "You did not use correct Content-Type in your HTTP request. If you are using our REST API, the \
                          Content-Type must be application/json";

/// The bytes of a body.
///
/// # Errors
/// 413 for a long body, 408 for a slow one, 400 for one that breaks off.
pub async fn read_body(body: Body) -> Result<Vec<u8>, Response> {
    if body.is_end_stream() {
        return Ok(vec![]);
    }
    let limited = Limited::new(body, MAX_LENGTH);
    match tokio::time::timeout(TIMEOUT, limited.collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes().to_vec()),
        Ok(Err(problem)) if problem.is::<LengthLimitError>() => Err(too_long()),
        Ok(Err(_)) => Err(Response::detail(StatusCode::BAD_REQUEST, "The request's body broke off.")),
        Err(_) => Err(Response::detail(StatusCode::REQUEST_TIMEOUT, "The request's body did not arrive in time.")),
    }
}

fn too_long() -> Response {
    Response::detail(StatusCode::PAYLOAD_TOO_LARGE, format!("The request's body is longer than {MAX_LENGTH} bytes."))
}

/// Rejects a body by its headers, before it is read.
///
/// # Errors
/// 413 for a long body.
pub fn check_body_headers(headers: &HeaderMap) -> Result<(), Response> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > MAX_LENGTH) { Err(too_long()) } else { Ok(()) }
}

/// The JSON object in a body; an empty body is an empty object.
pub(crate) fn object(headers: &HeaderMap, bytes: &[u8]) -> Result<Map<String, Json>, Response> {
    let bad = |what: String| Response::detail(StatusCode::BAD_REQUEST, format!("JSON parse error - {what}"));
    if bytes.is_empty() {
        return Ok(Map::new());
    }
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    // curl sends this type for `-d '{…}'` without a content type. A body that is not JSON is still rejected.
    let from_curl = media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")
        && bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    if !(media_type.eq_ignore_ascii_case("application/json") || from_curl) {
        return Err(Response::detail(StatusCode::UNSUPPORTED_MEDIA_TYPE, WRONG_TYPE));
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    match serde_json::from_slice(bytes) {
        Ok(Json::Object(object)) => Ok(object),
        Ok(Json::Null) => Err(Response::json(
            StatusCode::BAD_REQUEST,
            serde_json::json!({"__all__": ["This field may not be null."]}),
        )),
        Ok(_) => Err(bad("not a JSON object".into())),
        // serde_json reports line and column, but no content.
        Err(problem) => Err(bad(format!("{problem}\nPossible cause: trailing comma."))),
    }
}
