//! `credentials/N/test/` and `credential_types/N/test/`.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::{Value, json};

use crate::credentials::fixture::{CredentialsFixture, path};

on_each_backend!(lookup_test_of_a_credential_checks_its_values, lookup_test_of_a_type_checks_its_values);

fn lookup_test_of_a_credential_checks_its_values(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let body = json!({
        "name": "vault", "organization": fixture.home, "credential_type": fixture.managed("hashivault_kv"),
        "inputs": {"url": "https://vault.example", "token": "s.secret", "api_version": "v2"},
    });
    let vault = fixture.admin.create("/api/v2/credentials/", body);
    let test = format!("{}test/", path(vault));
    let reason = |body: Value| {
        let response = fixture.admin.post(&test, &body).expect(400);
        assert!(!response.text().contains("s.secret"), "{response}");
        response.json()["inputs"].as_str().expect("a reason").to_owned()
    };
    let metadata = json!({"secret_path": "/a", "secret_key": "k"});
    assert!(reason(json!({"metadata": metadata})).contains("cannot look up"));
    assert!(reason(json!({"metadata": metadata, "inputs": {"token": "$encrypted$"}})).contains("cannot look up"));
    assert!(reason(json!({"metadata": {}})).contains("secret_path: required"));
    assert!(reason(json!({"metadata": "x"})).contains("metadata must be an object"));
    assert!(reason(json!({"metadata": metadata, "inputs": ["x"]})).contains("inputs must be an object"));
    assert!(reason(json!({"metadata": metadata, "inputs": {"url": "not a url"}})).contains("Invalid URL"));
    assert!(reason(json!({"metadata": metadata, "inputs": {"url": ""}})).contains("url: "));
    assert!(reason(json!({"metadata": metadata, "inputs": {"odd": 1}})).contains("odd"));
    let not_external = format!("{}test/", path(fixture.of_home("key")));
    let response = fixture.admin.post(&not_external, json!({})).expect(400).json();
    assert!(response["inputs"].as_str().is_some_and(|reason| reason.contains("external")), "{response}");
    // Testing a credential requires its use role.
    let person = fixture.server.user("person");
    person.client.post(&test, json!({"metadata": metadata})).expect(403);
    fixture.server.add_member(fixture.home, &person);
    fixture.grant(vault, "read_role", &person);
    person.client.post(&test, json!({"metadata": metadata})).expect(403);
    person.client.get(&test).expect(403);
    fixture.grant(vault, "use_role", &person);
    person.client.get(&test).expect(200);
    person.client.post(&test, json!({"metadata": metadata})).expect(400);
    person.token("read").post(&test, json!({"metadata": metadata})).expect(403);
    fixture.admin.post("/api/v2/credentials/99999/test/", json!({})).expect(404);
}

fn lookup_test_of_a_type_checks_its_values(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let test = format!("/api/v2/credential_types/{}/test/", fixture.managed("hashivault_kv"));
    let inputs = json!({"url": "https://vault.example", "api_version": "v1"});
    let body = json!({"inputs": inputs, "metadata": {"secret_path": "/a", "secret_key": "k"}});
    let response = fixture.admin.post(&test, &body).expect(400).json();
    assert!(response["inputs"].as_str().is_some_and(|reason| reason.contains("cannot look up")), "{response}");
    let response = fixture.admin.post(&test, json!({"inputs": {}, "metadata": {}})).expect(400).json();
    assert!(response["inputs"].as_str().is_some_and(|reason| reason.contains("url: required")), "{response}");
    let response = fixture.admin.post(&test, json!({"inputs": {"token": "$encrypted$"}})).expect(400).json();
    assert!(response["inputs"].as_str().is_some_and(|reason| reason.contains("$encrypted$")), "{response}");
    let person = fixture.server.user("person");
    person.client.post(&test, &body).expect(403);
    person.client.get(&test).expect(403);
}
