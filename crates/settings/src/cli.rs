//! Settings on the command line: the recovery path when a setting locks everyone out.

use hostler_engine::{Engine, Error};
use serde_json::{Map, Value as Json};

use crate::change::{ChangeError, change, reset};
use crate::definitions;
use crate::selection::{Selected, Selection};
use crate::setting::Setting;
use crate::value_type::Messages;
use crate::values::Settings;

/// Why a setting was not changed.
#[derive(Debug, thiserror::Error)]
pub enum SettingError {
    /// There is no such setting.
    #[error("there is no setting {0}; `hostler setting list` lists all settings")]
    Unknown(String),
    /// The setting is read-only.
    #[error("{0} is read-only")]
    ReadOnly(&'static str),
    /// The value is invalid.
    #[error("{0} was not changed: {1}")]
    Invalid(&'static str, String),
    /// Anything else.
    #[error("{0} was not changed: {1:?}")]
    Failed(&'static str, Error),
}

/// All settings with their values as responses show them, and whether each was changed from its default.
///
/// # Errors
/// If the database fails.
pub async fn list_settings(engine: &Engine) -> Result<Vec<(&'static str, Json, bool)>, Error> {
    let now = Settings::load(&engine.database).await?;
    let is_changed = |setting: &Setting| !setting.read_only && now.stored.contains_key(setting.name);
    Ok(definitions::all()
        .map(|(_, setting)| (setting.name, now.response_value(setting), is_changed(setting)))
        .collect())
}

/// Sets a setting to a value: JSON, or else a string as it is.
///
/// # Errors
/// [`SettingError`]; nothing is changed then.
pub async fn set_setting(engine: &Engine, name: &str, value: &str) -> Result<(), SettingError> {
    let setting = find(name)?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Json::from(value));
    let body: Map<String, Json> = [(setting.name.to_owned(), value)].into_iter().collect();
    let actor = system_actor(engine, setting).await?;
    let outcome = change(engine, &actor, Selection(Selected::One(setting)), &body, false).await;
    outcome.map_err(|error| setting_error(setting, error))
}

/// Resets a setting to its default.
///
/// # Errors
/// [`SettingError`]; nothing is changed then.
pub async fn reset_setting(engine: &Engine, name: &str) -> Result<(), SettingError> {
    let setting = find(name)?;
    let actor = system_actor(engine, setting).await?;
    reset(engine, &actor, Selection(Selected::One(setting))).await.map_err(|error| setting_error(setting, error))
}

fn find(name: &str) -> Result<&'static Setting, SettingError> {
    let (_, setting) = definitions::all()
        .find(|(_, setting)| setting.name == name)
        .ok_or_else(|| SettingError::Unknown(name.to_owned()))?;
    if setting.read_only { Err(SettingError::ReadOnly(setting.name)) } else { Ok(setting) }
}

async fn system_actor(engine: &Engine, setting: &'static Setting) -> Result<hostler_schema::Actor, SettingError> {
    let settings = Settings::load(&engine.database).await;
    Ok(settings.map_err(|error| SettingError::Failed(setting.name, error.into()))?.system_actor())
}

fn setting_error(setting: &'static Setting, error: ChangeError) -> SettingError {
    match error {
        ChangeError::Failed(error) => SettingError::Failed(setting.name, error),
        ChangeError::Invalid(invalid) => {
            let lines: Vec<String> = invalid.values().map(in_one_line).collect();
            SettingError::Invalid(setting.name, lines.join(" "))
        }
    }
}

fn in_one_line(messages: &Messages) -> String {
    match messages {
        Json::String(message) => message.clone(),
        Json::Array(messages) => messages.iter().map(in_one_line).collect::<Vec<_>>().join(" "),
        Json::Object(parts) => {
            let parts = parts.iter().map(|(part, messages)| format!("{part}: {}", in_one_line(messages)));
            parts.collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}
