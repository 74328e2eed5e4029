//! A database with a node, an executor that does what the test says, and short ways to launch jobs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use hostler_database::{Database, Location};
use hostler_queue::{
    CapacityOptions, ClaimedJob, Dispatcher, DispatcherOptions, Ended, Executor, ExecutorError, Finish, JobQueue,
    JobSignals, Status, finish, request_cancel, set_running,
};
use hostler_testkit::Backend;
use hostler_testkit::database::EmptyDatabase;
use jiff::{SignedDuration, Timestamp};
use sea_query::{Alias, Expr, ExprTrait, Order, Query};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How a job ends.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// With this status.
    End(Status),
    /// The executor reports an error.
    Fail,
    /// The executor panics.
    Panic,
    /// The executor says that it is done, without having written a status.
    Forget,
}

/// What was given to an executor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    pub job: i64,
    pub node: &'static str,
    pub adopted: bool,
}

/// What the executors of all nodes do, and what was given to them.
#[derive(Clone)]
pub struct Script {
    acts: watch::Sender<HashMap<i64, Act>>,
    pub started: Arc<Mutex<Vec<Started>>>,
    /// How many jobs were started before each clean-up.
    pub clean_ups: Arc<Mutex<Vec<usize>>>,
    /// How often unused files were removed.
    pub removals: Arc<Mutex<usize>>,
    /// What jobs do that the test says nothing about.
    pub otherwise: Arc<Mutex<Option<Act>>>,
}

struct ScriptedExecutor {
    node: &'static str,
    database: Database,
    queue: JobQueue,
    clock: Arc<Mutex<Timestamp>>,
    script: Script,
}

#[async_trait]
impl Executor for ScriptedExecutor {
    async fn run(&self, job: ClaimedJob, signals: JobSignals) -> Result<Ended, ExecutorError> {
        let started = Started { job: job.id, node: self.node, adopted: job.adopted };
        self.script.started.lock().unwrap().push(started);
        let mut acts = self.script.acts.subscribe();
        let now = *self.clock.lock().unwrap();
        let mut tx = self.database.begin().await?;
        set_running(&mut tx, job.id, now).await?;
        tx.commit().await?;
        let otherwise = *self.script.otherwise.lock().unwrap();
        let act = match otherwise {
            Some(act) => act,
            None => tokio::select! {
                acts = acts.wait_for(|acts| acts.contains_key(&job.id)) => acts.unwrap()[&job.id],
                () = signals.cancel.cancelled() => Act::End(Status::Canceled),
                () = signals.shutdown.cancelled() => return Ok(Ended::Detached),
            },
        };
        match act {
            Act::End(status) => {
                let mut tx = self.database.begin().await?;
                let now = *self.clock.lock().unwrap();
                finish(&mut tx, job.id, &Finish { status, explanation: "", traceback: "", now }).await?;
                tx.commit().await?;
                self.queue.wake();
                Ok(Ended::Finished)
            }
            Act::Fail => Err(ExecutorError("There is no playbook.".into())),
            Act::Panic => panic!("an executor that panics"),
            Act::Forget => Ok(Ended::Finished),
        }
    }

    async fn clean_up(&self) -> Result<(), ExecutorError> {
        let mut clean_ups = self.script.clean_ups.lock().unwrap();
        clean_ups.push(self.script.started.lock().unwrap().len());
        if clean_ups.len() == 1 { Err(ExecutorError("The first attempt fails.".into())) } else { Ok(()) }
    }

    async fn remove_unused(&self) -> Result<(), ExecutorError> {
        *self.script.removals.lock().unwrap() += 1;
        Ok(())
    }
}

/// A dispatcher that runs.
pub struct RunningDispatcher {
    stop: CancellationToken,
    run: JoinHandle<()>,
    pub queue: JobQueue,
}

impl RunningDispatcher {
    pub async fn stop(self) {
        self.stop.cancel();
        self.run.await.unwrap();
    }

    /// Ends as if the process had died.
    pub async fn kill(self) {
        self.run.abort();
        assert!(self.run.await.unwrap_err().is_cancelled());
    }
}

