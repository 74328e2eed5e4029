//! The files of a job's project.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hostler_project_updates::{CredentialError, galaxy, galaxy_servers, git_credential};
use hostler_projects::{
    Checkout, Error as ProjectError, FetchMode, GitCredential, GitSource, InvalidField, OnLine, Requirements,
    manual_folder,
};
use hostler_schema::JobSettings;
use hostler_supervisor::AnsibleInstallation;

use crate::ansible::GALAXY;
use crate::job_directory::{Held, JobDirectory, blocking, holder};
use crate::job_row::{JobRow, Project};
use crate::preparation::Refusal;
use crate::runner::Runner;

/// The columns of a project that say where its files come from.
#[derive(Clone, Debug)]
pub(crate) struct SourceColumns {
    pub url: String,
    pub branch: String,
    pub refspec: String,
    pub track_submodules: bool,
    pub credential: Option<i64>,
}

/// What a job gets of its project.
pub(crate) struct ProjectFiles {
    /// The folder in which it starts.
    pub folder: PathBuf,
    /// The commit; empty for a manual project.
    pub revision: String,
    pub held: Held,
    /// The folders that the job must see.
    pub visible: Vec<PathBuf>,
    /// Where required roles and collections are.
    pub environment: BTreeMap<String, String>,
}

impl ProjectFiles {
    /// No files: an ad hoc command starts in its workspace.
    pub fn none(workspace: PathBuf) -> Self {
        ProjectFiles {
            folder: workspace,
            revision: String::new(),
            held: Held::default(),
            visible: vec![],
            environment: BTreeMap::new(),
        }
    }
}

impl Runner {
    /// The files for a job. If its revision is not on this machine, it is fetched.
    pub(crate) async fn project_files(
        &self,
        job: &JobRow,
        directory: &JobDirectory,
        ansible: &AnsibleInstallation,
        settings: &JobSettings,
    ) -> Result<ProjectFiles, Refusal> {
        let project = job.project.as_ref().ok_or_else(|| Refusal::error("The project of the job was deleted."))?;
        match project.scm_type.as_str() {
            "" => self.manual_files(project).await,
            "git" => self.git_files(job, project, directory, ansible, settings).await,
            kind => Err(Refusal::error(format!("Projects of the type {kind} are not implemented yet."))),
        }
    }

    async fn manual_files(&self, project: &Project) -> Result<ProjectFiles, Refusal> {
        let (root, path) = (self.options.manual_projects.clone(), project.local_path.clone());
        let found = blocking(move || Ok(manual_folder(&root, &path))).await.map_err(Refusal::error)?;
        let folder = found.map_err(|problem| Refusal::failed(format!("The folder of the project: {problem}")))?;
        Ok(ProjectFiles {
            visible: vec![folder.clone()],
            folder,
            revision: String::new(),
            held: Held::default(),
            environment: BTreeMap::new(),
        })
    }

    async fn git_files(
        &self,
        job: &JobRow,
        project: &Project,
        directory: &JobDirectory,
        ansible: &AnsibleInstallation,
        settings: &JobSettings,
    ) -> Result<ProjectFiles, Refusal> {
        let mut columns = project.source.clone();
        let has_own_branch = !job.branch.is_empty() && job.branch != columns.branch;
        if has_own_branch {
            columns.branch.clone_from(&job.branch);
        }
        let credential = match columns.credential {
            Some(id) => Some(git_credential(&self.database, &self.vault, id).await.map_err(of_project)?),
            None => None,
        };
        let source = self.source(&columns, credential);
        let source = source.map_err(|problem| Refusal::failed(format!("The project of the job: {problem}")))?;
        let source = source.environment(settings.update_environment.clone());
        let job_id = job.id;
        let log = move |line: &str| tracing::debug!(job = job_id, line, "the project is fetched");
        let failed = |problem: ProjectError| Refusal::error(format!("The project of the job: {problem}"));
        let mut revision = project.revision.clone();
        if has_own_branch || revision.is_empty() {
            revision = self.projects.update(project.id, &source, FetchMode::Changes, &log).await.map_err(failed)?;
        }
        // Written first, so that a server that is killed now leaves no holder behind.
        let held = Held { project: Some(project.id) };
        let path = directory.clone();
        blocking(move || path.create(&held)).await.map_err(Refusal::error)?;
        let holder = directory.holder();
        let checkout = match self.projects.checkout(project.id, &source, &revision, &holder, &log).await {
            Err(ProjectError::NotFetched(_)) => {
                self.projects.update(project.id, &source, FetchMode::Changes, &log).await.map_err(failed)?;
                self.projects.checkout(project.id, &source, &revision, &holder, &log).await
            }
            checkout => checkout,
        };
        let checkout = checkout.map_err(failed)?;
        let mut visible = vec![checkout.path.clone()];
        let mut environment = BTreeMap::new();
        let required = self.required(project, &checkout, &source, ansible, settings, &log).await?;
        for (name, folder) in
            [("ANSIBLE_ROLES_PATH", required.roles), ("ANSIBLE_COLLECTIONS_PATH", required.collections)]
        {
            if let Some(folder) = folder {
                environment.insert(name.to_owned(), folder.display().to_string());
                visible.push(folder);
            }
        }
        Ok(ProjectFiles {
            folder: checkout.path,
            revision: checkout.commit,
            held: Held { project: Some(project.id) },
            visible,
            environment,
        })
    }

    fn source(&self, columns: &SourceColumns, credential: Option<GitCredential>) -> Result<GitSource, InvalidField> {
        let source = self.projects.source(&columns.url)?.branch(&columns.branch)?.refspec(&columns.refspec)?;
        let source = source.track_submodules(columns.track_submodules);
        match credential {
            Some(credential) => source.credential(credential),
            None => Ok(source),
        }
    }

    /// Installs what the project requires, unless it is installed for this checkout. As in AWX, nothing is installed
    /// without Galaxy credentials of the organization.
    async fn required(
        &self,
        project: &Project,
        checkout: &Checkout,
        source: &GitSource,
        ansible: &AnsibleInstallation,
        settings: &JobSettings,
        on_line: OnLine<'_>,
    ) -> Result<Requirements, Refusal> {
        let servers = galaxy_servers(&self.database, &self.vault, project.organization).await.map_err(of_project)?;
        if servers.is_empty() {
            return Ok(Requirements::default());
        }
        let galaxy = galaxy(ansible.ansible_playbook.with_file_name(GALAXY), servers, settings);
        let installed = self.projects.install_requirements(checkout, source, &galaxy, on_line).await;
        installed.map_err(|problem| Refusal::error(format!("The requirements of the project: {problem}")))
    }

    /// Gives back the files that a job used.
    pub(crate) async fn release(&self, project: i64, job: i64) {
        if let Err(problem) = self.projects.release(project, &holder(job)).await {
            tracing::warn!(job, project, %problem, "the files of the project are still held");
        }
    }
}

fn of_project(problem: CredentialError) -> Refusal {
    match problem {
        CredentialError::Database(problem) => problem.into(),
        problem => Refusal::error(format!("The project of the job: {problem}")),
    }
}
