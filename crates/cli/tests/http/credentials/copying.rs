//! Copies of credentials whose secrets the copying user cannot see.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use crate::credentials::fixture::{CredentialsFixture, path};

on_each_backend!(copy_requires_more_than_read, copy_is_independent);

fn copy_requires_more_than_read(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let key = fixture.of_home("key");
    let copy = format!("{}copy/", path(key));
    for (role, name) in [("read_role", "reader"), ("use_role", "user"), ("admin_role", "admin-of-it")] {
        let person = fixture.server.user(name);
        fixture.server.add_member(fixture.home, &person);
        fixture.grant(key, role, &person);
        assert_eq!(person.client.get(&copy).expect(200).json(), json!({"can_copy": false}), "{name}");
        person.client.post(&copy, json!({"name": "stolen"})).expect(403);
    }
    let rival = fixture.server.user("rival");
    fixture.server.add_admin(fixture.away, &rival);
    rival.client.get(&copy).expect(403);
    rival.client.post(&copy, json!({"name": "stolen"})).expect(403);
    let boss = fixture.server.user("boss");
    fixture.server.add_admin(fixture.home, &boss);
    let reader = boss.token("read");
    assert_eq!(reader.get(&copy).expect(200).json(), json!({"can_copy": false}));
    reader.post(&copy, json!({"name": "stolen"})).expect(403);
    assert_eq!(fixture.admin.results("/api/v2/credentials/?managed=false").len(), 1);
    assert_eq!(boss.client.get(&copy).expect(200).json(), json!({"can_copy": true}));
    boss.client.post(&copy, json!({"name": "fair"})).expect(201);
}

fn copy_is_independent(backend: Backend) {
    let fixture = CredentialsFixture::new(backend);
    let key = fixture.of_home("key");
    let copy = format!("{}copy/", path(key));
    assert_eq!(fixture.admin.post(&copy, json!({})).expect(400).json(), json!({"name": ["This field is required."]}));
    fixture.admin.post(&copy, json!({"name": "key"})).expect(400);
    fixture.admin.post(&copy, json!({"name": ""})).expect(400);
    fixture.admin.post(&copy, json!({"name": ["x"]})).expect(400);
    let made = fixture.admin.post(&copy, json!({"name": "twin"})).expect(201).json();
    let twin = path(made["id"].as_i64().expect("an id"));
    assert_eq!(made["inputs"], json!({"token": "$encrypted$", "host": "example.org"}));
    fixture.admin.delete(&path(key)).expect(204);
    // The secret of the copy is encrypted for the copy: it can be decrypted, and copied again.
    fixture.admin.post(&format!("{twin}copy/"), json!({"name": "third"})).expect(201);
    // The copy of a user's credential belongs to the user who copies it.
    let ann = fixture.server.user("ann");
    let mine = ann.client.post("/api/v2/credentials/", fixture.body("mine", "user", ann.id)).expect(201).json();
    let mine = path(mine["id"].as_i64().expect("an id"));
    ann.client.post(&format!("{mine}copy/"), json!({"name": "again"})).expect(403);
    let made = fixture.admin.post(&format!("{mine}copy/"), json!({"name": "again"})).expect(201).json();
    assert_eq!(made["summary_fields"]["owners"][0]["name"], "admin");
    fixture.admin.get("/api/v2/labels/1/copy/").expect(404);
}
