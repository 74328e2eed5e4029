//! Rate limits of failed sign-ins: attackers are delayed, other users are not.

use std::process::Command;
use std::thread::scope;

use hostler_testkit::browser::Browser;
use hostler_testkit::{Backend, Client, PASSWORD, Response, TestServer, TestUser, on_each_backend};
use serde_json::{Value, json};

on_each_backend!(
    failed_logins_are_delayed_for_known_and_unknown_names,
    delay_applies_on_all_nodes_and_after_restart,
    known_location_is_not_delayed,
    concurrent_attempts_are_delayed,
    address_with_many_failures_is_delayed,
    user_admin_sees_failed_attempts,
    locked_account_rejects_right_password,
    lock_does_not_reveal_users,
    user_admin_unlocks_account,
    command_line_unlocks_account,
    lock_expires,
    disabled_limits_do_not_delay,
    delay_follows_settings,
    variants_of_a_username_are_counted_together,
    common_passwords_are_rejected_by_setting,
    weak_admin_password_is_logged,
);

/// A proxy header sets the client's address, so that tests can use any address.
fn start(backend: Backend, settings: Value) -> TestServer {
    let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let proxy = json!({"REMOTE_HOST_HEADERS": ["HTTP_X_FORWARDED_FOR"], "PROXY_IP_ALLOWED_LIST": ["127.0.0.1"]});
    server.configure("system", proxy);
    server.configure("authentication", settings);
    server
}

/// A request with name and password from this address.
fn attempt(server: &TestServer, from: &str, name: &str, password: &str) -> Response {
    server.as_user(name, password).request("GET", "/api/v2/me/").header("X-Forwarded-For", from).send()
}

const OWNER: &str = "192.0.2.10";
const STRANGER: &str = "198.51.100.66";

fn state(server: &TestServer, person: &TestUser) -> Value {
    server.as_admin().get(&format!("{}sign_in/", person.path())).expect(200).json()
}

/// Failures are recorded before the response is sent.
fn expect_failures(server: &TestServer, person: &TestUser, failures: u64) {
    let state = state(server, person);
    assert_eq!(state["failed_attempts"], failures, "{state}");
}

/// The state after a long attack: the next attempt is delayed by the longest delay.
fn after_many_failures(server: &TestServer, person: &TestUser, others: &[&str]) {
    for name in others {
        attempt(server, STRANGER, name, "wrong").expect(401);
    }
    attempt(server, STRANGER, &person.name, "wrong").expect(401);
    expect_failures(server, person, 1);
    server.execute("UPDATE failed_sign_ins SET failures = 1000");
}

/// A response without its Retry-After.
fn essence(answer: &Response) -> (u16, bool, Vec<String>, String) {
    let varying = ["date", "x-api-request-id", "x-api-time", "x-api-total-time", "x-api-query-count", "retry-after"];
    let headers = answer.headers.keys().map(|name| name.as_str().to_owned());
    let headers = headers.filter(|name| !varying.contains(&name.as_str())).collect();
    let text = answer.text().chars().filter(|character| !character.is_ascii_digit()).collect();
    (answer.status, answer.header("Retry-After").is_some(), headers, text)
}

fn seconds(answer: &Response) -> u64 {
    answer.header("Retry-After").and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no wait in {answer}"))
}

