//! Concurrent writes, with and without `If-Match`.

use std::sync::Barrier;
use std::thread;

use hostler_testkit::{Backend, Client, Response, TestServer, on_each_backend};
use serde_json::{Value, json};

on_each_backend!(
    etag_changes_with_state,
    if_match_with_other_etag_is_rejected,
    permission_is_checked_before_if_match,
    concurrent_writes_with_one_etag_have_one_winner,
    concurrent_writes_of_different_fields_both_apply,
    users_who_update_each_other_both_succeed,
    concurrent_creates_of_one_username_have_one_winner,
    last_two_superusers_cannot_both_be_demoted,
    concurrent_requests_keep_their_user,
);

fn start(backend: Backend) -> TestServer {
    TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend)
}

fn tag(client: &Client, path: &str) -> String {
    let answer = client.get(path).expect(200);
    answer.header("ETag").unwrap_or_else(|| panic!("no ETag on {answer}"))
}

fn write(client: &Client, method: &str, path: &str, expected: Option<&str>, body: Value) -> Response {
    let call = client.request(method, path).json(body);
    match expected {
        Some(expected) => call.header("If-Match", expected).send(),
        None => call.send(),
    }
}

/// One of several simultaneous requests.
type Act<'a> = Box<dyn Fn() -> Response + Send + Sync + 'a>;

