//! What events show beside their rows, and the rows that filters by it find.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use hostler_engine::query::FieldTest;
use hostler_engine::{Engine, Error, Hooks, RenderContext, ResponseObject, time_text};
use hostler_events::{
    EventBody, EventError, EventText, GREATEST_COUNTER, NameColumn, event_display, event_id, event_type, events_with,
    job_of, name_ids, read_bodies, shortened, uuid_hash,
};
use hostler_schema::{Resource, Sublist, column};
use jiff::Timestamp;
use sea_query::{Alias, Expr, ExprTrait, JoinType, Query};
use serde_json::{Map, Value as Json, json};

use super::fields::{
    AD_HOC_COMMAND_LINK, AD_HOC_EVENTS, EVENT, EVENT_DATA, EVENT_DISPLAY, EVENT_LEVEL, HOST_LINK, PARENT_UUID, PLAY,
    ROLE, STDOUT, TASK, UUID,
};
use super::{AD_HOC_COMMAND_EVENT, INVENTORY_UPDATE_EVENT, JOB_EVENT};
use crate::unified_jobs::summary_mut;
use crate::{AD_HOC_COMMAND, HOST, JOB, UNIFIED_JOB, UNIFIED_JOB_TEMPLATE};

/// The hooks of events of all types.
pub struct EventHooks;

#[async_trait]
impl Hooks for EventHooks {
    async fn enrich(&self, engine: &Engine, view: RenderContext<'_>, page: &mut [ResponseObject]) -> Result<(), Error> {
        let ids: Vec<i64> = page.iter().map(|shown| shown.loaded.record.id).collect();
        let mut bodies = read_bodies(&engine.database, &ids).await.map_err(failed)?;
        for shown in page.iter_mut() {
            if let Some(body) = bodies.remove(&shown.loaded.record.id) {
                let most = view.actor.job_settings.event_stdout_characters;
                show_body(shown, body, if view.whole_texts { 0 } else { most });
            }
            if *shown.loaded.record.resource != AD_HOC_COMMAND_EVENT {
                shown.add_summary(ROLE.name, json!({}));
            }
        }
        let resource = page.first().map(|shown| shown.loaded.record.resource);
        if resource.is_some_and(|resource| *resource == AD_HOC_COMMAND_EVENT) {
            for shown in page.iter_mut() {
                // As in AWX, a link without a summary.
                let command = AD_HOC_COMMAND.url(job_of(shown.loaded.record.id));
                shown.add_related(AD_HOC_COMMAND_LINK.name, command.into());
            }
            return leave_out_deleted_hosts(engine, page).await;
        }
        if resource.is_some_and(|resource| *resource == JOB_EVENT) {
            let jobs = job_details(engine, ids.into_iter().map(job_of)).await?;
            for shown in page.iter_mut() {
                let details = jobs.get(&job_of(shown.loaded.record.id));
                if let Some((details, summary)) = details.zip(summary_mut(&mut shown.json, "job")) {
                    details.complete(summary);
                }
            }
            leave_out_deleted_hosts(engine, page).await?;
        } else {
            // As in AWX.
            for shown in page.iter_mut() {
                shown.json.insert("url".into(), "".into());
            }
        }
        Ok(())
    }

    async fn filter(
        &self,
        engine: &Engine,
        below: Option<(&'static Resource, i64, &'static Sublist)>,
        test: &FieldTest,
        row: &str,
    ) -> Result<Option<Expr>, Error> {
        match below.and_then(job_below) {
            Some(job) => filter_in_job(engine, job, test, row).await,
            None => Ok(None),
        }
    }

    async fn count(
        &self,
        engine: &Engine,
        below: Option<(&'static Resource, i64, &'static Sublist)>,
    ) -> Result<Option<u64>, Error> {
        let Some((parent, job, _)) = below else { return Ok(None) };
        if parent.stored_in() != UNIFIED_JOB.table {
            return Ok(None);
        }
        let count = Query::select()
            .column(Alias::new("emitted_events"))
            .from(Alias::new(UNIFIED_JOB.table))
            .and_where(Expr::col(Alias::new("id")).eq(job))
            .to_owned();
        let count: Option<i64> = engine.database.read_first(&count).await?;
        Ok(count.and_then(|count| count.try_into().ok()))
    }
}

