//! The effects of the settings of jobs.

use std::fs;

use hostler_testkit::{Backend, on_each_backend};
use serde_json::{Value, json};

use crate::running_jobs::{Jobs, repository};

on_each_backend!(
    environment_of_the_settings_reaches_jobs,
    time_limits_stop_jobs,
    forks_are_limited,
    templates_in_extra_variables_follow_the_setting,
    sizes_of_output_are_limited,
    updates_of_projects_follow_the_settings,
    playbooks_behind_links_are_listed,
);

const SETTINGS: &str = "/api/v2/settings/jobs/";

fn set(jobs: &Jobs, values: Value) -> Value {
    jobs.server.as_admin().patch(SETTINGS, values).expect(200).json()
}

fn environment_of_the_settings_reaches_jobs(backend: Backend) {
    let jobs = Jobs::start(backend, "event('verbose', json.dumps(dict(os.environ)) + '\\n')");
    let variables = json!({"ANSIBLE_HOST_KEY_CHECKING": "True", "MY_TOKEN": "Canary5ecret", "JOB_ID": "0", "A": 1});
    set(&jobs, json!({"AWX_TASK_ENV": variables, "AWX_ANSIBLE_CALLBACK_PLUGINS": ["/opt/plugins"]}));
    let id = jobs.launch();
    let job = jobs.ended(id);
    let seen: Value = serde_json::from_slice(&jobs.output(id)).expect("JSON");
    assert_eq!((&seen["ANSIBLE_HOST_KEY_CHECKING"], &seen["MY_TOKEN"]), (&json!("True"), &json!("Canary5ecret")));
    assert_eq!((&seen["JOB_ID"], &seen["A"]), (&json!(id.to_string()), &json!("1")));
    let plugins = seen["ANSIBLE_CALLBACK_PLUGINS"].as_str().expect("a text");
    assert!(plugins.ends_with(":/opt/plugins"), "{plugins}");
    assert_eq!(job["job_env"]["MY_TOKEN"], "**********");
    assert_eq!(job["job_env"]["ANSIBLE_HOST_KEY_CHECKING"], "True");
}

fn time_limits_stop_jobs(backend: Backend) {
    let jobs = Jobs::start(backend, "event('verbose', 'hello\\n')\ntime.sleep(1000)");
    for setting in ["DEFAULT_JOB_TIMEOUT", "DEFAULT_JOB_IDLE_TIMEOUT"] {
        jobs.server.as_admin().delete(SETTINGS).expect(204);
        set(&jobs, json!({setting: 1}));
        let job = jobs.ended(jobs.launch());
        assert_eq!(
            (&job["status"], &job["job_explanation"]),
            (&json!("failed"), &json!("Job terminated due to timeout")),
            "{setting}"
        );
    }
}

fn forks_are_limited(backend: Backend) {
    let jobs = Jobs::start(backend, "");
    let admin = jobs.server.as_admin();
    let refused = admin.patch(&jobs.template_path(), json!({"forks": 201})).expect(400).json();
    assert_eq!(refused, json!({"forks": ["Maximum number of forks (200) exceeded."]}));
    admin.patch(&jobs.template_path(), json!({"forks": 200})).expect(200);
    // The template keeps its value; its jobs do not use it.
    set(&jobs, json!({"MAX_FORKS": 7}));
    admin.patch(&jobs.template_path(), json!({"description": "changed"})).expect(200);
    let arguments = jobs.ended(jobs.launch())["job_args"].as_str().expect("a text").to_owned();
    assert!(arguments.contains("--forks=7") || arguments.contains("\"7\""), "{arguments}");
    set(&jobs, json!({"MAX_FORKS": -1}));
    admin.patch(&jobs.template_path(), json!({"forks": 300})).expect(200);
}

fn templates_in_extra_variables_follow_the_setting(backend: Backend) {
    let script = "path = [argument for argument in sys.argv if 'extra_variables' in argument][0]\n\
                  event('verbose', open(path[path.index('/'):]).read())";
    let jobs = Jobs::start(backend, script);
    let admin = jobs.server.as_admin();
    let variables = json!({"ask_variables_on_launch": true, "extra_vars": "{\"own\": \"{{ a }}\"}"});
    admin.patch(&jobs.template_path(), variables).expect(200);
    for (value, own, launched) in [
        ("template", "\"{{ a }}\"", "!unsafe"),
        ("never", "!unsafe", "!unsafe"),
        ("always", "\"{{ a }}\"", "\"{{ b }}\""),
    ] {
        set(&jobs, json!({"ALLOW_JINJA_IN_EXTRA_VARS": value}));
        let launch = format!("{}launch/", jobs.template_path());
        let job = admin.post(&launch, json!({"extra_vars": {"launched": "{{ b }}"}})).expect(201).json();
        let id = job["id"].as_i64().expect("an id");
        jobs.ended(id);
        let output = String::from_utf8(jobs.output(id)).expect("UTF-8");
        for (name, expected) in [("own", own), ("launched", launched)] {
            let start = format!("\"{name}\": {expected}");
            assert!(output.contains(&start), "{value}: {start} is not in {output}");
        }
    }
}