/// Sends all requests at the same time.
fn at_once(acts: Vec<Act<'_>>) -> Vec<Response> {
    let barrier = Barrier::new(acts.len());
    thread::scope(|scope| {
        let threads: Vec<_> = acts
            .iter()
            .map(|act| {
                let barrier = &barrier;
                scope.spawn(move || {
                    barrier.wait();
                    act()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("an answer")).collect()
    })
}

fn summary(answers: &[Response]) -> String {
    answers.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn statuses(answers: &[Response]) -> Vec<u16> {
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    statuses
}

fn etag_changes_with_state(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let org = server.organization("Acme");
    let team = server.team("ops", org);
    let user = server.user("ann");
    for (path, field) in [
        (user.path(), "first_name"),
        (format!("/api/v2/organizations/{org}/"), "description"),
        (format!("/api/v2/teams/{team}/"), "description"),
    ] {
        let first = tag(&admin, &path);
        assert!(first.starts_with('"') && first.ends_with('"'), "{first} is no strong tag");
        assert_eq!(tag(&admin, &path), first, "{path}: the tag changed without a write");
        let changed = admin.patch(&path, json!({field: "other"})).expect(200);
        let second = tag(&admin, &path);
        assert!(second != first, "{path}: the change left the tag");
        assert_eq!(changed.header("ETag").as_ref(), Some(&second), "{path}: the answer to PATCH has another tag");
        admin.patch(&path, json!({field: "other"})).expect(200);
        assert_eq!(tag(&admin, &path), second, "{path}: the same value changed the tag");
        // The version differs although the value is the old one again.
        admin.patch(&path, json!({field: ""})).expect(200);
        assert!(tag(&admin, &path) != first, "{path}");
    }
    admin.patch(&user.path(), json!({"password": "Another-Word-1"})).expect(200);
    assert!(tag(&admin, &user.path()) != tag(&admin, "/api/v2/users/1/"));
}

fn if_match_with_other_etag_is_rejected(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let ann = server.user("ann");
    let path = ann.path();
    let old = tag(&admin, &path);
    admin.patch(&path, json!({"first_name": "Ann"})).expect(200);
    let now = tag(&admin, &path);
    let weak = format!("W/{now}");
    let stale = [old.as_str(), "\"\"", "nonsense", "", weak.as_str(), "\"a\", \"b\""];
    let before = admin.get(&path).expect(200).json();
    for expected in stale {
        for (method, body) in [
            ("PATCH", json!({"last_name": "X"})),
            ("PATCH", json!({"password": "Another-Word-1"})),
            ("PUT", json!({"username": "ann", "last_name": "X"})),
            ("DELETE", json!({})),
        ] {
            let answer = write(&admin, method, &path, Some(expected), body);
            assert_eq!(answer.status, 412, "If-Match: {expected}: {answer}");
            assert!(answer.json()["detail"].is_string(), "{answer}");
        }
    }
    assert_eq!(admin.get(&path).expect(200).json(), before);
    ann.client.get("/api/v2/me/").expect(200);
    // The ETag of another object does not match.
    let foreign = tag(&admin, "/api/v2/users/1/");
    write(&admin, "PATCH", &path, Some(&foreign), json!({"last_name": "X"})).expect(412);
    for (number, expected) in ["*", "the tag", "\"x\", the tag", "the tag ,\"x\""].iter().enumerate() {
        let expected = expected.replace("the tag", &tag(&admin, &path));
        let answer = write(&admin, "PATCH", &path, Some(&expected), json!({"last_name": number.to_string()}));
        assert_eq!(answer.status, 200, "If-Match: {expected}: {answer}");
    }
    let put = json!({"username": "ann", "first_name": "Ann"});
    write(&admin, "PUT", &path, Some(&tag(&admin, &path)), put.clone()).expect(200);
    write(&admin, "PUT", &path, None, put).expect(200);
    write(&admin, "PATCH", "/api/v2/users/ann/", Some(&tag(&admin, &path)), json!({"last_name": "Y"})).expect(200);
    write(&admin, "DELETE", &path, Some(&old), json!({})).expect(412);
    write(&admin, "DELETE", &path, Some(&tag(&admin, &path)), json!({})).expect(204);
    write(&admin, "PATCH", &path, Some("*"), json!({})).expect(404);
}

fn permission_is_checked_before_if_match(backend: Backend) {
    let server = start(backend);
    let (ann, bob) = (server.user("ann"), server.user("bob"));
    let right = tag(&server.as_admin(), &ann.path());
    for expected in [right.as_str(), "\"wrong\"", "*"] {
        for method in ["PATCH", "PUT", "DELETE"] {
            // The response is the same for a right and a wrong guess. Otherwise it would reveal the number of changes
            // to Ann.
            write(&bob.client, method, &ann.path(), Some(expected), json!({"username": "x"})).expect(403);
        }
    }
}

fn concurrent_writes_with_one_etag_have_one_winner(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let ann = server.user("ann");
    let (admin, path) = (&admin, &ann.path());
    for round in 0..5 {
        let seen = &tag(admin, path);
        let acts = (0..4).map(|writer| {
            let body = json!({"first_name": format!("{round}-{writer}")});
            Box::new(move || write(admin, "PATCH", path, Some(seen), body.clone())) as Act<'_>
        });
        assert_eq!(statuses(&at_once(acts.collect())), [200, 412, 412, 412], "round {round}");
    }
}

fn concurrent_writes_of_different_fields_both_apply(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let ann = server.user("ann");
    let (admin, path) = (&admin, &ann.path());
    for round in 0..5 {
        let fields = [
            json!({"first_name": format!("f{round}")}),
            json!({"last_name": format!("l{round}")}),
            json!({"email": format!("e{round}@example.org")}),
            json!({"is_system_auditor": round % 2 == 0}),
        ];
        let acts = fields.iter().map(|body| Box::new(move || admin.patch(path, body)) as Act<'_>);
        assert_eq!(statuses(&at_once(acts.collect())), [200; 4], "round {round}");
        let now = admin.get(path).expect(200).json();
        for body in &fields {
            for (name, value) in body.as_object().expect("an object") {
                assert_eq!(now[name], *value, "round {round}: {name} was lost");
            }
        }
    }
    let entries = admin.results(&format!("{path}activity_stream/?operation=update&changes__icontains=first_name"));
    assert_eq!(entries.len(), 5, "each change is recorded once");
}

fn users_who_update_each_other_both_succeed(backend: Backend) {
    let server = start(backend);
    let [ann, bob] = ["ann", "bob"].map(|name| server.user_with(name, json!({"is_superuser": true})));
    for round in 0..5 {
        let body = |name: &str| json!({"first_name": format!("{name}{round}")});
        let acts: Vec<Act<'_>> = vec![
            Box::new(|| ann.client.patch(&bob.path(), body("bob"))),
            Box::new(|| bob.client.patch(&ann.path(), body("ann"))),
        ];
        let answers = at_once(acts);
        assert_eq!(statuses(&answers), [200, 200], "round {round}: {}", summary(&answers));
    }
}

fn concurrent_creates_of_one_username_have_one_winner(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let admin = &admin;
    let acts = (0..8).map(|number| {
        let body = json!({"username": "wanted", "password": "Some-Word-1", "first_name": number.to_string()});
        Box::new(move || admin.post("/api/v2/users/", &body)) as Act<'_>
    });
    let answers = at_once(acts.collect());
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1, "{}", summary(&answers));
    for answer in &answers {
        assert!([201, 400, 409].contains(&answer.status), "{answer}");
    }
    assert_eq!(admin.get("/api/v2/users/?username=wanted").expect(200).json()["count"], 1);
    // Existing users that are renamed to the same name.
    let users: Vec<_> = (0..4).map(|number| server.user(&format!("user-{number}"))).collect();
    let acts =
        users.iter().map(|user| Box::new(move || admin.patch(&user.path(), json!({"username": "renamed"}))) as Act<'_>);
    let answers = at_once(acts.collect());
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "{}", summary(&answers));
    assert!(answers.iter().all(|answer| [200, 400, 409].contains(&answer.status)), "{}", summary(&answers));
}

fn last_two_superusers_cannot_both_be_demoted(backend: Backend) {
    let server = start(backend);
    let second = server.user_with("second", json!({"is_superuser": true}));
    let first = server.as_admin();
    let (first, second_path) = (&first, &second.path());
    let demoted = json!({"is_superuser": false});
    for round in 0..4 {
        // Each superuser demotes themselves, then the other. Before each round both are superusers.
        let (a, b) = if round % 2 == 0 {
            ("/api/v2/users/1/", second_path.as_str())
        } else {
            (second_path.as_str(), "/api/v2/users/1/")
        };
        let acts: Vec<Act<'_>> =
            vec![Box::new(|| first.patch(a, &demoted)), Box::new(|| second.client.patch(b, &demoted))];
        let answers = at_once(acts);
        let done = answers.iter().filter(|answer| answer.status == 200).count();
        assert!(
            done == 1 && answers.iter().all(|answer| [200, 400, 403].contains(&answer.status)),
            "{}",
            summary(&answers)
        );
        let left = [first, &second.client]
            .into_iter()
            .find(|client| client.get("/api/v2/me/").expect(200).json()["results"][0]["is_superuser"] == true);
        let left = left.expect("a superuser");
        left.patch("/api/v2/users/1/", json!({"is_superuser": true})).expect(200);
        left.patch(second_path, json!({"is_superuser": true})).expect(200);
    }
}

fn concurrent_requests_keep_their_user(backend: Backend) {
    let server = start(backend);
    let people = [server.user("ann"), server.user("bob")];
    let clients: Vec<_> =
        people.iter().flat_map(|person| [(person, person.client.clone()), (person, person.token("read"))]).collect();
    thread::scope(|scope| {
        for (person, client) in clients.iter().chain(&clients) {
            scope.spawn(move || {
                for _ in 0..25 {
                    let answer = client.get("/api/v2/me/").expect(200);
                    let me = &answer.json()["results"][0];
                    assert!(me["id"] == person.id && me["username"] == *person.name, "{} got {answer}", person.name);
                }
            });
        }
    });
}
