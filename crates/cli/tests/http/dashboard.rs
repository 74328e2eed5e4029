//! `dashboard/` and its graph of jobs.

use hostler_testkit::{Backend, TestServer, on_each_backend};
use serde_json::{Value, json};

on_each_backend!(dashboard_counts_what_the_actor_sees, graph_counts_jobs_by_day_and_status);

const DASHBOARD: &str = "/api/v2/dashboard/";
const GRAPH: &str = "/api/v2/dashboard/graphs/jobs/";

fn start(backend: Backend) -> TestServer {
    TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend)
}

fn dashboard_counts_what_the_actor_sees(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let home = server.organization("home");
    let inventory = admin.create("/api/v2/inventories/", json!({"name": "i", "organization": home}));
    for name in ["a", "b"] {
        admin.create("/api/v2/hosts/", json!({"name": name, "inventory": inventory}));
    }
    let project = json!({
        "name": "p", "organization": home, "scm_type": "git", "scm_url": "https://127.0.0.1:9/x",
    });
    admin.create("/api/v2/projects/", project);
    let person = server.user("person");
    let shown = admin.get(DASHBOARD).expect(200);
    let statements = shown.queries();
    let shown = shown.json();
    assert_eq!(shown["hosts"]["total"], 2);
    assert_eq!((&shown["inventories"]["total"], &shown["organizations"]["total"]), (&json!(1), &json!(1)));
    assert_eq!((&shown["scm_types"]["git"]["total"], &shown["scm_types"]["svn"]["total"]), (&json!(1), &json!(0)));
    assert_eq!(shown["users"]["total"], 2);
    let seen = person.client.get(DASHBOARD).expect(200).json();
    for kind in ["hosts", "inventories", "groups", "projects", "organizations", "teams", "credentials", "job_templates"]
    {
        assert_eq!(seen[kind]["total"], 0, "{kind}");
    }
    for name in ["c", "d", "e"] {
        admin.create("/api/v2/hosts/", json!({"name": name, "inventory": inventory}));
    }
    assert_eq!(admin.get(DASHBOARD).expect(200).queries(), statements);
    server.anonymous().get(DASHBOARD).expect(401);
}

fn graph_counts_jobs_by_day_and_status(backend: Backend) {
    let server = start(backend);
    server.let_jobs_wait();
    let admin = server.as_admin();
    let graph = |query: &str| admin.get(&format!("{GRAPH}{query}")).expect(200).json()["jobs"].clone();
    let points = |graph: &Value, status: &str| graph[status].as_array().expect("points").clone();
    let total = |query: &str, status: &str| -> i64 {
        points(&graph(query), status).iter().map(|point| point[1].as_i64().expect("a number")).sum()
    };
    for (query, days) in [("?period=day", 2), ("?period=week", 8), ("?period=two_weeks", 15)] {
        assert_eq!(points(&graph(query), "failed").len(), days, "{query}");
    }
    let home = server.organization("home");
    let inventory = admin.create("/api/v2/inventories/", json!({"name": "i", "organization": home}));
    let project = json!({"name": "p", "organization": home, "scm_type": "git", "scm_url": "https://127.0.0.1:9/x"});
    let project = admin.create("/api/v2/projects/", project);
    let template = json!({"name": "t", "project": project, "inventory": inventory, "playbook": "a.yml", "allow_simultaneous": true});
    let template = admin.create("/api/v2/job_templates/", template);
    let job = admin.create(&format!("/api/v2/job_templates/{template}/launch/"), json!({}));
    admin.post(&format!("/api/v2/jobs/{job}/cancel/"), json!({})).expect(202);
    assert_eq!(total("?job_type=playbook_run", "canceled"), 1);
    assert_eq!(total("?job_type=scm_update", "canceled"), 0);
    let person = server.user("person");
    let seen = person.client.get(GRAPH).expect(200).json();
    assert!(points(&seen["jobs"], "canceled").iter().all(|point| point[1] == 0), "{seen}");
    let last = points(&graph(""), "successful").last().cloned().expect("today");
    assert!(last[0].is_f64() && last[0].as_f64().is_some_and(|day| day % 86_400.0 == 0.0), "{last}");
    let refused = admin.get(&format!("{GRAPH}?period=decade")).expect(400).json();
    assert_eq!(refused, json!({"error": "Unknown period \"decade\""}));
}
