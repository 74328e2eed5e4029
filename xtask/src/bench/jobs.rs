//! What a job costs beside plain `ansible-playbook`. It needs Ansible in PATH or in `HOSTLER_TEST_ANSIBLE`.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use hostler_supervisor::{AnsibleOptions, Exit, FinalRecord, Playbook, Reason, Record, SpoolReader, request_cancel};
use serde_json::json;

use super::document::{self, Target, targets, today};
use super::process;
use super::served_jobs::ServedJobs;

/// Runs of the smallest playbook, and of the one with many events.
const SMALL_RUNS: usize = 15;
const LARGE_RUNS: usize = 3;

const INVENTORY: &str = "w1\nw2\nw3\nw4\nw5\n[all:vars]\nansible_connection=local\n";

const SMALL: &str = "- hosts: w1\n  gather_facts: false\n  tasks: [{debug: {msg: x}}]\n";

/// 10,014 events.
const LARGE: &str = "- hosts: all\n  gather_facts: false\n  tasks: [{debug: {msg: x}, loop: '{{ range(2000) }}'}]\n";

/// Measures, and writes the targets into the document.
pub fn run(hostler: &Path, document: Option<&Path>, folder: &Path) -> Result<()> {
    let bench = Bench {
        hostler: hostler.to_owned(),
        ansible: env::var_os("HOSTLER_TEST_ANSIBLE").unwrap_or_else(|| "ansible-playbook".into()),
        folder: folder.to_owned(),
    };
    let found = Command::new(&bench.ansible).arg("--version").stdout(Stdio::null()).status();
    found.context("there is no ansible-playbook in PATH, and HOSTLER_TEST_ANSIBLE names none")?;
    fs::write(folder.join("inventory"), INVENTORY)?;
    let served = ServedJobs::start(hostler, &bench.ansible, INVENTORY, folder)?;
    let idle = served.memory()?;
    let busy = served.memory_with_jobs()?;
    let (small, large) = (bench.compare(&served, SMALL, SMALL_RUNS)?, bench.compare(&served, LARGE, LARGE_RUNS)?);
    let supervisor = bench.memory()?;
    let table = Table {
        introduction: format!("`cargo xtask bench --jobs` on {}, medians, SQLite.", today()),
        rows: vec![("smallest playbook", small), ("10,014 events", large)],
        targets: vec![
            Target::below("own share of the smallest playbook", (small.served - small.plain) * 1000.0, 60.0, "ms"),
            Target::below("10,014 events, compared with ansible-playbook", large.served / large.plain, 1.05, "×"),
            Target::below("memory of a supervisor that it does not share with the server", supervisor, 4.0, "MB"),
            Target::below("resident memory of the server before its first job", idle, 45.0, "MB"),
            Target::below("what ten running jobs, the first ones, add to it", busy - idle, 15.0, "MB"),
            served.launches()?,
        ],
    };
    let table = table.to_string();
    println!("\n{table}");
    document.map_or(Ok(()), |file| document::write(file, "jobs", &table))
}

/// Seconds of the same playbook.
#[derive(Clone, Copy)]
struct Times {
    /// By plain `ansible-playbook`.
    plain: f64,
    /// By a supervisor alone.
    supervised: f64,
    /// By a job, from its launch through the API until its end is visible.
    served: f64,
}

struct Table {
    introduction: String,
    rows: Vec<(&'static str, Times)>,
    targets: Vec<Target>,
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}\n", self.introduction)?;
        writeln!(
            out,
            "| Playbook | ansible-playbook, s | supervisor alone, s | job, from launch to end, s |\n|---|--:|--:|--:|"
        )?;
        for (name, Times { plain, supervised, served }) in &self.rows {
            writeln!(out, "| {name} | {plain:.3} | {supervised:.3} | {served:.3} |")?;
        }
        writeln!(out)?;
        targets(out, self.targets.clone())
    }
}

struct Bench {
    hostler: PathBuf,
    ansible: OsString,
    folder: PathBuf,
}

impl Bench {
    /// The medians, alternating so that all meet the same noise.
    fn compare(&self, jobs: &ServedJobs, playbook: &str, runs: usize) -> Result<Times> {
        fs::write(self.folder.join("site.yml"), playbook)?;
        jobs.write_playbook(playbook)?;
        let (mut plain, mut supervised, mut served) = (vec![], vec![], vec![]);
        for run in 0..=runs {
            let begin = Instant::now();
            ensure!(self.plain()?, "ansible-playbook failed");
            let middle = Instant::now();
            let options = AnsibleOptions {
                program: self.ansible.clone().into(),
                inventories: vec!["inventory".into()],
                ..AnsibleOptions::default()
            };
            let playbook = Playbook { options, playbook: "site.yml".to_owned(), ..Playbook::default() };
            let mut supervisor = self.job(&json!({ "playbook": playbook }))?;
            ensure!(supervisor.wait()?.success(), "run-job failed");
            let end = Instant::now();
            let last = self.final_record()?;
            ensure!(last.exit == Some(Exit::Code(0)), "the job failed: {last:?}");
            let seconds = jobs.run()?;
            // The first run of each fills caches.
            if run > 0 {
                plain.push((middle - begin).as_secs_f64());
                supervised.push((end - middle).as_secs_f64());
                served.push(seconds);
            }
        }
        Ok(Times { plain: median(plain), supervised: median(supervised), served: median(served) })
    }

    fn plain(&self) -> Result<bool> {
        let mut command = Command::new(&self.ansible);
        command.args(["--inventory=inventory", "site.yml"]).current_dir(&self.folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(command.status().context("ansible-playbook does not run")?.success())
    }

    /// Starts a job in a new directory.
    fn job(&self, program: &serde_json::Value) -> Result<Child> {
        let directory = self.folder.join("job");
        if directory.exists() {
            fs::remove_dir_all(&directory)?;
        }
        fs::create_dir_all(directory.join("workspace"))?;
        let description = json!({"program": program, "working_directory": self.folder});
        fs::write(directory.join("job.json"), description.to_string())?;
        let mut command = Command::new(&self.hostler);
        let mut supervisor = command.arg("run-job").arg(directory).stdin(Stdio::piped()).spawn()?;
        supervisor.stdin.take().context("the supervisor reads no secrets")?.write_all(b"{}")?;
        Ok(supervisor)
    }

    /// The megabytes of a supervisor that are not shared with the server, while its program has printed something and
    /// waits.
    fn memory(&self) -> Result<f64> {
        let mut supervisor = self.job(&json!({"command": ["sh", "-c", "seq 100000; exec sleep 1000"]}))?;
        thread::sleep(Duration::from_secs(2));
        let memory = process::memory(supervisor.id(), "RssAnon")?;
        request_cancel(&self.folder.join("job"))?;
        ensure!(supervisor.wait()?.success(), "run-job failed");
        let last = self.final_record()?;
        ensure!(last.reason == Reason::Canceled, "the job ended too early: {last:?}");
        Ok(memory)
    }

    /// How the last job ended.
    fn final_record(&self) -> Result<FinalRecord> {
        let mut reader = SpoolReader::open(&self.folder.join("job"), 0)?;
        loop {
            if let Record::Final(last) = reader.read_record()?.context("the job has no final record")? {
                return Ok(last);
            }
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
