//! Credential input sources.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::{Value, json};

use crate::credentials::fixture::{CredentialsFixture, path};

on_each_backend!(
    input_source_must_fit_target,
    input_source_requires_permission_on_both_credentials,
    copy_keeps_input_sources,
    malformed_input_sources_are_rejected,
    errors_of_an_input_source_are_reported_together,
    change_of_an_input_source_needs_use_of_the_source,
);

const LIST: &str = "/api/v2/credential_input_sources/";

/// A credential of an external type.
fn external(fixture: &CredentialsFixture, name: &str, organization: i64) -> i64 {
    let body = json!({
        "name": name, "organization": organization, "credential_type": fixture.managed("hashivault_kv"),
        "inputs": {"url": "https://vault.example", "token": "s.secret", "api_version": "v2"},
    });
    fixture.admin.create("/api/v2/credentials/", body)
}

fn source(target: i64, source: i64) -> Value {
    json!({
        "target_credential": target, "source_credential": source, "input_field_name": "token",
        "metadata": {"secret_path": "kv/ours", "secret_key": "token"},
    })
}

fn input_source_must_fit_target(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let (target, vault) = (fixture.of_home("target"), external(&fixture, "vault", fixture.home));
    let refused = |change: Value| {
        let mut body = source(target, vault);
        for (key, value) in change.as_object().expect("an object") {
            body[key] = value.clone();
        }
        fixture.admin.post(LIST, &body).expect(400).json()
    };
    assert_eq!(
        refused(json!({"target_credential": vault})),
        json!({"target_credential": ["Target must be a non-external credential"]})
    );
    assert_eq!(
        refused(json!({"source_credential": target})),
        json!({
            "source_credential": ["Source must be an external credential"],
            "metadata": ["Additional properties are not allowed ('secret_key', 'secret_path' were unexpected)"],
        })
    );
    assert_eq!(
        refused(json!({"input_field_name": "nope"})),
        json!({"input_field_name": ["Input field must be defined on target credential (options are host, token)."]})
    );
    assert!(refused(json!({"metadata": {"secret_path": "x", "odd": "y"}}))["metadata"].is_array());
    assert!(refused(json!({"metadata": {}})).get("metadata").is_some());
    assert!(refused(json!({"metadata": "text"})).get("metadata").is_some());
    let made = fixture.admin.post(LIST, source(target, vault)).expect(201).json();
    assert_eq!(made["summary_fields"]["source_credential"]["name"], "vault");
    assert_eq!(made["summary_fields"]["user_capabilities"], json!({"delete": true}));
    assert!(refused(json!({}))["__all__"].is_array(), "one field has one source");
    let below = format!("{}input_sources/", path(target));
    assert_eq!(fixture.admin.results(&below).len(), 1);
    let mut body = source(target, vault);
    body["input_field_name"] = json!("host");
    body["target_credential"] = Value::Null;
    fixture.admin.post(&below, &body).expect(201);
    assert_eq!(fixture.admin.results(&format!("{LIST}?target_credential__name=target")).len(), 2);
    let detail = made["url"].as_str().expect("a path");
    fixture.admin.patch(detail, json!({"metadata": {"secret_path": "kv/other", "secret_key": "k"}})).expect(200);
    fixture.admin.delete(detail).expect(204);
    fixture.admin.delete(&path(vault)).expect(204);
    assert!(fixture.admin.results(&below).is_empty());
}

