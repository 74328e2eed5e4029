//! Visibility of teams, and the content of `access_list` for different users.

use hostler_testkit::{Backend, Client, TestServer, TestUser, on_each_backend};
use serde_json::{Value, json};

on_each_backend!(
    organization_members_see_its_teams,
    access_lists_show_everyone_to_readers,
    access_lists_hide_names_of_hidden_objects,
    access_paths_name_the_organization_of_a_team,
    system_roles_name_all_descendant_roles,
);

struct AccessListFixture {
    server: TestServer,
    organization: i64,
    /// A team of the organization.
    team: i64,
    /// Another one, without members.
    empty_team: i64,
    /// A team of another organization.
    foreign_team: i64,
    boss: TestUser,
    member: TestUser,
    /// A member of `team` only.
    teammate: TestUser,
    outsider: TestUser,
}

fn fixture(backend: Backend) -> AccessListFixture {
    let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let organization = server.organization("acme");
    let other = server.organization("other");
    let [team, empty_team] = ["ops", "idle"].map(|name| server.team(name, organization));
    let foreign_team = server.team("foreign", other);
    let [boss, member, teammate, outsider] = ["boss", "member", "teammate", "outsider"].map(|name| server.user(name));
    server.user_with("auditor", json!({"is_system_auditor": true}));
    server.add_admin(organization, &boss);
    server.add_member(organization, &member);
    server.as_admin().attach(&format!("/api/v2/teams/{team}/users/"), teammate.id);
    AccessListFixture { server, organization, team, empty_team, foreign_team, boss, member, teammate, outsider }
}

fn names(client: &Client, list: &str, key: &str) -> Vec<String> {
    let separator = if list.contains('?') { '&' } else { '?' };
    let results = client.results(&format!("{list}{separator}order_by={key}"));
    results.iter().map(|result| result[key].as_str().expect("a name").to_owned()).collect()
}

fn organization_members_see_its_teams(backend: Backend) {
    let AccessListFixture { server, organization, team, empty_team, foreign_team, boss, member, teammate, outsider } =
        &fixture(backend);
    let path = |team: &i64| format!("/api/v2/teams/{team}/");
    for (person, seen) in [(member, vec!["idle", "ops"]), (teammate, vec!["ops"]), (outsider, vec![])] {
        assert_eq!(names(&person.client, "/api/v2/teams/", "name"), seen, "{}", person.name);
        for (name, team) in [("ops", team), ("idle", empty_team), ("foreign", foreign_team)] {
            let status = if seen.contains(&name) { 200 } else { 403 };
            for below in ["", "roles/", "object_roles/", "users/", "access_list/", "projects/", "credentials/"] {
                person.client.get(&format!("{}{below}", path(team))).expect(status);
            }
        }
    }
    let of_organization = format!("/api/v2/organizations/{organization}/teams/");
    assert_eq!(names(&member.client, &of_organization, "name"), ["idle", "ops"]);
    assert_eq!(names(&boss.client, &of_organization, "name"), ["idle", "ops"]);
    teammate.client.get(&of_organization).expect(403);
    // Permission to see a team gives neither permission to change it nor its roles.
    for (method, body) in [("PATCH", json!({"description": "x"})), ("DELETE", Value::Null)] {
        member.client.request(method, &path(empty_team)).json(body).send().expect(403);
    }
    let shown = member.client.get(&path(empty_team)).expect(200).json();
    assert_eq!(shown["summary_fields"]["user_capabilities"], json!({"edit": false, "delete": false}));
    member.client.post(&format!("{}users/", path(empty_team)), json!({"id": member.id})).expect(403);
    // Other roles of the organization show the organization, but not its teams.
    let reader = server.user("reader");
    let roles = server.as_admin().get(&format!("/api/v2/organizations/{organization}/")).json();
    let role = roles["summary_fields"]["object_roles"]["read_role"]["id"].as_i64().expect("a role");
    server.as_admin().attach(&format!("/api/v2/users/{}/roles/", reader.id), role);
    assert!(names(&reader.client, "/api/v2/teams/", "name").is_empty());
    // The explanation names the membership.
    let explained =
        member.client.get(&format!("/api/v2/users/{}/explain_access/?object={}", member.id, path(empty_team)));
    let explained = explained.expect(200).json();
    let permissions = explained["permissions"].as_array().expect("permissions");
    let view = permissions.iter().find(|one| one["action"] == "view").expect("the permission to view");
    assert_eq!(view["allowed"], true);
    assert!(view["because"].to_string().contains("member_role"), "{view}");
}

