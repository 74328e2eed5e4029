//! Settings of authentication.

use hostler_ldap::SETTING_PREFIXES;
use serde_json::{Map, Value as Json, json};

use super::Category;
use crate::setting::Setting;
use crate::value_type::{CustomType, Messages, ValueType, message, object};
use crate::values::Settings;

pub(crate) const CATEGORY: Category = Category {
    slug: "authentication",
    name: "Authentication",
    settings: &[
        &SESSION_COOKIE_AGE,
        &SESSIONS_PER_USER,
        &WEBSOCKETS_PER_USER,
        &DISABLE_LOCAL_AUTH,
        &AUTH_BASIC_ENABLED,
        &AUTHENTICATION_BACKENDS,
        &OAUTH2_PROVIDER,
        &ALLOW_OAUTH2_FOR_EXTERNAL_USERS,
        &LOGIN_REDIRECT_OVERRIDE,
        &ALLOW_METRICS_FOR_ANONYMOUS_USERS,
        &LOCAL_PASSWORD_MIN_LENGTH,
        &LOCAL_PASSWORD_MIN_DIGITS,
        &LOCAL_PASSWORD_MIN_UPPER,
        &LOCAL_PASSWORD_MIN_SPECIAL,
        &LOCAL_PASSWORD_REFUSE_COMMON,
        &LOGIN_FAILURES_UNTIL_DELAY,
        &LOGIN_LONGEST_DELAY,
        &LOGIN_FAILURES_UNTIL_LOCK,
        &LOGIN_LOCK_SECONDS,
    ],
};

const YEAR: i64 = 31_536_000;
/// The greatest minimum: passwords have at most 128 characters.
const MAX_PASSWORD_LENGTH: i64 = 128;

/// AWX accepts up to this many seconds, some 950 years; [`session_seconds`] caps the effect.
const MAX_SESSION_COOKIE_AGE: i64 = 30_000_000_000;
/// The maximum time that a session lasts without a request.
const MAX_SESSION_SECONDS: i64 = 30 * YEAR;

pub(crate) static SESSION_COOKIE_AGE: Setting =
    Setting::integer("SESSION_COOKIE_AGE", 1800, 60, MAX_SESSION_COOKIE_AGE)
        .label("Session idle timeout")
        .unit("seconds")
        .required()
        .help("How many seconds a session lasts after its latest request. The effective maximum is 30 years.");

/// How many seconds a session lasts after its latest request.
pub fn session_seconds(settings: &Settings) -> i64 {
    settings.integer(&SESSION_COOKIE_AGE).min(MAX_SESSION_SECONDS)
}

/// The maximum number of sessions of a user.
pub static SESSIONS_PER_USER: Setting = Setting::integer("SESSIONS_PER_USER", -1, -1, i32::MAX as i64)
    .label("Maximum sessions per user")
    .required()
    .help(
        "The maximum number of simultaneous sessions of a user. One more login ends the oldest session. -1 sets no limit.",
    );

/// The maximum number of WebSockets of a user on a server.
pub static WEBSOCKETS_PER_USER: Setting =
    Setting::integer("WEBSOCKETS_PER_USER", 2000, 1, i32::MAX as i64).label("Maximum WebSockets per user").help(
        "The maximum number of simultaneous WebSockets of a user on each server. One more is rejected with status 429.",
    );

/// Whether local passwords are rejected.
pub static DISABLE_LOCAL_AUTH: Setting =
    Setting::boolean("DISABLE_LOCAL_AUTH", false).label("Disable local authentication").required().help(
        "Rejects users without an external account: their passwords, sessions and tokens are invalid while this is on. \
         It can be switched on only if another authentication system is configured.",
    );

/// Whether HTTP Basic authentication is accepted.
pub static AUTH_BASIC_ENABLED: Setting = Setting::boolean("AUTH_BASIC_ENABLED", true)
    .label("Enable HTTP Basic authentication")
    .required()
    .help("Accepts a username and a password with each request (HTTP Basic). If this is off, they are ignored.");

pub(crate) static AUTHENTICATION_BACKENDS: Setting =
    Setting::derived("AUTHENTICATION_BACKENDS", ValueType::StringList, authentication_backends)
        .label("Authentication backends")
        .help(
            "The authentication systems in use, by the names of AWX's classes, in the order in which they are tried.",
        );