fn failed_logins_are_delayed_for_known_and_unknown_names(backend: Backend) {
    let server = start(backend, json!({}));
    let (ann, gone) = (server.user("ann"), server.user_with("gone", json!({"is_active": false})));
    let other = server.user("other");
    let token = ann.token("read");
    // A token was created with the password from the address of the tests.
    after_many_failures(&server, &ann, &["nobody", &gone.name]);
    let refused = attempt(&server, STRANGER, "ann", "wrong again").expect(429);
    assert!((2..=60).contains(&seconds(&refused)), "{refused}");
    for (name, password) in [("ann", PASSWORD), ("gone", PASSWORD), ("nobody", PASSWORD), ("nobody", "x")] {
        assert_eq!(essence(&attempt(&server, STRANGER, name, password)), essence(&refused), "{name}");
    }
    let mut browser = Browser::open(&server);
    let call = browser.write("POST", "/api/login/").header("X-Forwarded-For", STRANGER);
    let form = call.header("Content-Type", "application/x-www-form-urlencoded").body("username=ann&password=x").send();
    assert!(form.expect(429).text().contains("Too many failed attempts"), "the form says nothing");
    browser.cookies.clear();
    // Tokens, other users and other locations are unaffected.
    token.request("GET", "/api/v2/me/").header("X-Forwarded-For", STRANGER).send().expect(200);
    attempt(&server, STRANGER, "other", PASSWORD).expect(200);
    assert_eq!(state(&server, &other)["failed_attempts"], 0);
}

fn delay_applies_on_all_nodes_and_after_restart(backend: Backend) {
    let mut server = start(backend, json!({}));
    let ann = server.user("ann");
    after_many_failures(&server, &ann, &["nobody"]);
    {
        let there = server.start_second();
        for name in ["ann", "nobody"] {
            attempt(&there, STRANGER, name, "wrong there").expect(429);
        }
    }
    server.restart();
    for name in ["ann", "nobody"] {
        attempt(&server, STRANGER, name, "wrong here").expect(429);
    }
}

fn known_location_is_not_delayed(backend: Backend) {
    let mut server = start(backend, json!({}));
    let ann = server.user("ann");
    attempt(&server, OWNER, "ann", PASSWORD).expect(200);
    after_many_failures(&server, &ann, &[]);
    // A restart clears the password cache.
    server.restart();
    attempt(&server, STRANGER, "ann", PASSWORD).expect(429);
    attempt(&server, OWNER, "ann", PASSWORD).expect(200);
    // The first 64 bits of an IPv6 address are one location.
    attempt(&server, "2001:db8:1:2::1", "ann", PASSWORD).expect(429);
    server.as_admin().patch(&format!("{}sign_in/", ann.path()), json!({"failed_attempts": 0})).expect(200);
    attempt(&server, "2001:db8:1:2::1", "ann", PASSWORD).expect(200);
    after_many_failures(&server, &ann, &[]);
    server.restart();
    attempt(&server, "2001:db8:1:2:3:4:5:6", "ann", PASSWORD).expect(200);
    attempt(&server, "2001:db8:1:3::1", "ann", PASSWORD).expect(429);
}

/// The statuses of simultaneous attempts, each with another wrong password.
fn at_once(server: &TestServer, names: &[String]) -> Vec<u16> {
    let clients: Vec<Client> =
        names.iter().enumerate().map(|(number, name)| server.as_user(name, &format!("wrong-{number}"))).collect();
    scope(|scope| {
        let get =
            |client: &Client| client.request("GET", "/api/v2/me/").header("X-Forwarded-For", STRANGER).send().status;
        let threads: Vec<_> = clients.iter().map(|client| scope.spawn(move || get(client))).collect();
        threads.into_iter().map(|thread| thread.join().expect("an answer")).collect()
    })
}

fn concurrent_attempts_are_delayed(backend: Backend) {
    let server = start(backend, json!({}));
    server.user("ann");
    let statuses = at_once(&server, &vec!["ann".to_owned(); 40]);
    let checked = statuses.iter().filter(|status| **status == 401).count();
    assert!(statuses.iter().all(|status| [401, 429].contains(status)), "{statuses:?}");
    // Five attempts are free, and a few wait; debug builds on busy machines are slow to send all at once.
    assert!(checked < 30, "{checked} of 40 guesses were checked: {statuses:?}");
}

