//! Invalid request bodies.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use super::{USERS, start};

on_each_backend!(
    body_that_is_no_object_is_rejected,
    oversized_body_is_rejected,
    deeply_nested_body_is_rejected,
    values_of_wrong_type_are_rejected,
    wrong_content_type_is_rejected,
);

fn body_that_is_no_object_is_rejected(backend: Backend) {
    let fixture = start(backend);
    let bodies: [&[u8]; 14] = [
        b"{",
        b"{\"a\":",
        b"[]",
        b"[{}]",
        b"\"text\"",
        b"1",
        b"true",
        b"null",
        b"{\"a\": 1,}",
        b"{'a': 1}",
        b"\xff\xfe",
        b"{\"first_name\": \"\xff\"}",
        b"{\"first_name\": \"\\ud800\"}",
        b"{} {}",
    ];
    for body in bodies {
        for (method, path) in [
            ("POST", USERS),
            ("PATCH", &fixture.user),
            ("PUT", &fixture.user),
            ("POST", "/api/v2/users/1/roles/"),
            ("PATCH", "/api/v2/settings/system/"),
        ] {
            fixture.refused(fixture.send(method, path, body));
        }
    }
    fixture.unchanged();
}

fn oversized_body_is_rejected(backend: Backend) {
    let fixture = start(backend);
    let body = json!({"first_name": "x".repeat(10_000_000)}).to_string();
    let token = fixture.admin.post("/api/v2/tokens/", json!({"scope": "write"})).expect(201).json();
    let head = format!(
        "PATCH {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nAuthorization: Bearer {}\r\n",
        fixture.user,
        token["token"].as_str().expect("a token")
    );
    // With Content-Length: rejected before the body is sent.
    let answer = fixture.server.send_raw(format!("{head}Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    assert!(answer.status == Some(413) && answer.body.contains("detail"), "{answer:?}");
    // Without Content-Length: rejected when the limit is exceeded.
    let chunk = "x".repeat(0x10000);
    let mut chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for _ in 0..41 {
        chunked.extend(format!("10000\r\n{chunk}\r\n").bytes());
    }
    let untold = fixture.server.send_raw(&chunked);
    assert!(untold.status == Some(413) && untold.body.contains("detail"), "{untold:?}");
    fixture.lives();
    assert_eq!(fixture.admin.get(&fixture.user).expect(200).json()["first_name"], "");
}

fn deeply_nested_body_is_rejected(backend: Backend) {
    let fixture = start(backend);
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
        for body in [deep.clone(), format!("{{\"first_name\": {deep}}}"), open.repeat(10_000)] {
            fixture.refused(fixture.send("PATCH", &fixture.user, body.clone()));
            fixture.refused(fixture.send("POST", USERS, body));
        }
    }
    fixture.unchanged();
}

fn values_of_wrong_type_are_rejected(backend: Backend) {
    let fixture = start(backend);
    for value in [json!([]), json!({}), json!([1]), json!({"a": 1}), json!(true)] {
        for field in ["username", "first_name", "last_name", "email", "password"] {
            let answer = fixture.admin.patch(&fixture.user, json!({field: value}));
            assert!(answer.json()[field].is_array(), "{answer}");
            fixture.refused(answer);
        }
        fixture.refused(fixture.admin.post("/api/v2/organizations/", json!({"name": value})));
        fixture.refused(fixture.admin.post("/api/v2/teams/", json!({"name": "a", "organization": value})));
        fixture.refused(
            fixture
                .admin
                .post("/api/v2/users/1/roles/", json!({"id": if value == json!(true) { json!("x") } else { value }})),
        );
    }
    for max_hosts in [json!("x"), json!(-1), json!(1.5), json!([]), json!(true), json!(1e300)] {
        fixture.refused(fixture.admin.post("/api/v2/organizations/", json!({"name": "a", "max_hosts": max_hosts})));
    }
    fixture.refused(fixture.admin.post("/api/v2/teams/", json!({"name": "a", "organization": 999_999})));
    fixture.refused(fixture.admin.post("/api/v2/teams/", json!({"nothing": "known"})));
    fixture.unchanged();
}

fn wrong_content_type_is_rejected(backend: Backend) {
    let fixture = start(backend);
    for media in ["text/plain", "text/html", "multipart/form-data", "application/jsonp", "nonsense", ""] {
        for (method, path) in [("POST", USERS), ("PATCH", &fixture.user), ("PUT", &fixture.user)] {
            let call = fixture.admin.request(method, path).header("Content-Type", media);
            let answer = call.body("{\"username\": \"made\", \"password\": \"Made-Up-1\"}").send();
            assert_eq!(answer.status, 415, "{media:?}: {answer}");
            fixture.refused(answer);
        }
    }
    const FORM: &str = "application/x-www-form-urlencoded";
    let form = fixture.admin.request("PATCH", &fixture.user).header("Content-Type", FORM);
    let answer = form.body("first_name=Ann").send();
    assert_eq!(answer.status, 415, "a form: {answer}");
    fixture.refused(answer);
    fixture.unchanged();
    // The request of curl with -d and without a content type.
    let call = fixture.admin.request("PATCH", &fixture.user).header("Content-Type", FORM);
    call.body("{\"first_name\": \"Ada\"}").send().expect(200);
    let call = fixture.admin.request("PATCH", &fixture.user).header("Content-Type", "Application/JSON; charset=utf-8");
    call.body("{\"first_name\": \"Ann\"}").send().expect(200);
    let answer = fixture.admin.request("GET", USERS).header("Accept", "image/png").send();
    assert_eq!(answer.status, 406, "{answer}");
    fixture.refused(answer);
}
