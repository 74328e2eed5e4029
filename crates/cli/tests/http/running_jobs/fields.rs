//! The fields of job templates and projects at work, and the list of those that nothing uses.

use std::fs;

use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use crate::running_jobs::{Jobs, repository};

on_each_backend!(
    options_of_a_template_reach_ansible,
    prompted_options_reach_ansible,
    everything_is_fetched_again_if_the_project_says_so,
);

const DOCUMENT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/differences-from-awx.md"));

fn options_of_a_template_reach_ansible(backend: Backend) {
    let jobs = Jobs::start(backend, "");
    let fields = json!({
        "job_type": "check", "limit": "web", "verbosity": 3, "forks": 4, "job_tags": "a,b", "skip_tags": "c",
        "start_at_task": "the first", "force_handlers": true, "diff_mode": true, "become_enabled": true,
    });
    jobs.server.as_admin().patch(&jobs.template_path(), fields).expect(200);
    let arguments = jobs.ended(jobs.launch())["job_args"].as_str().expect("a text").to_owned();
    for option in [
        "--check",
        "--limit=web",
        "-vvv",
        "--forks=4",
        "--tags=a,b",
        "--skip-tags=c",
        "--start-at-task=the first",
        "--force-handlers",
        "--diff",
        "--become",
    ] {
        assert!(arguments.contains(&format!("\"{option}\"")), "{option} is not in {arguments}");
    }
}

fn prompted_options_reach_ansible(backend: Backend) {
    let jobs = Jobs::start(backend, "");
    let admin = jobs.server.as_admin();
    let asks = json!({
        "skip_tags": "old", "ask_forks_on_launch": true, "ask_skip_tags_on_launch": true,
        "ask_job_slice_count_on_launch": true, "ask_execution_environment_on_launch": true,
    });
    admin.patch(&jobs.template_path(), asks).expect(200);
    let launch = format!("{}launch/", jobs.template_path());
    let job = admin.post(&launch, json!({"forks": 3, "skip_tags": "new", "job_slice_count": 1})).expect(201).json();
    assert_eq!((&job["job_slice_count"], &job["ignored_fields"]), (&json!(1), &json!({})));
    let job = jobs.ended(job["id"].as_i64().expect("an id"));
    let arguments = job["job_args"].as_str().expect("a text");
    assert!(arguments.contains("\"--forks=3\"") && arguments.contains("\"--skip-tags=new\""), "{arguments}");
}

fn everything_is_fetched_again_if_the_project_says_so(backend: Backend) {
    let jobs = Jobs::start(backend, "");
    let folder = tempfile::tempdir().expect("a folder");
    repository(folder.path(), &[("site.yml", "- hosts: all\n")]);
    let admin = jobs.server.as_admin();
    let url = format!("file://{}", folder.path().display());
    let organization = jobs.server.organization("other");
    let project = json!({"name": "p", "organization": organization, "scm_type": "git", "scm_url": url});
    let project = admin.post("/api/v2/projects/", project).expect(201).json();
    let path = project["url"].as_str().expect("a path").to_owned();
    let first = ["current_update", "last_update"].into_iter().find_map(|name| project["related"][name].as_str());
    jobs.ended_at(first.expect("an update"));
    let mirrors = jobs.server.data().join(format!("projects/{}/mirrors", project["id"]));
    let mirror = fs::read_dir(&mirrors).expect("mirrors").next().expect("a mirror").expect("a folder").path();
    let marker = mirror.join("marker");
    fs::write(&marker, "").expect("a file");
    for deletes in [false, true] {
        admin.patch(&path, json!({"scm_delete_on_update": deletes})).expect(200);
        let update = admin.post(&format!("{path}update/"), json!({})).expect(202).json()["id"].clone();
        let update = jobs.ended_at(&format!("/api/v2/project_updates/{update}/"));
        assert_eq!(update["status"], "successful", "{update}");
        assert_eq!(marker.exists(), !deletes);
    }
}

/// The names in backquotes in the list of fields without effect.
fn fields_without_effect() -> Vec<&'static str> {
    let (_, list) = DOCUMENT.split_once("### Stored without effect").expect("the list");
    let list = list.split("\n## ").next().unwrap_or_default();
    // Paths are no fields.
    list.split('`').skip(1).step_by(2).filter(|name| !name.contains('/')).collect()
}

/// A field is in the list, or a test names it.
#[test]
fn fields_without_effect_are_listed() {
    let jobs = Jobs::start(Backend::Sqlite, "");
    let admin = jobs.server.as_admin();
    let mut fields: Vec<String> = vec![];
    for kind in ["job_templates", "projects", "inventories", "hosts", "groups", "instance_groups", "organizations"] {
        let options = admin.options(&format!("/api/v2/{kind}/")).expect(200).json();
        fields.extend(options["actions"]["POST"].as_object().expect("an object").keys().cloned());
    }
    let listed = fields_without_effect();
    let gone: Vec<_> = listed.iter().filter(|name| !fields.iter().any(|field| field == **name)).collect();
    assert!(gone.is_empty(), "no objects have the fields {gone:?} of the list");
    let mut tests = String::new();
    // Limits of instance groups are tested with the queue.
    let mut folders =
        ["/tests", "/../queue/tests"].map(|path| format!("{}{path}", env!("CARGO_MANIFEST_DIR"))).to_vec();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of tests") {
            let path = entry.expect("a file").path();
            if path.is_dir() {
                folders.push(path.display().to_string());
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                tests += &fs::read_to_string(&path).expect("a text");
            }
        }
    }
    let missing: Vec<_> =
        fields.iter().filter(|field| !listed.contains(&field.as_str()) && !tests.contains(*field)).collect();
    assert!(missing.is_empty(), "no test names the fields {missing:?}, and they are not in the list");
}
