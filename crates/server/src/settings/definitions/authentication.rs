//! How users prove who they are, and for how long that holds.

use serde_json::{Map, Value as Json, json};

use super::Category;
use crate::settings::value_type::{Problem, Shape, object, problem};
use crate::settings::{Setting, Settings};

pub(crate) const CATEGORY: Category = Category {
    slug: "authentication",
    name: "Authentication",
    settings: &[
        &SESSION_COOKIE_AGE,
        &SESSIONS_PER_USER,
        &DISABLE_LOCAL_AUTH,
        &AUTH_BASIC_ENABLED,
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
/// More characters than any password may have.
const LONGEST_PASSWORD: i64 = 128;

/// AWX accepts up to this many seconds, some 950 years; [`session_seconds`] caps what comes of it.
const MAX_SESSION_COOKIE_AGE: i64 = 30_000_000_000;
/// The longest time that a session lasts without a request, whatever the setting says.
const MAX_SESSION_SECONDS: i64 = 30 * YEAR;

pub(crate) static SESSION_COOKIE_AGE: Setting =
    Setting::integer("SESSION_COOKIE_AGE", 1800, 60, MAX_SESSION_COOKIE_AGE)
        .label("Idle time until a session ends")
        .unit("seconds")
        .required()
        .help(
            "For how many seconds the session of a browser lasts after its latest request. More than 30 years count as \
             30 years.",
        );

/// For how many seconds a session lasts after its latest request.
pub(crate) fn session_seconds(settings: &Settings) -> i64 {
    settings.integer(&SESSION_COOKIE_AGE).min(MAX_SESSION_SECONDS)
}

pub(crate) static SESSIONS_PER_USER: Setting = Setting::integer("SESSIONS_PER_USER", -1, -1, i32::MAX as i64)
    .label("Most sessions of a user at once")
    .required()
    .help(
        "How many sessions a user can have at the same time: a log-in beyond that ends the oldest. -1 sets no limit.",
    );

pub(crate) static DISABLE_LOCAL_AUTH: Setting =
    Setting::boolean("DISABLE_LOCAL_AUTH", false).label("Refuse local passwords").required().help(
        "Whether users whom no directory vouches for are kept out: their passwords, sessions and tokens count for \
         nothing. It can be switched on only where users can sign in otherwise.",
    );

pub(crate) static AUTH_BASIC_ENABLED: Setting = Setting::boolean("AUTH_BASIC_ENABLED", true)
    .label("Accept passwords with each request")
    .required()
    .help("Whether a name and a password may come with each request (HTTP Basic). Without it they are ignored there.");

pub(crate) static OAUTH2_PROVIDER: Setting = Setting::shaped("OAUTH2_PROVIDER", &LIFETIME_SHAPE, default_lifetimes)
    .label("Lifetimes of OAuth2")
    .unit("seconds")
    .help(
        "For how many seconds access tokens, authorization codes and refresh tokens are good. It counts for those that \
         are made from now on. What is not named has its default. At most 100 years count for tokens, and a day for \
         authorization codes.",
    );

pub(crate) static ALLOW_OAUTH2_FOR_EXTERNAL_USERS: Setting =
    Setting::boolean("ALLOW_OAUTH2_FOR_EXTERNAL_USERS", false).label("Tokens for external users").help(
        "Whether users whom a directory or an identity provider vouches for may make tokens. Tokens that exist stay.",
    );

pub(crate) static ALLOW_METRICS_FOR_ANONYMOUS_USERS: Setting =
    Setting::boolean("ALLOW_METRICS_FOR_ANONYMOUS_USERS", false)
        .label("Show metrics to anybody")
        .help("Whether /api/v2/metrics/ answers everybody, logged in or not, and not only superusers and auditors.");

pub(crate) static LOGIN_REDIRECT_OVERRIDE: Setting = Setting::text("LOGIN_REDIRECT_OVERRIDE", 2048)
    .label("Where to log in")
    .rule(redirect)
    .help(
        "The address to which a browser is sent that asks for a page without being logged in, in place of our own form: \
         a path of this server or the address of another. /api/login/ always shows the form.",
    );

pub(crate) static LOCAL_PASSWORD_MIN_LENGTH: Setting = counted("LOCAL_PASSWORD_MIN_LENGTH")
    .label("Fewest characters of a password")
    .help("How many characters a new password must have at least. 0 sets no limit.");

pub(crate) static LOCAL_PASSWORD_MIN_DIGITS: Setting = counted("LOCAL_PASSWORD_MIN_DIGITS")
    .label("Fewest digits in a password")
    .help("How many digits a new password must have at least. 0 sets no limit.");

pub(crate) static LOCAL_PASSWORD_MIN_UPPER: Setting = counted("LOCAL_PASSWORD_MIN_UPPER")
    .label("Fewest upper-case letters in a password")
    .help("How many upper-case letters a new password must have at least. 0 sets no limit.");

pub(crate) static LOCAL_PASSWORD_MIN_SPECIAL: Setting = counted("LOCAL_PASSWORD_MIN_SPECIAL")
    .label("Fewest special characters in a password")
    .help("How many characters a new password must have at least that are neither letter nor digit. 0 sets no limit.");

pub(crate) static LOCAL_PASSWORD_REFUSE_COMMON: Setting =
    Setting::boolean("LOCAL_PASSWORD_REFUSE_COMMON", false).label("Refuse common passwords").help(
        "Whether a new password is refused that is one of some 20,000 which turned up most often in leaks, whatever the \
         case of its letters.",
    );

pub(crate) static LOGIN_FAILURES_UNTIL_DELAY: Setting =
    Setting::integer("LOGIN_FAILURES_UNTIL_DELAY", 5, 0, 1000).label("Failed attempts until delays").help(
        "After so many wrong passwords or codes for a user, further attempts are delayed, more and more. Places from \
         which the user signed in lately are counted for themselves. 0 delays none.",
    );

pub(crate) static LOGIN_LONGEST_DELAY: Setting = Setting::integer("LOGIN_LONGEST_DELAY", 60, 1, 3600)
    .label("Longest delay")
    .unit("seconds")
    .help("How long the delays after failed attempts become at most.");

pub(crate) static LOGIN_FAILURES_UNTIL_LOCK: Setting = Setting::integer("LOGIN_FAILURES_UNTIL_LOCK", 0, 0, 100_000)
    .label("Failed attempts until a lock")
    .help(
        "After so many failed attempts, with less than an hour from one to the next, a user can sign in no more until the \
         lock ends or somebody ends it. Sessions and tokens go on. 0 locks nobody: whoever wants can lock out others.",
    );

pub(crate) static LOGIN_LOCK_SECONDS: Setting = Setting::integer("LOGIN_LOCK_SECONDS", 900, 1, 31_536_000)
    .label("How long a lock lasts")
    .unit("seconds")
    .help("For how many seconds a user is locked out after too many failed attempts.");

const fn counted(name: &'static str) -> Setting {
    Setting::integer(name, 0, 0, LONGEST_PASSWORD)
}

/// The lifetimes of what OAuth2 issues: name, default and cap in seconds. A longer time is accepted, because AWX's own
/// default for access tokens is 1,000 years, and capped when it is used. So none is endless, as AWX's refresh tokens once
/// were (CVE-2020-10709); RFC 6749, section 4.1.2, wants short-lived codes.
const LIFETIMES: [(&str, i64, i64); 3] = [
    ("ACCESS_TOKEN_EXPIRE_SECONDS", YEAR, 100 * YEAR),
    ("AUTHORIZATION_CODE_EXPIRE_SECONDS", 600, 86_400),
    ("REFRESH_TOKEN_EXPIRE_SECONDS", 2_628_000, 100 * YEAR),
];
/// The bounds of a lifetime as it is sent.
const LIFETIME_BOUNDS: (i64, i64) = (1, i64::MAX);

static LIFETIME_SHAPE: Shape = Shape {
    type_name: "nested object",
    child: Some(|| json!({"type": "integer", "required": true, "read_only": false, "min_value": 1})),
    check: check_lifetimes,
    schema: || {
        let parts = LIFETIMES.map(|(name, ..)| (name.to_owned(), json!({"type": "integer", "minimum": 1})));
        json!({"type": "object", "properties": Map::from_iter(parts), "additionalProperties": false})
    },
};

fn default_lifetimes() -> Json {
    LIFETIMES.iter().map(|(name, seconds, ..)| ((*name).to_owned(), Json::from(*seconds))).collect()
}

/// Kept as it is sent: what is not named has its default, and clients that compare find what they sent.
fn check_lifetimes(value: &Json) -> Result<Json, Problem> {
    let sent = object(value)?;
    let unknown: Vec<&str> =
        sent.keys().map(String::as_str).filter(|name| !LIFETIMES.iter().any(|(known, ..)| known == name)).collect();
    let (mut values, mut problems) = (Map::new(), Map::new());
    for (name, ..) in LIFETIMES {
        match sent.get(name).map(|value| hostler_engine::scalars::integer(value, LIFETIME_BOUNDS)) {
            Some(Err(message)) => problems.insert(name.to_owned(), json!([message])),
            Some(Ok(seconds)) => values.insert(name.to_owned(), seconds.into()),
            None => None,
        };
    }
    if !problems.is_empty() {
        return Err(problems.into());
    }
    if !unknown.is_empty() {
        return Err(problem(format!("Invalid key names: {}", unknown.join(", "))));
    }
    Ok(values.into())
}

/// For how many seconds what OAuth2 hands out is good.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lifetimes {
    pub access_token: i64,
    pub authorization_code: i64,
    pub refresh_token: i64,
}

impl Lifetimes {
    pub(crate) fn of(settings: &Settings) -> Self {
        let value = settings.value(&OAUTH2_PROVIDER);
        let [access_token, authorization_code, refresh_token] =
            LIFETIMES.map(|(name, default, cap)| value[name].as_i64().unwrap_or(default).min(cap));
        Lifetimes { access_token, authorization_code, refresh_token }
    }
}

/// Local passwords may be refused only where there is another way in, else nobody would be left to undo it.
pub(super) fn somebody_can_sign_in(new: &Settings) -> Result<(), &'static str> {
    if new.boolean(&DISABLE_LOCAL_AUTH) && !new.has_directories() {
        return Err("There are no remote authentication systems configured.");
    }
    Ok(())
}

/// A place that a browser may be sent to.
fn redirect(value: &Json) -> Result<(), Problem> {
    let place = value.as_str().unwrap_or_default();
    let is_path = place.starts_with('/') && !place.starts_with("//");
    let is_address = url::Url::parse(place).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let is_plain = !place.contains(|letter: char| letter.is_control() || letter == '\\');
    if place.is_empty() || (is_plain && (is_path || is_address)) { Ok(()) } else { Err(problem("Enter a valid URL")) }
}
