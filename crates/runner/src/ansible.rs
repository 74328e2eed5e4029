//! Finding Ansible, and installing it into the data folder.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hostler_database::Error as DatabaseError;
use hostler_queue::Status;
use hostler_supervisor::AnsibleInstallation;
use sea_query::{Alias, Expr, ExprTrait, Query};
use tokio::sync::Mutex;

use crate::job_directory::blocking;
use crate::preparation::Refusal;
use crate::runner::Runner;

/// The folder of the virtual environment in the data folder.
const FOLDER: &str = "ansible";
/// The file that is written when the installation is complete.
const COMPLETE: &str = "hostler-complete";
/// The program for roles and collections.
pub(crate) const GALAXY: &str = "ansible-galaxy";
/// How long a failed installation is not tried again.
const PAUSE: Duration = Duration::from_secs(60);

/// The version of ansible-core that is installed for a minor version of Python 3, which both versions support.
const fn version(minor: u32) -> Option<&'static str> {
    match minor {
        0..10 => None,
        10..=12 => Some("2.16.19"),
        _ => Some("2.18.19"),
    }
}

/// The Ansible of this server.
pub struct Ansible {
    /// The program that an administrator chose.
    chosen: Option<PathBuf>,
    data: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    found: Option<Arc<AnsibleInstallation>>,
    /// The last attempt to install it.
    failed: Option<(Instant, InstallError)>,
}

/// Why Ansible could not be installed, and what to do.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct InstallError(String);

impl Ansible {
    /// The Ansible of a server with this data folder: the chosen program, or else the one in the data folder, or else the
    /// one in PATH.
    pub fn new(chosen: Option<PathBuf>, data: PathBuf) -> Self {
        Ansible { chosen, data, state: Mutex::default() }
    }

    /// Looks for it.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn find(&self) -> Result<Arc<AnsibleInstallation>, String> {
        let mut state = self.state.lock().await;
        self.find_in(&mut state).await
    }

    async fn find_in(&self, state: &mut State) -> Result<Arc<AnsibleInstallation>, String> {
        if let Some(found) = state.found.as_ref().filter(|found| found.ansible_playbook.exists()) {
            return Ok(Arc::clone(found));
        }
        let program = self.chosen.clone().or_else(|| installed(&self.data));
        let search = move || AnsibleInstallation::find(program.as_deref()).map_err(|problem| problem.to_string());
        let found = Arc::new(blocking(search).await?);
        tracing::info!(version = found.version, program = %found.ansible_playbook.display(), "jobs use this Ansible");
        state.found = Some(Arc::clone(&found));
        Ok(found)
    }

    /// The program `ansible-galaxy` beside it; the one in PATH if it is not known where.
    pub(crate) fn galaxy(&self) -> PathBuf {
        let program = self.chosen.clone().or_else(|| installed(&self.data));
        program.map_or_else(|| PathBuf::from(GALAXY), |program| program.with_file_name(GALAXY))
    }

    /// Whether it is installed if there is none.
    fn is_installed_on_demand(&self) -> bool {
        self.chosen.is_none()
    }

    /// Looks for it, and installs it if there is none. All callers wait for the same installation.
    async fn find_or_install(&self) -> Result<Arc<AnsibleInstallation>, String> {
        let mut state = self.state.lock().await;
        if let Ok(found) = self.find_in(&mut state).await {
            return Ok(found);
        }
        if let Some((_, problem)) = state.failed.as_ref().filter(|(time, _)| time.elapsed() < PAUSE) {
            return Err(problem.to_string());
        }
        tracing::info!("installing Ansible into the data folder");
        let data = self.data.clone();
        let installed =
            tokio::task::spawn_blocking(move || install(&data, &|line| tracing::info!(line, "installing Ansible")));
        let installed = installed.await.unwrap_or_else(|problem| Err(InstallError(problem.to_string())));
        if let Err(problem) = installed {
            tracing::error!(%problem, "Ansible cannot be installed");
            state.failed = Some((Instant::now(), problem.clone()));
            return Err(problem.to_string());
        }
        self.find_in(&mut state).await
    }
}

impl Runner {
    /// The Ansible for a job, which waits if it has to be installed first.
    pub(crate) async fn ansible_for(&self, job: i64) -> Result<Arc<AnsibleInstallation>, Refusal> {
        let problem = match self.ansible.find().await {
            Ok(found) => return Ok(found),
            Err(problem) => problem,
        };
        if !self.ansible.is_installed_on_demand() {
            return Err(Refusal::error(format!("The Ansible of the option --ansible cannot be used: {problem}.")));
        }
        self.explain(job, "Ansible is being installed on this server.").await?;
        self.ansible.find_or_install().await.map_err(Refusal::error)
    }

