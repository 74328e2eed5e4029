//! Measures how fast events are written and read, for `cargo xtask bench --events`. Prints the name and the value of
//! each figure: milliseconds, bytes, or a number in a second.
//!
//! ```text
//! measure_events FOLDER EVENTS [POSTGRES-URL]
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a measurement ends at the first error")]
#![allow(clippy::disallowed_methods, reason = "it measures time")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use hostler_database::{Database, Location, TextLookup, TextMatcher, Type};
use hostler_events::{
    EventText, EventWriter, GREATEST_COUNTER, Lines, OutputReader, event_id, events_with, name_ids, output_size,
    read_bodies, read_lines,
};
use jiff::Timestamp;
use sea_query::{Expr, ExprTrait, Order, Query};
use serde_json::json;
use uuid::Uuid;

/// Events in the largest job.
const LARGEST: i64 = 200_000;
/// Events in a transaction.
const CHUNK: i64 = 1_000;
const SAMPLES: usize = 50;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().expect("a folder"));
    let events: i64 = arguments.next().expect("a number of events").parse().expect("a number");
    let location = arguments.next().map_or(Location::Sqlite(folder.join("events.sqlite3")), Location::Postgres);
    let database = Database::open(&location).await.expect("the database");
    let empty = size(&database, &location).await;
    let job = create_job(&database).await;
    let took = ingest(&database, job, Ord::min(LARGEST, events)).await;
    figure("written", Ord::min(LARGEST, events) as f64 / took.as_secs_f64());
    let mut stored = Ord::min(LARGEST, events);
    while stored < events {
        let more = Ord::min(LARGEST, events - stored);
        let job = create_job(&database).await;
        ingest(&database, job, more).await;
        stored += more;
    }
    let bytes = size(&database, &location).await - empty;
    figure("bytes", bytes as f64 / stored as f64);
    figure("stored", stored as f64);
    figure("job", Ord::min(LARGEST, events) as f64);
    read(&database, job, Ord::min(LARGEST, events)).await;
    database.close().await;
}

fn figure(name: &str, value: f64) {
    println!("{name}\t{value:.1}");
}

async fn read(database: &Database, job: i64, events: i64) {
    let mut place = Places(1);
    let page = async |first: i64| {
        let ids: Vec<i64> = (first..first + 200).map(|counter| event_id(job, counter)).collect();
        let query = Query::select()
            .columns(["id", "event", "host_name", "task", "play"])
            .from("job_events")
            .and_where(Expr::col("id").between(ids[0], ids[199]))
            .order_by("id", Order::Asc)
            .to_owned();
        let types = [Type::Integer, Type::Text, Type::Text, Type::Text, Type::Text];
        assert_eq!(database.read(&query, &types).await.unwrap().len(), 200);
        assert_eq!(read_bodies(database, &ids).await.unwrap().len(), 200);
    };
    let mut times = vec![];
    for _ in 0..SAMPLES {
        let first = place.next(events - 200) + 1;
        times.push(timed(page(first)).await);
    }
    figure("page", greatest(&times));
    let lines = output_size(database, job).await.unwrap().lines();
    let mut times = vec![];
    for _ in 0..SAMPLES {
        let start = place.next(lines - 100);
        let range = read_lines(database, job, start, start + 100, 1 << 20);
        times.push(timed(async { assert!(matches!(range.await.unwrap(), Lines::Text(_))) }).await);
    }
    figure("lines", greatest(&times));
    let mut times = vec![];
    for _ in 0..5 {
        times.push(timed(filter_by_name(database, job)).await);
    }
    figure("filter", greatest(&times));
    for (text, name) in [(EventText::Stdout, "stdout"), (EventText::Data, "data")] {
        let mut times = vec![];
        for _ in 0..5 {
            times.push(timed(search(database, job, text)).await);
        }
        figure(name, greatest(&times));
    }
    let start = Instant::now();
    let mut reader = OutputReader::new(database.clone(), job);
    let mut bytes = 0;
    while let Some(part) = reader.next_part().await.unwrap() {
        bytes += part.len();
    }
    figure("download", bytes as f64 / 1e6 / start.elapsed().as_secs_f64());
}

async fn filter_by_name(database: &Database, job: i64) {
    let ids = name_ids(database, job, |name| name == "task number 7").await.unwrap();
    let count = Query::select()
        .expr(Expr::cust("COUNT(*)"))
        .from("job_events")
        .and_where(Expr::col("id").between(event_id(job, 0), event_id(job, GREATEST_COUNTER)))
        .and_where(Expr::col("task_id").is_in(ids))
        .to_owned();
    assert!(database.read_as::<i64>(&count).await.unwrap()[0] > 0);
}

async fn search(database: &Database, job: i64, text: EventText) {
    let matcher = TextMatcher::new(TextLookup::IContains, "HOST-999]").unwrap();
    let of_several = matcher.clone();
    let may_match = move |texts: &[u8]| str::from_utf8(texts).map_or(true, |texts| of_several.may_match(texts));
    events_with(database, job, text, may_match, move |text: &str| matcher.matches(text)).await.unwrap();
}