/// The job whose events a list has; none for a list with events of several jobs.
fn job_below((parent, id, _): (&'static Resource, i64, &'static Sublist)) -> Option<i64> {
    if *parent == JOB_EVENT {
        return Some(job_of(id));
    }
    (parent.stored_in() == UNIFIED_JOB.table).then_some(id)
}

/// The condition for a test of an event of this job.
async fn filter_in_job(engine: &Engine, job: i64, test: &FieldTest, row: &str) -> Result<Option<Expr>, Error> {
    let dialect = engine.database.dialect();
    if let Some(name) = NameColumn::of_field(test.field) {
        let (matches, _) = test.matchers()?;
        let ids = name_ids(&engine.database, job, matches).await?;
        return Ok(Some(dialect.in_numbers(column(row, name.column()), &ids)));
    }
    if test.field == UUID.name {
        let uuids = test.equals().ok_or_else(|| test.unsupported())?;
        let hashes: Vec<i64> = uuids.into_iter().map(uuid_hash).collect();
        return Ok(Some(dialect.in_numbers(column(row, "uuid_hash"), &hashes)));
    }
    if test.field == PARENT_UUID.name {
        let uuids = test.equals().ok_or_else(|| test.unsupported())?;
        let counters = counters_of(engine, job, &uuids).await?;
        return Ok(Some(dialect.in_numbers(column(row, "parent_counter"), &counters)));
    }
    let text = match test.field {
        field if field == STDOUT.name => EventText::Stdout,
        field if field == EVENT_DATA.name => EventText::Data,
        _ => return Ok(None),
    };
    let (matches, may_match) = test.matchers()?;
    let ids = events_with(&engine.database, job, text, may_match, matches).await.map_err(failed)?;
    Ok(Some(dialect.in_numbers(column(row, "id"), &ids)))
}

/// The counters of the events with these UUIDs; 0 for the empty one.
async fn counters_of(engine: &Engine, job: i64, uuids: &[&str]) -> Result<Vec<i64>, Error> {
    let ids = Query::select()
        .column(Alias::new("id"))
        .from(Alias::new("stored_job_events"))
        .and_where(Expr::col(Alias::new("id")).between(event_id(job, 0), event_id(job, GREATEST_COUNTER)))
        .and_where(Expr::col(Alias::new("uuid_hash")).is_in(uuids.iter().map(|uuid| uuid_hash(uuid))))
        .to_owned();
    let ids: Vec<i64> = engine.database.read_as(&ids).await?;
    let none = uuids.iter().any(|uuid| uuid.is_empty()).then_some(0);
    Ok(ids.into_iter().map(hostler_events::counter_of).chain(none).collect())
}

/// Shows an output of at most so many characters, 0 for any number. That of plays, tasks and the recap is not cut.
fn show_body(shown: &mut ResponseObject, body: EventBody, most: usize) {
    let data = Json::Object(body.event_data());
    let record = &shown.loaded.record;
    let event = record.text(&EVENT);
    // As in AWX, inventory updates have no words for their events, and ad hoc commands for few of them.
    let display = if *record.resource == INVENTORY_UPDATE_EVENT {
        event.to_owned()
    } else if *record.resource == AD_HOC_COMMAND_EVENT {
        AD_HOC_EVENTS.iter().find(|(name, _)| *name == event).map_or(event, |(_, display)| display).to_owned()
    } else {
        event_display(event, record.text(&PLAY), record.text(&TASK), record.text(&ROLE), &data)
    };
    let is_whole = most == 0 || event.starts_with("playbook_on");
    let level = event_type(event).map_or(0, |known| known.level);
    // As Ansible prints to a terminal, and as AWX's clients split it.
    let stdout = body.stdout.replace('\n', "\r\n");
    let stdout = if is_whole { stdout } else { shortened(stdout, most) };
    let values = [
        (EVENT_DISPLAY, display.into()),
        (EVENT_DATA, data),
        (EVENT_LEVEL, level.into()),
        (UUID, body.uuid.into()),
        (PARENT_UUID, body.parent_uuid.into()),
        (STDOUT, stdout.into()),
    ];
    for (field, value) in values {
        if let Some(place) = shown.json.get_mut(field.name) {
            *place = value;
        }
    }
}

