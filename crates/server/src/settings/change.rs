//! Changing settings, and setting them back to their defaults.

use hostler_database::{Error as DatabaseError, Transaction, Type};
use hostler_engine::{ActivityEntry, Engine, Error, HIDDEN};
use hostler_schema::{Actor, column};
use sea_query::{Alias, ExprTrait, Query};
use serde_json::{Map, Value as Json, json};

use super::definitions::{self, Category};
use super::handlers::Selection;
use super::side_effects::apply_side_effects;
use super::{Setting, Settings};

/// The key of what is wrong with several settings together.
const ALL: &str = "__all__";

/// What stands for a value that is never shown, and when it is sent back, for the one that is stored.
pub(super) const ENCRYPTED: &str = "$encrypted$";

/// Why nothing was changed.
pub(crate) enum Refused {
    /// What is wrong, by setting; `__all__` for several of them together.
    Invalid(Map<String, Json>),
    /// Anything else.
    Failed(Error),
}

impl From<Error> for Refused {
    fn from(failure: Error) -> Self {
        Refused::Failed(failure)
    }
}

impl From<DatabaseError> for Refused {
    fn from(error: DatabaseError) -> Self {
        Refused::Failed(error.into())
    }
}

/// A setting with the value it shall have; `None` for its default.
type Change = (&'static Category, &'static Setting, Option<Json>);

/// Takes the values in `body`. What the selection does not contain, and what is only shown, is ignored, as AWX does.
/// With `whole`, settings that are not named get their defaults, but those that must be named.
pub(super) async fn change(
    engine: &Engine,
    actor: &Actor,
    selection: Selection,
    body: &Map<String, Json>,
    whole: bool,
) -> Result<(), Refused> {
    let mut tx = begin(engine).await?;
    let old = Settings::load_in(&mut tx).await?;
    let (mut changes, mut problems): (Vec<Change>, Map<String, Json>) = (vec![], Map::new());
    for (category, setting) in selection.settings(&old).filter(|(_, setting)| !setting.read_only) {
        let sent = body.get(setting.name);
        if setting.is_secret() && sent.is_some_and(|value| is_kept(engine, &old, setting, value)) {
            continue;
        }
        match sent.map(|value| setting.check(value)) {
            Some(Ok(value)) => changes.push((category, setting, Some(value))),
            Some(Err(problem)) => {
                problems.insert(setting.name.into(), problem);
            }
            None if whole && setting.required => {
                problems.insert(setting.name.into(), json!(["This field is required."]));
            }
            None if whole => changes.push((category, setting, None)),
            None => {}
        }
    }
    if !problems.is_empty() {
        return Err(Refused::Invalid(problems));
    }
    let new = old.with(changes.iter().map(|(_, setting, value)| (setting.name, value.clone())));
    for (_, setting, value) in &changes {
        if let Some(Err(problem)) = value.as_ref().map(|value| definitions::ldap::check_among(setting, value, &new)) {
            problems.insert(setting.name.into(), problem);
        }
    }
    if !problems.is_empty() {
        return Err(Refused::Invalid(problems));
    }
    seal(engine, &mut tx, &mut changes).await?;
    apply(engine, tx, actor, old, changes).await
}

/// Whether what was sent for a secret is the one that is stored.
fn is_kept(engine: &Engine, old: &Settings, setting: &Setting, sent: &Json) -> bool {
    sent.as_str().is_some_and(|sent| {
        let plain = old.open(&engine.vault, setting);
        sent == ENCRYPTED || plain.is_some_and(|plain| plain.as_str() == sent)
    })
}

/// Puts sealed texts in the place of secrets.
async fn seal(engine: &Engine, tx: &mut Transaction, changes: &mut [Change]) -> Result<(), Error> {
    for (_, setting, value) in changes.iter_mut().filter(|(_, setting, _)| setting.is_secret()) {
        if let Some(Json::String(plain)) = value
            && !plain.is_empty()
        {
            *plain = engine.vault.encrypt(tx, &setting.place(), plain).await?;
        }
    }
    Ok(())
}

/// Sets all of the selection back to their defaults.
pub(super) async fn reset(engine: &Engine, actor: &Actor, selection: Selection) -> Result<(), Refused> {
    let mut tx = begin(engine).await?;
    let old = Settings::load_in(&mut tx).await?;
    let settings = selection.settings(&old).filter(|(_, setting)| !setting.read_only);
    let changes = settings.map(|(category, setting)| (category, setting, None)).collect();
    apply(engine, tx, actor, old, changes).await
}

/// Begins a transaction that no other change of settings overlaps: rules bind several of them together.
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
) -> Result<(), Refused> {
    let new = old.with(changes.iter().map(|(_, setting, value)| (setting.name, value.clone())));
    // One that is broken already must not keep anybody from mending another.
    let broken: Vec<&str> =
        definitions::RULES.iter().filter(|rule| rule(&old).is_ok()).filter_map(|rule| rule(&new).err()).collect();
    if !broken.is_empty() {
        return Err(Refused::Invalid([(ALL.to_owned(), json!(broken))].into_iter().collect()));
    }
    // Whoever switches recording off is recorded, and so is whoever switches it on.
    let recorder = Actor { policy: new.policy(), ..actor.clone() };
    let recorder = if old.policy().activity_stream { actor } else { &recorder };
    for (category, setting, value) in changes {
        let stored = old.stored.get(setting.name);
        let recorded = |value: &Json| if setting.is_secret() { HIDDEN.into() } else { recorded(value) };
        let Some((operation, values)) = (match (stored, &value) {
            (None, None) => None,
            (None, Some(value)) if *value == setting.default_value() => None,
            (Some(stored), Some(value)) if stored == value => None,
            (None, Some(value)) => Some(("create", json!({"value": recorded(value)}))),
            (Some(stored), Some(value)) => Some(("update", json!({"value": [recorded(stored), recorded(value)]}))),
            (Some(stored), None) => Some(("delete", json!({"value": recorded(stored)}))),
        }) else {
            continue;
        };
        let id = write(&mut tx, setting, value).await?;
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
        entry.write(engine, &mut tx, recorder).await?;
    }
    apply_side_effects(engine, &mut tx, &old, &new).await?;
    tx.commit().await?;
    Ok(())
}

/// A value as the activity stream shows it: one with parts as its JSON text, as in AWX.
fn recorded(value: &Json) -> Json {
    match value {
        Json::Array(_) | Json::Object(_) => value.to_string().into(),
        value => value.clone(),
    }
}

/// Stores a value, or for `None` removes the one that is stored; answers the id of the row.
async fn write(tx: &mut Transaction, setting: &Setting, value: Option<Json>) -> Result<i64, Error> {
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
