//! The output of jobs.

use hostler_testkit::{Backend, Response, on_each_backend};
use serde_json::json;

use super::{Events, Fixture};

on_each_backend!(
    output_has_several_formats,
    ranges_of_lines_are_read,
    html_is_escaped,
    large_output_is_downloaded,
    output_without_end_is_shown,
    invalid_parameters_are_refused,
);

const TEXT: &str = "Using /etc/ansible.cfg\n\nPLAY [all]\n\nTASK [copy]\nchanged: [one]\nok: [two]\n\nTASK [try]\n\
                    fatal: [one]: b<r>oke & 'x'\nfatal: [two]: UNREACHABLE\n\nPLAY RECAP\n";

fn stdout(fixture: &Fixture, query: &str) -> Response {
    fixture.admin.get(&format!("/api/v2/jobs/{}/stdout/{query}", fixture.job))
}

fn output_has_several_formats(backend: Backend) {
    let fixture = Fixture::start(backend);
    assert_eq!(stdout(&fixture, "?format=txt").expect(200).text(), TEXT);
    let ansi = stdout(&fixture, "?format=ansi").expect(200).text();
    assert_eq!(ansi.replace("\u{1b}[0;33m", "").replace("\u{1b}[0m", "").lines().nth(5), Some("changed: [one]"));
    let whole = stdout(&fixture, "").expect(200).json();
    assert_eq!(whole, json!({"range": {"start": 0, "end": 13, "absolute_end": 13}, "content": ansi}));
    for (format, expected, name) in [("txt_download", TEXT, ""), ("ansi_download", ansi.as_str(), ".ansi")] {
        let file = stdout(&fixture, &format!("?format={format}")).expect(200);
        assert_eq!(file.text(), expected);
        let disposition = format!("attachment; filename=\"job_{}{name}.txt\"", fixture.job);
        assert_eq!(file.header("content-disposition"), Some(disposition));
        assert_eq!(file.header("content-type").as_deref(), Some("text/plain; charset=utf-8"));
    }
    stdout(&fixture, "?format=xml").expect(404);
    let accepted = fixture.admin.request("GET", &format!("/api/v2/jobs/{}/stdout/", fixture.job));
    assert_eq!(accepted.header("Accept", "text/plain").send().expect(200).text(), TEXT);
    fixture.admin.post(&format!("/api/v2/jobs/{}/stdout/", fixture.job), json!({})).expect(405);
}

fn ranges_of_lines_are_read(backend: Backend) {
    let fixture = Fixture::start(backend);
    for (query, start, end, content) in [
        ("start_line=2&end_line=4", 2, 4, "PLAY [all]\n\n"),
        ("start_line=12", 12, 13, "PLAY RECAP\n"),
        ("start_line=-1", 12, 13, "PLAY RECAP\n"),
        ("start_line=-2&end_line=-1", 11, 12, "\n"),
        ("end_line=1", 0, 1, "Using /etc/ansible.cfg\n"),
        ("start_line=3&end_line=3", 3, 3, ""),
        ("start_line=10&end_line=5", 10, 5, ""),
        ("start_line=10000", 10_000, 13, ""),
        ("start_line=-10000&end_line=1", 0, 1, "Using /etc/ansible.cfg\n"),
        ("end_line=1&content_encoding=base64", 0, 1, "VXNpbmcgL2V0Yy9hbnNpYmxlLmNmZwo="),
        ("end_line=1&content_encoding=rot13", 0, 1, "Using /etc/ansible.cfg\n"),
    ] {
        let expected = json!({"range": {"start": start, "end": end, "absolute_end": 13}, "content": content});
        assert_eq!(stdout(&fixture, &format!("?format=json&{query}")).expect(200).json(), expected, "{query}");
    }
}

