//! Capacity, groups, and restarts.

use std::time::Duration;

use hostler_queue::{DispatcherOptions, Status};
use hostler_testkit::{Backend, on_each_backend};
use sea_query::{Order, Query};

use crate::fixture::{Act, Launch, Started, on, options};

on_each_backend!(
    jobs_wait_for_capacity_in_their_order,
    jobs_take_a_fork_per_host,
    limits_of_a_group_are_kept,
    groups_are_taken_in_their_order,
    group_without_nodes_is_explained,
    rests_are_removed_before_the_first_job,
    running_jobs_are_adopted_after_a_restart,
    running_jobs_are_adopted_after_a_crash,
    many_jobs_of_many_templates_all_run_once,
);

fn jobs_wait_for_capacity_in_their_order(backend: Backend) {
    on(backend, async |fixture| {
        let mut jobs = vec![];
        // Each takes 49 forks, one for itself and one for the control: two fit.
        for _ in 0..4 {
            jobs.push(fixture.launch(Launch { forks: 48, ..Launch::default() }).await);
        }
        // A small one that comes last still fits.
        let small = fixture.launch(Launch { forks: 1, ..Launch::default() }).await;
        fixture.change("unified_jobs", small, "launch_type", "callback").await;
        let dispatcher = fixture.start("n1");
        fixture.expect(&["running", "running", "pending", "pending", "pending"]).await;
        assert!(fixture.explanation(jobs[2]).await.contains("not enough available capacity"));
        fixture.act(jobs[0], Act::End(Status::Successful));
        fixture.expect(&["successful", "running", "running", "pending", "pending"]).await;
        assert_eq!(fixture.explanation(jobs[2]).await, "");
        fixture.act(jobs[1], Act::End(Status::Successful));
        fixture.act(jobs[2], Act::End(Status::Successful));
        fixture.expect(&["successful", "successful", "successful", "running", "running"]).await;
        dispatcher.stop().await;
    });
}

fn jobs_take_a_fork_per_host(backend: Backend) {
    on(backend, async |fixture| {
        for (number, hosts) in [0, 1, 9].into_iter().enumerate() {
            let name = format!("i{number}");
            let inventory = Some(fixture.insert("inventories", &[("name", name.into())]).await);
            for host in 0..hosts {
                let values = [("name", format!("h{host}").into()), ("inventory_id", inventory.into())];
                fixture.insert("hosts", &values).await;
            }
            for forks in [3, 20] {
                fixture.launch(Launch { inventory, forks, ..Launch::default() }).await;
            }
        }
        fixture.launch(Launch { forks: 3, ..Launch::default() }).await;
        let dispatcher = fixture.start("n1");
        fixture.expect(&["running"; 7]).await;
        let impacts = Query::select().column("task_impact").from("unified_jobs").order_by("id", Order::Asc).to_owned();
        // One more than the forks; without an inventory the number of hosts is not known.
        assert_eq!(fixture.database.read_as::<i64>(&impacts).await.unwrap(), [1, 1, 2, 2, 4, 10, 4]);
        dispatcher.stop().await;
    });
}

fn limits_of_a_group_are_kept(backend: Backend) {
    on(backend, async |fixture| {
        fixture.change("instance_groups", fixture.group, "max_concurrent_jobs", 2).await;
        let mut jobs = vec![];
        for _ in 0..4 {
            jobs.push(fixture.launch(Launch::default()).await);
        }
        let dispatcher = fixture.start("n1");
        fixture.expect(&["running", "running", "pending", "pending"]).await;
        fixture.change("instance_groups", fixture.group, "max_concurrent_jobs", 3).await;
        dispatcher.queue.wake();
        fixture.expect(&["running", "running", "running", "pending"]).await;
        dispatcher.stop().await;
    });
}

fn groups_are_taken_in_their_order(backend: Backend) {
    on(backend, async |fixture| {
        let node = fixture.add_node("n2").await;
        let preferred = fixture.insert("instance_groups", &[("name", "fast".into())]).await;
        fixture
            .insert(
                "instance_group_instances",
                &[("instance_group_id", preferred.into()), ("instance_id", node.into())],
            )
            .await;
        let template = fixture.template(&[]).await;
        for group in [preferred, fixture.group] {
            let values = [("unified_job_template_id", template.into()), ("instance_group_id", group.into())];
            fixture.insert("unified_job_template_instance_groups", &values).await;
        }
        // n2 has not said yet how much it can run.
        let launch = Launch { template: Some(template), simultaneous: true, ..Launch::default() };
        let first = fixture.launch(launch).await;
        let one = fixture.start("n1");
        fixture.expect(&["running"]).await;
        assert_eq!(fixture.texts("execution_node").await, ["n1"]);
        fixture.change("instances", node, "capacity", 100).await;
        let second = fixture.launch(launch).await;
        one.queue.wake();
        fixture.expect(&["running", "waiting"]).await;
        assert_eq!(fixture.texts("execution_node").await, ["n1", "n2"]);
        // The node has waited for nothing but the job: it starts it.
        one.stop().await;
        let two = fixture.start("n2");
        fixture.expect(&["running", "running"]).await;
        let started = fixture.script.started.lock().unwrap().clone();
        let expected = [(first, "n1"), (second, "n2")];
        assert_eq!(started.iter().map(|started| (started.job, started.node)).collect::<Vec<_>>(), expected);
        two.stop().await;
    });
}

