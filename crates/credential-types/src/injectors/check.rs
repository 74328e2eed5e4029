//! Checks the injectors of a custom credential type.

use std::sync::Arc;

use minijinja::Value;
use serde_json::{Map, Value as Json};

use super::sandbox::{TemplateContext, TemplateError, render};
use super::{file_name, forbidden_variable};
use crate::InputSchema;
use crate::check_inputs::{Path, SchemaErrors, is_name};
use crate::python_repr::{quoted, repr};

/// Checks the injectors of a custom credential type, whose inputs have been
/// checked: every template must be one, and use nothing but the inputs.
///
/// # Errors
/// Messages for the field `injectors`, in AWX's words.
pub fn check_injectors(injectors: &Json, inputs: &InputSchema) -> Result<(), Vec<String>> {
    let found = shape(injectors);
    match (found.0.is_empty(), injectors.as_object()) {
        (true, Some(injectors)) => templates(injectors, inputs).map_err(|message| vec![message]),
        _ => Err(found.0),
    }
}

/// What does not have the right shape, in the order in which AWX's schema looks at it.
fn shape(injectors: &Json) -> SchemaErrors {
    let (mut found, root) = (SchemaErrors::default(), Path::default());
    let Some(object) = found.object(injectors, &root) else { return found };
    found.only(object, &["file", "env", "extra_vars"], &root);
    if let Some(files) = object.get("file") {
        let path = root.key("file");
        if let Some(files) = found.object(files, &path) {
            let known = |key: &str| file_name(key).is_some();
            texts(&mut found, files, &path, known, false);
            found.matching(files, &path, known, r"^template(\.[a-zA-Z_]+[a-zA-Z0-9_]*)?$");
        }
    }
    if let Some(variables) = object.get("env") {
        let path = root.key("env");
        if let Some(variables) = found.object(variables, &path) {
            texts(&mut found, variables, &path, is_name, true);
            found.matching(variables, &path, is_name, "^[a-zA-Z_]+[a-zA-Z0-9_]*$");
        }
    }
    if let Some(variables) = object.get("extra_vars") {
        let path = root.key("extra_vars");
        if let Some(variables) = found.object(variables, &path) {
            for (_, value) in variables.iter().filter(|(key, _)| is_variable(key)) {
                if !is_extra_value(value) {
                    found.add(format!("{} is not valid under any of the given schemas", repr(value)));
                }
            }
            found.matching(variables, &path, is_variable, r"^[a-zA-Z_\{\}]+[a-zA-Z0-9_\{\}]*$");
        }
    }
    found
}

fn texts(found: &mut SchemaErrors, object: &Map<String, Json>, path: &Path, known: impl Fn(&str) -> bool, ascii: bool) {
    for (key, value) in object.iter().filter(|(key, _)| known(key)) {
        match value.as_str() {
            None => found.wrong_type(value, &path.key(key), "string"),
            // What a variable holds goes through a terminal, which takes only ASCII.
            Some(text) if ascii && !text.is_ascii() => {
                found.add(format!(r"{} does not match '^[\x00-\x7f]*$'", quoted(text)));
            }
            Some(_) => {}
        }
    }
}

/// Whether a text can be the name of an extra variable, which may be a template itself.
fn is_variable(key: &str) -> bool {
    let begins = |c: char| c.is_ascii_alphabetic() || "_{}".contains(c);
    key.starts_with(begins) && key.chars().all(|c| begins(c) || c.is_ascii_digit())
}

fn is_extra_value(value: &Json) -> bool {
    match value {
        Json::String(_) | Json::Array(_) => true,
        Json::Object(object) => object.iter().all(|(key, value)| is_variable(key) && is_extra_value(value)),
        _ => false,
    }
}

impl SchemaErrors {
    /// Keys of another form than `pattern`, which is told.
    fn matching(&mut self, object: &Map<String, Json>, path: &Path, known: impl Fn(&str) -> bool, pattern: &str) {
        let mut others: Vec<&str> = object.keys().map(String::as_str).filter(|key| !known(key)).collect();
        if others.is_empty() {
            return;
        }
        others.sort_unstable();
        let verb = if others.len() == 1 { "does" } else { "do" };
        let others: Vec<_> = others.into_iter().map(quoted).collect();
        let message = format!("{} {verb} not match any of the regexes: {}", others.join(", "), quoted(pattern));
        self.add(format!("Schema validation error in relative path {path} ({message})"));
    }
}

/// Renders every template with examples; the first problem is told.
fn templates(injectors: &Map<String, Json>, inputs: &InputSchema) -> Result<(), String> {
    let part = |name: &str| injectors.get(name).and_then(Json::as_object).into_iter().flatten();
    let names: Vec<_> = part("file").filter_map(|(key, _)| file_name(key)).collect();
    if names.contains(&None) && names.len() > 1 {
        return Err("Must use multi-file syntax when injecting multiple files".into());
    }
    let files = names.into_iter().map(|name| (name.map(str::to_owned), "EXAMPLE_FILENAME".to_owned())).collect();
    let values = inputs.fields.iter().map(|field| (field.id.clone(), Value::from("EXAMPLE"))).collect();
    let check = Check { context: TemplateContext::new(values, files) };
    for kind in injectors.keys() {
        match kind.as_str() {
            "extra_vars" => {
                for (name, value) in part(kind) {
                    check.variable(None, name, value)?;
                }
            }
            _ => {
                if kind == "env"
                    && let Some(message) = part(kind).find_map(|(name, _)| forbidden_variable(name))
                {
                    return Err(message);
                }
                for (key, template) in part(kind) {
                    check.template(kind, key, template.as_str().unwrap_or_default())?;
                }
            }
        }
    }
    Ok(())
}

struct Check {
    context: Arc<TemplateContext>,
}

impl Check {
    fn template(&self, kind: &str, key: &str, template: &str) -> Result<(), String> {
        match render(template, &self.context, true) {
            Ok(_) => Ok(()),
            Err(TemplateError::Undefined(what)) => Err(format!("{key} uses an undefined field ({what})")),
            Err(TemplateError::Other(what)) => {
                Err(format!("Syntax error rendering template for {key} inside of {kind} ({what})"))
            }
        }
    }

    /// A variable and what is in it; `place` is where the object stands that it is in.
    fn variable(&self, place: Option<&str>, name: &str, value: &Json) -> Result<(), String> {
        self.template("extra_vars", place.unwrap_or("a key"), name)?;
        let place = place.map_or_else(|| name.to_owned(), |place| format!("{place}.{name}"));
        self.value(&place, value)
    }

    fn value(&self, place: &str, value: &Json) -> Result<(), String> {
        match value {
            Json::String(template) => self.template("extra_vars", place, template),
            Json::Array(items) => {
                items.iter().enumerate().try_for_each(|(index, item)| self.value(&format!("{place}[{index}]"), item))
            }
            Json::Object(object) => object.iter().try_for_each(|(name, value)| self.variable(Some(place), name, value)),
            _ => Ok(()),
        }
    }
}
