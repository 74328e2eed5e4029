//! Requests and responses as Hostler's handlers see them: bodies, forms, cookies, pages, and the statuses of errors.

mod body;
mod client_info;
mod cookies;
mod error;
mod form;
mod pages;
mod request;
mod response;

pub use body::{check_body_headers, read_body};
pub use client_info::ClientInfo;
pub use cookies::{
    CSRF_COOKIE, CSRF_HEADER, SESSION_COOKIE, SESSION_COOKIE_HEADER, check_csrf, cookie, csrf_cookie, csrf_token,
    with_csrf_cookie, with_csrf_token, with_session_cookie,
};
pub use error::{HandlerError, HandlerResult, error_response};
pub use form::{decode_form, is_form};
pub use pages::{STYLESHEET, policy_with_form_targets, render_template};
pub use request::{Request, is_safe};
pub use response::{Content, Response, StreamedContent, keep_format};
