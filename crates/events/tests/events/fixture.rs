//! A database with one job, and its events.

use hostler_database::{Database, Location};
use hostler_events::{EventText, EventWriter, Lines, counter_of, event_id, events_with, read_bodies, read_lines};
use hostler_testkit::Backend;
use hostler_testkit::database::EmptyDatabase;
use jiff::Timestamp;
use sea_query::{Order, Query};
use serde_json::{Value, json};

pub fn now() -> Timestamp {
    "2030-01-01T00:00:00Z".parse().unwrap()
}

/// A database with an inventory of the hosts `one` and `two`, and a job.
pub struct Fixture {
    pub database: Database,
    pub job: i64,
    pub hosts: [i64; 2],
}

pub fn on(backend: Backend, test: impl AsyncFnOnce(&Fixture)) {
    on_job(backend, "job", test);
}

/// With a job of this type.
pub fn on_job(backend: Backend, job_type: &str, test: impl AsyncFnOnce(&Fixture)) {
    let empty = EmptyDatabase::create(backend);
    let location = empty.location().map_or_else(Location::Sqlite, Location::Postgres);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let database = Database::open(&location).await.unwrap();
        let mut tx = database.begin().await.unwrap();
        let times = ["created", "modified"];
        let inventory = Query::insert()
            .into_table("inventories")
            .columns(times.into_iter().chain(["name"]))
            .values_panic([now().into(), now().into(), "inventory".into()])
            .to_owned();
        let inventory = tx.insert(&inventory).await.unwrap();
        let mut hosts = [0; 2];
        for (id, name) in hosts.iter_mut().zip(["one", "two"]) {
            let host = Query::insert()
                .into_table("hosts")
                .columns(times.into_iter().chain(["name", "inventory_id"]))
                .values_panic([now().into(), now().into(), name.into(), inventory.into()])
                .to_owned();
            *id = tx.insert(&host).await.unwrap();
        }
        let job = Query::insert()
            .into_table("unified_jobs")
            .columns(times.into_iter().chain(["name", "type", "inventory_id"]))
            .values_panic([now().into(), now().into(), "job".into(), job_type.into(), inventory.into()])
            .to_owned();
        let job = tx.insert(&job).await.unwrap();
        tx.commit().await.unwrap();
        test(&Fixture { database: database.clone(), job, hosts }).await;
        database.close().await;
    });
}

impl Fixture {
    pub async fn writer(&self) -> EventWriter {
        EventWriter::open(&self.database, self.job).await.unwrap()
    }

    /// Appends events and commits.
    pub async fn append(&self, writer: &mut EventWriter, events: &[String], position: u64) {
        let mut tx = self.database.begin().await.unwrap();
        writer.append(&mut tx, events, position).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub async fn bodies(&self, counters: std::ops::RangeInclusive<i64>) -> Vec<(i64, String, Value)> {
        let ids: Vec<i64> = counters.map(|counter| event_id(self.job, counter)).collect();
        let bodies = read_bodies(&self.database, &ids).await.unwrap();
        let mut found: Vec<(i64, String, Value)> = bodies
            .into_iter()
            .map(|(id, body)| (counter_of(id), body.stdout.clone(), body.event_data().into()))
            .collect();
        found.sort_by_key(|(counter, ..)| *counter);
        found
    }

    pub async fn rows(&self, column: &'static str) -> Vec<i64> {
        let query = Query::select().column(column).from("stored_job_events").order_by("id", Order::Asc).to_owned();
        self.database.read_as(&query).await.unwrap()
    }

    pub async fn lines(&self, start: i64, end: i64) -> String {
        match read_lines(&self.database, self.job, start, end, 1 << 20).await.unwrap() {
            Lines::Text(text) => text,
            Lines::TooLong => panic!("too long"),
        }
    }

    pub async fn stdout_with(&self, text: &'static str) -> Vec<i64> {
        let matches = move |stdout: &str| stdout.contains(text);
        let found = events_with(&self.database, self.job, EventText::Stdout, |_| true, matches).await.unwrap();
        found.into_iter().map(counter_of).collect()
    }
}

/// An event whose output is `line N` and a line feed.
pub fn event(counter: i64, event: &str, uuid: &str, parent: &str, data: Value) -> String {
    json!({
        "event": event, "uuid": uuid, "parent_uuid": parent, "counter": counter, "stdout": format!("line {counter}"),
        "start_line": counter - 1, "end_line": counter, "created": "2030-01-01T00:00:01.5+00:00", "event_data": data,
    })
    .to_string()
}

pub fn plain(counter: i64) -> String {
    event(counter, "verbose", &format!("uuid-{counter}"), "", json!({"number": counter}))
}

pub fn plain_events(counters: std::ops::RangeInclusive<i64>) -> Vec<String> {
    counters.map(plain).collect()
}
