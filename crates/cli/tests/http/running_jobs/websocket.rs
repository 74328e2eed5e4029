//! What WebSockets say about running jobs.

use std::collections::BTreeMap;

use hostler_testkit::{Backend, PASSWORD, TestServer, Websocket, backends, on_each_backend, skip};
use serde_json::{Value, json};

use super::{BINARY, Jobs};
use crate::websocket::basic;

on_each_backend!(
    job_is_followed_to_its_end,
    events_are_those_of_the_list,
    client_resumes_on_a_restarted_server,
    client_that_does_not_read_delays_nobody,
    messages_are_for_those_who_see_the_job,
    canceled_job_has_no_summary,
);

/// Writes events before and after the test creates the file `go`, and the statistics.
const SCRIPT: &str = "
event('playbook_on_start', playbook='site.yml')
event('playbook_on_play_start', 'PLAY [all]\\n', play='all', uuid='p')
report('ready')
wait_for('go')
for number in range(300): event('runner_on_ok', f'ok: [{number}] \\u00e9\\n', host='one', task='a', changed=number % 7 == 0)
event('playbook_on_stats', 'PLAY RECAP\\n', ok={'one': 300})
";

fn is_end(message: &Value) -> bool {
    message["finished"].is_string()
}

/// The events among these messages.
fn events(messages: &[Value]) -> Vec<Value> {
    messages.iter().filter(|message| message["group_name"] == "job_events").cloned().collect()
}

fn counters(messages: &[Value]) -> Vec<i64> {
    events(messages).iter().filter_map(|event| event["counter"].as_i64()).collect()
}

/// The messages of the socket until the job has ended and its last event is here.
fn whole(socket: &mut Websocket) -> Vec<Value> {
    let mut messages = socket.read_until(is_end);
    let summary = messages.iter().find_map(|message| message["final_counter"].as_i64()).expect("a summary");
    if counters(&messages).last() != Some(&summary) {
        messages.extend(socket.read_until(|message| message["counter"] == summary));
    }
    messages
}

fn job_is_followed_to_its_end(backend: Backend) {
    let jobs = Jobs::start(backend, SCRIPT);
    let mut socket = jobs.server.websocket(&jobs.authorization());
    let groups = json!({"jobs": ["status_changed", "summary"]});
    socket.subscribe(groups);
    let job = jobs.launch();
    jobs.reported(job, "ready");
    let groups = json!({"jobs": ["status_changed", "summary"], "job_events": [job]});
    let mut messages = socket.read_until(|message| message["status"] == "running");
    socket.ask(groups, json!({job.to_string(): 0}));
    jobs.go(job);
    messages.extend(whole(&mut socket));

    let of_jobs: Vec<&Value> = messages.iter().filter(|message| message["group_name"] == "jobs").collect();
    let started = |status: &str| {
        json!({"group_name": "jobs", "type": "job", "unified_job_id": job, "unified_job_template_id": jobs.template,
               "status": status})
    };
    let (mut running, mut ended) = (started("running"), started("successful"));
    let shown = jobs.job(job);
    running["instance_group_name"] = shown["summary_fields"]["instance_group"]["name"].clone();
    ended["finished"] = shown["finished"].clone();
    let last = json!({"group_name": "jobs", "unified_job_id": job, "final_counter": 303});
    assert_eq!(of_jobs, [&started("pending"), &running, &last, &ended]);
    assert_eq!(counters(&messages), (1..=303).collect::<Vec<_>>());
}

