//! Checks the injectors of a custom credential type.

use std::sync::Arc;

use minijinja::Value;
use serde_json::{Map, Value as Json};

use super::sandbox::{TemplateContext, TemplateError, render};
use super::{file_name, forbidden_variable};
use crate::InputSchema;
use crate::check_inputs::{Path, SchemaErrors, is_name};
use crate::python_repr::{quoted, repr};

/// Checks the injectors of a custom credential type with valid inputs: each template must
/// be valid and must not use anything but the inputs.
///
/// # Errors
/// Messages for the field `injectors`, as AWX words them.
pub fn check_injectors(injectors: &Json, inputs: &InputSchema) -> Result<(), Vec<String>> {
    let errors = check_structure(injectors);
    match (errors.0.is_empty(), injectors.as_object()) {
        (true, Some(injectors)) => templates(injectors, inputs).map_err(|message| vec![message]),
        _ => Err(errors.0),
    }
}

/// Checks the structure, in the order of AWX's JSON Schema.
fn check_structure(injectors: &Json) -> SchemaErrors {
    let (mut errors, root) = (SchemaErrors::default(), Path::default());
    let Some(object) = errors.object(injectors, &root) else { return errors };
    errors.only(object, &["file", "env", "extra_vars"], &root);
    if let Some(files) = object.get("file") {
        let path = root.key("file");
        if let Some(files) = errors.object(files, &path) {
            let known = |key: &str| file_name(key).is_some();
            texts(&mut errors, files, &path, known, false);
            errors.matching(files, &path, known, r"^template(\.[a-zA-Z_]+[a-zA-Z0-9_]*)?$");
        }
    }
    if let Some(variables) = object.get("env") {
        let path = root.key("env");
        if let Some(variables) = errors.object(variables, &path) {
            texts(&mut errors, variables, &path, is_name, true);
            errors.matching(variables, &path, is_name, "^[a-zA-Z_]+[a-zA-Z0-9_]*$");
        }
    }
    if let Some(variables) = object.get("extra_vars") {
        let path = root.key("extra_vars");
        if let Some(variables) = errors.object(variables, &path) {
            for (_, value) in variables.iter().filter(|(key, _)| is_variable(key)) {
                if !is_extra_value(value) {
                    errors.add(format!("{} is not valid under any of the given schemas", repr(value)));
                }
            }
            errors.matching(variables, &path, is_variable, r"^[a-zA-Z_\{\}]+[a-zA-Z0-9_\{\}]*$");
        }
    }
    errors
}

fn texts(
    errors: &mut SchemaErrors,
    object: &Map<String, Json>,
    path: &Path,
    known: impl Fn(&str) -> bool,
    ascii: bool,
) {
    for (key, value) in object.iter().filter(|(key, _)| known(key)) {
        match value.as_str() {
            None => errors.wrong_type(value, &path.key(key), "string"),
            // As in AWX, environment variables have only ASCII.
            Some(text) if ascii && !text.is_ascii() => {
                errors.add(format!(r"{} does not match '^[\x00-\x7f]*$'", quoted(text)));
            }
            Some(_) => {}
        }
    }
}

/// Whether a text can be the name of an extra variable. It may be a template.
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
    /// Adds an error for keys that do not match `pattern`.
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

/// Renders every template with example values. Returns the first error.
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

    /// Checks a variable and its value. `parent` is the path of the object that contains it.
    fn variable(&self, parent: Option<&str>, name: &str, value: &Json) -> Result<(), String> {
        self.template("extra_vars", parent.unwrap_or("a key"), name)?;
        let path = parent.map_or_else(|| name.to_owned(), |parent| format!("{parent}.{name}"));
        self.value(&path, value)
    }

    fn value(&self, path: &str, value: &Json) -> Result<(), String> {
        match value {
            Json::String(template) => self.template("extra_vars", path, template),
            Json::Array(items) => {
                items.iter().enumerate().try_for_each(|(index, item)| self.value(&format!("{path}[{index}]"), item))
            }
            Json::Object(object) => object.iter().try_for_each(|(name, value)| self.variable(Some(path), name, value)),
            _ => Ok(()),
        }
    }
}
