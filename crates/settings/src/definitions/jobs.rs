//! Settings of jobs and of their output.

use std::collections::BTreeMap;

use hostler_schema::{JobSettings, ShownPath, Templating};
use serde_json::{Value as Json, json};

use super::Category;
use super::bulk::{BULK_HOST_MAX_CREATE, BULK_HOST_MAX_DELETE, BULK_JOB_MAX_LAUNCH};
use crate::setting::Setting;
use crate::shown_paths::{SHOWN_PATHS_TYPE, shown_path};
use crate::value_type::{Messages, ValueType, message};
use crate::values::Settings;

pub(crate) const CATEGORY: Category = Category {
    slug: "jobs",
    name: "Jobs",
    settings: &[
        &AD_HOC_COMMANDS,
        &ALLOW_JINJA_IN_EXTRA_VARS,
        &AWX_ISOLATION_BASE_PATH,
        &AWX_ISOLATION_SHOW_PATHS,
        &AWX_TASK_ENV,
        &AWX_RUNNER_KEEPALIVE_SECONDS,
        &GALAXY_TASK_ENV,
        &PROJECT_UPDATE_VVV,
        &AWX_ROLES_ENABLED,
        &AWX_COLLECTIONS_ENABLED,
        &AWX_SHOW_PLAYBOOK_LINKS,
        &AWX_MOUNT_ISOLATED_PATHS_ON_K8S,
        &GALAXY_IGNORE_CERTS,
        &STDOUT_MAX_BYTES_DISPLAY,
        &EVENT_STDOUT_MAX_BYTES_DISPLAY,
        &MAX_WEBSOCKET_EVENT_RATE,
        &SCHEDULE_MAX_JOBS,
        &AWX_ANSIBLE_CALLBACK_PLUGINS,
        &DEFAULT_JOB_TIMEOUT,
        &DEFAULT_JOB_IDLE_TIMEOUT,
        &DEFAULT_INVENTORY_UPDATE_TIMEOUT,
        &DEFAULT_PROJECT_UPDATE_TIMEOUT,
        &ANSIBLE_FACT_CACHE_TIMEOUT,
        &MAX_FORKS,
        &DEFAULT_CONTAINER_RUN_OPTIONS,
    ],
};

static AD_HOC_COMMANDS: Setting = Setting::string_list("AD_HOC_COMMANDS", || {
    json!([
        "command",
        "shell",
        "yum",
        "apt",
        "apt_key",
        "apt_repository",
        "apt_rpm",
        "service",
        "group",
        "user",
        "mount",
        "ping",
        "selinux",
        "setup",
        "win_ping",
        "win_service",
        "win_updates",
        "win_group",
        "win_user",
    ])
})
.label("Ansible Modules Allowed for Ad Hoc Jobs")
.help("The modules that ad hoc commands may run.");

static ALLOW_JINJA_IN_EXTRA_VARS: Setting = Setting::choice(
    "ALLOW_JINJA_IN_EXTRA_VARS",
    &[("always", "Always"), ("never", "Never"), ("template", "Only On Job Template Definitions")],
    "template",
)
.label("When can extra variables contain Jinja templates?")
.required()
.help(
    "Which extra variables may contain Jinja expressions: all, none, or those of job templates. A user who sets such a \
     variable can run programs as the user of the job.",
);

static AWX_ISOLATION_BASE_PATH: Setting =
    Setting::derived("AWX_ISOLATION_BASE_PATH", ValueType::String { max_length: 4096 }, |_| "jobs".into())
        .defined_in_file()
        .label("Job execution path")
        .help("The folder of the directories of jobs, in the data folder of each server.");

static AWX_ISOLATION_SHOW_PATHS: Setting = Setting::custom("AWX_ISOLATION_SHOW_PATHS", &SHOWN_PATHS_TYPE, || {
    json!(["/etc/pki/ca-trust:/etc/pki/ca-trust:O", "/usr/share/pki:/usr/share/pki:O"])
})
.label("Paths to expose to isolated jobs")
.help(
    "Files and folders of the machine that isolated jobs see: PATH, PATH:PATH_IN_JOB or PATH:PATH_IN_JOB:OPTION. The \
     options O and ro keep a job from changing them; z, Z and rw do not. Those that do not exist are left out.",
);

