//! Removes what ended jobs and deleted projects have left behind.

use std::collections::HashSet;

use hostler_database::Error as DatabaseError;
use hostler_projects::Error as ProjectError;
use hostler_queue::{ExecutorError, Status};
use sea_query::{Alias, Expr, ExprTrait, Query};

use crate::job_directory::{JobDirectory, blocking};
use crate::runner::Runner;

/// Ids that are looked up in one statement.
const AT_A_TIME: usize = 1000;

impl Runner {
    /// Removes the directories of jobs that have ended or were deleted, and kills processes of theirs.
    pub(crate) async fn remove_directories(&self) -> Result<(), DatabaseError> {
        let data = self.options.data.clone();
        let all = blocking(move || Ok(JobDirectory::all(&data))).await.unwrap_or_default();
        let active = self.active_jobs(all.iter().map(JobDirectory::job).collect()).await?;
        for directory in all.iter().filter(|directory| !active.contains(&directory.job())) {
            tracing::info!(job = directory.job(), "removing what an ended job left behind");
            self.kill_processes(directory).await;
            self.remove(directory).await;
        }
        Ok(())
    }

    /// Gives back the checkouts of jobs and updates that have ended or were deleted.
    pub(crate) async fn release_checkouts(&self) -> Result<(), ExecutorError> {
        let mut held: Vec<(i64, i64, String)> = vec![];
        for project in self.projects.stored().await.map_err(of_projects)? {
            let holders = self.projects.holders(project).await.map_err(of_projects)?;
            let jobs = holders.into_iter().filter_map(|holder| Some((job_of(&holder)?, project, holder)));
            held.extend(jobs);
        }
        let active = self.active_jobs(held.iter().map(|(job, ..)| *job).collect()).await?;
        for (job, project, holder) in held.iter().filter(|(job, ..)| !active.contains(job)) {
            tracing::info!(job, project, "giving back the files that an ended job used");
            self.projects.release(*project, holder).await.map_err(of_projects)?;
        }
        Ok(())
    }

    /// Removes the files of deleted projects, as far as no job uses them.
    pub(crate) async fn remove_deleted_projects(&self) -> Result<(), ExecutorError> {
        let stored = self.projects.stored().await.map_err(of_projects)?;
        for projects in stored.chunks(AT_A_TIME) {
            let query = Query::select()
                .column("id")
                .from(Alias::new("projects"))
                .and_where(Expr::col(Alias::new("id")).is_in(projects.iter().copied()))
                .to_owned();
            let existing: HashSet<i64> = self.database.read_as::<i64>(&query).await?.into_iter().collect();
            for project in projects.iter().filter(|project| !existing.contains(project)) {
                tracing::debug!(project, "removing the files of a deleted project");
                if let Err(problem) = self.projects.remove_project(*project).await {
                    tracing::warn!(project, %problem, "the files of a deleted project cannot be removed");
                }
            }
        }
        Ok(())
    }

    /// Those of these jobs that have not ended.
    async fn active_jobs(&self, jobs: Vec<i64>) -> Result<HashSet<i64>, DatabaseError> {
        let mut found = HashSet::new();
        for jobs in jobs.chunks(AT_A_TIME) {
            let active = Status::ALL.into_iter().filter(|status| status.is_active()).map(Status::as_str);
            let query = Query::select()
                .column("id")
                .from(Alias::new("unified_jobs"))
                .and_where(Expr::col(Alias::new("id")).is_in(jobs.iter().copied()))
                .and_where(Expr::col(Alias::new("status")).is_in(active))
                .to_owned();
            found.extend(self.database.read_as::<i64>(&query).await?);
        }
        Ok(found)
    }
}

/// The job or update in the name of a holder, such as `job-17`.
fn job_of(holder: &str) -> Option<i64> {
    holder.rsplit_once('-')?.1.parse().ok()
}

fn of_projects(problem: ProjectError) -> ExecutorError {
    ExecutorError(format!("The files of the projects: {problem}"))
}
