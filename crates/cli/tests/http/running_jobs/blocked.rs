//! Many jobs that cannot start.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use super::Jobs;

on_each_backend!(blocked_jobs_do_not_delay_others);

const BLOCKED: usize = 200;

fn blocked_jobs_do_not_delay_others(backend: Backend) {
    let jobs = Jobs::start(backend, "event('a', 'ran\\n')");
    let admin = jobs.server.as_admin();
    let exclusive = jobs.another_template("exclusive", "report('ready')\nwait_for('go')");
    // Its jobs have no node.
    let nowhere = jobs.another_template("nowhere", "");
    let path = format!("/api/v2/job_templates/{nowhere}/");
    admin.patch(&path, json!({"prevent_instance_group_fallback": true, "allow_simultaneous": true})).expect(200);
    let group = admin.create("/api/v2/instance_groups/", json!({"name": "empty"}));
    admin.attach(&format!("{path}instance_groups/"), group);
    let first = jobs.launch_of(exclusive);
    jobs.reported(first, "ready");
    for template in [exclusive, nowhere].iter().cycle().take(BLOCKED) {
        jobs.launch_of(*template);
    }
    for _ in 0..3 {
        assert_eq!(jobs.ended(jobs.launch())["status"], "successful");
    }
    let count =
        |filter: &str| admin.get(&format!("/api/v2/jobs/?page_size=1&{filter}")).expect(200).json()["count"].clone();
    assert_eq!((count("status=pending"), count("status=running")), (json!(BLOCKED), json!(1)));
    // They were decided about before the jobs that came later.
    assert_eq!(count("status=pending&job_explanation="), 0);
    jobs.server.let_jobs_wait();
    jobs.go(first);
    assert_eq!(jobs.ended(first)["status"], "successful");
    assert_eq!(count("status=pending"), BLOCKED);
}