fn events_are_those_of_the_list(backend: Backend) {
    let jobs = Jobs::start(backend, SCRIPT);
    let job = jobs.run()["id"].as_i64().expect("an id");
    let mut socket = jobs.server.websocket(&jobs.authorization());
    socket.ask(json!({"job_events": [job]}), json!({job.to_string(): 0}));
    let messages = socket.read_until(|message| message["counter"] == 303);
    let list = format!("/api/v2/jobs/{job}/job_events/?order_by=counter&page_size=200");
    let admin = jobs.server.as_admin();
    let mut listed: Vec<Value> = admin.get(&list).expect(200).json()["results"].as_array().expect("events").clone();
    let second = admin.get(&format!("{list}&page=2")).expect(200).json();
    listed.extend(second["results"].as_array().expect("events").clone());
    let events = events(&messages);
    assert_eq!(events.len(), listed.len());
    for (event, listed) in events.iter().zip(&listed) {
        let keys = [
            "id",
            "job",
            "counter",
            "uuid",
            "parent_uuid",
            "event",
            "event_level",
            "event_data",
            "stdout",
            "start_line",
            "end_line",
            "play",
            "task",
            "role",
            "failed",
            "changed",
        ];
        for key in keys {
            assert_eq!(event[key], listed[key], "{key} of {event}");
        }
        assert_eq!(format!("{}/", event["url"].as_str().expect("a path")), listed["url"].as_str().expect("a path"));
        let created = event["created"].as_str().expect("a time");
        assert!(created.ends_with("+00:00") && created.len() == 32, "{created}");
        assert_eq!(event["created"], event["modified"]);
    }
}

fn client_resumes_on_a_restarted_server(backend: Backend) {
    let mut jobs = Jobs::start(backend, SCRIPT);
    let job = jobs.launch();
    jobs.reported(job, "ready");
    let mut socket = jobs.server.websocket(&jobs.authorization());
    socket.ask(json!({"job_events": [job]}), json!({job.to_string(): 0}));
    let mut known = counters(&socket.read_until(|message| message["counter"] == 2));
    jobs.server.kill9();
    jobs.go(job);
    jobs.server.restart();
    let mut socket = jobs.server.websocket(&jobs.authorization());
    let last = known.last().expect("an event").to_string();
    let resume = json!({job.to_string(): last.parse::<i64>().expect("a number")});
    socket.ask(json!({"job_events": [job]}), resume);
    known.extend(counters(&socket.read_until(|message| message["counter"] == 303)));
    assert_eq!(known, (1..=303).collect::<Vec<_>>());
}

/// Much output.
const LOUD: &str = "
report('ready')
wait_for('go')
for number in range(4000): event('runner_on_ok', 'x' * 4000 + '\\n', host='one')
event('playbook_on_stats', 'PLAY RECAP\\n', ok={'one': 1})
";

fn client_that_does_not_read_delays_nobody(backend: Backend) {
    let jobs = Jobs::start(backend, LOUD);
    let job = jobs.launch();
    jobs.reported(job, "ready");
    let groups = json!({"job_events": [job], "jobs": ["status_changed", "summary"]});
    let mut sockets: Vec<Websocket> = (0..5).map(|_| jobs.server.websocket(&jobs.authorization())).collect();
    for socket in &mut sockets {
        socket.subscribe(groups.clone());
    }
    jobs.go(job);
    // The others read nothing.
    let mut socket = sockets.pop().expect("a socket");
    assert_eq!(counters(&whole(&mut socket)), (1..=4001).collect::<Vec<_>>());
    assert_eq!(jobs.ended(job)["status"], "successful");
    // One that begins late gets the same.
    let mut socket = sockets.pop().expect("a socket");
    assert_eq!(counters(&whole(&mut socket)), (1..=4001).collect::<Vec<_>>());
}

