//! How jobs end and are canceled.

use hostler_queue::{CONTROL_PLANE_ENVIRONMENT, Cancellation, DEFAULT_IMAGE, Finish, Status, finish, set_running};
use hostler_testkit::Backend;
use hostler_testkit::on_each_backend;
use jiff::Timestamp;
use sea_query::{Expr, ExprTrait, Query};

use crate::fixture::{Act, Launch, on};

on_each_backend!(
    ended_job_never_changes,
    template_shows_its_jobs,
    running_job_shows_its_execution_environment,
    job_is_canceled_in_each_state,
    executor_that_fails_leaves_an_error,
    job_of_deleted_template_ends,
    time_that_runs_backwards_is_no_elapsed_time,
);

fn ended_job_never_changes(backend: Backend) {
    on(backend, async |fixture| {
        let job = fixture.launch(Launch::default()).await;
        let end = |status| Finish { status, explanation: "why", traceback: "how", now: fixture.now() };
        let mut tx = fixture.database.begin().await.unwrap();
        assert!(!set_running(&mut tx, job, fixture.now()).await.unwrap(), "it is not waiting");
        assert!(finish(&mut tx, job, &end(Status::Running)).await.is_err());
        drop(tx);
        let mut tx = fixture.database.begin().await.unwrap();
        assert!(finish(&mut tx, job, &end(Status::Error)).await.unwrap());
        assert!(!finish(&mut tx, job, &end(Status::Failed)).await.unwrap());
        assert!(!set_running(&mut tx, job, fixture.now()).await.unwrap());
        assert!(!finish(&mut tx, job + 1, &end(Status::Failed)).await.unwrap(), "no such job");
        tx.commit().await.unwrap();
        assert_eq!(fixture.cancel(job).await, Cancellation::Finished(Status::Error));
        assert_eq!(fixture.cancel(job + 1).await, Cancellation::NotFound);
        assert_eq!(fixture.texts("status").await, ["error"]);
        assert_eq!(fixture.explanation(job).await, "why");
        assert_eq!(fixture.texts("result_traceback").await, ["how"]);
    });
}

fn template_shows_its_jobs(backend: Backend) {
    on(backend, async |fixture| {
        let template = fixture.template(&[]).await;
        let first = fixture.launch(Launch { template: Some(template), ..Launch::default() }).await;
        let second = fixture.launch(Launch { template: Some(template), ..Launch::default() }).await;
        let dispatcher = fixture.start("n1");
        fixture.expect(&["running", "pending"]).await;
        assert_eq!(fixture.shown(template).await, ("running".into(), Some(first), None, false));
        fixture.act(first, Act::End(Status::Successful));
        fixture.expect(&["successful", "running"]).await;
        assert_eq!(fixture.shown(template).await, ("running".into(), Some(second), Some(first), false));
        fixture.cancel(second).await;
        dispatcher.queue.wake();
        fixture.expect(&["successful", "canceled"]).await;
        assert_eq!(fixture.shown(template).await, ("failed".into(), None, Some(second), true));
        dispatcher.stop().await;
    });
}

fn running_job_shows_its_execution_environment(backend: Backend) {
    on(backend, async |fixture| {
        let project = fixture.project(&[]).await;
        let organization = fixture.insert("organizations", &[("name", "o".into()), ("ansible_id", "o".into())]).await;
        let template = fixture.template(&[]).await;
        let shown_by = async |kind: &str| {
            let job = Launch { template: Some(template), project: Some(project), ..Launch::default() };
            let job = fixture.launch(job).await;
            fixture.change("unified_jobs", job, "organization_id", organization).await;
            fixture.change("unified_jobs", job, "type", kind.to_owned()).await;
            fixture.change("unified_jobs", job, "status", "waiting").await;
            let mut tx = fixture.database.begin().await.unwrap();
            assert!(set_running(&mut tx, job, fixture.now()).await.unwrap());
            tx.commit().await.unwrap();
            let query = Query::select()
                .column("execution_environment_id")
                .from("unified_jobs")
                .and_where(Expr::col("id").eq(job))
                .to_owned();
            fixture.database.read_first::<Option<i64>>(&query).await.unwrap().flatten()
        };
        let shown = async || shown_by("job").await;
        let environment = async |name: &'static str, image: &'static str| {
            fixture.insert("execution_environments", &[("name", name.into()), ("image", image.into())]).await
        };
        assert_eq!(shown().await, None);
        let first = environment("first", "x/first").await;
        fixture.change("execution_environments", first, "managed", true).await;
        assert_eq!(shown().await, None, "managed ones are for updates");
        environment("other", "x/other").await;
        let of_server = environment("default", DEFAULT_IMAGE).await;
        assert_eq!(shown().await, Some(of_server));
        for (name, table, owner, column) in [
            ("organization", "organizations", organization, "default_environment_id"),
            ("project", "unified_job_templates", project, "default_environment_id"),
            ("template", "unified_job_templates", template, "execution_environment_id"),
        ] {
            let chosen = environment(name, "x/chosen").await;
            fixture.change(table, owner, column, chosen).await;
            assert_eq!(shown().await, Some(chosen), "{name}");
        }
        let managed = environment(CONTROL_PLANE_ENVIRONMENT, "x/control").await;
        fixture.change("execution_environments", managed, "managed", true).await;
        assert_eq!(shown_by("project_update").await, Some(managed));
    });
}

