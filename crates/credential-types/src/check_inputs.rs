//! Checks what a custom credential type says of its inputs.

use serde_json::{Map, Value as Json};

use crate::python_repr::{quoted, repr, str, type_name, unexpected};

/// What has been found wrong, each with where it stands.
#[derive(Default)]
pub(crate) struct SchemaErrors(pub(crate) Vec<String>);

/// Where something stands in a document, in the form that messages tell.
#[derive(Clone, Default)]
pub(crate) struct Path(Vec<String>);

impl Path {
    pub(crate) fn key(&self, key: &str) -> Path {
        let mut parts = self.0.clone();
        parts.push(quoted(key));
        Path(parts)
    }

    pub(crate) fn item(&self, index: usize) -> Path {
        let mut parts = self.0.clone();
        parts.push(index.to_string());
        Path(parts)
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "[{}]", self.0.join(", "))
    }
}

impl SchemaErrors {
    pub(crate) fn add(&mut self, message: impl Into<String>) {
        self.0.push(message.into());
    }

    /// The object at `path`, or else what stands there instead.
    pub(crate) fn object<'a>(&mut self, value: &'a Json, path: &Path) -> Option<&'a Map<String, Json>> {
        let object = value.as_object();
        if object.is_none() {
            self.wrong_type(value, path, "dict");
        }
        object
    }

    /// Keys that may not be there.
    pub(crate) fn only(&mut self, object: &Map<String, Json>, known: &[&str], path: &Path) {
        if let Some(message) = unexpected(object.keys().map(String::as_str).filter(|key| !known.contains(key))) {
            self.add(format!("Schema validation error in relative path {path} ({message})"));
        }
    }

    pub(crate) fn wrong_type(&mut self, value: &Json, path: &Path, expected: &str) {
        let found = type_name(value);
        self.add(match path.0.is_empty() {
            true => format!("{found} provided, expected {expected}"),
            false => format!("{found} provided in relative path {path}, expected {expected}"),
        });
    }

    fn array<'a>(&mut self, value: &'a Json, path: &Path) -> &'a [Json] {
        let array = value.as_array();
        if array.is_none() {
            self.wrong_type(value, path, "array");
        }
        array.map_or(&[], Vec::as_slice)
    }

    fn strings(&mut self, value: &Json, path: &Path) {
        for (index, item) in self.array(value, path).iter().enumerate() {
            self.string(item, &path.item(index));
        }
    }

    fn string(&mut self, value: &Json, path: &Path) {
        if !value.is_string() {
            self.wrong_type(value, path, "string");
        }
    }

    fn boolean(&mut self, value: &Json, path: &Path) {
        if !value.is_boolean() {
            self.wrong_type(value, path, "boolean");
        }
    }

    fn one_of(&mut self, value: &Json, words: &[&str]) {
        if !words.iter().any(|word| value == word) {
            let words: Vec<_> = words.iter().map(|word| quoted(word)).collect();
            self.add(format!("{} is not one of [{}]", repr(value), words.join(", ")));
        }
    }
}

/// Everything that a field of a definition may say.
const KEYS: &[&str] =
    &["type", "format", "choices", "id", "label", "help_text", "multiline", "secret", "ask_at_runtime", "default"];

/// Checks the inputs of a custom credential type, and names the type of those
/// that do not say one, as AWX does.
///
/// # Errors
/// Messages for the field `inputs`, in AWX's words.
pub fn check_inputs(inputs: &mut Json) -> Result<(), Vec<String>> {
    if inputs.get("dependencies").is_some() {
        return Err(vec!["'dependencies' is not supported for custom credentials.".into()]);
    }
    let found = shape(inputs);
    if !found.0.is_empty() {
        return Err(found.0);
    }
    rules(inputs).map_err(|message| vec![message])
}

