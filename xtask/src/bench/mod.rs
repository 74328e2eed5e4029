//! Benchmarks of Hostler, compared with a minimal HTTP handler.

mod cases;
mod client;
mod database;
mod dataset;
mod document;
mod events;
mod figures;
mod jobs;
mod load;
mod measured_server;
pub mod process;
mod queue;
mod scale;
mod served_jobs;
mod websockets;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use tempfile::TempDir;

use crate::cargo::cargo;
use crate::server::Server;
use cases::{CASES, Kind};
use client::Connection;
use database::BenchDatabase;
use dataset::Dataset;
use document::{Measured, Row};
use load::{Load, Writes};
use measured_server::{ApiClient, MeasuredServer};

/// The options of `bench`.
pub struct Options {
    users: i64,
    seconds: u32,
    database: Option<String>,
    /// A short run without output, to check that the benchmark works.
    is_quick: bool,
    /// Compares a large installation with a small one instead.
    is_scale: bool,
    /// Compares jobs with plain `ansible-playbook` instead.
    is_jobs: bool,
    /// Measures how fast events are written and read instead, with this number of them.
    events: Option<u64>,
    /// Measures the dispatcher of jobs instead.
    is_queue: bool,
    /// Measures many WebSockets on one job instead.
    is_websockets: bool,
}

impl Options {
    /// Parses the arguments after `bench`.
    pub fn parse(flags: &[String]) -> Result<Self> {
        let mut options = Self {
            users: 100_000,
            seconds: 4,
            database: None,
            is_quick: false,
            is_scale: false,
            is_jobs: false,
            events: None,
            is_queue: false,
            is_websockets: false,
        };
        if flags.iter().any(|flag| flag == "--quick") {
            options = Self { users: 1000, seconds: 1, is_quick: true, ..options };
        }
        let count = flags.len();
        let mut flags = flags.iter();
        while let Some(flag) = flags.next() {
            let mut value = || flags.next().with_context(|| format!("{flag} needs a value"));
            match flag.as_str() {
                "--users" => options.users = value()?.parse().context("--users needs a number")?,
                "--seconds" => options.seconds = value()?.parse().context("--seconds needs a number")?,
                "--database" => options.database = Some(value()?.clone()),
                "--quick" => {}
                "--scale" => options.is_scale = true,
                "--jobs" => options.is_jobs = true,
                "--events" => options.events = Some(if options.is_quick { 10_000 } else { 2_000_000 }),
                "--queue" => options.is_queue = true,
                "--websockets" => options.is_websockets = true,
                other => bail!("bench has no option {other}: see cargo xtask help"),
            }
        }
        ensure!(!options.is_jobs || count == 1, "--jobs takes no other option");
        ensure!(
            (dataset::MIN_USERS..=1_000_000).contains(&options.users),
            "--users takes {} to 1000000",
            dataset::MIN_USERS
        );
        ensure!((1..=600).contains(&options.seconds), "--seconds takes 1 to 600");
        Ok(options)
    }
}

/// How often the start of the server is measured.
const STARTS: usize = 7;
/// The warm-up time.
const WARM_UP: u32 = 1;

