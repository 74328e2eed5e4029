//! The OpenAPI document: validity, completeness, and agreement with responses.

use std::collections::BTreeSet;

use hostler_engine::openapi::{RequestBody, component};
use hostler_resources::REGISTRY;
use hostler_schema::{ActionHandling, ActionParent, HttpMethod};

use hostler_testkit::{Backend, TestServer, backends};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_hostler");
const PATH: &str = "/api/v2/openapi.json";
const VERBS: [&str; 8] = ["get", "post", "put", "patch", "delete", "head", "options", "trace"];

fn document(server: &TestServer) -> Value {
    server.as_admin().get(PATH).expect(200).json()
}

/// The document of a short-lived server.
fn any_document() -> Value {
    document(&TestServer::start(BINARY, Backend::Sqlite))
}

/// Every operation with its path, its verb and the parameters of its path.
fn operations(document: &Value) -> Vec<(&str, &str, &Value, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    let of_path = |(path, item)| VERBS.into_iter().map(move |verb| (path, verb, item)).collect::<Vec<_>>();
    let all = paths.iter().map(|(path, item)| (path.as_str(), item)).flat_map(of_path);
    all.filter_map(|(path, verb, item): (&str, &str, &Value)| Some((path, verb, item, item.get(verb)?))).collect()
}

fn walk<'a>(value: &'a Value, visit: &mut impl FnMut(&'a str, &'a Value)) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                visit(key, value);
                walk(value, visit);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| walk(value, visit)),
        _ => {}
    }
}

/// Resolves a reference; any other value is returned.
fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value.get("$ref").and_then(Value::as_str) {
        Some(pointer) => {
            document.pointer(pointer.trim_start_matches('#')).unwrap_or_else(|| panic!("{pointer} leads nowhere"))
        }
        None => value,
    }
}

#[test]
fn openapi_requires_login_and_is_equal_for_all() {
    for backend in backends() {
        let server = TestServer::start(BINARY, backend);
        server.anonymous().get(PATH).expect(401);
        let answer = server.as_admin().get(PATH).expect(200);
        assert_eq!(answer.header("Content-Type").as_deref(), Some("application/json"), "{backend}");
        assert_eq!(answer.json()["openapi"], "3.1.0");
        let page = server.as_admin().request("GET", PATH).header("Accept", "text/html").send().expect(200);
        assert_eq!(page.body, answer.body, "{backend}");
        server.as_admin().request("DELETE", PATH).send().expect(405);
        // The path has no final slash and no redirect.
        server.as_admin().get("/api/v2/openapi.json/").expect(404);
    }
}

#[test]
fn openapi_references_resolve_and_components_are_used() {
    let document = any_document();
    let mut used = BTreeSet::new();
    walk(&document, &mut |key, value| {
        if key == "$ref" {
            resolve(&document, &serde_json::json!({"$ref": value}));
            used.insert(value.as_str().expect("a reference"));
        }
    });
    for kind in ["schemas", "parameters", "headers", "responses"] {
        for name in document["components"][kind].as_object().expect("components").keys() {
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)), "{name}");
            let pointer = format!("#/components/{kind}/{name}");
            // A schema of a request body may be unused, other schemas and responses may not.
            let is_body = kind == "schemas" && RequestBody::ALL.iter().any(|body| name.ends_with(&format!("{body:?}")));
            assert!(is_body || used.contains(pointer.as_str()), "nothing refers to {pointer}");
        }
    }
}

#[test]
fn openapi_operations_are_unique_and_describe_responses() {
    let document = any_document();
    let tags: BTreeSet<&str> =
        document["tags"].as_array().expect("tags").iter().filter_map(|tag| tag["name"].as_str()).collect();
    let mut names = BTreeSet::new();
    for (path, verb, item, operation) in operations(&document) {
        let name = operation["operationId"].as_str().expect("a name");
        assert!(names.insert(name), "{name} names two operations");
        assert!(operation["summary"].as_str().is_some_and(|words| !words.is_empty()), "{name}");
        assert!(operation["tags"].as_array().is_some_and(|used| used.len() == 1), "{name}");
        assert!(tags.contains(operation["tags"][0].as_str().expect("a tag")), "{name}");
        for (status, answer) in operation["responses"].as_object().expect("answers") {
            let answer = resolve(&document, answer);
            assert!(answer["description"].is_string(), "{name}: {status}");
            assert!(status == "default" || status.parse::<u16>().is_ok(), "{name}: {status}");
        }
        assert!(["get", "delete"].contains(&verb) || operation.get("requestBody").is_some() || path == "/api/logout/");

        let mut parameters = vec![];
        for list in [&item["parameters"], &operation["parameters"]] {
            parameters.extend(list.as_array().into_iter().flatten().map(|parameter| resolve(&document, parameter)));
        }
        let in_path: BTreeSet<&str> = parameters
            .iter()
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| {
                assert_eq!(parameter["required"], true, "{path}");
                parameter["name"].as_str().expect("a name")
            })
            .collect();
        let wanted: BTreeSet<&str> = path.split(['{', '}']).skip(1).step_by(2).collect();
        assert_eq!(in_path, wanted, "{path}");
    }
}

