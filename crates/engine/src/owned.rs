//! POST of an `id` to a list of objects that belong to the parent, such as the hosts of an inventory.

use hostler_database::Type;
use hostler_schema::{Actor, Resource, Sublist, column};
use sea_query::{Alias, ExprTrait, Query};

use crate::associations::model_name;
use crate::select::ROW;
use crate::{AssociationRequest, Engine, Error, ObjectKey};

impl Engine {
    /// Deletes an object of the list with `disassociate`; without it nothing changes.
    ///
    /// # Errors
    /// 400 for an object that does not exist or belongs to another parent; 403 for an actor who may not change it.
    pub(crate) async fn change_owned(
        &self,
        actor: &Actor,
        parent: (&'static Resource, i64),
        sublist: &'static Sublist,
        link: &'static str,
        AssociationRequest { id, attach }: AssociationRequest,
    ) -> Result<(), Error> {
        let target = (sublist.target)();
        let (link, _) =
            target.link(link).ok_or_else(|| Error::Internal(format!("{} has no link {link}", target.name)))?;
        if !self.can_change(actor, parent.0, &ObjectKey::Id(parent.1)).await? {
            return Err(Error::forbidden());
        }
        let query = Query::select()
            .expr(column(ROW, link))
            .from_as(Alias::new(target.table), Alias::new(ROW))
            .and_where(column(ROW, "id").eq(id))
            .to_owned();
        let rows = self.database.read(&query, &[Type::Integer]).await?;
        let Some(row) = rows.first() else {
            return Err(Error::BadRequest(format!("{} matching query does not exist.", model_name(target))));
        };
        if row.integer(0) != Some(parent.1) {
            // The actor may not know of the other parent.
            let key = ObjectKey::Id(id);
            self.can_change(actor, target, &key).await?;
            let message = format!("The {} belongs to another {}.", target.name, parent.0.name);
            return Err(Error::BadRequest(message));
        }
        if attach { Ok(()) } else { self.delete(actor, target, &ObjectKey::Id(id), None).await }
    }
}
