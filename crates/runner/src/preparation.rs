//! Prepares a job: everything that Ansible gets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hostler_database::Error as DatabaseError;
use hostler_inventory::{Script, ScriptError, ScriptOptions, Slice};
use hostler_queue::{JobKind, Status};
use hostler_schema::JobSettings;
use hostler_supervisor::{
    AdHocCommand, AnsibleInstallation, AnsibleOptions, Isolation, JobDescription, Playbook, Program, Secrets,
};
use zeroize::Zeroizing;

use crate::credentials::{JobCredentials, MASK};
use crate::environment::{environment_of_settings, job_environment};
use crate::facts::{self, FactHost};
use crate::inventory_file::inventory_file;
use crate::job_directory::{Held, JobDirectory, blocking};
use crate::job_row::JobRow;
use crate::project_files::ProjectFiles;
use crate::runner::Runner;
use crate::variables::extra_variables;

/// Seconds between SIGINT and SIGKILL when a job is stopped.
pub(crate) const CANCEL_GRACE: u64 = 10;
/// Seconds that a job waits for space on a full disk.
pub(crate) const DISK_FULL_WAIT: u64 = 60;

/// Why a job is not started: how it ends, and the sentence for users, without secrets.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub status: Status,
    pub explanation: String,
    /// Set if the database did not answer: a later attempt may succeed.
    pub database: Option<DatabaseError>,
}

impl Refusal {
    /// Something of the job itself is wrong.
    pub fn failed(explanation: impl Into<String>) -> Self {
        Refusal { status: Status::Failed, explanation: explanation.into(), database: None }
    }

    /// The server cannot run it.
    pub fn error(explanation: impl Into<String>) -> Self {
        Refusal { status: Status::Error, explanation: explanation.into(), database: None }
    }
}

impl From<DatabaseError> for Refusal {
    fn from(problem: DatabaseError) -> Self {
        let explanation = format!("The job could not be prepared: {problem}.");
        Refusal { database: problem.is_temporary().then_some(problem), ..Refusal::error(explanation) }
    }
}

/// What is stored of a job when it runs, without secrets.
#[derive(Clone, Debug)]
pub(crate) struct JobRecord {
    /// The command line as a JSON list.
    pub arguments: String,
    pub working_directory: String,
    /// The environment as a JSON object.
    pub environment: String,
    /// The commit of the project; empty for a manual project.
    pub revision: String,
}

/// A job that can be started.
pub(crate) struct Prepared {
    pub description: JobDescription,
    pub secrets: Secrets,
    pub record: JobRecord,
    /// Files in the directory of the job, by name.
    pub files: Vec<(String, Zeroizing<Vec<u8>>)>,
    pub held: Held,
    /// The hosts of other inventories that the job runs on, by name, if its inventory is no ordinary one.
    pub hosts_of_others: Option<BTreeMap<String, i64>>,
}

impl Prepared {
    /// Writes the files of the job.
    pub fn write(&self, directory: &JobDirectory) -> Result<(), String> {
        directory.create(&self.held)?;
        if let Some(hosts) = &self.hosts_of_others {
            directory.write_hosts(hosts)?;
        }
        self.description.write(directory.path()).map_err(|problem| problem.to_string())?;
        self.files.iter().try_for_each(|(name, content)| directory.write(name, content).map(drop))
    }
}

impl Runner {
    /// Prepares a job. Nothing is written into its directory but what the job holds, and facts of hosts.
    pub(crate) async fn prepare(&self, job: &JobRow, directory: &JobDirectory) -> Result<Prepared, Refusal> {
        match job.kind {
            JobKind::InventoryUpdate => self.prepare_inventory_update(job, directory).await,
            JobKind::Job | JobKind::ProjectUpdate | JobKind::AdHocCommand => self.prepare_ansible(job, directory).await,
        }
    }

