//! Explanations of access as the shortest chain of grants.

use std::collections::BTreeSet;

use hostler_testkit::{Backend, PASSWORD, TestServer, TestUser, on_each_backend};
use serde_json::{Value, json};

on_each_backend!(
    path_through_team_is_explained,
    shortest_path_is_explained,
    explain_access_requires_permission,
    unknown_object_is_rejected,
    explanation_matches_server_decision,
    path_through_custom_role_is_explained,
    invisible_objects_are_not_in_paths,
    statements_are_constant,
);

struct AccessPathsFixture {
    organization: i64,
    project: i64,
    ada: i64,
    bob: i64,
    ops: i64,
}

fn id(answer: &Value) -> i64 {
    answer["id"].as_i64().expect("an id")
}

/// Ada is a member of ops, which may use the project; Bob administers the organization.
fn fixture(server: &TestServer) -> AccessPathsFixture {
    let admin = server.as_admin();
    let make = |path: &str, body: Value| id(&admin.post(path, &body).expect(201).json());
    let organization = make("/api/v2/organizations/", json!({"name": "acme"}));
    let project = make("/api/v2/projects/", json!({"name": "site", "organization": organization}));
    let ada = make("/api/v2/users/", json!({"username": "ada", "password": "pw-of-ada"}));
    let bob = make("/api/v2/users/", json!({"username": "bob", "password": "pw-of-bob"}));
    let ops = make("/api/v2/teams/", json!({"name": "ops", "organization": organization}));
    admin.post(&format!("/api/v2/teams/{ops}/users/"), json!({"id": ada})).expect(204);
    admin.post(&format!("/api/v2/organizations/{organization}/admins/"), json!({"id": bob})).expect(204);
    let project_answer = admin.get(&format!("/api/v2/projects/{project}/")).expect(200).json();
    let use_role = project_answer["summary_fields"]["object_roles"]["use_role"]["id"].clone();
    admin.post(&format!("/api/v2/teams/{ops}/roles/"), json!({"id": use_role})).expect(204);
    AccessPathsFixture { organization, project, ada, bob, ops }
}

fn role<'a>(explained: &'a Value, field: &str) -> &'a Value {
    let roles = explained["roles"].as_array().expect("roles");
    roles.iter().find(|role| role["role_field"] == field).expect("the role")
}

fn path_through_team_is_explained(backend: Backend) {
    let server = &TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let AccessPathsFixture { project, ada, ops, .. } = fixture(server);
    let path = format!("/api/v2/users/{ada}/explain_access/?object=/api/v2/projects/{project}/");
    let explained = server.as_admin().get(&path).expect(200).json();
    assert_eq!(explained["actions"], json!({"read": true, "change": false, "delete": false}));
    assert_eq!(role(&explained, "admin_role")["allowed"], false);
    assert_eq!(role(&explained, "admin_role")["because"], Value::Null);
    let because = role(&explained, "read_role")["because"].as_array().expect("a chain").clone();
    assert_eq!(because.len(), 3, "member of ops, ops may use the project, use implies read: {because:?}");
    assert_eq!(because[0]["holds"], "member_role");
    assert_eq!(because[1]["holder"], json!({"type": "team", "id": ops, "name": "ops"}));
    assert_eq!(because[1]["holds"], "use_role");
    assert_eq!(because[2], json!({"implies": "read_role", "of": "project"}));
}

