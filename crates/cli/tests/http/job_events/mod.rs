//! Events, host summaries and output of jobs and project updates.

mod events;
mod filters;
mod host_summaries;
mod project_updates;
mod stdout;

use std::future::Future;

use hostler_database::{Database, Location, Transaction};
use hostler_events::EventWriter;
use hostler_testkit::{Backend, Client, TestServer};
use jiff::Timestamp;
use sea_query::{Expr, ExprTrait, Query};
use serde_json::{Value, json};

/// A server with an organization, an inventory with the hosts `one` and `two`, and a finished job of ten events.
struct Fixture {
    server: TestServer,
    admin: Client,
    runtime: tokio::runtime::Runtime,
    backend: Backend,
    organization: i64,
    inventory: i64,
    job: i64,
}

fn time() -> Timestamp {
    "2030-01-01T00:00:00Z".parse().expect("a time")
}

impl Fixture {
    fn start(backend: Backend) -> Self {
        let fixture = Self::without_events(backend);
        fixture.write(fixture.job, &sample_events());
        fixture.finish(fixture.job);
        fixture
    }

    fn without_events(backend: Backend) -> Self {
        let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
        let organization = server.organization("Acme");
        let mut fixture = Fixture {
            admin: server.as_admin(),
            server,
            runtime: tokio::runtime::Runtime::new().expect("a runtime"),
            backend,
            organization,
            inventory: 0,
            job: 0,
        };
        let (inventory, job) = fixture.in_transaction(async |tx| {
            let values = [("name", "web".into()), ("organization_id", organization.into())];
            let inventory = insert(tx, "inventories", &values).await;
            for host in ["one", "two"] {
                insert(tx, "hosts", &[("name", host.into()), ("inventory_id", inventory.into())]).await;
            }
            (inventory, new_job(tx, organization, inventory).await)
        });
        fixture.inventory = inventory;
        fixture.job = job;
        fixture
    }

    /// Another job.
    fn add_job(&self) -> i64 {
        self.in_transaction(async |tx| new_job(tx, self.organization, self.inventory).await)
    }

    fn in_transaction<T>(&self, work: impl AsyncFnOnce(&mut Transaction) -> T) -> T {
        self.with_database(async |database| {
            let mut tx = database.begin().await.expect("a transaction");
            let result = work(&mut tx).await;
            tx.commit().await.expect("a commit");
            result
        })
    }

    fn with_database<T>(&self, work: impl AsyncFnOnce(&Database) -> T) -> T {
        let location = match self.backend {
            Backend::Sqlite => Location::Sqlite(self.server.data().join("hostler.db")),
            Backend::Postgres => Location::Postgres(self.server.database_url().expect("a URL")),
        };
        self.block_on(async {
            let database = Database::open(&location).await.expect("the database of the server");
            let result = work(&database).await;
            database.close().await;
            result
        })
    }

    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Writes events of a job as the ingest does.
    fn write(&self, job: i64, events: &[Value]) {
        let events: Vec<String> = events.iter().map(Value::to_string).collect();
        self.with_database(async |database| {
            let mut writer = EventWriter::open(database, job).await.expect("a writer");
            let mut tx = database.begin().await.expect("a transaction");
            writer.append(&mut tx, &events, 1).await.expect("events");
            tx.commit().await.expect("a commit");
        });
    }

    fn finish(&self, job: i64) {
        self.in_transaction(async |tx| {
            let update = Query::update()
                .table("unified_jobs")
                .value("status", "successful")
                .value("event_processing_finished", true)
                .and_where(Expr::col("id").eq(job))
                .to_owned();
            tx.execute(&update).await.expect("a finished job");
        });
    }

    fn events(&self, query: &str) -> Value {
        self.admin.get(&format!("/api/v2/jobs/{}/job_events/{query}", self.job)).expect(200).json()
    }

    /// The counters of the events that a query finds, in their order.
    fn counters(&self, query: &str) -> Vec<i64> {
        let separator = if query.contains('?') { '&' } else { '?' };
        let found = self.events(&format!("{query}{separator}page_size=200"));
        let counters: Vec<i64> = results(&found).iter().filter_map(|event| event["counter"].as_i64()).collect();
        assert_eq!(found["count"], counters.len(), "{query}");
        counters
    }