    /// Prepares the run of a playbook, or an ad hoc command.
    async fn prepare_ansible(&self, job: &JobRow, directory: &JobDirectory) -> Result<Prepared, Refusal> {
        check_limit(&job.limit)?;
        let inventory = job.inventory.as_ref();
        let inventory = inventory.ok_or_else(|| Refusal::error("The inventory of the job was deleted."))?;
        let settings = self.settings.read().await?;
        let ansible = self.ansible_for(job.id).await?;
        let is_ad_hoc = job.kind == JobKind::AdHocCommand;
        let files = match is_ad_hoc {
            true => ProjectFiles::none(workspace(directory)),
            false => self.project_files(job, directory, &ansible, &settings).await?,
        };
        let ProjectFiles { folder, revision, held, visible, environment: required } = files;
        let program = match is_ad_hoc {
            true => beside(&ansible, AD_HOC_PROGRAM).await?,
            false => {
                check_playbook(&folder, &job.playbook).await?;
                ansible.ansible_playbook.clone()
            }
        };
        let credentials = self.job_credentials(job, &workspace(directory)).await?;

        let options = ScriptOptions { hostvars: true, towervars: true, slice: slice(job), ..ScriptOptions::default() };
        let Script { document, hosts_of_others } = self.inventory_script(inventory.id, options).await?;
        let fact_hosts = match job.keeps_facts {
            true => facts::hosts_of(&document, hosts_of_others.as_ref()),
            false => vec![],
        };
        let inventory_text = blocking(move || inventory_file(document)).await.map_err(Refusal::failed)?;
        let answers = self.job_secrets(job.id, "survey_passwords", &job.survey_passwords)?;
        let variables = extra_variables(job, &revision, answers, &credentials.variables, settings.templating)
            .map_err(Refusal::failed)?;

        let mut files = credentials.files;
        let workspace = workspace(directory);
        let mut file = |name: &str, content: String| {
            files.push((format!("workspace/{name}"), Zeroizing::new(content.into_bytes())));
            workspace.join(name)
        };
        let inventory_path = file("inventory.json", inventory_text);
        let variables_path = file("extra_variables.yml", variables);
        let options = AnsibleOptions {
            program,
            inventories: vec![inventory_path],
            forks: forks(job.forks, settings.most_forks),
            verbosity: job.verbosity.clamp(0, 5).try_into().unwrap_or_default(),
            check: job.job_type == "check",
            diff: job.diff,
            r#become: job.use_become,
            become_method: if job.use_become { credentials.become_method } else { String::new() },
            become_user: if job.use_become { credentials.become_user } else { String::new() },
            remote_user: credentials.remote_user,
            extra_variables: Some(variables_path),
        };
        let (program, command_line) = program_of(job, options);
        let arguments = serde_json::to_string(&command_line).unwrap_or_default();
        let (mut environment, own_secrets) = environment_of_settings(&settings);
        environment.extend(job_environment(job, inventory.id, &revision, &workspace));
        environment.extend(required);
        environment.extend(credentials.public_environment);
        let mut secrets = credentials.secrets;
        let mut masked = credentials.masked_environment;
        for (name, value) in own_secrets.into_iter().filter(|(name, _)| !environment.contains_key(name)) {
            masked.insert(name.clone(), MASK.to_owned());
            secrets.environment.entry(name).or_insert(value);
        }
        let shown: BTreeMap<&String, &String> = environment.iter().chain(&masked).collect();
        let record = JobRecord {
            arguments,
            working_directory: folder.display().to_string(),
            environment: serde_json::to_string(&shown).unwrap_or_default(),
            revision,
        };
        let isolation: Isolation = self.isolation.of_job(&self.options.data, &ansible, visible, &settings)?;
        let description = JobDescription {
            program,
            working_directory: folder,
            environment,
            // As in AWX, the setting is for runs of playbooks only.
            timeout: JobSettings::time_limit(job.timeout, if is_ad_hoc { 0 } else { settings.job_seconds }),
            idle_timeout: (settings.idle_seconds > 0).then_some(settings.idle_seconds),
            largest_file: None,
            cancel_grace: CANCEL_GRACE,
            disk_full_wait: DISK_FULL_WAIT,
            isolation,
        };
        if !job.use_become {
            secrets.become_password = None;
        }
        if job.keeps_facts {
            self.give_facts(directory, &held, fact_hosts, settings.fact_seconds).await?;
        }
        Ok(Prepared { description, secrets, record, files, held, hosts_of_others })
    }

    /// The inventory with this id.
    pub(crate) async fn inventory_script(&self, id: i64, options: ScriptOptions) -> Result<Script, Refusal> {
        let script = hostler_inventory::script(&self.database, &*self.options.smart_inventories, id, options).await;
        script.map_err(|problem| match problem {
            ScriptError::Database(problem) => Refusal::from(problem),
            problem => Refusal::error(format!("The inventory cannot be used: {problem}.")),
        })
    }

    /// Writes the stored facts of hosts for Ansible.
    pub(crate) async fn give_facts(
        &self,
        directory: &JobDirectory,
        held: &Held,
        hosts: Vec<FactHost>,
        seconds: u64,
    ) -> Result<(), Refusal> {
        directory.create(held).map_err(Refusal::error)?;
        let given = facts::give(&self.database, directory, hosts, seconds, (self.clock)()).await?;
        given.map_err(|problem| Refusal::error(format!("The facts of the hosts cannot be written: {problem}")))
    }
}

