//! Credential types: permissions and rules.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::{Value, json};

use crate::credentials::fixture::{CredentialsFixture, SECRET, a_type, path};

on_each_backend!(
    only_superusers_create_credential_types,
    managed_types_are_read_only,
    types_in_use_cannot_change_inputs,
    credential_shows_kind_and_cloud,
    changing_type_revalidates_inputs,
    changed_type_reveals_no_secret,
    managed_types_survive_a_restart,
    custom_types_cannot_have_the_name_of_a_managed_type,
);

const LIST: &str = "/api/v2/credential_types/";

fn only_superusers_create_credential_types(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let (boss, auditor) =
        (fixture.server.user("boss"), fixture.server.user_with("auditor", json!({"is_system_auditor": true})));
    fixture.server.add_admin(fixture.home, &boss);
    let detail = format!("{LIST}{}/", fixture.kind);
    for person in [&boss, &auditor] {
        person.client.get(&detail).expect(200);
        assert!(person.client.results(LIST).len() > 1, "everybody sees all types");
        person.client.post(LIST, a_type("mine")).expect(403);
        person.client.patch(&detail, json!({"name": "mine"})).expect(403);
        person.client.delete(&detail).expect(403);
        let shown = person.client.options(LIST).expect(200).json();
        assert!(shown["actions"].get("POST").is_none(), "{shown}");
    }
    let shown = fixture.admin.get(&format!("{LIST}cloudy+cloud/")).expect(200).json();
    assert_eq!(shown["id"], fixture.kind);
    let answer = fixture.admin.post(LIST, a_type("cloudy")).expect(400).json();
    assert_eq!(answer, json!({"__all__": ["Credential type with this Name and Kind already exists."]}));
}

fn managed_types_are_read_only(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let machine = format!("{LIST}{}/", fixture.managed("ssh"));
    let before = fixture.admin.get(&machine).expect(200).json();
    assert_eq!(before["id"], 1, "as in AWX");
    let answer = fixture.admin.patch(&machine, json!({"description": "x"})).expect(403).json();
    assert_eq!(answer, json!({"detail": "Modifications not allowed for managed credential types"}));
    fixture.admin.put(&machine, &before).expect(403);
    let answer = fixture.admin.delete(&machine).expect(403).json();
    assert_eq!(answer, json!({"detail": "Deletion not allowed for managed credential types"}));
    // A custom type cannot set `managed` either.
    let mut body = a_type("fake");
    body["managed"] = json!(true);
    body["namespace"] = json!("ssh");
    let made = fixture.admin.post(LIST, &body).expect(201).json();
    assert_eq!((&made["managed"], &made["namespace"]), (&json!(false), &Value::Null));
}

fn types_in_use_cannot_change_inputs(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let key = fixture.of_home("key");
    let detail = format!("{LIST}{}/", fixture.kind);
    let mut inputs = a_type("")["inputs"].clone();
    // Making a secret field public would reveal its stored values.
    inputs["fields"][0]["secret"] = json!(false);
    let answer = fixture.admin.patch(&detail, json!({"inputs": inputs})).expect(403).json();
    let message = "Modifications to inputs are not allowed for credential types that are in use";
    assert_eq!(answer, json!({"detail": message}));
    fixture.admin.patch(&detail, json!({"inputs": a_type("")["inputs"], "description": "same"})).expect(200);
    let answer = fixture.admin.delete(&detail).expect(403).json();
    assert_eq!(answer, json!({"detail": "Credential types that are in use cannot be deleted"}));
    fixture.admin.delete(&path(key)).expect(204);
    fixture.admin.patch(&detail, json!({"inputs": inputs})).expect(200);
    fixture.admin.delete(&detail).expect(204);
    let entries = fixture.admin.results("/api/v2/activity_stream/?object1=credential_type&order_by=id");
    let operations: Vec<_> = entries.iter().map(|entry| entry["operation"].clone()).collect();
    assert_eq!(operations, ["create", "update", "update", "delete"]);
}

