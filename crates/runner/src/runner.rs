//! The executor.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hostler_database::Database;
use hostler_inventory::SmartInventories;
use hostler_project_updates::{ProjectUpdates, ReadJobSettings};
use hostler_projects::Projects;
use hostler_queue::{ClaimedJob, Ended, Executor, ExecutorError, JobKind, JobQueue, JobSignals, Pauses, Status};
use hostler_supervisor::{is_supervised, kill_leftovers, start_supervisor};
use hostler_vault::Vault;
use jiff::Timestamp;

use crate::ansible::Ansible;
use crate::ending::End;
use crate::isolation::{IsolationMode, IsolationState};
use crate::job_directory::{Held, JobDirectory, blocking};
use crate::job_row::JobRow;
use crate::preparation::{Prepared, Refusal};

/// Why a job ends whose supervisor is not there to end it, nor what it wrote.
pub(crate) const DIRECTORY_GONE: &str = "The directory of the job is gone, and with it what the job did.";

/// The source of the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What a runner needs to know of its server.
#[derive(Clone)]
pub struct RunnerOptions {
    /// The data folder. Directories of jobs are created in its folder `jobs`.
    pub data: PathBuf,
    /// The folder of the folders of manual projects.
    pub manual_projects: PathBuf,
    /// The program `hostler`, which supervises jobs.
    pub program: PathBuf,
    /// Whether jobs are isolated.
    pub isolation: IsolationMode,
    /// How long a supervisor may take to end a canceled job, see [`RunnerOptions::CANCEL_LIMIT`].
    pub cancel_limit: Duration,
    /// Finds the hosts of smart inventories.
    pub smart_inventories: Arc<dyn SmartInventories>,
}

impl RunnerOptions {
    /// The usual `cancel_limit`. A supervisor that runs needs less: the program has 10 seconds to end by itself, and all
    /// processes have 30 seconds to end when they are killed.
    pub const CANCEL_LIMIT: Duration = Duration::from_secs(60);
}

/// Runs jobs on this machine.
pub struct Runner {
    pub(crate) database: Database,
    pub(crate) vault: Arc<Vault>,
    pub(crate) clock: Clock,
    pub(crate) jobs: JobQueue,
    pub(crate) projects: Arc<Projects>,
    pub(crate) ansible: Arc<Ansible>,
    pub(crate) options: RunnerOptions,
    pub(crate) isolation: IsolationState,
    pub(crate) settings: Arc<dyn ReadJobSettings>,
    updates: ProjectUpdates,
}

/// What became of the preparation of a job.
enum Preparation {
    Prepared(Box<Prepared>),
    Refused(Refusal),
    Canceled,
    Detached,
}

impl Runner {
    /// A runner of this server. It starts a program to find out whether jobs can be isolated.
    #[expect(clippy::too_many_arguments, reason = "all of them are parts of the server")]
    pub async fn new(
        database: Database,
        vault: Arc<Vault>,
        clock: Clock,
        jobs: JobQueue,
        projects: Arc<Projects>,
        ansible: Arc<Ansible>,
        settings: Arc<dyn ReadJobSettings>,
        options: RunnerOptions,
    ) -> Self {
        let mode = options.isolation;
        let isolation = blocking(move || Ok(mode.check())).await;
        let isolation = isolation.unwrap_or_else(|problem| IsolationState::Impossible(problem.to_string()));
        let of_galaxy = Arc::clone(&ansible);
        let updates = ProjectUpdates {
            database: database.clone(),
            vault: Arc::clone(&vault),
            projects: Arc::clone(&projects),
            ansible_galaxy: Arc::new(move || of_galaxy.galaxy()),
            settings: Arc::clone(&settings),
            now: Arc::clone(&clock),
        };
        Runner { database, vault, clock, jobs, projects, ansible, options, isolation, settings, updates }
    }

    /// The directory of a job.
    pub(crate) fn directory(&self, job: i64) -> JobDirectory {
        JobDirectory::new(&self.options.data, job)
    }

    async fn run_job(&self, job: ClaimedJob, signals: &JobSignals) -> Result<Ended, ExecutorError> {
        let Some(row) = self.load(job.id, signals).await? else { return Ok(Ended::Detached) };
        let directory = self.directory(job.id);
        if job.adopted {
            match self.find_started(&row, &directory).await? {
                Adoption::Ingest => return self.ingest(&row, directory, None, signals).await,
                Adoption::Lost(reason) => {
                    // They may run on although their directory is gone.
                    self.kill_processes(&directory).await;
                    return self.end_without_supervisor(&row, &directory, End::error(reason), signals).await;
                }
                Adoption::Start => self.kill_processes(&directory).await,
            }
        }
        // What is left of a server that was killed before it started the supervisor.
        self.remove(&directory).await;
        let prepared = match self.prepared(&row, &directory, signals).await {
            Preparation::Prepared(prepared) => prepared,
            Preparation::Refused(refusal) => {
                return self.end_without_supervisor(&row, &directory, refusal.into(), signals).await;
            }
            Preparation::Canceled => {
                return self.end_without_supervisor(&row, &directory, End::canceled(), signals).await;
            }
            Preparation::Detached => {
                self.remove(&directory).await;
                return Ok(Ended::Detached);
            }
        };
        let (program, path) = (self.options.program.clone(), directory.clone());
        let record = prepared.record.clone();
        let started = blocking(move || {
            prepared.write(&path)?;
            path.mark_started()?;
            start_supervisor(&program, path.path(), &prepared.secrets).map_err(|problem| problem.to_string())
        })
        .await;
        let child = match started {
            Ok(child) => child,
            Err(problem) => {
                let end = End::error(format!("The job could not be started: {problem}"));
                return self.end_without_supervisor(&row, &directory, end, signals).await;
            }
        };
        tracing::info!(job = row.id, supervisor = child.id(), "the job runs");
        let row = JobRow { record: Some(record), ..row };
        self.ingest(&row, directory, Some(child), signals).await
    }