fn group_without_nodes_is_explained(backend: Backend) {
    on(backend, async |fixture| {
        let empty = fixture.insert("instance_groups", &[("name", "empty".into())]).await;
        let job = fixture.launch(Launch::default()).await;
        let values = [("unified_job_id", job.into()), ("instance_group_id", empty.into())];
        fixture.insert("unified_job_instance_groups", &values).await;
        let dispatcher = fixture.start("n1");
        fixture
            .wait_until("the job says why it waits", async || {
                fixture.explanation(job).await.contains("no instance of its instance groups is available")
            })
            .await;
        fixture
            .insert("instance_group_instances", &[("instance_group_id", empty.into()), ("instance_id", 1.into())])
            .await;
        fixture.expect(&["running"]).await;
        dispatcher.stop().await;
    });
}

fn rests_are_removed_before_the_first_job(backend: Backend) {
    on(backend, async |fixture| {
        fixture.launch(Launch::default()).await;
        let often = DispatcherOptions { heartbeat: Duration::from_millis(20), ..options() };
        let dispatcher = fixture.start_with("n1", often);
        fixture.expect(&["running"]).await;
        assert_eq!(*fixture.script.clean_ups.lock().unwrap(), [0, 0], "the first attempt fails");
        fixture.wait_until("files are removed again", async || *fixture.script.removals.lock().unwrap() > 1).await;
        dispatcher.stop().await;
    });
}

fn running_jobs_are_adopted_after_a_restart(backend: Backend) {
    on(backend, async |fixture| {
        let (first, second) = (fixture.launch(Launch::default()).await, fixture.launch(Launch::default()).await);
        let dispatcher = fixture.start("n1");
        fixture.expect(&["running", "running"]).await;
        dispatcher.stop().await;
        fixture.expect(&["running", "running"]).await;
        fixture.act(first, Act::End(Status::Successful));
        fixture.act(second, Act::Fail);
        let dispatcher = fixture.start("n1");
        fixture.expect(&["successful", "error"]).await;
        let mut started = fixture.script.started.lock().unwrap().split_off(2);
        // Both start at the same time.
        started.sort_by_key(|started| started.job);
        let adopted = [first, second].map(|job| Started { job, node: "n1", adopted: true });
        assert_eq!(started, adopted);
        dispatcher.stop().await;
    });
}

fn running_jobs_are_adopted_after_a_crash(backend: Backend) {
    on(backend, async |fixture| {
        let template = fixture.template(&[]).await;
        let launch = Launch { template: Some(template), ..Launch::default() };
        let (first, _second) = (fixture.launch(launch).await, fixture.launch(launch).await);
        let dispatcher = fixture.start("n1");
        fixture.expect(&["running", "pending"]).await;
        dispatcher.kill().await;
        // As if the process had died after it had claimed the job, and before it had started it.
        fixture.change("unified_jobs", first, "status", "waiting").await;
        let dispatcher = fixture.start("n1");
        fixture.expect(&["running", "pending"]).await;
        assert!(fixture.script.started.lock().unwrap()[1].adopted);
        fixture.act(first, Act::End(Status::Successful));
        fixture.expect(&["successful", "running"]).await;
        dispatcher.stop().await;
    });
}

fn many_jobs_of_many_templates_all_run_once(backend: Backend) {
    const JOBS: usize = 300;
    on(backend, async |fixture| {
        *fixture.script.otherwise.lock().unwrap() = Some(Act::End(Status::Successful));
        let mut templates = vec![];
        for _ in 0..5 {
            templates.push(fixture.template(&[]).await);
        }
        for index in 0..JOBS {
            let template = templates.get(index % 7).copied();
            fixture.launch(Launch { template, ..Launch::default() }).await;
        }
        let dispatcher = fixture.start_with("n1", DispatcherOptions { batch: 10, ..options() });
        fixture.expect(&["successful"; JOBS]).await;
        let mut started = fixture.started();
        started.sort_unstable();
        started.dedup();
        assert_eq!((started.len(), fixture.started().len()), (JOBS, JOBS));
        dispatcher.stop().await;
    });
}
