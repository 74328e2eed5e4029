//! What OPTIONS and the OpenAPI document tell of settings.

use serde_json::{Map, Value as Json, json};

use super::change::ENCRYPTED;
use super::definitions::{self, CATEGORIES, Category};
use super::handlers::{CHANGED, EVERYTHING};
use super::{Setting, Settings};

/// The categories, as paths name them.
pub(crate) fn slugs() -> impl Iterator<Item = &'static str> {
    [EVERYTHING, CHANGED].into_iter().chain(CATEGORIES.iter().map(|category| category.slug))
}

/// The settings of any category as JSON Schema.
pub(crate) fn schema() -> Json {
    let properties: Map<String, Json> =
        definitions::all().map(|(_, setting)| (setting.name.to_owned(), setting.schema())).collect();
    json!({"type": "object", "description": "Settings, as far as they belong to the category.", "properties": properties})
}

/// The answer to OPTIONS of the list of categories.
pub(crate) fn describe_list() -> Map<String, Json> {
    let field =
        |label: &str, help: &str| json!({"type": "string", "label": label, "help_text": help, "filterable": false});
    let fields = json!({
        "url": field("Url", "Where the settings of the category are."),
        "slug": field("Slug", "The last part of that path."),
        "name": field("Name", "What the category is called."),
    });
    document("Setting Categories", "The categories of settings.", json!({"GET": fields}))
}

/// The answer to OPTIONS of these settings.
pub(super) fn describe(settings: &[(&'static Category, &'static Setting)], changeable: bool) -> Map<String, Json> {
    let mut actions = Map::new();
    if changeable {
        let writable = settings.iter().filter(|(_, setting)| !setting.read_only);
        let fields = writable.map(|(category, setting)| (setting.name.to_owned(), for_writing(category, setting)));
        actions.insert("PUT".into(), fields.collect::<Map<_, _>>().into());
    }
    let fields = settings.iter().map(|(category, setting)| (setting.name.to_owned(), for_reading(category, setting)));
    actions.insert("GET".into(), fields.collect::<Map<_, _>>().into());
    document("Setting Detail", "Settings that Hostler honours; each has effect at once, on all nodes.", actions.into())
}

fn document(name: &str, description: &str, actions: Json) -> Map<String, Json> {
    let mut document = Map::new();
    document.insert("name".into(), name.into());
    document.insert("description".into(), description.into());
    document.insert("renders".into(), json!(["application/json", "text/html"]));
    document.insert("parses".into(), json!(["application/json"]));
    document.insert("actions".into(), actions);
    document
}

/// What is said of a setting for every action.
fn shape(category: &Category, setting: &Setting) -> Map<String, Json> {
    use super::value_type::Kind;
    let mut words = Map::new();
    let mut say = |name: &str, value: Json| words.insert(name.into(), value);
    say("type", setting.kind.type_name().into());
    say("hidden", false.into());
    say("label", setting.label.into());
    say("help_text", setting.help.into());
    match &setting.kind {
        Kind::Integer { least, greatest } => {
            say("min_value", (*least).into());
            say("max_value", (*greatest).into());
        }
        Kind::Texts => {
            say("child", json!({"type": "string", "required": true, "read_only": false}));
        }
        Kind::Shaped(shape) => {
            if let Some(child) = shape.child {
                say("child", child());
            }
        }
        Kind::Directory(directory) if directory.kind == "choice" => {
            say("choices", hostler_ldap::group_types().map(|name| json!([name, name])).collect());
        }
        Kind::Boolean | Kind::Text { .. } | Kind::WebAddress | Kind::Directory(_) => {}
    }
    say("category", category.name.into());
    say("category_slug", category.slug.into());
    if let Some(unit) = setting.unit {
        say("unit", unit.into());
    }
    words
}

fn for_reading(category: &Category, setting: &Setting) -> Json {
    let mut words = shape(category, setting);
    // No setting can be fixed in a file, as AWX's can.
    words.insert("defined_in_file".into(), false.into());
    words.into()
}

fn for_writing(category: &Category, setting: &Setting) -> Json {
    let mut words = shape(category, setting);
    words.insert("required".into(), setting.required.into());
    words.insert("read_only".into(), setting.read_only.into());
    words.insert("default".into(), setting.default_value());
    if let super::value_type::Kind::Text { longest } = setting.kind {
        words.insert("max_length".into(), longest.into());
    }
    if let Some(placeholder) = setting.placeholder {
        words.insert("placeholder".into(), placeholder());
    }
    words.into()
}

impl Settings {
    /// What an answer shows of a setting.
    pub(super) fn shown(&self, setting: &Setting) -> Json {
        let value = self.value(setting);
        let is_hidden = setting.is_secret() && value.as_str() != Some("");
        if is_hidden { ENCRYPTED.into() } else { value }
    }
}
