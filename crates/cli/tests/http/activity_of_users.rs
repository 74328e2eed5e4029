//! Activity entries about changes of users: one for each change, without secrets.

use hostler_testkit::{Backend, PASSWORD, TestServer, TestUser, on_each_backend};
use serde_json::{Value, json};

on_each_backend!(
    update_entry_contains_all_changed_fields,
    auditor_flag_change_has_own_entry,
    entry_actor_is_the_caller,
    rejected_or_unchanged_update_has_no_entry,
    membership_change_has_one_entry,
    grant_names_first_the_object_whose_list_was_changed,
);

fn start(backend: Backend) -> TestServer {
    TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend)
}

/// The changes recorded about a user during an action, oldest first.
fn recorded(server: &TestServer, person: &TestUser, act: impl FnOnce()) -> Vec<Value> {
    let stream = format!("{}activity_stream/?order_by=id", person.path());
    let before = server.as_admin().results(&stream).len();
    act();
    server.as_admin().results(&stream).split_off(before)
}

fn changes(entries: &[Value]) -> Vec<&Value> {
    entries.iter().map(|entry| &entry["changes"]).collect()
}

fn update_entry_contains_all_changed_fields(backend: Backend) {
    let server = start(backend);
    let ann = server.user_with("ann", json!({"first_name": "Ann", "email": "a@example.org"}));
    let admin = server.as_admin();
    let entries = recorded(&server, &ann, || {
        let body = json!({
            "first_name": "Anna", "last_name": "", "email": "a@example.org", "username": "anna",
            "password": "Another-Word-1", "is_superuser": true,
        });
        admin.patch(&ann.path(), body).expect(200);
    });
    let expected = json!({
        "first_name": ["Ann", "Anna"], "username": ["ann", "anna"], "password": ["hidden", "hidden"],
        "is_superuser": [false, true],
    });
    assert_eq!(changes(&entries), [&expected]);
    assert_eq!((&entries[0]["operation"], &entries[0]["object1"]), (&json!("update"), &json!("user")));
    let entries = recorded(&server, &ann, || {
        let body = json!({"username": "anna", "first_name": "Anna", "last_name": "Berg", "email": "a@example.org"});
        admin.put(&ann.path(), body).expect(200);
    });
    assert_eq!(changes(&entries), [&json!({"last_name": ["", "Berg"]})]);
}

fn auditor_flag_change_has_own_entry(backend: Backend) {
    let server = start(backend);
    let ann = server.user("ann");
    let admin = server.as_admin();
    let entries = recorded(&server, &ann, || {
        admin.patch(&ann.path(), json!({"is_system_auditor": true, "first_name": "Ann"})).expect(200);
    });
    let mut found = changes(&entries);
    found.sort_by_key(|changes| changes.to_string());
    assert_eq!(found, [&json!({"first_name": ["", "Ann"]}), &json!({"is_system_auditor": [false, true]})]);
    let entries = recorded(&server, &ann, || {
        admin.patch(&ann.path(), json!({"is_system_auditor": false})).expect(200);
    });
    assert_eq!(changes(&entries), [&json!({"is_system_auditor": [true, false]})]);
}

fn entry_actor_is_the_caller(backend: Backend) {
    let server = start(backend);
    let org = server.organization("Acme");
    let (boss, ann) = (server.user("boss"), server.user("ann"));
    server.add_admin(org, &boss);
    server.add_member(org, &ann);
    let entries = recorded(&server, &ann, || {
        server.as_admin().patch(&ann.path(), json!({"first_name": "1"})).expect(200);
        boss.client.patch(&ann.path(), json!({"first_name": "2"})).expect(200);
        ann.client.patch(&ann.path(), json!({"first_name": "3"})).expect(200);
        ann.token("write").patch(&ann.path(), json!({"first_name": "4"})).expect(200);
    });
    let recorded: Vec<_> = entries
        .iter()
        .filter(|entry| entry["object1"] == "user")
        .map(|entry| (&entry["changes"]["first_name"][1], &entry["summary_fields"]["actor"]["id"]))
        .collect();
    let (one, boss, ann) = (json!(1), json!(boss.id), json!(ann.id));
    let expected = [(&json!("1"), &one), (&json!("2"), &boss), (&json!("3"), &ann), (&json!("4"), &ann)];
    assert_eq!(recorded, expected);
}

