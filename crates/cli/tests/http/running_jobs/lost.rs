//! Supervisors that are killed, directories of jobs that are removed, and machines that restart.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use hostler_supervisor::{SupervisorRecord, kill_leftovers};
use hostler_testkit::{Backend, on_each_backend};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::{DAEMONS, Jobs, SCRIPT, is_running, started};

on_each_backend!(
    job_of_a_killed_supervisor_is_an_error,
    job_whose_supervisor_is_killed_without_a_server_is_an_error,
    canceled_job_of_a_killed_supervisor_is_canceled,
    job_whose_directory_is_removed_is_an_error,
    job_whose_directory_is_removed_without_a_server_is_an_error,
    jobs_are_errors_after_a_restart_of_the_machine,
    job_whose_supervisor_did_not_start_it_is_started_again,
);

const KILLED: &str = "The supervisor of the job was killed. All processes of the job were ended.";
const GONE: &str = "The directory of the job is gone, and with it what the job did.";
const RESTARTED: &str = "The machine was restarted while the job ran.";

/// Where the server is while something happens to a job.
#[derive(PartialEq)]
enum Server {
    Runs,
    IsKilled,
}

fn job_of_a_killed_supervisor_is_an_error(backend: Backend) {
    job_is_lost(backend, Server::Runs, kill_supervisor, KILLED);
}

fn job_whose_supervisor_is_killed_without_a_server_is_an_error(backend: Backend) {
    job_is_lost(backend, Server::IsKilled, kill_supervisor, KILLED);
}

fn job_whose_directory_is_removed_is_an_error(backend: Backend) {
    job_is_lost(backend, Server::Runs, remove, GONE);
}

fn job_whose_directory_is_removed_without_a_server_is_an_error(backend: Backend) {
    job_is_lost(backend, Server::IsKilled, remove, GONE);
}

fn kill_supervisor(directory: &Path) {
    signal_supervisor(directory, Signal::KILL);
}

fn signal_supervisor(directory: &Path, signal: Signal) {
    let record = SupervisorRecord::read(directory).expect("the record").expect("a supervisor");
    kill_process(Pid::from_raw(record.supervisor.pid).expect("an id"), signal).expect("the signal");
}

fn remove(directory: &Path) {
    fs::remove_dir_all(directory).expect("the directory");
}

/// The job ends with the reason, nothing of it is left, and the template is free.
fn job_is_lost(backend: Backend, server: Server, lose: fn(&Path), reason: &str) {
    let mut jobs = Jobs::start(backend, &format!("{DAEMONS}\n{SCRIPT}"));
    jobs.server.as_admin().patch(&jobs.template_path(), json!({"allow_simultaneous": false})).expect(200);
    let job = jobs.launch();
    jobs.reported(job, "ready");
    jobs.wait_for_events(job, 500);
    let processes = started(&jobs, job, ["ready", "child", "daemon"]);
    if server == Server::IsKilled {
        jobs.server.kill9();
    }
    lose(&jobs.directory(job));
    if server == Server::IsKilled {
        jobs.server.restart();
    }
    assert_is_error(&jobs.ended(job), reason);
    assert!(!processes.iter().any(|process| is_running(process)), "{processes:?}");
    jobs.wait_for_events(job, 501);
    let output = String::from_utf8(jobs.output(job)).expect("UTF-8");
    assert!(output.ends_with(&format!("499\nERROR! {reason}\n")), "{output}");
    jobs.nothing_is_left();
    let template = jobs.shown_template();
    assert_eq!((&template["status"], &template["last_job_failed"]), (&json!("failed"), &json!(true)));
    assert_eq!(jobs.run()["status"], "successful");
}

fn canceled_job_of_a_killed_supervisor_is_canceled(backend: Backend) {
    let jobs = Jobs::start(backend, SCRIPT);
    let job = jobs.launch();
    jobs.reported(job, "ready");
    let processes = started(&jobs, job, ["ready"]);
    let directory = jobs.directory(job);
    // It cannot end the job itself.
    signal_supervisor(&directory, Signal::STOP);
    jobs.cancel(job);
    jobs.server.wait_for_log(&["the job is being canceled"]);
    kill_supervisor(&directory);
    assert_eq!(jobs.ended(job)["status"], "canceled");
    assert!(!processes.iter().any(|process| is_running(process)), "{processes:?}");
    jobs.nothing_is_left();
}

fn assert_is_error(job: &Value, reason: &str) {
    assert_eq!((&job["status"], &job["failed"]), (&json!("error"), &json!(true)), "{job}");
    assert_eq!(job["job_explanation"], reason, "{job}");
    assert!(job["elapsed"].as_f64() >= Some(0.0), "{job}");
}