fn shortest_path_is_explained(backend: Backend) {
    let server = &TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let AccessPathsFixture { organization, project, bob, ops, .. } = fixture(server);
    let admin = server.as_admin();
    let explain = |user: i64, object: &str| {
        admin.get(&format!("/api/v2/users/{user}/explain_access/?object={object}")).expect(200).json()
    };
    let of_team = explain(bob, &format!("/api/v2/teams/{ops}/"));
    assert_eq!(role(&of_team, "admin_role")["because"][0]["holds"], "admin_role");
    assert_eq!(role(&of_team, "admin_role")["because"][1], json!({"implies": "admin_role", "of": "team"}));
    assert_eq!(of_team["actions"]["delete"], true);

    let named = explain(bob, "/api/v2/organizations/acme/");
    assert_eq!(named["url"], format!("/api/v2/organizations/{organization}/"));
    assert_eq!(role(&named, "auditor_role")["allowed"], false);

    let of_project = explain(1, &format!("/api/v2/projects/{project}/"));
    for role in of_project["roles"].as_array().expect("roles") {
        assert_eq!(role["allowed"], true, "{role}");
        assert_eq!(role["because"][0]["holds"], "system_administrator", "{role}");
    }
}

fn explain_access_requires_permission(backend: Backend) {
    let server = &TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let AccessPathsFixture { project, ada, bob, .. } = fixture(server);
    let path = |user: i64| format!("/api/v2/users/{user}/explain_access/?object=/api/v2/projects/{project}/");
    server.as_user("ada", "pw-of-ada").get(&path(ada)).expect(200);
    server.as_user("bob", "pw-of-bob").get(&path(ada)).expect(200);
    // Ada may see user 1, a superuser, but not the reason of the superuser's permissions.
    server.as_user("ada", "pw-of-ada").get(&path(1)).expect(403);
    server.as_user("ada", "pw-of-ada").get(&path(bob)).expect(403);
    server.anonymous().get(&path(ada)).expect(401);
}

fn unknown_object_is_rejected(backend: Backend) {
    let server = &TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    for object in ["", "x", "/api/v2/", "/api/v2/nothing/1/", "/api/v2/users/", "https://example.org/api/v2/users/1/"] {
        let answer = server.as_admin().get(&format!("/api/v2/users/1/explain_access/?object={object}"));
        assert_eq!(answer.status, 400, "{object:?}");
        assert!(answer.json()["object"][0].is_string(), "{object:?}");
    }
    server.as_admin().get("/api/v2/users/1/explain_access/?object=/api/v2/users/999999/").expect(404);
    server.as_admin().post("/api/v2/users/1/explain_access/", json!({})).expect(405);
}

/// A definition with these permissions, assigned to a user on an object.
fn assign(server: &TestServer, who: (&str, i64), content_type: &str, object: i64, permissions: &[&str]) -> i64 {
    let admin = server.as_admin();
    let name = format!("{permissions:?} for {who:?} on {object}");
    let body = json!({"name": name, "content_type": content_type, "permissions": permissions});
    let definition = admin.create("/api/v2/role_definitions/", body);
    let list = format!("/api/v2/role_{}_assignments/", who.0);
    admin.create(&list, json!({"role_definition": definition, who.0: who.1, "object_id": object}));
    definition
}

fn permission<'a>(explained: &'a Value, name: &str) -> &'a Value {
    let permissions = explained["permissions"].as_array().expect("permissions");
    permissions.iter().find(|one| one["permission"] == name).unwrap_or_else(|| panic!("no {name} in {explained}"))
}