static AWX_TASK_ENV: Setting = Setting::string_map("AWX_TASK_ENV", || json!({}))
    .label("Extra Environment Variables")
    .validator(check_environment)
    .placeholder(|| json!({"HTTP_PROXY": "myproxy.local:8080"}))
    .help(
        "Environment variables of jobs. Those of credentials take precedence. Updates of projects, which run in the \
         server, get only those for proxies and certificates.",
    );

static AWX_RUNNER_KEEPALIVE_SECONDS: Setting = Setting::integer("AWX_RUNNER_KEEPALIVE_SECONDS", 0, i64::MIN, i64::MAX)
    .label("K8S Ansible Runner Keep-Alive Message Interval")
    .required()
    .placeholder(|| json!(240))
    .help("How often a job in a container group sends a sign of life.")
    .without_effect("there are no container groups");

static GALAXY_TASK_ENV: Setting = Setting::string_map(
    "GALAXY_TASK_ENV",
    || json!({"ANSIBLE_FORCE_COLOR": "false", "GIT_SSH_COMMAND": "ssh -o StrictHostKeyChecking=no"}),
)
.label("Environment Variables for Galaxy Commands")
.required()
.validator(check_environment)
.placeholder(|| json!({"HTTP_PROXY": "myproxy.local:8080"}))
.help(
    "Environment variables of ansible-galaxy, when it installs what a project requires. It runs in the server: only \
     variables for proxies and certificates are used, ANSIBLE_FORCE_COLOR, and those that begin with ANSIBLE_GALAXY_.",
);

static PROJECT_UPDATE_VVV: Setting = Setting::boolean("PROJECT_UPDATE_VVV", false)
    .label("Run Project Updates With Higher Verbosity")
    .required()
    .help("Makes ansible-galaxy print more in updates of projects.");

static AWX_ROLES_ENABLED: Setting = Setting::boolean("AWX_ROLES_ENABLED", true)
    .label("Enable Role Download")
    .help("Installs the roles that projects require.");

static AWX_COLLECTIONS_ENABLED: Setting = Setting::boolean("AWX_COLLECTIONS_ENABLED", true)
    .label("Enable Collection(s) Download")
    .help("Installs the collections that projects require.");

static AWX_SHOW_PLAYBOOK_LINKS: Setting = Setting::boolean("AWX_SHOW_PLAYBOOK_LINKS", false)
    .label("Follow symlinks")
    .help("Searches playbooks also in folders of a project that symbolic links of it lead to.");

static AWX_MOUNT_ISOLATED_PATHS_ON_K8S: Setting = Setting::boolean("AWX_MOUNT_ISOLATED_PATHS_ON_K8S", false)
    .label("Expose host paths for Container Groups")
    .help("Whether jobs in container groups see AWX_ISOLATION_SHOW_PATHS.")
    .without_effect("there are no container groups");

static GALAXY_IGNORE_CERTS: Setting = Setting::boolean("GALAXY_IGNORE_CERTS", false)
    .label("Ignore Ansible Galaxy SSL Certificate Verification")
    .help("Accepts any certificate of Galaxy servers.");

static STDOUT_MAX_BYTES_DISPLAY: Setting = Setting::integer("STDOUT_MAX_BYTES_DISPLAY", 1_048_576, 0, i64::MAX)
    .label("Standard Output Maximum Display Size")
    .required()
    .help("The most bytes of output that a response contains. A longer output can be downloaded, or read in parts.");

static EVENT_STDOUT_MAX_BYTES_DISPLAY: Setting = Setting::integer("EVENT_STDOUT_MAX_BYTES_DISPLAY", 1024, 0, i64::MAX)
    .label("Job Event Standard Output Maximum Display Size")
    .required()
    .help("The most characters of the output of an event in lists, which ends with an ellipsis then. 0 sets no limit.");

