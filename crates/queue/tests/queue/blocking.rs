//! What jobs wait for.

use hostler_testkit::{Backend, on_each_backend};

use crate::fixture::{Act, Launch, on};
use hostler_queue::{NewUpdate, Status, Updated, create_update};

on_each_backend!(
    one_job_of_a_template_runs_at_a_time,
    simultaneous_jobs_run_together,
    blocked_jobs_do_not_delay_others,
    job_waits_for_its_project,
    project_is_updated_before_a_job,
    project_is_not_updated_again_within_its_cache_timeout,
    failed_update_ends_its_job,
    canceled_update_cancels_its_job,
    one_update_of_a_project_runs_at_a_time,
);

fn one_job_of_a_template_runs_at_a_time(backend: Backend) {
    on(backend, async |fixture| {
        let template = fixture.template(&[]).await;
        let launch = Launch { template: Some(template), ..Launch::default() };
        let jobs = [fixture.launch(launch).await, fixture.launch(launch).await, fixture.launch(launch).await];
        let dispatcher = fixture.start("n1");
        fixture.expect(&["running", "pending", "pending"]).await;
        assert_eq!(fixture.explanation(jobs[1]).await, format!("waiting for job-{} to finish", jobs[0]));
        assert_eq!(fixture.explanation(jobs[2]).await, format!("waiting for job-{} to finish", jobs[1]));
        fixture.act(jobs[0], Act::End(Status::Failed));
        fixture.expect(&["failed", "running", "pending"]).await;
        assert_eq!(fixture.explanation(jobs[1]).await, "");
        fixture.act(jobs[1], Act::End(Status::Successful));
        fixture.expect(&["failed", "successful", "running"]).await;
        assert_eq!(fixture.started(), jobs);
        dispatcher.stop().await;
    });
}

fn simultaneous_jobs_run_together(backend: Backend) {
    on(backend, async |fixture| {
        let template = fixture.template(&[]).await;
        for simultaneous in [true, true, false, true] {
            fixture.launch(Launch { template: Some(template), simultaneous, ..Launch::default() }).await;
        }
        let dispatcher = fixture.start("n1");
        fixture.expect(&["running", "running", "pending", "running"]).await;
        dispatcher.stop().await;
    });
}

fn blocked_jobs_do_not_delay_others(backend: Backend) {
    on(backend, async |fixture| {
        let (busy, other) = (fixture.template(&[]).await, fixture.template(&[]).await);
        for _ in 0..201 {
            fixture.launch(Launch { template: Some(busy), ..Launch::default() }).await;
        }
        let dispatcher = fixture.start("n1");
        fixture.launch(Launch { template: Some(other), ..Launch::default() }).await;
        let mut expected = vec!["running"];
        expected.extend(["pending"; 200]);
        expected.push("running");
        dispatcher.queue.wake();
        fixture.expect(&expected).await;
        dispatcher.stop().await;
    });
}

