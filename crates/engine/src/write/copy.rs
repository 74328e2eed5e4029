//! Copying objects.

use hostler_database::Type;
use hostler_schema::{Actor, Resource, column};
use sea_query::{Alias, ExprTrait, Query};
use serde_json::{Map, Value as Json};

use super::CreatedObject;
use crate::read::{Source, load};
use crate::select::ROW;
use crate::{Engine, Error, ObjectKey, Record};

/// The field that must differ.
const NAME: &str = "name";

impl Engine {
    /// Whether the actor, who must see the object, may copy it.
    ///
    /// # Errors
    /// As for [`Engine::show`].
    pub async fn can_copy(
        &self,
        actor: &Actor,
        resource: &'static Resource,
        target: &ObjectKey,
    ) -> Result<bool, Error> {
        self.original(actor, resource, target).await.map(|(_, copyable)| copyable)
    }

    /// Creates a copy of an object with the name in the body.
    ///
    /// # Errors
    /// As for [`Engine::show`] and [`Engine::create`].
    pub async fn copy(
        &self,
        actor: &Actor,
        resource: &'static Resource,
        target: &ObjectKey,
        body: &Map<String, Json>,
    ) -> Result<CreatedObject, Error> {
        let (original, copyable) = self.original(actor, resource, target).await?;
        if !copyable {
            return Err(Error::forbidden());
        }
        let name = body.get(NAME).ok_or_else(|| Error::field(NAME, "This field is required."))?;
        if resource.field(NAME).is_some_and(|field| name.as_str() == Some(original.text(field))) {
            let message = "The original object has this name: a copy of it needs another.";
            return Err(Error::field("__all__", message));
        }
        self.registry.hooks(resource).copy(self, actor, &original, name).await
    }

    async fn original(
        &self,
        actor: &Actor,
        resource: &'static Resource,
        target: &ObjectKey,
    ) -> Result<(Record, bool), Error> {
        let loaded = load(self, &mut Source::Database(&self.database), resource, target, actor).await?;
        let rule = self.registry.hooks(resource).can_copy(actor, ROW);
        let query = Query::select()
            .expr(rule.expression())
            .from_as(Alias::new(resource.table), Alias::new(ROW))
            .and_where(column(ROW, "id").eq(loaded.record.id))
            .to_owned();
        let rows = self.read_with_rules(actor, query, &[Type::Boolean]).await?;
        Ok((loaded.record, rows.first().is_some_and(|row| row.boolean(0))))
    }
}