    /// The row of a job; none if the server stops before the database answers.
    async fn load(&self, job: i64, signals: &JobSignals) -> Result<Option<JobRow>, ExecutorError> {
        let mut pauses = Pauses::default();
        loop {
            match JobRow::load(&self.database, job).await {
                Ok(Some(row)) => return Ok(Some(row)),
                Ok(None) => return Err(ExecutorError("The job was deleted.".into())),
                Err(problem) if problem.is_temporary() => {
                    if !pauses.wait(job, &problem, &signals.shutdown).await {
                        return Ok(None);
                    }
                }
                Err(problem) => return Err(problem.into()),
            }
        }
    }

    async fn prepared(&self, row: &JobRow, directory: &JobDirectory, signals: &JobSignals) -> Preparation {
        let mut pauses = Pauses::default();
        loop {
            let refusal = tokio::select! {
                // A job that is canceled is not started, even if it could be.
                biased;
                () = signals.cancel.cancelled() => return Preparation::Canceled,
                () = signals.shutdown.cancelled() => return Preparation::Detached,
                prepared = self.prepare(row, directory) => match prepared {
                    Ok(prepared) => return Preparation::Prepared(Box::new(prepared)),
                    Err(refusal) => refusal,
                },
            };
            match &refusal.database {
                None => return Preparation::Refused(refusal),
                Some(problem) => {
                    pauses.wait(row.id, problem, &signals.shutdown).await;
                }
            }
        }
    }

    /// What an earlier process of the server left of a job.
    async fn find_started(&self, row: &JobRow, directory: &JobDirectory) -> Result<Adoption, ExecutorError> {
        let (found, is_running) = (directory.clone(), row.status == Status::Running);
        let adoption = blocking(move || {
            let is_started = found.is_started();
            if !is_started && !is_running {
                return Ok(Adoption::Start);
            }
            if !is_started {
                return Ok(Adoption::Lost(DIRECTORY_GONE.to_owned()));
            }
            // The supervisor may just be starting.
            for _ in 0..200 {
                if found.has_spool() || is_supervised(found.path()).map_err(|problem| problem.to_string())? {
                    return Ok(Adoption::Ingest);
                }
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            if !is_running && found.is_started_since_boot() {
                // The supervisor has not started the program: it creates the spool before.
                return Ok(Adoption::Start);
            }
            let reason = "The machine was stopped while the server started the job, or the events of the job are gone.";
            Ok(Adoption::Lost(reason.to_owned()))
        });
        adoption.await.map_err(ExecutorError)
    }

    /// Kills all processes of a job, and its supervisor.
    pub(crate) async fn kill_processes(&self, directory: &JobDirectory) {
        let (job, path) = (directory.job(), directory.path().to_owned());
        let killed = blocking(move || kill_leftovers(&path).map_err(|problem| problem.to_string())).await;
        match killed {
            Ok(0) => {}
            Ok(count) => tracing::warn!(job, count, "processes of the job were killed"),
            Err(problem) => tracing::error!(job, problem, "processes of the job may be left"),
        }
    }

    /// Gives back what the job held, and removes its directory. Failures are logged: they do not change the job.
    pub(crate) async fn remove(&self, directory: &JobDirectory) {
        let job = directory.job();
        let path = directory.clone();
        let held = match blocking(move || path.held()).await {
            Ok(held) => held,
            Err(problem) => {
                tracing::warn!(job, problem, "what the job held cannot be read");
                Held::default()
            }
        };
        if let Some(project) = held.project {
            self.release(project, job).await;
        }
        let path = directory.clone();
        if let Err(problem) = blocking(move || path.remove()).await {
            tracing::warn!(job, problem, "the directory of the job cannot be removed");
        }
    }
}

/// What to do with a job that an earlier process of the server may have started.
enum Adoption {
    /// Its program was not started.
    Start,
    /// There are events to read.
    Ingest,
    /// It ends as an error, for this reason.
    Lost(String),
}

#[async_trait]
impl Executor for Runner {
    async fn run(&self, job: ClaimedJob, signals: JobSignals) -> Result<Ended, ExecutorError> {
        match job.kind {
            JobKind::Job | JobKind::InventoryUpdate | JobKind::AdHocCommand => self.run_job(job, &signals).await,
            JobKind::ProjectUpdate => self.updates.run(job, signals).await,
        }
    }

    async fn clean_up(&self) -> Result<(), ExecutorError> {
        self.remove_directories().await?;
        self.release_checkouts().await
    }

    async fn remove_unused(&self) -> Result<(), ExecutorError> {
        self.remove_deleted_projects().await
    }
}