fn messages_are_for_those_who_see_the_job(backend: Backend) {
    let jobs = Jobs::start(backend, SCRIPT);
    let ann = jobs.server.user("ann");
    jobs.server.user("bob");
    let roles = jobs.shown_template()["summary_fields"]["object_roles"].clone();
    let grant = format!("/api/v2/users/{}/roles/", ann.id);
    jobs.server.as_admin().post(&grant, json!({"id": roles["read_role"]["id"]})).expect(204);
    let mut of_ann = jobs.server.websocket(&basic("ann", PASSWORD));
    let mut of_bob = jobs.server.websocket(&basic("bob", PASSWORD));
    let groups = json!({"jobs": ["status_changed", "summary"]});
    of_ann.subscribe(groups.clone());
    of_bob.subscribe(groups);
    let job = jobs.launch();
    jobs.reported(job, "ready");
    let denied = |id: i64| json!({"error": format!("access denied to channel job_events for resource id {id}")});
    // The same for a job that he must not see and one that does not exist.
    for id in [job, job + 1000] {
        assert_eq!(of_bob.subscribe(json!({"job_events": [id]})), denied(id));
        of_bob.read();
    }
    let mut statuses = of_ann.read_until(|message| message["status"] == "running");
    of_ann.ask(json!({"job_events": [job], "jobs": ["status_changed", "summary"]}), json!({}));
    // The right is lost while the job runs.
    statuses.extend(of_ann.read_until(|message| message["groups_current"].is_array()));
    let revoke = json!({"id": roles["read_role"]["id"], "disassociate": true});
    jobs.server.as_admin().post(&grant, revoke).expect(204);
    let messages = of_ann.read_until(|message| message["error"].is_string());
    assert_eq!(messages.last(), Some(&denied(job)));
    jobs.go(job);
    jobs.ended(job);
    for socket in [&mut of_ann, &mut of_bob] {
        socket.ask(json!({}), json!({}));
        let rest = socket.read_until(|message| message["groups_current"].is_array());
        assert_eq!(rest.len(), 1, "{rest:?}");
    }
}

fn canceled_job_has_no_summary(backend: Backend) {
    let jobs = Jobs::start(backend, SCRIPT);
    let mut socket = jobs.server.websocket(&jobs.authorization());
    socket.subscribe(json!({"jobs": ["status_changed", "summary"]}));
    let job = jobs.launch();
    jobs.reported(job, "ready");
    jobs.cancel(job);
    let messages = socket.read_until(is_end);
    let statuses: Vec<&Value> = messages.iter().map(|message| &message["status"]).collect();
    assert_eq!(statuses, ["pending", "running", "canceled"]);
}

/// The socket is on another server than the job.
#[test]
fn other_server_sends_the_same() {
    if !backends().contains(&Backend::Postgres) {
        skip::skip("there is no PostgreSQL");
        return;
    }
    let jobs = Jobs::on(TestServer::stopped(BINARY, Backend::Postgres), SCRIPT);
    let other = jobs.server.start_second();
    let mut sockets = [jobs.server.websocket(&jobs.authorization()), other.websocket(&jobs.authorization())];
    for socket in &mut sockets {
        socket.subscribe(json!({"jobs": ["status_changed", "summary"]}));
    }
    let job = jobs.launch();
    // Either server may run it.
    let [mut one, mut two] = sockets.map(|mut socket| {
        let mut messages = socket.read_until(|message| message["status"] == "running");
        socket.ask(json!({"jobs": ["status_changed", "summary"], "job_events": [job]}), json!({job.to_string(): 0}));
        messages.extend(socket.read_until(|message| message["counter"] == 2));
        (socket, messages)
    });
    for folder in [jobs.server.data(), other.data()] {
        let workspace = folder.join("jobs").join(job.to_string()).join("workspace");
        if workspace.exists() {
            std::fs::write(workspace.join("go"), "").expect("a file");
        }
    }
    let mut of_both: Vec<BTreeMap<String, usize>> = vec![];
    for (socket, messages) in [&mut one, &mut two] {
        messages.extend(whole(socket));
        assert_eq!(counters(messages), (1..=303).collect::<Vec<_>>());
        let mut counts = BTreeMap::new();
        for message in messages.iter().filter(|message| message["group_name"] == "jobs") {
            *counts.entry(message.to_string()).or_default() += 1;
        }
        of_both.push(counts);
    }
    assert_eq!(of_both[0], of_both[1]);
    assert_eq!(of_both[0].len(), 4);
}
