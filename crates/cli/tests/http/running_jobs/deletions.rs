//! What a job uses is deleted while it runs.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::{Value, json};

use super::Jobs;

on_each_backend!(
    what_a_running_job_needs_is_not_deleted,
    user_and_credential_of_a_running_job_are_deleted,
    hosts_and_inventory_of_a_running_job_disappear,
);

/// Names the hosts before and after `go`.
const SCRIPT: &str = "
event('runner_on_ok', 'ok: [one]\\n', host='one')
report('ready')
wait_for('go')
for host in ('one', 'two'): event('runner_on_ok', f'ok: [{host}]\\n', host=host)
counts = {'one': 1, 'two': 1}
event('playbook_on_stats', 'done\\n', ok=counts, processed=counts)
";
const EVENTS: usize = 4;

/// Two hosts of the inventory.
fn hosts(jobs: &Jobs) -> [i64; 2] {
    let inventory = jobs.shown_template()["inventory"].clone();
    let create = |name| jobs.server.as_admin().create("/api/v2/hosts/", json!({"name": name, "inventory": inventory}));
    ["one", "two"].map(create)
}

/// The job ends well: with all its events, and a summary of each host. Returns the summaries.
fn assert_ends(jobs: &Jobs, job: i64) -> Vec<Value> {
    jobs.go(job);
    let ended = jobs.ended(job);
    assert_eq!((&ended["status"], &ended["job_explanation"]), (&json!("successful"), &json!("")), "{ended}");
    jobs.wait_for_events(job, EVENTS);
    let summaries = jobs.server.as_admin().results(&format!("/api/v2/jobs/{job}/job_host_summaries/"));
    assert_eq!(summaries.len(), 2, "{summaries:?}");
    jobs.nothing_is_left();
    summaries
}

fn what_a_running_job_needs_is_not_deleted(backend: Backend) {
    let jobs = Jobs::start(backend, SCRIPT);
    let [one, _] = hosts(&jobs);
    let admin = jobs.server.as_admin();
    let template = jobs.shown_template();
    let job = jobs.launch();
    jobs.reported(job, "ready");
    let used = [
        (format!("hosts/{one}"), 204),
        (format!("job_templates/{}", jobs.template), 204),
        (format!("inventories/{}", template["inventory"]), 202),
        (format!("projects/{}", template["project"]), 204),
        (format!("organizations/{}", template["organization"]), 204),
    ];
    for (path, _) in &used {
        let refused = admin.delete(&format!("/api/v2/{path}/")).expect(409).json();
        let active = refused["active_jobs"].to_string();
        assert!(active.contains(&job.to_string()), "{path}: {refused}");
    }
    let path = format!("/api/v2/jobs/{job}/");
    admin.delete(&path).expect(403);
    let summaries = assert_ends(&jobs, job);
    assert_eq!(summaries[0]["host"], one);
    for (path, status) in &used {
        admin.delete(&format!("/api/v2/{path}/")).expect(*status);
    }
    let kept = admin.get(&path).expect(200).json();
    assert!(kept["job_template"].is_null() && kept["project"].is_null(), "{kept}");
    admin.delete(&path).expect(204);
    assert_eq!(jobs.events(), 0);
}

fn user_and_credential_of_a_running_job_are_deleted(backend: Backend) {
    let jobs = Jobs::start(backend, SCRIPT);
    hosts(&jobs);
    let admin = jobs.server.as_admin();
    let ann = jobs.server.user_with("ann", json!({"is_superuser": true}));
    let kind = admin.results("/api/v2/credential_types/?namespace=ssh")[0]["id"].clone();
    let credential = json!({"name": "key", "organization": jobs.shown_template()["organization"], "credential_type": kind,
        "inputs": {"username": "ann"}});
    let credential = ann.client.create("/api/v2/credentials/", credential);
    admin.attach(&format!("{}credentials/", jobs.template_path()), credential);
    let launched = ann.client.post(&format!("{}launch/", jobs.template_path()), json!({})).expect(201).json();
    let job = launched["id"].as_i64().expect("an id");
    jobs.reported(job, "ready");
    assert_eq!(jobs.job(job)["summary_fields"]["created_by"]["username"], "ann");
    admin.delete(&ann.path()).expect(204);
    admin.delete(&format!("/api/v2/credentials/{credential}/")).expect(204);
    ann.client.post(&format!("/api/v2/jobs/{job}/cancel/"), json!({})).expect(401);
    assert_ends(&jobs, job);
    let job = jobs.job(job);
    assert!(job["summary_fields"].get("created_by").is_none(), "{job}");
    assert_eq!(job["summary_fields"]["credentials"], json!([]), "{job}");
}

/// Requests cannot delete them, but updates of inventories remove hosts.
fn hosts_and_inventory_of_a_running_job_disappear(backend: Backend) {
    let jobs = Jobs::start(backend, SCRIPT);
    hosts(&jobs);
    let job = jobs.launch();
    jobs.reported(job, "ready");
    jobs.wait_for_events(job, 1);
    jobs.server.execute("DELETE FROM hosts; DELETE FROM inventories;");
    let summaries = assert_ends(&jobs, job);
    assert!(summaries.iter().all(|summary| summary["host"].is_null()), "{summaries:?}");
    assert_eq!((&summaries[0]["host_name"], &summaries[0]["ok"]), (&json!("one"), &json!(1)));
}
