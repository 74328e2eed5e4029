//! Updates of projects from their start to their end, on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests report by panicking")]

use std::path::Path;
use std::sync::Arc;

use hostler_database::{Database, Location};
use hostler_events::{OutputReader, output_size};
use hostler_project_updates::ProjectUpdates;
use hostler_projects::{ProjectOptions, Projects};
use hostler_queue::{ClaimedJob, Ended, JobKind, JobSignals, NewUpdate, Updated, create_update};
use hostler_schema::JobSettings;
use hostler_testkit::database::EmptyDatabase;
use hostler_testkit::{Backend, on_each_backend};
use hostler_vault::Vault;
use jiff::Timestamp;
use sea_query::{Alias, Expr, ExprTrait, Query};
use serde_json::{Value, json};

on_each_backend!(
    successful_update_is_shown_in_its_project,
    typo_in_the_branch_is_named,
    canceled_update_ends,
    canceled_update_holds_no_checkout,
    update_that_was_ended_elsewhere_changes_nothing,
    update_of_a_killed_server_runs_again,
);

fn now() -> Timestamp {
    "2030-01-01T00:00:00Z".parse().unwrap()
}

struct Fixture {
    database: Database,
    updates: ProjectUpdates,
    project: i64,
}

fn on(backend: Backend, test: impl AsyncFnOnce(&Fixture)) {
    let empty = EmptyDatabase::create(backend);
    let location = empty.location().map_or_else(Location::Sqlite, Location::Postgres);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let database = Database::open(&location).await.unwrap();
        let fixture = Fixture::new(database.clone(), empty.folder()).await;
        test(&fixture).await;
        database.close().await;
    });
}

impl Fixture {
    async fn new(database: Database, folder: &Path) -> Self {
        let vault = Vault::open(&folder.join("keys"), &database).await.unwrap();
        let options = ProjectOptions { allow_file: true, ..ProjectOptions::default() };
        let projects = Projects::open(folder.join("projects"), options).await.unwrap();
        let repository = folder.join("repository.git");
        projects.make_repository(&repository, &[("hello.yml", "- hosts: all\n"), ("hosts", "one\n")]).await.unwrap();
        let project = Query::insert()
            .into_table("unified_job_templates")
            .columns(["type", "created", "modified", "name", "scm_type", "scm_url", "status"])
            .values_panic([
                "project".into(),
                now().into(),
                now().into(),
                "demo".into(),
                "git".into(),
                format!("file://{}", repository.display()).into(),
                "pending".into(),
            ])
            .to_owned();
        let mut tx = database.begin().await.unwrap();
        let project = tx.insert(&project).await.unwrap();
        tx.commit().await.unwrap();
        let updates = ProjectUpdates {
            database: database.clone(),
            vault: Arc::new(vault),
            projects: Arc::new(projects),
            ansible_galaxy: Arc::new(|| "ansible-galaxy".into()),
            settings: Arc::new(JobSettings::default()),
            now: Arc::new(now),
        };
        Fixture { database, updates, project }
    }

    /// A claimed update of the project.
    async fn update(&self) -> ClaimedJob {
        let mut tx = self.database.begin().await.unwrap();
        let update =
            NewUpdate { of: Updated::Project(self.project), launch_type: "manual", created_by: None, now: now() };
        let id = create_update(&mut tx, &update).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        self.set("unified_jobs", id, "status", "waiting").await;
        ClaimedJob { id, kind: JobKind::ProjectUpdate, adopted: false }
    }

    async fn set(&self, table: &'static str, id: i64, column: &'static str, value: &str) {
        let mut tx = self.database.begin().await.unwrap();
        let change = Query::update()
            .table(Alias::new(table))
            .value(Alias::new(column), value)
            .and_where(Expr::col("id").eq(id))
            .to_owned();
        assert_eq!(tx.execute(&change).await.unwrap(), 1);
        tx.commit().await.unwrap();
    }

    async fn texts(&self, table: &'static str, id: i64, columns: [&'static str; 3]) -> (String, String, String) {
        let query = Query::select()
            .columns(columns.map(Alias::new))
            .from(Alias::new(table))
            .and_where(Expr::col("id").eq(id))
            .to_owned();
        self.database.read_first(&query).await.unwrap().unwrap()
    }

    async fn output(&self, job: i64) -> String {
        let size = output_size(&self.database, job).await.unwrap();
        let mut reader = OutputReader::new(self.database.clone(), job);
        let mut text = Vec::new();
        while let Some(part) = reader.next_part().await.unwrap() {
            text.extend_from_slice(&part);
        }
        assert!(size.bytes > 0);
        String::from_utf8(text).unwrap()
    }
}

