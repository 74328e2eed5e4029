use std::process::{Command, Stdio};

use hostler_supervisor::{Exit, Program, Reason, SshKey, request_cancel};
use hostler_testkit::skip::skip_forbidden;
use rustix::process::{Pid, Signal, kill_process};

use crate::job::{DelayedProgram, HOSTLER, Job, Running, is_running, wait_until};

/// Starts children that outlive a plain kill: sessions of their own that ignore signals.
const STUBBORN_CHILDREN: &str = r#"
ignore = "import signal, time\nfor number in (1, 2, 15): signal.signal(number, signal.SIG_IGN)\nprint('x', flush=True)\n"
for number in range(3):
    child = subprocess.Popen([sys.executable, "-c", ignore + "time.sleep(1000)"], start_new_session=True,
                             stdout=subprocess.PIPE)
    child.stdout.read(2)
    report(f"child{number}", child.pid)
orphan = subprocess.run(["sh", "-c", "nohup setsid sleep 1000 >/dev/null 2>&1 & echo $!"], capture_output=True)
report("child3", orphan.stdout.decode())
"#;

fn children(job: &Job) -> Vec<i32> {
    (0..4).map(|number| job.reported_pid(&format!("child{number}"))).collect()
}

#[test]
fn cancel_interrupts_the_program_and_kills_its_descendants() {
    let script = "
try:
    report('ready', 1)
    time.sleep(1000)
except KeyboardInterrupt:
    event('interrupted', 'interrupted\\n')
    sys.exit(99)
";
    let job = Job::script(&format!("{STUBBORN_CHILDREN}{script}"));
    let running = job.start();
    job.reported("ready");
    request_cancel(&job.directory).expect("the request");
    let outcome = running.finish();
    assert_eq!((outcome.last.reason, outcome.last.exit), (Reason::Canceled, Some(Exit::Code(99))));
    assert_eq!(outcome.last.message, "The job was canceled.");
    assert_eq!(outcome.text(), "interrupted\n");
    for child in children(&job) {
        assert!(!is_running(child), "{child} runs after the final record");
    }
}

#[test]
fn program_that_ignores_the_interrupt_is_killed() {
    let script =
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\nreport('ready', 1)\nwhile True: print('x'); time.sleep(0.01)";
    let mut job = Job::script(&format!("{STUBBORN_CHILDREN}{script}"));
    job.description.cancel_grace = 1;
    let running = job.start();
    job.reported("ready");
    request_cancel(&job.directory).expect("the request");
    let outcome = running.finish();
    assert_eq!((outcome.last.reason, outcome.last.exit), (Reason::Canceled, Some(Exit::Signal(9))));
    assert!(children(&job).into_iter().all(|child| !is_running(child)));
}

#[test]
fn job_is_canceled_before_it_is_started() {
    let job = Job::script("time.sleep(1000)");
    request_cancel(&job.directory).expect("the request");
    let last = job.run().last;
    assert_eq!((last.reason, last.started, last.exit), (Reason::Canceled, None, None));
    assert_eq!(last.message, "The job was canceled.");
}

#[test]
fn job_is_stopped_at_its_time_limit() {
    let mut job = Job::script("time.sleep(1000)");
    job.description.timeout = Some(1);
    let outcome = job.run();
    assert_eq!(outcome.last.reason, Reason::TimedOut);
    assert_eq!(outcome.last.message, "The job was stopped after 1 seconds, its time limit.");
}

#[test]
fn sigterm_stops_the_job() {
    let job = Job::script("report('ready', 1)\ntime.sleep(1000)");
    let running = job.start();
    job.reported("ready");
    kill_process(Pid::from_child(&running.child), Signal::TERM).expect("the signal");
    assert_eq!(running.finish().last.reason, Reason::Terminated);
}

