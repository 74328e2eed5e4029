//! Associations: rows of a join table that link objects to a parent, changed through a sub-list.

use hostler_access::with_user_grants;
use hostler_database::{Transaction, Type};
use hostler_schema::{Action, Actor, Association, Join, Resource, Sublist, column};
use sea_query::{Alias, Expr, ExprTrait, OnConflict, Query, SelectStatement};
use serde_json::{Map, Value as Json, json};

use crate::field_values::{Decoded, decode_value, sql_value};
use crate::read::load_and_read;
use crate::select::ROW;
use crate::{ActivityEntry, AssociationRequest, CreatedObject, Engine, Error, ObjectKey};

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
        let may_associate = may_associate(actor, target, association, id);
        // Loading the parent locks its row: two associations of one parent run one after the other.
        let mut tx = self.database.begin().await?;
        let (loaded, permits) = load_and_read(self, &mut tx, parent, actor, (&may_associate, &[Type::Boolean])).await?;
        if !loaded.changeable {
            return Err(Error::forbidden());
        }
        let Some(permit) = permits.first() else {
            return Err(Error::BadRequest(format!("{} matching query does not exist.", model_name(target))));
        };
        if needs_permit && !permit.boolean(0) {
            return Err(Error::forbidden());
        }
        if attach {
            self.registry.hooks(parent.0).check_association(self, &mut tx, parent.1, sublist, id).await?;
        }
        self.write_association(&mut tx, actor, parent, sublist, association, AssociationRequest { id, attach }).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Creates an object and associates it. A body that only has the unique values of an existing object associates
    /// that object, if the description says so.
    ///
    /// # Errors
    /// As [`Engine::create`], and as for associating an object.
    pub(crate) async fn associate_new(
        &self,
        actor: &Actor,
        parent: (&'static Resource, i64),
        sublist: &'static Sublist,
        association: &Association,
        body: &Map<String, Json>,
    ) -> Result<Option<CreatedObject>, Error> {
        let target = (sublist.target)();
        let mut body = body.clone();
        if let Some(link) = association.inherits {
            let inherited = self.inherited(parent, link).await?;
            body.insert(link.to_owned(), inherited.into());
        }
        if association.finds
            && let Some(id) = self.find_unique(target, &body).await?
        {
            let request = AssociationRequest { id, attach: true };
            self.change_association(actor, parent, sublist, association, request).await?;
            return Ok(None);
        }
        self.create(actor, target, &body, Some((parent.0, parent.1, sublist))).await.map(Some)
    }

    /// The object that a link of the parent leads to.
    async fn inherited(&self, (parent, id): (&'static Resource, i64), link: &str) -> Result<Option<i64>, Error> {
        let Some((link, _)) = parent.link(link) else {
            return Err(Error::Internal(format!("{} has no link {link}", parent.name)));
        };
        let query = Query::select()
            .expr(column(ROW, link))
            .from_as(Alias::new(parent.table), Alias::new(ROW))
            .and_where(column(ROW, "id").eq(id))
            .to_owned();
        Ok(self.database.read(&query, &[Type::Integer]).await?.first().and_then(|row| row.integer(0)))
    }

    /// The id of the object with the unique values of a body that has no other values.
    async fn find_unique(&self, target: &'static Resource, body: &Map<String, Json>) -> Result<Option<i64>, Error> {
        let Some(unique) = target.unique.first() else { return Ok(None) };
        let is_given = |(name, value): &(&String, &Json)| {
            let is_empty = value.is_null() || value.as_str() == Some("");
            !is_empty && !unique.fields.contains(&name.as_str())
        };
        if body.iter().any(|pair| is_given(&pair)) {
            return Ok(None);
        }
        let mut query = Query::select();
        query.expr(column(ROW, "id")).from_as(Alias::new(target.table), Alias::new(ROW));
        for name in unique.fields {
            let Some((field, sent)) = target.field(name).zip(body.get(*name)) else { return Ok(None) };
            // A value that is not valid is rejected when the object is created.
            let Ok(Decoded::Value(value)) = decode_value(field, sent) else { return Ok(None) };
            query.and_where(column(ROW, field.column).eq(sql_value(&value, field.kind)));
        }
        Ok(self.database.read(&query, &[Type::Integer]).await?.first().and_then(|row| row.integer(0)))
    }

    /// Fails unless the actor may change the object.
    pub(crate) async fn require_change(
        &self,
        actor: &Actor,
        (resource, id): (&'static Resource, i64),
    ) -> Result<(), Error> {
        if self.can_change(actor, resource, &ObjectKey::Id(id)).await? { Ok(()) } else { Err(Error::forbidden()) }
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

/// Selects whether the actor may see this object and associate it.
fn may_associate(actor: &Actor, target: &'static Resource, association: &Association, id: i64) -> SelectStatement {
    let rule = target.access.rows(actor, Action::Read, ROW).and((association.permit)(actor, ROW));
    let query = Query::select()
        .expr(rule.expression())
        .from_as(Alias::new(target.table), Alias::new(ROW))
        .and_where(column(ROW, "id").eq(id))
        .to_owned();
    with_user_grants(query, actor)
}

/// The name of the resource in AWX's messages about missing objects, such as `InstanceGroup`.
pub(crate) fn model_name(resource: &Resource) -> String {
    let capitalized = |word: &str| {
        word.chars().enumerate().map(|(i, c)| if i == 0 { c.to_ascii_uppercase() } else { c }).collect::<String>()
    };
    resource.name.split('_').map(capitalized).collect()
}
