//! Changing settings and resetting them to their defaults.

use hostler_database::{Error as DatabaseError, Transaction, Type};
use hostler_engine::{ActivityEntry, Engine, Error, HIDDEN};
use hostler_schema::{Actor, column};
use sea_query::{Alias, ExprTrait, Query};
use serde_json::{Map, Value as Json, json};

use crate::definitions::{self, Category};
use crate::selection::Selection;
use crate::setting::Setting;
use crate::side_effects::apply_side_effects;
use crate::value_type::{Messages, message};
use crate::values::Settings;

/// The key of messages about several settings together.
const ALL: &str = "__all__";

/// Replaces a secret in responses; in a request it means "keep the stored secret".
pub(crate) const ENCRYPTED: &str = "$encrypted$";

/// Why nothing was changed.
pub enum ChangeError {
    /// Messages by setting; `__all__` for several settings together.
    Invalid(Map<String, Messages>),
    /// Any other error.
    Failed(Error),
}

impl From<Error> for ChangeError {
    fn from(error: Error) -> Self {
        ChangeError::Failed(error)
    }
}

impl From<DatabaseError> for ChangeError {
    fn from(error: DatabaseError) -> Self {
        ChangeError::Failed(error.into())
    }
}

/// A setting and its new value; `None` for its default.
type Change = (&'static Category, &'static Setting, Option<Json>);

/// Stores the values in `body`. With `replace`, settings of the selection that are not named get their defaults, but
/// those that PUT must name.
///
/// # Errors
/// Also for names that are unknown, read-only or of another category: AWX ignores them, so that clients report changes
/// that were not made. A read-only setting with its present value is accepted, since clients send back what they read.
pub async fn change(
    engine: &Engine,
    actor: &Actor,
    selection: Selection,
    body: &Map<String, Json>,
    replace: bool,
) -> Result<(), ChangeError> {
    let mut tx = begin(engine).await?;
    let old = Settings::load_in(&mut tx).await?;
    let mut invalid = rejected_names(&old, selection, body);
    let mut changes: Vec<Change> = vec![];
    for (category, setting) in selection.settings(&old).filter(|(_, setting)| !setting.read_only) {
        let sent = body.get(setting.name);
        if setting.is_secret() && sent.is_some_and(|value| is_unchanged_secret(engine, &old, setting, value)) {
            continue;
        }
        match sent.map(|value| setting.check(value)) {
            Some(Ok(value)) => changes.push((category, setting, Some(value))),
            Some(Err(messages)) => {
                invalid.insert(setting.name.into(), messages);
            }
            None if replace && setting.required => {
                invalid.insert(setting.name.into(), message("This field is required."));
            }
            None if replace => changes.push((category, setting, None)),
            None => {}
        }
    }
    if !invalid.is_empty() {
        return Err(ChangeError::Invalid(invalid));
    }
    let new = old.with_changes(changes.iter().map(|(_, setting, value)| (setting.name, value.clone())));
    for (_, setting, value) in &changes {
        if let Some(Err(messages)) = value.as_ref().map(|value| definitions::ldap::check_together(setting, value, &new))
        {
            invalid.insert(setting.name.into(), messages);
        }
    }
    if !invalid.is_empty() {
        return Err(ChangeError::Invalid(invalid));
    }
    encrypt_secrets(engine, &mut tx, &mut changes).await?;
    apply(engine, tx, actor, old, changes).await
}

/// Messages about the names in `body` that cannot be changed through this selection.
fn rejected_names(old: &Settings, selection: Selection, body: &Map<String, Json>) -> Map<String, Messages> {
    let reason = |name: &str, sent: &Json| {
        let Some((category, setting)) = definitions::all().find(|(_, setting)| setting.name == name) else {
            return Some("There is no setting of this name.".to_owned());
        };
        if setting.read_only {
            return (*sent != old.value(setting)).then(|| "This setting is read-only.".to_owned());
        }
        let is_selected = selection.settings(old).any(|(_, selected)| selected.name == name);
        (!is_selected).then(|| format!("This setting belongs to /api/v2/settings/{}/.", category.slug))
    };
    let rejected = body.iter().filter_map(|(name, sent)| Some((name.clone(), message(reason(name, sent)?))));
    rejected.collect()
}

/// Whether the value sent for a secret is the stored one.
fn is_unchanged_secret(engine: &Engine, old: &Settings, setting: &Setting, sent: &Json) -> bool {
    sent.as_str().is_some_and(|sent| {
        let stored = old.decrypt(&engine.vault, setting);
        sent == ENCRYPTED || stored.is_some_and(|stored| stored.as_str() == sent)
    })
}

