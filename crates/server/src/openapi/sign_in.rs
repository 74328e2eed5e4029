//! The paths below a user that are about signing in.

use hostler_engine::openapi::key_parameter;
use hostler_resources::USER;
use serde_json::{Map, Value as Json, json};

use super::Operation;
use super::responses::{ALWAYS, WRITING, empty_response, json_response};

pub(super) fn paths() -> Map<String, Json> {
    let below = |rest: &str| format!("/api/v2/users/{{key}}/{rest}/");
    let with_key = |mut item: Json| {
        if let Some(item) = item.as_object_mut() {
            item.insert("parameters".into(), json!([key_parameter(&USER)]));
        }
        item
    };
    [
        (below("sign_in"), with_key(sign_in())),
        (below("second_factor"), with_key(second_factor())),
        (
            below("second_factor/verify"),
            with_key(json!({"post": post(
                "verify",
                "Show that the device of a new second factor works",
                &["code"],
                ("200", json_response("From now on a code is asked for. These are shown once.", codes(), &[])),
            )})),
        ),
        (
            below("second_factor/recovery_codes"),
            with_key(json!({"post": post(
                "recovery_codes",
                "Make new recovery codes in place of the old",
                &["password", "code"],
                ("200", json_response("The new codes, shown once.", codes(), &[])),
            )})),
        ),
        (
            below("second_factor/disable"),
            with_key(json!({"post": post(
                "disable",
                "Do without a second factor",
                &["password", "code"],
                ("204", empty_response("No code is asked for any more.")),
            )})),
        ),
    ]
    .into_iter()
    .collect()
}

fn time(words: &str) -> Json {
    json!({"type": ["string", "null"], "format": "date-time", "description": words})
}

fn number(words: &str) -> Json {
    json!({"type": "integer", "minimum": 0, "description": words})
}

fn text() -> Json {
    json!({"type": "string"})
}

fn codes() -> Json {
    json!({
        "type": "object",
        "properties": {"recovery_codes": {"type": "array", "items": {"type": "string"}}},
        "required": ["recovery_codes"],
    })
}

fn post(id: &str, summary: &str, fields: &[&str], good: (&'static str, Json)) -> Json {
    let properties: Map<String, Json> = fields.iter().map(|name| ((*name).to_owned(), text())).collect();
    let body = json!({"type": "object", "properties": properties, "required": fields});
    Operation::new(format!("users_second_factor_{id}"), USER.plural, summary)
        .describe("For oneself only.")
        .writes()
        .body(body, true)
        .responses(vec![good], WRITING)
        .into()
}

fn sign_in() -> Json {
    let left = json!({"type": ["integer", "null"], "description": "Recovery codes left, of a second factor."});
    let schema = json!({
        "type": "object",
        "properties": {
            "user": {"type": "integer"},
            "type": {"type": "string", "const": "sign_in"},
            "url": text(),
            "is_active": {"type": "boolean", "description": "Whether the user may sign in."},
            "failed_attempts": number("Failed attempts, with less than an hour from one to the next and to now."),
            "last_failure": time("When the last attempt failed."),
            "last_failure_address": {"type": ["string", "null"], "description": "From where it came."},
            "locked_until": time("Until when the user is locked out."),
            "second_factor": {"type": "boolean", "description": "Whether a code is asked for beside the password."},
            "recovery_codes_left": left,
            "sessions": number("Sessions that are open."),
        },
        "required": ["user", "is_active", "failed_attempts", "locked_until", "second_factor", "sessions"],
    });
    let state = || vec![("200", json_response("How signing in stands for the user.", schema.clone(), &[]))];
    let get = Operation::new("users_sign_in_read", USER.plural, "How signing in stands for a user")
        .describe("For oneself, superusers, system auditors, and those who may change the user.")
        .responses(state(), &[&[403, 404], ALWAYS].concat());
    let body = json!({"type": "object", "properties": {"failed_attempts": {"type": "integer", "const": 0}}});
    let patch = Operation::new("users_sign_in_forgive", USER.plural, "Forgive failed attempts, and end a lock")
        .describe("For those who may change the user, but not for oneself.")
        .writes()
        .body(body, false)
        .responses(state(), WRITING);
    json!({"get": get.0, "patch": patch.0})
}

fn second_factor() -> Json {
    let schema = json!({
        "type": "object",
        "properties": {
            "user": {"type": "integer"},
            "type": {"type": "string", "const": "second_factor"},
            "url": text(),
            "enabled": {"type": "boolean", "description": "Whether a code is asked for beside the password."},
            "created": time("When the device was set up."),
            "confirmed": time("Since when a code is asked for."),
            "recovery_codes_left": {"type": ["integer", "null"]},
        },
        "required": ["user", "enabled"],
    });
    let get = Operation::new("users_second_factor_read", USER.plural, "The second factor of a user")
        .describe("For oneself, superusers, system auditors, and those who may change the user.")
        .responses(vec![("200", json_response("The second factor.", schema, &[]))], &[&[403, 404], ALWAYS].concat());
    let made = json!({
        "type": "object",
        "properties": {
            "secret": {"type": "string", "description": "The secret in Base32, to be typed into the device."},
            "uri": {"type": "string", "description": "The same as an otpauth address, to be shown as a picture."},
        },
        "required": ["secret", "uri"],
    });
    let begin = post(
        "begin",
        "Begin with a new device",
        &["password"],
        ("201", json_response("What the device needs, shown once. It counts once it is verified.", made, &[])),
    );
    let delete = Operation::new("users_second_factor_reset", USER.plural, "Take a user's second factor away")
        .describe("For those who may change the user, but not for oneself.")
        .writes()
        .responses(vec![("204", empty_response("The user has none now."))], WRITING);
    json!({"get": get.0, "post": begin, "delete": delete.0})
}