/// Hosts are not removed from events when they are deleted: their ids only have no meaning any more.
async fn leave_out_deleted_hosts(engine: &Engine, page: &mut [ResponseObject]) -> Result<(), Error> {
    let ids: HashSet<i64> = page.iter().filter_map(|shown| shown.loaded.record.integer(&HOST_LINK)).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let hosts = Query::select()
        .column(Alias::new("id"))
        .from(Alias::new(HOST.table))
        .and_where(Expr::col(Alias::new("id")).is_in(ids))
        .to_owned();
    let hosts: HashSet<i64> = engine.database.read_as(&hosts).await?.into_iter().collect();
    for shown in page {
        if shown.loaded.record.integer(&HOST_LINK).is_some_and(|host| !hosts.contains(&host)) {
            shown.json.insert(HOST_LINK.name.into(), Json::Null);
            if let Some(Json::Object(related)) = shown.json.get_mut("related") {
                related.remove(HOST_LINK.name);
            }
        }
    }
    Ok(())
}

/// What the summaries of jobs in other objects show beside the job's own fields.
pub struct JobDetails {
    elapsed: i64,
    finished: Option<Timestamp>,
    template: Option<(i64, String)>,
}

impl JobDetails {
    fn add_template(&self, summary: &mut Map<String, Json>) {
        if let Some((id, name)) = &self.template {
            summary.insert("job_template_id".into(), (*id).into());
            summary.insert("job_template_name".into(), name.as_str().into());
        }
    }

    /// Completes the summary of a job in its events and host summaries.
    pub fn complete(&self, summary: &mut Map<String, Json>) {
        summary.insert("elapsed".into(), json!(self.elapsed as f64 / 1000.0));
        summary.insert("type".into(), JOB.name.into());
        self.add_template(summary);
    }

    /// Completes the summary of the last job on a host.
    pub fn complete_last_job(&self, summary: &mut Map<String, Json>) {
        summary.insert("finished".into(), self.finished.map(time_text).into());
        self.add_template(summary);
    }
}

/// The details of the jobs with these ids, in one statement.
///
/// # Errors
/// Database errors.
pub async fn job_details(
    engine: &Engine,
    ids: impl IntoIterator<Item = i64>,
) -> Result<HashMap<i64, JobDetails>, Error> {
    let ids: HashSet<i64> = ids.into_iter().collect();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let jobs = Query::select()
        .exprs(["id", "elapsed", "finished"].map(|name| column("job", name)))
        .exprs(["id", "name"].map(|name| column("template", name)))
        .from_as(Alias::new(JOB.table), Alias::new("job"))
        .join_as(
            JoinType::LeftJoin,
            Alias::new(UNIFIED_JOB_TEMPLATE.table),
            Alias::new("template"),
            column("template", "id").eq(column("job", "unified_job_template_id")),
        )
        .and_where(column("job", "id").is_in(ids))
        .to_owned();
    type Columns = (i64, i64, Option<Timestamp>, Option<i64>, Option<String>);
    let jobs: Vec<Columns> = engine.database.read_as(&jobs).await?;
    let details = |(id, elapsed, finished, template, name): Columns| {
        (id, JobDetails { elapsed, finished, template: template.zip(name) })
    };
    Ok(jobs.into_iter().map(details).collect())
}

/// An error of the events as one of the engine.
pub fn failed(error: EventError) -> Error {
    match error {
        EventError::Database(error) => error.into(),
        error => Error::Internal(error.to_string()),
    }
}
