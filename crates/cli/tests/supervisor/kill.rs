use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use hostler_supervisor::{ProcessIdentity, Reason, SupervisorRecord, is_supervised, kill_leftovers};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::job::{HOSTLER, Job, is_running, wait_until};

#[test]
fn job_survives_the_kill_of_its_starter() {
    let job = Job::script("event('begin')\nreport('ready', 1)\nwait_for('go')\nevent('end')");
    job.description.write(&job.directory).expect("the description");
    let mut starter = Command::new("sh")
        .args(["-c", "echo {} | \"$0\" run-job \"$1\" & wait", HOSTLER])
        .arg(&job.directory)
        .process_group(0)
        .spawn()
        .expect("it starts");
    job.reported("ready");
    kill_process_group(Pid::from_child(&starter), Signal::KILL).expect("the signal");
    starter.wait().expect("it ends");
    assert!(is_supervised(&job.directory).expect("the lock"));
    job.signal("go");
    let outcome = job.outcome();
    assert_eq!(outcome.last.reason, Reason::Exited);
    assert_eq!(outcome.events.len(), 2);
    wait_until("the supervisor ends", || !is_supervised(&job.directory).expect("the lock"));
}

#[test]
fn job_of_a_server_that_passed_no_secrets_does_not_start() {
    let job = Job::script("report('ready', 1)");
    job.description.write(&job.directory).expect("the description");
    let mut command = Command::new(HOSTLER);
    command.arg("run-job").arg(&job.directory).stdin(Stdio::null()).stderr(Stdio::null());
    assert!(!command.status().expect("it starts").success());
    assert!(!job.directory.join("spool").exists() && !job.directory.join("workspace/ready").exists());
}

#[test]
fn processes_of_a_killed_supervisor_are_found() {
    let job = Job::script(
        r#"
# One in the session of the supervisor, with another environment.
child = subprocess.Popen(["sleep", "1000"], env={})
report("child0", child.pid)
# A daemon with the environment of the job.
daemon = subprocess.run(["sh", "-c", "nohup setsid sleep 1000 >/dev/null 2>&1 & echo $!"], capture_output=True)
report("child1", daemon.stdout.decode())
# Below that daemon's kind, with another session and another environment.
parent = subprocess.Popen(["sh", "-c", "env -i setsid sleep 1000 & echo $!; wait"], start_new_session=True,
                          stdout=subprocess.PIPE)
report("child2", parent.stdout.readline().decode())
report("program", os.getpid())
time.sleep(1000)
"#,
    );
    let mut running = job.start();
    let program = job.reported_pid("program");
    let processes: Vec<i32> =
        (0..3).map(|number| job.reported_pid(&format!("child{number}"))).chain([program]).collect();
    kill_process(Pid::from_child(&running.child), Signal::KILL).expect("the signal");
    running.child.wait().expect("it ends");
    assert!(!is_supervised(&job.directory).expect("the lock"));
    assert!(processes.iter().all(|pid| is_running(*pid)));
    // The program, its three children, and the parent of the last one.
    assert!(kill_leftovers(&job.directory).expect("they end") >= 5);
    for process in processes {
        assert!(!is_running(process), "{process} runs");
    }
    assert_eq!(kill_leftovers(&job.directory).expect("nothing to do"), 0);
}

#[test]
fn leftovers_include_a_supervisor_that_runs() {
    let job = Job::script("report('ready', os.getpid())\ntime.sleep(1000)");
    let mut running = job.start();
    let program = job.reported_pid("ready");
    kill_leftovers(&job.directory).expect("they end");
    running.child.wait().expect("it ends");
    assert!(!is_running(program));
}

#[test]
fn processes_are_found_without_their_directory() {
    let job = Job::script("report('ready', os.getpid())\ntime.sleep(1000)");
    let mut running = job.start();
    let program = job.reported_pid("ready");
    fs::remove_dir_all(&job.directory).expect("the directory");
    assert!(kill_leftovers(&job.directory).expect("they end") >= 2);
    running.child.wait().expect("it ends");
    assert!(!is_running(program));
}

#[test]
fn process_with_a_reused_id_is_not_killed() {
    let job = Job::script("");
    job.run();
    let mut other = Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().expect("it starts");
    let mut record = SupervisorRecord::read(&job.directory).expect("the record").expect("there is one");
    let reused = ProcessIdentity { pid: i32::try_from(other.id()).expect("a process id"), start_time: 1 };
    record.supervisor = reused;
    record.program = Some(reused);
    let path = job.directory.join("supervisor.json");
    fs::write(&path, serde_json::to_string(&record).expect("JSON")).expect("the record");
    assert_eq!(kill_leftovers(&job.directory).expect("nothing to do"), 0);

    record.supervisor.start_time = 0;
    record.boot_id = "another one".to_owned();
    fs::write(&path, serde_json::to_string(&record).expect("JSON")).expect("the record");
    assert_eq!(kill_leftovers(&job.directory).expect("nothing to do"), 0);
    assert!(is_running(reused.pid));
    other.kill().expect("the signal");
    other.wait().expect("it ends");
}
