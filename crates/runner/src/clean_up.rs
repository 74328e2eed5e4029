//! Removes what ended jobs left behind when the server was killed.

use std::collections::HashSet;

use hostler_queue::Status;
use hostler_supervisor::kill_leftovers;
use sea_query::{Alias, Expr, ExprTrait, Query};

use crate::job_directory::{JobDirectory, blocking};
use crate::runner::Runner;

/// Directories whose jobs are looked up in one statement.
const AT_A_TIME: usize = 1000;

impl Runner {
    /// Removes the directories of jobs that have ended or were deleted, and kills processes of theirs. Call it once at the
    /// start of the server.
    ///
    /// # Errors
    /// Errors of the database.
    pub async fn clean_up(&self) -> Result<(), hostler_database::Error> {
        let data = self.options.data.clone();
        let all = blocking(move || Ok(JobDirectory::all(&data))).await.unwrap_or_default();
        for directories in all.chunks(AT_A_TIME) {
            let active = Status::ALL.into_iter().filter(|status| status.is_active()).map(Status::as_str);
            let query = Query::select()
                .column("id")
                .from(Alias::new("unified_jobs"))
                .and_where(Expr::col(Alias::new("id")).is_in(directories.iter().map(JobDirectory::job)))
                .and_where(Expr::col(Alias::new("status")).is_in(active))
                .to_owned();
            let active: HashSet<i64> = self.database.read_as::<i64>(&query).await?.into_iter().collect();
            for directory in directories.iter().filter(|directory| !active.contains(&directory.job())) {
                let (job, path) = (directory.job(), directory.path().to_owned());
                tracing::info!(job, "removing what an ended job left behind");
                let killed = blocking(move || kill_leftovers(&path).map_err(|problem| problem.to_string())).await;
                if let Err(problem) = killed {
                    tracing::error!(job, problem, "processes of an ended job may be left");
                }
                self.remove(directory).await;
            }
        }
        Ok(())
    }
}
