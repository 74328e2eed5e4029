//! Several nodes on one database.

use std::collections::BTreeSet;
use std::time::Duration;

use hostler_queue::{DispatcherOptions, Status};
use hostler_testkit::{Backend, on_each_backend};
use sea_query::{Expr, ExprTrait, Query};

use crate::fixture::{Act, Fixture, Launch, on, options};

on_each_backend!(
    two_dispatchers_never_run_a_job_twice,
    jobs_of_a_node_that_is_gone_end,
    jobs_of_a_deleted_node_end,
    heartbeat_writes_the_capacity,
    job_of_another_node_is_canceled,
);

async fn state(fixture: &Fixture, node: &str) -> (String, i64, String) {
    let query = Query::select()
        .columns(["node_state", "capacity", "errors"])
        .from("instances")
        .and_where(Expr::col("hostname").eq(node))
        .to_owned();
    fixture.database.read_first(&query).await.unwrap().unwrap()
}

fn two_dispatchers_never_run_a_job_twice(backend: Backend) {
    const JOBS: usize = 200;
    on(backend, async |fixture| {
        *fixture.script.otherwise.lock().unwrap() = Some(Act::End(Status::Successful));
        fixture.add_node("n2").await;
        let (one, two) = (fixture.start("n1"), fixture.start("n2"));
        let template = fixture.template(&[]).await;
        for index in 0..JOBS {
            let template = Some(template).filter(|_| index % 4 == 0);
            fixture.launch(Launch { template, ..Launch::default() }).await;
            if index % 2 == 0 { one.queue.wake() } else { two.queue.wake() }
        }
        fixture.expect(&["successful"; JOBS]).await;
        let started = fixture.script.started.lock().unwrap().clone();
        assert_eq!(started.len(), JOBS);
        let nodes: BTreeSet<&str> = started.iter().map(|started| started.node).collect();
        // On SQLite there is one server: the other one waits until it has ended.
        assert_eq!(nodes.len(), if backend == Backend::Postgres { 2 } else { 1 });
        one.stop().await;
        two.stop().await;
    });
}

fn jobs_of_a_node_that_is_gone_end(backend: Backend) {
    on(backend, async |fixture| {
        let template = fixture.template(&[]).await;
        let launch = Launch { template: Some(template), ..Launch::default() };
        let (first, second) = (fixture.launch(launch).await, fixture.launch(launch).await);
        let dispatcher = fixture.start("n1");
        fixture.expect(&["running", "pending"]).await;
        dispatcher.kill().await;
        fixture.add_node("n2").await;
        let short = Duration::from_millis(50);
        let options = DispatcherOptions { heartbeat: short, silent_after: short, gone_after: short, ..options() };
        // A clock that was set back does not keep a node alive.
        fixture.advance(-86_400);
        let dispatcher = fixture.start_with("n2", options);
        fixture.expect(&["error", "running"]).await;
        assert!(fixture.explanation(first).await.contains("The node n1"), "{}", fixture.explanation(first).await);
        assert_eq!(fixture.script.started.lock().unwrap()[1].node, "n2");
        let (state, capacity, errors) = state(&fixture, "n1").await;
        assert_eq!((state.as_str(), capacity), ("unavailable", 0));
        assert!(errors.contains("no heartbeat"), "{errors}");
        fixture.act(second, Act::End(Status::Successful));
        fixture.expect(&["error", "successful"]).await;
        dispatcher.stop().await;
    });
}

fn jobs_of_a_deleted_node_end(backend: Backend) {
    on(backend, async |fixture| {
        let job = fixture.launch(Launch::default()).await;
        let dispatcher = fixture.start("n1");
        fixture.expect(&["running"]).await;
        dispatcher.kill().await;
        fixture.delete("instances", 1).await;
        fixture.add_node("n2").await;
        let dispatcher = fixture.start("n2");
        fixture.expect(&["error"]).await;
        assert!(fixture.explanation(job).await.contains("not an instance any more"));
        dispatcher.stop().await;
    });
}

fn heartbeat_writes_the_capacity(backend: Backend) {
    on(backend, async |fixture| {
        assert_eq!(state(&fixture, "n1").await, ("ready".into(), 0, String::new()));
        let dispatcher = fixture.start("n1");
        fixture.wait_until("n1 has a capacity", async || state(&fixture, "n1").await.1 == 100).await;
        dispatcher.stop().await;
        let (state, capacity, errors) = state(&fixture, "n1").await;
        assert_eq!((state.as_str(), capacity), ("unavailable", 0));
        assert!(errors.contains("stopped"), "{errors}");
    });
}

fn job_of_another_node_is_canceled(backend: Backend) {
    on(backend, async |fixture| {
        fixture.launch(Launch::default()).await;
        // Without polls: on PostgreSQL a notification wakes it.
        let long = Duration::from_secs(3600);
        // Nor would its first clean-up be tried again, which fails.
        fixture.script.clean_ups.lock().unwrap().push(0);
        let one = fixture.start_with("n1", DispatcherOptions { poll_interval: long, heartbeat: long, ..options() });
        fixture.expect(&["running"]).await;
        fixture.cancel(1).await;
        if backend == Backend::Sqlite {
            one.queue.wake();
        }
        fixture.expect(&["canceled"]).await;
        one.stop().await;
    });
}
