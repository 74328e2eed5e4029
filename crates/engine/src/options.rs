//! Responses to OPTIONS: the fields of a resource, and the methods that the actor may use.

use hostler_schema::{Actor, DefaultValue, Field, FieldKind, JobSettings, Post, RelatedSearch, Resource, Sublist};
use serde_json::{Map, Value as Json, json};

use crate::Links;
use crate::field_values::default_json;

/// The maximum page size.
pub const MAX_PAGE_SIZE: u64 = 200;

/// The actions that an OPTIONS response describes beside GET.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Actions {
    /// POST, for actors who may create an object here.
    pub post: bool,
    /// PUT, for actors who may change the object.
    pub put: bool,
    /// The content of a POST body.
    pub post_body: PostBody,
    /// Whether the path is a list, with search and pages.
    pub list: bool,
    /// Whether the list is a sub-list of an object.
    pub below_object: bool,
    /// The fields that POST requires here, beyond those that the resource always requires.
    pub required: &'static [&'static str],
}

/// The content of a POST body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PostBody {
    /// The fields of a new object.
    #[default]
    NewObject,
    /// The id of an object to associate.
    Id,
    /// Either of them.
    IdOrNewObject,
    /// The id of a role to grant or to take away.
    RoleId,
}

impl PostBody {
    /// The body of a POST to a sub-list.
    pub fn of(sublist: &Sublist) -> Self {
        match sublist.post {
            Post::GrantByHook if (sublist.target)().name == "role" => PostBody::RoleId,
            post if post.takes_only_id() => PostBody::Id,
            Post::Associate(_) | Post::Grant(_) | Post::Own(_) => PostBody::IdOrNewObject,
            _ => PostBody::NewObject,
        }
    }
}

impl Actions {
    /// The response for a path with objects of this resource and this title.
    pub fn document(self, links: &Links, actor: &Actor, resource: &'static Resource, title: &str) -> Map<String, Json> {
        let mut actions = Map::new();
        if self.put {
            actions.insert("PUT".into(), writable(resource, false).into());
        }
        actions.insert("GET".into(), readable(resource, self.list).into());
        if self.post {
            let mut fields = match self.post_body {
                PostBody::NewObject => writable(resource, true),
                PostBody::Id => associated(resource),
                PostBody::RoleId => {
                    let mut fields = associated(resource);
                    let help = "Whether to take the role away.";
                    // AWX says so, although any value counts by its truth.
                    let disassociate = json!({"type": "integer", "help_text": help, "label": "Disassociate"});
                    fields.insert("disassociate".into(), disassociate);
                    fields
                }
                PostBody::IdOrNewObject => {
                    let mut fields = associated(resource);
                    fields.extend(writable(resource, true));
                    fields
                }
            };
            for name in self.required {
                if let Some(field) = fields.get_mut(*name) {
                    field["required"] = true.into();
                }
            }
            actions.insert("POST".into(), fields.into());
        }
        for fields in actions.values_mut() {
            add_setting_choices(resource, &actor.job_settings, fields);
        }
        let mut document = Map::new();
        document.insert("name".into(), title.into());
        document.insert("description".into(), resource.description.into());
        document.insert("renders".into(), json!(["application/json", "text/html"]));
        document.insert("parses".into(), json!(["application/json"]));
        document.insert("actions".into(), actions.into());
        document.insert("types".into(), types(resource).map(|resource| resource.name).collect());
        if self.list {
            let mut search: Vec<&str> = resource.search.to_vec();
            search.sort_unstable();
            document.insert("search_fields".into(), search.into());
            let related = match resource.related_search {
                RelatedSearch::BelowObjects if !self.below_object => vec![],
                _ => related_search(links, resource),
            };
            if !related.is_empty() {
                document.insert("related_search_fields".into(), related.into());
            }
            document.insert("max_page_size".into(), MAX_PAGE_SIZE.into());
        }
        if !resource.roles.is_empty() {
            document.insert("object_roles".into(), object_roles(resource).into());
        }
        document
    }
}

/// The parameters that search through the relations of a resource, sorted.
fn related_search(links: &Links, resource: &'static Resource) -> Vec<String> {
    let listed = links.relations(resource).iter().filter(|hop| hop.listed).map(|hop| hop.name);
    let names = listed.chain(resource.unimplemented_relations.iter().copied());
    let mut parameters: Vec<String> = names.map(|name| format!("{name}__search")).collect();
    parameters.sort_unstable();
    parameters
}

