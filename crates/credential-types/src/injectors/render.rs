use std::collections::BTreeMap;

use minijinja::Value;
use serde_json::{Map, Value as Json};
use zeroize::Zeroizing;

use super::sandbox::{TemplateContext, TemplateError, render};
use super::{file_name, forbidden_variable};
use crate::{Format, InputSchema, InputType};

/// What stands in the place of a secret where people can see it.
const MASK: &str = "**********";

/// What a job is given of a credential.
#[derive(Default)]
pub struct RenderedInjectors {
    /// Environment variables.
    pub env: BTreeMap<String, Zeroizing<String>>,
    /// The same without secrets, to be kept with the job and shown.
    pub masked_env: BTreeMap<String, String>,
    /// Extra variables; they may hold secrets.
    pub extra_vars: Map<String, Json>,
    /// Files by their names, of which only one that stands alone has none; they may hold secrets.
    pub files: Vec<(Option<String>, Zeroizing<String>)>,
}

// Most of it is secret.
impl std::fmt::Debug for RenderedInjectors {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("RenderedInjectors").field("env", &self.masked_env).finish_non_exhaustive()
    }
}

/// Why nothing can be made of a credential; without any value of it.
#[derive(Debug, PartialEq, Eq)]
pub struct RenderError {
    /// Where the template stands that cannot be rendered, such as `env.TOKEN`.
    pub place: String,
}

impl std::fmt::Display for RenderError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "the template of {} cannot be rendered with the values of this credential", self.place)
    }
}

impl std::error::Error for RenderError {}

/// Renders the injectors of a type with the values of a credential, secrets in
/// plain text. `path_of` tells where a file of this name will be.
///
/// As in AWX, what does not exist renders as nothing, booleans that are not
/// given are false, private keys end with a line break, and variables that must
/// not be set are left out.
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
    // A file cannot know where files are.
    let fileless = TemplateContext::new(plain(inputs, values), vec![]);
    let mut paths = vec![];
    for (key, template) in texts("file") {
        let Some(name) = file_name(&key) else { continue };
        let content = rendered(render(template, &fileless, false), || format!("file.{key}"))?;
        paths.push((name.map(str::to_owned), path_of(name)));
        injected.files.push((name.map(str::to_owned), content));
    }
    let context = TemplateContext::new(plain(inputs, values), paths.clone());
    let shown = TemplateContext::new(masked(inputs, values), paths);
    for (key, template) in texts("env").filter(|(key, _)| forbidden_variable(key).is_none()) {
        let place = || format!("env.{key}");
        injected.masked_env.insert(key.clone(), rendered(render(template, &shown, false), place)?.to_string());
        injected.env.insert(key.clone(), rendered(render(template, &context, false), place)?);
    }
    let text = |template: &str| rendered(render(template, &context, false), || "extra_vars".into());
    injected.extra_vars = part("extra_vars")
        .map(|(key, value)| Ok((text(key)?.to_string(), filled(value, &text)?)))
        .collect::<Result<_, RenderError>>()?;
    Ok(injected)
}

fn rendered(
    outcome: Result<Zeroizing<String>, TemplateError>,
    place: impl Fn() -> String,
) -> Result<Zeroizing<String>, RenderError> {
    // The problem's own words may hold a value.
    outcome.map_err(|_| RenderError { place: place() })
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

/// The values as templates see them.
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

/// The same with the secrets made unreadable.
fn masked(inputs: &InputSchema, values: &Map<String, Json>) -> Vec<(String, Value)> {
    let secret = |id: &str| inputs.field(id).is_some_and(|field| field.secret);
    let mask = |(id, value): (String, Value)| if secret(&id) { (id, Value::from(MASK)) } else { (id, value) };
    plain(inputs, values).into_iter().map(mask).collect()
}
