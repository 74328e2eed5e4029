//! The settings of jobs, of their output and of bulk operations.

use std::collections::BTreeMap;

/// When extra variables may contain templates: `ALLOW_JINJA_IN_EXTRA_VARS`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Templating {
    /// All of them.
    Always,
    /// None.
    Never,
    /// Those of job templates.
    #[default]
    InTemplates,
}

/// A file or folder of the machine that isolated jobs see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownPath {
    /// Its path on the machine.
    pub source: String,
    /// Its path for the job.
    pub destination: String,
    /// Whether jobs can change it.
    pub is_writable: bool,
}

/// The values of the settings that jobs and bulk operations read. A limit of seconds is 0 for none.
#[derive(Clone, Debug, Default)]
pub struct JobSettings {
    /// The modules of ad hoc commands: `AD_HOC_COMMANDS`.
    pub ad_hoc_modules: Vec<String>,
    /// When extra variables may contain templates.
    pub templating: Templating,
    /// `AWX_ISOLATION_SHOW_PATHS`.
    pub shown_paths: Vec<ShownPath>,
    /// The environment variables of jobs: `AWX_TASK_ENV`.
    pub environment: BTreeMap<String, String>,
    /// Those of them that updates of projects get.
    pub update_environment: BTreeMap<String, String>,
    /// The environment variables of ansible-galaxy: `GALAXY_TASK_ENV`.
    pub galaxy_environment: BTreeMap<String, String>,
    /// Whether ansible-galaxy prints more: `PROJECT_UPDATE_VVV`.
    pub galaxy_is_verbose: bool,
    /// Whether ansible-galaxy accepts any certificate: `GALAXY_IGNORE_CERTS`.
    pub galaxy_ignores_certificates: bool,
    /// Whether required roles are installed: `AWX_ROLES_ENABLED`.
    pub installs_roles: bool,
    /// Whether required collections are installed: `AWX_COLLECTIONS_ENABLED`.
    pub installs_collections: bool,
    /// Whether folders behind links are searched for playbooks: `AWX_SHOW_PLAYBOOK_LINKS`.
    pub follows_links: bool,
    /// The most bytes of output in a response: `STDOUT_MAX_BYTES_DISPLAY`.
    pub stdout_bytes: usize,
    /// The most characters of the output of an event in a list, 0 for any number: `EVENT_STDOUT_MAX_BYTES_DISPLAY`.
    pub event_stdout_characters: usize,
    /// Folders of further callback plugins: `AWX_ANSIBLE_CALLBACK_PLUGINS`.
    pub callback_plugins: Vec<String>,
    /// The time limit of jobs whose template has none: `DEFAULT_JOB_TIMEOUT`.
    pub job_seconds: u64,
    /// How long a job may print nothing: `DEFAULT_JOB_IDLE_TIMEOUT`.
    pub idle_seconds: u64,
    /// The time limit of updates of projects that have none: `DEFAULT_PROJECT_UPDATE_TIMEOUT`.
    pub project_update_seconds: u64,
    /// The time limit of updates of inventories that have none: `DEFAULT_INVENTORY_UPDATE_TIMEOUT`.
    pub inventory_update_seconds: u64,
    /// How long stored facts are used: `ANSIBLE_FACT_CACHE_TIMEOUT`.
    pub fact_seconds: u64,
    /// The most forks of a job, 0 for any number: `MAX_FORKS`.
    pub most_forks: i64,
    /// The most jobs of a bulk launch: `BULK_JOB_MAX_LAUNCH`.
    pub most_bulk_jobs: usize,
    /// The most hosts that are created at once: `BULK_HOST_MAX_CREATE`.
    pub most_created_hosts: usize,
    /// The most hosts that are deleted at once: `BULK_HOST_MAX_DELETE`.
    pub most_deleted_hosts: usize,
}

impl JobSettings {
    /// The time limit of a job with this value of `timeout`: 0 stands for the default, a negative one for no limit.
    pub fn time_limit(timeout: i64, default: u64) -> Option<u64> {
        let seconds = if timeout == 0 { default } else { u64::try_from(timeout).unwrap_or_default() };
        (seconds > 0).then_some(seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_time_limit_takes_precedence() {
        for (timeout, default, limit) in
            [(0, 0, None), (0, 5, Some(5)), (7, 5, Some(7)), (-1, 5, None), (i64::MIN, 0, None)]
        {
            assert_eq!(JobSettings::time_limit(timeout, default), limit, "{timeout} {default}");
        }
    }
}