fn address_with_many_failures_is_delayed(backend: Backend) {
    let server = start(backend, json!({"LOGIN_FAILURES_UNTIL_DELAY": 1}));
    let ann = server.user("ann");
    attempt(&server, STRANGER, "ann", PASSWORD).expect(200);
    let names: Vec<String> = (0..40).map(|number| format!("name-{number}")).collect();
    let statuses = at_once(&server, &names);
    assert!(statuses.iter().all(|status| [401, 429].contains(status)), "{statuses:?}");
    assert!(statuses.contains(&429), "{statuses:?}");
    // A known location is not delayed because of other clients at its address.
    attempt(&server, STRANGER, "ann", PASSWORD).expect(200);
    assert_eq!(state(&server, &ann)["failed_attempts"], 0);
}

fn user_admin_sees_failed_attempts(backend: Backend) {
    let server = start(backend, json!({}));
    let home = server.organization("home");
    let (ann, boss, colleague) = (server.user("ann"), server.user("boss"), server.user("colleague"));
    let auditor = server.user_with("auditor", json!({"is_system_auditor": true}));
    server.add_member(home, &ann);
    server.add_member(home, &colleague);
    server.add_admin(home, &boss);
    let path = format!("{}sign_in/", ann.path());
    let fresh = state(&server, &ann);
    assert_eq!(
        fresh,
        json!({
            "user": ann.id, "type": "sign_in", "url": path, "is_active": true, "failed_attempts": 0,
            "last_failure": null, "last_failure_address": null, "locked_until": null, "second_factor": false,
            "recovery_codes_left": null, "sessions": 0,
        })
    );
    Browser::logged_in(&server, "ann", PASSWORD);
    for _ in 0..3 {
        attempt(&server, STRANGER, "ann", "wrong").expect(401);
    }
    expect_failures(&server, &ann, 3);
    for client in [&ann.client, &boss.client, &auditor.client, &server.as_admin()] {
        let seen = client.get(&path).expect(200).json();
        assert_eq!(seen["last_failure_address"], STRANGER, "{seen}");
        assert_eq!(seen["sessions"], 1, "{seen}");
    }
    colleague.client.get(&path).expect(403);
    colleague.client.options(&path).expect(403);
    colleague.client.get("/api/v2/users/ann/sign_in/").expect(403);
    server.anonymous().get(&path).expect(401);
    server.user("stranger").client.get(&path).expect(403);
    boss.client.options(&path).expect(200);
    for client in [&colleague.client, &auditor.client, &ann.client, &boss.token("read")] {
        client.patch(&path, json!({"failed_attempts": 0})).expect(403);
    }
    for nonsense in [json!(1), json!("x"), json!(null), json!([])] {
        boss.client.patch(&path, json!({"failed_attempts": nonsense})).expect(400);
    }
    boss.client.patch(&path, json!({})).expect(200);
    boss.client.put(&path, json!({"failed_attempts": 0})).expect(405);
    server.as_admin().get("/api/v2/users/999999/sign_in/").expect(404);
    let user = ann.client.get(&ann.path()).expect(200).json();
    assert!(user["related"].get("sign_in").is_none(), "clients of AWX know no such link: {user}");
}

const LOCKING: &str = "LOGIN_FAILURES_UNTIL_LOCK";

fn lock(server: &TestServer, name: &str) -> Response {
    for number in 0..3 {
        attempt(server, STRANGER, name, &format!("wrong-{number}")).expect(401);
    }
    attempt(server, STRANGER, name, PASSWORD).expect(429)
}

fn locked_account_rejects_right_password(backend: Backend) {
    let mut server = start(backend, json!({LOCKING: 3, "LOGIN_FAILURES_UNTIL_DELAY": 0}));
    let ann = server.user("ann");
    let (session, token) = (Browser::logged_in(&server, "ann", PASSWORD), ann.token("write"));
    // Just verified, and so cached.
    attempt(&server, OWNER, "ann", PASSWORD).expect(200);
    let refused = lock(&server, "ann");
    assert!((800..=900).contains(&seconds(&refused)), "{refused}");
    attempt(&server, OWNER, "ann", PASSWORD).expect(429);
    Browser::open(&server).log_in(&[("username", "ann"), ("password", PASSWORD)]).expect(429);
    session.get("/api/v2/me/").expect(200);
    token.patch(&ann.path(), json!({"first_name": "Ann"})).expect(200);
    expect_failures(&server, &ann, 3);
    assert!(state(&server, &ann)["locked_until"].is_string(), "{}", state(&server, &ann));
    {
        let there = server.start_second();
        attempt(&there, OWNER, "ann", PASSWORD).expect(429);
    }
    server.restart();
    attempt(&server, OWNER, "ann", PASSWORD).expect(429);
    session.get("/api/v2/me/").expect(200);
}

