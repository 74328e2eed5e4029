//! The answers that many operations share: errors, their shapes, headers.

use hostler_engine::openapi::reference;
use serde_json::{Map, Value as Json, json};

/// What the body of an error is.
enum Shape {
    /// `{"detail": …}`.
    Detail,
    /// As `Detail`, or a page where the path itself cannot name anything.
    DetailOrPage,
    /// One of the shapes of refused input.
    Invalid,
}

/// Every error: its status, the name of its component, its meaning and its shape.
const ERRORS: &[(u16, &str, &str, Shape)] = &[
    (
        400,
        "BadRequest",
        "The request breaks rules: the messages tell which, by field where one is at fault.",
        Shape::Invalid,
    ),
    (
        401,
        "Unauthenticated",
        "Nobody is logged in, or the credentials are wrong: the answer does not tell which.",
        Shape::Detail,
    ),
    (403, "Forbidden", "One may not do that, may not see the object, or asks about a secret.", Shape::Detail),
    (
        404,
        "NotFound",
        "There is no such object or page, or it is named in a way that names nothing.",
        Shape::DetailOrPage,
    ),
    (
        405,
        "MethodNotAllowed",
        "The path exists, but takes no such request; the Allow header lists the methods it takes.",
        Shape::Detail,
    ),
    (406, "NotAcceptable", "The Accept header allows neither JSON nor HTML.", Shape::Detail),
    (408, "TooSlow", "The body did not arrive in time.", Shape::Detail),
    (
        409,
        "Conflict",
        "Another request changed the same thing at the same moment, or the object is in use.",
        Shape::Detail,
    ),
    (412, "PreconditionFailed", "The object is no longer in the state that If-Match names.", Shape::Detail),
    (413, "TooLarge", "The body is too long.", Shape::Detail),
    (415, "UnsupportedMediaType", "The body is not JSON.", Shape::Detail),
    (
        429,
        "TooManyAttempts",
        "Too many attempts to sign in failed: the Retry-After header tells when to try again.",
        Shape::Detail,
    ),
    (501, "NotImplemented", "Hostler does not serve this part of AWX's API yet.", Shape::Detail),
    (
        503,
        "Unavailable",
        "The database cannot be reached right now; the detail says so if a change may have been made all the same.",
        Shape::Detail,
    ),
    (507, "StorageFull", "The server's disk is full; nothing was changed.", Shape::Detail),
];

/// Errors of every request that needs a known actor.
pub(super) const ALWAYS: &[u16] = &[401, 406, 429, 503];
/// Errors of every request with a body, or that writes without one.
pub(super) const WRITING: &[u16] = &[400, 401, 403, 404, 406, 408, 409, 413, 415, 429, 503, 507];

/// The answers to errors of these statuses, in their order.
pub(super) fn errors(statuses: &[u16]) -> Map<String, Json> {
    let wanted = ERRORS.iter().filter(|(status, ..)| statuses.contains(status));
    wanted.map(|(status, name, ..)| (status.to_string(), reference("responses", name))).collect()
}

pub(super) fn responses() -> Map<String, Json> {
    ERRORS
        .iter()
        .map(|(status, name, words, shape)| {
            let schema = match shape {
                Shape::Detail | Shape::DetailOrPage => reference("schemas", "Detail"),
                Shape::Invalid => reference("schemas", "Invalid"),
            };
            let mut content = json!({"application/json": {"schema": schema}});
            if let (Shape::DetailOrPage, Some(content)) = (shape, content.as_object_mut()) {
                content.insert("text/html".into(), json!({"schema": {"type": "string"}}));
            }
            let mut response = json!({"description": words, "content": content});
            let header = match status {
                401 => Some("WWW-Authenticate"),
                405 => Some("Allow"),
                429 | 503 => Some("Retry-After"),
                _ => None,
            };
            if let (Some(name), Some(response)) = (header, response.as_object_mut()) {
                response.insert("headers".into(), json!({name: reference("headers", name)}));
            }
            ((*name).to_owned(), response)
        })
        .collect()
}

pub(super) fn headers() -> Json {
    let text = |words: &str| json!({"description": words, "schema": {"type": "string"}});
    json!({
        "Allow": text("The methods that the path takes."),
        "ETag": text("The state of the object, for If-Match."),
        "Location": text("The path of the new object."),
        "Retry-After": {"description": "After how many seconds to try again.", "schema": {"type": "integer"}},
        "WWW-Authenticate": text("How to authenticate."),
    })
}

pub(super) fn schemas() -> Map<String, Json> {
    let messages = json!({"type": "array", "items": {"type": "string"}});
    let any = ["Detail", "Message", "FieldMessages"].map(|name| reference("schemas", name));
    let schemas = json!({
        "Detail": {
            "type": "object",
            "properties": {"detail": {"type": "string", "description": "What went wrong, for people."}},
            "required": ["detail"],
        },
        "Message": {
            "type": "object",
            "description": "The older shape, of lists that associate objects.",
            "properties": {"msg": {"type": "string"}},
            "required": ["msg"],
        },
        "FieldMessages": {
            "type": "object",
            "description": "What is wrong, by field; __all__ for the whole. Of a field with parts, by part.",
            "additionalProperties": {"anyOf": [messages, {"type": "object", "additionalProperties": messages}]},
        },
        "Invalid": {"anyOf": any},
    });
    match schemas {
        Json::Object(map) => map,
        _ => Map::new(),
    }
}

/// An answer of this shape, with these of the headers.
pub(super) fn json_response(words: &str, schema: Json, headers: &[&str]) -> Json {
    let mut answer = Map::new();
    answer.insert("description".into(), words.into());
    if !headers.is_empty() {
        let headers = headers.iter().map(|name| ((*name).to_owned(), reference("headers", name)));
        answer.insert("headers".into(), headers.collect::<Map<_, _>>().into());
    }
    answer.insert("content".into(), json!({"application/json": {"schema": schema}}));
    answer.into()
}

/// An answer without a body.
pub(super) fn empty_response(words: &str) -> Json {
    json!({"description": words})
}
