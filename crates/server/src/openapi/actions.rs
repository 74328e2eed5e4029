//! The paths of actions.

use hostler_engine::openapi::{answer_schema, body_schema, component, key_parameter, query_parameters, reference};
use hostler_schema::{ActionAnswer, ActionHandling, ActionMethod, ActionParent, HttpMethod, Resource, ResourceAction};
use serde_json::{Map, Value as Json, json};

use super::Operation;
use super::resources::{UNIMPLEMENTED_TAG, words};
use super::responses::{ALWAYS, WRITING, empty_response, json_response};

/// The paths of a resource's actions.
pub(super) fn paths(resource: &Resource) -> impl Iterator<Item = (String, Json)> {
    resource.actions.iter().map(|action| {
        let path = match action.parent {
            ActionParent::Object => format!("/api/v2/{}/{{key}}/{}/", resource.plural, action.path),
            ActionParent::List => format!("/api/v2/{}/{}/", resource.plural, action.path),
            ActionParent::Root => format!("/api/v2/{}/", action.path),
        };
        (path, item(resource, action))
    })
}

fn item(resource: &Resource, action: &ResourceAction) -> Json {
    let mut item = Map::new();
    if action.parent == ActionParent::Object {
        item.insert("parameters".into(), json!([key_parameter(resource)]));
    }
    for (method, description) in action.methods() {
        item.insert(method.name().to_lowercase(), operation(resource, action, method, description).into());
    }
    if action.methods().next().is_none() {
        let operation = Operation::new(id(resource, action, "_list"), UNIMPLEMENTED_TAG, words(action.path))
            .describe("A list of AWX that is not implemented yet.")
            .responses(vec![], &[&[403, 404, 501], ALWAYS].concat());
        item.insert("get".into(), operation.into());
    }
    item.into()
}

fn id(resource: &Resource, action: &ResourceAction, suffix: &str) -> String {
    format!("{}_{}{suffix}", resource.plural, action.path.replace('/', "_"))
}

fn operation(
    resource: &Resource,
    action: &ResourceAction,
    method: HttpMethod,
    description: &ActionMethod,
) -> Operation {
    let suffix = match method {
        HttpMethod::Get => "_read",
        HttpMethod::Post => "",
        HttpMethod::Put => "_replace",
        HttpMethod::Patch => "_change",
        HttpMethod::Delete => "_delete",
    };
    let is_implemented = action.handling != ActionHandling::Unimplemented;
    let tag = if is_implemented { resource.plural } else { UNIMPLEMENTED_TAG };
    let summary = format!("{}: {}", resource.type_label, description.summary);
    let mut operation = Operation::new(id(resource, action, suffix), tag, summary);
    if !action.description.is_empty() {
        operation = operation.describe(action.description);
    }
    let mut errors: Vec<u16> = if is_implemented { vec![] } else { vec![501] };
    if method == HttpMethod::Get {
        errors.extend([&[400, 403, 404], ALWAYS].concat());
        let mut parameters = query_parameters(description.input);
        if !action.formats.is_empty() {
            let names: Vec<&str> =
                ["json", "yaml", "api"].into_iter().chain(action.formats.iter().map(|f| f.name)).collect();
            let schema = json!({"type": "string", "enum": names});
            let words = "The format of the response.";
            parameters.push(
                json!({"name": "format", "in": "query", "required": false, "schema": schema, "description": words}),
            );
        }
        operation = operation.parameters(parameters);
    } else {
        errors.extend(WRITING);
        operation = operation.writes();
    }
    if matches!(description.answer, ActionAnswer::Accepted(_)) {
        // The state of the object does not allow the work.
        errors.push(405);
    }
    if method.has_body() {
        let needs_body = method != HttpMethod::Patch && description.input.iter().any(|field| field.required);
        let schema = match description.whole_body {
            true => json!({"type": "object"}),
            false => body_schema(description.input, method != HttpMethod::Patch),
        };
        operation = operation.body(schema, needs_body);
    }
    let success = is_implemented.then(|| success(action, method, description.answer));
    operation.responses(success.into_iter().collect(), &errors)
}

/// The status and the response of a request that succeeds.
fn success(action: &ResourceAction, method: HttpMethod, answer: ActionAnswer) -> (&'static str, Json) {
    let (status, words) = match answer {
        ActionAnswer::Fields(_) | ActionAnswer::Permission(_) => ("200", action.title),
        ActionAnswer::NewFields(_) => ("201", action.title),
        ActionAnswer::Accepted(_) => ("202", "The request was accepted."),
        ActionAnswer::NewObject(target) => {
            let object = reference("schemas", &component(target()));
            return ("201", json_response("The new object.", object, &["Location"]));
        }
        ActionAnswer::Document(_) => return ("200", json_response(action.title, json!({}), &[])),
        ActionAnswer::Nothing => return ("204", empty_response("Done.")),
    };
    let mut response = json_response(words, answer_schema(answer.fields()), &[]);
    if let (HttpMethod::Get, Some(content)) = (method, response["content"].as_object_mut()) {
        for format in action.formats {
            content.insert(format.media_type.into(), json!({"schema": {"type": "string"}}));
        }
    }
    (status, response)
}
