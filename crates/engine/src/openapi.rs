//! The parts of an OpenAPI 3.1 document that are derived from the descriptions: the JSON Schemas of responses and
//! request bodies, and the parameters of lists. The server adds paths, methods and statuses.
//!
//! Schemas allow additional properties: hooks add keys to responses, and unknown keys of a body are ignored.

use hostler_schema::{ActionHandling, Field, FieldKind, JsonShape, NaturalKeyPart, Resource};
use serde_json::{Map, Value as Json, json};

use crate::field_values::default_json;
use crate::options::MAX_PAGE_SIZE;

/// The kind of a request body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestBody {
    /// POST: a new object.
    Create,
    /// PUT: the whole object.
    Replace,
    /// PATCH: some fields of an object.
    Change,
}

impl RequestBody {
    /// All kinds.
    pub const ALL: [RequestBody; 3] = [RequestBody::Create, RequestBody::Replace, RequestBody::Change];

    /// The name of the component with the schema of this body.
    pub fn component(self, resource: &Resource) -> String {
        let word = match self {
            RequestBody::Create => "Create",
            RequestBody::Replace => "Replace",
            RequestBody::Change => "Change",
        };
        component(resource) + word
    }

    /// Whether the resource accepts such a body on any path.
    pub fn is_taken(self, resource: &Resource) -> bool {
        match self {
            // Sub-lists create objects too, so any resource with writable fields may be created.
            RequestBody::Create => resource.fields.iter().any(|field| field.writable),
            RequestBody::Replace | RequestBody::Change => resource.editable,
        }
    }

    /// Whether it has required fields.
    pub fn is_needed(self, resource: &Resource) -> bool {
        self != RequestBody::Change && resource.fields.iter().any(|field| field.writable && field.required)
    }

    /// The schema of this body.
    pub fn schema(self, resource: &Resource) -> Json {
        let fields = resource.fields.iter().filter(|field| self == RequestBody::Create || !field.create_only);
        body_schema(fields, self != RequestBody::Change)
    }
}

/// The name of the component with the schema of an object: `o_auth2_access_token` is `OAuth2AccessToken`.
pub fn component(resource: &Resource) -> String {
    let name = if resource.same_objects_as.is_some() { resource.plural } else { resource.name };
    let words = name.split('_').map(|word| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>()).unwrap_or_default()
    });
    words.collect()
}

/// The name of the component with the schema of a page of a list.
pub fn page_component(resource: &Resource) -> String {
    component(resource) + "Page"
}

/// A reference to a component of this kind, such as `schemas`.
pub fn reference(kind: &str, name: &str) -> Json {
    json!({"$ref": format!("#/components/{kind}/{name}")})
}

/// The schema of an object in responses.
pub fn shown(resource: &'static Resource) -> Json {
    if let Some(variants) = resource.variants {
        let of_variant = |variant: &'static Resource| reference("schemas", &component(variant));
        return json!({"oneOf": variants.iter().map(of_variant).collect::<Vec<_>>(), "title": resource.type_label});
    }
    let mut properties = Map::new();
    let mut fields = resource.fields.iter();
    if let Some(id) = fields.next() {
        properties.insert(id.name.into(), answered(id).into());
    }
    properties.insert("type".into(), json!({"type": "string", "const": resource.name}));
    properties.insert("url".into(), link("The path of this object."));
    properties.insert("related".into(), related(resource));
    properties.insert("summary_fields".into(), summaries(resource));
    let mut masked = vec![];
    for field in fields {
        if field.shown {
            properties.insert(field.name.into(), answered(field).into());
        } else if field.is_described() && !field.writable {
            masked.push(field);
        }
    }
    // All fields of the description are always present; a hook may show a secret in some responses.
    let required: Vec<String> = properties.keys().cloned().collect();
    for field in masked {
        properties.insert(field.name.into(), answered(field).into());
    }
    json!({
        "type": "object",
        "title": resource.type_label,
        "description": resource.description,
        "properties": properties,
        "required": required,
    })
}

