//! Checks of credential inputs that AWX does not make or answers with 500.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::{Value, json};

use crate::credentials::fixture::{CredentialsFixture, SECRET, path};

on_each_backend!(
    invalid_private_keys_are_rejected,
    null_characters_in_inputs_are_rejected,
    null_characters_in_type_definitions_are_rejected,
    empty_secrets_are_not_stored,
    put_with_empty_secret_keeps_the_stored_secret,
    patch_with_empty_secret_removes_the_stored_secret,
    put_with_new_private_key_drops_the_old_passphrase,
);

const LIST: &str = "/api/v2/credentials/";
const KEY: &str = include_str!("../../../../credential-types/src/private_key/samples/openssh_ed25519.pem");
const ENCRYPTED_KEY: &str =
    include_str!("../../../../credential-types/src/private_key/samples/openssh_ed25519_locked.pem");

fn machine(fixture: &CredentialsFixture, name: &str, inputs: Value) -> Value {
    json!({"name": name, "organization": fixture.home, "credential_type": fixture.managed("ssh"), "inputs": inputs})
}

/// The number of credentials of the organization.
fn count(fixture: &CredentialsFixture) -> usize {
    fixture.admin.results(&format!("/api/v2/organizations/{}/credentials/", fixture.home)).len()
}

fn invalid_private_keys_are_rejected(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let created = fixture.admin.create(LIST, machine(&fixture, "machine", json!({})));
    let block = |body: &str| format!("-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----\n");
    for key in
        [json!(block("M!IBPAIBAAJB")), json!(block("AAAA")), json!([KEY]), json!({"key": KEY}), json!(5), json!("ASK")]
    {
        let body = machine(&fixture, "new", json!({"ssh_key_data": key}));
        let response = fixture.admin.post(LIST, &body).expect(400);
        assert!(response.json()["inputs"]["ssh_key_data"].is_array(), "{key}: {response}");
        let response = fixture.admin.patch(&path(created), json!({"inputs": {"ssh_key_data": key}})).expect(400);
        assert!(!response.json()["inputs"].is_null(), "{key}: {response}");
    }
    assert_eq!(count(&fixture), 1);
}

fn null_characters_in_inputs_are_rejected(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let created = fixture.admin.create(LIST, machine(&fixture, "machine", json!({})));
    let inputs = json!({"username": "a\0b", "password": "c\0d", "ssh_key_data": "\0", "become_method": "sudo"});
    let message = json!(["Null characters are not allowed."]);
    let expected = json!({"inputs": {"username": message, "password": message, "ssh_key_data": message}});
    let response = fixture.admin.post(LIST, machine(&fixture, "new", inputs.clone())).expect(400);
    assert_eq!(response.json(), expected);
    let response = fixture.admin.patch(&path(created), json!({"inputs": inputs})).expect(400);
    assert_eq!(response.json(), expected);
    fixture.admin.post(LIST, machine(&fixture, "new", json!({"user\0name": "x"}))).expect(400);
    assert_eq!(count(&fixture), 1);
}

fn null_characters_in_type_definitions_are_rejected(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let types = "/api/v2/credential_types/";
    let message = json!(["Null characters are not allowed."]);
    let fields = json!({"fields": [{"id": "a", "label": "A", "help_text": "x\0y"}]});
    let body = json!({"name": "null", "kind": "cloud", "inputs": fields});
    assert_eq!(fixture.admin.post(types, body).expect(400).json(), json!({"inputs": message}));
    let body = json!({"name": "null", "kind": "cloud", "injectors": {"env": {"X": "a\0"}}});
    assert_eq!(fixture.admin.post(types, body).expect(400).json(), json!({"injectors": message}));
}

fn empty_secrets_are_not_stored(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let inputs = json!({"username": "", "password": "", "ssh_key_data": null, "ssh_key_unlock": ""});
    let created = fixture.admin.post(LIST, machine(&fixture, "machine", inputs)).expect(201).json();
    assert_eq!(created["inputs"], json!({"username": ""}));
}

/// `awx import` replaces each `$encrypted$` of an export by an empty string and sends PUT.
fn put_with_empty_secret_keeps_the_stored_secret(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let inputs = json!({
        "username": "u", "password": SECRET, "ssh_key_data": ENCRYPTED_KEY, "ssh_key_unlock": "pass",
        "become_password": "ASK",
    });
    let id = fixture.admin.create(LIST, machine(&fixture, "machine", inputs));
    let exported = fixture.admin.get(&path(id)).expect(200);
    let mut inputs = exported.json()["inputs"].clone();
    for value in inputs.as_object_mut().expect("inputs").values_mut().filter(|value| *value == "$encrypted$") {
        *value = json!("");
    }
    let imported = fixture.admin.put(&path(id), machine(&fixture, "machine", inputs)).expect(200);
    assert_eq!(imported.json()["inputs"], exported.json()["inputs"]);
    assert_eq!(imported.header("etag"), exported.header("etag"), "nothing has changed");
    // Sending the stored password changes nothing.
    let body = json!({"inputs": {
        "username": "u", "password": SECRET, "ssh_key_data": ENCRYPTED_KEY, "ssh_key_unlock": "pass",
        "become_password": "ASK",
    }});
    let patched = fixture.admin.patch(&path(id), body).expect(200);
    assert_eq!(patched.header("etag"), exported.header("etag"));
    // An empty value of an input that is not secret is a change.
    let body = machine(&fixture, "machine", json!({"username": "", "password": ""}));
    let shown = fixture.admin.put(&path(id), body).expect(200).json();
    assert_eq!(shown["inputs"], json!({"username": "", "password": "$encrypted$"}));
}

fn patch_with_empty_secret_removes_the_stored_secret(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let id = fixture.admin.create(LIST, machine(&fixture, "machine", json!({"username": "u", "password": SECRET})));
    let body = json!({"inputs": {"username": "u", "password": ""}});
    let shown = fixture.admin.patch(&path(id), body).expect(200).json();
    assert_eq!(shown["inputs"], json!({"username": "u"}));
}

fn put_with_new_private_key_drops_the_old_passphrase(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let inputs = json!({"ssh_key_data": ENCRYPTED_KEY, "ssh_key_unlock": "pass"});
    let id = fixture.admin.create(LIST, machine(&fixture, "machine", inputs));
    let body = machine(&fixture, "machine", json!({"ssh_key_data": KEY, "ssh_key_unlock": ""}));
    let shown = fixture.admin.put(&path(id), body).expect(200).json();
    assert_eq!(shown["inputs"], json!({"ssh_key_data": "$encrypted$"}));
}
