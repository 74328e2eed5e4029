//! Organization admins set the passwords of their members. So no grant by an admin may let the admin change a user whom
//! the admin could not change before.

use hostler_testkit::{Backend, Client, PASSWORD, TestServer, TestUser, on_each_backend};
use serde_json::{Value, json};

on_each_backend!(
    no_grant_gives_power_over_a_user,
    no_grant_through_a_custom_definition_gives_power_over_a_user,
    moved_team_gives_no_power_over_its_members,
    team_membership_gives_no_power_over_a_user,
    user_with_grants_elsewhere_cannot_be_added_to_an_organization,
    user_without_grants_elsewhere_can_be_added_to_an_organization,
    user_created_below_a_team_is_not_administered,
    users_granted_roles_in_one_organization_are_changed_by_superusers_only,
);

struct TakeoverFixture {
    server: TestServer,
    home: i64,
    away: i64,
    /// A team of `home`.
    crew: i64,
    /// An admin of `home`.
    boss: Client,
}

fn fixture(backend: Backend) -> TakeoverFixture {
    let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let [home, away] = ["home", "away"].map(|name| server.organization(name));
    let crew = server.team("crew", home);
    let boss = server.user("boss");
    server.add_admin(home, &boss);
    let boss = boss.token("write");
    TakeoverFixture { server, home, away, crew, boss }
}

/// The ids of the roles of an object, by `role_field`.
fn roles(server: &TestServer, path: &str) -> Vec<(String, i64)> {
    let shown = server.as_admin().get(path).expect(200).json();
    let roles = shown["summary_fields"]["object_roles"].as_object().expect("roles").clone();
    roles.into_iter().map(|(field, role)| (field, role["id"].as_i64().expect("an id"))).collect()
}

fn role(server: &TestServer, path: &str, field: &str) -> i64 {
    let roles = roles(server, path);
    roles.iter().find(|(name, _)| name == field).unwrap_or_else(|| panic!("{path} has no {field}")).1
}

fn grant(server: &TestServer, user: i64, path: &str, field: &str) {
    server.as_admin().attach(&format!("/api/v2/users/{user}/roles/"), role(server, path, field));
}

fn machine_credential(server: &TestServer, name: &str, owner: &str, id: i64) -> i64 {
    let kind = server.as_admin().get("/api/v2/credential_types/?namespace=ssh").expect(200).json();
    let mut body = json!({"name": name, "credential_type": kind["results"][0]["id"], "inputs": {"password": "x"}});
    body[owner] = id.into();
    server.as_admin().create("/api/v2/credentials/", body)
}

fn definition(server: &TestServer, name: &str, content_type: &str, permissions: &[&str]) -> i64 {
    let body = json!({"name": name, "content_type": content_type, "permissions": permissions});
    server.as_admin().create("/api/v2/role_definitions/", body)
}

/// Users whom `boss` cannot change, each for another reason.
fn users_out_of_reach(fixture: &TakeoverFixture) -> Vec<TestUser> {
    let TakeoverFixture { server, home, away, .. } = fixture;
    let admin = server.as_admin();
    let away_path = format!("/api/v2/organizations/{away}/");
    let away_team = server.team("away-team", *away);
    let project = admin.create("/api/v2/projects/", json!({"name": "away-site", "organization": away}));
    let viewer = definition(server, "away viewer", "shared.organization", &["shared.view_organization"]);

    let with_credential = server.user("with-credential");
    machine_credential(server, "own", "user", with_credential.id);
    let member = server.user("away-member");
    server.add_member(*away, &member);
    let away_admin = server.user("away-admin");
    server.add_admin(*away, &away_admin);
    let of_both = server.user("of-both");
    server.add_member(*home, &of_both);
    server.add_member(*away, &of_both);
    let in_team = server.user("in-away-team");
    admin.attach(&format!("/api/v2/teams/{away_team}/users/"), in_team.id);
    let team_admin = server.user("away-team-admin");
    grant(server, team_admin.id, &format!("/api/v2/teams/{away_team}/"), "admin_role");
    let reader = server.user("away-reader");
    grant(server, reader.id, &away_path, "read_role");
    let project_user = server.user("away-project-user");
    grant(server, project_user.id, &format!("/api/v2/projects/{project}/"), "use_role");
    let assigned = server.user("away-assigned");
    let body = json!({"role_definition": viewer, "user": assigned.id, "object_id": away});
    admin.create("/api/v2/role_user_assignments/", body);
    let superuser = server.user_with("another-superuser", json!({"is_superuser": true}));
    let auditor = server.user_with("auditor", json!({"is_system_auditor": true}));
    vec![
        with_credential,
        member,
        away_admin,
        of_both,
        in_team,
        team_admin,
        reader,
        project_user,
        assigned,
        superuser,
        auditor,
    ]
}

