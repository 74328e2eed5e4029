use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use hostler_supervisor::{Bubblewrap, Exit, Isolation, Program, Reason, Shown, request_cancel};
use hostler_testkit::skip::{skip, skip_forbidden};
use rustix::process::{Pid, Signal, kill_process};

use crate::job::{DelayedProgram, Job, is_running, wait_until};

/// Whether bubblewrap runs here; otherwise the test is reported as skipped.
pub fn has_bubblewrap() -> bool {
    match Command::new("bwrap").args(["--ro-bind", "/", "/", "--unshare-pid", "--proc", "/proc", "true"]).output() {
        Err(_) => skip("there is no bubblewrap"),
        Ok(output) if !output.status.success() => {
            skip_forbidden(&format!("bubblewrap does not run here: {}", String::from_utf8_lossy(&output.stderr)));
        }
        Ok(_) => return true,
    }
    false
}

fn shell(script: &str) -> Program {
    Program::Command(["sh", "-c", script].map(str::to_owned).to_vec())
}

#[test]
fn isolated_job_sees_only_its_own_files() {
    if !has_bubblewrap() {
        return;
    }
    let other = Job::new(shell("true"));
    fs::write(other.directory.join("workspace/secret"), "SECRET OF ANOTHER JOB").expect("a file");
    let data = tempfile::tempdir().expect("a folder");
    fs::create_dir(data.path().join("project")).expect("a folder");
    fs::write(data.path().join("hostler.db"), "SECRET OF THE SERVER").expect("a file");
    fs::write(data.path().join("project/site.yml"), "PLAYBOOK").expect("a file");

    let mut job = Job::new(shell(""));
    let own = job.directory.clone();
    fs::write(own.join("workspace/inventory"), "INVENTORY").expect("a file");
    job.description.program = shell(&format!(
        "cat {other}/workspace/secret; cat {data}/hostler.db; cat {own}/job.json {own}/supervisor.json; echo x >{own}/cancel
        cat site.yml {own}/workspace/inventory; echo x >new; echo y >{own}/workspace/result; echo z >/tmp/z
        tr '\\0' '\\n' </proc/1/environ | grep SECRET; exit 7",
        other = other.directory.display(),
        data = data.path().display(),
        own = own.display(),
    ));
    job.description.working_directory = data.path().join("project");
    job.description.isolation =
        Isolation::Bubblewrap(Bubblewrap { read_only: vec![data.path().join("project")], ..Bubblewrap::default() });
    let outcome = job.run();
    let text = outcome.text();
    assert_eq!((outcome.last.reason, outcome.last.exit), (Reason::Exited, Some(Exit::Code(7))), "{text}");
    assert!(!text.contains("SECRET"), "{text}");
    assert!(!text.contains("working_directory") && !text.contains("boot_id"), "{text}");
    assert!(text.contains("PLAYBOOK") && text.contains("INVENTORY"), "{text}");
    assert_eq!(fs::read_to_string(own.join("workspace/result")).expect("the result"), "y\n");
    assert!(!data.path().join("project/new").exists());
}

#[test]
fn hidden_file_is_empty() {
    if !has_bubblewrap() {
        return;
    }
    let mut job = Job::new(shell("cat /etc/hostname; ls /etc/ssl; echo end"));
    job.description.isolation = Isolation::Bubblewrap(Bubblewrap {
        hidden: vec!["/etc/hostname".into(), "/etc/ssl".into(), "/etc/hostler-does-not-exist".into()],
        ..Bubblewrap::default()
    });
    assert_eq!(job.run().text(), "end\n");
}

/// These are the paths of AWX_ISOLATION_SHOW_PATHS.
#[test]
fn shown_paths_are_seen_under_their_names() {
    if !has_bubblewrap() {
        return;
    }
    let data = tempfile::tempdir().expect("a folder");
    for name in ["a", "b", "secret"] {
        fs::create_dir(data.path().join(name)).expect("a folder");
        fs::write(data.path().join(name).join("file"), format!("{name}\n")).expect("a file");
    }
    let shown = |name: &str, destination: &str, is_writable| Shown {
        source: data.path().join(name),
        destination: destination.into(),
        is_writable,
    };
    let script = "cat /shown/a/file /shown/b/file; echo more >/shown/a/file; echo more >/shown/b/file; cat SECRET/file";
    let secret = data.path().join("secret");
    let secret = secret.to_str().expect("UTF-8");
    let mut job = Job::new(shell(&script.replace("SECRET", secret)));
    job.description.isolation = Isolation::Bubblewrap(Bubblewrap {
        shown: vec![
            shown("a", "/shown/a", true),
            shown("b", "/shown/b", false),
            shown("gone", "/shown/c", false),
            shown("secret", secret, true),
        ],
        hidden: vec![secret.into()],
        ..Bubblewrap::default()
    });
    let text = job.run().text();
    assert!(text.starts_with("a\nb\n") && !text.contains("secret\n"), "{text}");
    let content = |name: &str| fs::read_to_string(data.path().join(name).join("file")).expect("a file");
    assert_eq!((content("a").as_str(), content("b").as_str()), ("more\n", "b\n"));
}