/// The schema of an object with these fields in responses, such as that of an action.
pub fn answer_schema(fields: &[Field]) -> Json {
    let properties: Map<String, Json> =
        fields.iter().map(|field| (field.name.into(), answered(field).into())).collect();
    let required: Vec<&str> = fields.iter().map(|field| field.name).collect();
    json!({"type": "object", "properties": properties, "required": required})
}

/// The schema of a body with these fields, of which required ones may be missing in a PATCH.
pub fn body_schema<'a>(fields: impl IntoIterator<Item = &'a Field>, requires: bool) -> Json {
    let mut required: Vec<&str> = vec![];
    let mut properties = Map::new();
    for field in fields.into_iter().filter(|field| field.writable && field.write_listed) {
        if field.required && requires {
            required.push(field.name);
        }
        properties.insert(field.name.into(), sent(field).into());
    }
    let mut schema = json!({"type": "object", "properties": properties});
    if !required.is_empty() {
        set(&mut schema, "required", required.into());
    }
    schema
}

/// The query parameters for these fields.
pub fn query_parameters(fields: &[Field]) -> Vec<Json> {
    let parameter = |field: &Field| {
        let schema = of_kind(field.kind, false);
        json!({
            "name": field.name, "in": "query", "required": field.required, "schema": schema, "description": field.help,
        })
    };
    fields.iter().map(parameter).collect()
}

/// The schema of a page of a list.
pub fn page(resource: &Resource) -> Json {
    let neighbour = |words: &str| json!({"type": ["string", "null"], "format": "uri-reference", "description": words});
    json!({
        "type": "object",
        "properties": {
            "count": {
                "type": "integer",
                "minimum": 0,
                "description": "The number of matching objects. Absent, like the links, with the parameter count_disabled.",
            },
            "next": neighbour("The path of the next page."),
            "previous": neighbour("The path of the previous page."),
            "results": {
                "type": "array",
                "maxItems": MAX_PAGE_SIZE,
                "items": reference("schemas", &component(resource)),
            },
        },
        "required": ["results"],
    })
}

/// The parameters of every list, by the name of their component.
pub fn list_parameters() -> Map<String, Json> {
    let text = || json!({"type": "string"});
    let page = json!({"anyOf": [{"type": "integer", "minimum": 1}, {"const": "last"}]});
    let most = format!("The number of objects on a page, limited to {MAX_PAGE_SIZE}.");
    let order = "Field names, separated by commas; the prefix - reverses the order.";
    let search = "Terms that must all match, each in any of the search_fields of OPTIONS.";
    let known = [
        ("page", page, "The number of the page, from 1, or `last`."),
        ("page_size", json!({"type": "integer", "minimum": 1, "default": 25}), most.as_str()),
        ("order_by", text(), order),
        ("search", text(), search),
    ];
    let mut parameters = Map::new();
    for (name, schema, words) in known {
        let mut parameter = json!({"name": name, "in": "query", "required": false, "description": words});
        set(&mut parameter, "schema", schema);
        parameters.insert(name.into(), parameter);
    }
    let filter = json!({
        "name": "filter",
        "in": "query",
        "required": false,
        "style": "form",
        "explode": true,
        "schema": {"type": "object", "additionalProperties": {"type": "string"}},
        "description": FILTER,
    });
    parameters.insert("filter".into(), filter);
    parameters
}

const FILTER: &str = "Any number of filters, each a separate parameter: a field's name, also across relations \
    (`organization__name=x`), with an optional lookup at its end (`name__icontains=x`): exact, iexact, contains, \
    icontains, startswith, istartswith, endswith, iendswith, regex, iregex, gt, gte, lt, lte, in, isnull. \
    `<relation>__search` searches related objects. Prefixes are `not__`, `or__` (any of these) and `chain__` \
    (with its own related object). A secret cannot be filtered by.";

