//! What people see before they are logged in.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value as Json, json};

use super::Category;
use crate::settings::Setting;
use crate::settings::value_type::{Problem, problem};

pub(crate) const CATEGORY: Category =
    Category { slug: "ui", name: "UI", settings: &[&CUSTOM_LOGIN_INFO, &CUSTOM_LOGO] };

pub(crate) static CUSTOM_LOGIN_INFO: Setting = Setting::text("CUSTOM_LOGIN_INFO", 10_000)
    .label("Words on the log-in page")
    .help("A notice for whoever is about to log in. Our own page shows it as plain text.");

pub(crate) static CUSTOM_LOGO: Setting = Setting::text("CUSTOM_LOGO", 1_000_000)
    .label("Logo on the log-in page")
    .rule(check_logo)
    .placeholder(|| json!("data:image/gif;base64,R0lGODlhAQABAIABAP///wAAACwAAAAAAQABAAACAkQBADs="))
    .help("A picture for the log-in page: a GIF, PNG or JPEG as a data URL in Base64.");

/// Only pictures that hold no script: SVG is none of them.
fn check_logo(value: &Json) -> Result<(), Problem> {
    let url = value.as_str().unwrap_or_default();
    if url.is_empty() {
        return Ok(());
    }
    let data = ["png", "jpeg", "gif"].iter().find_map(|kind| url.strip_prefix(&format!("data:image/{kind};base64,")));
    let is_plain = |data: &&str| {
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
        !data.is_empty() && data.bytes().all(is_letter)
    };
    let Some(data) = data.filter(is_plain) else {
        let message =
            "Invalid format for custom logo. Must be a data URL with a base64-encoded GIF, PNG or JPEG image.";
        return Err(problem(message));
    };
    BASE64_STANDARD.decode(data).map(|_| ()).map_err(|_| problem("Invalid base64-encoded data in data URL."))
}
