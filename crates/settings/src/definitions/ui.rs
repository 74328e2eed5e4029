//! Settings of the login page.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value as Json, json};

use super::Category;
use crate::setting::Setting;
use crate::value_type::{Messages, message};

pub(crate) const CATEGORY: Category = Category {
    slug: "ui",
    name: "UI",
    settings: &[&CUSTOM_LOGIN_INFO, &CUSTOM_LOGO, &PENDO_TRACKING_STATE, &MAX_UI_JOB_EVENTS, &UI_LIVE_UPDATES_ENABLED],
};

/// The notice on the login page.
pub static CUSTOM_LOGIN_INFO: Setting = Setting::string("CUSTOM_LOGIN_INFO", 10_000)
    .label("Login page text")
    .help("A notice on the login page. The built-in page shows it as plain text.");

/// The picture on the login page, as a data URL.
pub static CUSTOM_LOGO: Setting = Setting::string("CUSTOM_LOGO", 1_000_000)
    .label("Login page logo")
    .validator(check_logo)
    .placeholder(|| json!("data:image/gif;base64,R0lGODlhAQABAIABAP///wAAACwAAAAAAQABAAACAkQBADs="))
    .help("A picture on the login page: a GIF, PNG or JPEG as a Base64 data URL.");

/// Accepts only image types without scripts, so no SVG.
fn check_logo(value: &Json) -> Result<(), Messages> {
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
        let text = "Invalid format for custom logo. Must be a data URL with a base64-encoded GIF, PNG or JPEG image.";
        return Err(message(text));
    };
    BASE64_STANDARD.decode(data).map(|_| ()).map_err(|_| message("Invalid base64-encoded data in data URL."))
}

pub(crate) static PENDO_TRACKING_STATE: Setting = Setting::choice(
    "PENDO_TRACKING_STATE",
    &[("off", "Off"), ("anonymous", "Anonymous"), ("detailed", "Detailed")],
    "off",
)
.label("User interface analytics")
.read_only()
.help("Always off: no page sends data about its use.");

pub(crate) static MAX_UI_JOB_EVENTS: Setting = Setting::integer("MAX_UI_JOB_EVENTS", 4000, 100, i64::MAX)
    .label("Max Job Events Retrieved by UI")
    .required()
    .help("The most events of a job that a web interface reads at once.")
    .without_effect("for clients, which read it");

pub(crate) static UI_LIVE_UPDATES_ENABLED: Setting = Setting::boolean("UI_LIVE_UPDATES_ENABLED", true)
    .label("Enable Live Updates in the UI")
    .required()
    .help("Whether a web interface updates a page when events arrive.")
    .without_effect("for clients, which read it");