fn path_through_custom_role_is_explained(backend: Backend) {
    let server = &TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let AccessPathsFixture { organization, project, ops, .. } = fixture(server);
    let admin = server.as_admin();
    let [eve, fred, gina] = ["eve", "fred", "gina"].map(|name| server.user(name));
    let edits = ["awx.view_project", "awx.change_project"];
    let own = assign(server, ("user", eve.id), "awx.project", project, &edits);
    admin.attach(&format!("/api/v2/teams/{ops}/users/"), fred.id);
    let of_team = assign(server, ("team", ops), "awx.project", project, &edits);
    let above = ["shared.view_organization", "awx.view_project", "awx.change_project"];
    assign(server, ("user", gina.id), "shared.organization", organization, &above);
    let explain = |person: &TestUser| {
        let path = format!("{}explain_access/?object=/api/v2/projects/{project}/", person.path());
        admin.get(&path).expect(200).json()
    };
    let of_eve = explain(&eve);
    let change = permission(&of_eve, "awx.change_project");
    assert_eq!(change["allowed"], true);
    let because = change["because"].as_array().expect("a chain");
    assert_eq!(because.len(), 2, "{because:?}");
    assert_eq!(because[0]["role_definition"], format!("/api/v2/role_definitions/{own}/"));
    assert_eq!(because[0]["of"], json!({"type": "project", "id": project, "name": "site"}));
    assert_eq!(because[1], json!({"permits": "awx.change_project"}));
    assert_eq!(permission(&of_eve, "awx.delete_project")["allowed"], false);
    assert_eq!(role(&of_eve, "admin_role")["allowed"], false, "a permission is not the role");

    let of_fred = explain(&fred);
    let because = permission(&of_fred, "awx.change_project")["because"].as_array().expect("a chain").clone();
    assert_eq!(because.len(), 3, "{because:?}");
    assert_eq!((&because[0]["holds"], &because[0]["and_so_belongs_to"]), (&json!("member_role"), &json!("ops")));
    assert_eq!(because[1]["holder"]["type"], "team");
    assert_eq!(because[1]["role_definition"], format!("/api/v2/role_definitions/{of_team}/"));

    let of_gina = explain(&gina);
    let because = permission(&of_gina, "awx.change_project")["because"].as_array().expect("a chain").clone();
    assert_eq!(because[0]["of"]["type"], "organization", "{because:?}");
    assert_eq!(permission(&of_gina, "awx.update_project")["allowed"], false);
}

fn invisible_objects_are_not_in_paths(backend: Backend) {
    let server = &TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let AccessPathsFixture { project, .. } = fixture(server);
    let admin = server.as_admin();
    let elsewhere = server.organization("elsewhere");
    let secret = server.team("secret", elsewhere);
    let [eve, keeper] = ["eve", "keeper"].map(|name| server.user(name));
    admin.attach(&format!("/api/v2/teams/{secret}/users/"), eve.id);
    let object = admin.get(&format!("/api/v2/projects/{project}/")).json();
    let roles = &object["summary_fields"]["object_roles"];
    let id_of = |field: &str| roles[field]["id"].as_i64().expect("a role");
    admin.attach(&format!("/api/v2/teams/{secret}/roles/"), id_of("use_role"));
    admin.attach(&format!("/api/v2/users/{}/roles/", keeper.id), id_of("admin_role"));
    // The keeper must be able to see Eve to explain her access.
    let common = server.organization("common");
    server.add_member(common, &eve);
    server.add_member(common, &keeper);
    let path = format!("{}explain_access/?object=/api/v2/projects/{project}/", eve.path());
    for (client, visible) in [(&admin, true), (&eve.client, true), (&keeper.client, false)] {
        let answer = client.get(&path).expect(200);
        let explained = answer.json();
        let view = permission(&explained, "awx.view_project");
        assert_eq!(view["allowed"], true);
        assert_eq!(view["because"].is_array(), visible, "{view}");
        assert_eq!(answer.text().contains("secret"), visible, "{answer}");
    }
}

fn statements_are_constant(backend: Backend) {
    let server = &TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let AccessPathsFixture { organization, project, ops, .. } = fixture(server);
    let admin = server.as_admin();
    let eve = server.user("eve");
    let ask = || {
        let token = eve.token("read");
        let path = format!("{}explain_access/?object=/api/v2/projects/{project}/", eve.path());
        // The settings are reloaded at times, which adds a statement.
        (0..3).map(|_| token.get(&path).expect(200).queries()).min().expect("a number")
    };
    let grant = |number: i64| {
        let team = server.team(&format!("team-{number}"), organization);
        admin.attach(&format!("/api/v2/teams/{team}/users/"), eve.id);
        assign(server, ("team", team), "awx.project", project, &["awx.view_project"]);
    };
    admin.attach(&format!("/api/v2/teams/{ops}/users/"), eve.id);
    grant(0);
    let few = ask();
    (1..6).for_each(grant);
    assert_eq!(ask(), few);
}

