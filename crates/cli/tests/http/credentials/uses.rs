//! Links to credentials require permission to use the credential, because jobs use its secrets.

use hostler_testkit::{Backend, Client, on_each_backend};
use serde_json::{Value, json};

use crate::credentials::fixture::CredentialsFixture;

on_each_backend!(
    project_credential_requires_use,
    project_credential_must_be_scm,
    galaxy_credentials_attach_to_organization,
    galaxy_credential_of_other_organization_is_rejected,
);

fn scm(fixture: &CredentialsFixture, name: &str, organization: i64) -> i64 {
    let body = json!({
        "name": name, "organization": organization, "credential_type": fixture.managed("scm"),
        "inputs": {"username": "git", "password": "pw"},
    });
    fixture.admin.create("/api/v2/credentials/", body)
}

fn git(name: &str, organization: i64, credential: i64) -> Value {
    json!({
        "name": name, "organization": organization, "credential": credential, "scm_type": "git",
        "scm_url": "https://example.org/repo.git",
    })
}

fn project_credential_requires_use(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let rival = fixture.server.user("rival");
    fixture.server.add_admin(fixture.away, &rival);
    let (theirs, own) = (scm(&fixture, "theirs", fixture.home), scm(&fixture, "own", fixture.away));
    rival.client.post("/api/v2/projects/", git("loot", fixture.away, theirs)).expect(403);
    let mut body = git("loot", fixture.away, own);
    body["signature_validation_credential"] = json!(theirs);
    rival.client.post("/api/v2/projects/", &body).expect(403);
    let project = rival.client.post("/api/v2/projects/", git("fair", fixture.away, own)).expect(201).json();
    assert_eq!(project["summary_fields"]["credential"]["name"], "own");
    assert_eq!(project["related"]["credential"], format!("/api/v2/credentials/{own}/"));
    let detail = project["url"].as_str().expect("a path");
    for link in ["credential", "signature_validation_credential"] {
        rival.client.patch(detail, json!({ link: theirs })).expect(403);
    }
    let shown = rival.client.get(detail).json();
    assert_eq!(shown["credential"], own);

    // A user with only the read role cannot use it either. The response does not contain the name of a hidden
    // credential.
    let reader = fixture.server.user("reader");
    fixture.server.add_member(fixture.home, &reader);
    fixture.grant(theirs, "read_role", &reader);
    fixture.server.add_admin(fixture.away, &reader);
    reader.client.patch(detail, json!({"credential": theirs})).expect(403);
    fixture.grant(theirs, "use_role", &reader);
    reader.client.patch(detail, json!({"credential": theirs})).expect(200);
    let shown = rival.client.get(detail).expect(200).json();
    assert!(shown["summary_fields"].get("credential").is_none(), "{shown}");
    // An existing link may stay.
    rival.client.patch(detail, json!({"description": "x", "credential": theirs})).expect(200);
    let read = reader.token("read");
    read.patch(detail, json!({"credential": null})).expect(403);
    rival.client.patch(detail, json!({"credential": null})).expect(200);
}

fn project_credential_must_be_scm(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let other = fixture.of_home("cloud");
    let answer = fixture.admin.post("/api/v2/projects/", git("p", fixture.home, other)).expect(400).json();
    assert_eq!(answer, json!({"credential": ["Credential kind must be 'scm'."]}));
    let source = scm(&fixture, "git", fixture.home);
    let mut body = git("p", fixture.home, source);
    body["signature_validation_credential"] = json!(source);
    let answer = fixture.admin.post("/api/v2/projects/", &body).expect(400).json();
    assert_eq!(answer, json!({"signature_validation_credential": ["Credential kind must be 'cryptography'."]}));
    body["signature_validation_credential"] = Value::Null;
    let project = fixture.admin.post("/api/v2/projects/", &body).expect(201).json();
    let detail = project["url"].as_str().expect("a path");
    // A credential that is in use cannot change its type.
    let change = json!({"credential_type": fixture.kind, "inputs": {}});
    let answer = fixture.admin.patch(&format!("/api/v2/credentials/{source}/"), change).expect(400).json();
    assert!(answer["credential_type"].is_array(), "{answer}");
    let found = fixture.admin.results("/api/v2/projects/?credential__name=git");
    assert_eq!(found.len(), 1);
    fixture.admin.delete(&format!("/api/v2/credentials/{source}/")).expect(204);
    assert_eq!(fixture.admin.get(detail).expect(200).json()["credential"], Value::Null);
}

