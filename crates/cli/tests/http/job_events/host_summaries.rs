//! Summaries of hosts.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use super::Fixture;

on_each_backend!(summaries_are_listed, summaries_filter, summaries_cannot_be_changed);

fn summaries_are_listed(backend: Backend) {
    let fixture = Fixture::start(backend);
    let path = format!("/api/v2/jobs/{}/job_host_summaries/?order_by=host_name", fixture.job);
    let list = fixture.admin.get(&path).expect(200).json();
    assert_eq!(list["count"], 2);
    let one = &list["results"][0];
    let expected = json!({
        "type": "job_host_summary", "job": fixture.job, "host": fixture.host("one"), "host_name": "one", "ok": 1,
        "changed": 1, "failures": 1, "dark": 0, "processed": 1, "skipped": 0, "failed": true, "ignored": 0, "rescued": 0,
        "constructed_host": null,
    });
    for (key, value) in expected.as_object().expect("an object") {
        assert_eq!(one[key], *value, "{key}");
    }
    assert_eq!(one["summary_fields"]["host"]["name"], "one");
    assert_eq!(one["summary_fields"]["job"]["name"], "deploy");
    let detail = fixture.admin.get(one["url"].as_str().expect("a path")).expect(200).json();
    assert_eq!(detail, *one);
    let host = format!("/api/v2/hosts/{}/job_host_summaries/", fixture.host("two"));
    let of_host = fixture.admin.get(&host).expect(200).json();
    assert_eq!((&of_host["count"], &of_host["results"][0]["dark"]), (&json!(1), &json!(1)));
}

fn summaries_filter(backend: Backend) {
    let fixture = Fixture::start(backend);
    for (query, expected) in [
        ("failed=true", 2),
        ("dark__gt=0", 1),
        ("host_name=one", 1),
        ("host__name=two", 1),
        ("search=one", 1),
        ("changed__gte=2", 0),
    ] {
        let path = format!("/api/v2/jobs/{}/job_host_summaries/?{query}", fixture.job);
        assert_eq!(fixture.admin.get(&path).expect(200).json()["count"], expected, "{query}");
    }
    fixture.admin.get(&format!("/api/v2/jobs/{}/job_host_summaries/?failures=x", fixture.job)).expect(400);
}

fn summaries_cannot_be_changed(backend: Backend) {
    let fixture = Fixture::start(backend);
    let path = format!("/api/v2/jobs/{}/job_host_summaries/", fixture.job);
    let summary = fixture.admin.get(&path).expect(200).json()["results"][0]["url"].clone();
    let summary = summary.as_str().expect("a path");
    fixture.admin.delete(summary).expect(405);
    fixture.admin.patch(summary, json!({"ok": 5})).expect(405);
    fixture.admin.post(&path, json!({})).expect(405);
}