/// Fails if `boss` can change this user in any way.
fn assert_no_power(boss: &Client, user: &TestUser, after: &str) {
    let path = user.path();
    for (method, path, body) in [
        ("PATCH", path.clone(), Some(json!({"password": "taken"}))),
        ("PATCH", path.clone(), Some(json!({"username": "taken"}))),
        ("PATCH", path.clone(), Some(json!({"email": "taken@example.org"}))),
        ("PATCH", path.clone(), Some(json!({"is_active": false}))),
        ("PUT", path.clone(), Some(json!({"username": user.name, "password": "taken"}))),
        ("DELETE", format!("{path}second_factor/"), None),
        ("DELETE", path.clone(), None),
    ] {
        let request = boss.request(method, &path);
        let answer = match &body {
            Some(body) => request.json(body).send(),
            None => request.send(),
        };
        assert_eq!(answer.status, 403, "{} after {after}: {answer}", user.name);
    }
    let body = json!({"name": "planted", "user": user.id, "credential_type": 1, "inputs": {}});
    boss.post("/api/v2/credentials/", body).expect(403);
}

/// The body of a request that grants something to a user.
type RequestBody = Box<dyn Fn(&TestUser) -> Value>;

fn no_grant_gives_power_over_a_user(backend: Backend) {
    let fixture = fixture(backend);
    let TakeoverFixture { server, home, crew, boss, .. } = &fixture;
    let admin = server.as_admin();
    let project = admin.create("/api/v2/projects/", json!({"name": "site", "organization": home}));
    let credential = machine_credential(server, "shared", "organization", *home);
    let users = users_out_of_reach(&fixture);

    let organization = format!("/api/v2/organizations/{home}/");
    let team = format!("/api/v2/teams/{crew}/");
    let mut requests: Vec<(String, RequestBody)> = vec![];
    for list in [format!("{organization}users/"), format!("{organization}admins/"), format!("{team}users/")] {
        requests.push((list, Box::new(|user| json!({"id": user.id}))));
    }
    for path in [
        organization.clone(),
        team.clone(),
        format!("/api/v2/projects/{project}/"),
        format!("/api/v2/credentials/{credential}/"),
    ] {
        for (_, role) in roles(server, &path) {
            requests.push((format!("/api/v2/roles/{role}/users/"), Box::new(|user| json!({"id": user.id}))));
            requests.push(("/api/v2/users/{user}/roles/".to_owned(), Box::new(move |_| json!({"id": role}))));
        }
    }
    let definitions = admin.results("/api/v2/role_definitions/?managed=true");
    for definition in &definitions {
        let object = match definition["content_type"].as_str() {
            Some("shared.organization") => *home,
            Some("shared.team") => *crew,
            Some("awx.project") => project,
            Some("awx.credential") => credential,
            _ => continue,
        };
        let id = definition["id"].clone();
        requests.push((
            "/api/v2/role_user_assignments/".to_owned(),
            Box::new(move |user| json!({"role_definition": id, "user": user.id, "object_id": object})),
        ));
    }
    for name in ["users", "members", "admins", "user"] {
        requests.push((
            format!("{organization}teams/"),
            Box::new(move |user| json!({"name": format!("{}-{name}", user.name), name: [user.id]})),
        ));
    }
    let away = fixture.away;
    requests.push((format!("{team}roles/"), Box::new(|user| json!({"id": user.id, "user": user.id}))));
    requests.push((format!("/api/v2/organizations/{away}/users/"), Box::new(|user| json!({"id": user.id}))));

    let mut accepted = 0;
    for user in &users {
        assert_no_power(boss, user, "nothing");
        for (path, body) in &requests {
            let path = path.replace("{user}", &user.id.to_string());
            let answer = boss.post(&path, body(user));
            assert!([201, 204, 400, 403].contains(&answer.status), "{}: {answer}", user.name);
            accepted += usize::from(answer.status < 300);
            let after = format!("POST {path} {}", body(user));
            boss.patch(&user.path(), json!({"password": "taken"})).expect(403);
            let deleted = boss.delete(&user.path());
            assert_eq!(deleted.status, 403, "{} after {after}: {deleted}", user.name);
        }
        assert_no_power(boss, user, "all grants");
        server.as_user(&user.name, PASSWORD).get("/api/v2/me/").expect(200);
    }
    assert!(accepted > users.len() * 10, "only {accepted} grants were made");
}

fn no_grant_through_a_custom_definition_gives_power_over_a_user(backend: Backend) {
    let fixture = fixture(backend);
    let TakeoverFixture { server, home, boss, .. } = &fixture;
    let change = definition(
        server,
        "organization editor",
        "shared.organization",
        &["shared.view_organization", "shared.change_organization", "shared.delete_organization", "awx.add_project"],
    );
    let body = json!({"name": "m", "content_type": "shared.organization",
        "permissions": ["shared.view_organization", "shared.member_organization"]});
    server.as_admin().post("/api/v2/role_definitions/", body).expect(400);
    for user in users_out_of_reach(&fixture) {
        let body = json!({"role_definition": change, "user": user.id, "object_id": home});
        boss.post("/api/v2/role_user_assignments/", body).expect(201);
        assert_no_power(boss, &user, "an assignment");
    }
    // Such a definition does not let its users change the members either.
    let member = server.user("member");
    server.add_member(*home, &member);
    let editor = server.user("editor");
    let body = json!({"role_definition": change, "user": editor.id, "object_id": home});
    server.as_admin().post("/api/v2/role_user_assignments/", body).expect(201);
    editor.client.patch(&member.path(), json!({"password": "taken"})).expect(403);
}

