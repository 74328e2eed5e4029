//! Events are written once, and come back, on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests report by panicking")]

mod fixture;

use hostler_events::{
    EventError, EventLog, EventText, Lines, NameColumn, OutputReader, counter_of, event_id, events_with, name_ids,
    output_size, read_lines, uuid_hash,
};
use hostler_testkit::{Backend, on_each_backend};
use sea_query::{Expr, ExprTrait, Order, Query};
use serde_json::{Value, json};

use crate::fixture::{event, now, on, on_job, plain, plain_events};

on_each_backend!(
    events_come_back,
    events_before_the_stored_position_are_skipped,
    rolled_back_events_are_written_again,
    gap_is_refused,
    names_and_hosts_are_found,
    failure_marks_the_event_above,
    small_batches_are_joined,
    only_neighbouring_batches_are_joined,
    lines_are_read_from_any_place,
    texts_are_found,
    statistics_become_summaries,
    any_name_of_a_host_can_be_stored,
    host_can_be_deleted_while_a_job_runs,
    passwords_in_urls_are_not_stored,
    output_is_complete_while_batches_are_joined,
    events_are_deleted_with_their_job,
    garbage_in_event_data_is_left_out,
    server_writes_events_of_its_own,
);

fn events_come_back(backend: Backend) {
    on(backend, async |fixture| {
        let mut writer = fixture.writer().await;
        fixture.append(&mut writer, &plain_events(1..=700), 70_000).await;
        let bodies = fixture.bodies(250..=270).await;
        assert_eq!(bodies.len(), 21);
        assert_eq!(bodies[0], (250, "line 250".to_owned(), json!({"number": 250})));
        assert_eq!(fixture.bodies(700..=800).await.len(), 1);
        assert_eq!(fixture.rows("end_line").await, (1..=700).collect::<Vec<_>>());
        assert_eq!(fixture.rows("uuid_hash").await[2], uuid_hash("uuid-3"));
        let job = Query::select()
            .columns(["emitted_events", "stdout_lines", "stdout_bytes", "spool_position"])
            .from("unified_jobs")
            .to_owned();
        let job: Vec<(i64, i64, i64, i64)> = fixture.database.read_as(&job).await.unwrap();
        let bytes = (1..=700).map(|counter: i64| format!("line {counter}\n").len() as i64).sum();
        assert_eq!(job, [(700, 700, bytes, 70_000)]);
        assert_eq!(output_size(&fixture.database, fixture.job).await.unwrap().bytes, bytes);
    });
}

fn events_before_the_stored_position_are_skipped(backend: Backend) {
    on(backend, async |fixture| {
        let mut writer = fixture.writer().await;
        fixture.append(&mut writer, &plain_events(1..=10), 100).await;
        let mut writer = fixture.writer().await;
        assert_eq!((writer.spool_position(), writer.counter(), writer.lines()), (100, 10, 10));
        fixture.append(&mut writer, &plain_events(5..=12), 120).await;
        assert_eq!(fixture.rows("start_line").await, (0..12).collect::<Vec<_>>());
        assert_eq!(fixture.bodies(1..=20).await.len(), 12);
    });
}

fn rolled_back_events_are_written_again(backend: Backend) {
    on(backend, async |fixture| {
        let mut writer = fixture.writer().await;
        fixture.append(&mut writer, &plain_events(1..=3), 30).await;
        let mut tx = fixture.database.begin().await.unwrap();
        writer.append(&mut tx, &plain_events(4..=6), 60).await.unwrap();
        drop(tx);
        let mut writer = fixture.writer().await;
        assert_eq!((writer.spool_position(), writer.counter()), (30, 3));
        fixture.append(&mut writer, &plain_events(4..=6), 60).await;
        assert_eq!(fixture.rows("end_line").await, [1, 2, 3, 4, 5, 6]);
    });
}

fn gap_is_refused(backend: Backend) {
    on(backend, async |fixture| {
        let mut writer = fixture.writer().await;
        let mut tx = fixture.database.begin().await.unwrap();
        let refused = writer.append(&mut tx, &[plain(1), plain(3)], 9).await.unwrap_err();
        assert!(matches!(refused, EventError::Gap { expected: 2, found: 3, .. }), "{refused}");
        drop(tx);
        let mut tx = fixture.database.begin().await.unwrap();
        let refused = fixture.writer().await.append(&mut tx, &["{\"event\": 1}"], 9).await.unwrap_err();
        assert!(matches!(refused, EventError::InvalidEvent(_)), "{refused}");
    });
}

