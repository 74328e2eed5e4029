//! Components of responses: errors, their schemas, headers.

use hostler_engine::openapi::reference;
use serde_json::{Map, Value as Json, json};

/// The schema of an error's body.
enum Shape {
    /// `{"detail": …}`.
    Detail,
    /// Like `Detail`, or HTML if the path itself is unknown.
    DetailOrPage,
    /// One of the formats of validation errors.
    Invalid,
}

/// All errors: status, name of the component, description and schema.
const ERRORS: &[(u16, &str, &str, Shape)] = &[
    (400, "BadRequest", "The request is invalid: messages by field, or for the whole request.", Shape::Invalid),
    (401, "Unauthenticated", "Missing or wrong credentials: the response does not say which.", Shape::Detail),
    (
        403,
        "Forbidden",
        "The caller lacks the permission, cannot see the object, or filters by a secret.",
        Shape::Detail,
    ),
    (404, "NotFound", "The object or page does not exist.", Shape::DetailOrPage),
    (
        405,
        "MethodNotAllowed",
        "The path does not support the method; the Allow header lists the supported ones.",
        Shape::Detail,
    ),
    (406, "NotAcceptable", "The Accept header allows neither JSON nor HTML.", Shape::Detail),
    (408, "TooSlow", "The body did not arrive in time.", Shape::Detail),
    (409, "Conflict", "A conflict with a concurrent request, or the object is in use.", Shape::Detail),
    (412, "PreconditionFailed", "The version of the object differs from If-Match.", Shape::Detail),
    (413, "TooLarge", "The body is too long.", Shape::Detail),
    (415, "UnsupportedMediaType", "The body is not JSON.", Shape::Detail),
    (
        429,
        "TooManyAttempts",
        "Too many failed sign-ins: the Retry-After header contains the seconds until the next attempt.",
        Shape::Detail,
    ),
    (501, "NotImplemented", "This part of AWX's API is not implemented yet.", Shape::Detail),
    (
        503,
        "Unavailable",
        "The database is unavailable; the detail says whether a change may have been made.",
        Shape::Detail,
    ),
    (507, "StorageFull", "The server's disk is full; nothing was changed.", Shape::Detail),
];

/// The errors of every request that requires authentication.
pub(super) const ALWAYS: &[u16] = &[401, 406, 429, 503];
/// The errors of every request with a body, or of a write without one.
pub(super) const WRITING: &[u16] = &[400, 401, 403, 404, 406, 408, 409, 413, 415, 429, 503, 507];

/// The error responses of these statuses, in their order.
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
            let mut content = json!({"application/json": {"schema": schema}, "application/yaml": {"schema": schema}});
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
        "Allow": text("The methods that the path supports."),
        "ETag": text("The version of the object, for If-Match."),
        "Location": text("The path of the new object."),
        "Retry-After": {"description": "The seconds until the next attempt.", "schema": {"type": "integer"}},
        "WWW-Authenticate": text("How to authenticate."),
    })
}

pub(super) fn schemas() -> Map<String, Json> {
    let messages = json!({"type": "array", "items": {"type": "string"}});
    let any = ["Detail", "Message", "FieldMessages"].map(|name| reference("schemas", name));
    let schemas = json!({
        "Detail": {
            "type": "object",
            "properties": {"detail": {"type": "string", "description": "The error message."}},
            "required": ["detail"],
        },
        "Message": {
            "type": "object",
            "description": "The older format, of lists that associate objects.",
            "properties": {"msg": {"type": "string"}},
            "required": ["msg"],
        },
        "FieldMessages": {
            "type": "object",
            "description": "Messages by field; __all__ for the whole request. For a field with parts, by part; for a \
                list of objects, by position and field. Tests of lookups have one message.",
            "additionalProperties": {"anyOf": [{"type": "string"}, messages, reference("schemas", "FieldMessages")]},
        },
        "Invalid": {"anyOf": any},
    });
    match schemas {
        Json::Object(map) => map,
        _ => Map::new(),
    }
}

/// A response with this schema and these headers.
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

/// A response without a body.
pub(super) fn empty_response(words: &str) -> Json {
    json!({"description": words})
}
