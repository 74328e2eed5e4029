//! Runs the updates of projects.
//!
//! An update is a job without Ansible: the server fetches the repository itself, by `hostler-projects`, and writes events
//! like those of a playbook, so that clients find output where they look for it. It ends with the commit, the list of
//! playbooks and the terminal status in one transaction. An update that a server did not finish is run again from its
//! start by the next one: fetching twice does no harm.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod credential;
mod end;
mod report;
mod update;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hostler_database::{Database, Error as DatabaseError};
use hostler_events::{EventError, EventWriter};
use hostler_projects::{AnsibleGalaxy, Checkout, Error as ProjectError, FetchMode, GalaxyServer, GitSource, Projects};
use hostler_queue::{ClaimedJob, Ended, ExecutorError, JobSignals, Pauses, set_running};
use hostler_schema::JobSettings;
use hostler_vault::Vault;
use jiff::Timestamp;

pub use credential::{CredentialError, galaxy_servers, git_credential};
pub use update::Update;

use crate::end::Outcome;
use crate::report::Report;

/// The text of the explanation of a job that took too long, as in AWX.
const TIMED_OUT: &str = "Job terminated due to timeout";

/// Reads the settings of jobs.
#[async_trait]
pub trait ReadJobSettings: Send + Sync {
    /// The values in force.
    ///
    /// # Errors
    /// If the database fails.
    async fn read(&self) -> Result<Arc<JobSettings>, DatabaseError>;
}

/// Settings that do not change.
#[async_trait]
impl ReadJobSettings for JobSettings {
    async fn read(&self) -> Result<Arc<JobSettings>, DatabaseError> {
        Ok(Arc::new(self.clone()))
    }
}

/// How ansible-galaxy is called.
pub fn galaxy(program: PathBuf, servers: Vec<GalaxyServer>, settings: &JobSettings) -> AnsibleGalaxy {
    AnsibleGalaxy {
        program,
        servers,
        installs_roles: settings.installs_roles,
        installs_collections: settings.installs_collections,
        is_verbose: settings.galaxy_is_verbose,
        ignores_certificates: settings.galaxy_ignores_certificates,
        environment: settings.galaxy_environment.clone(),
    }
}

/// Runs updates of projects.
pub struct ProjectUpdates {
    /// The database.
    pub database: Database,
    /// Decrypts credentials.
    pub vault: Arc<Vault>,
    /// The mirrors and checkouts.
    pub projects: Arc<Projects>,
    /// The program `ansible-galaxy`, which may be installed later than the server starts.
    pub ansible_galaxy: Arc<dyn Fn() -> PathBuf + Send + Sync>,
    /// The settings in force.
    pub settings: Arc<dyn ReadJobSettings>,
    /// The time.
    pub now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// What a successful update found.
pub(crate) struct Found {
    pub commit: String,
    pub playbooks: Vec<String>,
    pub inventory_files: Vec<String>,
    /// What ansible-galaxy printed; none if nothing had to be installed.
    pub installed: Vec<String>,
}

/// Why an update failed: a sentence for the user, without secrets.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The repository could not be fetched.
    #[error(transparent)]
    Fetch(ProjectError),
    /// Roles and collections could not be installed.
    #[error(transparent)]
    Requirements(ProjectError),
    /// The credential cannot be used.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The source of the project is of a type that is not supported.
    #[error("Projects of the type {0} cannot be updated: only git is supported.")]
    Type(String),
}

impl ProjectUpdates {
    /// Takes an update to its terminal status.
    ///
    /// # Errors
    /// Errors of the database, and events that cannot be written.
    pub async fn run(&self, job: ClaimedJob, signals: JobSignals) -> Result<Ended, ExecutorError> {
        let mut pauses = Pauses::default();
        let (update, mut report, settings) = loop {
            match self.start(job.id).await {
                Ok(Some(started)) => break started,
                // Deleted with its project.
                Ok(None) | Err(EventError::NoJob(_)) => return Ok(Ended::Finished),
                Err(EventError::Database(problem)) if problem.is_temporary() => {
                    if !pauses.wait(job.id, &problem, &signals.shutdown).await {
                        return Ok(Ended::Detached);
                    }
                }
                Err(problem) => return Err(cannot_write(problem)),
            }
        };
        let outcome = tokio::select! {
            biased;
            () = signals.cancel.cancelled() => Outcome::Canceled,
            // The next server runs it again.
            () = signals.shutdown.cancelled() => return Ok(Ended::Detached),
            outcome = self.update_in_time(&update, &settings) => outcome,
        };
        // Also that of an update that was canceled or took too long.
        if let Err(problem) = self.projects.release(update.project, &holder(update.id)).await {
            tracing::warn!(job = update.id, "the checkout of an update could not be released: {problem}");
        }
        let (status, explanation) = report.end((self.now)(), &update, &outcome);
        let ended = self.end(&update, &report, &outcome, status, explanation, &signals.shutdown).await?;
        if ended == Ended::Finished {
            self.remove_unused(&update, &outcome).await;
        }
        Ok(ended)
    }

