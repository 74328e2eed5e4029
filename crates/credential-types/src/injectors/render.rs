use std::collections::BTreeMap;

use minijinja::Value;
use serde_json::{Map, Value as Json};
use zeroize::Zeroizing;

use super::sandbox::{TemplateContext, TemplateError, render};
use super::{file_name, forbidden_variable};
use crate::{Format, InputSchema, InputType};

/// The replacement of a secret in values that are shown.
const MASK: &str = "**********";

/// What a job receives from a credential.
#[derive(Default)]
pub struct RenderedInjectors {
    /// Environment variables.
    pub env: BTreeMap<String, Zeroizing<String>>,
    /// The environment variables with secrets masked, for the job's record.
    pub masked_env: BTreeMap<String, String>,
    /// Extra variables; they may contain secrets.
    pub extra_vars: Map<String, Json>,
    /// Files by name; a single file may have no name. They may contain secrets.
    pub files: Vec<(Option<String>, Zeroizing<String>)>,
}

// Shows no secrets.
impl std::fmt::Debug for RenderedInjectors {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("RenderedInjectors").field("env", &self.masked_env).finish_non_exhaustive()
    }
}

/// A template that cannot be rendered. It contains no input of the credential.
#[derive(Debug, PartialEq, Eq)]
pub struct RenderError {
    /// The path of the template, such as `env.TOKEN`.
    pub path: String,
}

impl std::fmt::Display for RenderError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "the template of {} cannot be rendered with the values of this credential", self.path)
    }
}

impl std::error::Error for RenderError {}

/// Renders the injectors of a type with the inputs of a credential, secrets in plain
/// text. `path_of` returns the path of a file by its name.
///
/// As in AWX, undefined names render as an empty text, missing booleans are false,
/// private keys end with a line break, and forbidden variables are left out.
///
/// # Errors
/// [`RenderError`].
pub fn render_injectors(
    inputs: &InputSchema,
    injectors: &Json,
    values: &Map<String, Json>,
    path_of: impl Fn(Option<&str>) -> String,
) -> Result<RenderedInjectors, RenderError> {
    let part = |name: &str| injectors.get(name).and_then(Json::as_object).into_iter().flatten();
    let texts = |name: &str| part(name).filter_map(|(key, template)| Some((key.clone(), template.as_str()?)));
    let mut injected = RenderedInjectors::default();
    // Templates of files cannot refer to the paths of files.
    let without_files = TemplateContext::new(plain(inputs, values), vec![]);
    let mut paths = vec![];
    for (key, template) in texts("file") {
        let Some(name) = file_name(&key) else { continue };
        let content = rendered(render(template, &without_files, false), || format!("file.{key}"))?;
        paths.push((name.map(str::to_owned), path_of(name)));
        injected.files.push((name.map(str::to_owned), content));
    }
    let context = TemplateContext::new(plain(inputs, values), paths.clone());
    let masked_context = TemplateContext::new(masked(inputs, values), paths);
    for (key, template) in texts("env").filter(|(key, _)| forbidden_variable(key).is_none()) {
        let path = || format!("env.{key}");
        injected.masked_env.insert(key.clone(), rendered(render(template, &masked_context, false), path)?.to_string());
        injected.env.insert(key.clone(), rendered(render(template, &context, false), path)?);
    }
    let text = |template: &str| rendered(render(template, &context, false), || "extra_vars".into());
    injected.extra_vars = part("extra_vars")
        .map(|(key, value)| Ok((text(key)?.to_string(), filled(value, &text)?)))
        .collect::<Result<_, RenderError>>()?;
    Ok(injected)
}

fn rendered(
    outcome: Result<Zeroizing<String>, TemplateError>,
    path: impl Fn() -> String,
) -> Result<Zeroizing<String>, RenderError> {
    // The message of the template engine may contain a secret.
    outcome.map_err(|_| RenderError { path: path() })
}

fn filled(value: &Json, text: &impl Fn(&str) -> Result<Zeroizing<String>, RenderError>) -> Result<Json, RenderError> {
    Ok(match value {
        Json::String(template) => Json::String(text(template)?.to_string()),
        Json::Array(items) => Json::Array(items.iter().map(|item| filled(item, text)).collect::<Result<_, _>>()?),
        Json::Object(object) => {
            let filled = |(key, value): (&String, &Json)| Ok((text(key)?.to_string(), filled(value, text)?));
            Json::Object(object.iter().map(filled).collect::<Result<_, RenderError>>()?)
        }
        other => other.clone(),
    })
}

/// The variables of the templates.
fn plain(inputs: &InputSchema, values: &Map<String, Json>) -> Vec<(String, Value)> {
    let mut names = vec![];
    for field in &inputs.fields {
        let value = match (values.get(&field.id), field.kind) {
            (Some(Json::Bool(value)), _) => Value::from(*value),
            (Some(Json::String(text)), _) if text.is_empty() => continue,
            (Some(Json::String(text)), _) if field.format == Some(Format::SshPrivateKey) && !text.ends_with('\n') => {
                Value::from(format!("{text}\n"))
            }
            (Some(Json::String(text)), _) => Value::from(text.as_str()),
            (_, InputType::Boolean) => Value::from(false),
            _ => continue,
        };
        names.push((field.id.clone(), value));
    }
    names
}

/// The variables with secrets masked.
fn masked(inputs: &InputSchema, values: &Map<String, Json>) -> Vec<(String, Value)> {
    let secret = |id: &str| inputs.field(id).is_some_and(|field| field.secret);
    let mask = |(id, value): (String, Value)| if secret(&id) { (id, Value::from(MASK)) } else { (id, value) };
    plain(inputs, values).into_iter().map(mask).collect()
}