static MAX_WEBSOCKET_EVENT_RATE: Setting = Setting::integer("MAX_WEBSOCKET_EVENT_RATE", 30, 0, i64::MAX)
    .label("Job Event Maximum Websocket Messages Per Second")
    .help("The most messages about events that a web interface gets in a second.")
    .without_effect("each client gets all events, as fast as it reads them");

static SCHEDULE_MAX_JOBS: Setting = Setting::integer("SCHEDULE_MAX_JOBS", 10, 1, i64::MAX)
    .label("Maximum Scheduled Jobs")
    .required()
    .help("The most waiting jobs of a template that schedules create.")
    .without_effect("schedules are not implemented yet");

static AWX_ANSIBLE_CALLBACK_PLUGINS: Setting = Setting::string_list("AWX_ANSIBLE_CALLBACK_PLUGINS", || json!([]))
    .label("Ansible Callback Plugins")
    .validator(check_folders)
    .help("Folders of the machine with further callback plugins. Those that do not exist are left out.");

static DEFAULT_JOB_TIMEOUT: Setting = seconds("DEFAULT_JOB_TIMEOUT")
    .label("Default Job Timeout")
    .help("The time limit of jobs whose template has the timeout 0. 0 sets no limit.");

static DEFAULT_JOB_IDLE_TIMEOUT: Setting = seconds("DEFAULT_JOB_IDLE_TIMEOUT")
    .label("Default Job Idle Timeout")
    .help("How long a job may print nothing before it is stopped. 0 sets no limit.");

static DEFAULT_INVENTORY_UPDATE_TIMEOUT: Setting = seconds("DEFAULT_INVENTORY_UPDATE_TIMEOUT")
    .label("Default Inventory Update Timeout")
    .help("The time limit of updates of inventories whose source has the timeout 0. 0 sets no limit.");

static DEFAULT_PROJECT_UPDATE_TIMEOUT: Setting = seconds("DEFAULT_PROJECT_UPDATE_TIMEOUT")
    .label("Default Project Update Timeout")
    .help("The time limit of updates of projects with the timeout 0. 0 sets no limit.");

static ANSIBLE_FACT_CACHE_TIMEOUT: Setting = seconds("ANSIBLE_FACT_CACHE_TIMEOUT")
    .label("Per-Host Ansible Fact Cache Timeout")
    .help("How old stored facts of a host may be when a job starts that gets them. 0 sets no limit.");

static MAX_FORKS: Setting = Setting::integer("MAX_FORKS", 200, i64::MIN, i64::MAX)
    .label("Maximum number of forks per job")
    .help("The most hosts that a job works on at the same time. 0 or less sets no limit.");

static DEFAULT_CONTAINER_RUN_OPTIONS: Setting =
    Setting::string_list("DEFAULT_CONTAINER_RUN_OPTIONS", || json!(["--network", "slirp4netns:enable_ipv6=true"]))
        .label("Container Run Options")
        .help("Options of the program that starts execution environments.")
        .without_effect("jobs run without containers");

const fn seconds(name: &'static str) -> Setting {
    Setting::integer(name, 0, 0, i64::MAX).unit("seconds")
}

/// Refuses names that no environment variable can have.
fn check_environment(value: &Json) -> Result<(), Messages> {
    let names = value.as_object().into_iter().flat_map(|variables| variables.keys());
    let is_invalid = |name: &&String| name.is_empty() || name.contains(['=', '\0']);
    let invalid: serde_json::Map<String, Json> = names
        .filter(is_invalid)
        .map(|name| (name.clone(), message(format!("\"{name}\" is not the name of an environment variable."))))
        .collect();
    if invalid.is_empty() { Ok(()) } else { Err(invalid.into()) }
}

