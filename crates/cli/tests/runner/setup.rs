//! A runner with a database, and a project of one folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hostler_database::{Database, Location, Type};
use hostler_engine::Links;
use hostler_projects::{ProjectOptions, Projects};
use hostler_queue::{ClaimedJob, Ended, Executor as _, ExecutorError, JobKind, JobQueue, JobSignals};
use hostler_resources::{REGISTRY, SmartHosts};
use hostler_runner::{Ansible, Clock, IsolationMode, Runner, RunnerOptions};
use hostler_schema::JobSettings;
use hostler_testkit::database::PostgresDatabase;
use hostler_testkit::{Backend, stand_in_ansible};
use hostler_vault::Vault;
use jiff::Timestamp;
use sea_query::{Alias, Expr, ExprTrait, Query, Value};
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// A test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// The server of a test.
pub struct Server {
    pub database: Database,
    pub data: PathBuf,
    pub runner: Arc<Runner>,
    vault: Arc<Vault>,
    projects: Arc<Projects>,
    ansible: PathBuf,
    isolation: IsolationMode,
    /// For the next start.
    pub cancel_limit: Duration,
    folder: TempDir,
    _cluster: Option<PostgresDatabase>,
}

pub fn now() -> Timestamp {
    "2030-01-01T00:00:00Z".parse().unwrap()
}

/// Runs a test whose playbooks are scripts in Python.
pub fn with_scripts(backend: Backend, test: impl AsyncFnOnce(&mut Server)) {
    on(backend, IsolationMode::None, None, test);
}

/// Runs a test with this `ansible-playbook`, or the stand-in.
pub fn on(backend: Backend, isolation: IsolationMode, ansible: Option<PathBuf>, test: impl AsyncFnOnce(&mut Server)) {
    let folder = TempDir::with_prefix("hostler-runner-").unwrap();
    let cluster = (backend == Backend::Postgres).then(PostgresDatabase::create);
    let data = folder.path().canonicalize().unwrap().join("data");
    fs::create_dir_all(data.join("manual/project")).unwrap();
    let location = match &cluster {
        Some(server) => Location::Postgres(server.url()),
        None => Location::Sqlite(data.join("hostler.db")),
    };
    let ansible = ansible.unwrap_or_else(|| stand_in_ansible(folder.path()));
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let database = Database::open(&location).await.unwrap();
        let vault = Arc::new(Vault::open(&data.join("keys"), &database).await.unwrap());
        let options = ProjectOptions { allow_file: true, ..ProjectOptions::default() };
        let projects = Arc::new(Projects::open(data.join("projects"), options).await.unwrap());
        let cancel_limit = RunnerOptions::CANCEL_LIMIT;
        let runner = runner(&database, &vault, &projects, &ansible, &data, isolation, cancel_limit).await;
        let mut server = Server {
            database: database.clone(),
            data,
            runner,
            vault,
            projects,
            ansible,
            isolation,
            cancel_limit,
            folder,
            _cluster: cluster,
        };
        test(&mut server).await;
        database.close().await;
    });
}

async fn runner(
    database: &Database,
    vault: &Arc<Vault>,
    projects: &Arc<Projects>,
    ansible: &Path,
    data: &Path,
    isolation: IsolationMode,
    cancel_limit: Duration,
) -> Arc<Runner> {
    let clock: Clock = Arc::new(now);
    let options = RunnerOptions {
        data: data.to_owned(),
        manual_projects: data.join("manual"),
        program: env!("CARGO_BIN_EXE_hostler").into(),
        isolation,
        cancel_limit,
        smart_inventories: Arc::new(SmartHosts::new(Arc::new(Links::new(REGISTRY)), database.dialect())),
    };
    let ansible = Arc::new(Ansible::new(Some(ansible.to_owned()), data.to_owned()));
    let (database, vault, projects) = (database.clone(), Arc::clone(vault), Arc::clone(projects));
    Arc::new(
        Runner::new(
            database,
            vault,
            clock,
            JobQueue::default(),
            projects,
            ansible,
            Arc::new(JobSettings::default()),
            options,
        )
        .await,
    )
}