/// What does not have the right shape, in the order in which AWX's schema looks at it.
fn shape(inputs: &Json) -> SchemaErrors {
    let (mut found, root) = (SchemaErrors::default(), Path::default());
    let Some(object) = found.object(inputs, &root) else { return found };
    found.only(object, &["required", "fields"], &root);
    if let Some(required) = object.get("required") {
        found.strings(required, &root.key("required"));
    }
    if let Some(fields) = object.get("fields") {
        let path = root.key("fields");
        for (index, field) in found.array(fields, &path).iter().enumerate() {
            field_shape(&mut found, field, &path.item(index));
        }
    }
    found
}

fn field_shape(found: &mut SchemaErrors, field: &Json, path: &Path) {
    let Some(field) = found.object(field, path) else { return };
    let get = |key: &str| field.get(key).map(|value| (value, path.key(key)));
    if let Some((value, _)) = get("type") {
        found.one_of(value, &["string", "boolean"]);
    }
    if let Some((value, _)) = get("format") {
        found.one_of(value, &["ssh_private_key", "url"]);
    }
    if let Some((value, path)) = get("choices") {
        let choices = found.array(value, &path);
        if value.is_array() && choices.is_empty() {
            found.add("[] should be non-empty");
        }
        found.strings_of(choices, &path);
        if choices.iter().enumerate().any(|(index, choice)| choices[..index].contains(choice)) {
            found.add(format!("{} has non-unique elements", repr(value)));
        }
    }
    if let Some((value, path)) = get("id") {
        found.string(value, &path);
        if let Some(id) = value.as_str().filter(|id| !is_name(id)) {
            found.add(format!("{id} is an invalid variable name"));
        }
    }
    for key in ["label", "help_text"] {
        if let Some((value, path)) = get(key) {
            found.string(value, &path);
        }
    }
    for key in ["multiline", "secret", "ask_at_runtime"] {
        if let Some((value, path)) = get(key) {
            found.boolean(value, &path);
        }
    }
    found.only(field, KEYS, path);
    for key in ["id", "label"] {
        if !field.contains_key(key) {
            found.add(format!("{} is a required property", quoted(key)));
        }
    }
}

impl SchemaErrors {
    fn strings_of(&mut self, items: &[Json], path: &Path) {
        for (index, item) in items.iter().enumerate() {
            self.string(item, &path.item(index));
        }
    }
}

/// Whether a text can be a variable of a template.
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
}