fn lock_does_not_reveal_users(backend: Backend) {
    let server = start(backend, json!({LOCKING: 3, "LOGIN_FAILURES_UNTIL_DELAY": 0}));
    server.user("ann");
    server.user_with("gone", json!({"is_active": false}));
    let locked = lock(&server, "ann");
    for name in ["nobody", "gone"] {
        assert_eq!(essence(&lock(&server, name)), essence(&locked), "{name}");
    }
}

fn user_admin_unlocks_account(backend: Backend) {
    let server = start(backend, json!({LOCKING: 3, "LOGIN_FAILURES_UNTIL_DELAY": 0}));
    let home = server.organization("home");
    let (ann, boss, root) =
        (server.user("ann"), server.user("boss"), server.user_with("root", json!({"is_superuser": true})));
    server.add_member(home, &ann);
    server.add_admin(home, &boss);
    let (path, token) = (format!("{}sign_in/", ann.path()), ann.token("write"));
    lock(&server, "ann");
    expect_failures(&server, &ann, 3);
    token.patch(&path, json!({"failed_attempts": 0})).expect(403);
    boss.client.patch(&format!("{}sign_in/", root.path()), json!({"failed_attempts": 0})).expect(403);
    attempt(&server, STRANGER, "ann", PASSWORD).expect(429);
    let there = server.start_second();
    attempt(&there, STRANGER, "ann", PASSWORD).expect(429);
    let after = boss.client.patch(&path, json!({"failed_attempts": 0})).expect(200).json();
    assert_eq!((&after["failed_attempts"], &after["locked_until"]), (&json!(0), &json!(null)));
    attempt(&server, STRANGER, "ann", PASSWORD).expect(200);
    attempt(&there, STRANGER, "ann", PASSWORD).expect(200);
    let entries = server.as_admin().results(&format!("{}activity_stream/?order_by=-id", ann.path()));
    assert_eq!(entries[0]["changes"], json!({"failed_attempts": [3, 0]}), "{}", entries[0]);
    assert_eq!(entries[0]["summary_fields"]["actor"]["username"], "boss");
}

fn hostler(server: &TestServer, arguments: &[&str]) -> std::process::Output {
    let mut command: Command = hostler_testkit::command(env!("CARGO_BIN_EXE_hostler"));
    command.arg("user").args(arguments).env("HOSTLER_DATA", server.data());
    if let Some(url) = server.database_url() {
        command.env("HOSTLER_DATABASE", url);
    }
    command.output().expect("the binary runs")
}

fn command_line_unlocks_account(backend: Backend) {
    let server = start(backend, json!({LOCKING: 3, "LOGIN_FAILURES_UNTIL_DELAY": 0}));
    let ann = server.user("ann");
    lock(&server, "ann");
    expect_failures(&server, &ann, 3);
    let done = hostler(&server, &["unlock", "ann"]);
    assert!(done.status.success(), "{done:?}");
    attempt(&server, STRANGER, "ann", PASSWORD).expect(200);
    assert!(!hostler(&server, &["unlock", "nobody"]).status.success());
    for (word, status) in [("disable", 401), ("enable", 200)] {
        assert!(hostler(&server, &[word, "ann"]).status.success());
        attempt(&server, STRANGER, "ann", PASSWORD).expect(status);
    }
    // The last user who could enable others.
    let refused = hostler(&server, &["disable", "admin"]);
    assert!(!refused.status.success(), "{refused:?}");
}

