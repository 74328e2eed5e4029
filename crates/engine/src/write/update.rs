//! Changing objects: field by field, by whoever may, against whatever others write meanwhile.

use std::collections::BTreeMap;

use hostler_database::{Transaction, Value};
use hostler_schema::{Actor, FieldKind, Resource, Rule, column};
use jiff::Timestamp;
use sea_query::{Alias, ExprTrait, Query};
use serde_json::{Map, Value as Json};

use super::check::{check, keep};
use super::{IfMatch, UpdateMethod, has_column, require_from, sealed, stored};
use crate::activity;
use crate::decode::{Problems, decode};
use crate::hooks::SystemWrite;
use crate::read::{Source, load, load_and_commit};
use crate::select::LoadedObject;
use crate::{Edit, Engine, Error, ObjectKey};

/// How often a change is tried that loses against other writers.
const ATTEMPTS: u32 = 3;

/// What an update is to do.
struct Sent<'a> {
    method: UpdateMethod,
    body: &'a Map<String, Json>,
    expected: Option<IfMatch<'a>>,
    cause: Option<&'a dyn SystemWrite>,
}

impl Engine {
    /// Changes an object and shows it as it is now, with its new version.
    /// `expected` is the version that `If-Match` demands.
    ///
    /// # Errors
    /// In this order: unknown, not visible, [`Error::PreconditionFailed`], forbidden, invalid.
    pub async fn update(
        &self,
        actor: &Actor,
        resource: &'static Resource,
        target: &ObjectKey,
        method: UpdateMethod,
        body: &Map<String, Json>,
        expected: Option<IfMatch<'_>>,
    ) -> Result<(Map<String, Json>, i64), Error> {
        self.update_by(actor, resource, target, &Sent { method, body, expected, cause: None }).await
    }

    /// Changes the fields in `body`, and what the cause brings.
    ///
    /// # Errors
    /// As [`Engine::update`], and what the cause says.
    pub async fn update_as_system(
        &self,
        actor: &Actor,
        resource: &'static Resource,
        target: &ObjectKey,
        body: &Map<String, Json>,
        cause: &dyn SystemWrite,
    ) -> Result<(), Error> {
        let sent = Sent { method: UpdateMethod::Patch, body, expected: None, cause: Some(cause) };
        self.update_by(actor, resource, target, &sent).await.map(|_| ())
    }

    async fn update_by(
        &self,
        actor: &Actor,
        resource: &'static Resource,
        target: &ObjectKey,
        sent: &Sent<'_>,
    ) -> Result<(Map<String, Json>, i64), Error> {
        let mut attempts = ATTEMPTS;
        loop {
            attempts -= 1;
            match self.update_once(actor, resource, target, sent).await {
                // Whoever lost against another writer starts from what that one left.
                Err(Error::Conflict(_)) if attempts > 0 => {}
                outcome => return outcome,
            }
        }
    }

