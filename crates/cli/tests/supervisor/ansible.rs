//! Real Ansible: `ansible-playbook` of `HOSTLER_TEST_ANSIBLE`, or in PATH.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use hostler_supervisor::{
    AnsibleInstallation, AnsibleOptions, Bubblewrap, Exit, Isolation, Playbook, Program, Reason, VaultPassword,
    request_cancel,
};
use hostler_testkit::skip::skip;
use serde_json::Value;

use crate::isolation::has_bubblewrap;
use crate::job::{Job, Outcome, is_running};

const INVENTORY: &str = "
[all]
a
b
[all:vars]
ansible_connection=local
ansible_python_interpreter='{{ ansible_playbook_python }}'
";

/// The installation; none if there is none, which is reported.
fn ansible() -> Option<&'static AnsibleInstallation> {
    static ANSIBLE: LazyLock<Result<AnsibleInstallation, String>> = LazyLock::new(|| {
        let program = env::var_os("HOSTLER_TEST_ANSIBLE").map(PathBuf::from);
        AnsibleInstallation::find(program.as_deref()).map_err(|problem| problem.to_string())
    });
    match &*ANSIBLE {
        Ok(ansible) => Some(ansible),
        Err(problem) => {
            skip(&format!("there is no Ansible, in PATH or HOSTLER_TEST_ANSIBLE: {problem}"));
            None
        }
    }
}

fn job(ansible: &AnsibleInstallation, playbook: &str) -> Job {
    let mut job = Job::script("");
    let workspace = job.directory.join("workspace");
    fs::write(workspace.join("site.yml"), playbook).expect("the playbook");
    fs::write(workspace.join("inventory"), INVENTORY).expect("the inventory");
    job.description.environment.insert("ANSIBLE_HOME".to_owned(), workspace.join("ansible").display().to_string());
    job.description.program = Program::Playbook(Box::new(Playbook {
        options: AnsibleOptions {
            program: ansible.ansible_playbook.clone(),
            inventories: vec![workspace.join("inventory")],
            forks: 1,
            ..AnsibleOptions::default()
        },
        playbook: "site.yml".to_owned(),
        ..Playbook::default()
    }));
    job
}

/// A job with these tasks for the host `a`.
fn job_of_tasks(ansible: &AnsibleInstallation, tasks: &str) -> Job {
    job(ansible, &format!("- hosts: a\n  gather_facts: false\n  tasks:{tasks}"))
}

