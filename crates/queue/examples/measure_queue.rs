//! Measures the dispatcher: `measure_queue sqlite:FILE|postgres://URL PENDING...`.
//!
//! Prints lines of fields with tabs between: how long a launched job waits for its start while so many others wait, in
//! milliseconds, and how many jobs of an executor that does nothing start in a second. The database must be new.
#![allow(clippy::disallowed_methods, reason = "a measurement needs the time")]

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use hostler_database::{Database, Location};
use hostler_queue::{
    CapacityOptions, ClaimedJob, Dispatcher, DispatcherOptions, Ended, Executor, ExecutorError, Finish, JobQueue,
    JobSignals, Status, finish,
};
use jiff::Timestamp;
use sea_query::{Alias, Expr, ExprTrait, Query, Value};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The launches whose waiting time is measured.
const LAUNCHES: usize = 100;
/// The jobs that start while starts are counted.
const STARTS: usize = 10_000;
/// The templates of the jobs that wait.
const TEMPLATES: i64 = 50;

/// Ends each job at once.
struct Nothing {
    database: Database,
    queue: JobQueue,
    started: mpsc::UnboundedSender<i64>,
}

#[async_trait]
impl Executor for Nothing {
    async fn run(&self, job: ClaimedJob, _: JobSignals) -> std::result::Result<Ended, ExecutorError> {
        // The receiver is gone at the end of the measurement.
        let _ = self.started.send(job.id);
        let end = Finish { status: Status::Successful, explanation: "", traceback: "", now: Timestamp::now() };
        let mut tx = self.database.begin().await?;
        finish(&mut tx, job.id, &end).await?;
        tx.commit().await?;
        self.queue.wake();
        Ok(Ended::Finished)
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let location = arguments.next().ok_or("the location of a new database")?;
    let location = match location.strip_prefix("sqlite:") {
        Some(file) => Location::Sqlite(file.into()),
        None => Location::Postgres(location),
    };
    let database = Database::open(&location).await?;
    let group = node(&database).await?;
    let queue = JobQueue::default();
    let (started, mut starts) = mpsc::unbounded_channel();
    let executor = Nothing { database: database.clone(), queue: queue.clone(), started };
    let capacity =
        CapacityOptions { cpu_capacity: Some(400), memory_capacity: Some(400), ..CapacityOptions::default() };
    let options =
        DispatcherOptions { capacity, poll_interval: Duration::from_secs(3600), ..DispatcherOptions::default() };
    let dispatcher = Dispatcher::new(
        database.clone(),
        queue.clone(),
        Arc::new(Timestamp::now),
        "n1".into(),
        Arc::new(executor),
        options,
    );
    let stop = CancellationToken::new();
    let run = tokio::spawn(dispatcher.run(stop.clone()));
    let mut waiting = 0;
    for pending in arguments {
        let pending: usize = pending.parse()?;
        fill(&database, group, pending.saturating_sub(waiting)).await?;
        waiting = pending.max(waiting);
        queue.wake();
        examined(&database).await?;
        let mut times = vec![];
        for _ in 0..LAUNCHES {
            let job = launch(&database, 1, None, "pending").await?;
            let begun = Instant::now();
            queue.wake();
            while starts.recv().await.ok_or("the dispatcher has ended")? != job {}
            times.push(begun.elapsed());
        }
        times.sort_unstable();
        let [median, slow] = [50, 95].map(|part| times.get(times.len() * part / 100).copied().unwrap_or_default());
        println!("pending\t{pending}\t{:.2}\t{:.2}", milliseconds(median), milliseconds(slow));
    }
    launch(&database, STARTS, None, "new").await?;
    let update = Query::update()
        .table(Alias::new("unified_jobs"))
        .value(Alias::new("status"), "pending")
        .and_where(Expr::col("status").eq("new"))
        .to_owned();
    let mut tx = database.begin().await?;
    tx.execute(&update).await?;
    tx.commit().await?;
    let begun = Instant::now();
    queue.wake();
    for _ in 0..STARTS {
        starts.recv().await.ok_or("the dispatcher has ended")?;
    }
    println!("starts\t{:.0}", STARTS as f64 / begun.elapsed().as_secs_f64());
    stop.cancel();
    run.await?;
    database.close().await;
    Ok(())
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// A node in the default group, and an empty group, whose id is returned.
async fn node(database: &Database) -> Result<i64> {
    let now: Expr = Timestamp::now().into();
    let mut tx = database.begin().await?;
    let mut ids = vec![];
    for name in ["default", "controlplane", "empty"] {
        let group = Query::insert()
            .into_table("instance_groups")
            .columns(["name", "created", "modified"])
            .values_panic([name.into(), now.clone(), now.clone()])
            .to_owned();
        ids.push(tx.insert(&group).await?);
    }
    let node = Query::insert()
        .into_table("instances")
        .columns(["hostname", "uuid", "node_type", "node_state", "managed", "created", "modified"])
        .values_panic(["n1".into(), "n1".into(), "hybrid".into(), "ready".into(), true.into(), now.clone(), now])
        .to_owned();
    let node = tx.insert(&node).await?;
    let [default, _, empty] = ids.try_into().map_err(|_| "three groups")?;
    let member: [Value; 2] = [default.into(), node.into()];
    tx.insert_rows("instance_group_instances", ["instance_group_id", "instance_id"], [member]).await?;
    let template = |number: i64| -> [Value; 4] {
        ["job_template".into(), format!("t{number}").into(), Timestamp::now().into(), Timestamp::now().into()]
    };
    let columns = ["type", "name", "created", "modified"];
    tx.insert_rows("unified_job_templates", columns, (0..TEMPLATES).map(template)).await?;
    tx.commit().await?;
    Ok(empty)
}

/// Adds jobs that cannot start: half of them wait for other jobs of their template, the others for a group without nodes.
async fn fill(database: &Database, group: i64, jobs: usize) -> Result<()> {
    let last = launch(database, jobs, Some(TEMPLATES), "new").await?;
    let first = last + 1 - i64::try_from(jobs)?;
    let mut tx = database.begin().await?;
    let chosen = (first..=last).map(|job| -> [Value; 2] { [job.into(), group.into()] });
    tx.insert_rows("unified_job_instance_groups", ["unified_job_id", "instance_group_id"], chosen).await?;
    tx.commit().await?;
    // In parts: a statement may take ten seconds.
    for part in (first..=last).step_by(10_000) {
        let update = Query::update()
            .table(Alias::new("unified_jobs"))
            .value(Alias::new("status"), "pending")
            .and_where(Expr::col("id").between(part, part + 9_999))
            .to_owned();
        let mut tx = database.begin().await?;
        tx.execute(&update).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Inserts jobs and returns the id of the last one.
async fn launch(database: &Database, jobs: usize, templates: Option<i64>, status: &'static str) -> Result<i64> {
    let now = Timestamp::now();
    let job = |number: usize| -> [Value; 7] {
        let number = i64::try_from(number).unwrap_or_default();
        let template = templates.map(|templates| 1 + number % templates);
        let name = format!("j{number}").into();
        let simultaneous = (number % 2 == 0).into();
        ["job".into(), name, status.into(), now.into(), now.into(), template.into(), simultaneous]
    };
    let columns = ["type", "name", "status", "created", "modified", "unified_job_template_id", "allow_simultaneous"];
    let mut tx = database.begin().await?;
    tx.insert_rows("unified_jobs", columns, (0..jobs).map(job)).await?;
    tx.commit().await?;
    let last = Query::select().expr(Expr::col("id").max()).from("unified_jobs").to_owned();
    Ok(database.read_first(&last).await?.ok_or("no job")?)
}

/// Waits until all pending jobs have been examined.
async fn examined(database: &Database) -> Result<()> {
    let query = Query::select()
        .column("id")
        .from("unified_jobs")
        .and_where(Expr::cust("status = 'pending' AND queue_class IS NULL AND blocked_by_id IS NULL"))
        .limit(1)
        .to_owned();
    while database.read_first::<i64>(&query).await?.is_some() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
