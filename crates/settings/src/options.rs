//! Settings in OPTIONS and in the OpenAPI document.

use hostler_engine::MAX_PAGE_SIZE;
use serde_json::{Map, Value as Json, json};

use crate::change::ENCRYPTED;
use crate::definitions::{self, CATEGORIES, Category};
use crate::selection::{ALL, CHANGED, Selection};
use crate::setting::Setting;
use crate::value_type::ValueType;
use crate::values::Settings;

/// The slugs of all categories.
pub fn slugs() -> impl Iterator<Item = &'static str> {
    [ALL, CHANGED].into_iter().chain(CATEGORIES.iter().map(|category| category.slug))
}

/// JSON Schema of the settings of any category.
pub fn schema() -> Json {
    let properties: Map<String, Json> =
        definitions::all().map(|(_, setting)| (setting.name.to_owned(), setting.json_schema())).collect();
    json!({"type": "object", "description": "The settings of the category.", "properties": properties})
}

/// The response to OPTIONS of the list of categories.
pub fn list_options() -> Map<String, Json> {
    let field =
        |label: &str, help: &str| json!({"type": "string", "label": label, "help_text": help, "filterable": false});
    let fields = json!({
        "url": field("Url", "The path of the category."),
        "slug": field("Slug", "The last part of the path."),
        "name": field("Name", "The name of the category."),
    });
    let mut options = document("Setting Categories", "The categories of settings.", json!({"GET": fields}));
    options.insert("max_page_size".into(), MAX_PAGE_SIZE.into());
    options
}

/// The response to OPTIONS of the category with these settings.
pub fn category_options(selection: Selection, settings: &Settings, can_change: bool) -> Map<String, Json> {
    let settings: Vec<_> = selection.settings(settings).collect();
    let mut actions = Map::new();
    if can_change {
        let writable = settings.iter().filter(|(_, setting)| !setting.read_only);
        let fields = writable.map(|(category, setting)| (setting.name.to_owned(), writable_field(category, setting)));
        actions.insert("PUT".into(), fields.collect::<Map<_, _>>().into());
    }
    let fields =
        settings.iter().map(|(category, setting)| (setting.name.to_owned(), readable_field(category, setting)));
    actions.insert("GET".into(), fields.collect::<Map<_, _>>().into());
    document("Setting Detail", "Settings. A change takes effect at once on all nodes.", actions.into())
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

/// What OPTIONS says about a setting for any action.
fn field(category: &Category, setting: &Setting) -> Map<String, Json> {
    let mut field = Map::new();
    let mut set = |name: &str, value: Json| field.insert(name.into(), value);
    set("type", setting.value_type.name().into());
    set("hidden", false.into());
    set("label", setting.label.into());
    set("help_text", setting.help_text().into());
    match &setting.value_type {
        ValueType::Integer { min, max } => {
            if *min > i64::MIN {
                set("min_value", (*min).into());
            }
            if *max < i64::MAX {
                set("max_value", (*max).into());
            }
        }
        ValueType::StringList | ValueType::StringMap => {
            set("child", json!({"type": "string", "hidden": false}));
        }
        ValueType::Choice(choices) => {
            set("choices", choices.iter().map(|(choice, label)| json!([choice, label])).collect());
        }
        ValueType::Custom(custom) => {
            if let Some(child) = custom.child {
                set("child", child());
            }
        }
        ValueType::Ldap(ldap) if ldap.kind == "choice" => {
            set("choices", hostler_ldap::group_types().map(|name| json!([name, name])).collect());
        }
        ValueType::Boolean | ValueType::String { .. } | ValueType::Url | ValueType::Time | ValueType::Ldap(_) => {}
    }
    set("category", category.name.into());
    set("category_slug", category.slug.into());
    if let Some(unit) = setting.unit {
        set("unit", unit.into());
    }
    field
}

fn readable_field(category: &Category, setting: &Setting) -> Json {
    let mut field = field(category, setting);
    field.insert("defined_in_file".into(), setting.defined_in_file.into());
    field.into()
}

fn writable_field(category: &Category, setting: &Setting) -> Json {
    let mut field = field(category, setting);
    field.insert("required".into(), setting.required.into());
    field.insert("default".into(), setting.default_value());
    if let Some(Json::Object(child)) = field.get_mut("child") {
        child.insert("required".into(), true.into());
        child.insert("read_only".into(), false.into());
    }
    if let ValueType::String { max_length } = setting.value_type {
        field.insert("max_length".into(), max_length.into());
    }
    if let Some(placeholder) = setting.placeholder {
        field.insert("placeholder".into(), placeholder());
    }
    field.into()
}

impl Settings {
    /// The value in responses: secrets are masked.
    pub(crate) fn response_value(&self, setting: &Setting) -> Json {
        let value = self.value(setting);
        let is_hidden = setting.is_secret() && value.as_str() != Some("");
        if is_hidden { ENCRYPTED.into() } else { value }
    }
}
