//! The table `unified_jobs`, and the one function that changes a status.

use hostler_database::{Error, Transaction};
use sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement, UpdateStatement};

use crate::Status;

/// The table of jobs.
pub(crate) const JOBS: &str = "unified_jobs";
/// The table of templates.
pub(crate) const TEMPLATES: &str = "unified_job_templates";
/// The table of the jobs that must end before another one starts.
pub(crate) const DEPENDENCIES: &str = "unified_job_dependencies";

// The conditions of the partial indexes, as literals: PostgreSQL cannot use such an index for a parameter.
/// Jobs that have not ended.
pub(crate) const ACTIVE: &str = "status IN ('new', 'pending', 'waiting', 'running')";
/// Jobs that were given to a node.
pub(crate) const STARTED: &str = "status IN ('waiting', 'running')";
/// Pending jobs that were not examined since they were launched, or since what they waited for has ended.
pub(crate) const UNEXAMINED: &str = "status = 'pending' AND queue_class IS NULL AND blocked_by_id IS NULL";
/// Pending jobs that wait for capacity only.
pub(crate) const STARTABLE: &str = "status = 'pending' AND queue_class IS NOT NULL";

/// The order of the indexes of pending jobs, which is that of the ids. No other index has it: for the order of "id", a planner
/// that misjudges the number of rows would search through all pending jobs.
pub(crate) fn order() -> Expr {
    Expr::cust("id + 0")
}

/// The channel on which servers tell each other about jobs.
pub(crate) const CHANNEL: &str = "hostler_jobs";

pub(crate) fn col(name: &'static str) -> Expr {
    Expr::col(Alias::new(name))
}

pub(crate) fn of(table: &'static str, name: &'static str) -> Expr {
    Expr::col((Alias::new(table), Alias::new(name)))
}

pub(crate) fn select<const N: usize>(table: &'static str, columns: [&'static str; N]) -> SelectStatement {
    Query::select().columns(columns.map(Alias::new)).from(Alias::new(table)).to_owned()
}

pub(crate) fn update(table: &'static str) -> UpdateStatement {
    Query::update().table(Alias::new(table)).to_owned()
}

/// Brings these jobs into this state, with these other values. A job that may not come into it from its present state is
/// left as it is. Returns the number of changed jobs. Every change of a status goes through here.
pub(crate) async fn change_status(
    tx: &mut Transaction,
    jobs: &[i64],
    status: Status,
    values: Vec<(&'static str, Expr)>,
) -> Result<u64, Error> {
    if jobs.is_empty() {
        return Ok(0);
    }
    let mut change = update(JOBS);
    change.value(Alias::new("status"), status.as_str());
    for (column, value) in values {
        change.value(Alias::new(column), value);
    }
    change
        .and_where(col("id").is_in(jobs.iter().copied()))
        .and_where(col("status").is_in(status.allowed_before().into_iter().map(Status::as_str)));
    tx.execute_inline(&change).await
}
