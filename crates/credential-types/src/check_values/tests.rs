use super::*;
use crate::managed;
use serde_json::json;

const ENCRYPTED_KEY: &str = include_str!("../private_key/samples/openssh_ed25519_locked.pem");
const KEY: &str = include_str!("../private_key/samples/openssh_ed25519.pem");

fn object(value: Json) -> Map<String, Json> {
    value.as_object().unwrap().clone()
}

fn managed(namespace: &str) -> (InputSchema, CredentialTypeInfo<'static>) {
    let found = managed::MANAGED_TYPES.iter().find(|managed| managed.namespace == namespace).unwrap();
    (InputSchema::read(&found.inputs()), CredentialTypeInfo { name: found.name, kind: found.kind, managed: true })
}

/// Checks the inputs of a new credential and returns them as they would be stored.
fn create(namespace: &str, values: Json) -> Result<Json, InputErrors> {
    let (inputs, of) = managed(namespace);
    let mut values = object(values);
    inputs.check_values(of, &mut values, None).map(|()| values.into())
}

fn change(namespace: &str, stored: Json, values: Json) -> Result<(), InputErrors> {
    let (inputs, of) = managed(namespace);
    inputs.check_values(of, &mut object(values), Some(&object(stored)))
}

fn general(message: &str) -> Result<Json, InputErrors> {
    Err(InputErrors::General(vec![message.into()]))
}

fn per_input(id: &str, message: &str) -> Result<Json, InputErrors> {
    Err(InputErrors::PerInput(vec![(id.into(), vec![message.into()])]))
}

#[test]
fn valid_inputs_are_unchanged() {
    for (namespace, values) in [
        ("ssh", json!({})),
        ("ssh", json!({"username": "deploy", "password": "ASK", "become_method": "sudo"})),
        ("ssh", json!({"ssh_key_data": KEY})),
        ("ssh", json!({"ssh_key_data": ENCRYPTED_KEY, "ssh_key_unlock": "pass"})),
        ("ssh", json!({"ssh_key_data": ENCRYPTED_KEY, "ssh_key_unlock": "ASK"})),
        ("net", json!({"username": "u", "authorize": true, "authorize_password": "p"})),
        ("kubernetes_bearer_token", json!({"host": "x", "verify_ssl": false})),
        ("hashivault_kv", json!({"url": "https://vault.example.com:8200", "api_version": "v2"})),
        // As in AWX, an input source may provide required inputs.
        ("aws", json!({})),
    ] {
        assert_eq!(create(namespace, values.clone()), Ok(values), "{namespace}");
    }
}

#[test]
fn empty_values_are_normalized() {
    assert_eq!(create("ssh", json!({"username": null, "password": 0})), Ok(json!({"username": "", "password": ""})));
    assert_eq!(create("net", json!({"authorize": null})), Ok(json!({"authorize": false})));
    assert_eq!(
        create("hashivault_kv", json!({"url": "https://x", "api_version": ""})),
        Ok(json!({"url": "https://x", "api_version": "v1"}))
    );
}

#[test]
fn unknown_inputs_are_rejected() {
    assert_eq!(
        create("ssh", json!({"username": "deploy2", "nonsense": 1})),
        general("Additional properties are not allowed ('nonsense' was unexpected)")
    );
    assert_eq!(
        create("vault", json!({"password": "", "username": "x"})),
        general("Additional properties are not allowed ('password', 'username' were unexpected)")
    );
}

#[test]
fn inputs_of_the_wrong_type_are_rejected() {
    assert_eq!(create("ssh", json!({"username": 5})), per_input("username", "5 is not of type 'string'"));
    assert_eq!(create("ssh", json!({"username": ["a"]})), per_input("username", "['a'] is not of type 'string'"));
    assert_eq!(create("net", json!({"authorize": "yes"})), per_input("authorize", "'yes' is not of type 'boolean'"));
    assert_eq!(
        change("ssh", json!({}), json!({"password": 5})),
        Err(InputErrors::General(vec!["secret values must be of type string, not int".into()]))
    );
}