fn galaxy(fixture: &CredentialsFixture, name: &str, organization: i64) -> i64 {
    let body = json!({
        "name": name, "organization": organization, "credential_type": fixture.managed("galaxy_api_token"),
        "inputs": {"url": "https://galaxy.example"},
    });
    fixture.admin.create("/api/v2/credentials/", body)
}

fn list_of(organization: i64) -> String {
    format!("/api/v2/organizations/{organization}/galaxy_credentials/")
}

fn names(client: &Client, list: &str) -> Vec<Value> {
    client.results(list).iter().map(|found| found["name"].clone()).collect()
}

fn galaxy_credentials_attach_to_organization(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let list = list_of(fixture.home);
    let (key, other) = (galaxy(&fixture, "hub", fixture.home), fixture.of_home("other"));
    let answer = fixture.admin.post(&list, json!({"id": other})).expect(400).json();
    assert_eq!(answer, json!({"msg": "Credential must be a Galaxy credential, not cloudy."}));
    fixture.admin.post(&list, json!({"name": "x"})).expect(400);
    let answer = fixture.admin.post(&list, json!({"id": 4711})).expect(400).json();
    assert_eq!(answer, json!({"detail": "Credential matching query does not exist."}));
    for _ in 0..2 {
        fixture.admin.post(&list, json!({"id": key})).expect(204);
    }
    assert_eq!(names(&fixture.admin, &list), ["hub"]);
    assert_eq!(fixture.admin.results("/api/v2/organizations/?galaxy_credentials__name=hub").len(), 1);
    for _ in 0..2 {
        fixture.admin.post(&list, json!({"id": key, "disassociate": true})).expect(204);
    }
    assert!(names(&fixture.admin, &list).is_empty());
    let entries = fixture.admin.results(&format!("/api/v2/credentials/{key}/activity_stream/?order_by=id"));
    let operations: Vec<_> = entries.iter().map(|entry| entry["operation"].clone()).collect();
    assert_eq!(operations, ["create", "associate", "disassociate"]);
    let galaxy_for_ann = json!({
        "name": "mine", "user": 1, "credential_type": fixture.managed("galaxy_api_token"),
        "inputs": {"url": "https://galaxy.example"},
    });
    let answer = fixture.admin.post("/api/v2/credentials/", galaxy_for_ann).expect(400).json();
    assert_eq!(answer, json!({"organization": ["Galaxy credentials must be owned by an Organization."]}));
}

fn galaxy_credential_of_other_organization_is_rejected(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let (rival, member) = (fixture.server.user("rival"), fixture.server.user("member"));
    fixture.server.add_admin(fixture.away, &rival);
    fixture.server.add_member(fixture.home, &member);
    let (theirs, own) = (galaxy(&fixture, "theirs", fixture.home), galaxy(&fixture, "own", fixture.away));
    rival.client.post(&list_of(fixture.away), json!({"id": theirs})).expect(403);
    rival.client.post(&list_of(fixture.home), json!({"id": own})).expect(403);
    member.client.post(&list_of(fixture.home), json!({"id": theirs})).expect(403);
    rival.token("read").post(&list_of(fixture.away), json!({"id": own})).expect(403);
    rival.client.post(&list_of(fixture.away), json!({"id": own})).expect(204);
    assert_eq!(names(&rival.client, &list_of(fixture.away)), ["own"]);
    // The list contains only the credentials that the user may see.
    fixture.admin.post(&list_of(fixture.away), json!({"id": theirs})).expect(204);
    assert_eq!(names(&rival.client, &list_of(fixture.away)), ["own"]);
}
