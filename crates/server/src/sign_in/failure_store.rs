//! Failed attempts in the database: so they are known to all nodes, after a
//! restart, and to whoever looks after the account. They are written beside the
//! requests, many in one transaction.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hostler_database::{Error, Type};
use hostler_engine::Engine;
use hostler_identity::throttle::MEMORY;
use hostler_schema::column;
use jiff::{SignedDuration, Timestamp};
use sea_query::{Alias, CaseStatement, Expr, ExprTrait, OnConflict, Query};

const TABLE: &str = "failed_sign_ins";
/// How long notes are gathered before they are written.
const PAUSE: Duration = Duration::from_millis(200);
/// What is older is of use to nobody.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 7);

/// What the database knows of attempts at one name.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub failures: u32,
    pub last_failure: Timestamp,
    pub address: String,
    pub locked_until: Option<Timestamp>,
}

/// Reads what is known of attempts at a name.
pub(crate) async fn load(engine: &Engine, name: &str) -> Result<Option<Stored>, Error> {
    let query = Query::select()
        .exprs(["failures", "last_failure", "address", "locked_until"].map(|name| column(TABLE, name)))
        .from(Alias::new(TABLE))
        .and_where(column(TABLE, "name_digest").eq(name))
        .to_owned();
    let rows = engine.database.read(&query, &[Type::Integer, Type::Time, Type::Text, Type::Time]).await?;
    Ok(rows.first().and_then(|row| {
        Some(Stored {
            failures: row.integer(0)?.try_into().unwrap_or(u32::MAX),
            last_failure: row.time(1)?,
            address: row.text(2)?.to_owned(),
            locked_until: row.time(3),
        })
    }))
}

/// Forgets all attempts at a name.
pub(super) async fn delete(engine: &Engine, name: &str) -> Result<(), Error> {
    let delete =
        Query::delete().from_table(Alias::new(TABLE)).and_where(column(TABLE, "name_digest").eq(name)).to_owned();
    let mut tx = engine.database.begin().await?;
    tx.execute(&delete).await?;
    tx.commit().await
}

/// What is to be written about one name.
#[derive(Clone, Debug, Default)]
pub(super) struct Note {
    /// How many more failed, or fewer.
    pub failures: i64,
    pub last_failure: Option<Timestamp>,
    pub address: String,
    pub locked_until: Option<Timestamp>,
}

/// How far the database knows what this node knows of one name.
#[derive(Default)]
pub(super) struct Written {
    is_stored: AtomicBool,
    /// Notes that are not written yet.
    waiting: AtomicU32,
}

impl Written {
    /// Whether the database had something about the name when this node last looked or wrote.
    pub(super) fn is_stored(&self) -> bool {
        self.is_stored.load(Ordering::Acquire)
    }

    /// Whether nothing waits to be written.
    pub(super) fn is_all(&self) -> bool {
        self.waiting.load(Ordering::Acquire) == 0
    }

    pub(super) fn found(&self) {
        self.is_stored.store(true, Ordering::Release);
    }

    pub(super) fn forget(&self) {
        self.is_stored.store(false, Ordering::Release);
        self.waiting.store(0, Ordering::Release);
    }

    fn wrote(&self, notes: u32, is_stored: bool) {
        self.is_stored.store(is_stored, Ordering::Release);
        // Less than there are, if they were forgotten meanwhile.
        let less = |waiting: u32| Some(waiting.saturating_sub(notes));
        let _ = self.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
    }
}

type Waiting = BTreeMap<String, (Note, u32, Arc<Written>)>;

/// What is not written yet.
#[derive(Default)]
pub(super) struct Failures(Mutex<Waiting>);

