//! A clock that is set back: no user is locked out, nothing fails, and the order of entries stays the same.

use std::time::{SystemTime, UNIX_EPOCH};

use hostler_testkit::clock::FakeClock;
use hostler_testkit::{Backend, Browser, PASSWORD, TestServer, on_each_backend};
use jiff::Timestamp;
use serde_json::{Value, json};
use totp_rs::{Algorithm, Builder, Secret};

use crate::faults::activity_entries::balanced;
use crate::faults::{BINARY, HERE, ORGANIZATIONS, token, until};

on_each_backend!(
    sessions_and_logins_work_after_clock_change,
    modified_is_never_before_created,
    activity_stream_order_survives_clock_change,
    account_lock_expires_after_clock_change,
    totp_code_is_accepted_after_clock_change,
    server_starts_at_any_time,
);

/// In seconds.
const DAY: i64 = 24 * 3600;
const YEAR: i64 = 365 * DAY;

fn start(backend: Backend) -> Option<(TestServer, FakeClock)> {
    let clock = FakeClock::build()?;
    let mut server = TestServer::stopped(BINARY, backend);
    clock.preload_into(&mut server);
    server.restart();
    Some((server, clock))
}

/// The real time, in seconds since 1970.
fn now() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "the test's own clock is the right one")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
    now.as_secs().try_into().expect("a time before the sun is gone")
}

fn time(row: &Value, field: &str) -> Timestamp {
    row[field].as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no {field} in {row}"))
}

fn is_near(time: Timestamp, second: i64) -> bool {
    (time.as_second() - second).abs() < 3600
}

fn sessions_and_logins_work_after_clock_change(backend: Backend) {
    let Some((server, clock)) = start(backend) else { return };
    let ann = server.user("ann");
    let (session, writer) = (Browser::logged_in(&server, "ann", PASSWORD), ann.token("write"));
    clock.set(-3 * DAY);
    for _ in 0..2 {
        session.get(HERE).expect(200);
        writer.get(HERE).expect(200);
        ann.client.get(HERE).expect(200);
        Browser::logged_in(&server, "ann", PASSWORD).get(HERE).expect(200);
        ann.token("read").get(HERE).expect(200);
        for _ in 0..3 {
            server.as_user("ann", "wrong").get(HERE).expect(401);
        }
    }
    // After its next use the session lasts as long as any other, not three days longer.
    clock.set(-2 * DAY);
    session.get(HERE).expect(401);
    writer.get(HERE).expect(200);
    clock.set(0);
    writer.get(HERE).expect(200);
    assert!(!server.stderr().contains("panicked"), "{}", server.stderr());
}

fn modified_is_never_before_created(backend: Backend) {
    let Some((server, clock)) = start(backend) else { return };
    let id = server.organization("Acme");
    let path = format!("{ORGANIZATIONS}{id}/");
    clock.set(-3 * DAY);
    let admin = token(&server);
    for words in ["once", "twice"] {
        let changed = admin.patch(&path, json!({"description": words})).expect(200).json();
        assert_eq!(time(&changed, "modified"), time(&changed, "created"), "{changed}");
    }
    let made = admin.post(ORGANIZATIONS, json!({"name": "later"})).expect(201).json();
    assert!(is_near(time(&made, "created"), now() - 3 * DAY), "{made}");
    clock.set(0);
    let changed = admin.patch(&path, json!({"description": "again"})).expect(200).json();
    assert!(time(&changed, "modified") > time(&changed, "created"), "{changed}");
}

fn activity_stream_order_survives_clock_change(backend: Backend) {
    let Some((server, clock)) = start(backend) else { return };
    let admin = token(&server);
    for (name, offset) in [("first", 0), ("second", -3 * DAY), ("third", -DAY), ("fourth", -9 * DAY)] {
        clock.set(offset);
        admin.post(ORGANIZATIONS, json!({"name": name})).expect(201);
    }
    clock.set(0);
    let listed = |order: &str| -> Vec<String> {
        let entries = admin.results(&format!("/api/v2/activity_stream/?object1=organization&operation=create{order}"));
        entries.iter().map(|entry| entry["changes"]["name"].as_str().expect("a name").to_owned()).collect()
    };
    assert_eq!(listed(""), ["first", "second", "third", "fourth"]);
    assert_eq!(listed("&order_by=-id"), ["fourth", "third", "second", "first"]);
    // Responses contain the time of the clock.
    assert_eq!(listed("&order_by=timestamp"), ["fourth", "second", "third", "first"]);
    assert_eq!(balanced(&server).len(), 4);
}