/// AWX's class of each configured directory, then that of local users.
fn authentication_backends(settings: &Settings) -> Json {
    let directories = SETTING_PREFIXES.iter().enumerate().filter(|(_, prefix)| settings.has_directory(prefix));
    let directories = directories.map(|(number, _)| match number {
        0 => "awx.sso.backends.LDAPBackend".to_owned(),
        number => format!("awx.sso.backends.LDAPBackend{number}"),
    });
    directories.chain(["awx.main.backends.AWXModelBackend".to_owned()]).collect()
}

pub(crate) static OAUTH2_PROVIDER: Setting = Setting::custom("OAUTH2_PROVIDER", &LIFETIMES_TYPE, default_lifetimes)
    .label("OAuthOAuth2 lifetimes")
    .unit("seconds")
    .help(
        "The lifetimes of new access tokens, authorization codes and refresh tokens, in seconds. A lifetime that is not \
         named has its default. Effective are at most 100 years for tokens and one day for authorization codes.",
    );

pub(crate) static ALLOW_OAUTH2_FOR_EXTERNAL_USERS: Setting =
    Setting::boolean("ALLOW_OAUTH2_FOR_EXTERNAL_USERS", false).label("Tokens for external users").help(
        "Allows users with an external account (LDAP or an identity provider) to create tokens. Existing tokens stay valid.",
    );

/// Whether metrics need no authentication.
pub static ALLOW_METRICS_FOR_ANONYMOUS_USERS: Setting = Setting::boolean("ALLOW_METRICS_FOR_ANONYMOUS_USERS", false)
    .label("Metrics without authentication")
    .help("Serves /api/v2/metrics/ without authentication; otherwise only superusers and system auditors read it.");

/// Where browsers log in instead of with the built-in form.
pub static LOGIN_REDIRECT_OVERRIDE: Setting = Setting::string("LOGIN_REDIRECT_OVERRIDE", 2048)
    .label("Login redirect")
    .validator(check_redirect)
    .help(
        "Where a browser that is not logged in is redirected instead of to the built-in login form: a path of this server \
         or the URL of another. /api/login/ always shows the form.",
    );

pub(crate) static LOCAL_PASSWORD_MIN_LENGTH: Setting = password_minimum("LOCAL_PASSWORD_MIN_LENGTH")
    .label("Minimum password length")
    .help("The minimum number of characters in a new password. 0 sets no limit.");

pub(crate) static LOCAL_PASSWORD_MIN_DIGITS: Setting = password_minimum("LOCAL_PASSWORD_MIN_DIGITS")
    .label("Minimum digits in a password")
    .help("The minimum number of digits in a new password. 0 sets no limit.");

pub(crate) static LOCAL_PASSWORD_MIN_UPPER: Setting = password_minimum("LOCAL_PASSWORD_MIN_UPPER")
    .label("Minimum upper-case letters in a password")
    .help("The minimum number of upper-case letters in a new password. 0 sets no limit.");

pub(crate) static LOCAL_PASSWORD_MIN_SPECIAL: Setting = password_minimum("LOCAL_PASSWORD_MIN_SPECIAL")
    .label("Minimum special characters in a password")
    .help("The minimum number of characters that are neither letters nor digits in a new password. 0 sets no limit.");

pub(crate) static LOCAL_PASSWORD_REFUSE_COMMON: Setting = Setting::boolean("LOCAL_PASSWORD_REFUSE_COMMON", false)
    .label("Reject common passwords")
    .help("Rejects a new password that is one of the 20,000 most common in leaked lists, regardless of case.");

/// The number of failed logins without a delay.
pub static LOGIN_FAILURES_UNTIL_DELAY: Setting =
    Setting::integer("LOGIN_FAILURES_UNTIL_DELAY", 5, 0, 1000).label("Failed logins until delays").help(
        "After this many wrong passwords or codes for a user, further attempts are delayed increasingly. Networks from \
         which the user logged in recently are counted separately. 0 disables delays.",
    );

/// The maximum delay after failed logins, in seconds.
pub static LOGIN_LONGEST_DELAY: Setting = Setting::integer("LOGIN_LONGEST_DELAY", 60, 1, 3600)
    .label("Maximum login delay")
    .unit("seconds")
    .help("The maximum delay after failed logins.");

/// The number of failed logins that locks a user; 0 for never.
pub static LOGIN_FAILURES_UNTIL_LOCK: Setting = Setting::integer("LOGIN_FAILURES_UNTIL_LOCK", 0, 0, 100_000)
    .label("Failed logins until a lock")
    .help(
        "After this many failed logins, each less than an hour after the previous one, the user cannot log in until the \
         lock expires or is removed. Sessions and tokens stay valid. 0 disables locks: with locks, anyone can lock out \
         others.",
    );

