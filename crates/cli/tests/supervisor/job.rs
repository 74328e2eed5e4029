//! A job whose program is a script of the test.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use hostler_supervisor::{
    FinalRecord, Isolation, JobDescription, Program, Record, Secrets, SpoolReader, start_supervisor,
};
use serde_json::Value;
use tempfile::TempDir;

pub const HOSTLER: &str = env!("CARGO_BIN_EXE_hostler");

/// A test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// What scripts may use: `event` writes an event, `wait_for` waits until the test creates a file in `workspace`.
const PRELUDE: &str = r#"
import json, os, signal, subprocess, sys, time
pipe = int(os.environ["HOSTLER_EVENT_PIPE"])
workspace = os.environ["HOSTLER_JOB_DIRECTORY"] + "/workspace/"
def event(name, stdout="", **data):
    event = {"event": name, "uuid": name, "created": "2026-01-01T00:00:00+00:00", "stdout": stdout, "event_data": data}
    line = (json.dumps(event) + "\n").encode()
    while line:
        line = line[os.write(pipe, line):]
def wait_for(name):
    while not os.path.exists(workspace + name):
        time.sleep(0.01)
def report(name, value):
    with open(workspace + name + ".new", "w") as file:
        file.write(str(value))
    os.rename(workspace + name + ".new", workspace + name)
"#;

pub struct Job {
    // Removed on drop.
    _folder: Option<TempDir>,
    pub directory: PathBuf,
    pub description: JobDescription,
    pub secrets: Secrets,
}

impl Job {
    /// Runs this Python script.
    pub fn script(script: &str) -> Self {
        let script = format!("{PRELUDE}\n{script}");
        Self::new(Program::Command(vec!["python3".into(), "-uc".into(), script]))
    }

    pub fn new(program: Program) -> Self {
        let folder = TempDir::with_prefix("hostler-job-").expect("a folder");
        let directory = folder.path().canonicalize().expect("a real path");
        Self { _folder: Some(folder), ..Self::in_directory(directory, program) }
    }

    pub fn in_directory(directory: PathBuf, program: Program) -> Self {
        let workspace = directory.join("workspace");
        fs::create_dir_all(&workspace).expect("the folder workspace");
        let description = JobDescription {
            program,
            working_directory: workspace,
            environment: BTreeMap::new(),
            timeout: None,
            idle_timeout: None,
            cancel_grace: 60,
            largest_file: None,
            disk_full_wait: 60,
            isolation: Isolation::None,
        };
        Self { _folder: None, directory, description, secrets: Secrets::default() }
    }

    pub fn start(&self) -> Running<'_> {
        self.description.write(&self.directory).expect("the description is written");
        let child = start_supervisor(Path::new(HOSTLER), &self.directory, &self.secrets).expect("it starts");
        Running { job: self, child }
    }

    /// Starts the job with programs of this folder in place of those with the same names in PATH.
    pub fn start_with(&self, programs: &Path) -> Running<'_> {
        self.description.write(&self.directory).expect("the description is written");
        let path = format!("{}:{}", programs.display(), env::var("PATH").expect("the PATH"));
        let mut command = Command::new(HOSTLER);
        command.arg("run-job").arg(&self.directory).env("PATH", path).stdin(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        serde_json::to_writer(child.stdin.take().expect("the input"), &self.secrets).expect("it reads the secrets");
        Running { job: self, child }
    }

    /// Runs the job to its end.
    pub fn run(&self) -> Outcome {
        self.start().finish()
    }

    /// What the script reported under this name, as soon as it has.
    pub fn reported(&self, name: &str) -> String {
        let path = self.directory.join("workspace").join(name);
        wait_until(&format!("the script reports {name}"), || path.exists());
        fs::read_to_string(path).expect("the report")
    }

    /// A process id that the script reported.
    pub fn reported_pid(&self, name: &str) -> i32 {
        self.reported(name).trim().parse().expect("a process id")
    }

    /// Creates the file for which the script waits.
    pub fn signal(&self, name: &str) {
        fs::write(self.directory.join("workspace").join(name), "").expect("the file");
    }

    /// Reads the spool until the final record.
    pub fn outcome(&self) -> Outcome {
        let begin = Instant::now();
        let mut events = Vec::new();
        wait_until("the spool exists", || self.directory.join("spool").exists());
        let mut reader = SpoolReader::open(&self.directory, 0).expect("the spool");
        loop {
            match reader.read_record().expect("a valid record") {
                Some(Record::Event(json)) => events.push(serde_json::from_slice(json).expect("JSON")),
                Some(Record::Final(last)) => {
                    assert_eq!(reader.read_record().expect("no error"), None, "nothing follows the final record");
                    assert_eq!(last.events, events.len() as u64);
                    return Outcome { events, last };
                }
                None => {
                    assert!(begin.elapsed() < PATIENCE, "no final record: {}", self.log());
                    reader.wait(Duration::from_millis(100)).expect("it waits");
                }
            }
        }
    }

    /// The errors of the supervisor.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.join("supervisor.log")).unwrap_or_default()
    }
}

pub struct Running<'a> {
    pub job: &'a Job,
    pub child: Child,
}

impl Running<'_> {
    pub fn finish(mut self) -> Outcome {
        let outcome = self.job.outcome();
        let status = self.child.wait().expect("it ends");
        assert!(status.success(), "{status}: {}", self.job.log());
        assert_eq!(self.job.log(), "");
        outcome
    }

    /// The most memory that the supervisor used, in KiB.
    pub fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line for the peak");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

pub struct Outcome {
    pub events: Vec<Value>,
    pub last: FinalRecord,
}

impl Outcome {
    /// The output of the job.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for event in &self.events {
            text += event["stdout"].as_str().expect("a text");
            if event["end_line"].as_u64() > event["start_line"].as_u64() {
                text.push('\n');
            }
        }
        text
    }

    /// The events with this name.
    pub fn named(&self, name: &str) -> Vec<&Value> {
        self.events.iter().filter(|event| event["event"] == name).collect()
    }

    /// Checks what holds for every job: numbers without gaps, and lines that follow each other.
    pub fn check_numbers(&self) {
        let mut line = 0;
        for (event, counter) in self.events.iter().zip(1..) {
            assert_eq!(event["counter"], counter);
            assert_eq!(event["start_line"], line, "{event}");
            line = event["end_line"].as_u64().expect("a number");
        }
        assert_eq!(self.last.lines, line);
    }
}

/// Writes a program.
pub fn executable(path: &Path, text: &str) {
    fs::write(path, text).expect("a program");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("its mode");
}

/// A program that creates the file `begun`, waits until the test opens the FIFO `go`, and then runs this command.
/// It waits without a child.
pub struct DelayedProgram(TempDir);

impl DelayedProgram {
    pub fn new(name: &str, then: &str) -> Self {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path();
        let made = Command::new("mkfifo").arg(path.join("go")).status().expect("mkfifo runs");
        assert!(made.success());
        let text = format!("#!/bin/sh\n: >'{0}/begun'\nread line <'{0}/go'\n{then}\n", path.display());
        executable(&path.join(name), &text);
        Self(folder)
    }

    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    pub fn wait_for_begin(&self) {
        wait_until("the program begins", || self.0.path().join("begun").exists());
    }

    pub fn go_on(&self) {
        fs::write(self.0.path().join("go"), "\n").expect("it reads");
    }
}

pub fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < PATIENCE, "it does not happen: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a process runs: it is there, and no zombie.
pub fn is_running(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit_once(')').is_some_and(|(_, fields)| !fields.trim_start().starts_with('Z')))
}
