//! The paths of resources: lists, objects, sub-lists, and lists that are not implemented yet.

use hostler_engine::Registry;
use hostler_engine::openapi::{
    RequestBody, association, component, key_parameter, list_parameters, page, page_component, query_parameters,
    reference, shown,
};
use hostler_schema::{Post, Resource, Sublist};
use serde_json::{Map, Value as Json, json};

use super::Operation;
use super::responses::{ALWAYS, WRITING, empty_response, json_response};
use crate::route::UNIMPLEMENTED_LISTS;

/// The tag of paths with 501.
pub(super) const UNIMPLEMENTED_TAG: &str = "not served yet";
const ASSOCIATION: &str = "Association";
const IF_MATCH: &str = "if_match";

pub(super) fn schemas(registry: Registry) -> Map<String, Json> {
    let mut schemas = Map::new();
    schemas.insert(ASSOCIATION.into(), association());
    for resource in registry.0.iter().map(|entry| entry.resource) {
        schemas.insert(component(resource), shown(resource));
        schemas.insert(page_component(resource), page(resource));
        for body in RequestBody::ALL.into_iter().filter(|body| body.is_taken(resource)) {
            schemas.insert(body.component(resource), body.schema(resource));
        }
    }
    schemas
}

pub(super) fn parameters() -> Map<String, Json> {
    let mut parameters = list_parameters();
    let if_match = json!({
        "name": "If-Match",
        "in": "header",
        "required": false,
        "schema": {"type": "string"},
        "description": "The ETag of the expected version: an object with another version is not changed.",
    });
    parameters.insert(IF_MATCH.into(), if_match);
    parameters
}

pub(super) fn paths(registry: Registry) -> Map<String, Json> {
    let mut paths = Map::new();
    for resource in registry.0.iter().map(|entry| entry.resource) {
        let root = format!("/api/v2/{}/", resource.plural);
        let one = format!("{root}{{key}}/");
        if resource.has_list {
            paths.insert(root, list(resource));
        }
        paths.extend(super::actions::paths(resource));
        if resource.variants.is_some() {
            // Its objects are at the paths of their variants.
            continue;
        }
        for sublist in resource.sublists {
            paths.insert(format!("{one}{}/", sublist.name), below(resource, sublist));
        }
        paths.insert(one, detail(resource));
    }
    for name in UNIMPLEMENTED_LISTS {
        let later = Operation::new(format!("{name}_list"), UNIMPLEMENTED_TAG, words(name))
            .describe("A list of AWX that is not implemented yet.")
            .responses(vec![], &[&[501], ALWAYS].concat());
        paths.insert(format!("/api/v2/{name}/"), json!({"get": later.0}));
    }
    paths
}

