//! A server that is killed during concurrent writes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hostler_testkit::{Backend, Client, on_each_backend};
use serde_json::json;

use crate::faults::activity_entries::balanced;
use crate::faults::{ORGANIZATIONS, PATIENCE, start, token};

on_each_backend!(acknowledged_writes_survive_kill);

/// The acknowledged writes of a client: each organization with its last description.
type Acknowledged = BTreeMap<String, String>;

fn acknowledged_writes_survive_kill(backend: Backend) {
    let mut server = start(backend);
    let admin = token(&server);
    let mut known = BTreeMap::new();
    // The second round starts with the data of the first.
    for round in 0..2 {
        let answered = AtomicUsize::new(0);
        let acknowledged: Vec<Acknowledged> = thread::scope(|scope| {
            let writers: Vec<_> = (0..8)
                .map(|writer| {
                    let (admin, answered) = (&admin, &answered);
                    scope.spawn(move || write_until_killed(admin, &format!("{round}-{writer}"), answered))
                })
                .collect();
            let deadline = Instant::now() + PATIENCE;
            while answered.load(Ordering::Relaxed) < 150 {
                assert!(Instant::now() < deadline, "hardly anything is written");
                thread::sleep(Duration::from_millis(5));
            }
            server.kill9();
            writers.into_iter().map(|writer| writer.join().expect("a writer")).collect()
        });
        known.extend(acknowledged.into_iter().flatten());
        server.restart();
        let rows = balanced(&server);
        for (name, description) in &known {
            let row = rows.get(name).unwrap_or_else(|| panic!("{name} was answered and is gone"));
            let now = row["description"].as_str().expect("a description");
            // One more write may be stored whose response was lost.
            let step = |text: &str| text.parse().unwrap_or(0);
            assert!(
                [step(description), step(description) + 1].contains(&step(now)),
                "{name}: {description}, then {now}"
            );
        }
        let unanswered = rows.len() - known.len();
        assert!(unanswered <= 8 * (round + 1), "{unanswered} were created without a response");
    }
}

/// Creates organizations, changes each several times, and records the acknowledged writes.
fn write_until_killed(admin: &Client, name: &str, answered: &AtomicUsize) -> Acknowledged {
    let mut acknowledged = Acknowledged::new();
    for number in 0.. {
        let name = format!("{name}-{number}");
        let Ok(made) = admin.request("POST", ORGANIZATIONS).json(json!({"name": name})).try_send() else { break };
        let id = made.expect(201).json()["id"].as_i64().expect("an id");
        acknowledged.insert(name.clone(), String::new());
        answered.fetch_add(1, Ordering::Relaxed);
        for step in 1..=3 {
            let change = admin.request("PATCH", &format!("{ORGANIZATIONS}{id}/"));
            let Ok(changed) = change.json(json!({"description": step.to_string()})).try_send() else {
                return acknowledged;
            };
            changed.expect(200);
            acknowledged.insert(name.clone(), step.to_string());
            answered.fetch_add(1, Ordering::Relaxed);
        }
    }
    acknowledged
}
