//! What waits and why, and how much a node can run.

use std::thread::sleep;
use std::time::Duration;

use hostler_testkit::{Backend, TestServer, on_each_backend};
use serde_json::{Value, json};

on_each_backend!(waiting_job_says_why, capacity_follows_its_adjustment);

const BINARY: &str = env!("CARGO_BIN_EXE_hostler");
const TEMPLATES: &str = "/api/v2/job_templates/";

/// Reads an object until it is as wanted.
fn wait_for(server: &TestServer, path: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let mut found = Value::Null;
    for _ in 0..600 {
        found = server.as_admin().get(path).expect(200).json();
        if wanted(&found) {
            return found;
        }
        sleep(Duration::from_millis(50));
    }
    panic!("{what}: not in time, but {found}");
}

fn status(server: &TestServer) -> String {
    let output = server.command(&["status"]).output().expect("the binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn waiting_job_says_why(backend: Backend) {
    let server = TestServer::start(BINARY, backend);
    let admin = server.as_admin();
    let organization = server.organization("home");
    let project = admin.create("/api/v2/projects/", json!({"name": "project", "organization": organization}));
    let inventory = admin.create("/api/v2/inventories/", json!({"name": "hosts", "organization": organization}));
    let body = json!({
        "name": "a", "project": project, "inventory": inventory, "playbook": "site.yml",
        "prevent_instance_group_fallback": true,
    });
    let template = format!("{TEMPLATES}{}/", admin.create(TEMPLATES, body));
    let group = admin.create("/api/v2/instance_groups/", json!({"name": "empty"}));
    admin.attach(&format!("{template}instance_groups/"), group);
    let launch = || {
        let job = admin.post(&format!("{template}launch/"), json!({})).expect(201).json();
        (job["id"].as_i64().expect("an id"), job["url"].as_str().expect("a path").to_owned())
    };
    let ((first, path), (second, next)) = (launch(), launch());
    let says = |text: String| move |job: &Value| job["job_explanation"].as_str().is_some_and(|why| why.contains(&text));
    wait_for(&server, &path, "a group without nodes is the reason", says("no instance of its instance groups".into()));
    wait_for(&server, &next, "the first job is the reason", says(format!("waiting for job-{first} to finish")));

    let found = status(&server);
    assert!(found.contains("node awx-1\tready"), "{found}");
    assert!(found.contains("2 jobs wait"), "{found}");
    for (job, reason) in [(first, "no instance".to_owned()), (second, format!("waiting for job-{first}"))] {
        let line = found.lines().find(|line| line.contains(&format!("job {job}\t"))).expect("the job");
        assert!(line.contains("pending") && line.contains(&reason), "{line}");
    }
    let metrics = admin.get("/api/v2/metrics/?format=json").expect(200).json();
    assert_eq!(metrics["awx_pending_jobs_total"]["samples"][0]["value"], 2.0);

    admin.post(&format!("{path}cancel/"), json!({})).expect(202);
    assert_eq!(admin.get(&path).expect(200).json()["status"], "canceled");
    wait_for(&server, &next, "the next job has its own reason", says("no instance of its instance groups".into()));
    admin.post(&format!("{next}cancel/"), json!({})).expect(202);
    assert!(status(&server).contains("0 jobs wait"));
}

fn capacity_follows_its_adjustment(backend: Backend) {
    let variables = [("HOSTLER_CPU_CAPACITY", "10"), ("HOSTLER_MEMORY_CAPACITY", "50")];
    let server = TestServer::start_with(BINARY, backend, &variables);
    let admin = server.as_admin();
    let path = "/api/v2/instances/awx-1/";
    let instance = wait_for(&server, path, "the heartbeat", |instance| instance["capacity"] == 50);
    assert_eq!((&instance["cpu_capacity"], &instance["mem_capacity"]), (&json!(10), &json!(50)));
    assert_eq!((&instance["consumed_capacity"], &instance["jobs_running"]), (&json!(0), &json!(0)));
    assert_eq!(instance["percent_capacity_remaining"], 100.0);
    let changed = admin.patch(path, json!({"capacity_adjustment": "0.50"})).expect(200).json();
    assert_eq!(changed["capacity"], 30);
    let group = admin.get("/api/v2/instance_groups/default/").expect(200).json();
    assert_eq!((&group["capacity"], &group["percent_capacity_remaining"]), (&json!(30), &json!(100.0)));
    let changed = admin.patch(path, json!({"capacity_adjustment": "0.00"})).expect(200).json();
    assert_eq!(changed["capacity"], 10);
}