fn credential_shows_kind_and_cloud(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let key = path(fixture.of_home("key"));
    let shown = fixture.admin.get(&key).expect(200);
    let what = |shown: &Value| (shown["kind"].clone(), shown["cloud"].clone(), shown["kubernetes"].clone());
    assert_eq!(what(&shown.json()), (Value::Null, json!(true), json!(false)));
    fixture.admin.patch(&format!("{LIST}{}/", fixture.kind), json!({"kind": "net"})).expect(200);
    let changed = fixture.admin.get(&key).expect(200);
    assert_eq!(what(&changed.json()), (Value::Null, json!(false), json!(false)));
    assert_ne!(changed.header("etag"), shown.header("etag"), "it looks different now");
    let body = json!({
        "name": "k8s", "organization": fixture.home, "credential_type": fixture.managed("kubernetes_bearer_token"),
        "inputs": {"host": "https://k8s.example"},
    });
    let shown = fixture.admin.post("/api/v2/credentials/", body).expect(201).json();
    assert_eq!(what(&shown), (json!("kubernetes_bearer_token"), json!(false), json!(true)));
    let found = fixture.admin.results("/api/v2/credentials/?credential_type__kind=kubernetes");
    assert_eq!(found.len(), 1);
}

fn changing_type_revalidates_inputs(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let key = path(fixture.of_home("key"));
    let vault = fixture.managed("vault");
    let answer = fixture.admin.patch(&key, json!({"credential_type": vault})).expect(400).json();
    assert_eq!(answer, json!({"inputs": ["Additional properties are not allowed ('host', 'token' were unexpected)"]}));
    let shown = fixture
        .admin
        .patch(&key, json!({"credential_type": vault, "inputs": {"vault_password": "x"}}))
        .expect(200)
        .json();
    assert_eq!((&shown["kind"], &shown["inputs"]), (&json!("vault"), &json!({"vault_password": "$encrypted$"})));
}

fn changed_type_reveals_no_secret(backend: Backend) {
    let mut fixture = CredentialsFixture::new(backend);
    let mut public = a_type("public");
    public["inputs"]["fields"][0]["secret"] = json!(false);
    let public = fixture.admin.create(LIST, public);
    let masked = json!({"token": "$encrypted$", "host": "example.org"});
    let mut answers = vec![];
    for (name, change) in [
        ("type", json!({"credential_type": public})),
        ("type and mask", json!({"credential_type": public, "inputs": masked})),
    ] {
        let key = path(fixture.of_home(name));
        let changed = fixture.admin.patch(&key, change).expect(200);
        assert_eq!(changed.json()["inputs"], json!({"host": "example.org"}));
        answers.push(changed);
        answers
            .push(fixture.admin.post(&format!("{key}copy/"), json!({"name": format!("copy of {name}")})).expect(201));
        answers.push(fixture.admin.get(&key));
    }
    answers.push(fixture.admin.get("/api/v2/credentials/"));
    answers.push(fixture.admin.get("/api/v2/activity_stream/?page_size=200"));
    for answer in answers {
        assert!(!answer.text().contains(SECRET), "{answer} shows the secret");
    }
    fixture.server.stop();
    assert!(!fixture.server.dump().contains(SECRET), "the database contains the secret");
}

fn managed_types_survive_a_restart(backend: Backend) {
    let mut fixture = CredentialsFixture::new(backend);
    let before = fixture.admin.get(&format!("{LIST}?managed=true&page_size=200")).expect(200).json();
    fixture.server.restart();
    let after = fixture.admin.get(&format!("{LIST}?managed=true&page_size=200")).expect(200).json();
    assert_eq!(before, after);
    assert!(before["count"].as_i64() >= Some(30), "{}", before["count"]);
}

fn custom_types_cannot_have_the_name_of_a_managed_type(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    for name in ["Machine", "machine", " MACHINE ", "Network", "Amazon web services"] {
        for kind in ["cloud", "net"] {
            let answer = fixture.admin.post(LIST, json!({"name": name, "kind": kind})).expect(400).json();
            assert!(answer["name"].is_array(), "{name}: {answer}");
        }
    }
    let detail = format!("{LIST}{}/", fixture.kind);
    let answer = fixture.admin.patch(&detail, json!({"name": "vault"})).expect(400).json();
    assert!(answer["name"].is_array(), "{answer}");
    // A type with such a name from an older version can still be changed.
    fixture.server.execute(&format!("UPDATE credential_types SET name = 'Machine' WHERE id = {}", fixture.kind));
    fixture.admin.patch(&detail, json!({"description": "old"})).expect(200);
}
