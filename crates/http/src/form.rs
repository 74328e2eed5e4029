//! HTML forms as API requests. HTML sends GET and POST only, and no JSON, so a page's form is a POST with the real
//! method and body in its fields.
//!
//! Only sessions can use it: a request with an Authorization header is never read as a form, and each form of a session
//! needs the CSRF token. The result is an ordinary request, which all further checks see as if it had been sent that
//! way.

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use crate::cookies::CSRF_HEADER;
use crate::request::Request;
use crate::response::Response;

const MEDIA_TYPE: &str = "application/x-www-form-urlencoded";
/// The real method.
const METHOD: &str = "_method";
/// The real JSON body.
const CONTENT: &str = "_content";
/// The version of the object when the form was rendered.
const IF_MATCH: &str = "_if_match";
/// The CSRF token, with the name that AWX's clients use.
const TOKEN: &str = "csrfmiddlewaretoken";

/// Whether a request may be a form.
pub fn is_form(method: &Method, headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    method == Method::POST
        && media_type.eq_ignore_ascii_case(MEDIA_TYPE)
        && !headers.contains_key(header::AUTHORIZATION)
}

/// Decodes a session's form to the request that it contains. A form without a method is the request itself, after its
/// CSRF token is checked.
///
/// # Errors
/// 403 without the right token, 400 for a method that forms cannot send.
pub fn decode_form(request: &mut Request) -> Result<(), Response> {
    let mut fields: Vec<(String, String)> = form_urlencoded::parse(&request.body).into_owned().collect();
    let mut take = |name: &str| {
        let position = fields.iter().position(|(key, _)| key == name)?;
        Some(fields.swap_remove(position).1)
    };
    let in_header = request.headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok());
    request.check_csrf(take(TOKEN).as_deref().or(in_header))?;
    let refused = |words: &str| Response::detail(StatusCode::BAD_REQUEST, words);
    let Some(method) = take(METHOD) else { return Ok(()) };
    request.method = match method.as_str() {
        "POST" => Method::POST,
        "PUT" => Method::PUT,
        "PATCH" => Method::PATCH,
        "DELETE" => Method::DELETE,
        "OPTIONS" => Method::OPTIONS,
        _ => return Err(refused("The method of the form is not supported.")),
    };
    let has_body = [Method::POST, Method::PUT, Method::PATCH].contains(&request.method);
    request.body = take(CONTENT).filter(|_| has_body).unwrap_or_default().into_bytes();
    request.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // The length was that of the form.
    request.headers.remove(header::CONTENT_LENGTH);
    if let Some(tag) = take(IF_MATCH).filter(|tag| !tag.is_empty()) {
        let tag = HeaderValue::from_str(&tag)
            .map_err(|_| refused("The entity tag of the form is not a valid header value."))?;
        request.headers.insert(header::IF_MATCH, tag);
    }
    request.is_form = true;
    Ok(())
}