#[test]
fn encrypted_placeholder_in_a_new_credential_is_rejected() {
    assert_eq!(
        create("ssh", json!({"password": "$encrypted$"})),
        general("$encrypted$ is a reserved keyword, and cannot be used for password.")
    );
}

#[test]
fn formats_and_choices_are_checked() {
    assert_eq!(
        create("ssh", json!({"ssh_key_data": "not a key"})),
        per_input("ssh_key_data", "Invalid certificate or key: not a key...")
    );
    let missing = "Invalid URL: Missing url scheme (http, https, etc.)";
    for (url, message) in [
        ("vault.example.com", missing),
        ("", missing),
        ("//vault.example.com", missing),
        ("https:/vault", "Invalid URL: https:/vault"),
        ("https://", "Invalid URL: https://"),
        ("https:///path", "Invalid URL: https:///path"),
    ] {
        assert_eq!(create("conjur", json!({"url": url})), per_input("url", message), "{url}");
    }
    assert_eq!(create("vault", json!({"vault_id": "a@b"})), per_input("vault_id", "@ is not an allowed character"));
    assert_eq!(
        create("hashivault_kv", json!({"url": "https://x", "api_version": "v3"})),
        per_input("api_version", "'v3' is not one of ['v1', 'v2']")
    );
    // As in the JSON file of a Google service account.
    let escaped = KEY.replace('=', "\\u003d");
    assert!(create("gce", json!({"ssh_key_data": escaped})).is_ok());
}

#[test]
fn encrypted_key_needs_a_passphrase() {
    let needed = "must be set when SSH key is encrypted.";
    let unexpected = "should not be set when SSH key is not encrypted.";
    for namespace in ["ssh", "scm", "net"] {
        assert_eq!(create(namespace, json!({"ssh_key_data": ENCRYPTED_KEY})), per_input("ssh_key_unlock", needed));
        let both = json!({"ssh_key_data": KEY, "ssh_key_unlock": "pass"});
        assert_eq!(create(namespace, both), per_input("ssh_key_unlock", unexpected));
    }
    assert!(create("ssh", json!({"ssh_key_unlock": "pass"})).is_ok(), "an input source may provide the key");
    assert_eq!(
        create("ssh", json!({"ssh_key_data": "x", "ssh_key_unlock": "pass"})),
        per_input("ssh_key_data", "Invalid certificate or key: x...")
    );
}

#[test]
fn dependent_input_needs_the_other_input() {
    assert_eq!(
        create("net", json!({"authorize_password": "p"})),
        per_input("authorize_password", "cannot be set unless \"Authorize\" is set")
    );
}

#[test]
fn vault_id_cannot_be_changed() {
    let rejected = Err(InputErrors::General(vec!["Vault IDs cannot be changed once they have been created.".into()]));
    assert_eq!(change("vault", json!({"vault_id": "a"}), json!({"vault_id": "b"})), rejected);
    assert_eq!(change("vault", json!({"vault_id": "a"}), json!({"vault_id": "a"})), Ok(()));
    assert_eq!(change("vault", json!({}), json!({"vault_id": "a"})), Ok(()));
}

#[test]
fn metadata_is_checked() {
    let (inputs, of) = managed("hashivault_kv");
    let check = |values: Json| inputs.check_metadata(of, &object(values));
    assert_eq!(check(json!({"secret_path": "a", "secret_key": "b"})), Ok(()));
    assert_eq!(
        check(json!({"secret_path": "", "auth_path": 1})),
        Err(InputErrors::PerInput(vec![
            ("auth_path".into(), vec!["1 is not of type 'string'".into()]),
            ("secret_path".into(), vec!["required for HashiCorp Vault Secret Lookup".into()]),
            ("secret_key".into(), vec!["required for HashiCorp Vault Secret Lookup".into()]),
        ]))
    );
    assert_eq!(
        check(json!({"url": "x"})),
        Err(InputErrors::General(vec!["Additional properties are not allowed ('url' was unexpected)".into()]))
    );
}
