//! Usernames and addresses in normal form, and the date of joining.

use hostler_testkit::{Backend, PASSWORD, TestServer, on_each_backend};
use serde_json::json;

on_each_backend!(
    usernames_are_stored_in_nfkc,
    username_that_looks_like_another_is_taken,
    email_domains_are_stored_in_lower_case,
    users_are_filtered_and_ordered_by_date_joined,
);

fn usernames_are_stored_in_nfkc(backend: Backend) {
    let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let admin = server.as_admin();
    for (sent, stored) in
        [("\u{fb01}sh", "fish"), ("\u{ff21}\u{ff22}", "AB"), ("x\u{b2}", "x2"), ("u\u{308}", "\u{fc}")]
    {
        let made = admin.post("/api/v2/users/", json!({"username": sent, "password": PASSWORD})).expect(201).json();
        assert_eq!(made["username"], stored);
        let path = made["url"].as_str().expect("a path");
        for name in [sent, stored] {
            server.as_user(name, PASSWORD).get("/api/v2/me/").expect(200);
        }
        // The same name in another Unicode form is not a change.
        assert_eq!(admin.patch(path, json!({"username": sent})).expect(200).json()["username"], stored);
        assert_eq!(admin.put(path, json!({"username": sent})).expect(200).json()["username"], stored);
        assert_eq!(admin.get(&format!("{path}activity_stream/?operation=update")).json()["count"], 0);
    }
    let plain = server.user("plain");
    assert_eq!(admin.patch(&plain.path(), json!({"username": "\u{ff50}2"})).expect(200).json()["username"], "p2");
    assert_eq!(admin.put(&plain.path(), json!({"username": "\u{ff50}3"})).expect(200).json()["username"], "p3");
    // The length is that of the normal form: this ligature becomes eighteen characters.
    let long = "\u{fdfa}".repeat(9);
    let refused = admin.post("/api/v2/users/", json!({"username": long, "password": PASSWORD})).expect(400).json();
    assert!(refused["username"].is_array(), "{refused}");
}

fn username_that_looks_like_another_is_taken(backend: Backend) {
    let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let admin = server.as_admin();
    let taken = json!({"username": ["A user with that username already exists."]});
    let body = json!({"username": "\u{ff41}dmin", "password": PASSWORD});
    assert_eq!(admin.post("/api/v2/users/", &body).expect(400).json(), taken);
    let organization = server.organization("acme");
    for list in [
        format!("/api/v2/organizations/{organization}/users/"),
        format!("/api/v2/organizations/{organization}/admins/"),
    ] {
        assert_eq!(admin.post(&list, &body).expect(400).json(), taken);
    }
    let person = server.user("person");
    for name in ["\u{ff41}dmin", "admin"] {
        assert_eq!(admin.patch(&person.path(), json!({"username": name})).expect(400).json(), taken);
        assert_eq!(admin.put(&person.path(), json!({"username": name})).expect(400).json(), taken);
    }
}

fn email_domains_are_stored_in_lower_case(backend: Backend) {
    let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let admin = server.as_admin();
    let body = json!({"username": "em", "password": PASSWORD, "email": "A.B@EXAMPLE.Org"});
    let made = admin.post("/api/v2/users/", body).expect(201).json();
    assert_eq!(made["email"], "A.B@example.org");
    let path = made["url"].as_str().expect("a path");
    assert_eq!(admin.get("/api/v2/users/?email=A.B@example.org").json()["count"], 1);
    assert_eq!(admin.patch(path, json!({"email": "C@EXAMPLE.NET"})).expect(200).json()["email"], "C@example.net");
    let body = json!({"username": "em", "email": "D@Example.COM"});
    assert_eq!(admin.put(path, body).expect(200).json()["email"], "D@example.com");
    admin.patch(path, json!({"email": "a@B@example.org"})).expect(400);
    assert_eq!(admin.patch(path, json!({"email": ""})).expect(200).json()["email"], "");
}

fn users_are_filtered_and_ordered_by_date_joined(backend: Backend) {
    let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let admin = server.as_admin();
    for name in ["early", "late"] {
        server.user(name);
    }
    server.organization("acme");
    for (path, first) in [
        ("/api/v2/users/?order_by=date_joined", "admin"),
        ("/api/v2/users/?order_by=-date_joined,username", "late"),
        ("/api/v2/users/?date_joined__gt=2020-01-01&order_by=-id", "late"),
    ] {
        let list = admin.get(path).expect(200).json();
        assert_eq!(list["count"], 3, "{path}");
        assert_eq!(list["results"][0]["username"], first, "{path}");
        assert!(list["results"][0].get("date_joined").is_none(), "answers do not show it, as in AWX");
    }
    assert_eq!(admin.get("/api/v2/users/?date_joined__lt=2020-01-01").expect(200).json()["count"], 0);
    let created = admin.get("/api/v2/organizations/?created_by__date_joined__gt=2020-01-01").expect(200).json();
    assert!(created["count"].as_i64() > Some(0), "{created}");
}