fn successful_update_is_shown_in_its_project(backend: Backend) {
    on(backend, async |fixture| {
        let job = fixture.update().await;
        assert_eq!(fixture.updates.run(job, JobSignals::default()).await.unwrap(), Ended::Finished);
        let (status, commit, tags) =
            fixture.texts("unified_jobs", job.id, ["status", "scm_revision", "job_tags"]).await;
        assert_eq!((status.as_str(), commit.len()), ("successful", 40));
        assert_eq!(tags, "update_git,install_roles,install_collections");
        let of_project = ["status", "scm_revision", "playbook_files"];
        let (status, revision, playbooks) = fixture.texts("unified_job_templates", fixture.project, of_project).await;
        assert_eq!((status.as_str(), &revision), ("successful", &commit));
        assert_eq!(serde_json::from_str::<Value>(&playbooks).unwrap(), json!(["hello.yml"]));
        let output = fixture.output(job.id).await;
        assert!(output.contains("changed: [localhost]") && output.contains(&commit), "{output}");
        assert!(output.ends_with("ignored=0   \n"), "{output}");
        // The checkout is kept for jobs, without a holder.
        assert!(fixture.updates.projects.holders(fixture.project).await.unwrap().is_empty());
    });
}

fn typo_in_the_branch_is_named(backend: Backend) {
    on(backend, async |fixture| {
        fixture.set("unified_job_templates", fixture.project, "scm_branch", "mian").await;
        let job = fixture.update().await;
        fixture.updates.run(job, JobSignals::default()).await.unwrap();
        let (status, _, explanation) =
            fixture.texts("unified_jobs", job.id, ["status", "scm_revision", "job_explanation"]).await;
        assert_eq!((status.as_str(), explanation.as_str()), ("failed", ""));
        let output = fixture.output(job.id).await;
        assert!(output.contains("The branch, tag or commit 'mian' does not exist in the repository."), "{output}");
        let (status, ..) =
            fixture.texts("unified_job_templates", fixture.project, ["status", "scm_revision", "scm_branch"]).await;
        assert_eq!(status, "failed");
    });
}

fn canceled_update_ends(backend: Backend) {
    on(backend, async |fixture| {
        let job = fixture.update().await;
        let signals = JobSignals::default();
        signals.cancel.cancel();
        assert_eq!(fixture.updates.run(job, signals).await.unwrap(), Ended::Finished);
        let (status, revision, _) = fixture.texts("unified_jobs", job.id, ["status", "scm_revision", "name"]).await;
        assert_eq!((status.as_str(), revision.as_str()), ("canceled", ""));
    });
}

fn canceled_update_holds_no_checkout(backend: Backend) {
    on(backend, async |fixture| {
        let first = fixture.update().await;
        fixture.updates.run(first, JobSignals::default()).await.unwrap();
        let project = ["scm_url", "scm_revision", "name"];
        let (url, commit, _) = fixture.texts("unified_job_templates", fixture.project, project).await;
        let projects = &fixture.updates.projects;
        let job = fixture.update().await;
        let source = projects.source(&url).unwrap();
        projects.checkout(fixture.project, &source, &commit, &format!("update-{}", job.id), &|_| ()).await.unwrap();
        let signals = JobSignals::default();
        signals.cancel.cancel();
        assert_eq!(fixture.updates.run(job, signals).await.unwrap(), Ended::Finished);
        assert!(projects.holders(fixture.project).await.unwrap().is_empty());
    });
}

fn update_that_was_ended_elsewhere_changes_nothing(backend: Backend) {
    on(backend, async |fixture| {
        let job = fixture.update().await;
        fixture.set("unified_jobs", job.id, "status", "error").await;
        assert_eq!(fixture.updates.run(job, JobSignals::default()).await.unwrap(), Ended::Finished);
        let (status, commit, _) = fixture.texts("unified_jobs", job.id, ["status", "scm_revision", "name"]).await;
        assert_eq!((status.as_str(), commit.as_str()), ("error", ""));
        let (revision, ..) =
            fixture.texts("unified_job_templates", fixture.project, ["scm_revision", "status", "name"]).await;
        assert_eq!(revision, "");
    });
}

fn update_of_a_killed_server_runs_again(backend: Backend) {
    on(backend, async |fixture| {
        let job = fixture.update().await;
        let signals = JobSignals::default();
        signals.shutdown.cancel();
        assert_eq!(fixture.updates.run(job, signals).await.unwrap(), Ended::Detached);
        let (status, ..) = fixture.texts("unified_jobs", job.id, ["status", "scm_revision", "name"]).await;
        assert_eq!(status, "running");
        let adopted = ClaimedJob { adopted: true, ..job };
        assert_eq!(fixture.updates.run(adopted, JobSignals::default()).await.unwrap(), Ended::Finished);
        let (status, ..) = fixture.texts("unified_jobs", job.id, ["status", "scm_revision", "name"]).await;
        assert_eq!(status, "successful");
        let output = fixture.output(job.id).await;
        assert_eq!(output.matches("PLAY [Update source").count(), 2, "{output}");
        assert_eq!(output.matches("PLAY RECAP").count(), 1, "{output}");
    });
}
