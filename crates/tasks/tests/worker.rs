//! Workers on a real database.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests report by panicking")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hostler_database::{Database, Location, Type};
use hostler_tasks::{Outcome, RunResult, Task, TaskError, TaskQueue, TaskRun, Worker, WorkerOptions};
use hostler_testkit::database::EmptyDatabase;
use hostler_testkit::{Backend, on_each_backend};
use jiff::{SignedDuration, Timestamp};
use sea_query::{Alias, Expr, Query};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

on_each_backend!(
    complete_task_is_deleted,
    each_task_runs_on_one_worker,
    failed_task_is_retried_after_growing_delay,
    panic_is_a_failure,
    unreadable_arguments_are_a_failure,
    task_of_dead_worker_is_taken_over_after_lease,
    lease_of_a_clock_set_back_is_ignored,
    task_is_due_after_the_clock_was_set_back,
    run_without_lease_is_dropped,
    run_ends_with_its_lease_while_the_database_hangs,
    run_that_ends_early_frees_its_place,
    stop_interrupts_running_tasks,
    stop_drops_tasks_after_timeout,
    periodic_task_runs_after_each_interval,
    task_of_unknown_name_is_left_alone,
);

/// What a test task does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Act {
    Complete,
    /// Fails this many times.
    Fail(u32),
    Panic,
    /// Ends when it is cancelled.
    WaitForCancellation,
    /// Never ends.
    Hang,
}

#[derive(Serialize, Deserialize)]
struct TestTask(Act);

/// What happened, in order.
type Events = Arc<Mutex<Vec<String>>>;

/// Notes that a run was dropped.
struct NoteDrop(Events);

impl Drop for NoteDrop {
    fn drop(&mut self) {
        self.0.lock().unwrap().push("dropped".into());
    }
}

impl Task for TestTask {
    const NAME: &'static str = "test";
    type State = Events;

    async fn run(&self, events: &Events, run: &TaskRun) -> Result<Outcome, TaskError> {
        events.lock().unwrap().push(format!("{:?} {}", self.0, run.failures));
        match self.0 {
            Act::Complete => Ok(Outcome::Complete),
            Act::Fail(times) if run.failures < times => Err(TaskError("expected failure".into())),
            Act::Fail(_) => Ok(Outcome::Complete),
            Act::Panic => panic!("a task that panics"),
            Act::WaitForCancellation => {
                run.cancelled().await;
                Ok(Outcome::Interrupted)
            }
            Act::Hang => {
                let _note = NoteDrop(Arc::clone(events));
                std::future::pending().await
            }
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Periodic;

impl Task for Periodic {
    const NAME: &'static str = "periodic";
    type State = Events;

    async fn run(&self, events: &Events, _: &TaskRun) -> Result<Outcome, TaskError> {
        events.lock().unwrap().push("periodic".into());
        Ok(Outcome::Complete)
    }
}

/// A database, a clock and a queue that several workers share.
struct Fixture {
    database: Database,
    clock: Arc<Mutex<Timestamp>>,
    queue: TaskQueue,
    events: Events,
    results: Arc<Mutex<Vec<RunResult>>>,
}

struct RunningWorker {
    stop: CancellationToken,
    run: JoinHandle<()>,
}

impl RunningWorker {
    fn start(worker: Worker) -> Self {
        let stop = CancellationToken::new();
        RunningWorker { run: tokio::spawn(worker.run(stop.clone())), stop }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.run.await.unwrap();
    }

    /// Ends as if the process had died.
    async fn kill(self) {
        self.run.abort();
        assert!(self.run.await.unwrap_err().is_cancelled());
    }
}

fn on(backend: Backend, test: impl AsyncFnOnce(Fixture)) {
    let empty = EmptyDatabase::create(backend);
    let location = empty.location().map_or_else(Location::Sqlite, Location::Postgres);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let fixture = Fixture {
            database: Database::open(&location).await.unwrap(),
            clock: Arc::new(Mutex::new("2030-01-01T00:00:00Z".parse().unwrap())),
            queue: TaskQueue::default(),
            events: Events::default(),
            results: Arc::default(),
        };
        let database = fixture.database.clone();
        test(fixture).await;
        database.close().await;
    });
}

impl Fixture {
    fn now(&self) -> Timestamp {
        *self.clock.lock().unwrap()
    }