/// The program of ad hoc commands, beside `ansible-playbook`.
const AD_HOC_PROGRAM: &str = "ansible";

/// A program that is installed beside `ansible-playbook`.
pub(crate) async fn beside(ansible: &AnsibleInstallation, name: &str) -> Result<PathBuf, Refusal> {
    let program = ansible.ansible_playbook.with_file_name(name);
    let found = program.clone();
    match blocking(move || Ok(found.is_file())).await.map_err(Refusal::error)? {
        true => Ok(program),
        false => Err(Refusal::error(format!("The program {name} is not installed beside ansible-playbook."))),
    }
}

/// The file itself could be replaced by a link later, in a manual project.
async fn check_playbook(folder: &Path, playbook: &str) -> Result<(), Refusal> {
    let (folder, playbook) = (folder.to_owned(), playbook.to_owned());
    let checked = blocking(move || Ok(hostler_projects::playbook(&folder, &playbook)));
    checked.await.map_err(Refusal::error)?.map_err(|problem| Refusal::failed(problem.to_string()))?;
    Ok(())
}

/// What a job runs, and its command line without the options that pass secrets.
fn program_of(job: &JobRow, options: AnsibleOptions) -> (Program, Vec<String>) {
    if job.kind == JobKind::AdHocCommand {
        let (module, arguments) = job.module.clone();
        let pattern = if job.limit.is_empty() { "all".to_owned() } else { job.limit.clone() };
        let command = AdHocCommand { options, module, arguments, pattern };
        let command_line = command.command_line();
        return (Program::AdHocCommand(Box::new(command)), command_line);
    }
    let playbook = Playbook {
        options,
        playbook: job.playbook.clone(),
        limit: job.limit.clone(),
        tags: job.tags.clone(),
        skip_tags: job.skip_tags.clone(),
        start_at_task: job.start_at_task.clone(),
        force_handlers: job.force_handlers,
    };
    let command_line = playbook.command_line();
    (Program::Playbook(Box::new(playbook)), command_line)
}

/// What the job may see and change of its directory.
pub(crate) fn workspace(directory: &JobDirectory) -> PathBuf {
    directory.path().join("workspace")
}

/// Ansible would read a file with patterns, also one of the server.
pub(crate) fn check_limit(limit: &str) -> Result<(), Refusal> {
    // Ansible splits a limit at white space, commas, colons, and brackets without their other half.
    let splits = |c: char| c.is_whitespace() || c.is_control() || matches!(c, ',' | ':' | '[' | ']');
    if limit.split(splits).any(|pattern| pattern.starts_with('@')) {
        return Err(Refusal::failed("The limit must not name a file."));
    }
    Ok(())
}

/// How many hosts Ansible works on at the same time; 0 for its default.
fn forks(wanted: i64, most: i64) -> u32 {
    let forks = if most > 0 { wanted.min(most) } else { wanted };
    forks.try_into().unwrap_or_default()
}

fn slice(job: &JobRow) -> Option<Slice> {
    let (number, count) = (usize::try_from(job.slice_number).ok()?, usize::try_from(job.slice_count).ok()?);
    (number > 0 && count > 1).then_some(Slice { number, count })
}

/// The credentials of a job that has none.
impl Default for JobCredentials {
    fn default() -> Self {
        JobCredentials {
            secrets: Secrets::default(),
            remote_user: String::new(),
            become_method: String::new(),
            become_user: String::new(),
            public_environment: BTreeMap::new(),
            masked_environment: BTreeMap::new(),
            variables: serde_json::Map::new(),
            files: vec![],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forks_are_limited() {
        for (wanted, most, forks_of_job) in [(0, 200, 0), (5, 200, 5), (500, 200, 200), (500, 0, 500), (-1, 200, 0)] {
            assert_eq!(forks(wanted, most), forks_of_job, "{wanted} {most}");
        }
    }

    #[test]
    fn limits_that_name_files_are_refused() {
        for limit in [
            "@/etc/passwd",
            "a,@x",
            "a:@x",
            "a, @x",
            "a\r@x",
            "a\x0b@x",
            "a\x1c@x",
            "a\u{2003}@x",
            "a]@x",
            "[@x",
            "a[0]@x",
        ] {
            assert!(check_limit(limit).is_err(), "{limit:?}");
        }
        for limit in ["", "a:!b:&c", "~(web|db).*", "user@host", "a[0:2],b"] {
            assert!(check_limit(limit).is_ok(), "{limit}");
        }
    }
}
