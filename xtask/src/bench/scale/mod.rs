//! Compares a large installation with a small one: every request in two datasets.

mod requests;
mod table;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::client::Connection;
use super::database::BenchDatabase;
use super::dataset::{Dataset, MIN_USERS};
use super::measured_server::{ApiClient, MeasuredServer};
use super::{Options, document, prepare, process};
use crate::server::Server;
use requests::{Request, Who, requests};
pub use table::Scale;

/// The list whose response time is a target: filtered by a part of a name and ordered.
pub const FILTERED_AND_ORDERED: &str = "users/?last_name__icontains=son&order_by=last_name,username&page_size=25";

/// How often each request is measured in both datasets alternately: a short disturbance of the machine affects one
/// round only.
const ROUNDS: usize = 3;
/// The maximum duration of a round for one request in one dataset, and its maximum number of requests.
const ROUND: Duration = Duration::from_millis(160);
const LEAST: usize = 5;
/// Warm-up requests of a round: after a request to the other dataset the caches of the machine contain that dataset.
const WARM_UP_REQUESTS: usize = 5;
const MOST: usize = 200;

/// A running dataset.
struct PopulatedServer {
    dataset: Dataset,
    server: Server,
    connection: Connection,
    authorizations: BTreeMap<Who, String>,
    /// Seconds from exec to the first response.
    start: f64,
    /// Megabytes before the first request.
    idle: f64,
    database: BenchDatabase,
}

/// The results of a request in one dataset.
#[derive(Clone, Copy, Default)]
pub struct Times {
    /// In milliseconds.
    pub p50: f64,
    /// In milliseconds.
    pub p99: f64,
    /// Microseconds of processor time of the server's process.
    pub processor: f64,
    pub statements: u32,
}

/// Runs the comparison, prints the table and writes it into the document.
pub fn run(options: &Options, root: &Path, release: &Path, folder: &Path) -> Result<()> {
    let mut small = start_populated(options, "small", MIN_USERS, release, folder)?;
    let mut large = start_populated(options, "large", options.users, release, folder)?;
    let mut rows = vec![];
    for who in Who::ALL {
        let of_small = requests(&mut small.connection, &small.authorizations[&who], &small.dataset)?;
        let of_large = requests(&mut large.connection, &large.authorizations[&who], &large.dataset)?;
        println!("{} requests as {}", of_large.len(), who.name());
        for request in of_large {
            // Requests that only one of the datasets has cannot be compared.
            let Some(same) = of_small.iter().find(|same| same.name == request.name) else { continue };
            let shown = [shown(&mut small, who, same)?, shown(&mut large, who, &request)?];
            let [same, alike] = match shown {
                // A page that the small dataset does not fill is not comparable with a full one.
                [few, many] if 0 < few && few < many && !request.path.contains("page") => {
                    [same.limited_to(few), request.limited_to(few)]
                }
                _ => [same.clone(), request.clone()],
            };
            let [in_small, in_large] = compare(who, [(&mut small, &same), (&mut large, &alike)])?;
            rows.push(table::Row { who, name: request.name, small: in_small, large: in_large });
        }
    }
    let scale = Scale {
        rows,
        users: [small.dataset.users, large.dataset.users],
        command: super::command(options),
        key: if options.database.is_some() { "scale postgresql" } else { "scale sqlite" },
        machine: super::machine()?,
        database: large.database.described()?,
        start: large.start,
        idle: large.idle,
        after: process::memory(large.server.id(), "VmRSS")?,
    };
    println!("\n{scale}");
    if !options.is_quick {
        let file = root.join("docs").join(scale.data_file());
        std::fs::write(&file, scale.data()).with_context(|| format!("{} cannot be written", file.display()))?;
        document::write(&root.join("docs/benchmarks.md"), scale.key, &scale.to_string())?;
    }
    Ok(())
}

fn start_populated(
    options: &Options,
    name: &str,
    users: i64,
    release: &Path,
    folder: &Path,
) -> Result<PopulatedServer> {
    let folder = folder.join(name);
    std::fs::create_dir(&folder)?;
    let database = BenchDatabase::create(options.database.as_deref(), name)?;
    let subject = MeasuredServer::new(release.join("hostler"), folder, database.url());
    let prepared = prepare(&subject, &database, users)?;
    let (server, start) = subject.start(&["--debug-headers"])?;
    std::thread::sleep(Duration::from_secs(1));
    let idle = process::memory(server.id(), "VmRSS")?;
    let talker = ApiClient::new(&server.base);
    let dataset = prepared.dataset;
    let mut authorizations = BTreeMap::new();
    for who in Who::ALL {
        let token = match who {
            Who::Superuser => talker.token()?,
            Who::OrganizationAdmin => talker.token_of(dataset.organization_admin())?,
            Who::Member => talker.token_of(dataset.member())?,
        };
        authorizations.insert(who, format!("Bearer {token}"));
    }
    let connection = Connection::open(&server.base)?;
    Ok(PopulatedServer { dataset, server, connection, authorizations, start, idle, database })
}

/// The number of objects on a page of a list; none for other requests.
fn shown(dataset: &mut PopulatedServer, who: Who, request: &Request) -> Result<usize> {
    let answer = dataset.connection.get(&request.path, &dataset.authorizations[&who])?;
    let json: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    Ok(json["results"].as_array().map_or(0, Vec::len))
}

/// Measures a request in two datasets alternately.
fn compare(who: Who, mut datasets: [(&mut PopulatedServer, &Request); 2]) -> Result<[Times; 2]> {
    let mut rounds = [vec![], vec![]];
    for round in 0..=ROUNDS {
        for ((dataset, request), rounds) in datasets.iter_mut().zip(&mut rounds) {
            let times = measure(dataset, who, request)?;
            // The first round is the warm-up.
            if round > 0 {
                rounds.push(times);
            }
        }
    }
    Ok(rounds.map(|rounds| Times {
        p50: middle(rounds.iter().map(|times| times.p50)),
        p99: middle(rounds.iter().map(|times| times.p99)),
        processor: middle(rounds.iter().map(|times| times.processor)),
        statements: rounds.iter().map(|times| times.statements).max().unwrap_or(0),
    }))
}

fn measure(dataset: &mut PopulatedServer, who: Who, request: &Request) -> Result<Times> {
    let authorization = &dataset.authorizations[&who];
    for _ in 0..WARM_UP_REQUESTS {
        dataset.connection.get(&request.path, authorization)?;
    }
    let mut times = vec![];
    let mut statements = u32::MAX;
    let before = process::precise_processor_time(dataset.server.id())?;
    let end = Instant::now() + ROUND;
    while times.len() < LEAST || (times.len() < MOST && Instant::now() < end) {
        let answer = dataset.connection.get(&request.path, authorization)?;
        ensure!(answer.status == 200, "{} answers {}", request.path, answer.status);
        times.push(answer.time.as_secs_f64() * 1000.0);
        // Once a second the settings are reloaded too.
        statements = statements.min(answer.statements.context("the server does not count")?);
    }
    let processor = process::precise_processor_time(dataset.server.id())? - before;
    let count = times.len();
    times.sort_by(f64::total_cmp);
    Ok(Times {
        p50: times[count / 2],
        // The 99th percentile.
        p99: times[(count * 99).div_ceil(100) - 1],
        processor: processor * 1e6 / count as f64,
        statements,
    })
}

fn middle(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
