//! What a deletion changes beside the row itself. The foreign keys delete the rows that depend on it and set links to
//! null; here follows what they do not know: roles and activity links name their objects by type and id, and a changed
//! link changes the version.

use hostler_database::Transaction;
use hostler_schema::{Field, OnDelete, Resource, column};
use sea_query::{Alias, DeleteStatement, Expr, ExprTrait, Query, SelectStatement, UpdateStatement};

use crate::{Error, Links};

/// Removes the roles, grants and activity links of the objects with these ids, which are about to be deleted, and of all
/// objects that are deleted with them, and sets the links of all others to null.
pub(super) async fn prepare_deletion(
    links: &Links,
    tx: &mut Transaction,
    resource: &'static Resource,
    ids: SelectStatement,
) -> Result<(), Error> {
    let mut cascade = Cascade { links, path: vec![], deletes: vec![], updates: vec![] };
    cascade.delete(resource, ids);
    for delete in &cascade.deletes {
        tx.execute(delete).await?;
    }
    for update in &cascade.updates {
        tx.execute(update).await?;
    }
    Ok(())
}

/// The query for one id.
pub(super) fn only(id: i64) -> SelectStatement {
    // A cast, because PostgreSQL cannot infer the type of a parameter in a SELECT list.
    Query::select().expr(Expr::val(id).cast_as("bigint")).to_owned()
}

/// The statements that a deletion needs.
struct Cascade<'a> {
    links: &'a Links,
    /// The resources from the deleted object to the current one.
    path: Vec<&'static Resource>,
    deletes: Vec<DeleteStatement>,
    updates: Vec<UpdateStatement>,
}

impl Cascade<'_> {
    /// Adds the statements for the deletion of the objects with these ids.
    fn delete(&mut self, resource: &'static Resource, ids: SelectStatement) {
        if let Some(role) = resource.role_resource {
            let roles = Query::select()
                .expr(column("roles", "id"))
                .from(Alias::new("roles"))
                .and_where(column("roles", "content_type").eq(resource.name))
                .and_where(column("roles", "object_id").in_subquery(ids.clone()))
                .to_owned();
            self.deletes.push(delete_of("activity_links", role().name, roles));
            self.deletes.push(delete_of("roles", resource.name, ids.clone()));
        }
        if resource.recorded {
            self.deletes.push(delete_of("activity_links", resource.name, ids.clone()));
        }
        self.path.push(resource);
        for dependent in self.links.dependents(resource.stored_in()) {
            match dependent.deletion() {
                OnDelete::Cascade if !self.path.contains(&dependent.resource) => {
                    let ids = linked_to(dependent.resource, dependent.link, ids.clone());
                    self.delete(dependent.resource, ids);
                }
                OnDelete::SetNull if dependent.resource.editable && dependent.link.shown => {
                    let linked = column(dependent.resource.stored_in(), dependent.link.column).in_subquery(ids.clone());
                    self.updates.push(set_null(dependent.resource, dependent.link, linked));
                }
                OnDelete::Cascade | OnDelete::SetNull | OnDelete::Restrict => {}
            }
        }
        self.path.pop();
    }
}

/// Deletes the rows of `roles` or `activity_links` about these objects.
fn delete_of(table: &'static str, content_type: &'static str, ids: SelectStatement) -> DeleteStatement {
    Query::delete()
        .from_table(Alias::new(table))
        .and_where(column(table, "content_type").eq(content_type))
        .and_where(column(table, "object_id").in_subquery(ids))
        .to_owned()
}

/// The ids of the objects that link to those with these ids.
pub(super) fn linked_to(resource: &'static Resource, link: &Field, ids: SelectStatement) -> SelectStatement {
    Query::select()
        .expr(column(resource.table, "id"))
        .from(Alias::new(resource.table))
        .and_where(column(resource.table, link.column).in_subquery(ids))
        .to_owned()
}

/// Sets the link of these rows to null. If responses show the link, the object changes, and so does its ETag.
pub(super) fn set_null(resource: &'static Resource, link: &Field, rows: Expr) -> UpdateStatement {
    let table = resource.stored_in();
    let mut update = Query::update();
    update
        .table(Alias::new(table))
        .value(Alias::new(link.column), Option::<i64>::None)
        .and_where(rows)
        .and_where_option(resource.own_type().map(|(name, value)| column(table, name).eq(value)));
    if resource.editable && link.shown {
        update.value(Alias::new("version"), Expr::col(Alias::new("version")).add(1));
    }
    update
}
