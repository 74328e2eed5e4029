//! Runs the tasks that are due.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hostler_database::{Database, Error};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::store::{self, Lease, LeasedTask};
use crate::{Outcome, Task, TaskError, TaskQueue, TaskRun};

/// The delay after the first failure; each further one doubles it.
const FIRST_RETRY: SignedDuration = SignedDuration::from_secs(10);
/// The longest delay after a failure.
const LONGEST_RETRY: SignedDuration = SignedDuration::from_hours(1);
/// A lease is extended when this part of it is over.
const EXTENSIONS_PER_LEASE: u32 = 4;

/// The current time.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The times of a worker.
#[derive(Clone, Copy, Debug)]
pub struct WorkerOptions {
    /// How many tasks run at once.
    pub concurrency: usize,
    /// How long a task of a dead node waits for another one.
    pub lease: Duration,
    /// The time between two looks for tasks that other nodes added, or that are due again.
    pub poll_interval: Duration,
    /// How long stopping waits for tasks to end.
    pub stop_timeout: Duration,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        WorkerOptions {
            concurrency: 4,
            lease: Duration::from_secs(20),
            poll_interval: Duration::from_secs(5),
            stop_timeout: Duration::from_secs(10),
        }
    }
}

/// How a run ended, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunResult {
    /// The task is complete.
    Complete,
    /// The task was cancelled and continues later.
    Interrupted,
    /// The task failed and is retried later.
    Failed,
}

