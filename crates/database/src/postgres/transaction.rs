//! A transaction with as few round trips as possible.
//!
//! The server responds in order, so a statement can be sent before the response to the previous one has arrived: BEGIN
//! is sent with the first statements if they are reads, statements of [`PostgresTransaction::execute_deferred`] with the
//! next statement, and COMMIT with the last ones. If one of them fails, the server rejects the rest, and COMMIT becomes
//! a ROLLBACK.

use std::sync::atomic::{AtomicBool, Ordering};

use deadpool_postgres::Object;
use futures_util::future::{join, join_all};
use sea_query::Values;
use tokio::time::timeout;
use tokio_postgres::{Row as DriverRow, Statement};

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
    /// The rows of each read.
    rows: Vec<Vec<DriverRow>>,
}

/// A statement that returns rows.
type Read<'r> = (&'r str, &'r Values);

impl PostgresTransaction {
    pub(super) fn new(postgres: Postgres, lease: Lease) -> Self {
        PostgresTransaction { postgres, lease, later: Vec::new() }
    }

    pub(crate) async fn read(&mut self, sql: &str, values: &Values, types: &[Type]) -> Result<Vec<Row>, Error> {
        let [rows] = self.read_all([(sql, values)]).await?;
        decoded(&rows, types)
    }

    /// Two reads in one round trip; the second one follows the first.
    pub(crate) async fn read_both(
        &mut self,
        (first, first_types): (Read<'_>, &[Type]),
        (second, second_types): (Read<'_>, &[Type]),
    ) -> Result<(Vec<Row>, Vec<Row>), Error> {
        let [first, second] = self.read_all([first, second]).await?;
        Ok((decoded(&first, first_types)?, decoded(&second, second_types)?))
    }

    async fn read_all<const READS: usize>(
        &mut self,
        reads: [Read<'_>; READS],
    ) -> Result<[Vec<DriverRow>; READS], Error> {
        let rows = if self.has_begun() || !self.later.is_empty() {
            self.send(&reads, false).await?.rows
        } else {
            self.begin(&reads).await?
        };
        rows.try_into().map_err(|_| Error::Internal("a read has no response".to_owned()))
    }

    /// A read at the end of the transaction.
    pub(crate) async fn read_and_commit(
        mut self,
        sql: &str,
        values: &Values,
        types: &[Type],
    ) -> Result<Vec<Row>, Error> {
        let rows = self.send(&[(sql, values)], true).await?.rows;
        decoded(rows.first().map_or(&[], Vec::as_slice), types)
    }

    pub(crate) async fn execute(&mut self, sql: String, values: Values) -> Result<u64, Error> {
        self.later.push((sql, values));
        Ok(self.send(&[], false).await?.changed.last().copied().unwrap_or(0))
    }

    /// A change that is sent with the next statement, which fails if this one does.
    pub(crate) async fn execute_deferred(&mut self, sql: String, values: Values) -> Result<(), Error> {
        self.later.push((sql, values));
        if self.later.len() >= LATER {
            self.send(&[], false).await?;
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
            self.send(&[], true).await?;
        }
        Ok(())
    }

    fn has_begun(&self) -> bool {
        self.lease.state == State::Transaction
    }

    /// Begins the transaction, with the reads: a read has no effect if BEGIN fails.
    async fn begin(&mut self, reads: &[Read<'_>]) -> Result<Vec<Vec<DriverRow>>, Error> {
        let mut attempts = ATTEMPTS;
        loop {
            self.lease.state = State::Transaction;
            let client = self.lease.client()?;
            let begun = async { client.batch_execute("BEGIN").await.map_err(statement_error) };
            let answer = timeout(LONGEST, async {
                let reads = prepare_reads(client, reads).await?;
                let (begun, rows) = join(begun, fetch_all(client, &reads)).await;
                begun?;
                rows.into_iter().collect()
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

    /// Sends the deferred statements, then the reads, then COMMIT if requested, and then waits for the responses.
    async fn send(&mut self, reads: &[Read<'_>], commits: bool) -> Result<Answers, Error> {
        if !self.has_begun() {
            self.begin(&[]).await?;
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
            let reads = prepare_reads(client, reads).await?;
            // The futures are polled in this order, so their statements are sent in this order.
            let has_failed = AtomicBool::new(false);
            let note = |is_failed: bool| has_failed.fetch_or(is_failed, Ordering::Relaxed);
            let changes = join_all(prepared.iter().map(async |(statement, values)| {
                let changed = change(client, statement, values).await;
                note(changed.is_err());
                changed
            }));
            let rows = async {
                let rows = fetch_all(client, &reads).await;
                note(rows.iter().any(Result::is_err));
                rows.into_iter().collect::<Result<Vec<_>, Error>>()
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

async fn prepare_reads<'r>(client: &Object, reads: &[Read<'r>]) -> Result<Vec<(Statement, &'r Values)>, Error> {
    let mut prepared = Vec::with_capacity(reads.len());
    for (sql, values) in reads {
        prepared.push((prepare(client, sql, values).await?, *values));
    }
    Ok(prepared)
}

/// Sends all reads before it waits for their rows.
async fn fetch_all(client: &Object, reads: &[(Statement, &Values)]) -> Vec<Result<Vec<DriverRow>, Error>> {
    join_all(reads.iter().map(|(statement, values)| fetch(client, statement, values))).await
}

fn decoded(rows: &[DriverRow], types: &[Type]) -> Result<Vec<Row>, Error> {
    rows.iter().map(|row| decode(row, types)).collect()
}
