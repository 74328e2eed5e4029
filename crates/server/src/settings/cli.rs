//! Settings for whoever works on the data itself: the way back when a setting keeps everybody out.

use hostler_engine::{Engine, Error};
use serde_json::{Map, Value as Json};

use super::change::{Refused, change, reset};
use super::handlers::Selection;
use super::{Setting, Settings, definitions};

/// Why a setting was not changed, in words for the operator.
#[derive(Debug, thiserror::Error)]
pub enum SettingError {
    /// There is no such setting.
    #[error("there is no setting {0}; `hostler setting list` names them all")]
    Unknown(String),
    /// It can only be read.
    #[error("{0} can only be read")]
    ReadOnly(&'static str),
    /// The value is not one that it takes.
    #[error("{0} was not changed: {1}")]
    Invalid(&'static str, String),
    /// Anything else.
    #[error("{0} was not changed: {1:?}")]
    Failed(&'static str, Error),
}

/// All settings with their values, as an answer shows them, and whether they were changed from their defaults.
///
/// # Errors
/// What the database says.
pub async fn list_settings(engine: &Engine) -> Result<Vec<(&'static str, Json, bool)>, Error> {
    let now = Settings::load(&engine.database).await?;
    let is_changed = |setting: &Setting| !setting.read_only && now.stored.contains_key(setting.name);
    Ok(definitions::all().map(|(_, setting)| (setting.name, now.shown(setting), is_changed(setting))).collect())
}

/// Gives a setting a value: JSON, or else a text as it is.
///
/// # Errors
/// [`SettingError`]; nothing is changed then.
pub async fn set_setting(engine: &Engine, name: &str, value: &str) -> Result<(), SettingError> {
    let setting = find(name)?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Json::from(value));
    let body: Map<String, Json> = [(setting.name.to_owned(), value)].into_iter().collect();
    let actor = operator(engine, setting).await?;
    let outcome = change(engine, &actor, Selection::One(setting), &body, false).await;
    outcome.map_err(|refused| told(setting, refused))
}

/// Sets a setting back to its default.
///
/// # Errors
/// [`SettingError`]; nothing is changed then.
pub async fn reset_setting(engine: &Engine, name: &str) -> Result<(), SettingError> {
    let setting = find(name)?;
    let actor = operator(engine, setting).await?;
    reset(engine, &actor, Selection::One(setting)).await.map_err(|refused| told(setting, refused))
}

fn find(name: &str) -> Result<&'static Setting, SettingError> {
    let (_, setting) = definitions::all()
        .find(|(_, setting)| setting.name == name)
        .ok_or_else(|| SettingError::Unknown(name.to_owned()))?;
    if setting.read_only { Err(SettingError::ReadOnly(setting.name)) } else { Ok(setting) }
}

async fn operator(engine: &Engine, setting: &'static Setting) -> Result<hostler_schema::Actor, SettingError> {
    let settings = Settings::load(&engine.database).await;
    Ok(settings.map_err(|error| SettingError::Failed(setting.name, error.into()))?.system_actor())
}

fn told(setting: &'static Setting, refused: Refused) -> SettingError {
    match refused {
        Refused::Failed(failure) => SettingError::Failed(setting.name, failure),
        Refused::Invalid(problems) => {
            let lines: Vec<String> = problems.values().map(words).collect();
            SettingError::Invalid(setting.name, lines.join(" "))
        }
    }
}

/// The messages in a problem, in one line.
fn words(problem: &Json) -> String {
    match problem {
        Json::String(message) => message.clone(),
        Json::Array(messages) => messages.iter().map(words).collect::<Vec<_>>().join(" "),
        Json::Object(parts) => {
            parts.iter().map(|(part, problem)| format!("{part}: {}", words(problem))).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}
