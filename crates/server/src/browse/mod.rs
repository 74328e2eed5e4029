//! HTML pages of the API for browsers.
//!
//! A page shows the JSON response. It needs no script: methods and bodies that a form cannot send are fields of a POST,
//! see [`hostler_http::decode_form`].

mod markup;
mod negotiate;
mod page;

pub(crate) use negotiate::{Format, negotiate, prefers_plain_text};
pub(crate) use page::{PageContext, not_found_page, redirect_after_form, render_page};
