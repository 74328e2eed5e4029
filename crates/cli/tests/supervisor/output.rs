use hostler_supervisor::{Exit, Reason, Record, SpoolReader};

use crate::job::Job;

#[test]
fn events_and_output_get_numbers_and_lines() {
    let job = Job::script(
        r#"
print("before")
event("playbook_on_start")
event("playbook_on_play_start", "\nPLAY [all] ***\n", play="all")
event("runner_on_ok", "ok: [a]\n", host="a", res={"changed": False})
"#,
    );
    let outcome = job.run();
    outcome.check_numbers();
    assert_eq!((outcome.last.reason, outcome.last.exit), (Reason::Exited, Some(Exit::Code(0))));
    assert_eq!(outcome.text(), "before\n\nPLAY [all] ***\nok: [a]\n");
    let names: Vec<&str> = outcome.events.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!(names, ["verbose", "playbook_on_start", "playbook_on_play_start", "runner_on_ok"]);
    let play = &outcome.events[2];
    assert_eq!((&play["start_line"], &play["end_line"]), (&1.into(), &3.into()));
    assert_eq!(play["event_data"]["play"], "all");
    assert_eq!(outcome.events[3]["event_data"]["res"]["changed"], false);
}

#[test]
fn spool_is_read_from_any_stored_position() {
    let job = Job::script("for number in range(5):\n    event(f'event {number}', 'x' * 40000)");
    let outcome = job.run();
    let mut positions = vec![0];
    let mut reader = SpoolReader::open(&job.directory, 0).expect("the spool");
    while reader.read_record().expect("a record").is_some() {
        positions.push(reader.position());
    }
    assert_eq!(positions.len(), 7, "five events and the final record");
    for (number, position) in positions.iter().enumerate() {
        let mut reader = SpoolReader::open(&job.directory, *position).expect("the spool");
        match reader.read_record().expect("a record") {
            Some(Record::Event(json)) => {
                let event: serde_json::Value = serde_json::from_slice(json).expect("JSON");
                assert_eq!(event["event"], format!("event {number}"));
            }
            Some(Record::Final(last)) => assert_eq!((number, last.events), (5, 5)),
            None => assert_eq!(number, 6),
        }
    }
    assert_eq!(outcome.last.events, 5);
}

#[test]
fn torn_record_is_not_returned() {
    let job = Job::script("event('first', 'text')");
    job.run();
    let spool = job.directory.join("spool");
    let whole = std::fs::read(&spool).expect("the spool");
    for length in 0..whole.iter().position(|byte| *byte == b'\n').expect("a record") {
        std::fs::write(&spool, &whole[..length]).expect("a shorter spool");
        let mut reader = SpoolReader::open(&job.directory, 0).expect("the spool");
        assert_eq!(reader.read_record().expect("no error"), None, "{length} bytes");
        assert_eq!(reader.position(), 0);
    }
    let mut changed = whole;
    changed[30] ^= 1;
    std::fs::write(&spool, changed).expect("a changed spool");
    SpoolReader::open(&job.directory, 0).expect("the spool").read_record().expect_err("an invalid checksum");
}

#[test]
fn output_precedes_the_events_that_follow_it() {
    let job = Job::script("for number in range(300):\n    print(f'line {number}')\n    event(f'event {number}')");
    let outcome = job.run();
    outcome.check_numbers();
    for number in 0..300 {
        let line = format!("line {number}");
        let has_line = |text: &serde_json::Value| text.as_str().is_some_and(|text| text.lines().any(|it| it == line));
        let printed = outcome.events.iter().position(|event| has_line(&event["stdout"])).expect("the line");
        let event = outcome.events.iter().position(|event| event["event"] == format!("event {number}"));
        assert!(printed < event.expect("the event"), "{number}");
    }
}

