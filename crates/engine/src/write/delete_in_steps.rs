//! Deleting an object that many rows depend on. The request only hides it; a task deletes it and the rows in steps.

use hostler_database::{Transaction, Type};
use hostler_schema::{Field, FieldKind, IS_DELETED, OnDelete, Resource, column};
use hostler_tasks::{Outcome, Task, TaskError, TaskRun};
use sea_query::{Alias, Asterisk, Expr, ExprTrait, Func, Query, SelectStatement};
use serde::{Deserialize, Serialize};

use super::cascade::{linked_to, only, prepare_deletion, set_null};
use super::delete::delete_rows;
use crate::{Engine, Error, Links};

/// An object with more dependent rows than this is deleted in steps.
const MAX_ROWS_AT_ONCE: u64 = 10_000;
/// The number of rows of one step: few enough that other writers hardly wait.
const STEP: u64 = 1_000;

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
                let changed = rows.change_some(engine).await?;
                total += changed;
                if changed < STEP {
                    break;
                }
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
        let some = rows.ids.clone().limit(MAX_ROWS_AT_ONCE + 1).to_owned();
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
    let mut update = Query::update();
    update
        .table(Alias::new(resource.table))
        .value(Alias::new(IS_DELETED), true)
        .and_where(column(resource.table, "id").eq(id));
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
    let query = Query::select()
        .expr(column(resource.table, IS_DELETED))
        .from(Alias::new(resource.table))
        .and_where(column(resource.table, "id").eq(id))
        .to_owned();
    Ok(engine.database.read(&query, &[Type::Boolean]).await?.first().is_some_and(|row| row.boolean(0)))
}

/// Rows of one table that depend on a deleted object.
struct DependentRows {
    ids: SelectStatement,
    effect: Effect,
}

/// What happens to dependent rows.
enum Effect {
    /// Objects of this resource are deleted.
    Delete(&'static Resource),
    /// This link of objects of this resource is set to null.
    SetNull(&'static Resource, &'static Field),
    /// Grants of roles of the deleted objects are deleted.
    DeleteGrants,
}

/// All rows that depend on an object, directly or not. Each row comes after those that depend on it, so that no step
/// affects more rows than it lists; grants come first, so that access ends early.
fn dependent_rows(links: &Links, resource: &'static Resource, id: i64) -> Vec<DependentRows> {
    let mut walk = Walk { links, path: vec![], rows: vec![] };
    walk.add_dependents(resource, only(id));
    walk.rows
}

struct Walk<'a> {
    links: &'a Links,
    /// The resources from the deleted object to the current one.
    path: Vec<&'static Resource>,
    rows: Vec<DependentRows>,
}

impl Walk<'_> {
    /// Adds the rows that depend on the objects with these ids.
    fn add_dependents(&mut self, resource: &'static Resource, ids: SelectStatement) {
        if resource.role_resource.is_some() {
            self.rows.push(DependentRows { ids: grants_on(resource, ids.clone()), effect: Effect::DeleteGrants });
        }
        self.path.push(resource);
        for dependent in self.links.dependents(resource.stored_in()) {
            let (child, link) = (dependent.resource, dependent.link);
            let linked = linked_to(child, link, ids.clone());
            match dependent.deletion() {
                OnDelete::Cascade if !self.path.contains(&child) => {
                    self.add_dependents(child, linked.clone());
                    self.rows.push(DependentRows { ids: linked, effect: Effect::Delete(child) });
                }
                OnDelete::SetNull => {
                    self.rows.push(DependentRows { ids: linked, effect: Effect::SetNull(child, link) })
                }
                OnDelete::Cascade | OnDelete::Restrict => {}
            }
        }
        self.path.pop();
    }
}

/// The ids of the grants of all roles of these objects.
fn grants_on(resource: &'static Resource, ids: SelectStatement) -> SelectStatement {
    let roles = Query::select()
        .expr(column("roles", "id"))
        .from(Alias::new("roles"))
        .and_where(column("roles", "content_type").eq(resource.name))
        .and_where(column("roles", "object_id").in_subquery(ids))
        .to_owned();
    Query::select()
        .expr(column("grants", "id"))
        .from(Alias::new("grants"))
        .and_where(column("grants", "role_id").in_subquery(roles))
        .to_owned()
}

impl DependentRows {
    /// Changes up to [`STEP`] rows in one transaction, and returns their number.
    async fn change_some(&self, engine: &Engine) -> Result<u64, Error> {
        let some = self.ids.clone().limit(STEP).to_owned();
        let rows = engine.database.read(&some, &[Type::Integer]).await?;
        let ids: Vec<i64> = rows.iter().filter_map(|row| row.integer(0)).collect();
        if ids.is_empty() {
            return Ok(0);
        }
        let mut tx = engine.database.begin().await?;
        match self.effect {
            Effect::Delete(resource) => {
                let table = resource.stored_in();
                prepare_deletion(&engine.links, &mut tx, resource, listed(table, &ids)).await?;
                delete_rows(&mut tx, table, &ids).await?;
            }
            Effect::SetNull(resource, link) => {
                tx.execute(&set_null(resource, link, column(resource.stored_in(), "id").is_in(ids.iter().copied())))
                    .await?;
            }
            Effect::DeleteGrants => delete_rows(&mut tx, "grants", &ids).await?,
        }
        tx.commit().await?;
        Ok(ids.len() as u64)
    }
}

/// The rows with these ids.
fn listed(table: &'static str, ids: &[i64]) -> SelectStatement {
    Query::select()
        .expr(column(table, "id"))
        .from(Alias::new(table))
        .and_where(column(table, "id").is_in(ids.iter().copied()))
        .to_owned()
}
