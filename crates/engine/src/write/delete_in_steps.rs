//! Deleting an object that many rows depend on. The request only hides it; a task deletes it and the rows in steps.

use hostler_database::{Transaction, Type};
use hostler_schema::{FieldKind, IS_DELETED, Resource, column};
use hostler_tasks::{Outcome, Task, TaskError, TaskRun};
use sea_query::{Alias, Asterisk, Expr, ExprTrait, Func, LockType, Query, SelectStatement};
use serde::{Deserialize, Serialize};

use super::cascade::{Affected, only, prepare_deletion, roles_of, set_null, visit_affected};
use super::delete::delete_rows;
use crate::{Engine, Error, Links};

/// An object with more dependent rows than this is deleted in steps.
const MAX_ROWS_AT_ONCE: u64 = 10_000;
/// The number of rows of one step: few enough that other writers hardly wait.
const STEP: u64 = 1_000;

const GRANTS: &str = "grants";

/// Deletes a hidden object and the rows that depend on it.
#[derive(Serialize, Deserialize)]
pub struct DeleteInSteps {
    /// The name of the resource.
    resource: String,
    id: i64,
}

impl Task for DeleteInSteps {
    const NAME: &'static str = "delete_in_steps";
    type State = Engine;

    async fn run(&self, engine: &Engine, run: &TaskRun) -> Result<Outcome, TaskError> {
        let resource = engine.registry.by_name(&self.resource).map(|registered| registered.resource);
        let resource = resource.ok_or_else(|| TaskError(format!("there is no resource {}", self.resource)))?;
        if !is_hidden(engine, resource, self.id).await? {
            return Ok(Outcome::Complete);
        }
        let mut total = 0;
        for rows in dependent_rows(&engine.links, resource, self.id) {
            loop {
                if run.is_cancelled() {
                    tracing::info!(resource = resource.name, id = self.id, rows = total, "deletion interrupted");
                    return Ok(Outcome::Interrupted);
                }
                let mut tx = engine.database.begin().await?;
                let changed = rows.change_some(&engine.links, &mut tx).await?;
                tx.commit().await?;
                if changed == 0 {
                    break;
                }
                total += changed;
            }
        }
        let mut tx = engine.database.begin().await?;
        prepare_deletion(&engine.links, &mut tx, resource, only(self.id)).await?;
        delete_rows(&mut tx, resource.stored_in(), &[self.id]).await?;
        tx.commit().await?;
        tracing::info!(resource = resource.name, id = self.id, rows = total, "deletion complete");
        Ok(Outcome::Complete)
    }
}

/// Whether so many rows depend on an object that it is deleted in steps.
pub(super) async fn is_large(
    links: &Links,
    tx: &mut Transaction,
    resource: &'static Resource,
    id: i64,
) -> Result<bool, Error> {
    if !resource.deleted_in_steps {
        return Ok(false);
    }
    let counts = dependent_rows(links, resource, id).into_iter().map(|rows| {
        let some = rows.ids().0.clone().limit(MAX_ROWS_AT_ONCE + 1).to_owned();
        let count =
            Query::select().expr(Func::count(Expr::col(Asterisk))).from_subquery(some, Alias::new("some")).to_owned();
        Expr::SubQuery(None, Box::new(count.into()))
    });
    let Some(total) = counts.reduce(|total, count| total.add(count)) else { return Ok(false) };
    let rows = tx.read(&Query::select().expr(total).to_owned(), &[Type::Integer]).await?;
    let total = rows.first().and_then(|row| row.integer(0)).unwrap_or_default();
    Ok(total > MAX_ROWS_AT_ONCE as i64)
}

/// Hides an object from all readers, frees its unique values, and adds the task that deletes it.
pub(super) async fn hide(
    engine: &Engine,
    tx: &mut Transaction,
    resource: &'static Resource,
    id: i64,
) -> Result<(), Error> {
    let table = resource.stored_in();
    let mut update = Query::update();
    update.table(Alias::new(table)).value(Alias::new(IS_DELETED), true).and_where(column(table, "id").eq(id));
    let texts = resource.unique.iter().filter_map(|unique| {
        let mut fields = unique.fields.iter().filter_map(|name| resource.field(name));
        fields.find(|field| matches!(field.kind, FieldKind::Text))
    });
    for field in texts {
        // No client can send a text with a space at its start.
        update.value(Alias::new(field.column), format!(" deleted {id}"));
    }
    tx.execute(&update).await?;
    engine.tasks.add(tx, engine.clock.now(), &DeleteInSteps { resource: resource.name.to_owned(), id }).await?;
    Ok(())
}

