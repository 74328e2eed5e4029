//! Deleting objects with their roles.

use hostler_database::Transaction;
use hostler_schema::{Actor, Resource, column};
use sea_query::{Alias, ExprTrait, Query};

use super::cascade::{only, prepare_deletion};
use super::delete_in_steps::{self, listed};
use super::in_use::refuse_if_in_use;
use super::{ATTEMPTS, IfMatch};
use crate::activity;
use crate::read::{Source, load};
use crate::{Engine, Error, ObjectKey};

impl Engine {
    /// Deletes an object. One that many rows depend on is hidden from all readers; a task deletes it in steps.
    ///
    /// # Errors
    /// As [`Engine::update`].
    pub async fn delete(
        &self,
        actor: &Actor,
        resource: &'static Resource,
        target: &ObjectKey,
        expected: Option<IfMatch<'_>>,
    ) -> Result<(), Error> {
        if let Some(done) = self.registry.hooks(resource).delete_override(self, actor, target).await {
            return done;
        }
        let mut attempts = ATTEMPTS;
        loop {
            attempts -= 1;
            let attempt = async {
                let mut tx = self.database.begin().await?;
                self.delete_in_transaction(&mut tx, actor, resource, target, expected).await?;
                Ok(tx.commit().await?)
            };
            match attempt.await {
                // PostgreSQL may end the transaction as one of a deadlock: a deletion changes rows of many tables, in
                // another order than a job that starts or ends.
                Err(Error::Conflict(_)) if attempts > 0 => {}
                outcome => break outcome?,
            }
        }
        if resource.deleted_in_steps {
            self.tasks.wake();
        }
        Ok(())
    }

    /// Deletes an object as part of a larger transaction.
    ///
    /// # Errors
    /// As [`Engine::delete`].
    pub async fn delete_in_transaction(
        &self,
        tx: &mut Transaction,
        actor: &Actor,
        resource: &'static Resource,
        target: &ObjectKey,
        expected: Option<IfMatch<'_>>,
    ) -> Result<(), Error> {
        let loaded = load(self, &mut Source::Transaction(tx), resource, target, actor).await?;
        let id = loaded.record.id;
        if !loaded.deletable {
            return Err(Error::forbidden());
        }
        // Errors of the hooks come first: they do not depend on the client's version.
        let hooks = self.registry.hooks(resource);
        if let Some(jobs) = hooks.jobs_that_use(&loaded.record) {
            refuse_if_in_use(tx, jobs).await?;
        }
        if let Some(base) = resource.variant_of {
            self.registry.hooks(base()).before_delete(self, tx, actor, &loaded.record).await?;
        }
        hooks.before_delete(self, tx, actor, &loaded.record).await?;
        if expected.is_some_and(|matches| !matches(id, loaded.version)) {
            return Err(Error::PreconditionFailed);
        }
        activity::record_deletion(self, tx, actor, &loaded.record).await?;
        if delete_in_steps::is_large(&self.links, tx, resource, id).await? {
            return delete_in_steps::hide(self, tx, resource, id).await;
        }
        prepare_deletion(&self.links, tx, resource, only(id)).await?;
        delete_rows(tx, resource.stored_in(), &[id]).await?;
        Ok(())
    }
}

impl Engine {
    /// Deletes objects that are deleted with another one, without entries in the activity stream.
    ///
    /// # Errors
    /// Database errors.
    pub async fn delete_with(
        &self,
        tx: &mut Transaction,
        resource: &'static Resource,
        ids: &[i64],
    ) -> Result<(), Error> {
        let table = resource.stored_in();
        for some in ids.chunks(STEP) {
            prepare_deletion(&self.links, tx, resource, listed(table, some)).await?;
            delete_rows(tx, table, some).await?;
        }
        Ok(())
    }
}

/// How many rows one statement deletes.
const STEP: usize = 1_000;

/// Deletes the rows with these ids.
pub(super) async fn delete_rows(tx: &mut Transaction, table: &'static str, ids: &[i64]) -> Result<(), Error> {
    let delete = Query::delete()
        .from_table(Alias::new(table))
        .and_where(column(table, "id").is_in(ids.iter().copied()))
        .to_owned();
    tx.execute(&delete).await?;
    Ok(())
}