/// Runs the benchmark, prints the table, and writes it into the document.
pub fn run(options: &Options) -> Result<()> {
    if !options.is_queue && !options.is_websockets && options.events.is_none() {
        load::require()?;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace")?;
    // The profile's folder of the target directory is on a disk. The folder for temporary files may be in memory, where
    // fsync is free.
    let target = std::env::current_exe()?.ancestors().nth(2).context("the target directory")?.to_owned();
    let folder = TempDir::with_prefix_in("bench-", &target)?;
    let document = root.join("docs/benchmarks.md");
    let document = (!options.is_quick).then_some(document.as_path());
    if let Some(events) = options.events {
        return events::run(options.database.as_deref(), events, document, folder.path());
    }
    if options.is_queue {
        return queue::run(options.database.as_deref(), options.is_quick, document, folder.path());
    }
    build()?;
    let release = target.join("release");
    if options.is_jobs {
        return jobs::run(&release.join("hostler"), document, folder.path());
    }
    if options.is_websockets {
        return websockets::run(&release.join("hostler"), options.is_quick, document, folder.path());
    }
    if options.is_scale {
        return scale::run(options, root, &release, folder.path());
    }
    let measured = measure(options, &release, folder.path())?;
    println!("\n{measured}");
    if !options.is_quick {
        document::write(&root.join("docs/benchmarks.md"), measured.key, &measured.to_string())?;
    }
    Ok(())
}

fn build() -> Result<()> {
    let arguments = ["build", "--release", "--package", "hostler", "--package", "hostler-server"];
    let is_built = cargo().args(arguments).args(["--bin", "hostler", "--example", "bare"]).status()?;
    ensure!(is_built.success(), "the release build failed");
    Ok(())
}

/// A database filled with the dataset.
struct Prepared {
    dataset: Dataset,
    /// Seconds from exec to the first response with the new database.
    new_start: f64,
}

fn prepare(subject: &MeasuredServer, database: &BenchDatabase, users: i64) -> Result<Prepared> {
    let (server, new_start) = subject.start(&[])?;
    ApiClient::new(&server.base).make_examples()?;
    drop(server);
    println!("{users} users are created");
    Ok(Prepared { dataset: Dataset::create(database, &subject.file(), users)?, new_start })
}

fn measure(options: &Options, release: &Path, folder: &Path) -> Result<Measured> {
    let sync = sync_time(folder)?;
    let database = BenchDatabase::create(options.database.as_deref(), "dataset")?;
    let subject = MeasuredServer::new(release.join("hostler"), folder.to_owned(), database.url());
    let Prepared { dataset, new_start } = prepare(&subject, &database, options.users)?;
    let ids = (dataset.first_user(), dataset.last_user());
    let mut starts = (0..STARTS).map(|_| Ok(subject.start(&[])?.1)).collect::<Result<Vec<f64>>>()?;
    starts.sort_by(f64::total_cmp);

    // Counting statements adds a header, so the measured server does not do it.
    let user = format!("/api/v2/users/{}/", ids.0);
    let list = "/api/v2/users/?page_size=25".to_owned();
    let (counting, _) = subject.start(&["--debug-headers"])?;
    let talker = ApiClient::new(&counting.base);
    let token = talker.token()?;
    let mut statements = BTreeMap::new();
    for case in &CASES {
        let path = if case.kind == Kind::List { &list } else { &user };
        statements.insert(case.name(), talker.statements(case.kind, path, &talker.authorization(case.by, &token))?);
    }
    let by_token = talker.authorization(cases::By::Token, &token);
    let bare_user = bare(release, folder, "user", &talker.body(&user, &by_token)?)?;
    let bare_list = bare(release, folder, "list", &talker.body(&list, &by_token)?)?;
    drop(counting);

    let (server, _) = subject.start(&[])?;
    std::thread::sleep(Duration::from_secs(1));
    let idle = process::memory(server.id(), "VmRSS")?;
    let mut rows = vec![];
    let mut bares = BTreeMap::new();
    for case in &CASES {
        for (connections, awx) in case.connections {
            let is_list = case.kind == Kind::List;
            let authorization = talker.authorization(case.by, &token);
            let load = Load {
                base: &server.base,
                path: if is_list { &list } else { &user },
                authorization: &authorization,
                writes: (case.kind == Kind::Patch).then_some(Writes::Users(ids.0, ids.1)),
            };
            load.run(folder, *connections, WARM_UP)?;
            let before = process::processor_time(server.id())?;
            let speed = load.run(folder, *connections, options.seconds)?;
            let processor = process::processor_time(server.id())? - before;
            // The minimal handler ignores the authentication.
            let bare = match bares.get(&(case.kind, *connections)) {
                Some(known) => *known,
                None => {
                    let load = Load { base: if is_list { &bare_list.base } else { &bare_user.base }, ..load };
                    load.run(folder, *connections, WARM_UP)?;
                    let speed = load.run(folder, *connections, options.seconds)?;
                    bares.insert((case.kind, *connections), speed);
                    speed
                }
            };
            println!("{} over {connections}: {:.0}/s, bare {:.0}/s", case.name(), speed.rate(), bare.rate());
            rows.push(Row {
                name: case.name(),
                connections: *connections,
                speed,
                bare,
                processor: processor * 1e6 / speed.requests,
                statements: statements[case.name()],
                memory: process::memory(server.id(), "VmRSS")?,
                awx: *awx,
            });
        }
    }
    let writes = Some(Writes::Users(ids.0, ids.1));
    let writes = Load { base: &server.base, path: &user, authorization: &by_token, writes };
    let reads_meanwhile = reads_meanwhile(writes, folder, options.seconds)?;
    let after = process::memory(server.id(), "VmRSS")?;
    drop(server);
    let figures =
        figures::measure(&Bench { options, folder, database: &database, subject: &subject, dataset: &dataset })?;
    Ok(Measured {
        figures,
        rows,
        command: command(options),
        key: if options.database.is_some() { "postgresql" } else { "sqlite" },
        database: database.described()?,
        users: options.users,
        seconds: options.seconds,
        sync,
        new_start,
        start: starts[STARTS / 2],
        idle,
        after,
        reads_meanwhile,
        is_durable: database.is_durable()?,
        machine: machine()?,
    })
}

/// What a measurement needs.
struct Bench<'a> {
    options: &'a Options,
    folder: &'a Path,
    database: &'a BenchDatabase,
    subject: &'a MeasuredServer,
    dataset: &'a Dataset,
}

