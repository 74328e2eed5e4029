//! Whether a large installation answers as fast as a small one: every request
//! in two datasets, side by side.

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

/// The list whose speed is aimed at in milliseconds: filtered within names and ordered.
pub const FILTERED_AND_ORDERED: &str = "users/?last_name__icontains=son&order_by=last_name,username&page_size=25";

/// How often each request is measured in both datasets, one after the other: what
/// disturbs the machine for a moment spoils one round.
const ROUNDS: usize = 3;
/// How long a round lasts at most for one request in one dataset, and how many requests it has.
const ROUND: Duration = Duration::from_millis(160);
const LEAST: usize = 5;
/// Requests that are not measured at the beginning of a round: after one in the other dataset the caches of the machine
/// hold that dataset.
const WARM_UP_REQUESTS: usize = 5;
const MOST: usize = 200;

/// A dataset that is being asked.
struct PopulatedServer {
    dataset: Dataset,
    server: Server,
    connection: Connection,
    authorizations: BTreeMap<Who, String>,
    /// Seconds from exec to the first answer.
    start: f64,
    /// Megabytes before the first request.
    idle: f64,
    database: BenchDatabase,
}

/// How one request did in one dataset.
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

/// Measures, prints the table and writes it into the document.
pub fn run(options: &Options, root: &Path, release: &Path, folder: &Path) -> Result<()> {
    let mut small = start_populated(options, "small", MIN_USERS, release, folder)?;
    let mut large = start_populated(options, "large", options.users, release, folder)?;
    let mut rows = vec![];
    for who in Who::ALL {
        let of_small = requests(&mut small.connection, &small.authorizations[&who], &small.dataset)?;
        let of_large = requests(&mut large.connection, &large.authorizations[&who], &large.dataset)?;
        println!("{} requests as {}", of_large.len(), who.name());
        for request in of_large {
            // What only one of the two datasets has cannot be compared.
            let Some(same) = of_small.iter().find(|same| same.name == request.name) else { continue };
            let shown = [shown(&mut small, who, same)?, shown(&mut large, who, &request)?];
            let [same, alike] = match shown {
                // A page that the small dataset cannot fill would be compared with a full one.
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

/// How many objects a list shows at once; none for anything else.
fn shown(dataset: &mut PopulatedServer, who: Who, request: &Request) -> Result<usize> {
    let answer = dataset.connection.get(&request.path, &dataset.authorizations[&who])?;
    let json: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    Ok(json["results"].as_array().map_or(0, Vec::len))
}

/// One request in two datasets, in turns.
fn compare(who: Who, mut datasets: [(&mut PopulatedServer, &Request); 2]) -> Result<[Times; 2]> {
    let mut rounds = [vec![], vec![]];
    for round in 0..=ROUNDS {
        for ((dataset, request), rounds) in datasets.iter_mut().zip(&mut rounds) {
            let times = measure(dataset, who, request)?;
            // The first warms up.
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
        // Once a second the settings are read besides.
        statements = statements.min(answer.statements.context("the server does not count")?);
    }
    let processor = process::precise_processor_time(dataset.server.id())? - before;
    let count = times.len();
    times.sort_by(f64::total_cmp);
    Ok(Times {
        p50: times[count / 2],
        // What 99 of 100 do not exceed.
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
