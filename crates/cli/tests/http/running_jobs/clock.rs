//! The clock is set back while jobs run.

use hostler_testkit::clock::FakeClock;
use hostler_testkit::{Backend, TestServer, on_each_backend};
use jiff::Timestamp;
use serde_json::Value;

use super::{BINARY, Jobs, SCRIPT};

on_each_backend!(jobs_end_after_the_clock_was_set_back);

const DAY: i64 = 24 * 3600;

fn time(job: &Value, field: &str) -> Timestamp {
    job[field].as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no {field} in {job}"))
}

fn assert_ends(jobs: &Jobs, id: i64) {
    let job = jobs.ended(id);
    assert_eq!(job["status"], "successful", "{job}");
    assert!(job["elapsed"].as_f64() >= Some(0.0) && job["elapsed"].as_f64() < Some(3600.0), "{job}");
    assert!(time(&job, "finished") >= time(&job, "started"), "{job}");
    jobs.wait_for_events(id, 1000);
}

fn jobs_end_after_the_clock_was_set_back(backend: Backend) {
    let Some(clock) = FakeClock::build() else { return };
    let mut server = TestServer::stopped(BINARY, backend);
    clock.preload_into(&mut server);
    let mut jobs = Jobs::on(server, SCRIPT);
    let exclusive = jobs.another_template("exclusive", SCRIPT);
    let [first, blocked] = [exclusive; 2].map(|template| jobs.launch_of(template));
    let adopted = jobs.launch();
    for job in [first, adopted] {
        jobs.reported(job, "ready");
    }
    clock.set(-3 * DAY);
    let second = jobs.launch();
    jobs.reported(second, "ready");
    jobs.go(first);
    assert_ends(&jobs, first);
    jobs.server.kill9();
    clock.set(-6 * DAY);
    jobs.server.restart();
    for job in [blocked, adopted, second] {
        jobs.reported(job, "ready");
        jobs.go(job);
        assert_ends(&jobs, job);
    }
    let canceled = jobs.launch();
    jobs.reported(canceled, "ready");
    jobs.cancel(canceled);
    assert_eq!(jobs.ended(canceled)["status"], "canceled");
    assert_eq!(jobs.run()["status"], "successful");
    jobs.nothing_is_left();
    assert!(!jobs.server.stderr().contains("panicked"), "{}", jobs.server.stderr());
}
