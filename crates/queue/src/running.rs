//! The jobs that the executor of this process runs.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use hostler_database::{Database, Error};
use jiff::Timestamp;
use sea_query::{Expr, ExprTrait};
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::claim::Claim;
use crate::dispatcher::Report;
use crate::store::{JOBS, STARTED, col, select};
use crate::{
    ClaimedJob, DispatcherEvent, Ended, Executor, ExecutorError, Finish, JobKind, JobQueue, JobSignals, Status, finish,
};

/// The jobs that this process runs, and what it has to write about those that it could not run.
pub(crate) struct Running {
    executor: Arc<dyn Executor>,
    report: Report,
    stop: CancellationToken,
    runs: JoinSet<Result<Ended, ExecutorError>>,
    /// The jobs, by the ids of their runs.
    of_runs: HashMap<Id, (i64, JobKind)>,
    /// The signals, by the ids of the jobs.
    signals: HashMap<i64, JobSignals>,
    /// Jobs that ended without their executor having written a status, with the reason.
    failures: HashMap<i64, String>,
    /// Jobs whose executor says that it has written their status.
    ended: Vec<i64>,
    /// Whether the jobs of an earlier process were looked for.
    has_adopted: bool,
}

impl Running {
    pub(crate) fn new(executor: Arc<dyn Executor>, report: Report, stop: CancellationToken) -> Running {
        Running {
            executor,
            report,
            stop,
            runs: JoinSet::new(),
            of_runs: HashMap::new(),
            signals: HashMap::new(),
            failures: HashMap::new(),
            ended: vec![],
            has_adopted: false,
        }
    }

    /// Gives a job to the executor.
    pub(crate) fn start(&mut self, claim: &Claim) {
        self.run(claim.id, &claim.kind, false);
    }

    fn run(&mut self, id: i64, kind: &str, adopted: bool) {
        if self.signals.contains_key(&id) || self.failures.contains_key(&id) {
            return;
        }
        let Some(kind) = JobKind::parse(kind) else {
            self.failures.insert(id, format!("This version of the server cannot run jobs of the type {kind}."));
            return;
        };
        let event = if adopted { DispatcherEvent::Adopted(kind) } else { DispatcherEvent::Started(kind) };
        tracing::info!(job = id, kind = kind.as_str(), adopted, "job started");
        (self.report)(event);
        let signals = JobSignals { cancel: CancellationToken::new(), shutdown: self.stop.clone() };
        self.signals.insert(id, signals.clone());
        let executor = Arc::clone(&self.executor);
        let run = self.runs.spawn(async move { executor.run(ClaimedJob { id, kind, adopted }, signals).await });
        self.of_runs.insert(run.id(), (id, kind));
    }

    /// Reads the jobs that were given to this node: starts those that do not run here yet, and cancels those that should
    /// end.
    pub(crate) async fn refresh(&mut self, database: &Database, node: &str) -> Result<(), Error> {
        let mut query = select(JOBS, ["id", "type", "status", "cancel_flag"]);
        query.and_where(Expr::cust(STARTED)).and_where(col("controller_node").eq(node));
        let jobs: Vec<(i64, String, String, bool)> = database.read_as(&query).await?;
        let active: HashSet<i64> = jobs.iter().map(|(id, ..)| *id).collect();
        for id in std::mem::take(&mut self.ended) {
            if active.contains(&id) && !self.signals.contains_key(&id) {
                self.failures.insert(id, "The job ended without a status.".to_owned());
            }
        }
        // What was ended elsewhere, or deleted: nothing may go on running for it.
        for (_, signals) in self.signals.iter().filter(|(id, _)| !active.contains(id)) {
            signals.cancel.cancel();
        }
        for (id, kind, status, is_canceled) in jobs {
            // Another node may have given the job to this one, but only this process makes it run.
            let adopted = !self.has_adopted || status != Status::Waiting.as_str();
            self.run(id, &kind, adopted);
            if let Some(signals) = self.signals.get(&id).filter(|_| is_canceled) {
                signals.cancel.cancel();
            }
        }
        self.has_adopted = true;
        Ok(())
    }

    /// Writes why jobs could not be run. What cannot be written now is written later.
    pub(crate) async fn write_failures(&mut self, database: &Database, queue: &JobQueue, now: Timestamp) {
        let mut unwritten = HashMap::new();
        for (id, explanation) in std::mem::take(&mut self.failures) {
            match write_failure(database, id, &explanation, now).await {
                Ok(()) => queue.wake(),
                Err(error) => {
                    tracing::warn!(job = id, %error, "could not write the end of a job");
                    unwritten.insert(id, explanation);
                }
            }
        }
        self.failures = unwritten;
    }

    /// Waits for the end of a run; for ever if there is none.
    pub(crate) async fn next(&mut self) {
        match self.runs.join_next_with_id().await {
            Some(end) => self.note(end),
            None => std::future::pending().await,
        }
        // Further ones that have ended.
        while let Some(end) = self.runs.try_join_next_with_id() {
            self.note(end);
        }
    }

    fn note(&mut self, end: Result<(Id, Result<Ended, ExecutorError>), JoinError>) {
        let (run, result) = match end {
            Ok((run, result)) => (run, result),
            Err(error) => {
                tracing::error!(%error, "the run of a job ended early");
                (error.id(), Err(ExecutorError("The server made an error while it ran this job; see its log.".into())))
            }
        };
        let Some((id, kind)) = self.of_runs.remove(&run) else { return };
        match result {
            Ok(Ended::Finished) => {
                tracing::info!(job = id, kind = kind.as_str(), "job ended");
                (self.report)(DispatcherEvent::Ended(kind));
                self.signals.remove(&id);
                self.ended.push(id);
            }
            // Its signals stay, so that it is not started again here.
            Ok(Ended::Detached) => tracing::info!(job = id, kind = kind.as_str(), "job goes on without the server"),
            Err(error) => {
                tracing::error!(job = id, kind = kind.as_str(), %error, "job could not be run");
                (self.report)(DispatcherEvent::Failed(kind));
                self.signals.remove(&id);
                self.failures.insert(id, error.0);
            }
        }
    }

    /// Waits until the executors have left their jobs, since the server stops; after the timeout, drops them.
    pub(crate) async fn stop(&mut self, timeout: Duration) {
        let ended = async {
            while let Some(end) = self.runs.join_next_with_id().await {
                self.note(end);
            }
        };
        if tokio::time::timeout(timeout, ended).await.is_err() {
            let jobs: Vec<i64> = self.of_runs.values().map(|(id, _)| *id).collect();
            tracing::warn!(?jobs, "executors did not leave their jobs in time");
            self.runs.abort_all();
        }
    }
}

async fn write_failure(database: &Database, id: i64, explanation: &str, now: Timestamp) -> Result<(), Error> {
    let mut tx = database.begin().await?;
    let end = Finish { status: Status::Error, explanation, traceback: "", now };
    finish(&mut tx, id, &end).await?;
    tx.commit().await
}