    fn advance(&self, seconds: i64) {
        let mut now = self.clock.lock().unwrap();
        *now = now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
    }

    async fn add(&self, act: Act) {
        let mut tx = self.database.begin().await.unwrap();
        self.queue.add(&mut tx, self.now(), &TestTask(act)).await.unwrap();
        tx.commit().await.unwrap();
        self.queue.wake();
    }

    fn start(&self) -> RunningWorker {
        self.start_with(WorkerOptions::default())
    }

    fn start_with(&self, options: WorkerOptions) -> RunningWorker {
        RunningWorker::start(self.worker(options))
    }

    /// A worker that looks for tasks often.
    fn worker(&self, options: WorkerOptions) -> Worker {
        let clock = Arc::clone(&self.clock);
        let results = Arc::clone(&self.results);
        let options = WorkerOptions { poll_interval: Duration::from_millis(10), ..options };
        let now = Arc::new(move || *clock.lock().unwrap());
        Worker::new(self.database.clone(), self.queue.clone(), now, options)
            .with_report(move |_, result| results.lock().unwrap().push(result))
            .with_task::<TestTask>(Arc::clone(&self.events))
    }

    /// Waits until these events have happened, and no others.
    async fn expect(&self, events: &[&str]) {
        for _ in 0..3000 {
            if *self.events.lock().unwrap() == events {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("expected {events:?}, not {:?}", self.events.lock().unwrap());
    }

    /// Waits until the number of tasks with a lease, and of those without one, is this.
    async fn expect_tasks(&self, leased: usize, free: usize) {
        let mut found = (0, 0);
        for _ in 0..3000 {
            let query = Query::select().column(Alias::new("lease_owner")).from(Alias::new("tasks")).to_owned();
            let rows = self.database.read(&query, &[Type::Text]).await.unwrap();
            let with_lease = rows.iter().filter(|row| row.text(0).is_some()).count();
            found = (with_lease, rows.len() - with_lease);
            if found == (leased, free) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("expected {leased} leased and {free} free tasks, not {found:?}");
    }

    async fn set(&self, column: &'static str, value: impl Into<Expr>) {
        let update = Query::update().table(Alias::new("tasks")).value(Alias::new(column), value).to_owned();
        let mut tx = self.database.begin().await.unwrap();
        tx.execute(&update).await.unwrap();
        tx.commit().await.unwrap();
    }
}

fn complete_task_is_deleted(backend: Backend) {
    on(backend, async |fixture| {
        fixture.add(Act::Complete).await;
        let worker = fixture.start();
        fixture.expect(&["Complete 0"]).await;
        fixture.expect_tasks(0, 0).await;
        fixture.add(Act::Complete).await;
        fixture.expect(&["Complete 0", "Complete 0"]).await;
        fixture.expect_tasks(0, 0).await;
        worker.stop().await;
        assert_eq!(*fixture.results.lock().unwrap(), [RunResult::Complete; 2]);
    });
}

fn each_task_runs_on_one_worker(backend: Backend) {
    const TASKS: usize = 100;
    on(backend, async |fixture| {
        for _ in 0..TASKS {
            fixture.add(Act::Complete).await;
        }
        let workers = [fixture.start(), fixture.start(), fixture.start()];
        fixture.expect(&["Complete 0"; TASKS]).await;
        fixture.expect_tasks(0, 0).await;
        for worker in workers {
            worker.stop().await;
        }
        assert_eq!(fixture.events.lock().unwrap().len(), TASKS);
    });
}

fn failed_task_is_retried_after_growing_delay(backend: Backend) {
    on(backend, async |fixture| {
        fixture.add(Act::Fail(2)).await;
        let worker = fixture.start();
        fixture.expect(&["Fail(2) 0"]).await;
        fixture.expect_tasks(0, 1).await;
        fixture.advance(9);
        tokio::time::sleep(Duration::from_millis(50)).await;
        fixture.expect(&["Fail(2) 0"]).await;
        fixture.advance(1);
        fixture.expect(&["Fail(2) 0", "Fail(2) 1"]).await;
        fixture.expect_tasks(0, 1).await;
        fixture.advance(19);
        tokio::time::sleep(Duration::from_millis(50)).await;
        fixture.expect(&["Fail(2) 0", "Fail(2) 1"]).await;
        fixture.advance(1);
        fixture.expect(&["Fail(2) 0", "Fail(2) 1", "Fail(2) 2"]).await;
        fixture.expect_tasks(0, 0).await;
        worker.stop().await;
        assert_eq!(*fixture.results.lock().unwrap(), [RunResult::Failed, RunResult::Failed, RunResult::Complete]);
    });
}

fn panic_is_a_failure(backend: Backend) {
    on(backend, async |fixture| {
        fixture.add(Act::Panic).await;
        let worker = fixture.start();
        fixture.expect(&["Panic 0"]).await;
        fixture.expect_tasks(0, 1).await;
        fixture.advance(10);
        fixture.expect(&["Panic 0", "Panic 1"]).await;
        fixture.add(Act::Complete).await;
        fixture.expect(&["Panic 0", "Panic 1", "Complete 0"]).await;
        worker.stop().await;
    });
}

fn unreadable_arguments_are_a_failure(backend: Backend) {
    on(backend, async |fixture| {
        fixture.add(Act::Complete).await;
        fixture.set("arguments", r#"{"other": true}"#).await;
        let worker = fixture.start();
        for _ in 0..3000 {
            if !fixture.results.lock().unwrap().is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        worker.stop().await;
        fixture.expect_tasks(0, 1).await;
        assert_eq!(*fixture.results.lock().unwrap(), [RunResult::Failed]);
        fixture.expect(&[]).await;
    });
}

fn task_of_dead_worker_is_taken_over_after_lease(backend: Backend) {
    on(backend, async |fixture| {
        fixture.add(Act::WaitForCancellation).await;
        let first = fixture.start();
        fixture.expect(&["WaitForCancellation 0"]).await;
        fixture.expect_tasks(1, 0).await;
        first.kill().await;
        let second = fixture.start();
        fixture.advance(19);
        tokio::time::sleep(Duration::from_millis(50)).await;
        fixture.expect(&["WaitForCancellation 0"]).await;
        fixture.advance(1);
        fixture.expect(&["WaitForCancellation 0", "WaitForCancellation 0"]).await;
        second.stop().await;
        fixture.expect_tasks(0, 1).await;
    });
}

fn lease_of_a_clock_set_back_is_ignored(backend: Backend) {
    on(backend, async |fixture| {
        fixture.add(Act::WaitForCancellation).await;
        let first = fixture.start();
        fixture.expect(&["WaitForCancellation 0"]).await;
        first.kill().await;
        fixture.advance(-86_400);
        let second = fixture.start();
        fixture.expect(&["WaitForCancellation 0", "WaitForCancellation 0"]).await;
        second.stop().await;
    });
}

fn task_is_due_after_the_clock_was_set_back(backend: Backend) {
    on(backend, async |fixture| {
        fixture.add(Act::Fail(2)).await;
        fixture.advance(-60);
        let worker = fixture.start();
        fixture.expect(&["Fail(2) 0"]).await;
        fixture.expect_tasks(0, 1).await;
        // By more than any delay.
        fixture.advance(-86_400);
        fixture.expect(&["Fail(2) 0", "Fail(2) 1"]).await;
        worker.stop().await;
    });
}

fn run_without_lease_is_dropped(backend: Backend) {
    on(backend, async |fixture| {
        fixture.add(Act::Hang).await;
        let worker = fixture.start_with(WorkerOptions { lease: Duration::from_secs(1), ..WorkerOptions::default() });
        fixture.expect(&["Hang 0"]).await;
        fixture.set("lease_owner", "another").await;
        fixture.expect(&["Hang 0", "dropped"]).await;
        worker.stop().await;
        fixture.expect_tasks(1, 0).await;
    });
}

fn run_ends_with_its_lease_while_the_database_hangs(backend: Backend) {
    on(backend, async |fixture| {
        fixture.add(Act::Hang).await;
        let worker = fixture.start_with(WorkerOptions { lease: Duration::from_secs(1), ..WorkerOptions::default() });
        fixture.expect(&["Hang 0"]).await;
        // This transaction locks the task: a statement that extends the lease waits for its end.
        let mut tx = fixture.database.begin().await.unwrap();
        let update = Query::update().table(Alias::new("tasks")).value(Alias::new("failures"), 0).to_owned();
        tx.execute(&update).await.unwrap();
        tokio::time::timeout(Duration::from_secs(4), fixture.expect(&["Hang 0", "dropped"])).await.unwrap();
        drop(tx);
        worker.stop().await;
    });
}

fn run_that_ends_early_frees_its_place(backend: Backend) {
    on(backend, async |fixture| {
        fixture.add(Act::Complete).await;
        let options = WorkerOptions { concurrency: 1, ..WorkerOptions::default() };
        let worker = RunningWorker::start(fixture.worker(options).with_report(|_, _| panic!("a report that panics")));
        fixture.expect(&["Complete 0"]).await;
        fixture.add(Act::Complete).await;
        fixture.expect(&["Complete 0"; 2]).await;
        worker.stop().await;
    });
}

fn stop_interrupts_running_tasks(backend: Backend) {
    on(backend, async |fixture| {
        fixture.add(Act::WaitForCancellation).await;
        let worker = fixture.start();
        fixture.expect(&["WaitForCancellation 0"]).await;
        worker.stop().await;
        fixture.expect_tasks(0, 1).await;
        assert_eq!(*fixture.results.lock().unwrap(), [RunResult::Interrupted]);
        // It continues at once, without a wait for the lease or after a failure.
        let worker = fixture.start();
        fixture.expect(&["WaitForCancellation 0", "WaitForCancellation 0"]).await;
        worker.stop().await;
    });
}

fn stop_drops_tasks_after_timeout(backend: Backend) {
    on(backend, async |fixture| {
        fixture.add(Act::Hang).await;
        let options = WorkerOptions { stop_timeout: Duration::from_millis(20), ..WorkerOptions::default() };
        let worker = fixture.start_with(options);
        fixture.expect(&["Hang 0"]).await;
        worker.stop().await;
        fixture.expect(&["Hang 0", "dropped"]).await;
        fixture.expect_tasks(0, 1).await;
    });
}

fn periodic_task_runs_after_each_interval(backend: Backend) {
    on(backend, async |fixture| {
        let start =
            || {
                let clock = Arc::clone(&fixture.clock);
                let options = WorkerOptions { poll_interval: Duration::from_millis(10), ..WorkerOptions::default() };
                let now = Arc::new(move || *clock.lock().unwrap());
                let worker = Worker::new(fixture.database.clone(), fixture.queue.clone(), now, options)
                    .with_periodic_task(&Periodic, SignedDuration::from_secs(60), Arc::clone(&fixture.events));
                RunningWorker::start(worker)
            };
        let worker = start();
        fixture.expect(&["periodic"]).await;
        fixture.expect_tasks(0, 1).await;
        fixture.advance(59);
        tokio::time::sleep(Duration::from_millis(50)).await;
        fixture.expect(&["periodic"]).await;
        fixture.advance(1);
        fixture.expect(&["periodic"; 2]).await;
        fixture.expect_tasks(0, 1).await;
        worker.stop().await;
        // The clock was set back.
        let worker = start();
        fixture.expect(&["periodic"; 3]).await;
        fixture.expect_tasks(0, 1).await;
        fixture.advance(-86_400);
        fixture.expect(&["periodic"; 4]).await;
        fixture.expect_tasks(0, 1).await;
        worker.stop().await;
        // A start makes it due.
        let worker = start();
        fixture.expect(&["periodic"; 5]).await;
        worker.stop().await;
        fixture.expect_tasks(0, 1).await;
    });
}

fn task_of_unknown_name_is_left_alone(backend: Backend) {
    on(backend, async |fixture| {
        fixture.add(Act::Complete).await;
        fixture.set("name", "of another version").await;
        let worker = fixture.start();
        fixture.add(Act::Complete).await;
        fixture.expect(&["Complete 0"]).await;
        fixture.expect_tasks(0, 1).await;
        worker.stop().await;
    });
}