fn html_is_escaped(backend: Backend) {
    let fixture = Fixture::start(backend);
    let line = "<span class=\"ansi31\">fatal: [one]: b&lt;r&gt;oke &amp; &#39;x&#39;</span>\n";
    let page = stdout(&fixture, "?format=html").expect(200);
    assert!(page.text().contains(line) && page.text().starts_with("<!DOCTYPE html>"), "{}", page.text());
    assert_eq!(page.header("content-type").as_deref(), Some("text/html; charset=utf-8"));
    let policy = page.header("content-security-policy").unwrap_or_default();
    assert!(policy.contains("default-src 'none'") && policy.contains("sandbox"), "{policy}");
    let light = stdout(&fixture, "?format=html&dark=false").expect(200).text();
    assert_ne!(light, page.text());
    let block = stdout(&fixture, "?format=html&content_only=1&start_line=9&end_line=10").expect(200).text();
    assert_eq!(block, format!("<pre class=\"ansi_back\">{line}</pre>"));
    let content = stdout(&fixture, "?format=json&content_format=html&start_line=9&end_line=10").expect(200).json();
    assert_eq!(content["content"], line);
}

fn large_output_is_downloaded(backend: Backend) {
    let fixture = Fixture::without_events(backend);
    let mut events = Events::default();
    for number in 0..1500 {
        events.add("verbose", "", "", &format!("line {number} {}", "x".repeat(1000)), json!({}));
    }
    fixture.write(fixture.job, &events.0);
    let sentence = |text: &str| {
        text.starts_with("Standard Output too large to display (")
            && text.ends_with(" bytes), only download supported for sizes over 1048576 bytes.")
    };
    let refused = stdout(&fixture, "?format=json").expect(200).json();
    assert_eq!(refused["range"], json!({"start": 0, "end": 1, "absolute_end": 1}));
    assert!(sentence(refused["content"].as_str().unwrap_or_default()), "{refused}");
    assert!(sentence(&stdout(&fixture, "?format=txt").expect(200).text()));
    let range = stdout(&fixture, "?format=json&start_line=1200&end_line=1201").expect(200).json();
    assert!(range["content"].as_str().is_some_and(|text| text.starts_with("line 1200 ")), "{range}");
    assert_eq!(range["range"]["absolute_end"], 1500);
    let file = stdout(&fixture, "?format=txt_download").expect(200).text();
    assert_eq!(file.lines().count(), 1500);
    assert!(file.len() > 1_500_000 && file.ends_with("x\n"));
}

fn output_without_end_is_shown(backend: Backend) {
    let fixture = Fixture::without_events(backend);
    let empty = stdout(&fixture, "").expect(200).json();
    assert_eq!(empty, json!({"range": {"start": 0, "end": 0, "absolute_end": 0}, "content": ""}));
    assert_eq!(stdout(&fixture, "?format=txt_download").expect(200).text(), "");
    let event = json!({
        "event": "verbose", "uuid": "u", "counter": 1, "stdout": "first\nwaiting ...", "start_line": 0, "end_line": 1,
        "created": "2030-01-01T00:00:00Z", "event_data": {},
    });
    let parts = [("first", 0, 1), ("waiting ...", 1, 1)];
    let events: Vec<_> = parts
        .iter()
        .zip(1..)
        .map(|((text, start, end), counter)| {
            let mut event = event.clone();
            event["stdout"] = json!(text);
            (event["counter"], event["start_line"], event["end_line"]) = (json!(counter), json!(start), json!(end));
            event
        })
        .collect();
    fixture.write(fixture.job, &events);
    let shown = stdout(&fixture, "").expect(200).json();
    let expected = json!({"range": {"start": 0, "end": 2, "absolute_end": 2}, "content": "first\nwaiting ..."});
    assert_eq!(shown, expected);
    assert_eq!(stdout(&fixture, "?start_line=-1").expect(200).json()["content"], "waiting ...");
}

fn invalid_parameters_are_refused(backend: Backend) {
    let fixture = Fixture::start(backend);
    let refused = stdout(&fixture, "?format=json&start_line=x").expect(400).json();
    assert!(refused.get("start_line").is_some(), "{refused}");
    stdout(&fixture, "?end_line=99999999999").expect(400);
}
