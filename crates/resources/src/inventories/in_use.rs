//! Objects that jobs use cannot be deleted while those jobs are not finished.

use hostler_database::Transaction;
use hostler_engine::Error;
use hostler_schema::column;
use sea_query::{Alias, Expr, ExprTrait, Order, Query};

/// The table of everything that runs.
const JOBS: &str = "unified_jobs";

/// At most this many jobs are named.
const MAX_NAMED: u64 = 100;

/// The jobs that are not finished among those that match this condition over the table `unified_jobs`, each with its
/// type.
///
/// # Errors
/// Database errors.
pub async fn active_jobs(tx: &mut Transaction, condition: Expr) -> Result<Vec<(i64, String)>, Error> {
    let query = Query::select()
        .expr(column(JOBS, "id"))
        .expr(column(JOBS, "type"))
        .from(Alias::new(JOBS))
        // As in the index of these rows.
        .and_where(Expr::cust("\"unified_jobs\".\"status\" IN ('new', 'pending', 'waiting', 'running')"))
        .and_where(condition)
        .order_by((Alias::new(JOBS), Alias::new("id")), Order::Asc)
        .limit(MAX_NAMED)
        .to_owned();
    Ok(tx.read_as(&query).await?)
}

/// Fails if jobs that match this condition are not finished.
///
/// # Errors
/// [`Error::InUse`], and database errors.
pub async fn refuse_if_in_use(tx: &mut Transaction, condition: Expr) -> Result<(), Error> {
    let jobs = active_jobs(tx, condition).await?;
    if jobs.is_empty() { Ok(()) } else { Err(Error::InUse(jobs)) }
}

/// Fails if jobs of this inventory are not finished.
///
/// # Errors
/// As [`refuse_if_in_use`].
pub(super) async fn refuse_if_inventory_in_use(tx: &mut Transaction, inventory: i64) -> Result<(), Error> {
    refuse_if_in_use(tx, column(JOBS, "inventory_id").eq(inventory)).await
}