/// Data of an event of a host.
fn of_host(host: &str, task: &str) -> Value {
    json!({"host": host, "task": task, "play": "play", "playbook": "site.yml", "res": {"changed": true}})
}

fn names_and_hosts_are_found(backend: Backend) {
    on(backend, async |fixture| {
        let mut writer = fixture.writer().await;
        let events = [
            event(1, "runner_on_ok", "a", "", of_host("one", "first")),
            event(2, "runner_on_ok", "b", "", of_host("two", "second")),
        ];
        fixture.append(&mut writer, &events, 1).await;
        // A writer that is opened again knows the names.
        let events = [event(3, "runner_on_ok", "c", "", of_host("unknown", "first"))];
        fixture.append(&mut fixture.writer().await, &events, 2).await;
        let [one, two] = fixture.hosts;
        let hosts = Query::select().column("host_id").from("job_events").order_by("id", Order::Asc).to_owned();
        let hosts: Vec<Option<i64>> = fixture.database.read_as(&hosts).await.unwrap();
        assert_eq!(hosts, [Some(one), Some(two), None]);
        let ids = name_ids(&fixture.database, fixture.job, |name| name == "first").await.unwrap();
        let tasks = fixture.rows(NameColumn::Task.column()).await;
        assert_eq!((ids.as_slice(), tasks[0], tasks[2]), (&tasks[..1], tasks[0], tasks[0]));
        let named = Query::select()
            .columns(["host_name", "play", "event", "role"])
            .from("job_events")
            .and_where(Expr::col("task").eq("first"))
            .order_by("id", Order::Asc)
            .to_owned();
        let named: Vec<(String, String, String, String)> = fixture.database.read_as(&named).await.unwrap();
        let row = |host: &str| (host.to_owned(), "play".to_owned(), "runner_on_ok".to_owned(), String::new());
        assert_eq!(named, [row("one"), row("unknown")]);
    });
}

fn failure_marks_the_event_above(backend: Backend) {
    on(backend, async |fixture| {
        let mut writer = fixture.writer().await;
        let task = |counter, uuid: &str| event(counter, "playbook_on_task_start", uuid, "p", json!({"task": uuid}));
        let events = [
            event(1, "playbook_on_start", "p", "", json!({})),
            task(2, "t1"),
            event(3, "runner_on_ok", "x", "t1", of_host("one", "t1")),
            task(4, "t2"),
        ];
        fixture.append(&mut writer, &events, 1).await;
        let ignored = json!({"host": "one", "ignore_errors": true});
        let events = [
            event(5, "runner_on_failed", "y", "t2", ignored),
            event(6, "runner_on_failed", "z", "t2", json!({"host": "two"})),
        ];
        fixture.append(&mut fixture.writer().await, &events, 2).await;
        assert_eq!(fixture.rows("parent_counter").await, [0, 1, 2, 1, 4, 4]);
        let flags =
            Query::select().columns(["failed", "changed"]).from("job_events").order_by("id", Order::Asc).to_owned();
        let flags: Vec<(bool, bool)> = fixture.database.read_as(&flags).await.unwrap();
        let failed: Vec<usize> = (0..6).filter(|index| flags[*index].0).collect();
        let changed: Vec<usize> = (0..6).filter(|index| flags[*index].1).collect();
        assert_eq!((failed, changed), (vec![3, 5], vec![1, 2]));
    });
}

fn small_batches_are_joined(backend: Backend) {
    on(backend, async |fixture| {
        let mut writer = fixture.writer().await;
        for counter in 1..=300 {
            fixture.append(&mut writer, &[plain(counter)], counter as u64).await;
        }
        let batches = Query::select().columns(["id", "last_counter"]).from("job_event_batches").to_owned();
        let mut batches: Vec<(i64, i64)> = fixture.database.read_as(&batches).await.unwrap();
        assert!(batches.len() < 12, "{} batches", batches.len());
        batches.sort_unstable();
        let mut next = 1;
        for (id, last) in batches {
            assert_eq!(counter_of(id), next);
            next = last + 1;
        }
        assert_eq!(next, 301);
        let bodies = fixture.bodies(1..=300).await;
        assert!(bodies.iter().all(|(counter, stdout, _)| *stdout == format!("line {counter}")));
        assert_eq!(fixture.lines(0, 300).await.lines().count(), 300);
    });
}