    /// Writes that the update runs, with its first events. None if there is no such update.
    async fn start(&self, id: i64) -> Result<Option<(Update, Report, Arc<JobSettings>)>, EventError> {
        let Some(update) = Update::load(&self.database, id).await? else { return Ok(None) };
        let settings = self.settings.read().await?;
        let mut writer = EventWriter::open(&self.database, id).await?;
        let mut report = Report::after(&writer);
        report.start((self.now)());
        let mut tx = self.database.begin().await?;
        set_running(&mut tx, update.id, (self.now)()).await?;
        writer.append(&mut tx, report.events(), 0).await?;
        tx.commit().await?;
        Ok(Some((update, report, settings)))
    }

    async fn update_in_time(&self, update: &Update, settings: &JobSettings) -> Outcome {
        let found = self.update(update, settings);
        match JobSettings::time_limit(update.timeout, settings.project_update_seconds) {
            None => found.await.into(),
            Some(seconds) => match tokio::time::timeout(Duration::from_secs(seconds), found).await {
                Ok(found) => found.into(),
                Err(_) => Outcome::TimedOut,
            },
        }
    }

    /// Fetches the repository and looks at its files.
    async fn update(&self, update: &Update, settings: &JobSettings) -> Result<Found, Failure> {
        let source = self.source(update).await?.environment(settings.update_environment.clone());
        let mode = if update.delete_on_update { FetchMode::Everything } else { FetchMode::Changes };
        let (project, id) = (update.project, update.id);
        let on_line = |line: &str| tracing::debug!(job = id, project, "{line}");
        let commit = self.projects.update(project, &source, mode, &on_line).await.map_err(Failure::Fetch)?;
        let checkout = self.projects.checkout(project, &source, &commit, &holder(id), &on_line).await;
        self.examine(update, settings, &source, checkout.map_err(Failure::Fetch)?).await
    }

    async fn source(&self, update: &Update) -> Result<GitSource, Failure> {
        if update.scm_type != "git" {
            return Err(Failure::Type(update.scm_type.clone()));
        }
        let invalid = |error| Failure::Fetch(ProjectError::from(error));
        let mut source = self.projects.source(&update.scm_url).map_err(invalid)?;
        source = source
            .branch(&update.scm_branch)
            .and_then(|source| source.refspec(&update.scm_refspec))
            .map_err(invalid)?;
        if let Some(credential) = update.credential {
            let credential = git_credential(&self.database, &self.vault, credential).await?;
            source = source.credential(credential).map_err(invalid)?;
        }
        Ok(source.track_submodules(update.track_submodules))
    }

    async fn examine(
        &self,
        update: &Update,
        settings: &JobSettings,
        source: &GitSource,
        checkout: Checkout,
    ) -> Result<Found, Failure> {
        let installed = self.install_requirements(update, settings, source, &checkout).await?;
        let follows_links = settings.follows_links;
        let (path, commit) = (checkout.path.clone(), checkout.commit.clone());
        let lists =
            move || (hostler_projects::playbooks(&path, follows_links), hostler_projects::inventory_files(&path));
        // It fails only if it panics, or while the runtime ends.
        let (playbooks, inventory_files) = tokio::task::spawn_blocking(lists).await.unwrap_or_default();
        Ok(Found { commit, playbooks, inventory_files, installed })
    }

    /// Installs what the requirements files name. Without Galaxy credentials of the organization nothing is installed, as
    /// in AWX.
    async fn install_requirements(
        &self,
        update: &Update,
        settings: &JobSettings,
        source: &GitSource,
        checkout: &Checkout,
    ) -> Result<Vec<String>, Failure> {
        let servers = galaxy_servers(&self.database, &self.vault, update.organization).await?;
        if servers.is_empty() {
            return Ok(vec![]);
        }
        let galaxy = galaxy((self.ansible_galaxy)(), servers, settings);
        let lines = std::sync::Mutex::new(Vec::new());
        let on_line =
            |line: &str| lines.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(line.to_owned());
        let installed = self.projects.install_requirements(checkout, source, &galaxy, &on_line).await;
        installed.map_err(Failure::Requirements)?;
        Ok(lines.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Removes the checkouts that neither a job nor the new commit needs.
    async fn remove_unused(&self, update: &Update, outcome: &Outcome) {
        let Outcome::Found(found) = outcome else { return };
        if let Err(problem) = self.projects.remove_unused(update.project, &[&found.commit]).await {
            tracing::warn!(job = update.id, "unused checkouts could not be removed: {problem}");
        }
    }
}

/// The name under which an update holds a checkout.
fn holder(update: i64) -> String {
    format!("update-{update}")
}

/// The error of an executor whose events cannot be written.
pub(crate) fn cannot_write(error: EventError) -> ExecutorError {
    ExecutorError(error.to_string())
}