impl Failures {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a note, and tells `written` once it is.
    pub(super) fn note(self: &Arc<Self>, engine: &Engine, name: String, note: Note, written: Arc<Written>) {
        written.waiting.fetch_add(1, Ordering::AcqRel);
        let is_first = {
            let mut waiting = self.waiting();
            let is_first = waiting.is_empty();
            let (known, notes, _) = waiting.entry(name).or_insert_with(|| (Note::default(), 0, written));
            *notes += 1;
            known.failures += note.failures;
            if note.last_failure.is_some() {
                known.last_failure = note.last_failure;
                known.address = note.address;
            }
            known.locked_until = note.locked_until.or(known.locked_until);
            is_first
        };
        if is_first {
            let (here, engine) = (Arc::clone(self), engine.clone());
            tokio::spawn(async move {
                tokio::time::sleep(PAUSE).await;
                if let Err(problem) = here.write(&engine).await {
                    // This node knows them all the same.
                    tracing::warn!(%problem, "could not record failed attempts to sign in");
                }
            });
        }
    }

    /// Drops what is not written yet about a name.
    pub(super) fn forget(&self, name: &str) {
        self.waiting().remove(name);
    }

    async fn write(&self, engine: &Engine) -> Result<(), Error> {
        let waiting = std::mem::take(&mut *self.waiting());
        let now = engine.clock.now();
        let memory = SignedDuration::try_from(MEMORY).unwrap_or_default();
        let forgotten = now.checked_sub(memory).unwrap_or(now);
        let mut tx = engine.database.begin().await?;
        for (name, (note, ..)) in &waiting {
            match note.last_failure {
                Some(last_failure) => tx.execute(&more(name, note, last_failure, now, forgotten)).await?,
                None => tx.execute(&fewer(name, note.failures)).await?,
            };
        }
        let is_over = column(TABLE, "locked_until").is_null().or(column(TABLE, "locked_until").lt(now));
        let past = Query::delete()
            .from_table(Alias::new(TABLE))
            .and_where(
                column(TABLE, "last_failure")
                    .lt(now.checked_sub(KEPT).unwrap_or(now))
                    .or(column(TABLE, "failures").lte(0)),
            )
            .and_where(is_over)
            .to_owned();
        tx.execute(&past).await?;
        tx.commit().await?;
        for (note, notes, written) in waiting.into_values() {
            // After one that is gone nothing has to be there.
            written.wrote(notes, note.failures > 0);
        }
        Ok(())
    }
}

/// Adds failures to those of a name, or begins anew where the last ones are forgotten.
fn more(
    name: &str,
    note: &Note,
    last_failure: Timestamp,
    now: Timestamp,
    forgotten: Timestamp,
) -> sea_query::InsertStatement {
    let excluded = |name: &str| column("excluded", name);
    let is_over = column(TABLE, "last_failure").lt(forgotten).or(column(TABLE, "locked_until").lt(now));
    let counted = CaseStatement::new()
        .case(is_over, excluded("failures"))
        .finally(column(TABLE, "failures").add(excluded("failures")));
    let locked = CaseStatement::new()
        .case(excluded("locked_until").is_not_null(), excluded("locked_until"))
        .case(column(TABLE, "locked_until").gte(now), column(TABLE, "locked_until"))
        .finally(excluded("locked_until"));
    let conflict = OnConflict::column(Alias::new("name_digest"))
        .update_columns(["last_failure", "address"].map(Alias::new))
        .value(Alias::new("failures"), Expr::Case(Box::new(counted)))
        .value(Alias::new("locked_until"), Expr::Case(Box::new(locked)))
        .to_owned();
    Query::insert()
        .into_table(Alias::new(TABLE))
        .columns(["name_digest", "failures", "last_failure", "address", "locked_until"].map(Alias::new))
        .values_panic([
            name.into(),
            note.failures.into(),
            last_failure.into(),
            note.address.as_str().into(),
            note.locked_until.into(),
        ])
        .on_conflict(conflict)
        .to_owned()
}

/// Takes failures from those of a name.
fn fewer(name: &str, failures: i64) -> sea_query::UpdateStatement {
    Query::update()
        .table(Alias::new(TABLE))
        .value(Alias::new("failures"), column(TABLE, "failures").add(failures))
        .and_where(column(TABLE, "name_digest").eq(name))
        .to_owned()
}
