//! HTML pages of the API for browsers.
//!
//! A page shows the JSON response. It needs no script: methods and bodies that a form cannot send are fields of a POST,
//! see [`form`].

pub(crate) mod form;
mod markup;
mod negotiate;
mod page;
mod templates;

pub(crate) use negotiate::{Format, negotiate, prefers_plain_text};
pub(crate) use page::{PageContext, not_found_page, redirect_after_form, render_page};
pub(crate) use templates::{ConsentPage, LoginPage, STYLESHEET, consent_error_page};

/// The content security policy of pages: the server's own stylesheet and forms; no scripts and no external resources,
/// even if HTML is injected.
pub(crate) const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