fn moved_team_gives_no_power_over_its_members(backend: Backend) {
    let TakeoverFixture { server, home, away, boss, .. } = fixture(backend);
    let admin = server.as_admin();
    let team = server.team("travellers", away);
    let path = format!("/api/v2/teams/{team}/");
    let traveller = server.user("traveller");
    admin.attach(&format!("{path}users/"), traveller.id);
    machine_credential(&server, "own", "user", traveller.id);
    assert_no_power(&boss, &traveller, "nothing");
    boss.patch(&path, json!({"organization": home})).expect(403);
    admin.patch(&path, json!({"organization": home})).expect(200);
    assert_no_power(&boss, &traveller, "the move of their team");
    boss.post(&format!("/api/v2/organizations/{home}/users/"), json!({"id": traveller.id})).expect(403);
}

fn team_membership_gives_no_power_over_a_user(backend: Backend) {
    let TakeoverFixture { server, home, crew, boss, .. } = fixture(backend);
    let newcomer = server.user("newcomer");
    boss.patch(&newcomer.path(), json!({"first_name": "x"})).expect(403);
    boss.post(&format!("/api/v2/teams/{crew}/users/"), json!({"id": newcomer.id})).expect(204);
    boss.patch(&newcomer.path(), json!({"password": "taken"})).expect(403);
    // A role in the organization does not prevent the admin from adding the user.
    boss.post(&format!("/api/v2/organizations/{home}/users/"), json!({"id": newcomer.id})).expect(204);
    boss.patch(&newcomer.path(), json!({"first_name": "x"})).expect(200);
}

fn user_with_grants_elsewhere_cannot_be_added_to_an_organization(backend: Backend) {
    let fixture = fixture(backend);
    let TakeoverFixture { server, home, boss, .. } = &fixture;
    for user in users_out_of_reach(&fixture) {
        for list in ["users", "admins"] {
            boss.post(&format!("/api/v2/organizations/{home}/{list}/"), json!({"id": user.id})).expect(403);
        }
        // A superuser can add the user. Members of other organizations and their teams still cannot be changed.
        let is_member_elsewhere = ["away-member", "away-admin", "of-both", "in-away-team", "away-team-admin"];
        if is_member_elsewhere.contains(&user.name.as_str()) {
            server.add_member(*home, &user);
            assert_no_power(boss, &user, "joining");
        }
    }
}

fn user_without_grants_elsewhere_can_be_added_to_an_organization(backend: Backend) {
    let TakeoverFixture { server, home, boss, .. } = fixture(backend);
    let project = server.as_admin().create("/api/v2/projects/", json!({"name": "site", "organization": home}));
    let fresh = server.user("fresh");
    let granted = server.user("granted");
    grant(&server, granted.id, &format!("/api/v2/projects/{project}/"), "admin_role");
    grant(&server, granted.id, &format!("/api/v2/organizations/{home}/"), "execute_role");
    for user in [fresh, granted] {
        boss.patch(&user.path(), json!({"first_name": "x"})).expect(403);
        boss.post(&format!("/api/v2/organizations/{home}/users/"), json!({"id": user.id})).expect(204);
        boss.patch(&user.path(), json!({"first_name": "x"})).expect(200);
        boss.delete(&user.path()).expect(204);
    }
}

fn user_created_below_a_team_is_not_administered(backend: Backend) {
    let TakeoverFixture { server, home, crew, boss, .. } = fixture(backend);
    let body = |name: &str| json!({"username": name, "password": PASSWORD});
    boss.post(&format!("/api/v2/teams/{crew}/users/"), body("sailor")).expect(201);
    let sailor = server.as_admin().results("/api/v2/users/?username=sailor").remove(0);
    let path = sailor["url"].as_str().expect("a path");
    boss.patch(path, json!({"password": "taken"})).expect(403);
    let member = boss.post(&format!("/api/v2/organizations/{home}/users/"), body("member")).expect(201).json();
    boss.patch(member["url"].as_str().expect("a path"), json!({"first_name": "x"})).expect(200);
}

/// Roles on projects and other objects make no user a member.
fn users_granted_roles_in_one_organization_are_changed_by_superusers_only(backend: Backend) {
    let TakeoverFixture { server, home, crew, boss, .. } = fixture(backend);
    let organization = format!("/api/v2/organizations/{home}/");
    for (field, _) in roles(&server, &organization) {
        if ["admin_role", "member_role"].contains(&field.as_str()) {
            continue;
        }
        let user = server.user(&format!("holds-{field}"));
        grant(&server, user.id, &organization, &field);
        boss.patch(&user.path(), json!({"password": "taken"})).expect(403);
    }
    for field in ["admin_role", "member_role", "read_role"] {
        let user = server.user(&format!("team-{field}"));
        grant(&server, user.id, &format!("/api/v2/teams/{crew}/"), field);
        boss.patch(&user.path(), json!({"password": "taken"})).expect(403);
    }
}
