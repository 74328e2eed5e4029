//! Roles of credentials, in both APIs.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use crate::credentials::fixture::{CredentialsFixture, path};

on_each_backend!(
    credential_roles_are_granted_within_organization,
    private_credential_cannot_be_shared,
    role_assignments_grant_credential_roles,
    custom_role_definition_grants_only_its_permissions,
);

fn credential_roles_are_granted_within_organization(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let (boss, inside, outside) =
        (fixture.server.user("boss"), fixture.server.user("inside"), fixture.server.user("outside"));
    fixture.server.add_admin(fixture.home, &boss);
    fixture.server.add_member(fixture.home, &inside);
    let key = fixture.of_home("key");
    let role = json!({"id": fixture.role(key, "use_role")});
    boss.client.post(&format!("{}roles/", inside.path()), &role).expect(204);
    let message = "You cannot grant credential access to a user not in the credentials' organization";
    for client in [&boss.client, &fixture.admin] {
        let answer = client.post(&format!("{}roles/", outside.path()), &role).expect(400).json();
        assert_eq!(answer, json!({"msg": message}));
    }
    let below = format!("/api/v2/roles/{}/users/", role["id"]);
    fixture.admin.post(&below, json!({"id": outside.id})).expect(400);
    // A role can be revoked from users who have left the organization.
    fixture
        .admin
        .post(&format!("/api/v2/organizations/{}/users/", fixture.home), json!({"id": inside.id, "disassociate": true}))
        .expect(204);
    fixture.admin.post(&below, json!({"id": inside.id, "disassociate": true})).expect(204);

    let (ours, theirs) = (fixture.server.team("ours", fixture.home), fixture.server.team("theirs", fixture.away));
    fixture.admin.post(&format!("/api/v2/teams/{ours}/roles/"), &role).expect(204);
    let message = "You cannot grant credential access to a team when the Organization field isn't set, or belongs to a \
                   different organization";
    let answer = fixture.admin.post(&format!("/api/v2/teams/{theirs}/roles/"), &role).expect(400).json();
    assert_eq!(answer, json!({"msg": message}));
}

fn private_credential_cannot_be_shared(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let (ann, bob) = (fixture.server.user("ann"), fixture.server.user("bob"));
    for person in [&ann, &bob] {
        fixture.server.add_member(fixture.home, person);
    }
    let made = ann.client.post("/api/v2/credentials/", fixture.body("mine", "user", ann.id)).expect(201).json();
    let mine = made["id"].as_i64().expect("an id");
    let role = json!({"id": fixture.role(mine, "use_role")});
    let answer = ann.client.post(&format!("{}roles/", bob.path()), &role).expect(400).json();
    assert_eq!(answer, json!({"msg": "You cannot grant private credential access to another user"}));
    let team = fixture.server.team("crew", fixture.home);
    fixture.admin.post(&format!("/api/v2/teams/{team}/roles/"), &role).expect(400);
    bob.client.get(&path(mine)).expect(403);
    fixture.admin.post(&format!("{}roles/", bob.path()), &role).expect(204);
    bob.client.get(&path(mine)).expect(200);
}

fn role_assignments_grant_credential_roles(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let (ann, outside) = (fixture.server.user("ann"), fixture.server.user("outside"));
    fixture.server.add_member(fixture.home, &ann);
    let key = fixture.of_home("key");
    let definition = |name: &str| {
        let found = fixture.admin.results(&format!("/api/v2/role_definitions/?name={name}"));
        found[0]["id"].as_i64().expect("a definition")
    };
    let assign = |name: &str, user: i64| {
        let body = json!({"role_definition": definition(name), "user": user, "object_id": key});
        fixture.admin.post("/api/v2/role_user_assignments/", body)
    };
    assign("Credential%20Use", outside.id).expect(400);
    assign("Credential%20Use", ann.id).expect(201);
    let held = fixture.admin.results(&format!("{}roles/", ann.path()));
    assert!(held.iter().any(|role| role["id"] == fixture.role(key, "use_role")), "{held:?}");
    ann.client.patch(&path(key), json!({"description": "x"})).expect(403);
    assign("Credential%20Admin", ann.id).expect(201);
    ann.client.patch(&path(key), json!({"description": "x"})).expect(200);
    let owners = fixture.admin.results(&format!("{}owner_users/", path(key)));
    assert_eq!(owners[0]["username"], "ann");
    // Back to the first organization.
    fixture.grant(key, "read_role", &ann);
    let shown = fixture.admin.results(&format!("/api/v2/role_user_assignments/?user={}", ann.id));
    let names: Vec<_> = shown.iter().map(|found| found["summary_fields"]["role_definition"]["name"].clone()).collect();
    assert!(names.contains(&json!("Credential Read Compat")), "{names:?}");
}

fn custom_role_definition_grants_only_its_permissions(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let key = fixture.of_home("key");
    for (name, permissions, edit, usable) in [
        ("viewer", vec!["awx.view_credential"], false, false),
        ("changer", vec!["awx.view_credential", "awx.change_credential"], true, false),
        ("user", vec!["awx.view_credential", "awx.use_credential"], false, true),
    ] {
        let person = fixture.server.user(name);
        fixture.server.add_member(fixture.home, &person);
        let body = json!({"name": name, "content_type": "awx.credential", "permissions": permissions});
        let definition = fixture.admin.create("/api/v2/role_definitions/", body);
        fixture.admin.create(
            "/api/v2/role_user_assignments/",
            json!({"role_definition": definition, "user": person.id, "object_id": key}),
        );
        let shown = person.client.get(&path(key)).expect(200).json();
        let may = &shown["summary_fields"]["user_capabilities"];
        assert_eq!((may["edit"] == true, may["use"] == true), (edit, usable), "{name}");
        assert_eq!((may["delete"] == true, may["copy"] == true), (false, false), "{name}");
        let changed = person.client.patch(&path(key), json!({"description": name}));
        assert_eq!(changed.status == 200, edit, "{changed}");
        person.client.delete(&path(key)).expect(403);
    }
    // Users who may add credentials to the organization see what they added.
    let maker = fixture.server.user("maker");
    let body = json!({
        "name": "maker", "content_type": "shared.organization",
        "permissions": ["shared.view_organization", "awx.add_credential"],
    });
    let definition = fixture.admin.create("/api/v2/role_definitions/", body);
    let assigned = json!({"role_definition": definition, "user": maker.id, "object_id": fixture.home});
    fixture.admin.create("/api/v2/role_user_assignments/", assigned);
    maker.client.post("/api/v2/credentials/", fixture.body("made", "organization", fixture.home)).expect(201);
    maker.client.post("/api/v2/credentials/", fixture.body("made", "organization", fixture.away)).expect(403);
    maker.client.get(&path(key)).expect(403);
}