#[test]
fn garbage_in_the_event_pipe_is_output() {
    let job = Job::script(
        r#"
os.write(pipe, b"garbage\n{\"event\": \"half\n\xff\xfe\n[1, 2]\n{}\n\n")
event("runner_on_ok", "ok\n")
os.write(pipe, b"no end")
"#,
    );
    let outcome = job.run();
    outcome.check_numbers();
    assert_eq!(outcome.text(), "garbage\n{\"event\": \"half\n\u{fffd}\u{fffd}\n[1, 2]\n{}\n\nok\nno end");
    assert_eq!(outcome.named("runner_on_ok").len(), 1);
    assert_eq!(outcome.last.exit, Some(Exit::Code(0)));
}

#[test]
fn event_of_20_mb_is_output() {
    let job = Job::script("event('too_long', 'x' * 20_000_000)\nevent('runner_on_ok', 'ok')");
    let outcome = job.run();
    assert_eq!(outcome.named("too_long").len(), 0);
    assert_eq!(outcome.named("runner_on_ok").len(), 1);
    assert!(outcome.text().contains(&"x".repeat(20_000_000)));
}

#[test]
fn invalid_text_is_replaced() {
    let job = Job::script(
        r#"
os.write(1, b"\x1b[31mred\x1b[0m \xff\xc3 a\0b \xe2\x82\xac\r\n")
event("runner_on_ok", "\x1b[32mok\x1b[0m a\0b \udcff\n", res={"stdout": "a\0b \ud83d", "path": "C:\\u0000"})
"#,
    );
    let outcome = job.run();
    let expected =
        "\u{1b}[31mred\u{1b}[0m \u{fffd}\u{fffd} a\u{fffd}b €\r\n\u{1b}[32mok\u{1b}[0m a\u{fffd}b \u{fffd}\n";
    assert_eq!(outcome.text(), expected);
    let res = &outcome.named("runner_on_ok")[0]["event_data"]["res"];
    assert_eq!((&res["stdout"], &res["path"]), (&"a\u{fffd}b \u{fffd}".into(), &"C:\\u0000".into()));
}

#[test]
fn beginning_of_a_line_is_shown() {
    let job = Job::script("os.write(1, b'Continue? ')\nwait_for('go')\nprint('yes')\nevent('end', 'end\\n')");
    let running = job.start();
    let mut reader = None;
    crate::job::wait_until("the text is in the spool", || job.directory.join("spool").exists());
    while reader.is_none() {
        let mut new = SpoolReader::open(&job.directory, 0).expect("the spool");
        if matches!(new.read_record().expect("a record"), Some(Record::Event(_))) {
            reader = Some(new);
        }
    }
    job.signal("go");
    let outcome = running.finish();
    outcome.check_numbers();
    assert_eq!(outcome.text(), "Continue? yes\nend\n");
}

#[test]
fn line_of_50_mb_needs_little_memory() {
    let job = Job::script(
        r#"
for _ in range(50):
    sys.stdout.write("é" * 500_000)
print()
event("end")
wait_for("go")
"#,
    );
    let running = job.start();
    let path = job.directory.join("spool");
    crate::job::wait_until("all is written", || path.metadata().is_ok_and(|spool| spool.len() > 50_000_000));
    let memory = running.peak_memory();
    job.signal("go");
    let outcome = running.finish();
    outcome.check_numbers();
    let text = outcome.text();
    assert_eq!((text.len(), text.lines().count()), (50_000_001, 1));
    assert!(!text.contains('\u{fffd}'), "no character is divided");
    assert!(memory < 40_000, "{memory} KiB");
}

#[test]
fn output_of_200_mb_is_complete() {
    let job = Job::script("line = 'x' * 99\nfor _ in range(2000):\n    print('\\n'.join([line] * 1000))");
    let outcome = job.run();
    outcome.check_numbers();
    assert_eq!(outcome.last.lines, 2_000_000);
    assert_eq!(outcome.text().len(), 200_000_000);
}
