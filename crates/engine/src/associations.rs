//! Associations: rows of a join table that link objects to a parent, changed through a sub-list.

use hostler_database::{Transaction, Type};
use hostler_schema::{Action, Actor, Association, Join, Resource, Sublist, column};
use sea_query::{Alias, Expr, ExprTrait, OnConflict, Query};
use serde_json::json;

use crate::read::{Source, load};
use crate::select::ROW;
use crate::{ActivityEntry, AssociationRequest, Engine, Error, ObjectKey};

impl Engine {
    /// Associates an object with the parent or removes the association. If there is no change, nothing is recorded.
    ///
    /// # Errors
    /// 403 for an actor who may not change the parent or not use the object, 400 for an object that does not exist (as
    /// in AWX), and errors of [`crate::Hooks::check_association`].
    pub(crate) async fn change_association(
        &self,
        actor: &Actor,
        parent: (&'static Resource, i64),
        sublist: &'static Sublist,
        association: &Association,
        AssociationRequest { id, attach }: AssociationRequest,
    ) -> Result<(), Error> {
        let target = (sublist.target)();
        let needs_permit = attach || association.removal_needs_permit;
        // Loading the parent locks its row: two associations of one parent run one after the other.
        let mut tx = self.database.begin().await?;
        let key = ObjectKey::Id(parent.1);
        if !load(self, &mut Source::Transaction(&mut tx), parent.0, &key, actor).await?.changeable {
            return Err(Error::forbidden());
        }
        if !self.may_associate(&mut tx, actor, target, association, id).await? && needs_permit {
            return Err(Error::forbidden());
        }
        if attach {
            self.registry.hooks(parent.0).check_association(self, &mut tx, parent.1, sublist, id).await?;
        }
        self.write_association(&mut tx, actor, parent, sublist, association, AssociationRequest { id, attach }).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Fails unless the actor may change the object.
    pub(crate) async fn require_change(
        &self,
        actor: &Actor,
        (resource, id): (&'static Resource, i64),
    ) -> Result<(), Error> {
        if self.can_change(actor, resource, &ObjectKey::Id(id)).await? { Ok(()) } else { Err(Error::forbidden()) }
    }

    /// Whether the actor may see this object and associate it.
    async fn may_associate(
        &self,
        tx: &mut Transaction,
        actor: &Actor,
        target: &'static Resource,
        association: &Association,
        id: i64,
    ) -> Result<bool, Error> {
        let rule = target.access.rows(actor, Action::Read, ROW).and((association.permit)(actor, ROW));
        let query = Query::select()
            .expr(rule.expression())
            .from_as(Alias::new(target.table), Alias::new(ROW))
            .and_where(column(ROW, "id").eq(id))
            .to_owned();
        let rows = self.read_with_rules_in(tx, actor, query, &[Type::Boolean]).await?;
        let Some(row) = rows.first() else {
            return Err(Error::BadRequest(format!("{} matching query does not exist.", model_name(target))));
        };
        Ok(row.boolean(0))
    }

    /// Writes or deletes the row of the join table and the activity entry, in the transaction of the caller.
    ///
    /// # Errors
    /// Database errors.
    pub(crate) async fn write_association(
        &self,
        tx: &mut Transaction,
        actor: &Actor,
        (parent, parent_id): (&'static Resource, i64),
        sublist: &'static Sublist,
        association: &Association,
        AssociationRequest { id, attach }: AssociationRequest,
    ) -> Result<(), Error> {
        let Join::JoinTable { table, left, right, filter } = sublist.join else {
            return Err(Error::Internal(format!("the sub-list {} has no join table", sublist.name)));
        };
        let changed = if attach {
            let mut columns = vec![left, right];
            let mut values: Vec<Expr> = vec![parent_id.into(), id.into()];
            if let Some((name, value)) = filter {
                columns.push(name);
                values.push(value.into());
            }
            let insert = Query::insert()
                .into_table(Alias::new(table))
                .columns(columns.into_iter().map(Alias::new))
                .values_panic(values)
                .on_conflict(OnConflict::new().do_nothing().to_owned())
                .to_owned();
            tx.execute(&insert).await?
        } else {
            let delete = Query::delete()
                .from_table(Alias::new(table))
                .and_where(column(table, left).eq(parent_id))
                .and_where(column(table, right).eq(id))
                .and_where_option(filter.map(|(name, value)| column(table, name).eq(value)))
                .to_owned();
            tx.execute(&delete).await?
        };
        if changed == 0 {
            return Ok(());
        }
        self.registry.hooks(parent).after_association(tx, parent_id, sublist, id, attach).await?;
        let target = (sublist.target)();
        let operation = if attach { "associate" } else { "disassociate" };
        let entry = ActivityEntry {
            operation,
            changes: json!({
                "object1": parent.name, "object1_pk": parent_id, "object2": target.name, "object2_pk": id,
                "action": operation, "relationship": association.relationship,
            }),
            object1: parent.name.into(),
            object2: target.name.into(),
            association: sublist.name,
            object_type: parent.name.into(),
            links: vec![(parent.name.into(), parent_id), (target.name.into(), id)],
            setting: None,
        };
        entry.write(self, tx, actor).await
    }
}

/// The name of the resource in AWX's messages about missing objects, such as `InstanceGroup`.
fn model_name(resource: &Resource) -> String {
    let capitalized = |word: &str| {
        word.chars().enumerate().map(|(i, c)| if i == 0 { c.to_ascii_uppercase() } else { c }).collect::<String>()
    };
    resource.name.split('_').map(capitalized).collect()
}
