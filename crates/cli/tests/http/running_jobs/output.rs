//! Output of any size and any bytes, and what modules write into the pipe of the events.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use super::Jobs;

on_each_backend!(large_output_is_complete, any_bytes_are_shown, garbage_between_events_is_output);

fn large_output_is_complete(backend: Backend) {
    let jobs = Jobs::start(
        backend,
        "
line = 'x' * 99
for _ in range(200): print('\\n'.join([line] * 1000))
print('between')
print('é' * 4_000_000)
print('last')
",
    );
    let job = jobs.launch();
    assert_eq!(jobs.ended(job)["status"], "successful");
    let line = "x".repeat(99) + "\n";
    let expected = line.repeat(200_000) + "between\n" + &"é".repeat(4_000_000) + "\nlast\n";
    assert!(jobs.output(job) == expected.as_bytes(), "each byte once, in order");
    let admin = jobs.server.as_admin();
    for (first, expected) in [(0, line.as_str()), (100_000, &line), (200_000, "between\n"), (200_002, "last\n")] {
        let range = format!("/api/v2/jobs/{job}/stdout/?format=json&start_line={first}&end_line={}", first + 1);
        let shown = admin.get(&range).expect(200).json();
        assert_eq!(shown["content"], expected);
        assert_eq!(shown["range"], json!({"start": first, "end": first + 1, "absolute_end": 200_003}));
    }
}

fn any_bytes_are_shown(backend: Backend) {
    let jobs = Jobs::start(
        backend,
        r#"
os.write(1, b"\x1b[31mred\x1b[0m \xff\xc3 a\0b \xe2\x82\xac <b>\r\n\x1b[2K\x1b]0;title\x07x\n")
event("runner_on_ok", "\x1b[32mok\x1b[0m a\0b \udcff\n", host="one\0two", res={"stdout": "a\0b \ud83d"})
"#,
    );
    let job = jobs.launch();
    assert_eq!(jobs.ended(job)["status"], "successful");
    let shown = |format: &str| {
        jobs.server.as_admin().get(&format!("/api/v2/jobs/{job}/stdout/?format={format}")).expect(200).text()
    };
    let ansi = "\u{1b}[31mred\u{1b}[0m \u{fffd}\u{fffd} a\u{fffd}b € <b>\r\n\u{1b}[2K\u{1b}]0;title\u{7}x\n\
                \u{1b}[32mok\u{1b}[0m a\u{fffd}b \u{fffd}\n";
    assert_eq!(shown("ansi"), ansi);
    assert_eq!(shown("txt"), "red \u{fffd}\u{fffd} a\u{fffd}b € <b>\r\nx\nok a\u{fffd}b \u{fffd}\n");
    let html = shown("html");
    assert!(html.contains("<span class=\"ansi31\">red</span>") && html.contains("&lt;b&gt;"), "{html}");
    let events = jobs.server.as_admin().results(&format!("/api/v2/jobs/{job}/job_events/"));
    let result = events.iter().find(|event| event["event"] == "runner_on_ok").expect("the event");
    assert_eq!(result["host_name"], "one\u{fffd}two");
    assert_eq!(result["event_data"]["res"]["stdout"], "a\u{fffd}b \u{fffd}");
}

/// What a module could write that has found the pipe of the events.
const GARBAGE: &str = r#"
def raw(data):
    while data:
        data = data[os.write(pipe, data):]
def event_with(**changes):
    event = {"event": "runner_on_ok", "uuid": "u", "created": "2026-01-01T00:00:00+00:00", "stdout": "ok\n",
             "event_data": {}}
    event.update(changes)
    raw(json.dumps(event).encode() + b"\n")
raw(b'garbage\n{"event": "half\n\xff\xfe\n[1, 2]\n{}\nnull\n\n')
raw(b'{"event": "verbose"}\n')
# Accepted as events.
event_with(event="x" * 5000)
event_with(event="")
event_with(uuid="")
event_with(uuid="u" * 5000, parent_uuid="u" * 5000)
for created in ("", "never", "-009999-01-01T00:00:00Z", "9999-12-30T00:00:00Z", "0001-01-01T00:00:00Z"):
    event_with(created=created)
for data in ([1, 2], None, "text", 7, [[]], {"host": None}, {"host": "h" * 5000}, {"res": "r" * 800000}):
    event_with(event_data=data)
event_with(event_data={"host": 7, "task": ["x"], "res": [], "play": "p" * 100000, "role": "\0", "playbook": "\ud800"})
event_with(counter=999, start_line=-5, end_line=10 ** 12, pid=-1)
raw(b'{"event": "runner_on_ok", "uuid": "deep", "created": "", "stdout": "deep\\n", "event_data": {"res": '
    + b'[' * 100000 + b']' * 100000 + b'}}\n')
for _ in range(2):
    event_with(event="playbook_on_stats", event_data={
        "ok": {"one": "many", "h" * 5000: 1, "": 1, "a\0b": 2}, "failures": [1], "dark": None, "rescued": 3,
        "changed": {"one": -1, "two": 10 ** 30}, "artifact_data": {"a": "\0"}})
# Output.
event_with(pid="x")
event_with(event_data=float("inf"))
raw(b"y" * 3_000_000 + b"\n")
event("runner_on_ok", "at last\n", host="one")
raw(b"no end")
"#;

fn garbage_between_events_is_output(backend: Backend) {
    let jobs = Jobs::start(backend, GARBAGE);
    let admin = jobs.server.as_admin();
    admin.create("/api/v2/hosts/", json!({"name": "one", "inventory": jobs.shown_template()["inventory"]}));
    let job = jobs.launch();
    let ended = jobs.ended(job);
    assert_eq!((&ended["status"], &ended["job_explanation"]), (&json!("successful"), &json!("")), "{ended}");
    let output = String::from_utf8(jobs.output(job)).expect("UTF-8");
    assert!(output.starts_with("garbage\n{\"event\": \"half\n\u{fffd}\u{fffd}\n[1, 2]\n{}\nnull\n\n"), "{output:.200}");
    assert!(output.contains(&"y".repeat(3_000_000)) && output.ends_with("\nat last\nno end"));
    // Each of them is shown.
    let path = format!("/api/v2/jobs/{job}/");
    let events = admin.results(&format!("{path}job_events/?event__in=runner_on_ok,playbook_on_stats"));
    assert_eq!(events.len(), 21, "{events:?}");
    for event in &events {
        assert!(event["created"].as_str() >= Some("1970") && event["event_data"].is_object(), "{event}");
        admin.get(event["url"].as_str().expect("a path")).expect(200);
    }
    assert_eq!(events.last().expect("an event")["stdout"], "at last");
    for list in ["job_events/?order_by=created", "job_events/?host_name=7", "job_events/children_summary/"] {
        admin.get(&format!("{path}{list}")).expect(200);
    }
    let hosts = admin.results(&format!("{path}job_host_summaries/?host_name=one"));
    assert_eq!(hosts.len(), 1);
    assert_eq!((&hosts[0]["ok"], &hosts[0]["changed"]), (&json!(0), &json!(0)));
}
