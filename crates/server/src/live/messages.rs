//! The messages that are no events, with AWX's keys.

use std::collections::{HashMap, HashSet};

use hostler_database::{Database, Error};
use hostler_engine::time_text;
use hostler_queue::{JobKind, Status};
use hostler_schema::column;
use hostler_websocket::{Group, Notice, Subject, Text};
use jiff::Timestamp;
use sea_query::{Alias, ExprTrait, JoinType, Query};
use serde_json::{Map, Value as Json, json};

use super::notices::NoticeRow;

/// The jobs that are read by one statement.
const AT_ONCE: usize = 500;

/// What is said about a job.
struct JobRow {
    id: i64,
    kind: String,
    template: Option<i64>,
    job_type: String,
    inventory: Option<i64>,
    instance_group: Option<String>,
    finished: Option<Timestamp>,
    events: i64,
}

/// The messages for these rows.
///
/// # Errors
/// Database errors.
pub(super) async fn messages(database: &Database, rows: Vec<NoticeRow>) -> Result<Vec<Notice>, Error> {
    let ids: HashSet<i64> = rows.iter().filter(|row| row.kind == "job").map(|row| row.object).collect();
    let ids: Vec<i64> = ids.into_iter().collect();
    let mut jobs = HashMap::new();
    for ids in ids.chunks(AT_ONCE) {
        jobs.extend(read_jobs(database, ids).await?.into_iter().map(|job| (job.id, job)));
    }
    let mut messages = vec![];
    for row in rows {
        match row.kind.as_str() {
            // Nothing is said about one that was deleted.
            "job" => {
                if let Some((job, status)) = jobs.get(&row.object).zip(Status::parse(&row.status)) {
                    of_job(job, status, &mut messages);
                }
            }
            "session_limit" => {
                let text = json!({"group_name": "control", "reason": "limit_reached"});
                messages.push(Notice {
                    group: Group::Control(row.object),
                    subject: None,
                    text: text.to_string().into(),
                });
            }
            kind => tracing::error!(kind, "a notice of an unknown kind"),
        }
    }
    Ok(messages)
}

async fn read_jobs(database: &Database, ids: &[i64]) -> Result<Vec<JobRow>, Error> {
    let query = Query::select()
        .exprs(["id", "type", "unified_job_template_id", "job_type", "inventory_id"].map(|name| column("job", name)))
        .expr(column("instance_group", "name"))
        .exprs(["finished", "emitted_events"].map(|name| column("job", name)))
        .from_as(Alias::new("unified_jobs"), Alias::new("job"))
        .join_as(
            JoinType::LeftJoin,
            Alias::new("instance_groups"),
            Alias::new("instance_group"),
            column("instance_group", "id").eq(column("job", "instance_group_id")),
        )
        .and_where(database.dialect().in_numbers(column("job", "id"), ids))
        .to_owned();
    type Columns = (i64, String, Option<i64>, String, Option<i64>, Option<String>, Option<Timestamp>, i64);
    let rows: Vec<Columns> = database.read_as(&query).await?;
    let job = |(id, kind, template, job_type, inventory, instance_group, finished, events): Columns| JobRow {
        id,
        kind,
        template,
        job_type,
        inventory,
        instance_group,
        finished,
        events,
    };
    Ok(rows.into_iter().map(job).collect())
}

/// The messages about a job that has come into this state.
fn of_job(job: &JobRow, status: Status, messages: &mut Vec<Notice>) {
    let is_update = |kind: JobKind| job.kind == kind.as_str();
    // As in AWX, an update that a job needs is not announced.
    if status == Status::Pending && is_update(JobKind::ProjectUpdate) && job.job_type == "run" {
        return;
    }
    // As in AWX: not of jobs that were canceled or could not run. It comes with the end, when all events are stored.
    if matches!(status, Status::Successful | Status::Failed) && job.events > 0 {
        let text = json!({"group_name": "jobs", "unified_job_id": job.id, "final_counter": job.events});
        messages.push(about(job, "jobs-summary", text));
    }
    let mut text = Map::new();
    let mut add = |name: &str, value: Json| text.insert(name.to_owned(), value);
    add("group_name", "jobs".into());
    add("type", job.kind.as_str().into());
    add("unified_job_id", job.id.into());
    if job.kind != "ad_hoc_command" {
        add("unified_job_template_id", job.template.into());
    }
    if is_update(JobKind::ProjectUpdate) {
        add("project_id", job.template.into());
    }
    if is_update(JobKind::InventoryUpdate) {
        add("inventory_id", job.inventory.into());
        add("inventory_source_id", job.template.into());
    }
    add("status", status.as_str().into());
    if status == Status::Running {
        add("instance_group_name", job.instance_group.clone().into());
    }
    if status.is_finished() {
        add("finished", job.finished.map(time_text).into());
    }
    messages.push(about(job, "jobs-status_changed", Json::Object(text)));
}

fn about(job: &JobRow, group: &str, text: Json) -> Notice {
    let text: Text = text.to_string().into();
    Notice { group: Group::Named(group.to_owned()), subject: Some(Subject::UnifiedJob(job.id)), text }
}
