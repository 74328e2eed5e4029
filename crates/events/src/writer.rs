//! Writes the events of one job.

use std::collections::{HashMap, HashSet};

use hostler_database::{Database, Transaction};
use jiff::Timestamp;
use sea_query::{Expr, ExprTrait, Query};
use serde_json::{Map, Value};

use crate::batch::Batch;
use crate::names::{NameColumn, Names};
use crate::spool_event::{Derived, SpoolEvent, StoredData};
use crate::{EventError, GREATEST_COUNTER, PARENT_EVENTS, counter_of, event_id, statistics, url_secrets, uuid_hash};

/// Writes the events of one running job. There is one writer at a time for a job.
///
/// After a transaction in which events were appended and that was not committed, the writer must be opened again: it
/// counts these events as written.
#[derive(Debug)]
pub struct EventWriter {
    job_id: i64,
    kind: i64,
    inventory_id: Option<i64>,
    spool_position: u64,
    /// The counter of the last event.
    counter: i64,
    lines: i64,
    bytes: i64,
    ends_within_line: bool,
    plays: i64,
    tasks: i64,
    names: Names,
    /// The inventory whose hosts stand for those of other inventories, if it is a constructed one.
    copies_in: Option<i64>,
    /// Ids of the hosts that events named; none for a name that is no host of the inventory.
    hosts: HashMap<String, Option<i64>>,
    /// Counters of events that others may be below, by the hash of their UUID.
    parents: HashMap<i64, i64>,
    failed_parents: HashSet<i64>,
    changed_parents: HashSet<i64>,
    /// The last batches, small ones, which may be written again together with later events.
    small: Vec<Batch>,
    last_time: Timestamp,
}

/// The columns of an event, in the order in which they are inserted.
const COLUMNS: [&str; 17] = [
    "id",
    "kind",
    "failed",
    "changed",
    "verbosity",
    "event_id",
    "created",
    "uuid_hash",
    "host_id",
    "parent_counter",
    "start_line",
    "end_line",
    "host_name_id",
    "play_id",
    "task_id",
    "role_id",
    "playbook_id",
];

/// An event that is about to be inserted.
struct NewRow {
    counter: i64,
    created: Timestamp,
    uuid_hash: i64,
    event: i64,
    host: Option<i64>,
    parent: i64,
    lines: (i64, i64),
    names: [i64; 5],
    failed: bool,
    changed: bool,
}

impl EventWriter {
    /// Opens the writer of a job, where the events that are already written end.
    ///
    /// # Errors
    /// [`EventError::NoJob`], and database errors.
    pub async fn open(database: &Database, job_id: i64) -> Result<EventWriter, EventError> {
        let job = Query::select()
            .columns(["type", "inventory_id", "spool_position", "emitted_events", "stdout_lines", "stdout_bytes"])
            .columns(["playbook_counts", "created"])
            .from("unified_jobs")
            .and_where(Expr::col("id").eq(job_id))
            .to_owned();
        type Columns = (String, Option<i64>, i64, i64, i64, i64, Value, Timestamp);
        let job: Option<Columns> = database.read_first(&job).await?;
        let (kind, inventory_id, position, counter, lines, bytes, counts, created) =
            job.ok_or(EventError::NoJob(job_id))?;
        let count = |name: &str| counts.get(name).and_then(Value::as_i64).unwrap_or(0);
        let mut writer = EventWriter {
            job_id,
            kind: number_of_kind(&kind),
            inventory_id,
            spool_position: position.try_into().unwrap_or(0),
            counter,
            lines,
            bytes,
            ends_within_line: false,
            plays: count("play_count"),
            tasks: count("task_count"),
            names: Names::default(),
            copies_in: None,
            hosts: HashMap::new(),
            parents: HashMap::new(),
            failed_parents: HashSet::new(),
            changed_parents: HashSet::new(),
            small: Vec::new(),
            last_time: created,
        };
        if counter > 0 {
            writer.names = Names::open(database, job_id).await?;
            writer.load_parents(database).await?;
            let output = crate::output_size(database, job_id).await?;
            writer.ends_within_line = output.ends_within_line;
        }
        Ok(writer)
    }

    async fn load_parents(&mut self, database: &Database) -> Result<(), EventError> {
        let types = PARENT_EVENTS.iter().filter_map(|name| self.names.find(name));
        let parents = Query::select()
            .columns(["id", "uuid_hash"])
            .from("stored_job_events")
            .and_where(Expr::col("id").between(event_id(self.job_id, 0), event_id(self.job_id, GREATEST_COUNTER)))
            .and_where(Expr::col(NameColumn::Event.column()).is_in(types))
            .to_owned();
        let parents: Vec<(i64, i64)> = database.read_as(&parents).await?;
        self.parents = parents.into_iter().map(|(id, hash)| (hash, counter_of(id))).collect();
        Ok(())
    }

