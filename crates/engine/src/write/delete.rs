//! Deleting objects with their roles.

use hostler_database::Transaction;
use hostler_schema::{Actor, Resource, column};
use sea_query::{Alias, ExprTrait, Query};

use super::IfMatch;
use super::cascade::prepare_deletion;
use crate::activity;
use crate::read::{Source, load};
use crate::{Engine, Error, ObjectKey};

impl Engine {
    /// Deletes an object.
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
        let mut tx = self.database.begin().await?;
        self.delete_in_transaction(&mut tx, actor, resource, target, expected).await?;
        tx.commit().await?;
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
        // An error of the hook comes first: it does not depend on the client's version.
        self.registry.hooks(resource).before_delete(self, tx, actor, &loaded.record).await?;
        if expected.is_some_and(|matches| !matches(id, loaded.version)) {
            return Err(Error::PreconditionFailed);
        }
        activity::record_deletion(self, tx, actor, &loaded.record).await?;
        prepare_deletion(&self.links, tx, resource, id).await?;
        let delete = Query::delete()
            .from_table(Alias::new(resource.stored_in()))
            .and_where(column(resource.stored_in(), "id").eq(id))
            .to_owned();
        tx.execute(&delete).await?;
        Ok(())
    }
}
