//! Settings that describe named URLs. They follow from the resources and are read-only.

use hostler_resources::REGISTRY;
use hostler_schema::{NaturalKeyPart, Resource};
use serde_json::{Map, Value as Json, json};

use super::Category;
use crate::setting::Setting;
use crate::value_type::{CustomType, ValueType};
use crate::values::Settings;

pub(crate) const CATEGORY: Category =
    Category { slug: "named-url", name: "Named URL", settings: &[&NAMED_URL_FORMATS, &NAMED_URL_GRAPH_NODES] };

pub(crate) static NAMED_URL_FORMATS: Setting =
    Setting::derived("NAMED_URL_FORMATS", ValueType::Custom(&OBJECT), formats)
        .label("Formats of named URLs")
        .help("The format of each resource's named URLs, such as <name>++<organization.name> for teams.");

pub(crate) static NAMED_URL_GRAPH_NODES: Setting =
    Setting::derived("NAMED_URL_GRAPH_NODES", ValueType::Custom(&OBJECT), graph_nodes)
        .label("Parts of named URLs")
        .help("The fields and the links to other resources from which each resource's named URLs are built.");

static OBJECT: CustomType = CustomType {
    name: "nested object",
    child: None,
    check: |value| Ok(value.clone()),
    json_schema: || json!({"type": "object"}),
};

/// The resources with named URLs.
fn named() -> impl Iterator<Item = &'static Resource> {
    REGISTRY.resources().filter(|resource| !resource.natural_key.is_empty())
}

fn fields(resource: &Resource) -> impl Iterator<Item = &'static str> {
    resource.natural_key.iter().filter_map(|key| match key {
        NaturalKeyPart::Field(name) => Some(*name),
        NaturalKeyPart::Link(_) => None,
    })
}

/// The links in a natural key with the resources that they lead to.
fn links(resource: &Resource) -> impl Iterator<Item = (&'static str, &'static Resource)> {
    resource.natural_key.iter().filter_map(|key| {
        let NaturalKeyPart::Link(name) = key else { return None };
        Some((*name, resource.field(name)?.kind.target()?))
    })
}

fn formats(_: &Settings) -> Json {
    named()
        .map(|resource| (resource.plural.to_owned(), Json::from(format_of(resource, None))))
        .collect::<Map<_, _>>()
        .into()
}

/// The resource's own fields, joined by `+`, and after each `++` those of a linked resource.
fn format_of(resource: &Resource, link: Option<&str>) -> String {
    let field = |name: &str| link.map_or_else(|| format!("<{name}>"), |link| format!("<{link}.{name}>"));
    let own = fields(resource).map(field).collect::<Vec<_>>().join("+");
    links(resource).fold(own, |format, (name, target)| format!("{format}++{}", format_of(target, Some(name))))
}

fn graph_nodes(_: &Settings) -> Json {
    let node = |resource: &'static Resource| {
        let links: Vec<Json> = links(resource).map(|(name, target)| json!([name, target.plural])).collect();
        json!({"fields": fields(resource).collect::<Vec<_>>(), "adj_list": links})
    };
    named().map(|resource| (resource.plural.to_owned(), node(resource))).collect::<Map<_, _>>().into()
}
