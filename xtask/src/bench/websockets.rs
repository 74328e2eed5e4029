//! A thousand WebSockets on one running job: what they cost, and whether each gets all events.

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use hostler_testkit::stand_in_ansible;
use serde_json::json;

use super::document::{self, Target, targets, today};
use super::served_jobs::ServedJobs;

/// The sockets of a short and of a full run.
const QUICK: usize = 100;
const FULL: usize = 1000;
/// The events of the job, and when it writes them: 100 each tenth of a second.
const EVENTS: i64 = 2000;
/// How often the delay of an event after a pause is measured.
const SINGLE: usize = 15;
/// A client needs little stack.
const STACK: usize = 256 << 10;

/// What stands for Ansible: single events when the bench creates files, then many.
const SCRIPT: &str = r"
report('ready')
for number in range(15):
    wait_for(f'single-{number}')
    event('runner_on_ok', f'single {number}\n', host='w1')
wait_for('go')
for number in range(2000):
    event('runner_on_ok', f'ok: [w{number}] => ' + 'x' * 300 + '\n', host='w1', res={'changed': False, 'msg': 'y' * 300})
    if number % 100 == 99: time.sleep(0.1)
event('playbook_on_stats', 'PLAY RECAP\n', ok={'w1': 2015})
";

/// Measures, and writes the table into the document.
pub fn run(hostler: &Path, is_quick: bool, document: Option<&Path>, folder: &Path) -> Result<()> {
    let sockets = if is_quick { QUICK } else { FULL };
    let ansible = stand_in_ansible(folder);
    let served = ServedJobs::start_with(hostler, ansible.as_os_str(), "w1\n", folder, &["--isolation", "none"])?;
    served.write_playbook(SCRIPT)?;
    let job = served.launch()?;
    let workspace = folder.join("data/jobs").join(job.to_string()).join("workspace");
    wait_for(&workspace.join("ready"))?;
    let mut first = served.websocket();
    first.subscribe(json!({"job_events": [job]}));
    let mut delays = vec![];
    for number in 0..SINGLE {
        thread::sleep(Duration::from_millis(300));
        let start = Instant::now();
        fs::write(workspace.join(format!("single-{number}")), "")?;
        first.read();
        delays.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    delays.sort_by(f64::total_cmp);
    let before = served.memory()?;
    let ready = Arc::new(Barrier::new(sockets + 1));
    let mut clients = vec![];
    for _ in 0..sockets {
        let (mut socket, ready) = (served.websocket(), Arc::clone(&ready));
        let client = move || -> Vec<i64> {
            socket.subscribe(json!({"job_events": [job]}));
            ready.wait();
            let last = |message: &serde_json::Value| message["event"] == "playbook_on_stats";
            socket.read_until(last).iter().filter_map(|message| message["counter"].as_i64()).collect()
        };
        clients.push(thread::Builder::new().stack_size(STACK).spawn(client)?);
    }
    ready.wait();
    let open = served.memory()?;
    fs::write(workspace.join("go"), "")?;
    let mut peak: f64 = open;
    while !clients.iter().all(thread::JoinHandle::is_finished) {
        peak = peak.max(served.memory()?);
        thread::sleep(Duration::from_millis(20));
    }
    let first = SINGLE as i64 + 1;
    let expected: Vec<i64> = (first..=first + EVENTS).collect();
    let mut complete = 0;
    for client in clients {
        let counters = client.join().map_err(|_| anyhow!("a client panicked"))?;
        complete += usize::from(counters == expected);
    }
    let ended = served.ended(job)?;
    ensure!(ended["status"] == "successful", "the job failed: {ended}");
    let median = delays.get(delays.len() / 2).copied().context("no delay")?;
    let slowest = delays.last().copied().context("no delay")?;
    let table = Table {
        introduction: format!(
            "`cargo xtask bench --websockets` on {}, SQLite. The job writes {EVENTS} events of 700 bytes, 1,000 a second.",
            today()
        ),
        targets: vec![
            Target::below(
                "an event after a pause, from when the playbook may write it until a client has it, median",
                median,
                200.0,
                "ms",
            ),
            Target::below("the slowest of 15", slowest, 200.0, "ms"),
            Target::least("sockets that get all events in order", complete as f64, sockets as f64, ""),
            Target::below(
                format!("what {sockets} sockets add to the resident memory of the server"),
                open - before,
                100.0,
                "MB",
            ),
            Target::below("the same while the job writes, at most", peak - before, 100.0, "MB"),
        ],
    };
    let table = table.to_string();
    println!("\n{table}");
    document.map_or(Ok(()), |file| document::write(file, "websockets", &table))
}

/// Waits until the job has created this file.
fn wait_for(file: &Path) -> Result<()> {
    let begin = Instant::now();
    while !file.exists() {
        ensure!(begin.elapsed() < Duration::from_secs(60), "the job does not create {}", file.display());
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

struct Table {
    introduction: String,
    targets: Vec<Target>,
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}\n", self.introduction)?;
        targets(out, self.targets.clone())
    }
}