    fn host(&self, name: &str) -> i64 {
        self.with_database(async |database| {
            let host = Query::select().column("id").from("hosts").and_where(Expr::col("name").eq(name)).to_owned();
            database.read_first(&host).await.expect("hosts").expect("a host")
        })
    }
}

async fn new_job(tx: &mut Transaction, organization: i64, inventory: i64) -> i64 {
    let values = [
        ("name", "deploy".into()),
        ("type", "job".into()),
        ("organization_id", organization.into()),
        ("inventory_id", inventory.into()),
    ];
    insert(tx, "unified_jobs", &values).await
}

async fn insert(tx: &mut Transaction, table: &'static str, values: &[(&'static str, Expr)]) -> i64 {
    let times = [("created", time().into()), ("modified", time().into())];
    let (columns, values): (Vec<_>, Vec<_>) = times.into_iter().chain(values.iter().cloned()).unzip();
    let insert = Query::insert().into_table(table).columns(columns).values_panic(values).to_owned();
    tx.insert(&insert).await.expect("a row")
}

fn results(list: &Value) -> &[Value] {
    list["results"].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Events of a play with two tasks.
fn sample_events() -> Vec<Value> {
    let mut events = Events::default();
    events.add("verbose", "", "", "Using /etc/ansible.cfg", json!({}));
    events.add("playbook_on_start", "book", "", "", json!({}));
    events.add("playbook_on_play_start", "play", "book", "\nPLAY [all]", json!({"play": "web"}));
    events.add("playbook_on_task_start", "task1", "play", "\nTASK [copy]", json!({"task": "copy", "play": "web"}));
    let on = |host: &str, task: &str, res: Value| json!({"host": host, "task": task, "play": "web", "res": res});
    let changed = json!({"changed": true, "dest": "/etc/motd"});
    events.add("runner_on_ok", "", "task1", "\u{1b}[0;33mchanged: [one]\u{1b}[0m", on("one", "copy", changed));
    events.add(
        "runner_on_ok",
        "",
        "task1",
        "\u{1b}[0;32mok: [two]\u{1b}[0m",
        on("two", "copy", json!({"changed": false})),
    );
    events.add("playbook_on_task_start", "task2", "play", "\nTASK [try]", json!({"task": "try", "play": "web"}));
    let failed = on("one", "try", json!({"msg": "b<r>oke & 'x'"}));
    events.add("runner_on_failed", "", "task2", "\u{1b}[0;31mfatal: [one]: b<r>oke & 'x'\u{1b}[0m", failed);
    events.add("runner_on_unreachable", "", "task2", "fatal: [two]: UNREACHABLE", on("two", "try", json!({})));
    let statistics = json!({
        "ok": {"one": 1, "two": 1}, "changed": {"one": 1}, "failures": {"one": 1}, "dark": {"two": 1},
        "processed": {"one": 1, "two": 1}, "skipped": {}, "rescued": {}, "ignored": {}, "artifact_data": {},
    });
    events.add("playbook_on_stats", "stats", "book", "\nPLAY RECAP", statistics);
    events.0
}

/// Events with their counters and lines.
#[derive(Default)]
struct Events(Vec<Value>, i64);

impl Events {
    /// `stdout` are whole lines; none if it is empty.
    fn add(&mut self, event: &str, uuid: &str, parent: &str, stdout: &str, data: Value) {
        let counter = self.0.len() + 1;
        let start = self.1;
        if !stdout.is_empty() {
            self.1 += 1 + stdout.matches('\n').count() as i64;
        }
        let uuid = if uuid.is_empty() { format!("uuid{counter}") } else { uuid.to_owned() };
        self.0.push(json!({
            "event": event, "uuid": uuid, "parent_uuid": parent, "counter": counter, "stdout": stdout,
            "start_line": start, "end_line": self.1, "created": "2030-01-01T00:00:01.5Z", "event_data": data,
        }));
    }
}
