//! Lists and details of events.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use super::{Events, Fixture, results};

on_each_backend!(
    list_and_detail_show_an_event,
    long_output_is_cut_in_lists,
    children_are_listed,
    children_are_counted,
    events_cannot_be_changed,
    events_follow_access_to_the_job,
    events_of_a_host_are_listed,
    deleted_host_leaves_its_events,
    events_of_a_running_job_are_shown,
    events_disappear_with_their_job,
);

fn list_and_detail_show_an_event(backend: Backend) {
    let fixture = Fixture::start(backend);
    let list = fixture.events("?counter=5");
    let listed = &results(&list)[0];
    let (one, job) = (fixture.host("one"), fixture.job);
    assert_eq!(listed["type"], "job_event");
    assert_eq!(listed["id"], (job << 24) + 5);
    assert_eq!(listed["related"]["job"], format!("/api/v2/jobs/{job}/"));
    assert_eq!(listed["related"]["host"], format!("/api/v2/hosts/{one}/"));
    assert_eq!(listed["summary_fields"]["job"]["name"], "deploy");
    assert_eq!(listed["summary_fields"]["job"]["type"], "job");
    assert_eq!(listed["summary_fields"]["host"]["name"], "one");
    assert_eq!(listed["summary_fields"]["role"], json!({}));
    let expected = json!({
        "job": job, "event": "runner_on_ok", "counter": 5, "event_display": "Host OK", "event_level": 3,
        "failed": false, "changed": true, "uuid": "uuid5", "parent_uuid": "task1", "host": one, "host_name": "one",
        "play": "web", "task": "copy", "role": "", "playbook": "", "start_line": 5, "end_line": 6, "verbosity": 0,
        "stdout": "\u{1b}[0;33mchanged: [one]\u{1b}[0m", "created": "2030-01-01T00:00:01.500000Z",
    });
    for (key, value) in expected.as_object().expect("an object") {
        assert_eq!(listed[key], *value, "{key}");
    }
    assert_eq!(listed["event_data"]["res"]["dest"], "/etc/motd");
    let url = listed["url"].as_str().expect("a path");
    assert_eq!(fixture.admin.get(url).expect(200).json(), *listed);
    // A task takes over what happened below it, a play does not.
    let flags: Vec<_> = results(&fixture.events("?event__in=playbook_on_play_start,playbook_on_task_start"))
        .iter()
        .map(|event| (event["failed"] == true, event["changed"] == true, event["event_display"].to_string()))
        .collect();
    let row = |failed, changed, display: &str| (failed, changed, format!("\"{display}\""));
    let expected = [
        row(false, false, "Play Started (web)"),
        row(false, true, "Task Started (copy)"),
        row(true, false, "Task Started (try)"),
    ];
    assert_eq!(flags, expected);
    // Lines end as on a terminal.
    assert_eq!(results(&fixture.events("?counter=3"))[0]["stdout"], "\r\nPLAY [all]");
}

fn long_output_is_cut_in_lists(backend: Backend) {
    let fixture = Fixture::without_events(backend);
    let mut events = Events::default();
    events.add("playbook_on_start", "", "", &"p".repeat(2000), json!({}));
    events.add("runner_on_ok", "", "", &format!("\u{1b}[0;32m{}\u{1b}[0m", "x".repeat(2000)), json!({}));
    fixture.write(fixture.job, &events.0);
    let lengths = |query: &str| -> Vec<usize> {
        results(&fixture.events(query))
            .iter()
            .map(|event| event["stdout"].as_str().map_or(0, |text| text.chars().count()))
            .collect()
    };
    assert_eq!(lengths(""), [2000, 1024 + 4]);
    assert_eq!(lengths("?no_truncate=1"), [2000, 2011]);
    let url = format!("/api/v2/job_events/{}/", (fixture.job << 24) + 2);
    let detail = fixture.admin.get(&url).expect(200).json();
    assert_eq!(detail["stdout"].as_str().map(str::len), Some(2011));
}

fn children_are_listed(backend: Backend) {
    let fixture = Fixture::start(backend);
    let children = |counter: i64| -> Vec<i64> {
        let path = format!("/api/v2/job_events/{}/children/?order_by=counter", (fixture.job << 24) + counter);
        results(&fixture.admin.get(&path).expect(200).json())
            .iter()
            .filter_map(|event| event["counter"].as_i64())
            .collect()
    };
    assert_eq!(children(2), [3, 10]);
    assert_eq!(children(3), [4, 7]);
    assert_eq!(children(4), [5, 6]);
    assert_eq!(children(5), [0; 0]);
    let failed = format!("/api/v2/job_events/{}/children/?failed=true&host_name=one", (fixture.job << 24) + 7);
    assert_eq!(fixture.admin.get(&failed).expect(200).json()["count"], 1);
}

