//! The paths that are not resources: roots, ping, config, me, settings, sessions.

use hostler_engine::openapi::{key_parameter, list_parameters, page_component, reference};
use hostler_resources::USER;
use hostler_settings::{schema as settings_schema, slugs};
use serde_json::{Map, Value as Json, json};

use super::Operation;
use super::responses::{ALWAYS, WRITING, empty_response, json_response};

/// The tag of these paths.
pub(super) const TAG: &str = "server";

pub(super) fn paths() -> Map<String, Json> {
    let mut paths = Map::new();
    for (path, item) in [
        ("/api/", json!({"get": read("root", "Versions of the API", api_root()).public().0})),
        ("/api/v2/", json!({"get": read("version_root", "Lists of this version", links()).public().0})),
        ("/api/v2/ping/", json!({"get": read("ping", "Status of the server", ping()).public().0})),
        ("/api/v2/metrics/", json!({"get": read_metrics()})),
        ("/api/v2/openapi.json", json!({"get": read("openapi", "This document", json!({"type": "object"})).0})),
        ("/api/v2/config/", json!({"get": read("config", "Configuration of the server", config()).0})),
        ("/api/v2/me/", me()),
        ("/api/v2/users/{key}/explain_access/", explain_access()),
        ("/api/v2/settings/", json!({"get": read("settings_list", "Categories of settings", categories()).0})),
        ("/api/v2/settings/{category}/", category()),
        ("/api/login/", login()),
        ("/api/logout/", logout()),
    ] {
        paths.insert(path.to_owned(), item);
    }
    paths
}

fn read(id: &str, summary: &str, schema: Json) -> Operation {
    Operation::new(id, TAG, summary).responses(vec![("200", json_response(summary, schema, &[]))], ALWAYS)
}

fn api_root() -> Json {
    let text = || json!({"type": "string"});
    json!({
        "type": "object",
        "properties": {
            "description": text(),
            "current_version": text(),
            "available_versions": {"type": "object", "additionalProperties": {"type": "string"}},
            "oauth2": text(),
            "custom_logo": text(),
            "custom_login_info": text(),
            "login_redirect_override": text(),
        },
        "required": ["current_version", "available_versions"],
    })
}

fn links() -> Json {
    json!({"type": "object", "description": "The path of each list.", "additionalProperties": {"type": "string"}})
}

fn ping() -> Json {
    json!({
        "type": "object",
        "properties": {
            "ha": {"type": "boolean"},
            "version": {"type": "string", "description": "The AWX version of the API."},
            "active_node": {"type": "string"},
            "install_uuid": {"type": "string", "format": "uuid"},
            "instances": {"type": "array"},
            "instance_groups": {"type": "array"},
            "server": {"type": "string", "description": "The server's own name and version."},
        },
        "required": ["ha", "version", "active_node", "install_uuid", "instances", "instance_groups"],
    })
}

/// As text, or as JSON if requested; not for all users.
fn read_metrics() -> Json {
    let words = "Metrics for Prometheus";
    let mut answer = json_response(words, metrics(), &[]);
    if let Some(content) = answer.get_mut("content").and_then(Json::as_object_mut) {
        content.insert("text/plain".into(), json!({"schema": {"type": "string"}}));
    }
    Operation::new("metrics", TAG, words).responses(vec![("200", answer)], &[401, 403, 406, 429, 503]).0.into()
}

/// The metrics as JSON.
fn metrics() -> Json {
    let sample = json!({
        "type": "object",
        "properties": {
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "value": {"type": "number"},
            "sample_type": {"type": "string"},
        },
        "required": ["labels", "value"],
    });
    let family = json!({
        "type": "object",
        "properties": {
            "help_text": {"type": "string"},
            "type": {"enum": ["counter", "gauge", "histogram"]},
            "samples": {"type": "array", "items": sample},
        },
        "required": ["help_text", "type", "samples"],
    });
    json!({"type": "object", "description": "Each metric by its name.", "additionalProperties": family})
}