fn access_lists_show_everyone_to_readers(backend: Backend) {
    let AccessListFixture { server, organization, team, boss, member, teammate, outsider, .. } = &fixture(backend);
    let admin = server.as_admin();
    let ssh = admin.get("/api/v2/credential_types/?namespace=ssh").expect(200).json()["results"][0]["id"].clone();
    let body = json!({"name": "key", "team": team, "credential_type": ssh, "inputs": {}});
    let credential = admin.create("/api/v2/credentials/", body);
    let project = admin.post("/api/v2/projects/", json!({"name": "site", "organization": organization}));
    let project = project.expect(201).json();
    let role = project["summary_fields"]["object_roles"]["use_role"]["id"].as_i64().expect("a role");
    admin.attach(&format!("/api/v2/teams/{team}/roles/"), role);
    let root = ["admin", "auditor"];
    for (list, readers, everyone) in [
        (format!("/api/v2/organizations/{organization}/access_list/"), vec![member, boss], vec!["boss", "member"]),
        (format!("/api/v2/teams/{team}/access_list/"), vec![member, boss, teammate], vec!["boss", "teammate"]),
        (format!("/api/v2/credentials/{credential}/access_list/"), vec![boss, teammate], vec!["boss", "teammate"]),
        (format!("/api/v2/projects/{}/access_list/", project["id"]), vec![boss, teammate], vec!["boss", "teammate"]),
        (format!("/api/v2/users/{}/access_list/", member.id), vec![boss, member], vec![]),
    ] {
        let mut everyone = [&root[..], &everyone].concat();
        everyone.sort_unstable();
        assert_eq!(names(&admin, &list, "username"), everyone, "{list}");
        for reader in readers {
            let shown = reader.client.get(&format!("{list}?order_by=username")).expect(200).json();
            assert_eq!(shown["count"], everyone.len(), "{list} as {}", reader.name);
            assert_eq!(names(&reader.client, &list, "username"), everyone, "{list} as {}", reader.name);
            let found = reader.client.get(&format!("{list}?username=auditor")).expect(200).json();
            assert_eq!(found["count"], 1, "{list} as {}", reader.name);
        }
        outsider.client.get(&list).expect(403);
    }
    // Other lists of users are unchanged.
    assert_eq!(names(&teammate.client, "/api/v2/users/", "username"), ["admin", "teammate"]);
    assert_eq!(names(&teammate.client, &format!("/api/v2/teams/{team}/users/"), "username"), ["teammate"]);
}

/// The descriptions of one user's access.
fn access(client: &Client, list: &str, username: &str, kind: &str) -> Vec<Value> {
    let shown = client.results(&format!("{list}?username={username}")).remove(0);
    shown["summary_fields"][kind].as_array().expect("a list").clone()
}

fn access_lists_hide_names_of_hidden_objects(backend: Backend) {
    let AccessListFixture { server, organization, team, boss, teammate, .. } = &fixture(backend);
    let admin = server.as_admin();
    let body = json!({"name": "site", "organization": organization});
    let project = admin.post("/api/v2/projects/", body).expect(201).json();
    let role = project["summary_fields"]["object_roles"]["use_role"]["id"].as_i64().expect("a role");
    admin.attach(&format!("/api/v2/teams/{team}/roles/"), role);
    let list = format!("/api/v2/projects/{}/access_list/", project["id"]);
    // The organization is hidden from a member of its team.
    let seen = access(&teammate.client, &list, "boss", "indirect_access");
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(seen[0]["role"]["name"], "Admin");
    assert_eq!(seen[0]["role"]["resource_type"], "organization");
    assert!(seen[0]["role"].get("resource_name").is_none(), "{seen:?}");
    assert!(seen[0]["role"].get("related").is_none(), "{seen:?}");
    assert_eq!(seen[0]["role"]["user_capabilities"]["unattach"], false);
    let seen = access(&boss.client, &list, "boss", "indirect_access");
    assert_eq!(seen[0]["role"]["resource_name"], "acme");
    assert_eq!(seen[0]["descendant_roles"], json!(["read_role", "update_role", "use_role", "admin_role"]));
}

fn access_paths_name_the_organization_of_a_team(backend: Backend) {
    let AccessListFixture { server, organization, team, teammate, .. } = &fixture(backend);
    let admin = server.as_admin();
    let body = json!({"name": "site", "organization": organization});
    let project = admin.post("/api/v2/projects/", body).expect(201).json();
    let role = project["summary_fields"]["object_roles"]["use_role"]["id"].as_i64().expect("a role");
    admin.attach(&format!("/api/v2/teams/{team}/roles/"), role);
    let list = format!("/api/v2/projects/{}/access_list/", project["id"]);
    let seen = access(&admin, &list, "teammate", "direct_access");
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(seen[0]["role"]["team_id"], *team);
    assert_eq!(seen[0]["role"]["team_name"], "ops");
    assert_eq!(seen[0]["role"]["team_organization_name"], "acme");
    assert_eq!(seen[0]["descendant_roles"], json!(["read_role", "use_role"]));
    let own = access(&teammate.client, &list, "teammate", "direct_access");
    assert_eq!(own[0]["role"]["team_name"], "ops");
    assert!(own[0]["role"].get("team_organization_name").is_none(), "{own:?}");
}

fn system_roles_name_all_descendant_roles(backend: Backend) {
    let AccessListFixture { server, organization, team, .. } = &fixture(backend);
    let admin = server.as_admin();
    for (list, of_auditor, of_admin) in [
        (format!("/api/v2/organizations/{organization}/access_list/"), json!(["auditor_role", "read_role"]), 13),
        (format!("/api/v2/teams/{team}/access_list/"), json!(["read_role"]), 3),
    ] {
        let auditor = access(&admin, &list, "auditor", "indirect_access");
        assert_eq!(auditor[0]["descendant_roles"], of_auditor, "{list}");
        let administrator = access(&admin, &list, "admin", "indirect_access");
        assert_eq!(administrator[0]["descendant_roles"].as_array().map(Vec::len), Some(of_admin), "{list}");
    }
}
