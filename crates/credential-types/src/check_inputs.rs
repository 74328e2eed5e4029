//! Checks the inputs of custom credential types.

use serde_json::{Map, Value as Json};

use crate::python_repr::{quoted, repr, str, type_name, unexpected};

/// Error messages, in the order in which AWX reports them.
#[derive(Default)]
pub(crate) struct SchemaErrors(pub(crate) Vec<String>);

/// A position in a document, as messages show it.
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

    /// The object at `path`; adds an error if the value is not an object.
    pub(crate) fn object<'a>(&mut self, value: &'a Json, path: &Path) -> Option<&'a Map<String, Json>> {
        let object = value.as_object();
        if object.is_none() {
            self.wrong_type(value, path, "dict");
        }
        object
    }

    /// Adds an error for unknown keys.
    pub(crate) fn only(&mut self, object: &Map<String, Json>, known: &[&str], path: &Path) {
        if let Some(message) = unexpected(object.keys().map(String::as_str).filter(|key| !known.contains(key))) {
            self.add(format!("Schema validation error in relative path {path} ({message})"));
        }
    }

    pub(crate) fn wrong_type(&mut self, value: &Json, path: &Path, expected: &str) {
        let type_name = type_name(value);
        self.add(match path.0.is_empty() {
            true => format!("{type_name} provided, expected {expected}"),
            false => format!("{type_name} provided in relative path {path}, expected {expected}"),
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

/// The allowed keys of a field definition.
const KEYS: &[&str] =
    &["type", "format", "choices", "id", "label", "help_text", "multiline", "secret", "ask_at_runtime", "default"];

/// Checks the inputs of a custom credential type. Like AWX, it adds the type `string` to
/// fields without a type.
///
/// # Errors
/// Messages for the field `inputs`, as AWX words them.
pub fn check_inputs(inputs: &mut Json) -> Result<(), Vec<String>> {
    if inputs.get("dependencies").is_some() {
        return Err(vec!["'dependencies' is not supported for custom credentials.".into()]);
    }
    let errors = check_structure(inputs);
    if !errors.0.is_empty() {
        return Err(errors.0);
    }
    check_rules(inputs).map_err(|message| vec![message])
}

/// Checks the structure, in the order of AWX's JSON Schema.
fn check_structure(inputs: &Json) -> SchemaErrors {
    let (mut errors, root) = (SchemaErrors::default(), Path::default());
    let Some(object) = errors.object(inputs, &root) else { return errors };
    errors.only(object, &["required", "fields"], &root);
    if let Some(required) = object.get("required") {
        errors.strings(required, &root.key("required"));
    }
    if let Some(fields) = object.get("fields") {
        let path = root.key("fields");
        for (index, field) in errors.array(fields, &path).iter().enumerate() {
            check_field(&mut errors, field, &path.item(index));
        }
    }
    errors
}

fn check_field(errors: &mut SchemaErrors, field: &Json, path: &Path) {
    let Some(field) = errors.object(field, path) else { return };
    let get = |key: &str| field.get(key).map(|value| (value, path.key(key)));
    if let Some((value, _)) = get("type") {
        errors.one_of(value, &["string", "boolean"]);
    }
    if let Some((value, _)) = get("format") {
        errors.one_of(value, &["ssh_private_key", "url"]);
    }
    if let Some((value, path)) = get("choices") {
        let choices = errors.array(value, &path);
        if value.is_array() && choices.is_empty() {
            errors.add("[] should be non-empty");
        }
        errors.strings_of(choices, &path);
        if choices.iter().enumerate().any(|(index, choice)| choices[..index].contains(choice)) {
            errors.add(format!("{} has non-unique elements", repr(value)));
        }
    }
    if let Some((value, path)) = get("id") {
        errors.string(value, &path);
        if let Some(id) = value.as_str().filter(|id| !is_name(id)) {
            errors.add(format!("{id} is an invalid variable name"));
        }
    }
    for key in ["label", "help_text"] {
        if let Some((value, path)) = get(key) {
            errors.string(value, &path);
        }
    }
    for key in ["multiline", "secret", "ask_at_runtime"] {
        if let Some((value, path)) = get(key) {
            errors.boolean(value, &path);
        }
    }
    errors.only(field, KEYS, path);
    for key in ["id", "label"] {
        if !field.contains_key(key) {
            errors.add(format!("{} is a required property", quoted(key)));
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

/// Whether a text is a valid variable name in templates.
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
}

/// Checks the rules beyond the structure. Returns the first error.
fn check_rules(inputs: &mut Json) -> Result<(), String> {
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
        let string_only = ["choices", "multiline", "format", "secret"];
        if let Some(key) = string_only.into_iter().find(|key| field.contains_key(*key) && kind != "string") {
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
    fn valid_definitions_are_accepted() {
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
    fn default_field_type_is_string() {
        let mut inputs = json!({"fields": [{"id": "a", "label": "A"}]});
        check_inputs(&mut inputs).unwrap();
        assert_eq!(inputs["fields"][0]["type"], "string");
    }

    // Recorded from AWX 24.6.1, or the output of jsonschema 4.21.1.
    #[test]
    fn structure_errors_have_the_messages_of_awx() {
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
    fn rule_errors_have_the_messages_of_awx() {
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