/// A job that runs.
pub struct Run {
    pub signals: JobSignals,
    task: JoinHandle<Result<Ended, ExecutorError>>,
    directory: PathBuf,
}

impl Run {
    pub async fn end(self) -> Result<Ended, ExecutorError> {
        tokio::time::timeout(PATIENCE, self.task).await.expect("the job ends").expect("no panic")
    }

    /// Ends the executor as kill -9 of the server would: in the middle of whatever it does.
    pub async fn kill_executor(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }

    pub fn directory(&self) -> PathBuf {
        self.directory.clone()
    }

    /// What the script reported under this name, as soon as it has.
    pub async fn reported(&self, name: &str) -> String {
        let path = self.directory.join("workspace").join(name);
        wait_until(&format!("the script reports {name}"), async || path.exists()).await;
        fs::read_to_string(path).unwrap()
    }

    /// Creates the file for which the script waits.
    pub fn signal(&self, name: &str) {
        fs::write(self.directory.join("workspace").join(name), "").unwrap();
    }
}

impl Server {
    /// A server process that starts after another one ended.
    pub async fn restart(&mut self) {
        let (vault, projects, limit) = (&self.vault, &self.projects, self.cancel_limit);
        self.runner = runner(&self.database, vault, projects, &self.ansible, &self.data, self.isolation, limit).await;
    }

    /// Where files of the manual project are.
    pub fn project(&self) -> PathBuf {
        self.data.join("manual/project")
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Inserts a row, and returns its id.
    pub async fn insert<const N: usize>(&self, table: &'static str, values: [(&'static str, Value); N]) -> i64 {
        let times = [("created", Value::from(now())), ("modified", Value::from(now()))];
        let values: BTreeMap<&str, Value> = times.into_iter().chain(values).collect();
        let insert = Query::insert()
            .into_table(Alias::new(table))
            .columns(values.keys().map(|name| Alias::new(*name)))
            .values_panic(values.values().map(|value| Expr::value(value.clone())))
            .to_owned();
        let mut tx = self.database.begin().await.unwrap();
        let id = tx.insert(&insert).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    pub async fn change(&self, table: &'static str, id: i64, column: &'static str, value: impl Into<Value>) {
        let update = Query::update()
            .table(Alias::new(table))
            .value(Alias::new(column), value.into())
            .and_where(Expr::col("id").eq(id))
            .to_owned();
        let mut tx = self.database.begin().await.unwrap();
        assert_eq!(tx.execute(&update).await.unwrap(), 1);
        tx.commit().await.unwrap();
    }

    pub async fn delete(&self, table: &'static str, id: i64) {
        let delete = Query::delete().from_table(Alias::new(table)).and_where(Expr::col("id").eq(id)).to_owned();
        let mut tx = self.database.begin().await.unwrap();
        assert_eq!(tx.execute(&delete).await.unwrap(), 1);
        tx.commit().await.unwrap();
    }

    /// A job of a new template of the manual project with this playbook, on an inventory with the host `one`. It waits.
    pub async fn job(&self, playbook: &str) -> i64 {
        fs::write(self.project().join("site.yml"), playbook).unwrap();
        let project = self.insert(
            "unified_job_templates",
            [("type", "project".into()), ("name", "project".into()), ("local_path", "project".into())],
        );
        let project = project.await;
        let inventory = self.insert("inventories", [("name", "inventory".into())]).await;
        let local = r#"{"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}"#;
        self.insert("hosts", [("inventory_id", inventory.into()), ("name", "one".into()), ("variables", local.into())])
            .await;
        self.insert(
            "unified_jobs",
            [
                ("type", "job".into()),
                ("name", "job".into()),
                ("status", "waiting".into()),
                ("project_id", project.into()),
                ("inventory_id", inventory.into()),
                ("playbook", "site.yml".into()),
            ],
        )
        .await
    }

    /// Gives a job to the runner.
    pub fn start(&self, id: i64) -> Run {
        self.give(id, false)
    }

    /// Gives a job of an earlier process of the server to the runner.
    pub fn adopt(&self, id: i64) -> Run {
        self.give(id, true)
    }

    fn give(&self, id: i64, adopted: bool) -> Run {
        let (runner, signals) = (Arc::clone(&self.runner), JobSignals::default());
        let given = signals.clone();
        let job = ClaimedJob { id, kind: JobKind::Job, adopted };
        let task = tokio::spawn(async move { runner.run(job, given).await });
        Run { signals, task, directory: self.data.join("jobs").join(id.to_string()) }
    }

    /// Runs a job to its end, and returns its status and explanation.
    pub async fn run(&self, id: i64) -> (String, String) {
        assert_eq!(self.start(id).end().await, Ok(Ended::Finished));
        self.ended(id).await
    }

    /// The status and the explanation of a job that has ended.
    pub async fn ended(&self, id: i64) -> (String, String) {
        assert!(!self.data.join("jobs").join(id.to_string()).exists(), "the directory of the job is removed");
        assert!(
            self.value(id, "event_processing_finished", Type::Boolean).await == hostler_database::Value::Boolean(true)
        );
        (self.text(id, "status").await, self.text(id, "job_explanation").await)
    }

    async fn value(&self, job: i64, column: &'static str, kind: Type) -> hostler_database::Value {
        let query = Query::select()
            .column(Alias::new(column))
            .from(Alias::new("unified_jobs"))
            .and_where(Expr::col("id").eq(job))
            .to_owned();
        self.database.read(&query, &[kind]).await.unwrap()[0].take(0)
    }

    /// A text of a job.
    pub async fn text(&self, job: i64, column: &'static str) -> String {
        match self.value(job, column, Type::Text).await {
            hostler_database::Value::Text(text) => text,
            other => panic!("{column} is {other:?}"),
        }
    }

    /// A number of a job.
    pub async fn number(&self, job: i64, column: &'static str) -> i64 {
        match self.value(job, column, Type::Integer).await {
            hostler_database::Value::Integer(number) => number,
            other => panic!("{column} is {other:?}"),
        }
    }

    /// The output of a job.
    pub async fn output(&self, job: i64) -> String {
        let lines = hostler_events::read_lines(&self.database, job, 0, 1_000_000, 64 << 20).await.unwrap();
        match lines {
            hostler_events::Lines::Text(text) => text,
            other => panic!("{other:?}"),
        }
    }

    /// Waits until a job has this status.
    pub async fn wait_for_status(&self, job: i64, status: &str) {
        wait_until(&format!("the job is {status}"), async || self.text(job, "status").await == status).await;
    }
}