/// The rules that are about more than the shape; the first that is broken is told.
fn rules(inputs: &mut Json) -> Result<(), String> {
    let fields = inputs.get_mut("fields").and_then(Json::as_array_mut);
    let mut ids: Vec<String> = vec![];
    let mut asks = false;
    for field in fields.into_iter().flatten().filter_map(Json::as_object_mut) {
        let id = field.get("id").and_then(Json::as_str).unwrap_or_default().to_owned();
        if id == "tower" {
            return Err("\"tower\" is a reserved field name".into());
        }
        if ids.contains(&id) {
            return Err(format!("field IDs must be unique ({id})"));
        }
        let kind = match field.get("type").and_then(Json::as_str) {
            Some(kind) => kind.to_owned(),
            None => {
                field.insert("type".into(), "string".into());
                "string".into()
            }
        };
        if let Some(default) = field.get("default")
            && !(if kind == "string" { default.is_string() } else { default.is_boolean() })
        {
            return Err(format!("{} is not a {kind}", str(default)));
        }
        let texts_only = ["choices", "multiline", "format", "secret"];
        if let Some(key) = texts_only.into_iter().find(|key| field.contains_key(*key) && kind != "string") {
            return Err(format!("{key} not allowed for {kind} type ({id})"));
        }
        asks |= field.get("ask_at_runtime") == Some(&Json::Bool(true));
        ids.push(id);
    }
    if asks {
        return Err("'ask_at_runtime' is not supported for custom credentials.".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn messages(mut inputs: Json) -> Vec<String> {
        check_inputs(&mut inputs).err().unwrap_or_default()
    }

    #[test]
    fn good_definitions_are_taken() {
        for inputs in [
            json!({}),
            json!({"fields": []}),
            json!({"fields": [{"id": "_a1", "label": "A"}], "required": ["_a1"]}),
            json!({"fields": [{"id": "a", "label": "A", "type": "boolean", "default": true, "help_text": "h"},
                              {"id": "b", "label": "B", "choices": ["x", "y"], "default": "x", "multiline": false},
                              {"id": "c", "label": "C", "type": "string", "secret": true, "format": "ssh_private_key"}]}),
        ] {
            assert_eq!(messages(inputs.clone()), Vec::<String>::new(), "{inputs}");
        }
    }

    #[test]
    fn a_field_without_a_type_is_a_text() {
        let mut inputs = json!({"fields": [{"id": "a", "label": "A"}]});
        check_inputs(&mut inputs).unwrap();
        assert_eq!(inputs["fields"][0]["type"], "string");
    }

    // Recorded, or what the schema of AWX 24.6.1 says by jsonschema 4.21.1.
    #[test]
    fn wrong_shapes_are_told_as_awx_does() {
        for (inputs, expected) in [
            (json!("x"), vec!["str provided, expected dict"]),
            (json!([]), vec!["list provided, expected dict"]),
            (json!({"fields": "x"}), vec!["str provided in relative path ['fields'], expected array"]),
            (json!({"fields": [{"id": "a b", "label": "x"}]}), vec!["a b is an invalid variable name"]),
            (json!({"fields": [3]}), vec!["int provided in relative path ['fields', 0], expected dict"]),
            (json!({"fields": [{}]}), vec!["'id' is a required property", "'label' is a required property"]),
            (
                json!({"fields": [{"id": 1, "label": "x", "secret": "yes"}]}),
                vec![
                    "int provided in relative path ['fields', 0, 'id'], expected string",
                    "str provided in relative path ['fields', 0, 'secret'], expected boolean",
                ],
            ),
            (
                json!({"fields": [{"id": "a", "label": "x", "type": "number"}]}),
                vec!["'number' is not one of ['string', 'boolean']"],
            ),
            (json!({"fields": [{"id": "a", "label": "x", "choices": []}]}), vec!["[] should be non-empty"]),
            (
                json!({"fields": [{"id": "a", "label": "x", "choices": ["b", "b"]}]}),
                vec!["['b', 'b'] has non-unique elements"],
            ),
            (
                json!({"fields": [{"id": "a", "label": "x", "nope": 1}], "more": 1}),
                vec![
                    "Schema validation error in relative path [] (Additional properties are not allowed ('more' was unexpected))",
                    "Schema validation error in relative path ['fields', 0] (Additional properties are not allowed ('nope' was unexpected))",
                ],
            ),
            (json!({"required": [1]}), vec!["int provided in relative path ['required', 0], expected string"]),
            (
                json!({"metadata": []}),
                vec![
                    "Schema validation error in relative path [] (Additional properties are not allowed ('metadata' was unexpected))",
                ],
            ),
        ] {
            assert_eq!(messages(inputs.clone()), expected, "{inputs}");
        }
    }

    #[test]
    fn broken_rules_are_told_as_awx_does() {
        for (fields, expected) in [
            (json!([{"id": "tower", "label": "x"}]), "\"tower\" is a reserved field name"),
            (json!([{"id": "a", "label": "x"}, {"id": "a", "label": "y"}]), "field IDs must be unique (a)"),
            (json!([{"id": "a", "label": "x", "default": true}]), "True is not a string"),
            (json!([{"id": "a", "label": "x", "type": "boolean", "default": "x"}]), "x is not a boolean"),
            (
                json!([{"id": "a", "label": "x", "type": "boolean", "secret": true}]),
                "secret not allowed for boolean type (a)",
            ),
            (
                json!([{"id": "a", "label": "x", "ask_at_runtime": true}]),
                "'ask_at_runtime' is not supported for custom credentials.",
            ),
        ] {
            assert_eq!(messages(json!({"fields": fields.clone()})), vec![expected], "{fields}");
        }
        assert_eq!(
            messages(json!({"dependencies": {}})),
            vec!["'dependencies' is not supported for custom credentials."]
        );
    }
}