/// How many seconds a lock lasts.
pub static LOGIN_LOCK_SECONDS: Setting = Setting::integer("LOGIN_LOCK_SECONDS", 900, 1, 31_536_000)
    .label("Lock duration")
    .unit("seconds")
    .help("How many seconds a user is locked out after too many failed logins.");

const fn password_minimum(name: &'static str) -> Setting {
    Setting::integer(name, 0, 0, MAX_PASSWORD_LENGTH)
}

/// The lifetimes of what OAuth2 issues: name, default and cap in seconds. A longer time is accepted, because AWX's own
/// default for access tokens is 1,000 years, and capped when it is used. No lifetime is unlimited, as AWX's refresh tokens once
/// were (CVE-2020-10709); RFC 6749, section 4.1.2, wants short-lived codes.
const LIFETIMES: [(&str, i64, i64); 3] = [
    ("ACCESS_TOKEN_EXPIRE_SECONDS", YEAR, 100 * YEAR),
    ("AUTHORIZATION_CODE_EXPIRE_SECONDS", 600, 86_400),
    ("REFRESH_TOKEN_EXPIRE_SECONDS", 2_628_000, 100 * YEAR),
];
/// The bounds of a lifetime as it is sent.
const LIFETIME_BOUNDS: (i64, i64) = (1, i64::MAX);

static LIFETIMES_TYPE: CustomType = CustomType {
    name: "nested object",
    child: Some(|| json!({"type": "integer", "required": true, "read_only": false, "min_value": 1})),
    check: check_lifetimes,
    json_schema: || {
        let parts = LIFETIMES.map(|(name, ..)| (name.to_owned(), json!({"type": "integer", "minimum": 1})));
        json!({"type": "object", "properties": Map::from_iter(parts), "additionalProperties": false})
    },
};

fn default_lifetimes() -> Json {
    LIFETIMES.iter().map(|(name, seconds, ..)| ((*name).to_owned(), Json::from(*seconds))).collect()
}

/// Keeps what is sent, without defaults: clients compare the response with their request.
fn check_lifetimes(value: &Json) -> Result<Json, Messages> {
    let sent = object(value)?;
    let unknown: Vec<&str> =
        sent.keys().map(String::as_str).filter(|name| !LIFETIMES.iter().any(|(known, ..)| known == name)).collect();
    let (mut values, mut invalid) = (Map::new(), Map::new());
    for (name, ..) in LIFETIMES {
        match sent.get(name).map(|value| hostler_engine::scalars::integer(value, LIFETIME_BOUNDS)) {
            Some(Err(text)) => invalid.insert(name.to_owned(), message(text)),
            Some(Ok(seconds)) => values.insert(name.to_owned(), seconds.into()),
            None => None,
        };
    }
    if !invalid.is_empty() {
        return Err(invalid.into());
    }
    if !unknown.is_empty() {
        return Err(message(format!("Invalid key names: {}", unknown.join(", "))));
    }
    Ok(values.into())
}

/// The effective lifetimes of OAuth2, in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct OAuthLifetimes {
    /// Of an access token.
    pub access_token: i64,
    /// Of an authorization code.
    pub authorization_code: i64,
    /// Of a refresh token.
    pub refresh_token: i64,
}

impl OAuthLifetimes {
    pub(crate) fn of(settings: &Settings) -> Self {
        let value = settings.value(&OAUTH2_PROVIDER);
        let [access_token, authorization_code, refresh_token] =
            LIFETIMES.map(|(name, default, cap)| value[name].as_i64().unwrap_or(default).min(cap));
        OAuthLifetimes { access_token, authorization_code, refresh_token }
    }
}

/// Without local authentication another authentication system must exist, else nobody could log in to undo it.
pub(super) fn someone_can_authenticate(new: &Settings) -> Result<(), &'static str> {
    if new.local_auth_disabled && !new.has_directories {
        return Err("There are no remote authentication systems configured.");
    }
    Ok(())
}

/// Accepts a path of this server or an http or https URL.
fn check_redirect(value: &Json) -> Result<(), Messages> {
    let target = value.as_str().unwrap_or_default();
    let is_path = target.starts_with('/') && !target.starts_with("//");
    let is_url = url::Url::parse(target).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let is_plain = !target.contains(|letter: char| letter.is_control() || letter == '\\');
    if target.is_empty() || (is_plain && (is_path || is_url)) { Ok(()) } else { Err(message("Enter a valid URL")) }
}