#[test]
fn sigterm_during_the_preparation_has_a_final_record() {
    let mut job = Job::script("print('started')");
    job.secrets.ssh_keys = vec![SshKey { private_key: "a key".to_owned(), passphrase: None }];
    let agent = DelayedProgram::new("ssh-agent", "exit 1");
    let running = job.start_with(agent.folder());
    agent.wait_for_begin();
    kill_process(Pid::from_child(&running.child), Signal::TERM).expect("the signal");
    agent.go_on();
    let outcome = running.finish();
    assert_eq!((outcome.last.reason, outcome.last.started.as_ref()), (Reason::Terminated, None));
    assert_eq!(outcome.text(), "");
}

#[test]
fn job_is_canceled_without_inotify() {
    let job = Job::script("report('ready', 1)\ntime.sleep(1000)");
    let forbid = "echo 0 >/proc/sys/user/max_inotify_instances";
    let in_namespace = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "sh", "-c", script, HOSTLER]).arg(&job.directory);
        command.stdin(Stdio::null());
        command
    };
    if !in_namespace(forbid).output().is_ok_and(|output| output.status.success()) {
        skip_forbidden("the limit of inotify cannot be changed in a user namespace");
        return;
    }
    job.description.write(&job.directory).expect("the description");
    let child = in_namespace(&format!("{forbid}; echo {{}} | exec \"$0\" run-job \"$1\"")).spawn().expect("it starts");
    let running = Running { job: &job, child };
    job.reported("ready");
    request_cancel(&job.directory).expect("the request");
    assert_eq!(running.finish().last.reason, Reason::Canceled);
}

#[test]
fn descendants_end_with_the_program() {
    let job = Job::script(STUBBORN_CHILDREN);
    let outcome = job.run();
    assert_eq!((outcome.last.reason, outcome.last.exit), (Reason::Exited, Some(Exit::Code(0))));
    assert!(children(&job).into_iter().all(|child| !is_running(child)));
}

#[test]
fn killed_program_has_a_message() {
    let job = Job::script("print('last words', flush=True)\nos.kill(os.getpid(), 9)");
    let outcome = job.run();
    assert_eq!((outcome.last.reason, outcome.last.exit), (Reason::Exited, Some(Exit::Signal(9))));
    assert_eq!(outcome.text(), "last words\n");
    assert!(outcome.last.message.contains("killed by signal 9"), "{}", outcome.last.message);
}

#[test]
fn exit_status_of_the_program_is_reported() {
    let outcome = Job::script("sys.exit(4)").run();
    assert_eq!((outcome.last.exit, outcome.last.message.as_str()), (Some(Exit::Code(4)), ""));
}

#[test]
fn job_that_cannot_start_has_a_reason() {
    let missing = Job::new(Program::Command(vec!["/no/such/program".into()])).run();
    assert_eq!((missing.last.reason, missing.last.exit), (Reason::NotStarted, None));
    assert_eq!(missing.last.message, "/no/such/program does not exist");

    let unknown = Job::new(Program::Command(vec!["hostler-no-such-program".into()])).run();
    assert!(
        unknown.last.message.starts_with("hostler-no-such-program could not be started"),
        "{unknown:?}",
        unknown = unknown.last
    );

    let empty = Job::new(Program::Command(Vec::new())).run();
    assert_eq!(empty.last.message, "the job names no program");

    let mut folder = Job::script("");
    folder.description.working_directory = "/no/such/folder".into();
    assert_eq!(folder.run().last.message, "the folder /no/such/folder does not exist");
}

#[test]
fn second_supervisor_of_a_directory_is_rejected() {
    let job = Job::script("report('ready', 1)\nwait_for('go')");
    let running = job.start();
    job.reported("ready");
    let mut second = job.start();
    assert!(!second.child.wait().expect("it ends").success());
    assert!(job.log().contains("belongs to another supervisor"), "{}", job.log());
    std::fs::remove_file(job.directory.join("supervisor.log")).expect("the log");
    job.signal("go");
    running.finish();
    let mut third = job.start();
    assert!(!third.child.wait().expect("it ends").success(), "a job is run once");
    wait_until("the log has the reason", || job.log().contains("belongs to another supervisor"));
}
