//! Failed attempts in the table `failed_sign_ins`: shared by all nodes, kept over a restart, shown to administrators.

use hostler_database::{Error, Type};
use hostler_engine::Engine;
use hostler_identity::throttle::{FAILURE_TTL, FailureCount};
use hostler_schema::column;
use jiff::{SignedDuration, Timestamp};
use sea_query::{Alias, CaseStatement, Expr, ExprTrait, OnConflict, Query};

use super::rate_limit::LoginLimits;

const TABLE: &str = "failed_sign_ins";
/// Older rows are deleted.
const RETENTION: SignedDuration = SignedDuration::from_hours(24 * 7);

/// The failed attempts for one username.
#[derive(Clone, Debug)]
pub(crate) struct StoredFailures {
    pub failures: u32,
    pub last_failure: Timestamp,
    /// The client's address at the last failure.
    pub address: String,
    pub locked_until: Option<Timestamp>,
}

impl StoredFailures {
    /// The number of failures that count. Those that led to an expired lock do not.
    pub(super) fn count(&self, limits: &LoginLimits, now: Timestamp) -> FailureCount {
        let is_expired = self.locked_until.is_some_and(|until| limits.remaining_lock(now, until).is_none());
        if is_expired {
            FailureCount::default()
        } else {
            FailureCount { failures: self.failures, last_failure: Some(self.last_failure) }
        }
    }
}

/// Reads the failed attempts for the username with this digest.
pub(crate) async fn load(engine: &Engine, name_digest: &str) -> Result<Option<StoredFailures>, Error> {
    let query = Query::select()
        .exprs(["failures", "last_failure", "address", "locked_until"].map(|name| column(TABLE, name)))
        .from(Alias::new(TABLE))
        .and_where(column(TABLE, "name_digest").eq(name_digest))
        .to_owned();
    let rows = engine.database.read(&query, &[Type::Integer, Type::Time, Type::Text, Type::Time]).await?;
    Ok(rows.first().and_then(|row| {
        Some(StoredFailures {
            failures: row.integer(0)?.try_into().unwrap_or(u32::MAX),
            last_failure: row.time(1)?,
            address: row.text(2)?.to_owned(),
            locked_until: row.time(3),
        })
    }))
}

/// Counts one more failure, and locks the username at the limit. Returns whether it is locked by this failure.
pub(super) async fn record(
    engine: &Engine,
    limits: &LoginLimits,
    name_digest: &str,
    address: &str,
) -> Result<bool, Error> {
    let now = engine.clock.now();
    let add = |duration: SignedDuration| now.checked_add(duration).unwrap_or(Timestamp::MAX);
    let subtract = |duration: SignedDuration| now.checked_sub(duration).unwrap_or(Timestamp::MIN);
    let ttl = SignedDuration::try_from(FAILURE_TTL).unwrap_or_default();
    let lock_end = add(SignedDuration::try_from(limits.lock_duration).unwrap_or_default());
    let latest_lock_end = add(SignedDuration::try_from(limits.longest_lock()).unwrap_or_default());

    // The failures that led to a lock do not count after its end. The same applies to a lock that ends too late for
    // these limits: it was created before the clock was set back.
    let locked_until = || column(TABLE, "locked_until");
    let lock_is_over = locked_until().lt(now).or(locked_until().gt(latest_lock_end));
    let is_forgotten = column(TABLE, "last_failure").lt(subtract(ttl)).or(lock_is_over.clone());
    let count = CaseStatement::new().case(is_forgotten, 1).finally(column(TABLE, "failures").add(1));
    let count = Expr::Case(Box::new(count));
    let is_locked = |count: Expr| match limits.failures_until_lock {
        0 => Expr::val(false),
        limit => count.gte(limit),
    };
    let lock = CaseStatement::new()
        .case(is_locked(count.clone()), lock_end)
        .case(lock_is_over, Expr::val(None::<Timestamp>))
        .finally(locked_until());
    let conflict = OnConflict::column(Alias::new("name_digest"))
        .update_columns(["last_failure", "address"].map(Alias::new))
        .value(Alias::new("failures"), count)
        .value(Alias::new("locked_until"), Expr::Case(Box::new(lock)))
        .to_owned();
    let first_lock = (limits.failures_until_lock == 1).then_some(lock_end);
    let insert = Query::insert()
        .into_table(Alias::new(TABLE))
        .columns(["name_digest", "failures", "last_failure", "address", "locked_until"].map(Alias::new))
        .values_panic([name_digest.into(), 1.into(), now.into(), address.into(), first_lock.into()])
        .on_conflict(conflict)
        .to_owned();
    let old = Query::delete()
        .from_table(Alias::new(TABLE))
        .and_where(column(TABLE, "last_failure").lt(subtract(RETENTION)))
        .and_where(locked_until().is_null().or(locked_until().lt(now)))
        .to_owned();
    let locked = Query::select()
        .expr(column(TABLE, "failures"))
        .from(Alias::new(TABLE))
        .and_where(column(TABLE, "name_digest").eq(name_digest))
        .and_where(locked_until().eq(lock_end))
        .to_owned();

    let mut tx = engine.database.begin().await?;
    tx.execute(&insert).await?;
    tx.execute(&old).await?;
    let is_locked = !tx.read(&locked, &[Type::Integer]).await?.is_empty();
    tx.commit().await?;
    Ok(is_locked)
}

/// Subtracts forgiven failures, and deletes the row when none is left.
pub(super) async fn forgive(engine: &Engine, name_digest: &str, forgiven: u32) -> Result<(), Error> {
    let update = Query::update()
        .table(Alias::new(TABLE))
        .value(Alias::new("failures"), column(TABLE, "failures").sub(forgiven))
        .and_where(column(TABLE, "name_digest").eq(name_digest))
        .to_owned();
    let delete = Query::delete()
        .from_table(Alias::new(TABLE))
        .and_where(column(TABLE, "name_digest").eq(name_digest))
        .and_where(column(TABLE, "failures").lte(0))
        .to_owned();
    let mut tx = engine.database.begin().await?;
    tx.execute(&update).await?;
    tx.execute(&delete).await?;
    tx.commit().await
}

/// Deletes all failed attempts for a username, and its lock.
pub(super) async fn delete(engine: &Engine, name_digest: &str) -> Result<(), Error> {
    let delete = Query::delete()
        .from_table(Alias::new(TABLE))
        .and_where(column(TABLE, "name_digest").eq(name_digest))
        .to_owned();
    let mut tx = engine.database.begin().await?;
    tx.execute(&delete).await?;
    tx.commit().await
}
