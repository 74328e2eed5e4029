//! How jobs start to run, end, and are canceled.

use std::collections::BTreeMap;

use hostler_database::{Error, Transaction};
use jiff::Timestamp;
use sea_query::{Alias, CaseStatement, Expr, ExprTrait, Func, LockType};
use serde_json::json;

use crate::environment::environment;
use crate::store::{ACTIVE, CHANNEL, DEPENDENCIES, JOBS, TEMPLATES, change_status, col, of, select, update};
use crate::{JobKind, Status};

/// The end of a job.
#[derive(Clone, Debug)]
pub struct Finish<'a> {
    /// A terminal status.
    pub status: Status,
    /// Why it ended so, as `job_explanation`; usually empty.
    pub explanation: &'a str,
    /// The technical reason of an error, as `result_traceback`; usually empty.
    pub traceback: &'a str,
    /// The time.
    pub now: Timestamp,
}

/// What became of the request to cancel a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancellation {
    /// The job had not started: it has ended.
    Canceled,
    /// The job's executor will end it.
    Requested,
    /// The job had ended before, so nothing was changed.
    Finished(Status),
    /// There is no such job.
    NotFound,
}

/// A job as far as its end concerns it.
struct ActiveJob {
    id: i64,
    kind: String,
    name: String,
    status: Status,
    started: Option<Timestamp>,
    template: Option<i64>,
}

impl ActiveJob {
    /// The time of its end, which is not before its start: the clock may have been set back.
    fn finished(&self, now: Timestamp) -> Timestamp {
        self.started.map_or(now, |started| Ord::max(started, now))
    }
}

/// Ends a job: writes its status and that of its template, frees the jobs that waited for it, and ends those that
/// depended on its success. False if the job had ended before, or does not exist: then nothing is changed.
///
/// Call [`crate::JobQueue::wake`] after the commit.
///
/// # Errors
/// Errors of the database; [`Error::Internal`] for a status that is not terminal.
pub async fn finish(tx: &mut Transaction, job: i64, finish: &Finish<'_>) -> Result<bool, Error> {
    end_jobs(tx, &[job], finish, &[]).await
}

/// The job runs now: `waiting` becomes `running`. False if it is not waiting.
///
/// # Errors
/// Errors of the database.
pub async fn set_running(tx: &mut Transaction, job: i64, now: Timestamp) -> Result<bool, Error> {
    let values =
        vec![("started", now.into()), ("job_explanation", "".into()), ("execution_environment_id", environment())];
    if change_status(tx, &[job], Status::Running, values).await? == 0 {
        return Ok(false);
    }
    show_in_template(tx, job, Status::Running).await?;
    Ok(true)
}

/// Cancels a job: one that has not started ends at once, with those that depend on it. Otherwise the job gets its
/// `cancel_flag`, and its executor ends it.
///
/// Call [`crate::JobQueue::wake`] after the commit.
///
/// # Errors
/// Errors of the database.
pub async fn request_cancel(tx: &mut Transaction, job: i64, now: Timestamp) -> Result<Cancellation, Error> {
    let found = active(tx, &[job]).await?;
    let Some(status) = found.first().map(|job| job.status) else {
        let query = select(JOBS, ["status"]).and_where(col("id").eq(job)).to_owned();
        return Ok(match tx.read_first::<String>(&query).await? {
            Some(status) => Cancellation::Finished(known(&status)?),
            None => Cancellation::NotFound,
        });
    };
    match status {
        Status::New | Status::Pending => {
            let end = Finish { status: Status::Canceled, explanation: "", traceback: "", now };
            let values = [("cancel_flag", true.into()), ("canceled_on", now.into())];
            end_jobs(tx, &[job], &end, &values).await?;
            Ok(Cancellation::Canceled)
        }
        Status::Waiting | Status::Running => {
            let mut flag = update(JOBS);
            flag.value(Alias::new("cancel_flag"), true)
                .value(Alias::new("canceled_on"), Func::coalesce([col("canceled_on"), now.into()]))
                .and_where(col("id").eq(job));
            tx.execute_inline(&flag).await?;
            end_dependents(tx, &found, Status::Canceled, now).await?;
            // Its executor may be on another node.
            tx.notify(CHANNEL).await?;
            Ok(Cancellation::Requested)
        }
        _ => Ok(Cancellation::Finished(status)),
    }
}