/// What a restart of the machine may do to the directory of a job, and the reason that is given.
type Damage = (fn(&Path), &'static str);

const DAMAGES: [Damage; 9] = [
    (|_| (), RESTARTED),
    (remove, GONE),
    (|directory| fs::remove_file(directory.join("started")).expect("the file"), GONE),
    (
        |directory| fs::remove_file(directory.join("spool")).expect("the file"),
        "The machine was stopped while the server started the job, or the events of the job are gone.",
    ),
    // The last event was written in part.
    (
        |directory| {
            let spool = OpenOptions::new().write(true).open(directory.join("spool")).expect("the file");
            spool.set_len(spool.metadata().expect("its length").len() - 10).expect("a shorter file");
        },
        RESTARTED,
    ),
    // The file was made longer, and its content was not written.
    (
        |directory| {
            let mut spool = OpenOptions::new().append(true).open(directory.join("spool")).expect("the file");
            spool.write_all(&[0; 10_000]).expect("a longer file");
        },
        RESTARTED,
    ),
    (
        |directory| {
            for name in ["supervisor.json", "spool", "job.json", "runner.json"] {
                File::create(directory.join(name)).expect("an empty file");
            }
        },
        KILLED,
    ),
    (|directory| fs::remove_file(directory.join("supervisor.json")).expect("the file"), KILLED),
    (|directory| fs::remove_dir_all(directory.join("workspace")).expect("the folder"), RESTARTED),
];

fn jobs_are_errors_after_a_restart_of_the_machine(backend: Backend) {
    let mut jobs = Jobs::start(backend, SCRIPT);
    let exclusive = jobs.another_template("exclusive", SCRIPT);
    let ids = DAMAGES.map(|_| jobs.launch());
    let before = jobs.launch_of(exclusive);
    let after = jobs.launch_of(exclusive);
    for id in ids.iter().chain([&before]) {
        jobs.reported(*id, "ready");
        jobs.wait_for_events(*id, 500);
    }
    jobs.server.kill9();
    for id in ids.iter().chain([&before]) {
        let directory = jobs.directory(*id);
        let mut record = SupervisorRecord::read(&directory).expect("the record").expect("a supervisor");
        kill_leftovers(&directory).expect("they end");
        record.boot_id = "another".into();
        fs::write(directory.join("supervisor.json"), serde_json::to_vec(&record).expect("JSON")).expect("the file");
    }
    for (id, (damage, _)) in ids.iter().zip(DAMAGES) {
        damage(&jobs.directory(*id));
    }
    jobs.server.restart();
    for (id, (_, reason)) in ids.iter().zip(DAMAGES) {
        assert_is_error(&jobs.ended(*id), reason);
        jobs.wait_for_events(*id, 501);
    }
    assert_is_error(&jobs.ended(before), RESTARTED);
    // What waited for it runs.
    jobs.reported(after, "ready");
    jobs.go(after);
    assert_eq!(jobs.ended(after)["status"], "successful");
    assert_eq!(jobs.run()["status"], "successful");
    jobs.nothing_is_left();
}

/// The server is killed after it has written that it starts the supervisor, and before the supervisor has the secrets.
fn job_whose_supervisor_did_not_start_it_is_started_again(backend: Backend) {
    let mut jobs = Jobs::start(backend, SCRIPT);
    let exclusive = jobs.another_template("exclusive", SCRIPT);
    let [first, second, third] = [exclusive; 3].map(|template| jobs.launch_of(template));
    jobs.reported(first, "ready");
    let node = jobs.job(first)["controller_node"].as_str().expect("a node").to_owned();
    jobs.server.kill9();
    jobs.server.execute(&format!(
        "UPDATE unified_jobs SET status = 'waiting', execution_node = '{node}', controller_node = '{node}', \
         blocked_by_id = NULL, queue_class = NULL WHERE id IN ({second}, {third})"
    ));
    fs::create_dir(jobs.directory(second)).expect("a directory");
    fs::create_dir(jobs.directory(third)).expect("a directory");
    fs::copy(jobs.directory(first).join("started"), jobs.directory(second).join("started")).expect("the file");
    // The machine was restarted since, and may have lost the spool.
    fs::write(jobs.directory(third).join("started"), "another").expect("the file");
    jobs.server.restart();
    for job in [first, second] {
        jobs.reported(job, "ready");
        jobs.go(job);
        assert_eq!(jobs.ended(job)["status"], "successful");
        jobs.wait_for_events(job, 1000);
    }
    let reason = "The machine was stopped while the server started the job, or the events of the job are gone.";
    assert_is_error(&jobs.ended(third), reason);
    jobs.nothing_is_left();
}