fn input_source_requires_permission_on_both_credentials(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let person = fixture.server.user("person");
    fixture.server.add_member(fixture.home, &person);
    let (target, vault) = (fixture.of_home("target"), external(&fixture, "vault", fixture.home));
    let body = source(target, vault);
    person.client.post(LIST, &body).expect(403);
    fixture.grant(target, "admin_role", &person);
    person.client.post(LIST, &body).expect(403);
    fixture.grant(vault, "read_role", &person);
    person.client.post(LIST, &body).expect(403);
    fixture.grant(vault, "use_role", &person);
    person.token("read").post(LIST, &body).expect(403);
    let made = person.client.post(LIST, &body).expect(201).json();
    let detail = made["url"].as_str().expect("a path").to_owned();
    // A change of the source or the target needs permission on the new one too.
    let (elsewhere, other) = (external(&fixture, "elsewhere", fixture.away), fixture.of_home("other"));
    person.client.patch(&detail, json!({"source_credential": elsewhere})).expect(403);
    person.client.patch(&detail, json!({"target_credential": other})).expect(403);
    let rival = fixture.server.user("rival");
    fixture.server.add_admin(fixture.away, &rival);
    rival.client.get(&detail).expect(403);
    assert!(rival.client.results(LIST).is_empty());
    rival.client.delete(&detail).expect(403);
    let reader = fixture.server.user("reader");
    fixture.server.add_member(fixture.home, &reader);
    fixture.grant(target, "read_role", &reader);
    let shown = reader.client.get(&detail).expect(200).json();
    assert!(shown["summary_fields"].get("source_credential").is_none(), "{shown}");
    reader.client.delete(&detail).expect(403);
    person.client.delete(&detail).expect(204);
}

fn copy_keeps_input_sources(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let (target, vault) = (fixture.of_home("target"), external(&fixture, "vault", fixture.home));
    fixture.admin.post(LIST, source(target, vault)).expect(201);
    let made = fixture.admin.post(&format!("{}copy/", path(target)), json!({"name": "twin"})).expect(201).json();
    let twin = made["id"].as_i64().expect("an id");
    let sources = fixture.admin.results(&format!("{}input_sources/", path(twin)));
    assert_eq!(sources[0]["metadata"], json!({"secret_path": "kv/ours", "secret_key": "token"}));
}

fn malformed_input_sources_are_rejected(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let (target, vault) = (fixture.of_home("target"), external(&fixture, "vault", fixture.home));
    for (field, value) in [
        ("metadata", json!("x")),
        ("metadata", json!(["x"])),
        ("metadata", json!(5)),
        ("metadata", json!(null)),
        ("metadata", json!({"secret_path": "a\0", "secret_key": "k"})),
        ("target_credential", json!(null)),
        ("target_credential", json!("x")),
        ("source_credential", json!(null)),
        ("input_field_name", json!(null)),
        ("input_field_name", json!(["token"])),
    ] {
        let mut body = source(target, vault);
        body[field] = value;
        let answer = fixture.admin.post(LIST, &body).expect(400).json();
        assert!(!answer[field].is_null(), "{body}: {answer}");
    }
    assert!(fixture.admin.results(LIST).is_empty());
}

fn errors_of_an_input_source_are_reported_together(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let (target, vault) = (fixture.of_home("target"), external(&fixture, "vault", fixture.home));
    let mut body = source(target, target);
    assert_eq!(
        fixture.admin.post(LIST, &body).expect(400).json(),
        json!({
            "metadata": ["Additional properties are not allowed ('secret_key', 'secret_path' were unexpected)"],
            "source_credential": ["Source must be an external credential"],
        })
    );
    body = source(vault, vault);
    body["metadata"] = json!({"secret_path": "a"});
    assert_eq!(
        fixture.admin.post(LIST, &body).expect(400).json(),
        json!({
            "metadata": {"secret_key": ["required for HashiCorp Vault Secret Lookup"]},
            "target_credential": ["Target must be a non-external credential"],
        })
    );
}

fn change_of_an_input_source_needs_use_of_the_source(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let (target, vault) = (fixture.of_home("target"), external(&fixture, "vault", fixture.home));
    let made = fixture.admin.post(LIST, source(target, vault)).expect(201).json();
    let detail = made["url"].as_str().expect("a path");
    let person = fixture.server.user("person");
    fixture.server.add_member(fixture.home, &person);
    fixture.grant(target, "admin_role", &person);
    person.client.get(detail).expect(200);
    person.client.patch(detail, json!({"description": "x"})).expect(403);
    fixture.grant(vault, "use_role", &person);
    person.client.patch(detail, json!({"description": "x"})).expect(200);
    person.client.delete(detail).expect(204);
}
