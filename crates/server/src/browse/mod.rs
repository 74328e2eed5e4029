//! The same answers as pages for people: what a browser shows of the API.
//!
//! A page is made of the very answer that a program would get. It needs no
//! script: what a form cannot send by itself travels inside a POST, see [`form`].

pub(crate) mod form;
mod markup;
mod negotiate;
mod page;
mod templates;

pub(crate) use negotiate::{Format, negotiate, prefers_plain_text};
pub(crate) use page::{PageContext, not_found_page, redirect_after_form, render_page};
pub(crate) use templates::{ConsentPage, LoginPage, STYLESHEET, consent_error_page};

/// What pages may do: show our own stylesheet and send forms to ourselves; no
/// script runs and nothing is fetched from elsewhere, whatever slips into the text.
pub(crate) const CONTENT_SECURITY_POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