    /// The position in the spool up to which events are written.
    pub fn spool_position(&self) -> u64 {
        self.spool_position
    }

    /// The hosts of the job by name, instead of those of its inventory: a smart inventory has none of its own, and a constructed
    /// one has copies of hosts.
    pub fn use_hosts(&mut self, hosts: HashMap<String, i64>) {
        self.copies_in = self.inventory_id.take();
        self.hosts = hosts.into_iter().map(|(name, id)| (name, Some(id))).collect();
    }

    /// The counter of the last event, 0 before the first one.
    pub fn counter(&self) -> i64 {
        self.counter
    }

    /// The number of line feeds in the output.
    pub fn lines(&self) -> i64 {
        self.lines
    }

    /// Writes events, each as JSON of the supervisor's spool, with the position in the spool after them. Events that
    /// are already written are skipped.
    ///
    /// # Errors
    /// [`EventError::InvalidEvent`], [`EventError::Gap`], [`EventError::TooManyEvents`], and database errors. The
    /// transaction must then be rolled back.
    pub async fn append<E: AsRef<[u8]>>(
        &mut self,
        tx: &mut Transaction,
        events: &[E],
        spool_position: u64,
    ) -> Result<(), EventError> {
        let mut parsed = Vec::with_capacity(events.len());
        for event in events {
            let event: SpoolEvent<'_> =
                serde_json::from_slice(event.as_ref()).map_err(|_| EventError::InvalidEvent(self.job_id))?;
            if event.counter > self.counter {
                let derived = event.derive();
                parsed.push((event, derived));
            }
        }
        self.find_hosts(tx, &parsed).await?;
        let added = self.add(&parsed)?;
        self.write(tx, added).await?;
        for (event, derived) in &parsed {
            if let Some(statistics) = &derived.statistics {
                let time = event.created().unwrap_or(self.last_time);
                self.write_statistics(tx, time, statistics).await?;
            }
        }
        self.spool_position = spool_position;
        self.write_counts(tx).await
    }