fn only_neighbouring_batches_are_joined(backend: Backend) {
    on(backend, async |fixture| {
        let mut writer = fixture.writer().await;
        // Small, full, small.
        for (counters, position) in [(1..=100, 1), (101..=356, 2), (357..=450, 3)] {
            fixture.append(&mut writer, &plain_events(counters), position).await;
        }
        let bodies = fixture.bodies(1..=450).await;
        assert_eq!(bodies.len(), 450);
        assert!(bodies.iter().all(|(counter, stdout, _)| *stdout == format!("line {counter}")));
        assert_eq!(fixture.lines(0, 450).await.lines().count(), 450);
    });
}

fn lines_are_read_from_any_place(backend: Backend) {
    on(backend, async |fixture| {
        let mut writer = fixture.writer().await;
        fixture.append(&mut writer, &plain_events(1..=600), 1).await;
        // A line of three events, and one without end.
        let parts = [("a", 600, 600), ("", 600, 600), ("b", 600, 600), ("c", 600, 601), ("end", 601, 601)];
        let parts: Vec<String> = parts
            .iter()
            .zip(601..)
            .map(|((stdout, start, end), counter)| {
                json!({"event": "verbose", "uuid": "u", "counter": counter, "stdout": stdout, "start_line": start,
                       "end_line": end, "created": "2030-01-01T00:00:00Z", "event_data": {}})
                .to_string()
            })
            .collect();
        for part in parts {
            fixture.append(&mut fixture.writer().await, &[part], 2).await;
        }
        assert_eq!(fixture.lines(0, 2).await, "line 1\nline 2\n");
        assert_eq!(fixture.lines(255, 258).await, "line 256\nline 257\nline 258\n");
        assert_eq!(fixture.lines(599, 601).await, "line 600\nabc\n");
        assert_eq!(fixture.lines(600, 700).await, "abc\nend");
        assert_eq!(fixture.lines(601, 602).await, "end");
        assert_eq!(fixture.lines(602, 603).await, "");
        assert_eq!(fixture.lines(5, 5).await, "");
        let size = output_size(&fixture.database, fixture.job).await.unwrap();
        assert_eq!((size.line_feeds, size.lines(), size.ends_within_line), (601, 602, true));
        let limited = read_lines(&fixture.database, fixture.job, 0, 600, 1000).await.unwrap();
        assert_eq!(limited, Lines::TooLong);
        let mut reader = OutputReader::new(fixture.database.clone(), fixture.job);
        let mut whole = Vec::new();
        while let Some(part) = reader.next_part().await.unwrap() {
            whole.extend(part);
        }
        assert_eq!(String::from_utf8(whole).unwrap(), fixture.lines(0, 1000).await);
    });
}

fn texts_are_found(backend: Backend) {
    on(backend, async |fixture| {
        let mut writer = fixture.writer().await;
        fixture.append(&mut writer, &plain_events(1..=600), 1).await;
        assert_eq!(fixture.stdout_with("line 59").await, [vec![59], (590..=599).collect()].concat());
        let matches = |data: &str| data.contains("\"number\":300");
        let found = events_with(&fixture.database, fixture.job, EventText::Data, |_| true, matches).await.unwrap();
        assert_eq!(found, [event_id(fixture.job, 300)]);
        let none = events_with(&fixture.database, fixture.job, EventText::Stdout, |_| false, |_| true).await.unwrap();
        assert!(none.is_empty());
    });
}

