//! The paths of a user's sign-in and second factor.

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
                "Verify and enable a new second factor",
                &["code"],
                ("200", json_response("The second factor is enabled. The recovery codes are shown once.", codes(), &[])),
            )})),
        ),
        (
            below("second_factor/recovery_codes"),
            with_key(json!({"post": post(
                "recovery_codes",
                "Replace the recovery codes",
                &["password", "code"],
                ("200", json_response("The new codes, shown once.", codes(), &[])),
            )})),
        ),
        (
            below("second_factor/disable"),
            with_key(json!({"post": post(
                "disable",
                "Disable the second factor",
                &["password", "code"],
                ("204", empty_response("The second factor is disabled.")),
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
        .describe("For the user only.")
        .writes()
        .body(body, true)
        .responses(vec![good], WRITING)
        .into()
}

fn sign_in() -> Json {
    let left = json!({"type": ["integer", "null"], "description": "The number of unused recovery codes."});
    let schema = json!({
        "type": "object",
        "properties": {
            "user": {"type": "integer"},
            "type": {"type": "string", "const": "sign_in"},
            "url": text(),
            "is_active": {"type": "boolean", "description": "Whether the user may sign in."},
            "failed_attempts": number("Failed attempts, each less than an hour after the previous one, the last within the last hour."),
            "last_failure": time("The time of the last failed attempt."),
            "last_failure_address": {"type": ["string", "null"], "description": "The client address of the last failed attempt."},
            "locked_until": time("The end of the lock."),
            "second_factor": {"type": "boolean", "description": "Whether a code is required in addition to the password."},
            "recovery_codes_left": left,
            "sessions": number("The number of open sessions."),
        },
        "required": ["user", "is_active", "failed_attempts", "locked_until", "second_factor", "sessions"],
    });
    let state = || {
        vec![(
            "200",
            json_response("The user's failed attempts, lock, second factor and sessions.", schema.clone(), &[]),
        )]
    };
    let get = Operation::new("users_sign_in_read", USER.plural, "Show the sign-in status of a user")
        .describe("For the user, superusers, system auditors, and users who may change the user.")
        .responses(state(), &[&[403, 404], ALWAYS].concat());
    let body = json!({"type": "object", "properties": {"failed_attempts": {"type": "integer", "const": 0}}});
    let patch = Operation::new("users_sign_in_forgive", USER.plural, "Reset failed attempts, and end a lock")
        .describe("For users who may change the user, but not for the user.")
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
            "enabled": {"type": "boolean", "description": "Whether a code is required in addition to the password."},
            "created": time("The time of the setup."),
            "confirmed": time("The time since when a code is required."),
            "recovery_codes_left": {"type": ["integer", "null"]},
        },
        "required": ["user", "enabled"],
    });
    let get = Operation::new("users_second_factor_read", USER.plural, "The second factor of a user")
        .describe("For the user, superusers, system auditors, and users who may change the user.")
        .responses(vec![("200", json_response("The second factor.", schema, &[]))], &[&[403, 404], ALWAYS].concat());
    let made = json!({
        "type": "object",
        "properties": {
            "secret": {"type": "string", "description": "The secret in Base32, for manual input into the device."},
            "uri": {"type": "string", "description": "The secret as an otpauth URI, for a QR code."},
        },
        "required": ["secret", "uri"],
    });
    let begin = post(
        "begin",
        "Set up a second factor",
        &["password"],
        ("201", json_response("The secret for the device, shown once. It must be verified.", made, &[])),
    );
    let delete = Operation::new("users_second_factor_reset", USER.plural, "Remove a user's second factor")
        .describe("For users who may change the user, but not for the user.")
        .writes()
        .responses(vec![("204", empty_response("The second factor was removed."))], WRITING);
    json!({"get": get.0, "post": begin, "delete": delete.0})
}
