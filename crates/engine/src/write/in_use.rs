//! Objects that jobs use cannot be deleted while those jobs are not finished.

use hostler_database::Transaction;
use hostler_schema::column;
use sea_query::{Alias, Expr, Order, Query};

use crate::{Engine, Error};

/// The table of everything that runs.
const JOBS: &str = "unified_jobs";

/// At most this many jobs are named.
const MAX_NAMED: u64 = 100;

impl Engine {
    /// Fails if jobs that match this condition over the table `unified_jobs` are not finished.
    ///
    /// # Errors
    /// [`Error::InUse`], and database errors.
    pub async fn refuse_if_in_use(&self, tx: &mut Transaction, condition: Expr) -> Result<(), Error> {
        refuse_if_in_use(tx, condition).await
    }
}

/// Fails if jobs that match this condition over the table `unified_jobs` are not finished.
///
/// # Errors
/// [`Error::InUse`], and database errors.
pub async fn refuse_if_in_use(tx: &mut Transaction, condition: Expr) -> Result<(), Error> {
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
    let jobs: Vec<(i64, String)> = tx.read_as(&query).await?;
    if jobs.is_empty() { Ok(()) } else { Err(Error::InUse(jobs)) }
}
