//! Disks that are full while jobs run.

use std::thread;
use std::time::Duration;

use hostler_testkit::server::Resource;
use hostler_testkit::skip::skip;
use hostler_testkit::{Backend, SmallDisk, TestServer, backends, on_each_backend};
use serde_json::json;

use super::{BINARY, Jobs};

on_each_backend!(job_waits_for_space);

/// In MiB: enough for the database and for the events.
const SIZE: u32 = 24;

/// Writes some events, and after `go` many.
const SCRIPT: &str = "
for number in range(500): event('runner_on_ok', f'{number}\\n', host='one')
report('ready')
wait_for('go')
for number in range(2000): event('runner_on_ok', f'{number} ' + 'x' * 1000 + '\\n', host='one')
";
const EVENTS: usize = 2500;

/// The data folder is on the disk, and on SQLite the database, too.
fn start_on(disk: &SmallDisk, backend: Backend) -> Jobs {
    let mut server = TestServer::stopped(BINARY, backend);
    server.move_to(disk.path());
    Jobs::on(server, SCRIPT)
}

fn job_waits_for_space(backend: Backend) {
    let Some(disk) = SmallDisk::mount(SIZE) else { return };
    let jobs = start_on(&disk, backend);
    let job = jobs.launch();
    jobs.reported(job, "ready");
    jobs.wait_for_events(job, 500);
    disk.fill();
    // An empty file needs no space.
    jobs.go(job);
    // It would have ended.
    thread::sleep(Duration::from_millis(300));
    assert_eq!(jobs.job(job)["status"], "running");
    disk.empty();
    let ended = jobs.ended(job);
    assert_eq!((&ended["status"], &ended["job_explanation"]), (&json!("successful"), &json!("")), "{ended}");
    assert_eq!(jobs.events(), EVENTS);
    jobs.nothing_is_left();
}

#[test]
fn job_does_not_start_on_a_full_disk() {
    if !backends().contains(&Backend::Postgres) {
        skip("a job that cannot be stored is not launched: this needs PostgreSQL, whose disk is another one");
        return;
    }
    let Some(disk) = SmallDisk::mount(SIZE) else { return };
    let jobs = start_on(&disk, Backend::Postgres);
    disk.fill();
    let job = jobs.ended(jobs.launch());
    assert_eq!(job["status"], "error", "{job}");
    assert!(job["job_explanation"].as_str().is_some_and(|why| why.contains("No space left on device")), "{job}");
    disk.empty();
    assert_eq!(jobs.run()["status"], "successful");
    jobs.nothing_is_left();
}

/// Only that of the database, by a limit as of a quota.
#[test]
fn events_are_complete_after_the_database_was_full() {
    let jobs = Jobs::start(Backend::Sqlite, SCRIPT);
    let job = jobs.launch();
    jobs.reported(job, "ready");
    jobs.wait_for_events(job, 500);
    jobs.server.limit(Resource::Fsize, Some(64 << 10));
    jobs.go(job);
    jobs.server.wait_for_log(&["the database does not answer", "full"]);
    jobs.server.limit(Resource::Fsize, None);
    let ended = jobs.ended(job);
    assert_eq!(ended["status"], "successful", "{ended}");
    assert_eq!(jobs.events(), EVENTS);
}