    /// Says why a job waits.
    async fn explain(&self, job: i64, explanation: &str) -> Result<(), DatabaseError> {
        let update = Query::update()
            .table(Alias::new("unified_jobs"))
            .value(Alias::new("job_explanation"), explanation)
            .and_where(Expr::col(Alias::new("id")).eq(job))
            .and_where(Expr::col(Alias::new("status")).eq(Status::Waiting.as_str()))
            .to_owned();
        let mut tx = self.database.begin().await?;
        tx.execute_inline(&update).await?;
        tx.commit().await
    }
}

/// The program of a complete installation in the data folder.
fn installed(data: &Path) -> Option<PathBuf> {
    let folder = data.join(FOLDER);
    folder.join(COMPLETE).exists().then(|| folder.join("bin/ansible-playbook"))
}

/// Installs Ansible into the data folder, unless it is installed there, and returns its program. `on_line` gets what is
/// printed meanwhile. It takes a minute, and needs the network.
///
/// # Errors
/// [`InstallError`].
pub fn install(data: &Path, on_line: &dyn Fn(&str)) -> Result<PathBuf, InstallError> {
    let data = data.canonicalize().map_err(|problem| failed(&format!("{}: {problem}", data.display())))?;
    // Another server, or the command, may do the same.
    let lock = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(data.join("ansible.lock"));
    let lock = lock.map_err(|problem| failed(&problem.to_string()))?;
    lock.lock().map_err(|problem| failed(&problem.to_string()))?;
    if let Some(program) = installed(&data) {
        return Ok(program);
    }
    let minor = python_minor_version()?;
    let version = version(minor)
        .ok_or_else(|| failed(&format!("Ansible needs Python 3.10 or newer, but python3 is Python 3.{minor}")))?;
    let folder = data.join(FOLDER);
    if folder.exists() {
        // An installation that was interrupted.
        fs::remove_dir_all(&folder).map_err(|problem| failed(&problem.to_string()))?;
    }
    on_line(&format!("Installing ansible-core {version} into {}", folder.display()));
    run(Command::new("python3").args(["-m", "venv"]).arg(&folder), &lock, on_line)?;
    let pip =
        ["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--timeout", "15", "--retries", "2"];
    run(Command::new(folder.join("bin/python")).args(pip).arg(format!("ansible-core=={version}")), &lock, on_line)?;
    let program = folder.join("bin/ansible-playbook");
    let found = AnsibleInstallation::find(Some(&program)).map_err(|problem| failed(&problem.to_string()))?;
    fs::write(folder.join(COMPLETE), &found.version).map_err(|problem| failed(&problem.to_string()))?;
    on_line(&format!("Installed ansible-core {}", found.version));
    Ok(program)
}

/// The Y of the Python 3.Y in PATH.
fn python_minor_version() -> Result<u32, InstallError> {
    let output =
        Command::new("python3").args(["-c", "import sys; print(sys.version_info[1])"]).stdin(Stdio::null()).output();
    let output = output.map_err(|_| failed("there is no python3"))?;
    String::from_utf8_lossy(&output.stdout).trim().parse().map_err(|_| failed("python3 does not run"))
}

/// Runs a program, and passes on what it prints. The program inherits the lock as its empty input: it may outlive this process.
fn run(command: &mut Command, lock: &File, on_line: &dyn Fn(&str)) -> Result<(), InstallError> {
    let (output, input) = std::io::pipe().map_err(|problem| failed(&problem.to_string()))?;
    let errors = input.try_clone().map_err(|problem| failed(&problem.to_string()))?;
    let lock = lock.try_clone().map_err(|problem| failed(&problem.to_string()))?;
    let child = command.stdin(lock).stdout(input).stderr(errors).spawn();
    let mut child = child.map_err(|problem| failed(&problem.to_string()))?;
    // It has copies of the pipe's ends, which would keep it open.
    *command = Command::new("true");
    let mut last = String::new();
    for line in BufReader::new(output).lines().map_while(Result::ok).filter(|line| !line.trim().is_empty()) {
        on_line(&line);
        last = line;
    }
    match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(failed(&last)),
        Err(problem) => Err(failed(&problem.to_string())),
    }
}

/// The error with what to do about it.
fn failed(problem: &str) -> InstallError {
    InstallError(format!(
        "Ansible is not installed on this server, and could not be installed: {}. Install ansible-core 2.16 or newer, or \
         run hostler ansible install on a server with a network, or name the program with --ansible.",
        problem.trim_end_matches('.')
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_fits_python() {
        assert_eq!(version(9), None);
        assert!(version(10).is_some() && version(13).is_some());
    }

    #[test]
    fn incomplete_installation_is_none() {
        let data = tempfile::tempdir().unwrap();
        let program = data.path().join("ansible/bin/ansible-playbook");
        fs::create_dir_all(program.parent().unwrap()).unwrap();
        assert_eq!(installed(data.path()), None);
        fs::write(data.path().join("ansible").join(COMPLETE), "").unwrap();
        assert_eq!(installed(data.path()), Some(program));
    }
}