#[test]
fn openapi_describes_all_resources() {
    let document = any_document();
    let has = |path: &str, verb: &str| document["paths"][path].get(verb).is_some();
    for resource in REGISTRY.0.iter().map(|entry| entry.resource) {
        let (list, one) = (format!("/api/v2/{}/", resource.plural), format!("/api/v2/{}/{{key}}/", resource.plural));
        assert_eq!(has(&list, "get"), resource.has_list, "{list}");
        if let Some(variants) = resource.variants {
            assert!(document["paths"].get(&one).is_none(), "{one}");
            let schema = &document["components"]["schemas"][component(resource)];
            let names = variants.iter().map(component);
            let refers = |name: String| json!({"$ref": format!("#/components/schemas/{name}")});
            assert_eq!(schema["oneOf"], names.map(refers).collect::<Value>(), "{list}");
            continue;
        }
        assert!(has(&one, "get"), "{one}");
        assert_eq!(has(&list, "post"), resource.creatable, "{list}");
        assert_eq!((has(&one, "put"), has(&one, "patch")), (resource.editable, resource.editable), "{one}");
        assert_eq!(has(&one, "delete"), resource.deletable, "{one}");
        for sublist in resource.sublists {
            let path = format!("{one}{}/", sublist.name);
            assert!(has(&path, "get"), "{path}");
            assert_eq!(has(&path, "post"), sublist.post.is_allowed(), "{path}");
        }
        for action in resource.actions {
            let path = match action.parent {
                ActionParent::Object => format!("{one}{}/", action.path),
                ActionParent::List => format!("{list}{}/", action.path),
                ActionParent::Root => format!("/api/v2/{}/", action.path),
            };
            let is_implemented = action.handling != ActionHandling::Unimplemented;
            for method in HttpMethod::ALL {
                let verb = method.name().to_lowercase();
                let is_list = action.methods().next().is_none() && method == HttpMethod::Get;
                assert_eq!(has(&path, &verb), action.method(method).is_some() || is_list, "{verb} {path}");
                if has(&path, &verb) {
                    let responses = &document["paths"][&path][&verb]["responses"];
                    assert_eq!(responses.get("501").is_none(), is_implemented, "{verb} {path}");
                }
                let described = action.method(method).filter(|described| method.has_body() && !described.whole_body);
                for field in described.iter().flat_map(|described| described.input) {
                    let body = &document["paths"][&path][&verb]["requestBody"]["content"]["application/json"];
                    let property = &body["schema"]["properties"][field.name];
                    assert_eq!(property["description"], field.help, "{verb} {path}: {}", field.name);
                }
            }
        }

        let schema = &document["components"]["schemas"][component(resource)];
        for field in resource.fields {
            let property = &schema["properties"][field.name];
            assert_eq!(property.is_object(), field.shown || (field.is_described() && !field.writable), "{field:?}");
            assert!(!property.is_object() || property["description"] == field.help, "{field:?}");
            for body in RequestBody::ALL.into_iter().filter(|body| body.is_taken(resource)) {
                let schema = &document["components"]["schemas"][body.component(resource)];
                let listed = field.writable && field.write_listed;
                let takes = listed && (body == RequestBody::Create || !field.create_only);
                assert_eq!(schema["properties"].get(field.name).is_some(), takes, "{body:?}: {field:?}");
                let needed = schema["required"].as_array().is_some_and(|names| names.contains(&field.name.into()));
                assert_eq!(needed, takes && field.required && body != RequestBody::Change, "{body:?}: {field:?}");
            }
            // Secrets in request bodies do not appear in responses.
            assert!(!(field.kind.is_secret() && field.writable && property.is_object()), "{field:?}");
        }
    }
}

#[test]
fn openapi_decimals_are_sent_as_texts_or_numbers() {
    let document = any_document();
    let field = |schema: &str| {
        let field = &document["components"]["schemas"][schema]["properties"]["capacity_adjustment"];
        ["type", "minimum", "maximum", "exclusiveMaximum"].map(|key| field[key].clone())
    };
    assert_eq!(field("Instance"), [json!("string"), Value::Null, Value::Null, Value::Null]);
    assert_eq!(field("InstanceChange"), [json!(["string", "number"]), json!(0), Value::Null, json!(10)]);
}

#[test]
fn openapi_covers_all_links_and_methods() {
    for backend in backends() {
        let server = TestServer::start(BINARY, backend);
        let admin = server.as_admin();
        let document = document(&server);
        let roots = admin.get("/api/v2/").expect(200).json();
        for path in roots.as_object().expect("links").values().filter_map(Value::as_str) {
            let described = document["paths"].get(path).unwrap_or_else(|| panic!("{path} is not described"));
            let allowed = admin.options(path).header("Allow").expect("methods").to_lowercase();
            for verb in ["get", "post", "put", "patch", "delete"] {
                let is_allowed = allowed.split(", ").any(|allowed| allowed == verb);
                assert_eq!(described.get(verb).is_some(), is_allowed, "{backend}: {verb} {path}");
            }
        }
        let me = admin.get("/api/v2/me/").expect(200).json();
        for link in me["results"][0]["related"].as_object().expect("links").values().filter_map(Value::as_str) {
            let id = me["results"][0]["id"].to_string();
            let path = link.replace(&format!("/{id}/"), "/{key}/");
            assert!(document["paths"].get(&path).is_some(), "{backend}: {path} is not described");
        }
    }
}