pub async fn wait_until(what: &str, condition: impl AsyncFn() -> bool) {
    let begin = Instant::now();
    while !condition().await {
        assert!(begin.elapsed() < PATIENCE, "it does not happen: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Whether a process runs: it is there, and no zombie.
pub fn is_running(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{}/stat", pid.trim()))
        .is_ok_and(|stat| stat.rsplit_once(')').is_some_and(|(_, fields)| !fields.trim_start().starts_with('Z')))
}

impl Server {
    /// Inserts a row into a table without times.
    pub async fn execute<const N: usize>(&self, table: &'static str, values: [(&'static str, Value); N]) {
        let insert = Query::insert()
            .into_table(Alias::new(table))
            .columns(values.iter().map(|(name, _)| Alias::new(*name)))
            .values_panic(values.iter().map(|(_, value)| Expr::value(value.clone())))
            .to_owned();
        let mut tx = self.database.begin().await.unwrap();
        tx.execute(&insert).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// The id of the only row of a table.
    pub async fn first(&self, table: &'static str) -> i64 {
        let query = Query::select().column("id").from(Alias::new(table)).to_owned();
        self.database.read_first(&query).await.unwrap().expect("a row")
    }

    /// Another job of the same project, inventory and playbook.
    pub async fn copy_of(&self, job: i64) -> i64 {
        let (project, inventory) = (self.number(job, "project_id").await, self.number(job, "inventory_id").await);
        self.insert(
            "unified_jobs",
            [
                ("type", "job".into()),
                ("name", "job".into()),
                ("status", "waiting".into()),
                ("project_id", project.into()),
                ("inventory_id", inventory.into()),
                ("playbook", self.text(job, "playbook").await.into()),
            ],
        )
        .await
    }
}