async fn is_hidden(engine: &Engine, resource: &'static Resource, id: i64) -> Result<bool, Error> {
    let table = resource.stored_in();
    let query = Query::select()
        .expr(column(table, IS_DELETED))
        .from(Alias::new(table))
        .and_where(column(table, "id").eq(id))
        .to_owned();
    Ok(engine.database.read(&query, &[Type::Boolean]).await?.first().is_some_and(|row| row.boolean(0)))
}

/// Rows of one table that depend on a deleted object.
enum DependentRows {
    /// Objects that are deleted or lose a link.
    Objects(Affected),
    /// Grants of roles of deleted objects; the query selects their ids.
    Grants(SelectStatement),
}

/// All rows that depend on an object, directly or not. Grants come first, so that access ends early; each other row comes
/// after those that depend on it, so that no step affects more rows than it lists.
fn dependent_rows(links: &Links, resource: &'static Resource, id: i64) -> Vec<DependentRows> {
    let (mut grants, mut objects) = (vec![], vec![]);
    visit_affected(links, resource, only(id), &mut |affected| {
        if affected.nulled.is_none() && affected.resource.role_resource.is_some() {
            grants.push(DependentRows::Grants(grants_on(affected.resource, affected.ids.clone())));
        }
        objects.push(DependentRows::Objects(affected));
    });
    // The object itself.
    objects.pop();
    grants.extend(objects);
    grants
}

/// The ids of the grants of all roles of these objects.
fn grants_on(resource: &'static Resource, ids: SelectStatement) -> SelectStatement {
    Query::select()
        .expr(column(GRANTS, "id"))
        .from(Alias::new(GRANTS))
        .and_where(column(GRANTS, "role_id").in_subquery(roles_of(resource, ids)))
        .to_owned()
}

impl DependentRows {
    /// The ids, and the table or view that the query reads them from.
    fn ids(&self) -> (&SelectStatement, &'static str) {
        match self {
            DependentRows::Objects(affected) => (&affected.ids, affected.resource.table),
            DependentRows::Grants(ids) => (ids, GRANTS),
        }
    }

    /// Changes up to [`STEP`] rows and returns their number. There may be more unless it is 0.
    async fn change_some(&self, links: &Links, tx: &mut Transaction) -> Result<u64, Error> {
        let (ids, table) = self.ids();
        // With a lock: a row that another transaction moves to another object is left out.
        let some = ids.clone().limit(STEP).lock_with_tables(LockType::Update, [Alias::new(table)]).to_owned();
        let rows = tx.read(&some, &[Type::Integer]).await?;
        let ids: Vec<i64> = rows.iter().filter_map(|row| row.integer(0)).collect();
        if ids.is_empty() {
            return Ok(0);
        }
        match self {
            DependentRows::Objects(Affected { resource, nulled: Some(link), .. }) => {
                let rows = column(resource.stored_in(), "id").is_in(ids.iter().copied());
                tx.execute(&set_null(resource, link, rows)).await?;
            }
            DependentRows::Objects(Affected { resource, nulled: None, .. }) => {
                let table = resource.stored_in();
                prepare_deletion(links, tx, resource, listed(table, &ids)).await?;
                delete_rows(tx, table, &ids).await?;
            }
            DependentRows::Grants(_) => delete_rows(tx, GRANTS, &ids).await?,
        }
        Ok(ids.len() as u64)
    }
}

/// The rows with these ids.
pub(super) fn listed(table: &'static str, ids: &[i64]) -> SelectStatement {
    Query::select()
        .expr(column(table, "id"))
        .from(Alias::new(table))
        .and_where(column(table, "id").is_in(ids.iter().copied()))
        .to_owned()
}

#[cfg(test)]
mod tests;