fn statistics_become_summaries(backend: Backend) {
    on(backend, async |fixture| {
        let mut writer = fixture.writer().await;
        let statistics = json!({
            "ok": {"one": 3, "gone": 1}, "changed": {"one": 1}, "dark": {"two": 1}, "failures": {}, "skipped": {},
            "processed": {"one": 1, "two": 1, "gone": 1}, "rescued": {}, "ignored": {"one": 2},
            "artifact_data": {"answer": 42},
        });
        fixture.append(&mut writer, &[event(1, "playbook_on_stats", "s", "", statistics)], 1).await;
        let summaries = Query::select()
            .columns(["host_name", "ok", "changed", "dark", "ignored", "failed", "host_id", "id"])
            .from("job_host_summaries")
            .order_by("host_name", Order::Asc)
            .to_owned();
        type Summary = (String, i64, i64, i64, i64, bool, Option<i64>, i64);
        let summaries: Vec<Summary> = fixture.database.read_as(&summaries).await.unwrap();
        let [one, two] = fixture.hosts;
        let without_ids: Vec<_> =
            summaries.iter().map(|row| (row.0.as_str(), row.1, row.2, row.3, row.4, row.5, row.6)).collect();
        assert_eq!(
            without_ids,
            [
                ("gone", 1, 0, 0, 0, false, None),
                ("one", 3, 1, 0, 2, false, Some(one)),
                ("two", 0, 0, 1, 0, true, Some(two)),
            ]
        );
        let hosts = Query::select()
            .columns(["last_job_id", "last_job_host_summary_id"])
            .from("hosts")
            .order_by("id", Order::Asc)
            .to_owned();
        let hosts: Vec<(i64, i64)> = fixture.database.read_as(&hosts).await.unwrap();
        assert_eq!(hosts, [(fixture.job, summaries[1].7), (fixture.job, summaries[2].7)]);
        let job = Query::select().columns(["host_status_counts", "artifacts"]).from("unified_jobs").to_owned();
        let job: Vec<(Value, Value)> = fixture.database.read_as(&job).await.unwrap();
        assert_eq!(job, [(json!({"changed": 1, "dark": 1, "ok": 1}), json!({"answer": 42}))]);
    });
}

fn host_can_be_deleted_while_a_job_runs(backend: Backend) {
    on(backend, async |fixture| {
        let mut writer = fixture.writer().await;
        let events = [(1, "one"), (2, "two")];
        let events = events.map(|(counter, host)| event(counter, "runner_on_ok", "a", "", of_host(host, "first")));
        fixture.append(&mut writer, &events, 2).await;
        let mut tx = fixture.database.begin().await.unwrap();
        tx.execute(Query::delete().from_table("hosts").and_where(Expr::col("name").eq("one"))).await.unwrap();
        tx.commit().await.unwrap();
        let statistics = json!({"ok": {"one": 1, "two": 1}});
        fixture.append(&mut writer, &[event(3, "playbook_on_stats", "s", "", statistics)], 3).await;
        let hosts = Query::select().column("host_id").from("job_host_summaries").order_by("id", Order::Asc).to_owned();
        let hosts: Vec<Option<i64>> = fixture.database.read_as(&hosts).await.unwrap();
        assert_eq!(hosts, [None, Some(fixture.hosts[1])]);
    });
}

fn passwords_in_urls_are_not_stored(backend: Backend) {
    on(backend, async |fixture| {
        let text = plain(1).replace("line 1", "clone https://ada:secret@host/x");
        fixture.append(&mut fixture.writer().await, &[text], 1).await;
        let masked = "clone https://$encrypted$:$encrypted$@host/x";
        assert_eq!(fixture.lines(0, 9).await, format!("{masked}\n"));
        assert_eq!(fixture.bodies(1..=1).await[0].1, masked);
        let size = output_size(&fixture.database, fixture.job).await.unwrap();
        assert_eq!(size.bytes, masked.len() as i64 + 1);
    });
    for (job_type, shown) in [("job", "https://token@host/x"), ("project_update", "https://$encrypted$@host/x")] {
        on_job(backend, job_type, async |fixture| {
            let data = json!({"res": {"msg": "cannot read \"https://token@host/x\""}});
            let events = [event(1, "runner_on_failed", "a", "", data)];
            fixture.append(&mut fixture.writer().await, &events, 1).await;
            let message = format!("cannot read \"{shown}\"");
            assert_eq!(fixture.bodies(1..=1).await[0].2["res"]["msg"], message);
        });
    }
}

fn any_name_of_a_host_can_be_stored(backend: Backend) {
    on(backend, async |fixture| {
        let name: String = (0..200).map(|number| format!("{:x}", uuid_hash(&number.to_string()))).collect();
        let statistics = json!({"ok": {name.as_str(): 1, "one": 2}, "artifact_data": {"a": 1}});
        let event = event(1, "playbook_on_stats", "s", "", statistics);
        let event = event.replace("{\"a\":1}", &format!("{}1{}", "[".repeat(200), "]".repeat(200)));
        fixture.append(&mut fixture.writer().await, &[event], 1).await;
        let columns = ["host_name", "ok"];
        let hosts = Query::select().columns(columns).from("job_host_summaries").order_by("ok", Order::Asc).to_owned();
        let hosts: Vec<(String, i64)> = fixture.database.read_as(&hosts).await.unwrap();
        assert_eq!(hosts, [(name[..512].to_owned(), 1), ("one".to_owned(), 2)]);
    });
}

