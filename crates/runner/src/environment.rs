//! The environment variables that do not depend on credentials.

use std::collections::BTreeMap;
use std::path::Path;

use hostler_queue::JobKind;
use hostler_schema::JobSettings;

use crate::facts;
use crate::job_row::JobRow;

type Variables = BTreeMap<String, String>;

/// The variables of all jobs, which AWX_TASK_ENV can change. They mean what they mean in AWX.
const GENERAL: [(&str, &str); 4] = [
    ("ANSIBLE_HOST_KEY_CHECKING", "False"),
    ("ANSIBLE_INVENTORY_UNPARSED_FAILED", "True"),
    ("ANSIBLE_PARAMIKO_RECORD_HOST_KEYS", "False"),
    ("ANSIBLE_RETRY_FILES_ENABLED", "False"),
];

/// The variables of all jobs, and those of the settings that may be secret: they are shown masked, and written into no file.
pub(crate) fn environment_of_settings(settings: &JobSettings) -> (Variables, Variables) {
    let (secret, public): (Variables, Variables) =
        settings.environment.clone().into_iter().partition(|(name, value)| is_secret(name, value));
    let mut environment: Variables =
        GENERAL.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    environment.extend(public);
    if !settings.callback_plugins.is_empty() {
        environment.insert("ANSIBLE_CALLBACK_PLUGINS".to_owned(), settings.callback_plugins.join(":"));
    }
    (environment, secret)
}

/// The variables of this job.
pub(crate) fn job_environment(job: &JobRow, inventory: i64, revision: &str, workspace: &Path) -> Variables {
    let own = |name: &str| workspace.join(name).display().to_string();
    let general = [
        // Another job must not use the connections of this one.
        ("ANSIBLE_SSH_CONTROL_PATH_DIR", own("cp")),
        ("AWX_PRIVATE_DATA_DIR", workspace.display().to_string()),
        ("INVENTORY_ID", inventory.to_string()),
    ];
    let of_kind = match job.kind {
        JobKind::AdHocCommand => vec![("AD_HOC_COMMAND_ID", job.id.to_string())],
        _ => vec![("JOB_ID", job.id.to_string()), ("PROJECT_REVISION", revision.to_owned())],
    };
    let mut variables: Variables =
        general.into_iter().chain(of_kind).map(|(name, value)| (name.to_owned(), value)).collect();
    if job.keeps_facts {
        variables.extend(facts_environment(workspace));
    }
    variables
}

/// The variables by which Ansible finds stored facts.
pub(crate) fn facts_environment(workspace: &Path) -> Variables {
    let facts = [
        ("ANSIBLE_CACHE_PLUGIN", "jsonfile".to_owned()),
        ("ANSIBLE_CACHE_PLUGIN_CONNECTION", workspace.join(facts::FOLDER).display().to_string()),
        // What is too old is not given to the job.
        ("ANSIBLE_CACHE_PLUGIN_TIMEOUT", "0".to_owned()),
    ];
    facts.map(|(name, value)| (name.to_owned(), value)).into()
}

/// Whether a variable may be secret by its name, as in AWX, or contains the password of a URL.
fn is_secret(name: &str, value: &str) -> bool {
    let authority = value.split_once("://").and_then(|(_, rest)| rest.split('/').next());
    let user = authority.and_then(|authority| authority.rsplit_once('@')).map(|(user, _)| user);
    let looks_secret = ["API", "TOKEN", "KEY", "SECRET", "PASS"].iter().any(|word| name.contains(word));
    let is_of_ansible = name.ends_with("HOST_KEY_CHECKING") || name.ends_with("RECORD_HOST_KEYS");
    (looks_secret && !is_of_ansible) || user.is_some_and(|user| user.contains(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_that_may_be_secret_are_found() {
        for (name, value) in [("MY_TOKEN", "x"), ("API_URL", "x"), ("HTTPS_PROXY", "http://ann:pw@proxy:1/x")] {
            assert!(is_secret(name, value), "{name}");
        }
        for (name, value) in
            [("HTTPS_PROXY", "http://proxy:1/a@b:c"), ("LANG", "C"), ("ANSIBLE_HOST_KEY_CHECKING", "True")]
        {
            assert!(!is_secret(name, value), "{name}");
        }
    }

    #[test]
    fn settings_replace_general_variables() {
        let environment = [("ANSIBLE_HOST_KEY_CHECKING", "True"), ("MY_TOKEN", "x")];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let settings =
            JobSettings { environment, callback_plugins: vec!["/a".into(), "/b".into()], ..JobSettings::default() };
        let (public, secret) = environment_of_settings(&settings);
        assert_eq!(public["ANSIBLE_HOST_KEY_CHECKING"], "True");
        assert_eq!(public["ANSIBLE_RETRY_FILES_ENABLED"], "False");
        assert_eq!(public["ANSIBLE_CALLBACK_PLUGINS"], "/a:/b");
        assert!(!public.contains_key("MY_TOKEN") && secret["MY_TOKEN"] == "x");
    }
}