#[test]
fn isolated_program_is_interrupted_and_its_descendants_end() {
    if !has_bubblewrap() {
        return;
    }
    let script = "
try:
    child = subprocess.Popen(['sleep', '987654'], start_new_session=True)
    report('ready', 1)
    time.sleep(1000)
except KeyboardInterrupt:
    event('interrupted', 'interrupted\\n')
    sys.exit(99)
";
    let mut job = Job::script(script);
    if let Program::Command(command) = &mut job.description.program {
        // A Python that the system installed: others are not visible.
        command[0] = "/usr/bin/python3".to_owned();
    }
    job.description.isolation = Isolation::Bubblewrap(Bubblewrap::default());
    let running = job.start();
    job.reported("ready");
    assert_eq!(sleeping("987654"), 1);
    request_cancel(&job.directory).expect("the request");
    let outcome = running.finish();
    assert_eq!((outcome.last.reason, outcome.last.exit), (Reason::Canceled, Some(Exit::Code(99))));
    assert_eq!(outcome.text(), "interrupted\n");
    assert_eq!(sleeping("987654"), 0);
}

#[test]
fn cancel_reaches_a_program_that_bubblewrap_has_not_started_yet() {
    if !has_bubblewrap() {
        return;
    }
    let bwrap = DelayedProgram::new("bwrap", r#"PATH=${PATH#*:}; exec bwrap "$@""#);
    let mut job = Job::new(Program::Command(["sleep", "1000"].map(str::to_owned).to_vec()));
    job.description.isolation = Isolation::Bubblewrap(Bubblewrap::default());
    let running = job.start_with(bwrap.folder());
    bwrap.wait_for_begin();
    request_cancel(&job.directory).expect("the request");
    // Until the supervisor has seen the request.
    thread::sleep(Duration::from_millis(300));
    bwrap.go_on();
    let outcome = running.finish();
    // What bubblewrap makes of SIGINT; after the grace time it would be SIGKILL.
    assert_eq!((outcome.last.reason, outcome.last.exit), (Reason::Canceled, Some(Exit::Code(130))));
}

#[test]
fn variables_of_the_dynamic_linker_are_rejected() {
    if !has_bubblewrap() {
        return;
    }
    for name in ["LD_PRELOAD", "LD_LIBRARY_PATH", "GLIBC_TUNABLES"] {
        for is_secret in [false, true] {
            let mut job = Job::new(shell("echo started"));
            job.description.isolation = Isolation::Bubblewrap(Bubblewrap::default());
            let variables = if is_secret { &mut job.secrets.environment } else { &mut job.description.environment };
            variables.insert(name.to_owned(), job.directory.join("workspace/x.so").display().to_string());
            let outcome = job.run();
            assert_eq!((outcome.last.reason, outcome.text().as_str()), (Reason::NotStarted, ""));
            let expected = format!("the environment variable {name} is not allowed in an isolated job");
            assert_eq!(outcome.last.message, expected);
        }
    }
}

#[test]
fn isolated_processes_end_with_a_killed_supervisor() {
    if !has_bubblewrap() {
        return;
    }
    let mut job = Job::new(shell(""));
    let ready = job.directory.join("workspace/ready");
    let script = format!("setsid nohup sleep 876543 >/dev/null 2>&1 & echo >{}; wait", ready.display());
    job.description.program = shell(&script);
    job.description.isolation = Isolation::Bubblewrap(Bubblewrap::default());
    let mut running = job.start();
    job.reported("ready");
    wait_until("the process runs", || sleeping("876543") == 1);
    kill_process(Pid::from_child(&running.child), Signal::KILL).expect("the signal");
    running.child.wait().expect("it ends");
    wait_until("the process ends", || sleeping("876543") == 0);
}

/// The number of processes that sleep this many seconds.
fn sleeping(seconds: &str) -> usize {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let command_line = format!("sleep\0{seconds}\0");
    let sleeps = |pid: &i32| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|it| it == command_line.as_bytes());
    pids.filter(|pid| sleeps(pid) && is_running(*pid)).count()
}

#[test]
fn missing_path_is_named() {
    if !has_bubblewrap() {
        return;
    }
    let mut job = Job::new(shell("true"));
    job.description.isolation =
        Isolation::Bubblewrap(Bubblewrap { read_only: vec!["/no/such/project".into()], ..Bubblewrap::default() });
    let outcome = job.run();
    assert_eq!(outcome.last.reason, Reason::NotStarted);
    assert!(outcome.last.message.contains("/no/such/project"), "{}", outcome.last.message);
}
