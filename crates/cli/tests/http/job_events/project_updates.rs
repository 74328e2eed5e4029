//! The events and the output of project updates.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use super::{Fixture, insert, results, sample_events};

on_each_backend!(
    events_of_an_update_are_listed,
    events_of_an_update_are_searched,
    output_of_an_update_is_shown,
    access_follows_the_project,
);

/// A finished update of a project of the organization. Returns its path and its id.
fn update(fixture: &Fixture) -> (String, i64) {
    let project = json!({"name": "source", "organization": fixture.organization});
    let project = fixture.admin.create("/api/v2/projects/", project);
    let update = fixture.in_transaction(async |tx| {
        let values = [
            ("name", "source".into()),
            ("type", "project_update".into()),
            ("organization_id", fixture.organization.into()),
            ("unified_job_template_id", project.into()),
            ("updated_project_id", project.into()),
        ];
        insert(tx, "unified_jobs", &values).await
    });
    fixture.write(update, &sample_events());
    fixture.finish(update);
    (format!("/api/v2/project_updates/{update}/"), update)
}

fn events_of_an_update_are_listed(backend: Backend) {
    let fixture = Fixture::start(backend);
    let (path, id) = update(&fixture);
    let shown = fixture.admin.get(&path).expect(200).json();
    let list = shown["related"]["events"].as_str().expect("a path");
    let list = fixture.admin.get(&format!("{list}?order_by=counter")).expect(200).json();
    assert_eq!(list["count"], 10);
    let event = &results(&list)[4];
    assert_eq!(event["type"], "project_update_event");
    // As in AWX, the events of updates have no URL.
    assert_eq!(event["url"], "");
    assert_eq!(event["related"], json!({"project_update": path}));
    let summary = json!({"id": id, "name": "source", "description": "", "status": "successful", "failed": false});
    assert_eq!(event["summary_fields"], json!({"project_update": summary, "role": {}}));
    let expected = json!({
        "project_update": id, "event": "runner_on_ok", "counter": 5, "event_display": "Host OK", "event_level": 3,
        "failed": false, "changed": true, "uuid": "uuid5", "host_name": "one", "play": "web", "task": "copy",
        "start_line": 5, "end_line": 6, "stdout": "\u{1b}[0;33mchanged: [one]\u{1b}[0m",
    });
    for (key, value) in expected.as_object().expect("an object") {
        assert_eq!(event[key], *value, "{key}");
    }
    for absent in ["job", "host", "parent_uuid"] {
        assert!(event.get(absent).is_none(), "{absent}");
    }
    // They are no events of jobs.
    fixture.admin.get(&format!("/api/v2/job_events/{}/", (id << 24) + 5)).expect(404);
    fixture.admin.get(&format!("/api/v2/project_update_events/{}/", (fixture.job << 24) + 5)).expect(404);
    fixture.admin.get("/api/v2/project_update_events/").expect(404);
    fixture.admin.post(&format!("{path}events/"), json!({})).expect(405);
    fixture.admin.delete(&path).expect(204);
    fixture.admin.get(&format!("/api/v2/project_update_events/{}/", (id << 24) + 5)).expect(404);
}

fn events_of_an_update_are_searched(backend: Backend) {
    let fixture = Fixture::without_events(backend);
    let (path, _) = update(&fixture);
    for (query, count) in [
        ("?event__startswith=runner", 4),
        ("?task=copy", 3),
        ("?stdout__icontains=UNREACHABLE", 1),
        ("?search=changed", 1),
        ("?changed=true", 3),
        ("?project_update__name=other", 0),
    ] {
        let list = fixture.admin.get(&format!("{path}events/{query}")).expect(200).json();
        assert_eq!(list["count"], count, "{query}");
    }
    fixture.admin.get(&format!("{path}events/?host_name=one")).expect(400);
}

fn output_of_an_update_is_shown(backend: Backend) {
    let fixture = Fixture::without_events(backend);
    let (path, id) = update(&fixture);
    let text = fixture.admin.get(&format!("{path}stdout/?format=txt")).expect(200).text();
    assert!(text.starts_with("Using /etc/ansible.cfg\n\nPLAY [all]\n"), "{text}");
    let lines = fixture.admin.get(&format!("{path}stdout/?format=json&start_line=2&end_line=3")).expect(200).json();
    let expected = json!({"range": {"start": 2, "end": 3, "absolute_end": 13}, "content": "PLAY [all]\n"});
    assert_eq!(lines, expected);
    let file = fixture.admin.get(&format!("{path}stdout/?format=txt_download")).expect(200);
    let disposition = format!("attachment; filename=\"project_update_{id}.txt\"");
    assert_eq!(file.header("content-disposition"), Some(disposition));
}

fn access_follows_the_project(backend: Backend) {
    let fixture = Fixture::without_events(backend);
    let (path, id) = update(&fixture);
    let stranger = fixture.server.user("stranger").client;
    let boss = fixture.server.user("boss");
    fixture.server.add_admin(fixture.organization, &boss);
    let event = format!("/api/v2/project_update_events/{}/", (id << 24) + 1);
    for path in [format!("{path}events/"), format!("{path}stdout/"), event] {
        stranger.get(&path).expect(403);
        boss.client.get(&path).expect(200);
        fixture.server.anonymous().get(&path).expect(401);
    }
}