/// The path parameter for one object of the resource.
pub fn key_parameter(resource: &Resource) -> Json {
    if resource.natural_key.is_empty() {
        let schema = json!({"type": "integer", "format": "int64", "minimum": 1});
        return json!({"name": "key", "in": "path", "required": true, "schema": schema, "description": "The id."});
    }
    let parts: Vec<&str> =
        resource.natural_key.iter().map(|(NaturalKeyPart::Field(name) | NaturalKeyPart::Link(name))| *name).collect();
    let words = format!(
        "The id, or the name as in `related.named_url`: {}. A plus sign within a part is written [+].",
        parts.join("++")
    );
    let schema = json!({"type": "string", "minLength": 1});
    json!({"name": "key", "in": "path", "required": true, "schema": schema, "description": words})
}

/// The body that associates an existing object with another one, or removes the association.
pub fn association() -> Json {
    json!({
        "type": "object",
        "description": "Associates the object with this id, or disassociates it with `disassociate`.",
        "properties": {
            "id": {"type": "integer", "format": "int64"},
            "disassociate": {"type": "boolean", "default": false},
        },
        "required": ["id"],
    })
}

fn link(words: &str) -> Json {
    json!({"type": "string", "format": "uri-reference", "description": words})
}

fn related(resource: &'static Resource) -> Json {
    let mut properties = Map::new();
    if !resource.natural_key.is_empty() {
        // As in AWX it may contain spaces, so it is not a URI reference.
        let words = "The path that names this object by its natural key.";
        properties.insert("named_url".into(), json!({"type": "string", "description": words}));
    }
    for (field, target) in resource.summaries().filter(|(field, _)| field.in_related) {
        properties.insert(field.name.into(), link(target.type_label));
    }
    for sublist in resource.sublists.iter().filter(|sublist| sublist.linked) {
        properties.insert(sublist.name.into(), link(sublist.title));
    }
    for action in resource.actions {
        let Some(key) = action.link else { continue };
        let is_implemented = action.handling != ActionHandling::Unimplemented;
        properties.insert(key.into(), link(if is_implemented { action.title } else { "Not implemented yet: 501." }));
    }
    let others = json!({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]});
    json!({
        "type": "object",
        "description": "Paths of related objects and lists.",
        "properties": properties,
        "additionalProperties": others,
    })
}

fn summaries(resource: &'static Resource) -> Json {
    let mut properties = Map::new();
    if let Some(shared) = resource.shared_type {
        let resource = json!({
            "type": "object",
            "description": "The identity of this object across systems.",
            "properties": {"ansible_id": {"type": "string", "format": "uuid"}, "resource_type": {"const": shared}},
            "required": ["ansible_id", "resource_type"],
        });
        properties.insert("resource".into(), resource);
    }
    for (field, target) in resource.summaries() {
        properties.insert(field.name.into(), summary_of(target));
    }
    if resource.capabilities {
        let others = resource.capability_rules().flat_map(|(keys, _)| keys);
        let keys = resource.editable.then_some(&"edit").into_iter().chain(["delete"].iter()).chain(others);
        let keys: Map<String, Json> = keys.map(|key| ((*key).into(), json!({"type": "boolean"}))).collect();
        let may = json!({
            "type": "object",
            "description": "What the caller may do with this object.",
            "properties": keys,
        });
        properties.insert("user_capabilities".into(), may);
    }
    if !resource.roles.is_empty() {
        let role = json!({
            "type": "object",
            "properties": {"id": {"type": "integer"}, "name": {"type": "string"}, "description": {"type": "string"}},
            "required": ["id", "name", "description"],
        });
        let roles = resource.roles.iter().map(|known| (known.field.to_owned(), role.clone()));
        properties.insert("object_roles".into(), json!({"type": "object", "properties": roles.collect::<Map<_, _>>()}));
    }
    json!({
        "type": "object",
        "description": "Some fields of linked objects that the caller may see.",
        "properties": properties,
    })
}

fn summary_of(target: &'static Resource) -> Json {
    let mut properties = Map::new();
    properties.insert("id".into(), json!({"type": "integer", "format": "int64"}));
    for field in target.summarized_as.iter().filter_map(|name| target.field(name)) {
        properties.insert(field.name.into(), answered(field).into());
    }
    json!({"type": "object", "properties": properties, "required": ["id"]})
}