/// Compares the explanations for all users, objects and permissions with the responses to requests, and checks that
/// each permission has a reason.
fn explanation_matches_server_decision(backend: Backend) {
    let server = &TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let admin = server.as_admin();
    let [home, away] = ["home", "away"].map(|name| server.organization(name));
    let [crew, other] = [("crew", home), ("other", away)].map(|(name, organization)| server.team(name, organization));
    let site = admin.create("/api/v2/projects/", json!({"name": "site", "organization": home}));
    let loose = admin.create("/api/v2/projects/", json!({"name": "loose"}));
    let label = admin.create("/api/v2/labels/", json!({"name": "urgent", "organization": home}));
    let application = json!({"name": "portal", "organization": home, "client_type": "confidential",
                             "authorization_grant_type": "password"});
    let application = admin.create("/api/v2/applications/", application);
    let objects = [
        format!("/api/v2/organizations/{home}/"),
        format!("/api/v2/teams/{crew}/"),
        format!("/api/v2/projects/{site}/"),
        format!("/api/v2/projects/{loose}/"),
        format!("/api/v2/labels/{label}/"),
        format!("/api/v2/applications/{application}/"),
    ];

    let mut people = vec![
        server.user_with("root", json!({"is_superuser": true})),
        server.user_with("auditor", json!({"is_system_auditor": true})),
        server.user("stranger"),
    ];
    let rival = server.user("rival");
    server.add_admin(away, &rival);
    people.push(rival);
    for object in &objects[..3] {
        let roles = admin.get(object).expect(200).json()["summary_fields"]["object_roles"].clone();
        for (field, role) in roles.as_object().expect("roles") {
            let name = format!("{}-{}-{}", &object[8..12], role["id"], field.split('_').next().unwrap_or_default());
            let role = role["id"].as_i64().expect("an id");
            let holder = server.user(&name);
            admin.attach(&format!("/api/v2/users/{}/roles/", holder.id), role);
            people.push(holder);
            if object.contains("/projects/") || field == "project_admin_role" {
                let member = server.user(&format!("t-{name}"));
                let team = server.team(&name, away);
                admin.attach(&format!("/api/v2/teams/{team}/users/"), member.id);
                admin.attach(&format!("/api/v2/teams/{team}/roles/"), role);
                people.push(member);
            }
        }
    }
    let view = "awx.view_project";
    let organization = "shared.view_organization";
    for (number, (content_type, object, permissions)) in [
        ("awx.project", site, vec![view]),
        ("awx.project", site, vec![view, "awx.change_project"]),
        ("awx.project", site, vec![view, "awx.delete_project"]),
        ("awx.project", site, vec![view, "awx.update_project", "awx.use_project"]),
        ("shared.organization", home, vec![organization]),
        ("shared.organization", home, vec![organization, "shared.change_organization"]),
        ("shared.organization", home, vec![organization, "shared.delete_organization"]),
        ("shared.organization", home, vec![organization, "awx.add_project"]),
        ("shared.organization", home, vec![organization, view, "awx.change_project"]),
        ("shared.organization", home, vec![organization, view, "awx.delete_project", "awx.update_project"]),
    ]
    .into_iter()
    .enumerate()
    {
        let direct = server.user(&format!("c-{number}"));
        assign(server, ("user", direct.id), content_type, object, &permissions);
        people.push(direct);
        let member = server.user(&format!("ct-{number}"));
        let team = server.team(&format!("c-{number}"), away);
        admin.attach(&format!("/api/v2/teams/{team}/users/"), member.id);
        assign(server, ("team", team), content_type, object, &permissions);
        people.push(member);
    }
    // A user with two chains to the same role, and the admin of the organization of a team with a role.
    let both = server.user("both");
    server.add_member(home, &both);
    admin.attach(&format!("/api/v2/teams/{crew}/users/"), both.id);
    let use_role = admin.get(&objects[2]).json()["summary_fields"]["object_roles"]["use_role"]["id"].as_i64();
    admin.attach(&format!("/api/v2/teams/{crew}/roles/"), use_role.expect("a role"));
    admin.attach(&format!("/api/v2/teams/{other}/roles/"), use_role.expect("a role"));
    people.push(both);

    if backend == Backend::Postgres {
        // PostgreSQL plans each of these statements for tens of milliseconds, so every third is checked there.
        people = people.into_iter().step_by(3).collect();
    }
    let mut wrong = vec![];
    let mut compared = 0;
    let mut steps = BTreeSet::new();
    for person in &people {
        let client = server.as_user(&person.name, PASSWORD);
        for object in &objects {
            let path = format!("{}explain_access/?object={object}", person.path());
            let explained = admin.get(&path).expect(200).json();
            for entry in explained["permissions"].as_array().expect("permissions") {
                let (name, action) = (entry["permission"].as_str(), entry["action"].as_str());
                let (name, action) = (name.expect("a name"), action.expect("an action"));
                let id = explained["object"]["id"].clone();
                let answer = match action {
                    "view" => client.get(object),
                    "change" => client.patch(object, json!({})),
                    // If-Match does not match: 412 comes after the permission check.
                    "delete" => client.request("DELETE", object).header("If-Match", "\"other\"").send(),
                    "update" => client.post(&format!("{object}update/"), json!({})),
                    "add" => {
                        let list = match name {
                            _ if name.ends_with("team") => "teams",
                            _ if name.ends_with("credential") => "credentials",
                            "awx.add_inventory" => "inventories",
                            "awx.add_executionenvironment" => "execution_environments",
                            "awx.add_notificationtemplate" => "notification_templates",
                            _ => "projects",
                        };
                        client.post(&format!("/api/v2/{list}/"), json!({"organization": id}))
                    }
                    "audit" if person.name != "auditor" => {
                        let stream = format!("/api/v2/activity_stream/?operation=create&organization={id}");
                        let seen = client.get(&stream).expect(200).json()["count"] == 1;
                        let admin_too = entry["allowed"] == true || role(&explained, "admin_role")["allowed"] == true;
                        if seen != admin_too {
                            wrong.push(format!("{} {object} {entry} but sees it: {seen}", person.name));
                        }
                        continue;
                    }
                    _ => continue,
                };
                let may = match answer.status {
                    // A manual project cannot be updated by those who may.
                    405 if action == "update" => true,
                    401 | 403 | 405 => false,
                    // The name is missing, the state differs, or it is not implemented yet.
                    200 | 202 | 400 | 412 | 501 => true,
                    _ => panic!("{answer}"),
                };
                compared += 1;
                if may != (entry["allowed"] == true) {
                    wrong.push(format!("{} {object} {entry} but {answer}", person.name));
                }
                let because = entry["because"].as_array();
                // It is a setting and not a grant that organization admins see all teams.
                let by_setting = object.contains("/teams/") && action == "view";
                if because.is_some() != may && !(may && by_setting) {
                    wrong.push(format!("{} {object} {entry} lacks its reason", person.name));
                }
                steps.extend(
                    because.into_iter().flatten().filter(|step| step["role"].is_string()).map(Value::to_string),
                );
            }
        }
    }
    wrong.extend(steps.iter().filter_map(|step| untrue(server, &serde_json::from_str(step).expect("a step"))));
    assert!(compared > 350, "only {compared} compared");
    assert!(wrong.is_empty(), "{backend}: {} of {compared}:\n{}", wrong.len(), wrong.join("\n"));
}

/// The problem of a step that names a grant.
fn untrue(server: &TestServer, step: &Value) -> Option<String> {
    let holder = &step["holder"];
    let role = step["role"].as_str()?;
    let list = format!("{role}{}s/?id={}", holder["type"].as_str()?, holder["id"]);
    let count = server.as_admin().get(&list).expect(200).json()["count"].clone();
    (count != 1).then(|| format!("{step} but {list} has {count}"))
}