/// What the default callback prints for the same job.
fn plain_output(ansible: &AnsibleInstallation, job: &Job) -> String {
    let output = Command::new(&ansible.ansible_playbook)
        .args(["--inventory=inventory", "--forks=1", "site.yml"])
        .current_dir(job.directory.join("workspace"))
        .env("ANSIBLE_FORCE_COLOR", "true")
        .env("ANSIBLE_STDOUT_CALLBACK", "default")
        .output()
        .expect("it runs");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn playbook_gives_the_events_and_the_output_of_ansible() {
    let Some(ansible) = ansible() else { return };
    let job = job(
        ansible,
        "
- name: first play
  hosts: all
  gather_facts: false
  handlers:
    - name: restart
      debug: {msg: restarted}
  tasks:
    - name: loop
      debug: {msg: 'hello {{ item }}'}
      loop: [1, 2]
    - name: notify
      debug: {msg: x}
      changed_when: true
      notify: restart
    - name: fails
      fail: {msg: failure}
      ignore_errors: true
    - name: skipped
      debug: {msg: x}
      when: false
    - name: include
      include_tasks: included.yml
    - name: retried
      debug: {msg: x}
      retries: 1
      delay: 0
      register: result
      until: false
      # The messages of several hosts come in any order.
      when: inventory_hostname == 'a'
      ignore_errors: true
    - set_stats: {data: {version: 7}}
      when: inventory_hostname == 'a'
    - name: unreachable
      ping:
      vars: {ansible_connection: ssh, ansible_host: 127.0.0.1, ansible_port: 1}
      when: inventory_hostname == 'b'
- name: nobody
  hosts: nobody
",
    );
    fs::write(job.directory.join("workspace/included.yml"), "- debug: {msg: included}\n").expect("a file");
    let outcome = job.run();
    outcome.check_numbers();
    assert_eq!(outcome.last.exit, Some(Exit::Code(4)), "{}", outcome.text());
    let without_warnings = Outcome {
        events: outcome.events.iter().filter(|event| event["event"] != "warning").cloned().collect(),
        last: outcome.last.clone(),
    };
    assert_eq!(without_warnings.text(), plain_output(ansible, &job));

    let names: BTreeSet<&str> = outcome.events.iter().filter_map(|event| event["event"].as_str()).collect();
    for name in [
        "playbook_on_start",
        "playbook_on_play_start",
        "playbook_on_task_start",
        "playbook_on_include",
        "playbook_on_notify",
        "playbook_on_no_hosts_matched",
        "playbook_on_stats",
        "runner_on_start",
        "runner_on_ok",
        "runner_on_failed",
        "runner_on_skipped",
        "runner_on_unreachable",
        "runner_item_on_ok",
        "runner_retry",
    ] {
        assert!(names.contains(name), "{name} is missing: {names:?}");
    }
    check_parents(&outcome);
    check_results(&outcome);
}

/// Each event but the first has a parent that precedes it.
fn check_parents(outcome: &Outcome) {
    let mut known = BTreeSet::new();
    for event in &outcome.events {
        let parent = &event["parent_uuid"];
        let is_root = event["event"] == "playbook_on_start";
        assert!(parent.is_null() == is_root || event["event"] == "verbose", "{event}");
        assert!(parent.as_str().is_none_or(|parent| known.contains(parent)), "{event}");
        assert!(known.insert(event["uuid"].as_str().expect("a UUID")), "{event}");
    }
}

fn check_results(outcome: &Outcome) {
    let failed = outcome.named("runner_on_failed")[0];
    let data = &failed["event_data"];
    for (key, expected) in [
        ("playbook", Value::from("site.yml")),
        ("play", "first play".into()),
        ("play_pattern", "all".into()),
        ("task", "fails".into()),
        ("host", "a".into()),
        ("remote_addr", "a".into()),
        ("ignore_errors", true.into()),
        ("uuid", failed["uuid"].clone()),
        ("task_uuid", failed["parent_uuid"].clone()),
    ] {
        assert_eq!(data[key], expected, "{key}");
    }
    assert!(data["duration"].is_f64() && data["start"].is_string() && data["end"].is_string());
    assert!(data["task_path"].as_str().is_some_and(|path| path.ends_with("/workspace/site.yml:16")), "{data}");
    assert_eq!(data["res"]["msg"], "failure");
    let stats = &outcome.named("playbook_on_stats")[0]["event_data"];
    assert_eq!(
        (&stats["dark"], &stats["artifact_data"]),
        (&serde_json::json!({"b": 1}), &serde_json::json!({"version": 7}))
    );
    assert!(failed["created"].as_str().is_some_and(|time| time.ends_with("+00:00")));
    assert!(failed["pid"].is_i64());
}

#[test]
fn no_log_results_are_censored() {
    let Some(ansible) = ansible() else { return };
    let job = job_of_tasks(
        ansible,
        "
    - debug: {msg: '{{ \"TOP\" ~ \"SECRET\" }}'}
      no_log: true
    - debug: {msg: '{{ \"TOP\" ~ item }}'}
      loop: [SECRET1, SECRET2]
      no_log: true
    - command: echo {{ 'TOP' ~ 'SECRET' }}
      no_log: true
",
    );
    let outcome = job.run();
    assert_eq!(outcome.last.exit, Some(Exit::Code(0)), "{}", outcome.text());
    assert!(!serde_json::to_string(&outcome.events).expect("JSON").contains("TOPSECRET"));
    assert!(outcome.named("runner_on_ok")[0]["event_data"]["res"]["censored"].is_string());
}

#[test]
fn large_result_is_in_the_output_only() {
    let Some(ansible) = ansible() else { return };
    let job = job_of_tasks(
        ansible,
        "
    - debug: {msg: \"{{ 'x' * 900000 }}\"}
    - debug: {msg: \"{{ 'y' * 3000000 }}\"}
",
    );
    let outcome = job.run();
    outcome.check_numbers();
    let results = outcome.named("runner_on_ok");
    assert!(results.iter().all(|event| event["event_data"]["res"] == serde_json::json!({})));
    assert!(results[0]["stdout"].as_str().is_some_and(|text| text.len() > 900_000));
    let text = outcome.text();
    assert!(text.contains(&"x".repeat(900_000)) && text.contains(&"y".repeat(3_000_000)));
}

#[test]
fn numbers_that_are_not_json_become_texts() {
    let Some(ansible) = ansible() else { return };
    let job = job_of_tasks(
        ansible,
        "
    - set_fact: {numbers: [.nan, .inf, -.inf, 1.5]}
    - debug: {msg: plain}
",
    );
    let outcome = job.run();
    assert_eq!(outcome.last.exit, Some(Exit::Code(0)), "{}", outcome.text());
    let results = outcome.named("runner_on_ok");
    assert_eq!(results.len(), 2, "{}", outcome.text());
    let numbers = &results[0]["event_data"]["res"]["ansible_facts"]["numbers"];
    assert_eq!(numbers, &serde_json::json!(["NaN", "Infinity", "-Infinity", 1.5]));
    assert!(!outcome.text().contains("event_data"), "{}", outcome.text());
}

#[test]
fn async_tasks_end_with_a_canceled_playbook() {
    let Some(ansible) = ansible() else { return };
    let job = job_of_tasks(
        ansible,
        "
    - command: sh -c 'echo $$ >{{ playbook_dir }}/async; exec sleep 1000'
      async: 2000
      poll: 0
    - shell: nohup setsid sleep 1000 >/dev/null 2>&1 & echo $! >{{ playbook_dir }}/daemon
    - command: sh -c 'echo $$ >{{ playbook_dir }}/foreground; exec sleep 1000'
",
    );
    let running = job.start();
    let processes = ["async", "daemon", "foreground"].map(|name| job.reported_pid(name));
    request_cancel(&job.directory).expect("the request");
    let outcome = running.finish();
    assert_eq!(outcome.last.reason, Reason::Canceled);
    assert!(outcome.text().contains("TASK [command]"));
    for process in processes {
        assert!(!is_running(process), "{process} runs after the final record");
    }
}

#[test]
fn vault_password_decrypts() {
    let Some(ansible) = ansible() else { return };
    let mut job = job(
        ansible,
        "
- hosts: a
  gather_facts: false
  vars_files: [vault.yml]
  tasks:
    - debug: {msg: '{{ answer * 2 }}'}
",
    );
    let workspace = job.directory.join("workspace");
    fs::write(workspace.join("vault.yml"), "answer: 21\n").expect("a file");
    fs::write(job.directory.join("password"), "THE PASSWORD").expect("a file");
    let vault = ansible.ansible_playbook.with_file_name("ansible-vault");
    let status = Command::new(vault)
        .args(["encrypt", "--encrypt-vault-id=prod", "--vault-id=prod@password", "workspace/vault.yml"])
        .current_dir(&job.directory)
        .output()
        .expect("it runs");
    assert!(status.status.success(), "{status:?}");
    job.secrets.vaults = vec![VaultPassword { id: "prod".to_owned(), password: "THE PASSWORD".to_owned() }];
    job.secrets.become_password = Some("unused".to_owned());
    let outcome = job.run();
    assert!(outcome.text().contains("\"msg\": \"42\"") || outcome.text().contains("\"msg\": 42"), "{}", outcome.text());
}

#[test]
fn isolated_playbook_cannot_read_another_job() {
    let Some(ansible) = ansible() else { return };
    if !has_bubblewrap() {
        return;
    }
    let other = Job::script("");
    fs::write(other.directory.join("workspace/key"), "KEY OF ANOTHER JOB").expect("a file");
    let mut job = job(ansible, "");
    let playbook = "
- hosts: a
  gather_facts: false
  tasks:
    - debug: {msg: \"found {{ lookup('file', 'OTHER/workspace/key', errors='ignore') }}\"}
    - command: cat OTHER/workspace/key
      ignore_errors: true
    - command: cat OWN/job.json
";
    let playbook = playbook.replace("OTHER", &other.directory.display().to_string());
    let playbook = playbook.replace("OWN", &job.directory.display().to_string());
    fs::write(job.directory.join("workspace/site.yml"), playbook).expect("the playbook");
    job.description.isolation =
        Isolation::Bubblewrap(Bubblewrap { read_only: ansible.folders.clone(), ..Bubblewrap::default() });
    let outcome = job.run();
    let text = outcome.text();
    assert_eq!(outcome.last.exit, Some(Exit::Code(2)), "{text}");
    assert!(!serde_json::to_string(&outcome.events).expect("JSON").contains("KEY OF"), "{text}");
    assert!(text.matches("No such file or directory").count() >= 2, "{text}");
}

#[test]
fn invalid_playbook_has_its_error_in_the_output() {
    let Some(ansible) = ansible() else { return };
    let outcome = job(ansible, "- hosts: a\n  no_such_key: 1\n").run();
    assert_eq!(outcome.last.exit, Some(Exit::Code(4)));
    assert!(outcome.text().contains("no_such_key"), "{}", outcome.text());
    outcome.check_numbers();
}

#[test]
fn strategy_free_and_serial_have_unique_events() {
    let Some(ansible) = ansible() else { return };
    let job = job(
        ansible,
        "
- hosts: all
  gather_facts: false
  strategy: free
  tasks: [{debug: {msg: x}}]
- hosts: all
  gather_facts: false
  serial: 1
  tasks: [{debug: {msg: y}}]
",
    );
    let outcome = job.run();
    assert_eq!(outcome.last.exit, Some(Exit::Code(0)), "{}", outcome.text());
    check_parents(&outcome);
    assert_eq!(outcome.named("runner_on_ok").len(), 4);
}
