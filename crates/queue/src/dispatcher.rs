//! The dispatcher: decides which jobs start, and gives those of its node to the executor.
//!
//! Each node has one. Any of them decides for all nodes, one at a time; a node starts the jobs that were given to it. A
//! decision is made when something has happened: a launch, an end, a cancellation, a notification of another node. A slow
//! poll finds the rest.

use std::sync::Arc;
use std::time::Duration;

use hostler_database::{Database, Error, Listener};
use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::capacity::{CapacityOptions, Machine};
use crate::claim::{Claim, Reader, claim, has_work, read_nodes};
use crate::examine::examine;
use crate::nodes::{Observations, end_jobs_of, end_jobs_of_unknown_nodes, leave, mark_silent, send_heartbeat};
use crate::running::Running;
use crate::store::CHANNEL;
use crate::{Executor, JobKind, JobQueue};

/// The current time.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The times and the capacity of a dispatcher.
#[derive(Clone, Copy, Debug)]
pub struct DispatcherOptions {
    /// How many jobs one transaction examines and starts.
    pub batch: usize,
    /// The time between two looks for what no event has announced.
    pub poll_interval: Duration,
    /// The time between two heartbeats.
    pub heartbeat: Duration,
    /// A node gets no jobs after it was silent for this time.
    pub silent_after: Duration,
    /// Its jobs end after it was silent for this time.
    pub gone_after: Duration,
    /// How long stopping waits for executors.
    pub stop_timeout: Duration,
    /// How the capacity of this node is computed.
    pub capacity: CapacityOptions,
}

impl Default for DispatcherOptions {
    fn default() -> Self {
        DispatcherOptions {
            batch: 100,
            poll_interval: Duration::from_secs(5),
            heartbeat: Duration::from_secs(20),
            silent_after: Duration::from_secs(60),
            gone_after: Duration::from_secs(300),
            stop_timeout: Duration::from_secs(10),
            capacity: CapacityOptions::default(),
        }
    }
}

/// What a dispatcher reports, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DispatcherEvent {
    /// A job was given to the executor.
    Started(JobKind),
    /// A job of an earlier process of this server was given to the executor.
    Adopted(JobKind),
    /// The executor has ended a job.
    Ended(JobKind),
    /// The executor could not run a job.
    Failed(JobKind),
}

pub(crate) type Report = Arc<dyn Fn(DispatcherEvent) + Send + Sync>;

/// Runs the jobs of a node.
pub struct Dispatcher {
    database: Database,
    queue: JobQueue,
    now: Now,
    node: Arc<str>,
    executor: Arc<dyn Executor>,
    options: DispatcherOptions,
    report: Report,
}

impl Dispatcher {
    /// The dispatcher of the node with this hostname, which must be the only one of it.
    pub fn new(
        database: Database,
        queue: JobQueue,
        now: Now,
        node: Arc<str>,
        executor: Arc<dyn Executor>,
        options: DispatcherOptions,
    ) -> Self {
        let report: Report = Arc::new(|_| {});
        Dispatcher { database, queue, now, node, executor, options, report }
    }

    /// Calls this function when a job starts and ends.
    #[must_use]
    pub fn with_report(self, report: impl Fn(DispatcherEvent) + Send + Sync + 'static) -> Self {
        Dispatcher { report: Arc::new(report), ..self }
    }