/// Ends those of these jobs that have not ended, and the jobs that depend on them. False if none was ended.
pub(crate) async fn end_jobs(
    tx: &mut Transaction,
    jobs: &[i64],
    finish: &Finish<'_>,
    more: &[(&'static str, Expr)],
) -> Result<bool, Error> {
    if finish.status.is_active() {
        return Err(Error::Internal(format!("the status {} is not the end of a job", finish.status)));
    }
    let ended = active(tx, jobs).await?;
    write_end(tx, &ended, finish, more).await?;
    end_dependents(tx, &ended, finish.status, finish.now).await?;
    Ok(!ended.is_empty())
}

/// Ends the pending jobs that depend on jobs that end with this status, and what depends on those, and so on.
async fn end_dependents(tx: &mut Transaction, jobs: &[ActiveJob], status: Status, now: Timestamp) -> Result<(), Error> {
    let mut explained: Vec<(i64, String)> = explanations(jobs, status);
    let status = if status == Status::Canceled { Status::Canceled } else { Status::Failed };
    let canceled = [("cancel_flag", true.into()), ("canceled_on", now.into())];
    let more: &[(&'static str, Expr)] = if status == Status::Canceled { &canceled } else { &[] };
    // This ends: a job is created after what it depends on.
    while !explained.is_empty() {
        let ids: Vec<i64> = explained.iter().map(|(id, _)| *id).collect();
        let mut query = select(DEPENDENCIES, ["unified_job_id", "dependency_id"]);
        query.and_where(col("dependency_id").is_in(ids));
        let pairs: Vec<(i64, i64)> = tx.read_as(&query).await?;
        let mut next = vec![];
        for (dependency, explanation) in &explained {
            let dependents: Vec<i64> = pairs.iter().filter(|pair| pair.1 == *dependency).map(|pair| pair.0).collect();
            let mut dependents = active(tx, &dependents).await?;
            // One that runs already does not need what it depended on any more.
            dependents.retain(|job| matches!(job.status, Status::New | Status::Pending));
            let end = Finish { status, explanation, traceback: "", now };
            write_end(tx, &dependents, &end, more).await?;
            next.extend(explanations(&dependents, status));
        }
        explained = next;
    }
    Ok(())
}

/// The explanation of what depends on these jobs, in AWX's words; nothing for successful ones.
fn explanations(jobs: &[ActiveJob], status: Status) -> Vec<(i64, String)> {
    let outcome = match status {
        Status::Failed | Status::Error => "Failed",
        Status::Canceled => "Canceled",
        _ => return vec![],
    };
    let explanation = |job: &ActiveJob| {
        let (kind, name, id) = (json!(job.kind), json!(job.name), job.id);
        format!(r#"Previous Task {outcome}: {{"job_type": {kind}, "job_name": {name}, "job_id": "{id}"}}"#)
    };
    jobs.iter().map(|job| (job.id, explanation(job))).collect()
}

/// Those of these jobs that have not ended, locked.
async fn active(tx: &mut Transaction, jobs: &[i64]) -> Result<Vec<ActiveJob>, Error> {
    if jobs.is_empty() {
        return Ok(vec![]);
    }
    let mut query = select(JOBS, ["id", "type", "name", "status", "started", "unified_job_template_id"]);
    query.and_where(col("id").is_in(jobs.iter().copied())).and_where(Expr::cust(ACTIVE)).lock(LockType::Update);
    type Columns = (i64, String, String, String, Option<Timestamp>, Option<i64>);
    let rows: Vec<Columns> = tx.read_as(&query).await?;
    rows.into_iter()
        .map(|(id, kind, name, status, started, template)| {
            Ok(ActiveJob { id, kind, name, status: known(&status)?, started, template })
        })
        .collect()
}

async fn write_end(
    tx: &mut Transaction,
    jobs: &[ActiveJob],
    finish: &Finish<'_>,
    more: &[(&'static str, Expr)],
) -> Result<(), Error> {
    if jobs.is_empty() {
        return Ok(());
    }
    let values = |finished: Timestamp, elapsed: i64| {
        let mut values: Vec<(&'static str, Expr)> = vec![
            ("failed", finish.status.is_failure().into()),
            ("finished", finished.into()),
            ("elapsed", elapsed.into()),
            ("job_explanation", finish.explanation.into()),
            ("result_traceback", finish.traceback.into()),
            ("event_processing_finished", true.into()),
            ("blocked_by_id", Option::<i64>::None.into()),
            ("queue_class", Option::<String>::None.into()),
            // Nobody needs them any more.
            ("credential_passwords", "{}".into()),
        ];
        values.extend(more.iter().cloned());
        values
    };
    let (started, unstarted): (Vec<&ActiveJob>, Vec<&ActiveJob>) = jobs.iter().partition(|job| job.started.is_some());
    let unstarted: Vec<i64> = unstarted.iter().map(|job| job.id).collect();
    change_status(tx, &unstarted, finish.status, values(finish.now, 0)).await?;
    for job in started {
        let finished = job.finished(finish.now);
        let elapsed = job.started.map_or(0, |started| finished.duration_since(started).as_millis());
        let elapsed = i64::try_from(elapsed).unwrap_or(i64::MAX);
        change_status(tx, &[job.id], finish.status, values(finished, elapsed)).await?;
    }
    let ids = jobs.iter().map(|job| job.id);
    let mut free = update(JOBS);
    free.value(Alias::new("blocked_by_id"), Option::<i64>::None).and_where(col("blocked_by_id").is_in(ids));
    tx.execute_deferred(&free).await?;
    // The last job of each template.
    let mut templates: BTreeMap<i64, &ActiveJob> = BTreeMap::new();
    for job in jobs {
        if let Some(template) = job.template {
            let last = templates.entry(template).or_insert(job);
            *last = if job.id > last.id { job } else { last };
        }
    }
    for (template, job) in templates {
        end_in_template(tx, template, job, finish).await?;
    }
    Ok(())
}

/// Shows the end of a job in its template.
async fn end_in_template(tx: &mut Transaction, template: i64, job: &ActiveJob, end: &Finish<'_>) -> Result<(), Error> {
    // As in AWX, a job template has no status for errors and canceled jobs; projects and inventory sources have.
    let status = match end.status {
        Status::Error | Status::Canceled if job.kind == JobKind::Job.as_str() => Status::Failed,
        status => status,
    };
    let is_current = || of(TEMPLATES, "current_job_id").eq(job.id);
    let current = CaseStatement::new().case(is_current(), Option::<i64>::None).finally(col("current_job_id"));
    let is_shown = is_current().or(of(TEMPLATES, "current_job_id").is_null());
    let status = CaseStatement::new().case(is_shown, status.as_str()).finally(col("status"));
    let mut change = update(TEMPLATES);
    change
        .value(Alias::new("status"), status)
        .value(Alias::new("current_job_id"), current)
        .value(Alias::new("last_job_id"), job.id)
        .value(Alias::new("last_job_run"), job.finished(end.now))
        .value(Alias::new("last_job_failed"), end.status.is_failure())
        .and_where(col("id").eq(template));
    tx.execute_deferred(&change).await
}

/// Shows that a job waits or runs in its template.
pub(crate) async fn show_in_template(tx: &mut Transaction, job: i64, status: Status) -> Result<(), Error> {
    let template = select(JOBS, ["unified_job_template_id"]).and_where(col("id").eq(job)).to_owned();
    let mut change = update(TEMPLATES);
    change
        .value(Alias::new("status"), status.as_str())
        .value(Alias::new("current_job_id"), job)
        .and_where(col("id").in_subquery(template));
    tx.execute_deferred(&change).await
}

pub(crate) fn known(status: &str) -> Result<Status, Error> {
    Status::parse(status).ok_or_else(|| Error::Internal(format!("a job has the unknown status {status}")))
}