/// The names of a resource's object roles, sorted.
pub fn object_roles(resource: &'static Resource) -> Vec<&'static str> {
    let mut roles: Vec<_> = resource.roles.iter().map(|role| role.field).collect();
    roles.sort_unstable();
    roles
}

/// The types of the objects in a list.
fn types(resource: &'static Resource) -> impl Iterator<Item = &'static Resource> {
    let itself = resource.variants.is_none().then_some(resource);
    resource.variants.into_iter().flat_map(|variants| variants.iter()).chain(itself)
}

/// `listed` leaves out the fields that lists do not contain.
fn readable(resource: &'static Resource, listed: bool) -> Map<String, Json> {
    let mut fields = Map::new();
    let mut rest = resource.fields.iter();
    if let Some(id) = rest.next() {
        fields.insert(id.name.into(), shape(id).into());
    }
    let plain = |kind: &str, label: &str, help: &str| json!({"type": kind, "help_text": help, "hidden": false, "label": label, "filterable": false});
    let choices: Json = types(resource).map(|resource| json!([resource.name, resource.type_label])).collect();
    let mut type_field = json!({"type": "choice", "help_text": "What type of object this is.", "hidden": false, "label": "Type", "choices": choices});
    if resource.variant_column().is_some() {
        type_field["filterable"] = true.into();
    }
    fields.insert("type".into(), type_field);
    fields.insert("url".into(), plain("string", "Url", "The path of this object."));
    fields.insert("related".into(), plain("object", "Related", "Paths of related objects and lists."));
    fields.insert(
        "summary_fields".into(),
        plain(
            "object",
            "Summary fields",
            "A few words about the objects that this one links to, and what you may do with it.",
        ),
    );
    let rest = rest.filter(|field| !(listed && field.detail_only));
    for field in rest.filter(|field| field.is_described()) {
        fields.insert(field.name.into(), shape(field).into());
    }
    fields
}

/// Adds the words that settings list to the described fields whose values they are.
fn add_setting_choices(resource: &'static Resource, settings: &JobSettings, described: &mut Json) {
    for field in resource.fields {
        let (FieldKind::SettingChoice(words), Some(field)) = (field.kind, described.get_mut(field.name)) else {
            continue;
        };
        let words = words(settings);
        field["choices"] = words.iter().map(|word| json!([word, word])).collect();
        let default = field.get("default").and_then(Json::as_str);
        if default.is_some_and(|default| !words.iter().any(|word| word == default)) {
            field["required"] = true.into();
            if let Json::Object(field) = field {
                field.remove("default");
            }
        }
    }
}

/// The field with the id of an object to associate. `awx export` recognizes lists of existing objects by it.
fn associated(resource: &'static Resource) -> Map<String, Json> {
    let mut fields = Map::new();
    if let Some(id) = resource.field("id") {
        let mut words = shape(id);
        words.insert("required".into(), false.into());
        fields.insert(id.name.into(), words.into());
    }
    fields
}

/// `creating` includes fields that only POST accepts.
fn writable(resource: &'static Resource, creating: bool) -> Map<String, Json> {
    let mut fields = Map::new();
    // As in AWX, a field that responses do not contain is described for POST only.
    let described = |field: &&Field| field.is_described() || field.create_only;
    let is_written =
        |field: &&Field| field.writable && field.write_listed && (creating || !(field.create_only || field.fixed));
    for field in resource.fields.iter().filter(described).filter(is_written) {
        fields.insert(field.name.into(), written(field).into());
    }
    fields
}

/// The description of a field in a body.
pub(crate) fn written(field: &Field) -> Map<String, Json> {
    let mut words = shape(field);
    words.insert("required".into(), field.required.into());
    if let Some(max) = field.max {
        words.insert("max_length".into(), max.into());
    }
    if let Some(default) = field.default {
        words.insert("default".into(), default_json(default));
    }
    if let Some(example) = field.example {
        words.insert("default".into(), serde_json::from_str(example).unwrap_or_default());
    }
    if let Some(items) = field.items {
        let child = json!({"type": items, "required": true, "hidden": false, "read_only": false});
        words.insert("child".into(), child);
    }
    if let Some(offered) = field.offered {
        words.insert("choices".into(), choices(offered));
    }
    if !field.shown && !field.kind.is_secret() {
        words.insert("write_only".into(), true.into());
    }
    words
}

fn choices(words: &[(&str, &str)]) -> Json {
    words.iter().map(|(word, label)| json!([word, label])).collect()
}

/// The description of a field that is the same for every action.
pub(crate) fn shape(field: &Field) -> Map<String, Json> {
    let mut words = Map::new();
    words.insert("type".into(), field.type_name.unwrap_or(field.kind.type_name()).into());
    words.insert("help_text".into(), field.help.into());
    words.insert("hidden".into(), false.into());
    words.insert("label".into(), field.label.into());
    words.insert("filterable".into(), field.filter_listed.into());
    if let Some((least, greatest)) = field.range {
        words.insert("min_value".into(), least.into());
        if field.lists_maximum {
            words.insert("max_value".into(), greatest.into());
        }
    }
    if let Some(items) = field.items {
        words.insert("child".into(), json!({"type": items, "hidden": false}));
    }
    if let FieldKind::Choice(choices) = field.kind {
        let mut choices = self::choices(choices);
        // As in AWX null is the first choice where a client can send it, unless it only stands for a missing value.
        let is_choice = field.nullable && field.writable && !matches!(field.default, Some(DefaultValue::Null));
        if let (true, Json::Array(list)) = (is_choice, &mut choices) {
            list.insert(0, json!([null, "---------"]));
        }
        words.insert("choices".into(), choices);
    }
    if let FieldKind::IntegerChoice(numbers) = field.kind {
        let choices: Json = numbers.iter().map(|(number, label)| json!([number, label])).collect();
        words.insert("choices".into(), choices);
    }
    if let Some(details) = field.details {
        words.extend(details());
    }
    words
}