type Runner = Arc<dyn Fn(Json, TaskRun) -> BoxFuture<'static, Result<Outcome, TaskError>> + Send + Sync>;
type Report = Arc<dyn Fn(&'static str, RunResult) + Send + Sync>;

/// The tasks of one name.
#[derive(Clone)]
struct Handler {
    name: &'static str,
    run: Runner,
    /// For periodic tasks: the time from the end of a run to the next one.
    interval: Option<SignedDuration>,
}

/// Runs the tasks that it has handlers for.
pub struct Worker {
    database: Database,
    queue: TaskQueue,
    now: Now,
    options: WorkerOptions,
    handlers: BTreeMap<&'static str, Handler>,
    /// Periodic tasks, with their arguments.
    periodic: Vec<(&'static str, Json)>,
    report: Report,
}

impl Worker {
    /// A worker without handlers.
    pub fn new(database: Database, queue: TaskQueue, now: Now, options: WorkerOptions) -> Self {
        let report: Report = Arc::new(|_, _| {});
        Worker { database, queue, now, options, handlers: BTreeMap::new(), periodic: vec![], report }
    }

    /// Calls this function after each run, with the name of the task.
    #[must_use]
    pub fn with_report(self, report: impl Fn(&'static str, RunResult) + Send + Sync + 'static) -> Self {
        Worker { report: Arc::new(report), ..self }
    }

    /// Runs the tasks of this type.
    #[must_use]
    pub fn with_task<T: Task>(mut self, state: T::State) -> Self {
        self.insert_handler::<T>(state, None);
        self
    }

    /// Runs this task at the start of the worker, and again and again with this interval.
    #[must_use]
    pub fn with_periodic_task<T: Task>(mut self, task: &T, interval: SignedDuration, state: T::State) -> Self {
        self.insert_handler::<T>(state, Some(interval));
        self.periodic.push((T::NAME, serde_json::to_value(task).unwrap_or_default()));
        self
    }

    fn insert_handler<T: Task>(&mut self, state: T::State, interval: Option<SignedDuration>) {
        let run: Runner = Arc::new(move |arguments, run| {
            let state = state.clone();
            async move {
                let task: T = serde_json::from_value(arguments)
                    .map_err(|error| TaskError(format!("the arguments cannot be read: {error}")))?;
                task.run(&state, &run).await
            }
            .boxed()
        });
        self.handlers.insert(T::NAME, Handler { name: T::NAME, run, interval });
    }

    /// Runs tasks until `stop` is cancelled, and then waits for the running ones.
    pub async fn run(self, stop: CancellationToken) {
        let Worker { database, queue, now, options, handlers, periodic, report } = self;
        let lease = Lease {
            owner: uuid::Uuid::new_v4().to_string(),
            duration: SignedDuration::try_from(options.lease).unwrap_or(SignedDuration::MAX),
            longest_delay: handlers.values().filter_map(|handler| handler.interval).fold(LONGEST_RETRY, Ord::max),
        };
        let runner = Arc::new(TaskRunner { database, now, options, lease, stop, report });
        let mut unscheduled = periodic;
        let names: Vec<&'static str> = handlers.keys().copied().collect();
        let mut running = Running::default();
        while !runner.stop.is_cancelled() {
            let found = async {
                runner.schedule(&mut unscheduled).await?;
                runner.claim(&names, &running).await
            };
            match found.await {
                Ok(tasks) => {
                    for task in tasks {
                        if let Some(handler) = handlers.get(task.name.as_str()) {
                            running.spawn(Arc::clone(&runner), handler.clone(), task);
                        }
                    }
                }
                // The database is away: the next look tries again.
                Err(error) => tracing::warn!(%error, "could not look for tasks"),
            }
            tokio::select! {
                () = runner.stop.cancelled() => {}
                () = queue.woken() => {}
                () = sleep(options.poll_interval) => {}
                () = running.next(), if !running.ids.is_empty() => {}
            }
        }
        running.stop(options.stop_timeout).await;
        if let Err(error) = store::release_all(&runner.database, &runner.lease).await {
            tracing::warn!(%error, "could not give up the leases of tasks: other nodes wait until they expire");
        }
    }
}

/// The tasks that run in this process.
#[derive(Default)]
struct Running {
    runs: JoinSet<()>,
    /// The ids of the tasks, by those of their runs.
    ids: HashMap<Id, i64>,
}

impl Running {
    fn spawn(&mut self, runner: Arc<TaskRunner>, handler: Handler, task: LeasedTask) {
        let id = task.id;
        let run = self.runs.spawn(async move { runner.run(&handler, task).await });
        self.ids.insert(run.id(), id);
    }

    /// Waits for the end of a task.
    async fn next(&mut self) {
        let run = match self.runs.join_next_with_id().await {
            None => return,
            Some(Ok((run, ()))) => run,
            Some(Err(error)) => {
                tracing::error!(%error, "the run of a task ended early: it runs again later");
                error.id()
            }
        };
        self.ids.remove(&run);
    }

    /// Waits for all tasks, which were cancelled; after the timeout, drops them.
    async fn stop(mut self, timeout: Duration) {
        let ended = async { while self.runs.join_next().await.is_some() {} };
        if tokio::time::timeout(timeout, ended).await.is_err() {
            tracing::warn!(tasks = self.runs.len(), "tasks did not end in time: they run again later");
        }
    }
}

/// Runs single tasks.
struct TaskRunner {
    database: Database,
    now: Now,
    options: WorkerOptions,
    lease: Lease,
    stop: CancellationToken,
    report: Report,
}

impl TaskRunner {
    /// Makes the periodic tasks due, once.
    async fn schedule(&self, unscheduled: &mut Vec<(&'static str, Json)>) -> Result<(), Error> {
        while let Some((name, arguments)) = unscheduled.last() {
            store::schedule(&self.database, name, &arguments.to_string(), (self.now)()).await?;
            unscheduled.pop();
        }
        Ok(())
    }

    async fn claim(&self, names: &[&'static str], running: &Running) -> Result<Vec<LeasedTask>, Error> {
        let free = self.options.concurrency.saturating_sub(running.ids.len());
        if free == 0 {
            return Ok(vec![]);
        }
        let running: Vec<i64> = running.ids.values().copied().collect();
        store::claim(&self.database, &self.lease, names, &running, free as u64, (self.now)()).await
    }

    /// Runs a task and stores how it ended.
    async fn run(&self, handler: &Handler, task: LeasedTask) {
        let LeasedTask { id, name, arguments, failures, leased } = task;
        tracing::debug!(task = name, id, failures, "task started");
        let cancellation = self.stop.child_token();
        let run = (handler.run)(arguments, TaskRun { failures, cancellation });
        let result = {
            // On the heap, so that it can be dropped as soon as the lease is lost.
            let mut run = pin!(AssertUnwindSafe(run).catch_unwind());
            tokio::select! {
                result = &mut run => Some(result.unwrap_or_else(|panic| Err(TaskError(panic_message(&*panic))))),
                () = self.extend_lease(id, leased) => None,
            }
        };
        let Some(result) = result else {
            tracing::warn!(task = name, id, "the lease of this task was lost: it was stopped here");
            return;
        };
        let (result, stored) = match result {
            Ok(Outcome::Complete) => (RunResult::Complete, self.complete(handler, id).await),
            Ok(Outcome::Interrupted) => {
                (RunResult::Interrupted, self.reschedule(id, SignedDuration::ZERO, failures).await)
            }
            Err(error) => {
                let delay = retry_delay(failures);
                tracing::error!(task = name, id, failures = failures + 1, retry_after = %delay, %error, "task failed");
                (RunResult::Failed, self.reschedule(id, delay, failures.saturating_add(1)).await)
            }
        };
        (self.report)(handler.name, result);
        if let Err(error) = stored {
            tracing::warn!(task = name, id, %error, "could not store the end of a task: it runs again later");
        }
    }

    async fn complete(&self, handler: &Handler, id: i64) -> Result<(), Error> {
        match handler.interval {
            Some(interval) => self.reschedule(id, interval, 0).await,
            None => store::delete(&self.database, &self.lease, id).await,
        }
    }

    async fn reschedule(&self, id: i64, delay: SignedDuration, failures: u32) -> Result<(), Error> {
        let now = (self.now)();
        let next_run = now.checked_add(delay).unwrap_or(now);
        store::reschedule(&self.database, &self.lease, id, next_run, failures).await
    }

    /// Extends the lease of a task, which began then, again and again. Completes when the lease is lost or over.
    async fn extend_lease(&self, id: i64, mut leased: Instant) {
        loop {
            let extension = async {
                sleep(self.options.lease / EXTENSIONS_PER_LEASE).await;
                let begun = Instant::now();
                (begun, store::extend(&self.database, &self.lease, id, (self.now)()).await)
            };
            match timeout_at(leased + self.options.lease, extension).await {
                Ok((begun, Ok(true))) => leased = begun,
                Ok((_, Err(error))) => tracing::warn!(id, %error, "could not extend the lease of a task"),
                Ok((_, Ok(false))) | Err(_) => return,
            }
        }
    }
}

/// The delay before the next run, after this number of failures before the present one.
fn retry_delay(failures: u32) -> SignedDuration {
    let factor = 2_i32.checked_pow(failures).unwrap_or(i32::MAX);
    FIRST_RETRY.checked_mul(factor).unwrap_or(LONGEST_RETRY).min(LONGEST_RETRY)
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let message = panic.downcast_ref::<&str>().copied();
    let message = message.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panic: {}", message.unwrap_or("no message"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_delay_doubles_up_to_an_hour() {
        let seconds: Vec<i64> = [0, 1, 2, 8, 9, 40, u32::MAX].map(|failures| retry_delay(failures).as_secs()).into();
        assert_eq!(seconds, [10, 20, 40, 2560, 3600, 3600, 3600]);
    }
}