/// A database, a clock and a script that several nodes share.
pub struct Fixture {
    pub database: Database,
    pub clock: Arc<Mutex<Timestamp>>,
    pub script: Script,
    pub group: i64,
}

/// A launched job.
#[derive(Clone, Copy, Default)]
pub struct Launch {
    pub template: Option<i64>,
    pub project: Option<i64>,
    pub inventory: Option<i64>,
    pub forks: i64,
    pub simultaneous: bool,
}

pub fn on(backend: Backend, test: impl AsyncFnOnce(Fixture)) {
    let empty = EmptyDatabase::create(backend);
    let location = empty.location().map_or_else(Location::Sqlite, Location::Postgres);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let database = Database::open(&location).await.unwrap();
        let script = Script {
            acts: watch::channel(HashMap::new()).0,
            started: Arc::default(),
            clean_ups: Arc::default(),
            removals: Arc::default(),
            otherwise: Arc::default(),
        };
        let clock = Arc::new(Mutex::new("2030-01-01T00:00:00Z".parse().unwrap()));
        let mut fixture = Fixture { database: database.clone(), clock, script, group: 0 };
        fixture.insert("instance_groups", &[("name", "controlplane".into())]).await;
        fixture.group = fixture.insert("instance_groups", &[("name", "default".into())]).await;
        fixture.add_node("n1").await;
        test(fixture).await;
        database.close().await;
    });
}

impl Fixture {
    pub fn now(&self) -> Timestamp {
        *self.clock.lock().unwrap()
    }

    pub fn advance(&self, seconds: i64) {
        let mut now = self.clock.lock().unwrap();
        *now = now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
    }