fn sizes_of_output_are_limited(backend: Backend) {
    let jobs = Jobs::start(backend, "event('verbose', 'x' * 99 + '\\n')");
    let id = jobs.launch();
    jobs.ended(id);
    let admin = jobs.server.as_admin();
    let shown = || {
        let stdout = admin.get(&format!("/api/v2/jobs/{id}/stdout/?format=json")).expect(200).json();
        let events = admin.results(&format!("/api/v2/jobs/{id}/job_events/?event=verbose"));
        let size = |value: &Value| value.as_str().expect("a text").chars().count();
        (stdout["content"].as_str().expect("a text").to_owned(), size(&events[0]["stdout"]))
    };
    assert_eq!(shown(), ("x".repeat(99) + "\n", 99));
    set(&jobs, json!({"STDOUT_MAX_BYTES_DISPLAY": 50, "EVENT_STDOUT_MAX_BYTES_DISPLAY": 10}));
    let sentence = "Standard Output too large to display (100 bytes), only download supported for sizes over 50 bytes.";
    assert_eq!(shown(), (sentence.to_owned(), 10));
    set(&jobs, json!({"STDOUT_MAX_BYTES_DISPLAY": 100, "EVENT_STDOUT_MAX_BYTES_DISPLAY": 0}));
    assert_eq!(shown().1, 99);
}

fn updates_of_projects_follow_the_settings(backend: Backend) {
    let jobs = Jobs::start(backend, "");
    let folder = tempfile::tempdir().expect("a folder");
    let calls = folder.path().join("calls");
    let galaxy =
        format!("#!/bin/sh\n{{ echo \"$@\"; env; }} >>'{0}'\n[ ! -e '{0}.slow' ] || sleep 1000\n", calls.display());
    jobs.write_program("ansible-galaxy", &galaxy);
    let files = [
        ("site.yml", "- hosts: all\n"),
        ("roles/requirements.yml", "- src: a.b\n"),
        ("collections/requirements.yml", "collections: [a.b]\n"),
    ];
    let source = folder.path().join("repository");
    repository(&source, &files);
    let admin = jobs.server.as_admin();
    let galaxy = admin.results("/api/v2/credentials/?credential_type__kind=galaxy")[0]["id"].clone();
    let organization = admin.create("/api/v2/organizations/", json!({"name": "with galaxy"}));
    let path = format!("/api/v2/organizations/{organization}/galaxy_credentials/");
    admin.post(&path, json!({"id": galaxy})).expect(204);
    let environment = json!({"HTTPS_PROXY": "http://proxy.example:1", "LD_PRELOAD": "/x", "ANSIBLE_GALAXY_CACHE": "1"});
    let update = |settings: Value| {
        admin.delete(SETTINGS).expect(204);
        set(&jobs, settings);
        fs::write(&calls, "").expect("a file");
        let project = json!({
            "name": "p", "organization": organization, "scm_type": "git",
            "scm_url": format!("file://{}", source.display()),
        });
        let project = admin.post("/api/v2/projects/", project).expect(201).json();
        let update = project["related"]["last_update"].as_str().or(project["related"]["current_update"].as_str());
        let update = jobs.ended_at(update.expect("an update"));
        admin.delete(project["url"].as_str().expect("a path")).expect(204);
        (update, fs::read_to_string(&calls).expect("a file"))
    };
    let (done, calls_made) = update(json!({"GALAXY_TASK_ENV": environment}));
    assert_eq!(done["status"], "successful", "{done}");
    assert!(calls_made.contains("role install") && calls_made.contains("collection install"), "{calls_made}");
    assert!(calls_made.contains("HTTPS_PROXY=http://proxy.example:1") && calls_made.contains("ANSIBLE_GALAXY_CACHE=1"));
    assert!(
        !calls_made.contains("LD_PRELOAD") && !calls_made.contains("-vvv") && !calls_made.contains("--ignore-certs")
    );
    let (_, calls_made) = update(json!({
        "AWX_ROLES_ENABLED": false, "PROJECT_UPDATE_VVV": true, "GALAXY_IGNORE_CERTS": true,
        "AWX_TASK_ENV": {"NO_PROXY": "here.example"},
    }));
    assert!(!calls_made.contains("role install") && calls_made.contains("collection install"), "{calls_made}");
    assert!(calls_made.contains("-vvv") && calls_made.contains("--ignore-certs"), "{calls_made}");
    assert!(calls_made.contains("NO_PROXY=here.example"), "{calls_made}");
    let (_, calls_made) = update(json!({"AWX_COLLECTIONS_ENABLED": false}));
    assert!(calls_made.contains("role install") && !calls_made.contains("collection install"), "{calls_made}");
    fs::write(folder.path().join("calls.slow"), "").expect("a file");
    let (done, _) = update(json!({"DEFAULT_PROJECT_UPDATE_TIMEOUT": 1}));
    assert_eq!(
        (&done["status"], &done["job_explanation"]),
        (&json!("failed"), &json!("Job terminated due to timeout"))
    );
}

fn playbooks_behind_links_are_listed(backend: Backend) {
    let jobs = Jobs::start(backend, "");
    let folder = jobs.server.data().join("manual-projects/scripts");
    fs::create_dir(folder.join("deep")).expect("a folder");
    fs::write(folder.join("deep/a.yml"), "- hosts: all\n").expect("a file");
    std::os::unix::fs::symlink("deep", folder.join("link")).expect("a link");
    let project = jobs.shown_template()["related"]["project"].as_str().expect("a path").to_owned();
    let list = || jobs.server.as_admin().get(&format!("{project}playbooks/")).expect(200).json();
    assert_eq!(list(), json!(["deep/a.yml"]));
    set(&jobs, json!({"AWX_SHOW_PLAYBOOK_LINKS": true}));
    assert_eq!(list(), json!(["deep/a.yml", "link/a.yml"]));
}
