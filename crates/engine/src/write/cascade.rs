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
    let (mut deletes, mut updates) = (vec![], vec![]);
    visit_affected(links, resource, ids, &mut |Affected { resource, ids, nulled }| match nulled {
        None => add_deletes(resource, ids, &mut deletes),
        // The foreign key does the rest.
        Some(link) if resource.editable && link.shown => {
            updates.push(set_null(resource, link, column(resource.stored_in(), "id").in_subquery(ids)));
        }
        Some(_) => {}
    });
    for delete in &deletes {
        tx.execute(delete).await?;
    }
    for update in &updates {
        tx.execute(update).await?;
    }
    Ok(())
}

/// Objects that a deletion affects.
pub(super) struct Affected {
    pub resource: &'static Resource,
    /// The query for their ids.
    pub ids: SelectStatement,
    /// Their link that is set to null; none if they are deleted.
    pub nulled: Option<&'static Field>,
}

/// Visits all objects that depend on those with these ids, directly or not, and these last: each object comes after
/// those that depend on it.
pub(super) fn visit_affected(
    links: &Links,
    resource: &'static Resource,
    ids: SelectStatement,
    visit: &mut impl FnMut(Affected),
) {
    Walk { links, path: vec![], visit }.delete(resource, ids);
}

struct Walk<'a, Visit> {
    links: &'a Links,
    /// The resources from the first deleted objects to the current ones.
    path: Vec<&'static Resource>,
    visit: &'a mut Visit,
}

impl<Visit: FnMut(Affected)> Walk<'_, Visit> {
    fn delete(&mut self, resource: &'static Resource, ids: SelectStatement) {
        self.path.push(resource);
        for dependent in self.links.dependents(resource.stored_in()) {
            let (child, link) = (dependent.resource, dependent.link);
            let linked = || linked_to(child, link, ids.clone());
            match link.deletion() {
                OnDelete::Cascade if !self.path.contains(&child) => self.delete(child, linked()),
                OnDelete::SetNull => {
                    (self.visit)(Affected { resource: child, ids: linked(), nulled: Some(link) });
                }
                OnDelete::Cascade | OnDelete::Restrict => {}
            }
        }
        self.path.pop();
        (self.visit)(Affected { resource, ids, nulled: None });
    }
}

/// The query for one id.
pub(super) fn only(id: i64) -> SelectStatement {
    // A cast, because PostgreSQL cannot infer the type of a parameter in a SELECT list.
    Query::select().expr(Expr::val(id).cast_as("bigint")).to_owned()
}

/// Adds the statements that delete what names the objects with these ids by type and id.
fn add_deletes(resource: &'static Resource, ids: SelectStatement, deletes: &mut Vec<DeleteStatement>) {
    if let Some(role) = resource.role_resource {
        deletes.push(delete_of("activity_links", role().name, roles_of(resource, ids.clone())));
        deletes.push(delete_of("roles", resource.name, ids.clone()));
    }
    if resource.recorded {
        deletes.push(delete_of("activity_links", resource.name, ids));
    }
}

/// The ids of all roles of these objects.
pub(super) fn roles_of(resource: &'static Resource, ids: SelectStatement) -> SelectStatement {
    Query::select()
        .expr(column("roles", "id"))
        .from(Alias::new("roles"))
        .and_where(column("roles", "content_type").eq(resource.name))
        .and_where(column("roles", "object_id").in_subquery(ids))
        .to_owned()
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
fn linked_to(resource: &'static Resource, link: &Field, ids: SelectStatement) -> SelectStatement {
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