/// Whether programs without isolation may get this variable: others could make them run a program.
fn is_for_connections(name: &str) -> bool {
    const NAMES: [&str; 13] = [
        "ALL_PROXY",
        "CURL_CA_BUNDLE",
        "FTP_PROXY",
        "GIT_HTTP_LOW_SPEED_LIMIT",
        "GIT_HTTP_LOW_SPEED_TIME",
        "GIT_SSL_CAINFO",
        "GIT_SSL_CAPATH",
        "GIT_SSL_NO_VERIFY",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "NO_PROXY",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_FILE",
    ];
    NAMES.contains(&name.to_ascii_uppercase().as_str())
}

fn is_for_galaxy(name: &str) -> bool {
    name.starts_with("ANSIBLE_GALAXY_") || name == "ANSIBLE_FORCE_COLOR"
}

/// Refuses what could not be one folder of a list.
fn check_folders(value: &Json) -> Result<(), Messages> {
    let folders = value.as_array().into_iter().flatten().filter_map(Json::as_str).enumerate();
    let invalid: serde_json::Map<String, Json> = folders
        .filter(|(_, folder)| !folder.starts_with('/') || folder.contains(':'))
        .map(|(position, folder)| (position.to_string(), message(format!("\"{folder}\" is not an absolute path."))))
        .collect();
    if invalid.is_empty() { Ok(()) } else { Err(invalid.into()) }
}

/// The values that jobs read.
pub(crate) fn job_settings(settings: &Settings) -> JobSettings {
    let natural = |setting| u64::try_from(settings.integer(setting)).unwrap_or_default();
    let size = |setting| usize::try_from(settings.integer(setting)).unwrap_or_default();
    let variables = |setting: &Setting| -> BTreeMap<String, String> {
        let value = settings.value(setting);
        let variables = value.as_object().into_iter().flatten();
        variables.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
    };
    let environment = variables(&AWX_TASK_ENV);
    let (mut update_environment, mut galaxy_environment) = (environment.clone(), variables(&GALAXY_TASK_ENV));
    update_environment.retain(|name, _| is_for_connections(name));
    galaxy_environment.retain(|name, _| is_for_connections(name) || is_for_galaxy(name));
    let shown_paths: Vec<ShownPath> =
        settings.strings(&AWX_ISOLATION_SHOW_PATHS).iter().filter_map(|text| shown_path(text).ok()).collect();
    JobSettings {
        ad_hoc_modules: settings.strings(&AD_HOC_COMMANDS),
        templating: match settings.text(&ALLOW_JINJA_IN_EXTRA_VARS).as_str() {
            "always" => Templating::Always,
            "template" => Templating::InTemplates,
            _ => Templating::Never,
        },
        shown_paths,
        environment,
        update_environment,
        galaxy_environment,
        galaxy_is_verbose: settings.boolean(&PROJECT_UPDATE_VVV),
        galaxy_ignores_certificates: settings.boolean(&GALAXY_IGNORE_CERTS),
        installs_roles: settings.boolean(&AWX_ROLES_ENABLED),
        installs_collections: settings.boolean(&AWX_COLLECTIONS_ENABLED),
        follows_links: settings.boolean(&AWX_SHOW_PLAYBOOK_LINKS),
        stdout_bytes: size(&STDOUT_MAX_BYTES_DISPLAY),
        event_stdout_characters: size(&EVENT_STDOUT_MAX_BYTES_DISPLAY),
        callback_plugins: settings.strings(&AWX_ANSIBLE_CALLBACK_PLUGINS),
        job_seconds: natural(&DEFAULT_JOB_TIMEOUT),
        idle_seconds: natural(&DEFAULT_JOB_IDLE_TIMEOUT),
        project_update_seconds: natural(&DEFAULT_PROJECT_UPDATE_TIMEOUT),
        inventory_update_seconds: natural(&DEFAULT_INVENTORY_UPDATE_TIMEOUT),
        fact_seconds: natural(&ANSIBLE_FACT_CACHE_TIMEOUT),
        most_forks: settings.integer(&MAX_FORKS).max(0),
        most_bulk_jobs: size(&BULK_JOB_MAX_LAUNCH),
        most_created_hosts: size(&BULK_HOST_MAX_CREATE),
        most_deleted_hosts: size(&BULK_HOST_MAX_DELETE),
    }
}