fn rejected_or_unchanged_update_has_no_entry(backend: Backend) {
    let server = start(backend);
    let fields = json!({"first_name": "Ann", "email": "a@example.org", "is_system_auditor": true});
    let ann = server.user_with("ann", fields.clone());
    let admin = server.as_admin();
    let total = || admin.get("/api/v2/activity_stream/?page_size=1").expect(200).json()["count"].clone();
    let before = total();
    admin.patch(&ann.path(), &fields).expect(200);
    admin.patch(&ann.path(), json!({})).expect(200);
    admin.patch(&ann.path(), json!({"password": PASSWORD, "id": 7, "nonsense": 1})).expect(200);
    admin.patch(&ann.path(), json!({"password": "$encrypted$"})).expect(200);
    admin.patch(&ann.path(), json!({"email": "nonsense", "first_name": "Changed"})).expect(400);
    admin.patch(&ann.path(), json!({"username": "admin", "first_name": "Changed"})).expect(400);
    ann.client.patch(&ann.path(), json!({"is_superuser": true, "first_name": "Changed"})).expect(403);
    admin
        .request("PATCH", &ann.path())
        .header("If-Match", "\"other\"")
        .json(json!({"last_name": "X"}))
        .send()
        .expect(412);
    admin.get(&ann.path()).expect(200);
    assert_eq!(total(), before, "{:?}", admin.results("/api/v2/activity_stream/?order_by=-id").first());
}

fn membership_change_has_one_entry(backend: Backend) {
    let server = start(backend);
    let org = server.organization("Acme");
    let ann = server.user("ann");
    let admin = server.as_admin();
    let users = format!("/api/v2/organizations/{org}/users/");
    let entries = recorded(&server, &ann, || {
        admin.attach(&users, ann.id);
        admin.attach(&users, ann.id);
    });
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(entries[0]["operation"], "associate");
    let entries = recorded(&server, &ann, || {
        for _ in 0..2 {
            admin.post(&users, json!({"id": ann.id, "disassociate": true})).expect(204);
        }
    });
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(entries[0]["operation"], "disassociate");
}

fn grant_names_first_the_object_whose_list_was_changed(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let ann = server.user("ann");
    let organization = server.organization("acme");
    let team = server.team("crew", organization);
    let roles = admin.get(&format!("/api/v2/organizations/{organization}/")).expect(200).json();
    let role = |field: &str| roles["summary_fields"]["object_roles"][field]["id"].as_i64().expect("a role");
    let named = |path: String, body: Value| {
        admin.post(&path, body).expect(204);
        let entry = &admin.results("/api/v2/activity_stream/?order_by=-id&page_size=1")[0];
        let changes = &entry["changes"];
        assert_eq!((&entry["object1"], &entry["object2"]), (&changes["object1"], &changes["object2"]));
        assert_eq!(entry["object_type"], "organization");
        let id = |key: &str| changes[key].as_i64().expect("an id");
        (format!("{}-{}", entry["object1"], entry["object2"]).replace('"', ""), id("object1_pk"), id("object2_pk"))
    };
    let member = json!({"id": role("member_role")});
    let execute = json!({"id": role("execute_role")});
    let remove = |id: i64| json!({"id": id, "disassociate": true});
    let (user_first, user_last) = ("user-organization".to_owned(), "organization-user".to_owned());
    let of_user = format!("{}roles/", ann.path());
    assert_eq!(named(of_user.clone(), member), (user_first.clone(), ann.id, organization));
    assert_eq!(named(of_user, remove(role("member_role"))), (user_first, ann.id, organization));
    let of_role = format!("/api/v2/roles/{}/users/", role("member_role"));
    assert_eq!(named(of_role, json!({"id": ann.id})), (user_last.clone(), organization, ann.id));
    let members = format!("/api/v2/organizations/{organization}/users/");
    assert_eq!(named(members, remove(ann.id)), (user_last, organization, ann.id));
    let of_team = format!("/api/v2/teams/{team}/roles/");
    assert_eq!(named(of_team, execute), ("team-organization".to_owned(), team, organization));
}