async fn timed(work: impl Future<Output = ()>) -> Duration {
    let start = Instant::now();
    work.await;
    start.elapsed()
}

/// The greatest time, in milliseconds.
fn greatest(times: &[Duration]) -> f64 {
    times.iter().max().map_or(0.0, |time| time.as_secs_f64() * 1000.0)
}

/// Numbers that are spread evenly.
struct Places(u64);

impl Places {
    fn next(&mut self, limit: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % Ord::max(limit, 1) as u64) as i64
    }
}

async fn create_job(database: &Database) -> i64 {
    let now: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
    let job = Query::insert()
        .into_table("unified_jobs")
        .columns(["created", "modified", "name", "type"])
        .values_panic([now.into(), now.into(), "job".into(), "job".into()])
        .to_owned();
    let mut tx = database.begin().await.unwrap();
    let id = tx.insert(&job).await.unwrap();
    tx.commit().await.unwrap();
    id
}

/// Writes events; the time without making them.
async fn ingest(database: &Database, job: i64, events: i64) -> Duration {
    let mut writer = EventWriter::open(database, job).await.unwrap();
    let play = Uuid::new_v4().to_string();
    let mut task = (String::new(), String::new());
    let mut took = Duration::ZERO;
    let mut line = 0;
    for first in (1..=events).step_by(CHUNK as usize) {
        let chunk: Vec<Vec<u8>> = (first..=Ord::min(events, first + CHUNK - 1))
            .map(|counter| {
                if (counter - 1) % 200 == 0 {
                    task = (Uuid::new_v4().to_string(), format!("task number {}", counter / 200 % 150));
                }
                line += 1;
                event(counter, line, &play, &task)
            })
            .collect();
        let start = Instant::now();
        let mut tx = database.begin().await.unwrap();
        writer.append(&mut tx, &chunk, first as u64).await.unwrap();
        tx.commit().await.unwrap();
        took += start.elapsed();
    }
    took
}

/// An event as a module writes it, with some hundred bytes that no other event has.
fn event(counter: i64, line: i64, play: &str, (task_uuid, task): &(String, String)) -> Vec<u8> {
    let uuid = Uuid::new_v4();
    let host = format!("host-{}", counter % 1000);
    let (begin, end) = (uuid.as_u128() % 1_000_000, uuid.as_u128() % 999_983);
    let data = json!({
        "playbook": "site.yml", "playbook_uuid": play, "play": "the whole site", "play_uuid": play,
        "play_pattern": "all", "task": task, "task_uuid": task_uuid, "task_action": "ansible.builtin.template",
        "resolved_action": "ansible.builtin.template", "task_args": "", "role": "web",
        "task_path": "/project/roles/web/tasks/main.yml:42", "host": host, "remote_addr": host,
        "res": {
            "changed": counter % 7 == 0, "checksum": uuid.simple().to_string(), "dest": "/etc/web/site.conf",
            "gid": 0, "group": "root", "md5sum": uuid.simple().to_string().chars().rev().collect::<String>(),
            "mode": "0644", "owner": "root", "size": begin % 9000, "state": "file", "uid": 0,
            "src": format!("/home/deploy/.ansible/tmp/ansible-tmp-{begin}.{end}/source"),
            "invocation": {"module_args": {
                "src": "site.conf.j2", "dest": "/etc/web/site.conf", "mode": "0644", "owner": "root", "backup": false,
                "follow": false, "force": true, "validate": null, "attributes": null, "selevel": null, "serole": null,
            }},
            "_ansible_no_log": false,
        },
        "start": format!("2030-01-01T00:00:00.{begin:06}+00:00"), "end": format!("2030-01-01T00:00:01.{end:06}+00:00"),
        "duration": end as f64 / 1e6, "event_loop": null, "uuid": uuid.to_string(),
    });
    let stdout = format!("\u{1b}[0;33mchanged: [{host}] => (item=/etc/web/site.conf)\u{1b}[0m");
    json!({
        "uuid": uuid.to_string(), "parent_uuid": task_uuid, "counter": counter, "stdout": stdout,
        "start_line": line - 1, "end_line": line, "event": "runner_on_ok",
        "created": format!("2030-01-01T00:00:01.{end:06}+00:00"), "pid": 4242, "event_data": data,
    })
    .to_string()
    .into_bytes()
}

/// The bytes of the tables of events: of the whole file on SQLite.
async fn size(database: &Database, location: &Location) -> u64 {
    let query = match location {
        Location::Sqlite(_) => Query::select()
            .expr(Expr::cust("page_count * page_size FROM pragma_page_count(), pragma_page_size()"))
            .to_owned(),
        Location::Postgres(_) => {
            let tables = ["stored_job_events", "job_event_batches", "job_event_names"];
            let sizes = tables.map(|table| format!("pg_total_relation_size('{table}')")).join(" + ");
            Query::select().expr(Expr::cust(sizes)).to_owned()
        }
    };
    database.read_as::<i64>(&query).await.unwrap()[0] as u64
}