fn lock_expires(backend: Backend) {
    let server = start(backend, json!({LOCKING: 3, "LOGIN_FAILURES_UNTIL_DELAY": 0}));
    let ann = server.user("ann");
    lock(&server, "ann");
    expect_failures(&server, &ann, 3);
    let past = if backend == Backend::Sqlite { "1" } else { "'2001-01-01T00:00:00Z'" };
    server.execute(&format!("UPDATE failed_sign_ins SET locked_until = {past}"));
    // The counter starts again.
    attempt(&server, STRANGER, "ann", "wrong").expect(401);
    attempt(&server, STRANGER, "ann", PASSWORD).expect(200);
    lock(&server, "ann");
}

fn disabled_limits_do_not_delay(backend: Backend) {
    let server = start(backend, json!({"LOGIN_FAILURES_UNTIL_DELAY": 0}));
    let ann = server.user("ann");
    after_many_failures(&server, &ann, &[]);
    for number in 0..10 {
        attempt(&server, STRANGER, "ann", &format!("wrong-{number}")).expect(401);
    }
    attempt(&server, STRANGER, "ann", PASSWORD).expect(200);
}

fn delay_follows_settings(backend: Backend) {
    let server = start(backend, json!({"LOGIN_LONGEST_DELAY": 600}));
    let ann = server.user("ann");
    after_many_failures(&server, &ann, &[]);
    let refused = attempt(&server, STRANGER, "ann", PASSWORD).expect(429);
    assert!((61..=600).contains(&seconds(&refused)), "{refused}");
    let locking = json!({LOCKING: 3, "LOGIN_FAILURES_UNTIL_DELAY": 0, "LOGIN_LOCK_SECONDS": 7200});
    server.configure("authentication", locking);
    server.user("bob");
    let refused = lock(&server, "bob");
    assert!((901..=7200).contains(&seconds(&refused)), "{refused}");
}

fn variants_of_a_username_are_counted_together(backend: Backend) {
    let server = start(backend, json!({LOCKING: 3, "LOGIN_FAILURES_UNTIL_DELAY": 0}));
    let ann = server.user("ann");
    // NFKC normalizes both to "ann".
    let fullwidth = "\u{ff41}\u{ff4e}\u{ff4e}";
    let me = attempt(&server, STRANGER, fullwidth, PASSWORD).expect(200).json();
    assert_eq!(me["results"][0]["username"], "ann", "{me}");
    Browser::open(&server).log_in(&[("username", fullwidth), ("password", PASSWORD)]).expect(302);
    for name in [fullwidth, "ann", "\u{ff41}nn"] {
        attempt(&server, STRANGER, name, "wrong").expect(401);
    }
    expect_failures(&server, &ann, 3);
    attempt(&server, STRANGER, fullwidth, PASSWORD).expect(429);
}

fn common_passwords_are_rejected_by_setting(backend: Backend) {
    let server = start(backend, json!({}));
    let ann = server.user("ann");
    let admin = server.as_admin();
    let set = |client: &Client, password: &str| client.patch(&ann.path(), json!({"password": password}));
    set(&admin, "qwerty").expect(200);
    server.configure("authentication", json!({"LOCAL_PASSWORD_REFUSE_COMMON": true}));
    for common in ["123456", "PASSWORD", "letmein"] {
        let refused = set(&admin, common).expect(400);
        assert!(refused.json()["password"].is_array(), "{refused}");
    }
    // Sending the stored password is not a change.
    set(&admin, "qwerty").expect(200);
    set(&admin, PASSWORD).expect(200);
    admin.post("/api/v2/users/", json!({"username": "bob", "password": "123456"})).expect(400);
}

fn weak_admin_password_is_logged(backend: Backend) {
    let server = start(backend, json!({}));
    let log = server.stderr();
    assert!(log.contains("easily guessed"), "{log}");
    assert!(!log.contains(&format!("{}\"", hostler_testkit::ADMIN_PASSWORD)), "{log}");
}
