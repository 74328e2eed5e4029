//! The table `tasks`.

use hostler_database::{Database, Error, Transaction, Type};
use jiff::{SignedDuration, Timestamp};
use sea_query::{
    Alias, Condition, Expr, ExprTrait, LockBehavior, LockType, OnConflict, Order, Query, SelectStatement,
    UpdateStatement,
};
use serde_json::Value as Json;
use tokio::time::Instant;

const TABLE: &str = "tasks";

/// A task that this process has leased.
#[derive(Clone, Debug)]
pub(crate) struct LeasedTask {
    pub id: i64,
    pub name: String,
    pub arguments: Json,
    /// The number of failed runs.
    pub failures: u32,
    /// When the lease began.
    pub leased: Instant,
}

/// The lease of a process.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    /// A random name of the process.
    pub owner: String,
    pub duration: SignedDuration,
    /// No task is due later than after this time.
    pub longest_delay: SignedDuration,
}

impl Lease {
    fn end(&self, now: Timestamp) -> Timestamp {
        now.checked_add(self.duration).unwrap_or(now)
    }
}

fn col(name: &'static str) -> Expr {
    Expr::col(Alias::new(name))
}

/// Inserts a task that is due now.
pub(crate) async fn insert(tx: &mut Transaction, name: &str, arguments: &str, now: Timestamp) -> Result<(), Error> {
    let insert = Query::insert()
        .into_table(Alias::new(TABLE))
        .columns(["name", "arguments", "created", "next_run"].map(Alias::new))
        .values_panic([name.into(), arguments.into(), now.into(), now.into()])
        .to_owned();
    tx.execute_deferred(&insert).await
}

/// Makes a periodic task due now, and creates its row if there is none.
pub(crate) async fn schedule(database: &Database, name: &str, arguments: &str, now: Timestamp) -> Result<(), Error> {
    let insert = Query::insert()
        .into_table(Alias::new(TABLE))
        .columns(["name", "arguments", "created", "next_run", "periodic"].map(Alias::new))
        .values_panic([name.into(), arguments.into(), now.into(), now.into(), name.into()])
        .on_conflict(
            OnConflict::column(Alias::new("periodic"))
                .update_columns(["arguments", "next_run"].map(Alias::new))
                .to_owned(),
        )
        .to_owned();
    let mut tx = database.begin().await?;
    tx.execute(&insert).await?;
    tx.commit().await
}

