//! Changing objects, with retries when another transaction changed the same row.

use std::collections::BTreeMap;

use hostler_database::{Transaction, Value};
use hostler_schema::{Actor, Resource, Rule, column};
use jiff::Timestamp;
use sea_query::{Alias, ExprTrait, Query};
use serde_json::{Map, Value as Json};

use super::check::{check, collect_messages};
use super::{ATTEMPTS, IfMatch, UpdateMethod, encrypt_secrets, has_column, stored};
use crate::activity;
use crate::decode::{Problems, decode};
use crate::hooks::SystemWrite;
use crate::permissions::require_from;
use crate::read::{Source, load, load_and_commit};
use crate::select::LoadedObject;
use crate::{Edit, Engine, Error, ObjectKey};

/// The parameters of an update.
struct UpdateRequest<'a> {
    method: UpdateMethod,
    body: &'a Map<String, Json>,
    expected: Option<IfMatch<'a>>,
    system_write: Option<&'a dyn SystemWrite>,
}

impl Engine {
    /// Changes an object and returns it with its new version. `expected` is the version of `If-Match`.
    ///
    /// # Errors
    /// In this order: unknown, hidden, forbidden, [`Error::PreconditionFailed`], invalid.
    pub async fn update(
        &self,
        actor: &Actor,
        resource: &'static Resource,
        target: &ObjectKey,
        method: UpdateMethod,
        body: &Map<String, Json>,
        expected: Option<IfMatch<'_>>,
    ) -> Result<(Map<String, Json>, i64), Error> {
        self.update_by(actor, resource, target, &UpdateRequest { method, body, expected, system_write: None }).await
    }

    /// Changes the fields in `body`, and those that the system write prefills.
    ///
    /// # Errors
    /// As [`Engine::update`], and those of the system write.
    pub async fn update_as_system(
        &self,
        actor: &Actor,
        resource: &'static Resource,
        target: &ObjectKey,
        body: &Map<String, Json>,
        system_write: &dyn SystemWrite,
    ) -> Result<(), Error> {
        let request =
            UpdateRequest { method: UpdateMethod::Patch, body, expected: None, system_write: Some(system_write) };
        self.update_by(actor, resource, target, &request).await.map(|_| ())
    }

    async fn update_by(
        &self,
        actor: &Actor,
        resource: &'static Resource,
        target: &ObjectKey,
        request: &UpdateRequest<'_>,
    ) -> Result<(Map<String, Json>, i64), Error> {
        let mut attempts = ATTEMPTS;
        loop {
            attempts -= 1;
            match self.update_once(actor, resource, target, request).await {
                // Retry with the row that the other transaction has written.
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
        request: &UpdateRequest<'_>,
    ) -> Result<(Map<String, Json>, i64), Error> {
        let hooks = self.registry.hooks(resource);
        let mut early = None;
        // Slow work on a secret must neither run in the transaction nor for actors who may not write.
        if resource.fields.iter().any(|field| field.kind.is_secret() && request.body.contains_key(field.name)) {
            let loaded = load(self, &mut Source::Database(&self.database), resource, target, actor).await?;
            let (mut edit, mut problems) = self.begin_edit(actor, loaded, request)?;
            let failed = hooks.prepare(self, &mut edit).await;
            failed.or_else(|failure| collect_messages(failure, &mut problems))?;
            early = Some((edit.secrets, edit.digests, problems));
        }

        let mut tx = self.database.begin().await?;
        let loaded = load(self, &mut Source::Transaction(&mut tx), resource, target, actor).await?;
        let (id, version) = (loaded.record.id, loaded.version);
        let (mut edit, mut problems) = self.begin_edit(actor, loaded, request)?;
        if let Some((secrets, digests, found)) = early {
            (edit.secrets, edit.digests) = (secrets, digests);
            problems = found;
        }
        check_relink_permission(&mut tx, &edit).await?;
        check(self, &mut tx, &mut edit, problems).await?;
        if changed(&edit) {
            let mut update = Query::update();
            update.table(Alias::new(resource.stored_in())).value(Alias::new("version"), version + 1);
            let (columns, values) = stored(&edit);
            for (name, value) in columns.into_iter().zip(values) {
                update.value(Alias::new(name), value);
            }
            for (name, text) in encrypt_secrets(self, &mut tx, &edit, id).await? {
                update.value(Alias::new(name), text);
            }
            if has_column(resource, "modified") {
                update.value(Alias::new("modified"), Ord::max(self.clock.now(), created(&edit)));
            }
            if let Some(link) = resource.field("modified_by") {
                update.value(Alias::new(link.column), actor.user());
            }
            update.and_where(column(resource.stored_in(), "id").eq(id));
            tx.execute_deferred(&update).await?;
            activity::record_edit(self, &mut tx, &edit, id).await?;
            hooks.after_save(self, &mut tx, &edit, id).await?;
        }
        if let Some(system_write) = request.system_write {
            system_write.consume(self, &mut tx, actor, id).await?;
        }
        // The update may have hidden the object from the actor: then the response is empty.
        let seen = match load_and_commit(self, tx, resource, id, actor).await {
            Err(Error::Forbidden(_)) => {
                hooks.after_commit(self);
                return Ok((Map::new(), version + 1));
            }
            other => other?,
        };
        hooks.after_commit(self);
        let version = seen.version;
        let shown = self.show_loaded(resource, seen, actor, false).await.map_err(Error::after_change)?;
        Ok((shown, version))
    }

    /// Checks the permission on the row and decodes the body.
    fn begin_edit<'a>(
        &self,
        actor: &'a Actor,
        loaded: LoadedObject,
        request: &UpdateRequest<'_>,
    ) -> Result<(Edit<'a>, Problems), Error> {
        if !loaded.changeable {
            return Err(Error::forbidden());
        }
        if request.expected.is_some_and(|matches| !matches(loaded.record.id, loaded.version)) {
            return Err(Error::PreconditionFailed);
        }
        let mut edit = Edit {
            actor,
            new: loaded.record.clone(),
            old: Some(loaded.record),
            replaces: request.method == UpdateMethod::Put,
            secrets: BTreeMap::new(),
            digests: BTreeMap::new(),
            revealed: BTreeMap::new(),
        };
        let mut problems = Problems::default();
        decode(&mut edit, request.body, request.method, &mut problems);
        if let Some(system_write) = request.system_write {
            system_write.prefill(&mut edit);
        }
        self.registry.hooks(edit.new.resource).authorize(&edit)?;
        Ok((edit, problems))
    }
}

/// The time of the creation: the earliest time of a change, also if the clock was set back.
fn created(edit: &Edit<'_>) -> Timestamp {
    let created = edit.new.resource.field("created").map(|field| edit.new.get(field));
    if let Some(Value::Time(created)) = created { *created } else { Timestamp::MIN }
}

/// Whether any stored value changes.
fn changed(edit: &Edit<'_>) -> bool {
    edit.new.resource.fields.iter().any(|field| edit.changes(field))
}

/// Checks that the actor may change the links of an object, for example to another organization.
async fn check_relink_permission(tx: &mut Transaction, edit: &Edit<'_>) -> Result<(), Error> {
    let Some(old) = &edit.old else { return Ok(()) };
    let resource = edit.new.resource;
    let mut rule = Rule::All;
    for field in resource.fields.iter().filter(|field| field.kind.target().is_some() && edit.changes(field)) {
        let (from, to) = (old.integer(field), edit.new.integer(field));
        rule = rule.and(resource.access.relink(edit.actor, field.name, from, to));
    }
    require_from(&mut Source::Transaction(tx), edit.actor, rule).await
}