async fn encrypt_secrets(engine: &Engine, tx: &mut Transaction, changes: &mut [Change]) -> Result<(), Error> {
    for (_, setting, value) in changes.iter_mut().filter(|(_, setting, _)| setting.is_secret()) {
        if let Some(Json::String(plain)) = value
            && !plain.is_empty()
        {
            *plain = engine.vault.encrypt(tx, &setting.secret_context(), plain).await?;
        }
    }
    Ok(())
}

/// Resets the selected settings to their defaults.
///
/// # Errors
/// As [`change`].
pub async fn reset(engine: &Engine, actor: &Actor, selection: Selection) -> Result<(), ChangeError> {
    let mut tx = begin(engine).await?;
    let old = Settings::load_in(&mut tx).await?;
    let settings = selection.settings(&old).filter(|(_, setting)| !setting.read_only);
    let changes = settings.map(|(category, setting)| (category, setting, None)).collect();
    apply(engine, tx, actor, old, changes).await
}

/// Begins a transaction that excludes other changes of settings: some rules span several settings.
async fn begin(engine: &Engine) -> Result<Transaction, DatabaseError> {
    let mut tx = engine.database.begin().await?;
    tx.lock("settings").await?;
    Ok(tx)
}

async fn apply(
    engine: &Engine,
    mut tx: Transaction,
    actor: &Actor,
    old: Settings,
    changes: Vec<Change>,
) -> Result<(), ChangeError> {
    let new = old.with_changes(changes.iter().map(|(_, setting, value)| (setting.name, value.clone())));
    // A constraint that is violated already must not prevent other changes.
    let violated: Vec<&str> = definitions::CONSTRAINTS
        .iter()
        .filter(|constraint| constraint(&old).is_ok())
        .filter_map(|constraint| constraint(&new).err())
        .collect();
    if !violated.is_empty() {
        return Err(ChangeError::Invalid([(ALL.to_owned(), json!(violated))].into_iter().collect()));
    }
    // Switching the activity stream off is recorded, and so is switching it on.
    let with_new_policy = Actor { policy: new.policy(), ..actor.clone() };
    let recorded_actor = if old.policy().activity_stream { actor } else { &with_new_policy };
    for (category, setting, value) in changes {
        let stored = old.stored.get(setting.name);
        let shown = |value: &Json| if setting.is_secret() { HIDDEN.into() } else { activity_value(value) };
        let Some((operation, values)) = (match (stored, &value) {
            (None, None) => None,
            (None, Some(value)) if *value == setting.default_value() => None,
            (Some(stored), Some(value)) if stored == value => None,
            (None, Some(value)) => Some(("create", json!({"value": shown(value)}))),
            (Some(stored), Some(value)) => Some(("update", json!({"value": [shown(stored), shown(value)]}))),
            (Some(stored), None) => Some(("delete", json!({"value": shown(stored)}))),
        }) else {
            continue;
        };
        let id = store(&mut tx, setting, value).await?;
        let mut changes = values;
        if let (true, Some(changes)) = (operation != "update", changes.as_object_mut()) {
            changes.insert("id".into(), id.into());
        }
        let entry = ActivityEntry {
            operation,
            changes,
            object1: "setting".into(),
            object2: String::new(),
            association: "",
            object_type: String::new(),
            links: vec![],
            setting: Some(json!({"category": category.slug, "name": setting.name})),
        };
        entry.write(engine, &mut tx, recorded_actor).await?;
    }
    apply_side_effects(engine, &mut tx, &old, &new).await?;
    tx.commit().await?;
    Ok(())
}

/// A value in the activity stream: lists and objects as JSON text, as in AWX.
fn activity_value(value: &Json) -> Json {
    match value {
        Json::Array(_) | Json::Object(_) => value.to_string().into(),
        value => value.clone(),
    }
}

/// Stores a value, or removes it for `None`. Returns the id of the row.
async fn store(tx: &mut Transaction, setting: &Setting, value: Option<Json>) -> Result<i64, Error> {
    let stored = Query::select()
        .expr(column("settings", "id"))
        .from(Alias::new("settings"))
        .and_where(column("settings", "name").eq(setting.name))
        .to_owned();
    let stored = tx.read(&stored, &[Type::Integer]).await?.first().and_then(|row| row.integer(0));
    let Some(id) = stored else {
        let insert = Query::insert()
            .into_table(Alias::new("settings"))
            .columns(["name", "value"].map(Alias::new))
            .values_panic([setting.name.into(), value.unwrap_or_default().to_string().into()])
            .to_owned();
        return Ok(tx.insert(&insert).await?);
    };
    let row = column("settings", "id").eq(id);
    match value {
        Some(value) => {
            let update = Query::update()
                .table(Alias::new("settings"))
                .value(Alias::new("value"), value.to_string())
                .and_where(row)
                .to_owned();
            tx.execute(&update).await?;
        }
        None => {
            let delete = Query::delete().from_table(Alias::new("settings")).and_where(row).to_owned();
            tx.execute(&delete).await?;
        }
    }
    Ok(id)
}