    /// Runs jobs until `stop` is cancelled, and then waits until the executors have left theirs.
    pub async fn run(self, stop: CancellationToken) {
        // Two servers with the same name would run each other's jobs.
        let listener = self.database.listen(CHANNEL, format!("node {}", self.node));
        self.wait_for_lock(&listener, &stop).await;
        self.clean_up(&stop).await;
        // Dropping it ends the task.
        let mut beside = JoinSet::new();
        beside.spawn(remove_unused(Arc::clone(&self.executor), self.options.heartbeat));
        let mut running = Running::new(Arc::clone(&self.executor), Arc::clone(&self.report), stop.clone());
        let mut observations = Observations::default();
        let mut next_heartbeat = Instant::now();
        // After a poll, jobs are looked for even if none can start: their explanations may be out of date.
        let mut polled = true;
        while !stop.is_cancelled() {
            if !listener.has_lock() {
                // The connection is lost. The executors go on.
                self.wait_for_lock(&listener, &stop).await;
                polled = true;
                continue;
            }
            if Instant::now() >= next_heartbeat {
                if let Err(error) = self.care_for_nodes(&mut observations).await {
                    tracing::warn!(%error, "could not send the heartbeat of this node");
                }
                next_heartbeat = Instant::now() + self.options.heartbeat;
            }
            // The database may be away: the next event or poll tries again.
            if let Err(error) = self.dispatch(&mut running, polled, &stop).await {
                tracing::warn!(%error, "could not look for jobs");
                sleep(Duration::from_millis(100)).await;
            }
            polled = false;
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.queue.woken() => {}
                () = listener.notified() => {}
                () = running.next() => {}
                () = sleep(self.options.poll_interval.min(self.options.heartbeat)) => polled = true,
            }
        }
        running.stop(self.options.stop_timeout).await;
        running.write_failures(&self.database, &self.queue, (self.now)()).await;
        if !listener.has_lock() {
            return;
        }
        if let Err(error) = leave(&self.database, &self.node, (self.now)()).await {
            tracing::warn!(%error, "could not write that this node stops");
        }
    }

    /// Waits until no other process runs the jobs of this node.
    async fn wait_for_lock(&self, listener: &Listener, stop: &CancellationToken) {
        let mut has_warned = false;
        while !listener.has_lock() && !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => {}
                () = listener.notified() => {}
                () = sleep(self.options.poll_interval) => {
                    if !has_warned {
                        let node = &*self.node;
                        tracing::warn!(node, "no jobs start here: another server with this name runs, or the database is away");
                    }
                    has_warned = true;
                }
            }
        }
    }

    /// Lets the executor remove what is left of an earlier process, before any job starts.
    async fn clean_up(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            let Err(error) = self.executor.clean_up().await else { return };
            tracing::warn!(%error, "could not remove what an earlier server has left; no job starts before");
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(self.options.poll_interval) => {}
            }
        }
    }

    /// Starts what can start, and passes cancellations to executors.
    async fn dispatch(&self, running: &mut Running, polled: bool, stop: &CancellationToken) -> Result<(), Error> {
        running.write_failures(&self.database, &self.queue, (self.now)()).await;
        running.refresh(&self.database, &self.node).await?;
        let mut decides = polled || has_work(&self.database).await?;
        while decides && !stop.is_cancelled() {
            for claim in self.decide().await?.into_iter().filter(|claim| *claim.node == *self.node) {
                running.start(&claim);
            }
            decides = has_work(&self.database).await?;
        }
        Ok(())
    }

    /// Examines jobs and gives startable ones to nodes, in one transaction.
    async fn decide(&self) -> Result<Vec<Claim>, Error> {
        let mut tx = self.database.begin().await?;
        tx.lock("start jobs").await?;
        let mut nodes = read_nodes(&mut Reader::Transaction(&mut tx)).await?;
        examine(&mut tx, &nodes, self.options.batch, (self.now)()).await?;
        let claims = claim(&mut tx, &self.node, &mut nodes, self.options.batch).await?;
        tx.commit().await?;
        Ok(claims)
    }

    /// Sends the heartbeat, and ends the jobs of nodes that are gone.
    async fn care_for_nodes(&self, observations: &mut Observations) -> Result<(), Error> {
        let machine = Machine::detect();
        send_heartbeat(&self.database, &self.node, machine, &self.options.capacity, (self.now)()).await?;
        let mut ended = end_jobs_of_unknown_nodes(&self.database, (self.now)()).await?;
        for silent in observations.observe(&self.database, &self.node, self.options.silent_after).await? {
            mark_silent(&self.database, &silent).await?;
            if silent.silence >= self.options.gone_after {
                ended += end_jobs_of(&self.database, &silent, (self.now)()).await?;
            }
        }
        if ended > 0 {
            self.queue.wake();
        }
        Ok(())
    }
}

/// Lets the executor remove files that nobody needs, again and again.
async fn remove_unused(executor: Arc<dyn Executor>, pause: Duration) {
    loop {
        if let Err(error) = executor.remove_unused().await {
            tracing::warn!(%error, "could not remove files that nobody needs");
        }
        sleep(pause).await;
    }
}