/// A name in a path, as a title.
pub(super) fn words(name: &str) -> String {
    let words = name.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn get_list(id: String, resource: &Resource, target: &Resource, title: &str) -> Operation {
    let of_all = list_parameters();
    let of_all = of_all.keys().map(|name| reference("parameters", name));
    let parameters = of_all.chain(query_parameters(target.own_parameters)).collect();
    let answer = json_response("One page of the list.", reference("schemas", &page_component(target)), &[]);
    Operation::new(id, resource.plural, title)
        .parameters(parameters)
        .responses(vec![("200", answer)], &[&[400, 403, 404], ALWAYS].concat())
}

fn object(resource: &Resource, words: &str, headers: &[&str]) -> Json {
    json_response(words, reference("schemas", &component(resource)), headers)
}

fn list(resource: &Resource) -> Json {
    let mut item = Map::new();
    let title = format!("{}: read", resource.list_title);
    item.insert("get".into(), get_list(format!("{}_list", resource.plural), resource, resource, &title).into());
    if resource.creatable {
        let post = Operation::new(format!("{}_create", resource.plural), resource.plural, creates(resource))
            .writes()
            .body(
                reference("schemas", &RequestBody::Create.component(resource)),
                RequestBody::Create.is_needed(resource),
            )
            .responses(vec![("201", object(resource, "The new object.", &["Location"]))], WRITING);
        item.insert("post".into(), post.into());
    }
    item.into()
}

fn creates(resource: &Resource) -> String {
    format!("{}: create", resource.type_label)
}

fn detail(resource: &Resource) -> Json {
    let operation = |verb: &str, id: &str| {
        Operation::new(format!("{}_{id}", resource.plural), resource.plural, format!("{}: {verb}", resource.type_label))
    };
    let mut item = Map::new();
    item.insert("parameters".into(), json!([key_parameter(resource)]));
    let tags: &[&str] = if resource.editable { &["ETag"] } else { &[] };
    let get = operation("read", "read")
        .responses(vec![("200", object(resource, "The object.", tags))], &[&[403, 404], ALWAYS].concat());
    item.insert("get".into(), get.into());
    let errors = [&[412], WRITING].concat();
    let if_match = || vec![reference("parameters", IF_MATCH)];
    if resource.editable {
        let changed = || vec![("200", object(resource, "The changed object.", &["ETag"]))];
        let put = operation("replace", "replace")
            .writes()
            .parameters(if_match())
            .body(
                reference("schemas", &RequestBody::Replace.component(resource)),
                RequestBody::Replace.is_needed(resource),
            )
            .responses(changed(), &errors);
        let patch = operation("change some fields", "change")
            .writes()
            .parameters(if_match())
            .body(reference("schemas", &RequestBody::Change.component(resource)), false)
            .responses(changed(), &errors);
        item.insert("put".into(), put.into());
        item.insert("patch".into(), patch.into());
    }
    if resource.deletable {
        let gone = match resource.deleted_later {
            true => vec![("202", empty_response("The object is being deleted."))],
            false => vec![("204", empty_response("The object was deleted."))],
        };
        let delete = operation("delete", "delete").writes().parameters(if_match()).responses(gone, &errors);
        item.insert("delete".into(), delete.into());
    }
    item.into()
}

fn below(resource: &Resource, sublist: &Sublist) -> Json {
    let target = (sublist.target)();
    let id = |verb: &str| format!("{}_{}_{verb}", resource.plural, sublist.name);
    let mut item = Map::new();
    item.insert("parameters".into(), json!([key_parameter(resource)]));
    item.insert("get".into(), get_list(id("list"), resource, target, &format!("{}: read", sublist.title)).into());
    if sublist.emptied_by_delete {
        let delete = Operation::new(id("delete"), resource.plural, format!("{}: delete all", sublist.title))
            .writes()
            .responses(vec![("204", empty_response("Deleted."))], WRITING);
        item.insert("delete".into(), delete.into());
    }
    let create = || reference("schemas", &RequestBody::Create.component(target));
    let associate = || reference("schemas", ASSOCIATION);
    let created = ("201", object(target, "The new object.", &["Location"]));
    let associated = ("204", empty_response("Associated or disassociated."));
    let (summary, body, good) = match sublist.post {
        Post::Refused => return item.into(),
        Post::Create(_) => ("create", create(), vec![created]),
        Post::Grant(_) => ("associate or create", json!({"anyOf": [associate(), create()]}), vec![created, associated]),
        Post::Own(_) => ("create or delete", json!({"anyOf": [associate(), create()]}), vec![created, associated]),
        post if post.takes_only_id() => ("associate", associate(), vec![associated]),
        // The description does not say which of the two a hook accepts.
        Post::Hook | Post::Associate(_) | Post::GrantByHook => {
            ("associate or create", json!({"anyOf": [associate(), create()]}), vec![created, associated])
        }
    };
    let post = Operation::new(id("post"), resource.plural, format!("{}: {summary}", sublist.title))
        .writes()
        .body(body, sublist.post.takes_only_id() || RequestBody::Create.is_needed(target))
        .responses(good, WRITING);
    item.insert("post".into(), post.into());
    item.into()
}