/// The schema of a field in responses.
fn answered(field: &Field) -> Map<String, Json> {
    let mut schema = of_kind(field.kind, field.nullable);
    if !field.writable {
        set(&mut schema, "readOnly", true.into());
    }
    described(field, schema)
}

/// The schema of a field in bodies.
fn sent(field: &Field) -> Map<String, Json> {
    let kind = field.offered.map_or(field.kind, FieldKind::Choice);
    let mut schema = of_kind(kind, field.nullable);
    if matches!(field.kind, FieldKind::Text | FieldKind::Email | FieldKind::Digest | FieldKind::Encrypted)
        && !field.blank
    {
        set(&mut schema, "minLength", 1.into());
    }
    if let Some(max) = field.max {
        set(&mut schema, "maxLength", max.into());
    }
    if let Some((least, greatest)) = field.range {
        set(&mut schema, "minimum", least.into());
        let (name, limit) = match kind {
            FieldKind::Decimal { digits, places } => {
                let limit = 10i64.pow(digits.saturating_sub(places).into());
                if greatest < limit { ("maximum", greatest) } else { ("exclusiveMaximum", limit) }
            }
            _ => ("maximum", greatest),
        };
        set(&mut schema, name, limit.into());
    }
    if let FieldKind::Decimal { .. } = kind {
        // Accepted as a number, too.
        let types = if field.nullable { json!(["string", "number", "null"]) } else { json!(["string", "number"]) };
        set(&mut schema, "type", types);
    }
    if field.kind.is_secret() || !field.shown {
        set(&mut schema, "writeOnly", true.into());
    } else if let Some(default) = field.default {
        // The default of a secret is empty, which its own schema would reject.
        set(&mut schema, "default", default_json(default));
    }
    described(field, schema)
}

fn of_kind(kind: FieldKind, nullable: bool) -> Json {
    let (type_name, format) = match kind {
        FieldKind::Id | FieldKind::Integer | FieldKind::IntegerChoice(_) | FieldKind::Link(_) => {
            ("integer", Some("int64"))
        }
        FieldKind::Boolean => ("boolean", None),
        FieldKind::Time => ("string", Some("date-time")),
        FieldKind::Uuid => ("string", Some("uuid")),
        FieldKind::Decimal { .. } => ("string", Some("decimal")),
        // An email address has no format, because the empty text is allowed too.
        FieldKind::Text
        | FieldKind::Email
        | FieldKind::Variables
        | FieldKind::Choice(_)
        | FieldKind::SettingChoice(_)
        | FieldKind::Digest
        | FieldKind::Encrypted => ("string", None),
        // No object of that kind exists, so no id is valid.
        FieldKind::Reserved => return json!({"type": "null"}),
        FieldKind::Inputs | FieldKind::Json(JsonShape::Object) => return json!({"type": "object"}),
        FieldKind::Json(JsonShape::List) => return json!({"type": "array"}),
        FieldKind::Json(JsonShape::Texts) => return json!({"type": "array", "items": {"type": "string"}}),
        // Any JSON value.
        FieldKind::Json(JsonShape::Any) | FieldKind::Computed => return json!({}),
    };
    let mut schema = json!({"type": if nullable { json!([type_name, "null"]) } else { json!(type_name) }});
    if let Some(format) = format {
        set(&mut schema, "format", format.into());
    }
    if let FieldKind::Choice(words) = kind {
        let mut values: Vec<Json> = words.iter().map(|(word, _)| (*word).into()).collect();
        if nullable {
            values.push(Json::Null);
        }
        set(&mut schema, "enum", values.into());
    }
    if let FieldKind::IntegerChoice(numbers) = kind {
        set(&mut schema, "enum", numbers.iter().map(|(number, _)| *number).collect());
    }
    schema
}

fn described(field: &Field, schema: Json) -> Map<String, Json> {
    let mut words = Map::new();
    words.insert("title".into(), field.label.into());
    words.insert("description".into(), field.help.into());
    if let Json::Object(schema) = schema {
        words.extend(schema);
    }
    words
}

fn set(schema: &mut Json, key: &str, value: Json) {
    if let Json::Object(map) = schema {
        map.insert(key.to_owned(), value);
    }
}
