//! Session and CSRF cookies.

use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use hostler_identity::csrf;
use hostler_settings::Settings;
use hostler_settings::definitions::authentication::session_seconds;

use crate::client_info::ClientInfo;
use crate::request::Request;
use crate::response::Response;

/// The session cookie, with AWX's name.
pub const SESSION_COOKIE: &str = "awx_sessionid";
/// The cookie with the CSRF token, which session requests that write must repeat in a header or a form field.
pub const CSRF_COOKIE: &str = "csrftoken";
/// The header with the CSRF token.
pub const CSRF_HEADER: &str = "x-csrftoken";
/// The header with the name of the session cookie.
pub const SESSION_COOKIE_HEADER: HeaderName = HeaderName::from_static("x-api-session-cookie-name");

/// The value of a request cookie.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    values.into_iter().find_map(|value| hostler_identity::header::cookie(value, name))
}

/// Checks the CSRF token from the header or the form against the cookie, and the request's origin.
///
/// # Errors
/// 403: the request may have been forged by another site.
pub fn check_csrf(
    settings: &Settings,
    client: ClientInfo,
    headers: &HeaderMap,
    sent: Option<&str>,
) -> Result<(), Response> {
    let failed = |why: &str| Response::detail(StatusCode::FORBIDDEN, format!("CSRF Failed: {why}"));
    if !client.is_same_origin(settings, headers) {
        return Err(failed("Origin checking failed: the request does not come from this site."));
    }
    match (cookie(headers, CSRF_COOKIE), sent) {
        (None, _) => Err(failed("CSRF cookie not set.")),
        (_, None) => Err(failed("CSRF token missing.")),
        (Some(cookie), Some(sent)) if csrf::matches(cookie, sent) => Ok(()),
        _ => Err(failed("CSRF token incorrect.")),
    }
}

/// Sets the CSRF cookie unless the browser has one.
pub fn with_csrf_cookie(response: Response, request: &Request) -> Response {
    match cookie(&request.headers, CSRF_COOKIE) {
        Some(_) => response,
        None => with_csrf_token(response, request, &csrf::new_token()),
    }
}

/// Sets the session cookie, with the session's lifetime.
pub fn with_session_cookie(response: Response, request: &Request, secret: &str) -> Response {
    let seconds = session_seconds(&request.settings);
    let cookie = format!("{SESSION_COOKIE}={secret}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}");
    response.with(header::SET_COOKIE, request.cookie(cookie))
}

/// The browser's CSRF token, or a new one if it has none or a malformed one.
pub fn csrf_token(headers: &HeaderMap) -> String {
    let known = cookie(headers, CSRF_COOKIE).filter(|token| csrf::matches(token, token));
    known.map_or_else(csrf::new_token, str::to_owned)
}

/// Sets the CSRF cookie to the token in the page's form.
pub fn with_csrf_token(response: Response, request: &Request, token: &str) -> Response {
    response.with(header::SET_COOKIE, request.cookie(csrf_cookie(token)))
}

/// The CSRF cookie.
pub fn csrf_cookie(token: &str) -> String {
    // Not HttpOnly: scripts of clients read it to send it in the header.
    format!("{CSRF_COOKIE}={token}; Path=/; Max-Age=31449600; SameSite=Lax")
}