    /// Looks up the hosts that are named for the first time.
    async fn find_hosts(
        &mut self,
        tx: &mut Transaction,
        events: &[(SpoolEvent<'_>, Derived)],
    ) -> Result<(), EventError> {
        let mut new: HashSet<&str> = HashSet::new();
        for (_, derived) in events {
            new.insert(&derived.host);
            if let Some(statistics) = &derived.statistics {
                new.extend(statistics::hosts(statistics).into_keys());
            }
        }
        let new: Vec<&str> =
            new.into_iter().filter(|name| !name.is_empty() && !self.hosts.contains_key(*name)).collect();
        for names in new.chunks(1000) {
            self.hosts.extend(names.iter().map(|name| ((*name).to_owned(), None)));
            let Some(inventory) = self.inventory_id else { continue };
            let hosts = statistics::find_hosts(tx, inventory, names).await?;
            self.hosts.extend(hosts.into_iter().map(|(name, id)| (name, Some(id))));
        }
        Ok(())
    }

    /// Adds the events to the counts and to batches.
    fn add(&mut self, events: &[(SpoolEvent<'_>, Derived)]) -> Result<Added, EventError> {
        let mut added = Added { first: self.counter + 1, ..Added::default() };
        let mut batch = self.next_batch();
        for (event, derived) in events {
            let expected = self.counter + 1;
            if event.counter != expected {
                return Err(EventError::Gap { job: self.job_id, expected, found: event.counter });
            }
            if expected > GREATEST_COUNTER {
                return Err(EventError::TooManyEvents(self.job_id));
            }
            self.counter = expected;
            let output = event.output();
            let data = self.stored_data(event, derived)?;
            batch.push(&output, &data, event.end_line);
            self.lines = event.end_line;
            self.bytes += output.len() as i64;
            self.ends_within_line = batch.ends_within_line;
            let row = self.row(event, derived);
            self.mark_parent(&event.event, &row, &mut added);
            added.rows.push(row);
            if batch.is_full() {
                let next = self.next_batch();
                added.batches.push(std::mem::replace(&mut batch, next));
            }
        }
        if batch.events() > 0 {
            added.batches.push(batch);
        }
        self.join_batches(&mut added);
        Ok(added)
    }

    fn next_batch(&self) -> Batch {
        Batch::new(self.counter + 1, self.lines, self.bytes, self.ends_within_line)
    }

    fn stored_data(&self, event: &SpoolEvent<'_>, derived: &Derived) -> Result<Vec<u8>, EventError> {
        let event_data = derived.replaced.as_deref().unwrap_or_else(|| event.data());
        // As in AWX, the data of a job stays as it came.
        let masked = if self.kind == 0 { None } else { url_secrets::mask_json(event_data) };
        let data = StoredData {
            uuid: (&*event.uuid).into(),
            parent_uuid: event.parent_uuid.as_deref().unwrap_or_default().into(),
            event_data: masked.as_deref().unwrap_or(event_data),
        };
        serde_json::to_vec(&data).map_err(|_| EventError::InvalidEvent(self.job_id))
    }

    fn row(&mut self, event: &SpoolEvent<'_>, derived: &Derived) -> NewRow {
        if let Some(time) = event.created() {
            self.last_time = time;
        }
        match &*event.event {
            "playbook_on_play_start" => self.plays += 1,
            "playbook_on_task_start" => self.tasks += 1,
            _ => {}
        }
        let parent = event.parent_uuid.as_deref().and_then(|uuid| self.parents.get(&uuid_hash(uuid)).copied());
        let hash = uuid_hash(&event.uuid);
        if PARENT_EVENTS.contains(&&*event.event) {
            self.parents.insert(hash, event.counter);
        }
        let texts = [&derived.host, &derived.play, &derived.task, &derived.role, &derived.playbook];
        // As in AWX, what an ad hoc command did on hosts does not show in its statistics.
        let is_shown = self.kind != AD_HOC || derived.statistics.is_none();
        NewRow {
            counter: event.counter,
            created: self.last_time,
            uuid_hash: hash,
            event: self.names.id(&event.event),
            host: self.hosts.get(&derived.host).copied().flatten(),
            parent: parent.unwrap_or(0),
            lines: (event.start_line, event.end_line),
            names: texts.map(|text| self.names.id(text)),
            failed: derived.failed && is_shown,
            changed: derived.changed && is_shown,
        }
    }

    /// An event of a host that failed or changed something makes the event above it failed or changed.
    fn mark_parent(&mut self, event: &str, row: &NewRow, added: &mut Added) {
        if row.parent == 0 || !event.starts_with("runner_on") {
            return;
        }
        if row.failed && self.failed_parents.insert(row.parent) {
            added.failed_parents.push(row.parent);
        }
        if row.changed && self.changed_parents.insert(row.parent) {
            added.changed_parents.push(row.parent);
        }
    }

    /// Joins small batches that are already written with the new ones.
    fn join_batches(&mut self, added: &mut Added) {
        let Some(first) = added.batches.first_mut() else { return };
        while let Some(before) = self.small.pop() {
            if !before.joins(first) {
                self.small.push(before);
                break;
            }
            added.replaced.push(event_id(self.job_id, before.first_counter));
            let new = std::mem::replace(first, before);
            first.join(new);
        }
        // Only the batch before the next one can be joined with it.
        if added.batches.len() > 1 || added.batches.last().is_some_and(|last| !last.is_small()) {
            self.small.clear();
        }
    }

    async fn write(&mut self, tx: &mut Transaction, mut added: Added) -> Result<(), EventError> {
        let (job_id, kind) = (self.job_id, self.kind);
        for row in &mut added.rows {
            row.failed |= self.failed_parents.contains(&row.counter);
            row.changed |= self.changed_parents.contains(&row.counter);
        }
        let names = self.names.take_added();
        let names = names.into_iter().map(|(id, name)| [job_id.into(), id.into(), name.into()]);
        tx.insert_rows("job_event_names", ["job_id", "id", "name"], names).await?;
        let rows = std::mem::take(&mut added.rows);
        tx.insert_rows("stored_job_events", COLUMNS, rows.into_iter().map(|row| row.values(job_id, kind))).await?;
        for (column, parents) in [("failed", &added.failed_parents), ("changed", &added.changed_parents)] {
            let before: Vec<i64> =
                parents.iter().filter(|counter| **counter < added.first).map(|c| event_id(job_id, *c)).collect();
            for ids in before.chunks(1000) {
                let mark = Query::update()
                    .table("stored_job_events")
                    .value(column, true)
                    .and_where(Expr::col("id").is_in(ids.iter().copied()))
                    .to_owned();
                tx.execute_deferred(&mark).await?;
            }
        }
        if !added.replaced.is_empty() {
            let delete = Query::delete()
                .from_table("job_event_batches")
                .and_where(Expr::col("id").is_in(added.replaced))
                .to_owned();
            tx.execute_deferred(&delete).await?;
        }
        for batch in &added.batches {
            write_batch(tx, job_id, batch).await?;
        }
        self.small.extend(added.batches.pop().filter(Batch::is_small));
        Ok(())
    }

    async fn write_statistics(
        &mut self,
        tx: &mut Transaction,
        time: Timestamp,
        statistics: &Map<String, Value>,
    ) -> Result<(), EventError> {
        // The last job of a host is a run of a playbook.
        if self.kind != AD_HOC {
            let hosts = &self.hosts;
            let find = |name: &str| hosts.get(name).copied().flatten();
            let copies = statistics::copies(tx, self.copies_in, statistics).await?;
            statistics::write_summaries(tx, (self.job_id, time), statistics, find, &copies).await?;
        }
        let counts = statistics::host_status_counts(statistics);
        let mut update = Query::update();
        update.table("unified_jobs").value("host_status_counts", Value::Object(counts).to_string());
        if let Some(artifacts @ Value::Object(_)) = statistics.get("artifact_data") {
            update.value("artifacts", artifacts.to_string());
        }
        update.and_where(Expr::col("id").eq(self.job_id));
        Ok(tx.execute_deferred(&update).await?)
    }

    async fn write_counts(&self, tx: &mut Transaction) -> Result<(), EventError> {
        let mut update = Query::update();
        update
            .table("unified_jobs")
            .value("spool_position", i64::try_from(self.spool_position).unwrap_or(i64::MAX))
            .value("emitted_events", self.counter)
            .value("stdout_lines", self.lines)
            .value("stdout_bytes", self.bytes)
            .and_where(Expr::col("id").eq(self.job_id));
        if self.plays > 0 || self.tasks > 0 {
            let counts = serde_json::json!({ "play_count": self.plays, "task_count": self.tasks });
            update.value("playbook_counts", counts.to_string());
        }
        match tx.execute_inline(&update).await? {
            0 => Err(EventError::NoJob(self.job_id)),
            _ => Ok(()),
        }
    }
}

/// What an append adds.
#[derive(Default)]
struct Added {
    /// The counter of the first new event.
    first: i64,
    rows: Vec<NewRow>,
    batches: Vec<Batch>,
    /// Ids of stored batches that the new ones contain.
    replaced: Vec<i64>,
    failed_parents: Vec<i64>,
    changed_parents: Vec<i64>,
}

/// The kind of the events of ad hoc commands.
const AD_HOC: i64 = 3;

/// The kind of an event in its row, by the type of its job.
fn number_of_kind(job_type: &str) -> i64 {
    match job_type {
        "job" => 0,
        "project_update" => 1,
        "inventory_update" => 2,
        _ => AD_HOC,
    }
}

impl NewRow {
    fn values(self, job_id: i64, kind: i64) -> [sea_query::Value; COLUMNS.len()] {
        let [host_name, play, task, role, playbook] = self.names;
        [
            event_id(job_id, self.counter).into(),
            kind.into(),
            self.failed.into(),
            self.changed.into(),
            0i64.into(),
            self.event.into(),
            self.created.into(),
            self.uuid_hash.into(),
            self.host.into(),
            self.parent.into(),
            self.lines.0.into(),
            self.lines.1.into(),
            host_name.into(),
            play.into(),
            task.into(),
            role.into(),
            playbook.into(),
        ]
    }
}

async fn write_batch(tx: &mut Transaction, job_id: i64, batch: &Batch) -> Result<(), EventError> {
    let id = event_id(job_id, batch.first_counter);
    let (stdout, data) = batch.compress().map_err(|_| EventError::DamagedBatch(id))?;
    let columns = [
        "id",
        "last_counter",
        "first_line",
        "last_line",
        "first_byte",
        "last_byte",
        "ends_within_line",
        "stdout",
        "data",
    ];
    let insert = Query::insert()
        .into_table("job_event_batches")
        .columns(columns)
        .values_panic([
            id.into(),
            batch.last_counter().into(),
            batch.first_line.into(),
            batch.last_line.into(),
            batch.first_byte.into(),
            batch.last_byte.into(),
            batch.ends_within_line.into(),
            stdout.into(),
            data.into(),
        ])
        .to_owned();
    Ok(tx.execute_deferred(&insert).await?)
}