fn config() -> Json {
    json!({
        "type": "object",
        "properties": {
            "time_zone": {"type": "string"},
            "license_info": {"type": "object"},
            "version": {"type": "string"},
            "eula": {"type": "string"},
            "analytics_status": {"type": "string"},
            "analytics_collectors": {"type": "object"},
            "become_methods": {"type": "array", "items": {"type": "array", "items": {"type": "string"}}},
            "custom_virtualenvs": {"type": "array", "items": {"type": "string"}},
            "project_local_paths": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["time_zone", "license_info", "version"],
    })
}

fn me() -> Json {
    let answer = json_response("A list with one user.", reference("schemas", &page_component(&USER)), &[]);
    let get = Operation::new("me", TAG, "The current user")
        .parameters(list_parameters().keys().map(|name| reference("parameters", name)).collect())
        .responses(vec![("200", answer)], &[&[400, 403, 404], ALWAYS].concat());
    json!({"get": get.0})
}

fn explain_access() -> Json {
    let object = json!({
        "name": "object", "in": "query", "required": true, "schema": {"type": "string"},
        "description": "The path of the object, such as /api/v2/organizations/1/.",
    });
    let yes = || json!({"type": "boolean"});
    let because = json!({
        "type": ["array", "null"], "items": {"type": "object"},
        "description": "The shortest chain of grants and implied roles; null if no grant that the caller may see gives it.",
    });
    let one = |names: &[&str]| {
        let mut properties = Map::new();
        for name in names {
            properties.insert((*name).to_owned(), json!({"type": "string"}));
        }
        properties.insert("allowed".into(), yes());
        properties.insert("because".into(), because.clone());
        let required: Vec<_> = properties.keys().cloned().collect();
        json!({"type": "array", "items": {"type": "object", "properties": properties, "required": required}})
    };
    let schema = json!({
        "type": "object",
        "properties": {
            "user": {"type": ["object", "null"]},
            "type": {"type": "string"},
            "url": {"type": "string"},
            "object": {"type": ["object", "null"]},
            "actions": {"type": "object", "properties": {"read": yes(), "change": yes(), "delete": yes()}},
            "permissions": one(&["permission", "action"]),
            "roles": one(&["role_field", "name", "description"]),
        },
        "required": ["user", "type", "url", "object", "actions", "permissions", "roles"],
    });
    let get = Operation::new("users_explain_access", TAG, "Explain the access of a user to an object")
        .parameters(vec![object])
        .responses(
            vec![("200", json_response("The permissions and roles, with the grants that give them.", schema, &[]))],
            &[&[400, 403, 404], ALWAYS].concat(),
        );
    json!({"parameters": [key_parameter(&USER)], "get": get.0})
}

fn categories() -> Json {
    let text = || json!({"type": "string"});
    json!({
        "type": "object",
        "properties": {
            "count": {"type": "integer"},
            "next": {"type": "null"},
            "previous": {"type": "null"},
            "results": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"url": text(), "slug": text(), "name": text()},
                    "required": ["url", "slug", "name"],
                },
            },
        },
        "required": ["count", "next", "previous", "results"],
    })
}

fn category() -> Json {
    let operation = |verb: &str, id: &str| Operation::new(format!("settings_{id}"), TAG, format!("Settings: {verb}"));
    let schema = settings_schema();
    let values = || vec![("200", json_response("The settings of the category.", schema.clone(), &[]))];
    // The category `changed` is read-only.
    let errors = [&[405], WRITING].concat();
    let slugs: Vec<&str> = slugs().collect();
    json!({
        "parameters": [
            {"name": "category", "in": "path", "required": true, "schema": {"type": "string", "enum": slugs}},
        ],
        "get": operation("read", "read").responses(values(), &[&[403, 404], ALWAYS].concat()).0,
        "put": operation("set", "replace").writes().body(schema.clone(), true).responses(values(), &errors).0,
        "patch": operation("set some", "change").writes().body(schema.clone(), false).responses(values(), &errors).0,
        "delete": operation("reset to the defaults", "reset")
            .writes()
            .responses(vec![("204", empty_response("The settings have their defaults."))], &errors)
            .0,
    })
}

fn page(words: &str) -> Json {
    json!({"description": words, "content": {"text/html": {"schema": {"type": "string"}}}})
}

fn moved(words: &str) -> Json {
    let location = json!({"description": "Where to.", "schema": {"type": "string"}});
    json!({"description": words, "headers": {"Location": location}})
}

fn login() -> Json {
    let text = || json!({"type": "string"});
    let form = json!({
        "type": "object",
        "properties": {
            "username": text(),
            "password": {"type": "string", "format": "password"},
            "otp": {"type": "string", "description": "The code of a second factor, or a recovery code."},
            "mfa_challenge": {"type": "string", "description": "The challenge from the form that asks for the code, instead of username and password."},
            "next": text(),
            "csrfmiddlewaretoken": text(),
        },
    });
    let get =
        Operation::new("login_form", TAG, "Login form").public().responses(vec![("200", page("The form."))], &[503]);
    let mut post = Operation::new("login", TAG, "Open a session")
        .public()
        .describe("The CSRF token is sent in the field or in the header X-CSRFToken.")
        .responses(
            vec![
                ("302", moved("Logged in; the session is in the cookies.")),
                ("401", page("The username, the password or the code is wrong, or a code is required.")),
                ("429", page("Too many failed sign-ins; Retry-After contains the seconds until the next attempt.")),
            ],
            &[400, 403, 408, 413, 503, 507],
        );
    post.0.insert(
        "requestBody".into(),
        json!({"required": true, "content": {"application/x-www-form-urlencoded": {"schema": form}}}),
    );
    json!({"get": get.0, "post": post.0})
}

fn logout() -> Json {
    let answers = || vec![("302", moved("Logged out."))];
    let get = Operation::new("logout_by_link", TAG, "End the session").public().responses(answers(), &[503]);
    let post =
        Operation::new("logout", TAG, "End the session").public().responses(answers(), &[400, 403, 408, 413, 503]);
    json!({"get": get.0, "post": post.0})
}