    /// Inserts a row with these values, and with times if the table has them.
    pub async fn insert(&self, table: &'static str, values: &[(&'static str, Expr)]) -> i64 {
        let times = [("created", self.now().into()), ("modified", self.now().into())];
        let is_link = ["unified_job_dependencies", "instance_group_instances"].contains(&table)
            || table.ends_with("_instance_groups");
        let values: Vec<(&str, Expr)> = values.iter().cloned().chain(times.into_iter().filter(|_| !is_link)).collect();
        let insert = Query::insert()
            .into_table(Alias::new(table))
            .columns(values.iter().map(|(name, _)| Alias::new(*name)))
            .values_panic(values.iter().map(|(_, value)| value.clone()))
            .to_owned();
        let mut tx = self.database.begin().await.unwrap();
        let id = tx.insert(&insert).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    pub async fn change(&self, table: &'static str, id: i64, column: &'static str, value: impl Into<Expr>) {
        let update = Query::update()
            .table(Alias::new(table))
            .value(Alias::new(column), value)
            .and_where(Expr::col("id").eq(id))
            .to_owned();
        let mut tx = self.database.begin().await.unwrap();
        tx.execute(&update).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub async fn delete(&self, table: &'static str, id: i64) {
        let delete = Query::delete().from_table(Alias::new(table)).and_where(Expr::col("id").eq(id)).to_owned();
        let mut tx = self.database.begin().await.unwrap();
        tx.execute(&delete).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Adds a node, in both groups.
    pub async fn add_node(&self, name: &str) -> i64 {
        let values = [
            ("uuid", name.into()),
            ("hostname", name.into()),
            ("node_type", "hybrid".into()),
            ("node_state", "ready".into()),
            ("managed", true.into()),
        ];
        let node = self.insert("instances", &values).await;
        for group in [self.group, 1] {
            if group != 0 {
                let values = [("instance_group_id", group.into()), ("instance_id", node.into())];
                self.insert("instance_group_instances", &values).await;
            }
        }
        node
    }

    pub async fn template(&self, values: &[(&'static str, Expr)]) -> i64 {
        let more = [("type", "job_template".into()), ("name", format!("t{}", uuid::Uuid::new_v4()).into())];
        let values: Vec<_> = values.iter().cloned().chain(more).collect();
        self.insert("unified_job_templates", &values).await
    }

    pub async fn project(&self, values: &[(&'static str, Expr)]) -> i64 {
        let more = [("type", "project".into()), ("name", "tools".into()), ("scm_type", "git".into())];
        let values: Vec<_> = values.iter().cloned().chain(more).collect();
        self.insert("unified_job_templates", &values).await
    }

    /// Inserts a pending job, as a launch does before its wake-up.
    pub async fn launch(&self, job: Launch) -> i64 {
        let values = [
            ("type", "job".into()),
            ("name", "a \"job\"".into()),
            ("status", "pending".into()),
            ("unified_job_template_id", job.template.into()),
            ("project_id", job.project.into()),
            ("inventory_id", job.inventory.into()),
            ("forks", job.forks.into()),
            ("allow_simultaneous", job.simultaneous.into()),
        ];
        self.insert("unified_jobs", &values).await
    }

    /// Starts the dispatcher of a node with a capacity of 100.
    pub fn start(&self, node: &'static str) -> RunningDispatcher {
        self.start_with(node, options())
    }

    pub fn start_with(&self, node: &'static str, options: DispatcherOptions) -> RunningDispatcher {
        let queue = JobQueue::default();
        let executor = ScriptedExecutor {
            node,
            database: self.database.clone(),
            queue: queue.clone(),
            clock: Arc::clone(&self.clock),
            script: self.script.clone(),
        };
        let clock = Arc::clone(&self.clock);
        let now = Arc::new(move || *clock.lock().unwrap());
        let dispatcher =
            Dispatcher::new(self.database.clone(), queue.clone(), now, node.into(), Arc::new(executor), options);
        let stop = CancellationToken::new();
        RunningDispatcher { run: tokio::spawn(dispatcher.run(stop.clone())), stop, queue }
    }

    /// Makes a job end.
    pub fn act(&self, job: i64, act: Act) {
        self.script.acts.send_modify(|acts| {
            acts.insert(job, act);
        });
    }

    pub async fn cancel(&self, job: i64) -> hostler_queue::Cancellation {
        let mut tx = self.database.begin().await.unwrap();
        let cancellation = request_cancel(&mut tx, job, self.now()).await.unwrap();
        tx.commit().await.unwrap();
        cancellation
    }

    /// The ids of the jobs that executors got, in order.
    pub fn started(&self) -> Vec<i64> {
        self.script.started.lock().unwrap().iter().map(|started| started.job).collect()
    }

    /// The texts in a column of all jobs, in order.
    pub async fn texts(&self, column: &'static str) -> Vec<String> {
        let query =
            Query::select().column(Alias::new(column)).from("unified_jobs").order_by("id", Order::Asc).to_owned();
        self.database.read_as(&query).await.unwrap()
    }

    /// Waits until the jobs have these statuses, in the order of their ids.
    pub async fn expect(&self, statuses: &[&str]) {
        let mut found = vec![];
        for _ in 0..3000 {
            found = self.texts("status").await;
            if found == statuses {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("expected {statuses:?}, not {found:?}");
    }

    /// Waits until this condition holds.
    pub async fn wait_until(&self, what: &str, mut holds: impl AsyncFnMut() -> bool) {
        for _ in 0..3000 {
            if holds().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{what}: not after 30 seconds");
    }

    pub async fn explanation(&self, job: i64) -> String {
        let query = Query::select()
            .column("job_explanation")
            .from("unified_jobs")
            .and_where(Expr::col("id").eq(job))
            .to_owned();
        self.database.read_first(&query).await.unwrap().unwrap()
    }

    /// Status, current job, last job and whether that failed, of a template.
    pub async fn shown(&self, template: i64) -> (String, Option<i64>, Option<i64>, bool) {
        let query = Query::select()
            .columns(["status", "current_job_id", "last_job_id", "last_job_failed"])
            .from("unified_job_templates")
            .and_where(Expr::col("id").eq(template))
            .to_owned();
        self.database.read_first(&query).await.unwrap().unwrap()
    }
}

/// A node of the capacity 100 that looks for jobs often.
pub fn options() -> DispatcherOptions {
    let capacity =
        CapacityOptions { cpu_capacity: Some(100), memory_capacity: Some(100), ..CapacityOptions::default() };
    DispatcherOptions { poll_interval: Duration::from_millis(20), capacity, ..DispatcherOptions::default() }
}
