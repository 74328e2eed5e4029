//! The end of an update.

use hostler_events::{EventError, EventWriter};
use hostler_queue::{Ended, ExecutorError, Finish, Pauses, Status, finish};
use sea_query::{Alias, Expr, ExprTrait, Query};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::report::Report;
use crate::{Failure, Found, ProjectUpdates, Update, cannot_write};

/// How an update ended.
pub(crate) enum Outcome {
    Found(Found),
    Failed(Failure),
    Canceled,
    TimedOut,
}

impl From<Result<Found, Failure>> for Outcome {
    fn from(result: Result<Found, Failure>) -> Self {
        result.map_or_else(Outcome::Failed, Outcome::Found)
    }
}

impl ProjectUpdates {
    /// Writes the last events, what was found, and the terminal status in one transaction. While the database is away it
    /// is tried again.
    pub(crate) async fn end(
        &self,
        update: &Update,
        report: &Report,
        outcome: &Outcome,
        status: Status,
        explanation: &str,
        shutdown: &CancellationToken,
    ) -> Result<Ended, ExecutorError> {
        let mut pauses = Pauses::default();
        loop {
            let problem = match self.write_end(update, report, outcome, status, explanation).await {
                // An update without a row was deleted with its project.
                Ok(()) | Err(EventError::NoJob(_)) => return Ok(Ended::Finished),
                Err(EventError::Database(problem)) if problem.is_temporary() => problem,
                Err(problem) => return Err(cannot_write(problem)),
            };
            if !pauses.wait(update.id, &problem, shutdown).await {
                return Ok(Ended::Detached);
            }
        }
    }

    async fn write_end(
        &self,
        update: &Update,
        report: &Report,
        outcome: &Outcome,
        status: Status,
        explanation: &str,
    ) -> Result<(), EventError> {
        // Opened again: after an attempt that failed, it must know what is really written.
        let mut writer = EventWriter::open(&self.database, update.id).await?;
        let mut tx = self.database.begin().await?;
        writer.append(&mut tx, report.events(), 0).await?;
        if let Outcome::Found(found) = outcome {
            let mut of_update = Query::update();
            of_update
                .table("unified_jobs")
                .value("scm_revision", found.commit.as_str())
                .and_where(Expr::col("id").eq(update.id));
            tx.execute_deferred(&of_update).await?;
            tx.execute_deferred(&of_project(update, found)).await?;
        }
        let end = Finish { status, explanation, traceback: "", now: (self.now)() };
        if finish(&mut tx, update.id, &end).await? {
            tx.commit().await?;
        }
        // Otherwise it had ended before: then it finds nothing for its project.
        Ok(())
    }
}

/// What the project shows of its update, unless its source was changed meanwhile: then another update follows.
fn of_project(update: &Update, found: &Found) -> sea_query::UpdateStatement {
    let mut change = Query::update();
    change
        .table("unified_job_templates")
        .value("scm_revision", found.commit.as_str())
        .value("playbook_files", json!(found.playbooks).to_string())
        .value("inventory_files", json!(found.inventory_files).to_string())
        .and_where(Expr::col("id").eq(update.project));
    let source = [
        ("scm_type", &update.scm_type),
        ("scm_url", &update.scm_url),
        ("scm_branch", &update.scm_branch),
        ("scm_refspec", &update.scm_refspec),
    ];
    for (column, value) in source {
        change.and_where(Expr::col(Alias::new(column)).eq(value.as_str()));
    }
    change
}