/// A project that is updated before each job, and a job of it.
fn on_launch() -> [(&'static str, sea_query::Expr); 2] {
    [("scm_update_on_launch", true.into()), ("scm_branch", "devel".into())]
}

fn job_waits_for_its_project(backend: Backend) {
    on(backend, async |fixture| {
        let project = fixture.project(&[]).await;
        let mut tx = fixture.database.begin().await.unwrap();
        let new =
            NewUpdate { of: Updated::Project(project), launch_type: "manual", created_by: None, now: fixture.now() };
        let update = create_update(&mut tx, &new).await.unwrap().unwrap();
        assert_eq!(create_update(&mut tx, &NewUpdate { of: Updated::Project(99), ..new }).await, Ok(None));
        tx.commit().await.unwrap();
        let job = fixture.launch(Launch { project: Some(project), ..Launch::default() }).await;
        let dispatcher = fixture.start("n1");
        fixture.expect(&["running", "pending"]).await;
        assert_eq!(fixture.explanation(job).await, format!("waiting for projectupdate-{update} to finish"));
        // It does not depend on the success of an update that it did not need.
        fixture.act(update, Act::End(Status::Failed));
        fixture.expect(&["failed", "running"]).await;
        assert_eq!(fixture.shown(project).await, ("failed".into(), None, Some(update), true));
        dispatcher.stop().await;
    });
}

fn project_is_updated_before_a_job(backend: Backend) {
    on(backend, async |fixture| {
        let project = fixture.project(&on_launch()).await;
        let launch = Launch { project: Some(project), ..Launch::default() };
        let jobs = [fixture.launch(launch).await, fixture.launch(launch).await];
        let dispatcher = fixture.start("n1");
        fixture.expect(&["pending", "pending", "running"]).await;
        let update = jobs[1] + 1;
        assert_eq!(fixture.texts("type").await, ["job", "job", "project_update"]);
        assert_eq!(fixture.texts("launch_type").await[2], "dependency");
        assert_eq!(fixture.texts("scm_branch").await[2], "devel");
        assert_eq!(fixture.shown(project).await, ("running".into(), Some(update), None, false));
        fixture.act(update, Act::End(Status::Successful));
        fixture.expect(&["running", "running", "successful"]).await;
        assert_eq!(fixture.started()[0], update);
        // Without a cache timeout each launch needs a new one.
        fixture.launch(launch).await;
        dispatcher.queue.wake();
        fixture.expect(&["running", "running", "successful", "pending", "running"]).await;
        dispatcher.stop().await;
    });
}

fn project_is_not_updated_again_within_its_cache_timeout(backend: Backend) {
    on(backend, async |fixture| {
        let project = fixture.project(&on_launch()).await;
        fixture.change("unified_job_templates", project, "scm_update_cache_timeout", 60).await;
        let launch = Launch { project: Some(project), ..Launch::default() };
        let first = fixture.launch(launch).await;
        let dispatcher = fixture.start("n1");
        fixture.expect(&["pending", "running"]).await;
        fixture.act(first + 1, Act::End(Status::Successful));
        fixture.expect(&["running", "successful"]).await;
        fixture.advance(59);
        fixture.launch(launch).await;
        dispatcher.queue.wake();
        fixture.expect(&["running", "successful", "running"]).await;
        fixture.advance(1);
        fixture.launch(launch).await;
        dispatcher.queue.wake();
        fixture.expect(&["running", "successful", "running", "pending", "running"]).await;
        dispatcher.stop().await;
    });
}

fn failed_update_ends_its_job(backend: Backend) {
    on(backend, async |fixture| {
        let project = fixture.project(&on_launch()).await;
        let template = fixture.template(&[]).await;
        let launch = Launch { project: Some(project), template: Some(template), ..Launch::default() };
        let jobs = [fixture.launch(launch).await, fixture.launch(launch).await];
        let dispatcher = fixture.start("n1");
        fixture.expect(&["pending", "pending", "running"]).await;
        let update = jobs[1] + 1;
        fixture.act(update, Act::End(Status::Failed));
        fixture.expect(&["failed", "failed", "failed"]).await;
        let explanation = format!(
            r#"Previous Task Failed: {{"job_type": "project_update", "job_name": "tools", "job_id": "{update}"}}"#
        );
        assert_eq!(fixture.explanation(jobs[0]).await, explanation);
        assert_eq!(fixture.explanation(jobs[1]).await, explanation);
        assert_eq!(fixture.started(), [update]);
        assert_eq!(fixture.shown(template).await, ("failed".into(), None, Some(jobs[1]), true));
        // The next launch tries again.
        fixture.launch(launch).await;
        dispatcher.queue.wake();
        fixture.expect(&["failed", "failed", "failed", "pending", "running"]).await;
        dispatcher.stop().await;
    });
}

fn canceled_update_cancels_its_job(backend: Backend) {
    on(backend, async |fixture| {
        let project = fixture.project(&on_launch()).await;
        let job = fixture.launch(Launch { project: Some(project), ..Launch::default() }).await;
        let dispatcher = fixture.start("n1");
        fixture.expect(&["pending", "running"]).await;
        fixture.cancel(job + 1).await;
        assert_eq!(fixture.texts("status").await, ["canceled", "running"]);
        assert!(fixture.explanation(job).await.starts_with("Previous Task Canceled: {"));
        dispatcher.queue.wake();
        fixture.expect(&["canceled", "canceled"]).await;
        dispatcher.stop().await;
    });
}

fn one_update_of_a_project_runs_at_a_time(backend: Backend) {
    on(backend, async |fixture| {
        let project = fixture.project(&[]).await;
        let mut updates = vec![];
        for _ in 0..2 {
            let mut tx = fixture.database.begin().await.unwrap();
            let new = NewUpdate {
                of: Updated::Project(project),
                launch_type: "manual",
                created_by: None,
                now: fixture.now(),
            };
            updates.push(create_update(&mut tx, &new).await.unwrap().unwrap());
            tx.commit().await.unwrap();
        }
        let dispatcher = fixture.start("n1");
        fixture.expect(&["running", "pending"]).await;
        fixture.act(updates[0], Act::End(Status::Successful));
        fixture.expect(&["successful", "running"]).await;
        dispatcher.stop().await;
    });
}