fn output_is_complete_while_batches_are_joined(backend: Backend) {
    on(backend, async |fixture| {
        let mut writer = fixture.writer().await;
        let mut reader = OutputReader::new(fixture.database.clone(), fixture.job);
        let mut output = Vec::new();
        for counter in 1..=300 {
            fixture.append(&mut writer, &[plain(counter)], counter as u64).await;
            if counter % 7 == 0 || counter == 300 {
                output.extend(reader.next_part().await.unwrap().expect("new output"));
            }
        }
        assert_eq!(String::from_utf8(output).unwrap(), fixture.lines(0, 300).await);
        assert!(reader.next_part().await.unwrap().is_none());
    });
}

fn events_are_deleted_with_their_job(backend: Backend) {
    on(backend, async |fixture| {
        let mut writer = fixture.writer().await;
        fixture.append(&mut writer, &plain_events(1..=300), 1).await;
        let mut tx = fixture.database.begin().await.unwrap();
        tx.execute(Query::delete().from_table("unified_jobs")).await.unwrap();
        let mut late = writer;
        let refused = late.append(&mut tx, &plain_events(301..=301), 2).await.unwrap_err();
        assert!(matches!(refused, EventError::NoJob(_)), "{refused}");
        drop(tx);
        let mut tx = fixture.database.begin().await.unwrap();
        tx.execute(Query::delete().from_table("unified_jobs")).await.unwrap();
        tx.commit().await.unwrap();
        for table in ["stored_job_events", "job_event_names", "job_event_batches"] {
            let count = Query::select().expr(Expr::cust("COUNT(*)")).from(table).to_owned();
            assert_eq!(fixture.database.read_as::<i64>(&count).await.unwrap(), [0], "{table}");
        }
    });
}

fn garbage_in_event_data_is_left_out(backend: Backend) {
    on(backend, async |fixture| {
        let mut writer = fixture.writer().await;
        let deep = format!(
            "{{\"host\": \"one\", \"res\": {}1{}, \"size\": 1{}}}",
            "[".repeat(500),
            "]".repeat(500),
            "0".repeat(400)
        );
        let large =
            format!("{{\"host\": \"one\", \"res\": {{\"changed\": true, \"x\": \"{}\"}}}}", "y".repeat(800_000));
        let twice = "{\"host\": \"one\", \"host\": \"two\"}";
        let wrong = "{\"host\": 5, \"task\": [1], \"res\": \"x\", \"ignore_errors\": {}}";
        let events: Vec<String> =
            ["5", "null", "\"x\"", &deep, &large, twice, wrong, "[null, null, null, null, null, null, null]"]
                .iter()
                .zip(1..)
                .map(|(data, counter)| plain(counter).replace(&format!("{{\"number\":{counter}}}"), data))
                .map(|event| {
                    event.replace("2030-01-01T00:00:01.5+00:00", "yesterday").replace("verbose", "runner_on_ok")
                })
                .collect();
        fixture.append(&mut writer, &events, 1).await;
        let bodies = fixture.bodies(1..=3).await;
        assert!(bodies.iter().all(|(_, _, data)| *data == json!({})), "{bodies:?}");
        assert_eq!(fixture.bodies(4..=4).await[0].2, json!({"host": "one", "res": {}, "size": {}}));
        assert_eq!(fixture.bodies(5..=5).await[0].2, json!({"host": "one", "res": {}}));
        assert_eq!(fixture.bodies(8..=8).await[0].2, json!({}));
        assert_eq!(fixture.rows("id").await.len(), 8);
    });
}

fn server_writes_events_of_its_own(backend: Backend) {
    on(backend, async |fixture| {
        let mut writer = fixture.writer().await;
        let mut log = EventLog::after(&writer);
        let (start, play) = log.event("playbook_on_play_start", now(), None, Some("\nPLAY [all]"), Default::default());
        let (ok, _) = log.event("runner_on_ok", now(), Some(&play), None, Default::default());
        let mut tx = fixture.database.begin().await.unwrap();
        writer.append(&mut tx, &[start, ok], 0).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(fixture.lines(0, 9).await, "\nPLAY [all]\n");
        assert_eq!(fixture.rows("parent_counter").await, [0, 1]);
    });
}
