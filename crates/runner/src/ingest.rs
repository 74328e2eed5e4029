//! Stores the events of a job while its supervisor writes them.

use std::process::Child;

use hostler_database::{Error as DatabaseError, Transaction};
use hostler_events::{EventError, EventWriter};
use hostler_queue::{Ended, ExecutorError, JobKind, JobSignals, Pauses, Status, set_running};
use hostler_supervisor::{SupervisorRecord, boot_id, is_supervised, request_cancel};
use sea_query::{Alias, Expr, ExprTrait, Query};
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::ending::End;
use crate::facts;
use crate::inventory_update::{FoundInventory, OutputTail};
use crate::job_directory::{JobDirectory, blocking};
use crate::job_row::JobRow;
use crate::preparation::JobRecord;
use crate::runner::{DIRECTORY_GONE, Runner};
use crate::spool_thread::{Batch, SpoolEnd, read_spool, supervisor_log};

/// Why events were not stored.
pub(crate) enum NotStored {
    /// The server stops; the next one stores them.
    Detached,
    /// There is no use in another attempt.
    Failed(EventError),
}

impl Runner {
    /// Stores the events of a job until it ends, and its end. `child` is its supervisor, if this process has started it.
    pub(crate) async fn ingest(
        &self,
        job: &JobRow,
        directory: JobDirectory,
        child: Option<Child>,
        signals: &JobSignals,
    ) -> Result<Ended, ExecutorError> {
        let mut ingest = Ingest {
            runner: self,
            job,
            directory: &directory,
            writer: None,
            is_skipping: false,
            kill_at: None,
            is_cancel_requested: false,
            tail: OutputTail::default(),
        };
        let outcome = ingest.run(child, signals).await;
        let end = match outcome {
            Ok(Some(end)) => end,
            Ok(None) | Err(NotStored::Detached) => return Ok(Ended::Detached),
            Err(NotStored::Failed(problem)) => {
                // The job must not run on unseen.
                tracing::error!(job = job.id, %problem, "the events of the job cannot be stored");
                self.kill_processes(&directory).await;
                if let EventError::NoJob(_) = problem {
                    self.remove(&directory).await;
                    return Err(ExecutorError("The job was deleted while it ran.".into()));
                }
                let end = End::error(format!("The events of the job could not be stored: {problem}."));
                return self.end_without_supervisor(job, &directory, end, signals).await;
            }
        };
        self.jobs.wake();
        self.log_end(job.id, &end);
        self.remove(&directory).await;
        Ok(Ended::Finished)
    }

    /// Writes that the job runs, and with what.
    async fn store_running(&self, tx: &mut Transaction, job: &JobRow) -> Result<(), DatabaseError> {
        set_running(tx, job.id, (self.clock)()).await?;
        let Some(JobRecord { arguments, working_directory, environment, revision }) = &job.record else {
            return Ok(());
        };
        let mut update = Query::update();
        if let (JobKind::InventoryUpdate, Some(project)) = (job.kind, &job.project) {
            // The one that has fetched what is read.
            let column = |name| Expr::col((Alias::new("fetched"), Alias::new(name)));
            let fetched = Query::select()
                .expr(column("id").max())
                .from_as(Alias::new("unified_jobs"), Alias::new("fetched"))
                .and_where(column("updated_project_id").eq(project.id))
                .and_where(column("status").eq(Status::Successful.as_str()))
                .to_owned();
            update.value(Alias::new("project_update_id"), Expr::SubQuery(None, Box::new(fetched.into())));
        }
        update
            .table(Alias::new("unified_jobs"))
            .value(Alias::new("job_args"), arguments)
            .value(Alias::new("job_cwd"), working_directory)
            .value(Alias::new("job_env"), environment)
            .value(Alias::new("scm_revision"), revision)
            .and_where(Expr::col(Alias::new("id")).eq(job.id));
        tx.execute_deferred(&update).await
    }
}

/// The ingest of one job.
struct Ingest<'r> {
    runner: &'r Runner,
    job: &'r JobRow,
    directory: &'r JobDirectory,
    /// None before the first events, and after a failed attempt.
    writer: Option<EventWriter>,
    /// Events are missing in the spool: those after them cannot be stored.
    is_skipping: bool,
    is_cancel_requested: bool,
    /// When the supervisor of a canceled job is killed, if it has not ended the job before.
    kill_at: Option<Instant>,
    /// The end of the output of an inventory update, which may say why it failed.
    tail: OutputTail,
}

