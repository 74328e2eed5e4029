//! Secrets of credentials appear in no response.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use crate::credentials::fixture::{CredentialsFixture, SECRET, path};

on_each_backend!(
    responses_contain_no_secret,
    encrypted_placeholder_keeps_stored_value,
    writing_stored_value_changes_nothing,
    filtering_by_inputs_is_rejected,
    stored_secrets_are_encrypted_and_bound_to_row,
    encrypted_placeholder_without_stored_value_is_rejected,
);

fn responses_contain_no_secret(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let created =
        fixture.admin.post("/api/v2/credentials/", fixture.body("key", "organization", fixture.home)).expect(201);
    let id = created.json()["id"].as_i64().expect("an id");
    let detail = path(id);
    let copied = fixture.admin.post(&format!("{detail}copy/"), json!({"name": "copy"})).expect(201);
    let changed =
        fixture.admin.patch(&detail, json!({"inputs": {"token": format!("{SECRET}-2"), "host": "h"}})).expect(200);
    let mut answers = vec![created, copied, changed];
    for list in [
        "/api/v2/credentials/",
        "/api/v2/activity_stream/?page_size=200",
        &format!("/api/v2/organizations/{}/credentials/", fixture.home),
        &format!("/api/v2/credential_types/{}/credentials/", fixture.kind),
        &format!("{detail}activity_stream/"),
        &detail,
    ] {
        answers.push(fixture.admin.get(list).expect(200));
    }
    answers.push(fixture.admin.options(&detail).expect(200));
    answers.push(fixture.admin.patch(&detail, json!({"inputs": {"token": {"odd": SECRET}}})));
    answers.push(fixture.admin.delete(&detail).expect(204));
    answers.push(fixture.admin.get("/api/v2/activity_stream/?page_size=200").expect(200));
    for answer in answers {
        assert!(!answer.text().contains(SECRET), "{answer} shows the secret");
    }
    assert!(!fixture.server.stderr().contains(SECRET), "the log shows the secret");
}

fn encrypted_placeholder_keeps_stored_value(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let detail = path(fixture.of_home("key"));
    let sent = json!({"inputs": {"token": "$encrypted$", "host": "other.example"}});
    let shown = fixture.admin.patch(&detail, &sent).expect(200).json();
    assert_eq!(shown["inputs"], sent["inputs"]);
    // Writing the stored secret changes nothing.
    let tag = fixture.admin.get(&detail).header("etag");
    fixture.admin.patch(&detail, json!({"inputs": {"token": SECRET, "host": "other.example"}})).expect(200);
    assert_eq!(fixture.admin.get(&detail).header("etag"), tag);
    // An input that is not sent is removed.
    let shown = fixture.admin.patch(&detail, json!({"inputs": {"host": "h"}})).expect(200).json();
    assert_eq!(shown["inputs"], json!({"host": "h"}));
    // PUT without inputs keeps them.
    let body = json!({"name": "renamed", "credential_type": fixture.kind});
    let shown = fixture.admin.put(&detail, body).expect(200).json();
    assert_eq!((&shown["inputs"], &shown["organization"]), (&json!({"host": "h"}), &json!(fixture.home)));
}

fn writing_stored_value_changes_nothing(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let detail = path(fixture.of_home("key"));
    let before = fixture.admin.get(&detail).expect(200);
    fixture.admin.patch(&detail, fixture.body("key", "organization", fixture.home)).expect(200);
    let after = fixture.admin.get(&detail).expect(200);
    assert_eq!(before.header("etag"), after.header("etag"));
    let entries = fixture.admin.get(&format!("{detail}activity_stream/")).json();
    assert_eq!(entries["count"], 1, "{entries}");
    fixture.admin.patch(&detail, json!({"inputs": {"token": "another", "host": "example.org"}})).expect(200);
    assert_ne!(fixture.admin.get(&detail).header("etag"), after.header("etag"));
    let entries = fixture.admin.get(&format!("{detail}activity_stream/?order_by=-id")).json();
    assert_eq!(entries["results"][0]["changes"], json!({"inputs": ["hidden", "hidden"]}));
}

fn filtering_by_inputs_is_rejected(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let id = fixture.of_home("key");
    fixture.admin.create("/api/v2/projects/", json!({"name": "p", "organization": fixture.home}));
    for filter in ["inputs__icontains=hush", "inputs=x", "order_by=inputs", "not__inputs__startswith=x"] {
        fixture.admin.get(&format!("/api/v2/credentials/?{filter}")).expect(403);
    }
    for list in ["projects/?credential__", "organizations/?credentials__", "credential_types/?credentials__"] {
        fixture.admin.get(&format!("/api/v2/{list}inputs__contains=hush")).expect(403);
    }
    let found = fixture.admin.results("/api/v2/credentials/?search=hush");
    assert!(found.is_empty(), "{id}: {found:?}");
}

/// A secret copied to another row in the database cannot be decrypted.
fn stored_secrets_are_encrypted_and_bound_to_row(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let (theirs, mine) = (fixture.of_home("theirs"), fixture.of_home("mine"));
    fixture.server.execute(&format!(
        "UPDATE credentials SET inputs = (SELECT inputs FROM credentials WHERE id = {theirs}) WHERE id = {mine}"
    ));
    // The copied text is shown as a secret, but cannot be decrypted.
    let shown = fixture.admin.get(&path(mine)).expect(200).json();
    assert_eq!(shown["inputs"]["token"], "$encrypted$");
    fixture.admin.post(&format!("{}copy/", path(mine)), json!({"name": "loot"})).expect(500);
    fixture.admin.post(&format!("{}copy/", path(theirs)), json!({"name": "fair"})).expect(201);
}

fn encrypted_placeholder_without_stored_value_is_rejected(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let mut body = fixture.body("key", "organization", fixture.home);
    body["inputs"]["token"] = json!("$encrypted$");
    let answer = fixture.admin.post("/api/v2/credentials/", &body).expect(400);
    let message = "$encrypted$ is a reserved keyword, and cannot be used for token.";
    assert_eq!(answer.json(), json!({"inputs": [message]}));
    let key = fixture.admin.create("/api/v2/credentials/", fixture.body("no token", "organization", fixture.away));
    fixture.admin.patch(&path(key), json!({"inputs": {}})).expect(200);
    let answer = fixture.admin.patch(&path(key), json!({"inputs": {"token": "$encrypted$"}})).expect(400);
    assert!(answer.json()["inputs"]["token"].is_array(), "{answer}");
    fixture.admin.delete(&path(key)).expect(204);
    for inputs in [json!("text"), json!(["token"]), json!(null), json!(5)] {
        body["inputs"] = inputs;
        let answer = fixture.admin.post("/api/v2/credentials/", &body).expect(400);
        assert!(answer.json()["inputs"].is_array(), "{answer}");
    }
    assert!(fixture.admin.results("/api/v2/credentials/?managed=false").is_empty());
}