/// Leases up to `limit` tasks with these names that are due, except those with the ids `running`.
pub(crate) async fn claim(
    database: &Database,
    lease: &Lease,
    names: &[&'static str],
    running: &[i64],
    limit: u64,
    now: Timestamp,
) -> Result<Vec<LeasedTask>, Error> {
    const TYPES: [Type; 4] = [Type::Integer, Type::Text, Type::Json, Type::Integer];
    let leased = Instant::now();
    let due = due(lease, names, running, limit, now);
    // Most of the time there is none, and a transaction would exclude other writers on SQLite.
    if database.read(&due, &TYPES).await?.is_empty() {
        return Ok(vec![]);
    }
    let mut tx = database.begin().await?;
    let locked = due.clone().lock_with_behavior(LockType::Update, LockBehavior::SkipLocked).to_owned();
    let rows = tx.read(&locked, &TYPES).await?;
    let tasks: Vec<LeasedTask> = rows
        .iter()
        .filter_map(|row| {
            Some(LeasedTask {
                id: row.integer(0)?,
                name: row.text(1)?.to_owned(),
                arguments: row.json(2)?.clone(),
                failures: row.integer(3)?.try_into().unwrap_or(u32::MAX),
                leased,
            })
        })
        .collect();
    if !tasks.is_empty() {
        let update = Query::update()
            .table(Alias::new(TABLE))
            .value(Alias::new("lease_owner"), lease.owner.as_str())
            .value(Alias::new("lease_expires"), lease.end(now))
            .and_where(col("id").is_in(tasks.iter().map(|task| task.id)))
            .to_owned();
        tx.execute(&update).await?;
    }
    tx.commit().await?;
    Ok(tasks)
}

/// The tasks to lease. A lease that ends later than any can was granted before the clock was set back, as the time of a
/// task was written that is due later than any can be. A task that has not failed is always due, unless it is periodic.
fn due(lease: &Lease, names: &[&'static str], running: &[i64], limit: u64, now: Timestamp) -> SelectStatement {
    let longest = lease.duration.checked_mul(2).unwrap_or(lease.duration);
    let latest = now.checked_add(longest).unwrap_or(Timestamp::MAX);
    let is_free = Condition::any()
        .add(col("lease_expires").is_null())
        .add(col("lease_expires").lte(now))
        .add(col("lease_expires").gt(latest));
    let latest = now.checked_add(lease.longest_delay).unwrap_or(Timestamp::MAX);
    let is_due = Condition::any()
        .add(col("next_run").lte(now))
        .add(col("next_run").gt(latest))
        .add(col("periodic").is_null().and(col("failures").eq(0)));
    let mut query = Query::select();
    query
        .columns(["id", "name", "arguments", "failures"].map(Alias::new))
        .from(Alias::new(TABLE))
        .and_where(col("name").is_in(names.iter().copied()))
        .cond_where(is_due)
        .cond_where(is_free)
        .order_by(Alias::new("next_run"), Order::Asc)
        .order_by(Alias::new("id"), Order::Asc)
        .limit(limit);
    if !running.is_empty() {
        query.and_where(col("id").is_not_in(running.iter().copied()));
    }
    query
}

/// A change of a task while this process has its lease.
fn change(lease: &Lease, id: i64) -> UpdateStatement {
    Query::update()
        .table(Alias::new(TABLE))
        .and_where(col("id").eq(id))
        .and_where(col("lease_owner").eq(lease.owner.as_str()))
        .to_owned()
}

/// The same, which also gives the lease up.
fn give_up(lease: &Lease, id: i64) -> UpdateStatement {
    change(lease, id)
        .value(Alias::new("lease_owner"), Option::<String>::None)
        .value(Alias::new("lease_expires"), Option::<Timestamp>::None)
        .to_owned()
}

/// Extends a lease. False if another process has the task now.
pub(crate) async fn extend(database: &Database, lease: &Lease, id: i64, now: Timestamp) -> Result<bool, Error> {
    let update = change(lease, id).value(Alias::new("lease_expires"), lease.end(now)).to_owned();
    Ok(execute(database, &update).await? == 1)
}

/// Deletes a completed task.
pub(crate) async fn delete(database: &Database, lease: &Lease, id: i64) -> Result<(), Error> {
    let delete = Query::delete()
        .from_table(Alias::new(TABLE))
        .and_where(col("id").eq(id))
        .and_where(col("lease_owner").eq(lease.owner.as_str()))
        .to_owned();
    execute(database, &delete).await.map(drop)
}

/// Sets the next run of a task that is not complete, or periodic.
pub(crate) async fn reschedule(
    database: &Database,
    lease: &Lease,
    id: i64,
    next_run: Timestamp,
    failures: u32,
) -> Result<(), Error> {
    let update = give_up(lease, id)
        .value(Alias::new("next_run"), next_run)
        .value(Alias::new("failures"), i64::from(failures))
        .to_owned();
    execute(database, &update).await.map(drop)
}

/// Gives up all leases of this process.
pub(crate) async fn release_all(database: &Database, lease: &Lease) -> Result<(), Error> {
    let update = Query::update()
        .table(Alias::new(TABLE))
        .value(Alias::new("lease_owner"), Option::<String>::None)
        .value(Alias::new("lease_expires"), Option::<Timestamp>::None)
        .and_where(col("lease_owner").eq(lease.owner.as_str()))
        .to_owned();
    execute(database, &update).await.map(drop)
}

async fn execute(database: &Database, statement: &(impl sea_query::QueryStatementWriter + Sync)) -> Result<u64, Error> {
    let mut tx = database.begin().await?;
    let changed = tx.execute(statement).await?;
    tx.commit().await?;
    Ok(changed)
}
