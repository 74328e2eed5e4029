//! The executor of jobs.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, lchown};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use hostler_database::Database;
use hostler_projects::{ProjectOptions, Projects};
use hostler_resources::SmartHosts;
use hostler_runner::{Ansible, Clock, IsolationMode, ReadJobSettings, Runner, RunnerOptions};
use hostler_schema::JobSettings;
use hostler_server::App;
use hostler_settings::Settings;

use crate::demo;
use crate::options::{IsolationOption, JobOptions};

/// The folder of the projects, in the data folder.
const PROJECTS: &str = "projects";
/// The projects of this server. Repositories in its data folder are private, except that of the demo.
pub async fn projects(data: &Path) -> Result<Arc<Projects>> {
    let data = data.canonicalize().with_context(|| format!("{} cannot be used", data.display()))?;
    let options = ProjectOptions {
        allow_file: true,
        private_folders: vec![data.clone()],
        shared_folders: vec![data.join(demo::FOLDER)],
        ..ProjectOptions::default()
    };
    let projects = Projects::open(data.join(PROJECTS), options).await;
    let projects = projects.context("the folder of the projects cannot be used")?;
    for path in ["", "home", "secrets", "known_hosts", "askpass"].map(|name| data.join(PROJECTS).join(name)) {
        give_to_owner(&path, &data).with_context(|| format!("{} cannot be used", path.display()))?;
    }
    Ok(Arc::new(projects))
}

/// The settings in the database.
struct StoredSettings(Database);

#[async_trait]
impl ReadJobSettings for StoredSettings {
    async fn read(&self) -> Result<Arc<JobSettings>, hostler_database::Error> {
        Ok(Settings::load(&self.0).await?.job_settings())
    }
}

/// What runs the jobs of this server, whose data folder is `data`.
pub async fn runner(app: &App, options: &JobOptions, data: &Path, projects: Arc<Projects>) -> Result<Arc<Runner>> {
    let data = data.canonicalize().with_context(|| format!("{} cannot be used", data.display()))?;
    let ansible = Arc::new(Ansible::new(options.ansible.clone(), data.clone()));
    // A newer version that replaces the program has the same path.
    let program = std::env::current_exe().context("the path of this program cannot be found")?;
    let engine = app.engine();
    let clock = Arc::clone(&engine.clock);
    let clock: Clock = Arc::new(move || clock.now());
    let isolation = match options.isolation {
        IsolationOption::Auto => IsolationMode::Auto,
        IsolationOption::Bwrap => IsolationMode::Bubblewrap,
        IsolationOption::None => IsolationMode::None,
    };
    let manual_projects = engine.manual_projects.to_path_buf();
    let of_runner = RunnerOptions {
        data,
        manual_projects,
        program,
        isolation,
        cancel_limit: RunnerOptions::CANCEL_LIMIT,
        smart_inventories: Arc::new(SmartHosts::new(Arc::clone(&engine.links), engine.database.dialect())),
    };
    let (database, vault, jobs) = (engine.database.clone(), Arc::clone(&engine.vault), engine.jobs.clone());
    let settings = Arc::new(StoredSettings(database.clone()));
    let runner = Runner::new(database, vault, clock, jobs, projects, ansible, settings, of_runner).await;
    Ok(Arc::new(runner))
}

/// Gives what root has created to the owner of the data folder, whose server must be able to use it.
fn give_to_owner(path: &Path, data: &Path) -> io::Result<()> {
    let owner = fs::metadata(data)?;
    match fs::symlink_metadata(path) {
        Ok(created) if created.uid() == 0 && owner.uid() != 0 => lchown(path, Some(owner.uid()), Some(owner.gid())),
        Err(problem) if problem.kind() != io::ErrorKind::NotFound => Err(problem),
        _ => Ok(()),
    }
}
