//! The managed credential `Ansible Galaxy`.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::{Value, json};

use crate::credentials::fixture::{CredentialsFixture, path};

on_each_backend!(
    managed_galaxy_credential_exists_once,
    managed_galaxy_credential_cannot_be_changed,
    managed_galaxy_credential_can_be_attached_to_organizations,
);

const FOUND: &str = "/api/v2/credentials/?name=Ansible+Galaxy&managed=true";

fn galaxy(fixture: &CredentialsFixture) -> Value {
    let found = fixture.admin.results(FOUND);
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

fn managed_galaxy_credential_exists_once(backend: Backend) {
    let mut fixture = CredentialsFixture::new(backend);
    let before = galaxy(&fixture);
    assert_eq!(before["kind"], "galaxy_api_token");
    assert_eq!(before["inputs"], json!({"url": "https://galaxy.ansible.com/"}));
    assert_eq!(before["organization"], Value::Null);
    assert_eq!(before["summary_fields"]["object_roles"].as_object().map(serde_json::Map::len), Some(3));
    assert_eq!(
        before["summary_fields"]["user_capabilities"],
        json!({"edit": false, "delete": false, "copy": false, "use": true})
    );
    fixture.server.restart();
    assert_eq!(galaxy(&fixture), before);
    let user = fixture.server.user("user");
    assert!(user.client.results(FOUND).is_empty());
}

/// The database of an older version does not contain it.
fn managed_galaxy_credential_cannot_be_changed(backend: Backend) {
    let mut fixture = CredentialsFixture::new(backend);
    let id = galaxy(&fixture)["id"].as_i64().expect("an id");
    fixture.admin.patch(&path(id), json!({"name": "mine"})).expect(403);
    fixture.admin.put(&path(id), galaxy(&fixture)).expect(403);
    fixture.admin.delete(&path(id)).expect(403);
    fixture.admin.post(&format!("{}copy/", path(id)), json!({"name": "mine"})).expect(403);
    fixture.server.execute(&format!("DELETE FROM credentials WHERE id = {id}"));
    fixture.server.restart();
    galaxy(&fixture);
}

fn managed_galaxy_credential_can_be_attached_to_organizations(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let id = galaxy(&fixture)["id"].as_i64().expect("an id");
    let list = format!("/api/v2/organizations/{}/galaxy_credentials/", fixture.home);
    assert!(fixture.admin.results(&list).is_empty());
    fixture.admin.post(&list, json!({"id": id})).expect(204);
    assert_eq!(fixture.admin.results(&list)[0]["name"], "Ansible Galaxy");
    fixture.admin.post(&list, json!({"id": id, "disassociate": true})).expect(204);
    assert!(fixture.admin.results(&list).is_empty());
}
