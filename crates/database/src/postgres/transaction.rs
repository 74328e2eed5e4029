//! A transaction with as few round trips as possible.
//!
//! The server responds in order, so a statement can be sent before the response to the previous one has arrived: BEGIN
//! is sent with the first statement if that is a read, statements of [`PostgresTransaction::execute_deferred`] with the
//! next statement, and COMMIT with the last ones. If one of them fails, the server rejects the rest, and COMMIT becomes
//! a ROLLBACK.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::{join, join_all};
use sea_query::Values;
use tokio::time::timeout;
use tokio_postgres::Row as DriverRow;

use super::value::decode;
use super::{ATTEMPTS, LONGEST, Lease, Postgres, State, change, fetch, prepare, statement_error};
use crate::{Error, Row, Type};

/// The maximum number of deferred statements.
const LATER: usize = 16;

/// A transaction on its own connection.
pub(crate) struct PostgresTransaction {
    postgres: Postgres,
    lease: Lease,
    /// Deferred statements.
    later: Vec<(String, Values)>,
}

/// The responses to several statements.
struct Answers {
    /// The number of rows of each change.
    changed: Vec<u64>,
    rows: Vec<DriverRow>,
}

impl PostgresTransaction {
    pub(super) fn new(postgres: Postgres, lease: Lease) -> Self {
        PostgresTransaction { postgres, lease, later: Vec::new() }
    }

    pub(crate) async fn read(&mut self, sql: &str, values: &Values, types: &[Type]) -> Result<Vec<Row>, Error> {
        let rows = if self.has_begun() || !self.later.is_empty() {
            self.send(Some((sql, values)), false).await?.rows
        } else {
            self.begin(Some((sql, values))).await?
        };
        decoded(&rows, types)
    }

    /// A read at the end of the transaction.
    pub(crate) async fn read_and_commit(
        mut self,
        sql: &str,
        values: &Values,
        types: &[Type],
    ) -> Result<Vec<Row>, Error> {
        decoded(&self.send(Some((sql, values)), true).await?.rows, types)
    }

    pub(crate) async fn execute(&mut self, sql: String, values: Values) -> Result<u64, Error> {
        self.later.push((sql, values));
        Ok(self.send(None, false).await?.changed.last().copied().unwrap_or(0))
    }

    /// A change that is sent with the next statement, which fails if this one does.
    pub(crate) async fn execute_deferred(&mut self, sql: String, values: Values) -> Result<(), Error> {
        self.later.push((sql, values));
        if self.later.len() >= LATER {
            self.send(None, false).await?;
        }
        Ok(())
    }

    pub(crate) async fn lock(&mut self, name: &str) -> Result<(), Error> {
        let sql = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))".to_owned();
        self.execute(sql, Values(vec![name.into()])).await.map(drop)
    }

    /// Notifies all that listen to a channel, after the commit.
    pub(crate) async fn notify(&mut self, channel: &str) -> Result<(), Error> {
        self.execute_deferred("SELECT pg_notify($1, '')".to_owned(), Values(vec![channel.into()])).await
    }

    pub(crate) async fn commit(mut self) -> Result<(), Error> {
        if self.has_begun() || !self.later.is_empty() {
            self.send(None, true).await?;
        }
        Ok(())
    }

    fn has_begun(&self) -> bool {
        self.lease.state == State::Transaction
    }

    /// Begins the transaction, with the read if there is one: a read has no effect if BEGIN fails.
    async fn begin(&mut self, read: Option<(&str, &Values)>) -> Result<Vec<DriverRow>, Error> {
        let mut attempts = ATTEMPTS;
        loop {
            self.lease.state = State::Transaction;
            let client = self.lease.client()?;
            let begun = async { client.batch_execute("BEGIN").await.map_err(statement_error) };
            let answer = timeout(LONGEST, async {
                let Some((sql, values)) = read else { return begun.await.map(|()| Vec::new()) };
                let statement = prepare(client, sql, values).await?;
                let (begun, rows) = join(begun, fetch(client, &statement, values)).await;
                begun.and(rows)
            });
            let answer = answer.await;
            attempts -= 1;
            match self.lease.answered(answer) {
                Err(Error::Unavailable(_)) if self.lease.broke_off() && attempts > 0 => {
                    let mut lease = self.postgres.lease().await?;
                    lease.turn = self.lease.turn.take();
                    self.lease = lease;
                }
                answer => return answer,
            }
        }
    }

    /// Sends the deferred statements, then the read, then COMMIT if requested, and then waits for the responses.
    async fn send(&mut self, read: Option<(&str, &Values)>, commits: bool) -> Result<Answers, Error> {
        if !self.has_begun() {
            self.begin(None).await?;
        }
        let later = std::mem::take(&mut self.later);
        let client = self.lease.client()?;
        if commits && client.is_closed() {
            // COMMIT was not sent.
            return Err(Error::Unavailable("the connection to PostgreSQL was lost".to_owned()));
        }
        let all = timeout(LONGEST, async {
            // All are prepared before the first is sent: preparing takes a round trip, and later statements would
            // overtake it.
            let mut prepared = Vec::with_capacity(later.len());
            for (sql, values) in &later {
                prepared.push((prepare(client, sql, values).await?, values));
            }
            let read = match read {
                Some((sql, values)) => Some((prepare(client, sql, values).await?, values)),
                None => None,
            };
            // The futures are polled in this order, so their statements are sent in this order.
            let has_failed = AtomicBool::new(false);
            let note = |is_failed: bool| has_failed.fetch_or(is_failed, Ordering::Relaxed);
            let changes = join_all(prepared.iter().map(async |(statement, values)| {
                let changed = change(client, statement, values).await;
                note(changed.is_err());
                changed
            }));
            let rows = async {
                let Some((statement, values)) = &read else { return Ok(Vec::new()) };
                let rows = fetch(client, statement, values).await;
                note(rows.is_err());
                rows
            };
            let committed = async {
                // A statement that could not be sent would not prevent the commit on the server.
                if !commits || has_failed.load(Ordering::Relaxed) {
                    return Ok(false);
                }
                client.batch_execute("COMMIT").await.map(|()| true).map_err(statement_error)
            };
            let ((changes, rows), committed) = join(join(changes, rows), committed).await;
            let changed = changes.into_iter().collect::<Result<Vec<u64>, Error>>();
            let answers = changed.and_then(|changed| Ok(Answers { changed, rows: rows? }));
            Ok((answers, committed))
        });
        let all = all.await;
        if !commits {
            return self.lease.answered(all).and_then(|(answers, _)| answers);
        }
        // The commit may have succeeded before the responses were lost.
        let uncertain = |error| if matches!(error, Error::Unavailable(_)) { Error::CommitUnknown } else { error };
        let (answers, committed) = self.lease.answered(all).map_err(uncertain)?;
        if committed.map_err(uncertain)? {
            self.lease.state = State::Idle;
        }
        answers
    }
}

fn decoded(rows: &[DriverRow], types: &[Type]) -> Result<Vec<Row>, Error> {
    rows.iter().map(|row| decode(row, types)).collect()
}