fn account_lock_expires_after_clock_change(backend: Backend) {
    let Some((server, clock)) = start(backend) else { return };
    let ann = server.user("ann");
    let admin = token(&server);
    let settings = json!({"LOGIN_FAILURES_UNTIL_LOCK": 3, "LOGIN_LOCK_SECONDS": 600, "LOGIN_FAILURES_UNTIL_DELAY": 0});
    admin.patch("/api/v2/settings/authentication/", settings).expect(200);
    let state = || admin.get(&format!("{}sign_in/", ann.path())).expect(200);
    let lock = || {
        for _ in 0..3 {
            server.as_user("ann", "wrong").get(HERE).expect(401);
        }
        ann.client.get(HERE).expect(429);
        // The write follows a moment later.
        until("recorded", state, |answer| answer.json()["locked_until"].is_string());
    };
    lock();
    // With the wrong clock the lock would last for ten years.
    clock.set(-10 * YEAR);
    ann.client.get(HERE).expect(200);
    let after = state().json();
    assert!(after["locked_until"].is_null(), "{after}");
    lock();
    // When both have expired.
    clock.set(DAY);
    ann.client.get(HERE).expect(200);
    lock();
}

/// The code of an authenticator app at a time.
fn code(secret: &str, time: i64) -> String {
    let secret = Secret::try_from_base32(secret).expect("Base32");
    let device = Builder::new().with_algorithm(Algorithm::SHA1).with_secret(secret).build().expect("a device");
    device.generate(time.try_into().expect("a time after 1970")).to_string()
}

fn totp_code_is_accepted_after_clock_change(backend: Backend) {
    let Some((server, clock)) = start(backend) else { return };
    let ann = server.user("ann");
    let (path, writer) = (format!("{}second_factor/", ann.path()), ann.token("write"));
    let begun = ann.client.post(&path, json!({"password": PASSWORD})).expect(201).json();
    let secret = begun["secret"].as_str().expect("a secret").to_owned();
    writer.post(&format!("{path}verify/"), json!({"code": code(&secret, now())})).expect(200);
    let signs_in = |code: &str| {
        let mut browser = Browser::open(&server);
        browser.log_in(&[("username", "ann"), ("password", PASSWORD), ("otp", code)]).status == 302
            && browser.get(HERE).status == 200
    };
    clock.set(-3 * DAY);
    let then = code(&secret, now() - 3 * DAY);
    assert!(signs_in(&then), "the user is locked out for three days");
    assert!(!signs_in(&then), "a code was taken twice");
}

fn server_starts_at_any_time(backend: Backend) {
    let Some((server, clock)) = start(backend) else { return };
    let admin = server.as_admin();
    for (number, offset) in [-56 * YEAR, -30 * YEAR, 70 * YEAR, 0].into_iter().enumerate() {
        clock.set(offset);
        admin.get(HERE).expect(200);
        admin.post(ORGANIZATIONS, json!({"name": format!("org-{number}")})).expect(201);
        admin.patch("/api/v2/users/1/", json!({"first_name": offset.to_string()})).expect(200);
        token(&server).get(HERE).expect(200);
        Browser::logged_in(&server, "admin", "password").get(HERE).expect(200);
        server.as_user("admin", "wrong").get(HERE).expect(401);
        server.anonymous().get("/readyz").expect(200);
        admin.get("/api/v2/metrics/").expect(200);
    }
    assert_eq!(balanced(&server).len(), 4);
    assert!(!server.stderr().contains("panicked"), "{}", server.stderr());
}