fn job_is_canceled_in_each_state(backend: Backend) {
    on(backend, async |fixture| {
        let template = fixture.template(&[]).await;
        let launch = Launch { template: Some(template), ..Launch::default() };
        let (running, pending, last) =
            (fixture.launch(launch).await, fixture.launch(launch).await, fixture.launch(launch).await);
        let dispatcher = fixture.start("n1");
        fixture.expect(&["running", "pending", "pending"]).await;
        assert_eq!(fixture.cancel(pending).await, Cancellation::Canceled);
        assert_eq!(fixture.texts("status").await, ["running", "canceled", "pending"]);
        assert_eq!(fixture.explanation(pending).await, "");
        dispatcher.queue.wake();
        let waits = format!("waiting for job-{running} to finish");
        fixture
            .wait_until("the last one waits for the running one", async || fixture.explanation(last).await == waits)
            .await;
        assert_eq!(fixture.cancel(running).await, Cancellation::Requested);
        dispatcher.queue.wake();
        fixture.expect(&["canceled", "canceled", "running"]).await;
        assert_eq!(fixture.cancel(running).await, Cancellation::Finished(Status::Canceled));
        dispatcher.stop().await;
        // While no server runs, the request is kept.
        assert_eq!(fixture.cancel(last).await, Cancellation::Requested);
        let dispatcher = fixture.start("n1");
        fixture.expect(&["canceled", "canceled", "canceled"]).await;
        dispatcher.stop().await;
        let query = Query::select().column("canceled_on").from("unified_jobs").to_owned();
        let times: Vec<Option<jiff::Timestamp>> = fixture.database.read_as(&query).await.unwrap();
        assert!(times.iter().all(Option::is_some), "{times:?}");
    });
}

fn executor_that_fails_leaves_an_error(backend: Backend) {
    on(backend, async |fixture| {
        let jobs = [
            fixture.launch(Launch::default()).await,
            fixture.launch(Launch::default()).await,
            fixture.launch(Launch::default()).await,
        ];
        let dispatcher = fixture.start("n1");
        fixture.expect(&["running"; 3]).await;
        fixture.act(jobs[0], Act::Fail);
        fixture.act(jobs[1], Act::Panic);
        fixture.act(jobs[2], Act::Forget);
        fixture.expect(&["error"; 3]).await;
        let explanations = fixture.texts("job_explanation").await;
        assert_eq!(explanations[0], "There is no playbook.");
        assert!(explanations[1].contains("error"), "{explanations:?}");
        assert!(explanations[2].contains("without a status"), "{explanations:?}");
        assert_eq!(fixture.started().len(), 3, "each ran once");
        dispatcher.stop().await;
    });
}

fn job_of_deleted_template_ends(backend: Backend) {
    on(backend, async |fixture| {
        let template = fixture.template(&[]).await;
        let launch = Launch { template: Some(template), ..Launch::default() };
        let (first, second) = (fixture.launch(launch).await, fixture.launch(launch).await);
        let dispatcher = fixture.start("n1");
        fixture.expect(&["running", "pending"]).await;
        fixture.delete("unified_job_templates", template).await;
        fixture.act(first, Act::End(Status::Failed));
        fixture.expect(&["failed", "running"]).await;
        // A job that is deleted while it runs must not go on.
        fixture.delete("unified_jobs", second).await;
        dispatcher.queue.wake();
        fixture.expect(&["failed"]).await;
        dispatcher.stop().await;
    });
}

fn time_that_runs_backwards_is_no_elapsed_time(backend: Backend) {
    on(backend, async |fixture| {
        let job = fixture.launch(Launch::default()).await;
        let dispatcher = fixture.start("n1");
        fixture.expect(&["running"]).await;
        fixture.advance(-86_400);
        fixture.act(job, Act::End(Status::Successful));
        fixture.expect(&["successful"]).await;
        let next = fixture.launch(Launch::default()).await;
        dispatcher.queue.wake();
        fixture.expect(&["successful", "running"]).await;
        fixture.act(next, Act::End(Status::Successful));
        fixture.expect(&["successful", "successful"]).await;
        let query =
            sea_query::Query::select().columns(["elapsed", "started", "finished"]).from("unified_jobs").to_owned();
        for (elapsed, started, finished) in
            fixture.database.read_as::<(i64, Timestamp, Timestamp)>(&query).await.unwrap()
        {
            assert_eq!((elapsed, finished), (0, started));
        }
        dispatcher.stop().await;
    });
}