impl Ingest<'_> {
    /// Stores everything. None if the server stops before the end of the job.
    async fn run(&mut self, child: Option<Child>, signals: &JobSignals) -> Result<Option<End>, NotStored> {
        let shutdown = &signals.shutdown;
        if self.job.status != Status::Running {
            self.retry(shutdown, Step::Running).await?;
        }
        let position = self.position(shutdown).await?;
        let spool = read_spool(self.directory.path().to_owned(), position, child);
        let mut batches = spool.map_err(|problem| {
            NotStored::Failed(DatabaseError::Internal(format!("no thread could be started: {problem}")).into())
        })?;
        while let Some(batch) = self.next(&mut batches, signals).await {
            let is_update = self.job.kind == JobKind::InventoryUpdate;
            if is_update {
                self.tail.add(&batch.events);
            }
            let (mut end, mut found) = (None, None);
            if let Some(last) = &batch.end {
                let mut of_job = self.end(last, signals.cancel.is_cancelled()).await;
                let runner = self.runner;
                if is_update {
                    let tail = &self.tail;
                    (of_job, found) =
                        runner.conclude_inventory_update(self.job, self.directory, of_job, tail, shutdown).await?;
                }
                // Before the end: a client that waits for it finds the facts. Doing it twice does no harm.
                if self.job.keeps_facts
                    && !facts::keep(&runner.database, self.directory, (runner.clock)(), shutdown).await
                {
                    return Err(NotStored::Detached);
                }
                end = Some(of_job);
            }
            self.retry(shutdown, Step::Batch(&batch, end.as_ref(), found.as_ref())).await?;
            if end.is_some() {
                return Ok(end);
            }
        }
        Ok(None)
    }

    /// The next batch; none if the server stops. Passes a request to cancel the job on to the supervisor, and kills a
    /// supervisor that does not end the job.
    async fn next(&mut self, batches: &mut Receiver<Batch>, signals: &JobSignals) -> Option<Batch> {
        loop {
            let kill_at = self.kill_at;
            tokio::select! {
                batch = batches.recv() => return batch,
                () = signals.shutdown.cancelled() => return None,
                () = signals.cancel.cancelled(), if !self.is_cancel_requested => {
                    self.is_cancel_requested = true;
                    self.kill_at = Some(Instant::now() + self.runner.options.cancel_limit);
                    let path = self.directory.path().to_owned();
                    let requested = blocking(move || request_cancel(&path).map_err(|problem| problem.to_string())).await;
                    if let Err(problem) = requested {
                        tracing::error!(job = self.job.id, problem, "the job cannot be canceled: its processes are killed");
                        self.runner.kill_processes(self.directory).await;
                        return batches.recv().await;
                    }
                    tracing::info!(job = self.job.id, "the job is being canceled");
                }
                () = async { sleep_until(kill_at.unwrap_or_else(Instant::now)).await }, if kill_at.is_some() => {
                    self.kill_supervisor().await;
                }
            }
        }
    }

    /// Kills the supervisor of a canceled job, and all processes of the job. What it has written is still read.
    async fn kill_supervisor(&mut self) {
        let path = self.directory.path().to_owned();
        let is_running = blocking(move || is_supervised(&path).map_err(|problem| problem.to_string())).await;
        if is_running == Ok(false) {
            // It has ended, and its last events are not stored yet.
            self.kill_at = None;
            return;
        }
        tracing::warn!(
            job = self.job.id,
            "the supervisor has not ended the canceled job: all processes of the job are killed"
        );
        self.runner.kill_processes(self.directory).await;
        // If one is left, it is tried again.
        self.kill_at = Some(Instant::now() + self.runner.options.cancel_limit);
    }

    async fn position(&mut self, shutdown: &CancellationToken) -> Result<u64, NotStored> {
        self.retry(shutdown, Step::Open).await?;
        Ok(self.writer.as_ref().map_or(0, EventWriter::spool_position))
    }

    /// The end of the job. Afterwards none of its processes is left.
    async fn end(&self, end: &SpoolEnd, is_canceled: bool) -> End {
        match end {
            SpoolEnd::Final(record) => {
                for pid in &record.survivors {
                    tracing::error!(job = self.job.id, pid, "a process of the job does not end");
                }
                End::of(record)
            }
            SpoolEnd::Lost => {
                self.runner.kill_processes(self.directory).await;
                if is_canceled { End::canceled() } else { End::error(self.reason_of_loss(None).await) }
            }
            SpoolEnd::Unreadable(problem) => {
                self.runner.kill_processes(self.directory).await;
                End::error(self.reason_of_loss(Some(problem)).await)
            }
        }
    }

    /// Why there is no final record; `unreadable` says why it cannot be read.
    async fn reason_of_loss(&self, unreadable: Option<&str>) -> String {
        let directory = self.directory.clone();
        let unreadable = unreadable.map(str::to_owned);
        let reason = blocking(move || {
            let path = directory.path();
            let record = SupervisorRecord::read(path).ok().flatten();
            let boot = boot_id().map_err(|problem| problem.to_string())?;
            let log = supervisor_log(path);
            Ok(match (record, unreadable) {
                (Some(record), _) if record.boot_id != boot => {
                    "The machine was restarted while the job ran.".to_owned()
                }
                (_, Some(problem)) => format!("The events of the job cannot be read: {problem}."),
                _ if !directory.is_started() => DIRECTORY_GONE.to_owned(),
                _ if log.is_empty() => {
                    "The supervisor of the job was killed. All processes of the job were ended.".to_owned()
                }
                _ => format!("The supervisor of the job has ended: {log}"),
            })
        });
        reason.await.unwrap_or_else(|problem| problem)
    }

    /// Does a step, again and again while the database does not answer.
    async fn retry(&mut self, shutdown: &CancellationToken, step: Step<'_>) -> Result<(), NotStored> {
        let mut pauses = Pauses::default();
        loop {
            let problem = match self.step(&step).await {
                Ok(()) => return Ok(()),
                Err(EventError::Gap { .. }) if !self.is_skipping => {
                    tracing::error!(job = self.job.id, "events are missing in the spool of the job");
                    self.is_skipping = true;
                    self.writer = None;
                    continue;
                }
                Err(EventError::Database(problem)) if problem.is_temporary() => problem,
                Err(problem) => return Err(NotStored::Failed(problem)),
            };
            self.writer = None;
            if !pauses.wait(self.job.id, &problem, shutdown).await {
                return Err(NotStored::Detached);
            }
        }
    }

    async fn step(&mut self, step: &Step<'_>) -> Result<(), EventError> {
        let database = &self.runner.database;
        if let Step::Running = step {
            let mut tx = database.begin().await?;
            self.runner.store_running(&mut tx, self.job).await?;
            tx.commit().await?;
            self.runner.jobs.stored();
            return Ok(());
        }
        if self.writer.is_none() {
            let mut writer = EventWriter::open(database, self.job.id).await?;
            let directory = self.directory.clone();
            match blocking(move || directory.hosts()).await {
                Ok(hosts) => hosts.into_iter().for_each(|hosts| writer.use_hosts(hosts)),
                // The events are stored without links to hosts.
                Err(problem) => tracing::error!(job = self.job.id, problem, "the hosts of the job cannot be read"),
            }
            self.writer = Some(writer);
        }
        let (Some(writer), Step::Batch(batch, end, found)) = (&mut self.writer, step) else { return Ok(()) };
        let mut tx = database.begin().await?;
        let events: &[Vec<u8>] = if self.is_skipping { &[] } else { &batch.events };
        writer.append(&mut tx, events, batch.position).await?;
        if let Some(found) = found {
            self.runner.import(&mut tx, writer, found).await?;
        }
        if let Some(end) = end {
            if !matches!(batch.end, Some(SpoolEnd::Final(_))) {
                self.runner.append_reason(&mut tx, writer, end).await?;
            }
            if !end.write(&mut tx, self.job.id, (self.runner.clock)()).await? {
                // It was committed by an attempt whose answer was lost.
                return Ok(());
            }
        }
        tx.commit().await?;
        self.runner.jobs.stored();
        Ok(())
    }
}

/// What is done in one transaction.
enum Step<'b> {
    /// The job runs.
    Running,
    /// Finds out what is stored already.
    Open,
    /// Stores a batch, and with the last one the end of the job, and what an inventory update has found.
    Batch(&'b Batch, Option<&'b End>, Option<&'b FoundInventory>),
}