/// A description of the machine.
fn machine() -> Result<String> {
    let cores = std::thread::available_parallelism()?;
    let memory = process::machine_memory()?;
    Ok(format!("{cores} cores with {memory:.0} GB of memory, shared by the server and the load generator"))
}

/// The 99th percentile in milliseconds of sequential GETs while 32 other connections write at full speed.
fn reads_meanwhile(writes: Load<'_>, folder: &Path, seconds: u32) -> Result<f64> {
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| writes.run(folder, 32, seconds + WARM_UP));
        std::thread::sleep(Duration::from_secs(WARM_UP.into()));
        let time = sequential_reads(writes.base, writes.path, writes.authorization, seconds)?;
        writing.join().map_err(|_| anyhow!("the load ended early"))??;
        Ok(time)
    })
}

/// The 99th percentile in milliseconds of sequential GETs.
fn sequential_reads(base: &str, path: &str, authorization: &str, seconds: u32) -> Result<f64> {
    let mut connection = Connection::open(base)?;
    let end = Instant::now() + Duration::from_secs(seconds.into());
    let mut times = vec![];
    while Instant::now() < end {
        let answer = connection.get(path, authorization)?;
        ensure!(answer.status == 200, "GET {path} answers {}", answer.status);
        times.push(answer.time.as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    times.get(times.len() * 99 / 100).copied().context("no responses")
}

/// The minimal handler, which responds with these bytes.
fn bare(release: &Path, folder: &Path, name: &str, answer: &[u8]) -> Result<Server> {
    let file = folder.join(name);
    fs::write(&file, answer)?;
    let mut command = Command::new(release.join("examples").join("bare"));
    Server::start(command.arg(file), &folder.join(format!("bare-{name}.log")))
}

/// The command that repeats the run, without the URL of the database server.
fn command(options: &Options) -> String {
    let database = if options.database.is_some() { " --database postgres://…" } else { "" };
    if options.is_scale {
        return format!("cargo xtask bench --scale --users {}{database}", options.users);
    }
    format!("cargo xtask bench --users {} --seconds {}{database}", options.users, options.seconds)
}

/// The median time in milliseconds until a small write is on disk: the lower limit of a durable write, unless several
/// share one fsync.
fn sync_time(folder: &Path) -> Result<f64> {
    let mut file = File::create(folder.join("sync"))?;
    let mut times = vec![];
    for _ in 0..101 {
        let start = Instant::now();
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        times.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Options> {
        Options::parse(&words.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_parsed() -> Result<()> {
        let options = parse("--seconds 3 --quick --database postgres://u:p@h/d")?;
        assert_eq!((options.users, options.seconds, options.is_quick), (1000, 3, true));
        assert_eq!(command(&options), "cargo xtask bench --users 1000 --seconds 3 --database postgres://…");
        for wrong in
            ["--users", "--users x", "--users 3", "--seconds 0", "--other", "--jobs --quick", "--users 9999 --jobs"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        Ok(())
    }
}