    async fn update_once(
        &self,
        actor: &Actor,
        resource: &'static Resource,
        target: &ObjectKey,
        sent: &Sent<'_>,
    ) -> Result<(Map<String, Json>, i64), Error> {
        let hooks = self.registry.hooks(resource);
        let mut early = None;
        // Slow work on a secret must not hold a transaction open, nor be done for those who may not write.
        if resource.fields.iter().any(|field| field.kind.is_secret() && sent.body.contains_key(field.name)) {
            let loaded = load(self, &mut Source::Database(&self.database), resource, target, actor).await?;
            let (mut edit, mut problems) = self.begin_edit(actor, loaded, sent)?;
            let failed = hooks.prepare(self, &mut edit).await;
            failed.or_else(|failure| keep(failure, &mut problems))?;
            early = Some((edit.secrets, edit.digests, problems));
        }

        let mut tx = self.database.begin().await?;
        let loaded = load(self, &mut Source::Transaction(&mut tx), resource, target, actor).await?;
        let (id, version) = (loaded.record.id, loaded.version);
        let (mut edit, mut problems) = self.begin_edit(actor, loaded, sent)?;
        if let Some((secrets, digests, found)) = early {
            (edit.secrets, edit.digests) = (secrets, digests);
            problems = found;
        }
        check_relink_permission(&mut tx, &edit).await?;
        check(self, &mut tx, &mut edit, problems).await?;
        if changed(&edit) {
            let mut update = Query::update();
            update.table(Alias::new(resource.table)).value(Alias::new("version"), version + 1);
            let (columns, values) = stored(&edit);
            for (name, value) in columns.into_iter().zip(values) {
                update.value(Alias::new(name), value);
            }
            for (name, text) in sealed(self, &mut tx, &edit, id).await? {
                update.value(Alias::new(name), text);
            }
            if has_column(resource, "modified") {
                update.value(Alias::new("modified"), Ord::max(self.clock.now(), created(&edit)));
            }
            if resource.audited {
                update.value(Alias::new("modified_by_id"), actor.user());
            }
            update.and_where(column(resource.table, "id").eq(id));
            tx.execute_deferred(&update).await?;
            activity::record_edit(self, &mut tx, &edit, id).await?;
            hooks.after_save(self, &mut tx, &edit, id).await?;
        }
        if let Some(cause) = sent.cause {
            cause.consume(self, &mut tx, actor, id).await?;
        }
        // The actor may have moved the object out of their own sight; they see it once more.
        let seen = match load_and_commit(self, tx, resource, id, actor).await {
            Err(Error::Forbidden(_)) => return Ok((Map::new(), version + 1)),
            other => other?,
        };
        let version = seen.version;
        let shown = self.show_loaded(resource, seen, actor, false).await.map_err(Error::after_change)?;
        Ok((shown, version))
    }

    /// Checks the permission on the row and decodes the body.
    fn begin_edit<'a>(
        &self,
        actor: &'a Actor,
        loaded: LoadedObject,
        sent: &Sent<'_>,
    ) -> Result<(Edit<'a>, Problems), Error> {
        if !loaded.changeable {
            return Err(Error::forbidden());
        }
        if sent.expected.is_some_and(|matches| !matches(loaded.record.id, loaded.version)) {
            return Err(Error::PreconditionFailed);
        }
        let mut edit = Edit {
            actor,
            new: loaded.record.clone(),
            old: Some(loaded.record),
            replaces: sent.method == UpdateMethod::Put,
            secrets: BTreeMap::new(),
            digests: BTreeMap::new(),
            revealed: BTreeMap::new(),
        };
        let mut problems = Problems::default();
        decode(&mut edit, sent.body, sent.method, &mut problems);
        if let Some(cause) = sent.cause {
            cause.prefill(&mut edit);
        }
        self.registry.hooks(edit.new.resource).authorize(&edit)?;
        Ok((edit, problems))
    }
}

/// When the object was created: no later than it is changed, though the clock may have been set back.
fn created(edit: &Edit<'_>) -> Timestamp {
    let created = edit.new.resource.field("created").map(|field| edit.new.get(field));
    if let Some(Value::Time(created)) = created { *created } else { Timestamp::MIN }
}

/// Whether anything stored is going to change.
fn changed(edit: &Edit<'_>) -> bool {
    edit.new.resource.fields.iter().any(|field| edit.changes(field))
}

/// Whoever links an object to another one, as to another organization, must be
/// allowed to.
async fn check_relink_permission(tx: &mut Transaction, edit: &Edit<'_>) -> Result<(), Error> {
    let Some(old) = &edit.old else { return Ok(()) };
    let resource = edit.new.resource;
    let mut rule = Rule::All;
    for field in resource.fields.iter().filter(|field| matches!(field.kind, FieldKind::Link(_)) && edit.changes(field))
    {
        let (from, to) = (old.integer(field), edit.new.integer(field));
        rule = rule.and(resource.access.relink(edit.actor, field.name, from, to));
    }
    require_from(&mut Source::Transaction(tx), rule).await
}