fn children_are_counted(backend: Backend) {
    let fixture = Fixture::start(backend);
    let path = |job: i64| format!("/api/v2/jobs/{job}/job_events/children_summary/");
    let summary = fixture.admin.get(&path(fixture.job)).expect(200).json();
    assert_eq!(summary["is_tree"], true);
    assert_eq!(summary["event_processing_finished"], true);
    let expected = json!({
        "2": {"rowNumber": 1, "numChildren": 8},
        "3": {"rowNumber": 2, "numChildren": 6},
        "4": {"rowNumber": 3, "numChildren": 2},
        "7": {"rowNumber": 6, "numChildren": 2},
    });
    assert_eq!(summary["children_summary"], expected);
    let running = fixture.add_job();
    let summary = fixture.admin.get(&path(running)).expect(200).json();
    assert_eq!((&summary["event_processing_finished"], &summary["children_summary"]), (&json!(false), &json!({})));
}

fn events_cannot_be_changed(backend: Backend) {
    let fixture = Fixture::start(backend);
    let event = format!("/api/v2/job_events/{}/", (fixture.job << 24) + 5);
    fixture.admin.patch(&event, json!({"event": "x"})).expect(405);
    fixture.admin.delete(&event).expect(405);
    fixture.admin.post(&format!("/api/v2/jobs/{}/job_events/", fixture.job), json!({})).expect(405);
    for absent in ["/api/v2/job_events/", "/api/v2/job_events/7/", "/api/v2/job_host_summaries/"] {
        fixture.admin.get(absent).expect(404);
    }
    let next = format!("/api/v2/job_events/{}/", (fixture.job << 24) + 11);
    fixture.admin.get(&next).expect(404);
}

fn events_follow_access_to_the_job(backend: Backend) {
    let fixture = Fixture::start(backend);
    let stranger = fixture.server.user("stranger").client;
    let boss = fixture.server.user("boss");
    fixture.server.add_admin(fixture.organization, &boss);
    let first = (fixture.job << 24) + 1;
    let host = fixture.host("one");
    for path in [
        format!("/api/v2/job_events/{first}/"),
        format!("/api/v2/job_events/{first}/children/"),
        format!("/api/v2/jobs/{}/job_events/", fixture.job),
        format!("/api/v2/jobs/{}/job_events/children_summary/", fixture.job),
        format!("/api/v2/jobs/{}/job_host_summaries/", fixture.job),
        format!("/api/v2/jobs/{}/stdout/", fixture.job),
        format!("/api/v2/hosts/{host}/job_events/"),
    ] {
        stranger.get(&path).expect(403);
        boss.client.get(&path).expect(200);
        fixture.server.anonymous().get(&path).expect(401);
    }
    let path = format!("/api/v2/jobs/{}/job_events/?event=runner_on_ok", fixture.job);
    assert_eq!(boss.client.get(&path).expect(200).json()["count"], 2);
    let path = format!("/api/v2/hosts/{host}/job_events/");
    assert_eq!(boss.client.get(&path).expect(200).json()["count"], 2);
}

fn events_of_a_host_are_listed(backend: Backend) {
    let fixture = Fixture::start(backend);
    let other = fixture.add_job();
    fixture.write(other, &super::sample_events());
    let host = fixture.host("two");
    let list = |query: &str| fixture.admin.get(&format!("/api/v2/hosts/{host}/job_events/{query}"));
    assert_eq!(list("").expect(200).json()["count"], 4);
    let failed = list("?event=runner_on_unreachable&order_by=-id").expect(200).json();
    let jobs: Vec<_> = results(&failed).iter().map(|event| event["job"].clone()).collect();
    assert_eq!(jobs, [other, fixture.job]);
    assert_eq!(list("?task=copy&job__id=1").expect(200).json()["count"], 1);
    // Only the events of one job can be searched.
    list("?stdout__icontains=ok").expect(400);
    list("?search=ok").expect(400);
}

fn deleted_host_leaves_its_events(backend: Backend) {
    let fixture = Fixture::start(backend);
    let host = fixture.host("one");
    fixture.admin.delete(&format!("/api/v2/hosts/{host}/")).expect(204);
    let list = fixture.events("?counter=5");
    let event = &results(&list)[0];
    assert_eq!((&event["host"], &event["host_name"]), (&json!(null), &json!("one")));
    assert!(event["related"].get("host").is_none() && event["summary_fields"].get("host").is_none());
    let summaries = fixture.admin.get(&format!("/api/v2/jobs/{}/job_host_summaries/?host_name=one", fixture.job));
    assert_eq!(summaries.expect(200).json()["results"][0]["host"], json!(null));
}

fn events_of_a_running_job_are_shown(backend: Backend) {
    let fixture = Fixture::without_events(backend);
    let all = super::sample_events();
    for (index, event) in all.iter().enumerate() {
        fixture.write(fixture.job, std::slice::from_ref(event));
        let shown = fixture.events("?order_by=-counter&page_size=1");
        assert_eq!((&shown["count"], &shown["results"][0]["counter"]), (&json!(index + 1), &json!(index + 1)));
    }
    assert_eq!(fixture.counters("?order_by=counter").len(), all.len());
}

fn events_disappear_with_their_job(backend: Backend) {
    let fixture = Fixture::start(backend);
    let event = format!("/api/v2/job_events/{}/", (fixture.job << 24) + 5);
    fixture.admin.get(&event).expect(200);
    fixture.admin.delete(&format!("/api/v2/jobs/{}/", fixture.job)).expect(204);
    fixture.admin.get(&event).expect(404);
}
