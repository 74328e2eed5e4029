//! Role definitions and assignments: the newer API for the same grants.

use hostler_testkit::{Backend, TestServer, on_each_backend};
use serde_json::{Value, json};

on_each_backend!(
    managed_definitions_are_read_only,
    roles_and_assignments_show_the_same_grants,
    custom_definition_grants_only_its_permissions,
    invalid_definitions_are_rejected,
    access_lists_show_custom_definitions,
    spellings_of_types_and_permissions_are_canonical,
    options_describe_what_grants_a_role,
);

fn make(server: &TestServer, path: &str, body: Value) -> i64 {
    server.as_admin().post(path, body).expect(201).json()["id"].as_i64().expect("an id")
}

fn definition(server: &TestServer, name: &str) -> i64 {
    let path = format!("/api/v2/role_definitions/?name={}", name.replace(' ', "%20"));
    server.as_admin().get(&path).expect(200).json()["results"][0]["id"].as_i64().expect("the definition")
}

struct RoleDefinitionsFixture {
    organization: i64,
    project: i64,
    ada: i64,
}

fn fixture(server: &TestServer) -> RoleDefinitionsFixture {
    let organization = make(server, "/api/v2/organizations/", json!({"name": "acme"}));
    let project = make(server, "/api/v2/projects/", json!({"name": "site", "organization": organization}));
    let ada = make(server, "/api/v2/users/", json!({"username": "ada", "password": "pw"}));
    RoleDefinitionsFixture { organization, project, ada }
}

fn managed_definitions_are_read_only(backend: Backend) {
    let server = &TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let admin = server.as_admin();
    let list = admin.get("/api/v2/role_definitions/?page_size=200&order_by=name").expect(200).json();
    assert_eq!(list["count"], 32);
    assert_eq!(list["results"][23]["name"], "Project Admin");
    assert_eq!(list["results"][23]["managed"], true);
    let path = format!("/api/v2/role_definitions/{}/", definition(server, "Project Admin"));
    assert!(list["results"].as_array().expect("results").iter().all(|one| one["description"] != ""));
    let ada = server.user("ada");
    for body in [json!({"name": "Mine"}), json!({"description": "x"}), json!({})] {
        admin.patch(&path, &body).expect(400);
        ada.client.patch(&path, &body).expect(403);
    }
    let body = json!({"name": "Mine", "permissions": ["awx.view_project"]});
    admin.put(&path, &body).expect(400);
    admin.delete(&path).expect(400);
    ada.client.delete(&path).expect(403);
    assert_eq!(admin.get(&path).expect(200).json()["name"], "Project Admin");
}

fn roles_and_assignments_show_the_same_grants(backend: Backend) {
    let server = &TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let RoleDefinitionsFixture { organization, project, ada } = fixture(server);
    let admin = server.as_admin();
    // Grants of the older API appear in the newer one, also for a role whose definition is created with its first
    // grant.
    admin.post(&format!("/api/v2/organizations/{organization}/users/"), json!({"id": ada})).expect(204);
    let roles = admin.get(&format!("/api/v2/organizations/{organization}/object_roles/?role_field=execute_role"));
    let execute = roles.expect(200).json()["results"][0]["id"].clone();
    admin.post(&format!("/api/v2/users/{ada}/roles/"), json!({"id": execute})).expect(204);
    let seen = admin.get(&format!("/api/v2/role_user_assignments/?user={ada}&order_by=id")).expect(200).json();
    let names: Vec<&str> = seen["results"]
        .as_array()
        .expect("results")
        .iter()
        .map(|row| row["summary_fields"]["role_definition"]["name"].as_str().expect("a name"))
        .collect();
    assert_eq!(names, ["Organization Member", "Organization Execute Compat"]);
    assert_eq!(seen["results"][0]["object_id"], organization.to_string());
    assert_eq!(seen["results"][0]["content_type"], "shared.organization");

    // Grants of the newer API appear in the older one, and can be revoked.
    let body = json!({"role_definition": definition(server, "Project Use"), "user": ada, "object_id": project});
    let assigned = admin.post("/api/v2/role_user_assignments/", body.clone()).expect(201).json();
    let again = admin.post("/api/v2/role_user_assignments/", body).expect(201).json();
    assert_eq!(assigned["id"], again["id"], "assigning twice is assigning once");
    let held = admin.get(&format!("/api/v2/users/{ada}/roles/?role_field=use_role")).expect(200).json();
    assert_eq!(held["results"][0]["summary_fields"]["resource_name"], "site");
    server.as_user("ada", "pw").get(&format!("/api/v2/projects/{project}/")).expect(200);
    admin.delete(&format!("/api/v2/role_user_assignments/{}/", assigned["id"])).expect(204);
    server.as_user("ada", "pw").get(&format!("/api/v2/projects/{project}/")).expect(403);
    assert_eq!(admin.get(&format!("/api/v2/users/{ada}/roles/?role_field=use_role")).json()["count"], 0);
}

fn custom_definition_grants_only_its_permissions(backend: Backend) {
    let server = &TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let RoleDefinitionsFixture { organization, project, ada } = fixture(server);
    let admin = server.as_admin();
    let editor = make(
        server,
        "/api/v2/role_definitions/",
        json!({"name": "Editor", "content_type": "awx.project", "permissions": ["awx.view_project", "awx.change_project"]}),
    );
    let team = make(server, "/api/v2/teams/", json!({"name": "ops", "organization": organization}));
    admin.post(&format!("/api/v2/teams/{team}/users/"), json!({"id": ada})).expect(204);
    let body = json!({"role_definition": editor, "team": team, "object_id": project.to_string()});
    let assigned = admin.post("/api/v2/role_team_assignments/", body).expect(201).json();

    let path = format!("/api/v2/projects/{project}/");
    let as_ada = server.as_user("ada", "pw");
    as_ada.patch(&path, json!({"description": "by ada"})).expect(200);
    as_ada.delete(&path).expect(403);
    let answer = as_ada.get(&path).expect(200).json();
    assert_eq!(answer["summary_fields"]["user_capabilities"]["edit"], true);
    assert_eq!(answer["summary_fields"]["user_capabilities"]["delete"], false);
    let grant = answer["summary_fields"]["object_roles"]["use_role"]["id"].clone();
    as_ada.post(&format!("/api/v2/users/{ada}/roles/"), json!({"id": grant})).expect(403);
    let roles = admin.get(&format!("/api/v2/projects/{project}/object_roles/")).json();
    assert_eq!(roles["count"], 4, "the older view has the older roles");

    // Deleting a definition deletes its assignments.
    let assignment = format!("/api/v2/role_team_assignments/{}/", assigned["id"]);
    admin.get(&assignment).expect(200);
    admin.delete(&format!("/api/v2/role_definitions/{editor}/")).expect(204);
    admin.get(&assignment).expect(404);
    as_ada.get(&path).expect(403);

    // On an organization a definition applies to its objects.
    let auditor = make(
        server,
        "/api/v2/role_definitions/",
        json!({"name": "Sees projects", "content_type": "shared.organization",
                   "permissions": ["shared.view_organization", "awx.view_project", "awx.add_project"]}),
    );
    let body = json!({"role_definition": auditor, "user": ada, "object_id": organization});
    admin.post("/api/v2/role_user_assignments/", body).expect(201);
    as_ada.get(&path).expect(200);
    as_ada.patch(&path, json!({"description": "no"})).expect(403);
    // The creator of an object administers it, without seeing what others add.
    let hers = as_ada.post("/api/v2/projects/", json!({"name": "hers", "organization": organization})).expect(201);
    let hers = hers.json()["url"].as_str().expect("a url").to_owned();
    as_ada.patch(&hers, json!({"description": "mine"})).expect(200);
    let roles = as_ada.results(&format!("/api/v2/users/{ada}/roles/"));
    assert!(roles.iter().any(|role| role["related"]["project"] == hers), "{roles:?}");
}

fn invalid_definitions_are_rejected(backend: Backend) {
    let server = &TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let RoleDefinitionsFixture { project, ada, .. } = fixture(server);
    let admin = server.as_admin();
    let refused = |body: Value, key: &str| {
        let answer = admin.post("/api/v2/role_definitions/", body.clone()).expect(400).json();
        assert!(answer[key][0].is_string(), "{body} should be refused for {key}: {answer}");
    };
    let with = |permissions: Value| json!({"name": "x", "content_type": "awx.project", "permissions": permissions});
    refused(with(json!([])), "permissions");
    refused(with(json!("awx.view_project")), "permissions");
    refused(with(json!([1])), "permissions");
    refused(with(json!(["awx.fly_project"])), "permissions");
    refused(with(json!(["awx.change_project"])), "permissions");
    refused(with(json!(["awx.view_project", "awx.view_inventory"])), "permissions");
    refused(json!({"name": "x", "permissions": ["awx.view_project"]}), "content_type");
    refused(json!({"name": "x", "content_type": "shared.team", "permissions": ["shared.view_team"]}), "content_type");
    refused(
        json!({"name": "Project Admin", "content_type": "awx.project", "permissions": ["awx.view_project"]}),
        "name",
    );
    let member = json!({"name": "x", "content_type": "shared.organization",
                            "permissions": ["shared.view_organization", "shared.member_organization"]});
    refused(member, "permissions");

    let assign = |body: Value, status: u16| admin.post("/api/v2/role_user_assignments/", body).expect(status);
    assign(json!({}), 400);
    assign(json!({"role_definition": 99_999, "user": ada, "object_id": project}), 400);
    assign(json!({"role_definition": definition(server, "Project Use"), "user": 99_999, "object_id": project}), 400);
    assign(json!({"role_definition": definition(server, "Project Use"), "user": ada, "object_id": 99_999}), 400);
    assign(json!({"role_definition": definition(server, "Project Use"), "user": ada}), 400);

    let as_ada = server.as_user("ada", "pw");
    as_ada.post("/api/v2/role_definitions/", with(json!(["awx.view_project"]))).expect(403);
    let own = json!({"role_definition": definition(server, "Project Admin"), "user": ada, "object_id": project});
    as_ada.post("/api/v2/role_user_assignments/", own).expect(403);
}

fn access_lists_show_custom_definitions(backend: Backend) {
    let server = &TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let RoleDefinitionsFixture { organization, project, ada } = fixture(server);
    let admin = server.as_admin();
    let define = |name: &str, content_type: &str, permissions: &[&str]| {
        let body = json!({"name": name, "description": "Made here", "content_type": content_type,
                          "permissions": permissions});
        make(server, "/api/v2/role_definitions/", body)
    };
    let assign = |definition: i64, kind: &str, who: i64, object: i64| {
        let body = json!({"role_definition": definition, kind: who, "object_id": object});
        make(server, &format!("/api/v2/role_{kind}_assignments/"), body)
    };
    let editor = define("Editor", "awx.project", &["awx.view_project", "awx.change_project", "awx.use_project"]);
    let above = ["shared.view_organization", "awx.view_project", "awx.delete_project"];
    let cleaner = define("Cleaner", "shared.organization", &above);
    let unrelated = define("Adds", "shared.organization", &["shared.view_organization", "awx.add_project"]);
    let [bob, eve, fay] = ["bob", "eve", "fay"].map(|name| server.user(name));
    let ops = server.team("ops", organization);
    admin.attach(&format!("/api/v2/teams/{ops}/users/"), eve.id);
    assign(editor, "user", ada, project);
    assign(cleaner, "user", bob.id, organization);
    assign(editor, "team", ops, project);
    assign(unrelated, "user", fay.id, organization);

    let path = format!("/api/v2/projects/{project}/access_list/");
    let listed = admin.results(&path);
    let of = |id: i64, which: &str| {
        let user = listed.iter().find(|user| user["id"] == id).unwrap_or_else(|| panic!("{id} is not in {listed:?}"));
        user["summary_fields"][which].as_array().expect("a list").clone()
    };
    let direct = of(ada, "direct_access");
    let role = direct[0]["role"]["id"].clone();
    assert_eq!(
        direct,
        [json!({
            "role": {
                "id": role, "name": "Editor", "description": "Made here", "resource_name": "site",
                "resource_type": "project", "related": {"project": format!("/api/v2/projects/{project}/")},
                "user_capabilities": {"unattach": true},
            },
            "descendant_roles": ["admin_role", "read_role", "use_role"],
        })]
    );
    assert!(of(ada, "indirect_access").is_empty());
    let through_team = of(eve.id, "direct_access");
    assert_eq!(through_team[0]["role"]["team_name"], "ops", "{through_team:?}");
    assert_eq!(through_team[0]["role"]["name"], "Editor");
    let through_organization = of(bob.id, "indirect_access");
    assert_eq!(through_organization[0]["role"]["resource_type"], "organization", "{through_organization:?}");
    assert_eq!(through_organization[0]["descendant_roles"], json!(["read_role"]), "what it allows on projects");
    assert!(listed.iter().all(|user| user["id"] != fay.id), "adding projects shows none");
    let superuser = of(1, "indirect_access");
    assert_eq!(superuser[0]["role"]["id"], Value::Null, "{superuser:?}");
    assert_eq!(superuser[0]["descendant_roles"], json!(["admin_role", "use_role", "update_role", "read_role"]));

    // A user who may revoke a grant sees that, and can revoke it.
    let seen_by_bob = bob.client.results(&path);
    let own = seen_by_bob.iter().find(|user| user["id"] == bob.id).expect("oneself");
    assert_eq!(own["summary_fields"]["indirect_access"][0]["role"]["user_capabilities"]["unattach"], false);
    admin.post(&format!("/api/v2/users/{ada}/roles/"), json!({"id": role, "disassociate": true})).expect(204);
    assert!(admin.results(&path).iter().all(|user| user["id"] != ada));
    server.as_user("ada", "pw").get(&format!("/api/v2/projects/{project}/")).expect(403);
}

fn spellings_of_types_and_permissions_are_canonical(backend: Backend) {
    let server = &TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let admin = server.as_admin();
    for (number, (content_type, app, canonical)) in [
        ("awx.organization", "awx.", "shared.organization"),
        ("shared.organization", "awx.", "shared.organization"),
        ("awx.organization", "shared.", "shared.organization"),
        ("organization", "", "shared.organization"),
        ("shared.organization", "shared.", "shared.organization"),
        ("main.organization", "main.rbac.", "shared.organization"),
    ]
    .into_iter()
    .enumerate()
    {
        let permissions = ["view_organization", "change_organization"].map(|name| format!("{app}{name}"));
        let body = json!({"name": format!("d{number}"), "content_type": content_type, "permissions": permissions});
        let made = admin.post("/api/v2/role_definitions/", body).expect(201).json();
        assert_eq!(made["content_type"], canonical);
        let stored = ["shared.view_organization", "shared.change_organization"];
        assert_eq!(made["permissions"], json!(stored));
        let path = made["url"].as_str().expect("a path");
        let changed = json!({"permissions": [format!("{app}view_organization"), "view_organization"]});
        let changed = admin.patch(path, changed).expect(200).json();
        assert_eq!(changed["permissions"], json!(["shared.view_organization"]));
    }
    let body = json!({"name": "c", "content_type": "credential",
        "permissions": ["shared.view_credential", "use_credential"]});
    let made = admin.post("/api/v2/role_definitions/", body).expect(201).json();
    assert_eq!(made["permissions"], json!(["awx.view_credential", "awx.use_credential"]));
    // The permission works under its canonical name.
    let organization = server.organization("acme");
    let body = json!({"name": "adder", "content_type": "organization",
        "permissions": ["view_organization", "shared.add_project"]});
    let adder = make(server, "/api/v2/role_definitions/", body);
    let ada = server.user("ada");
    let body = json!({"role_definition": adder, "user": ada.id, "object_id": organization});
    admin.post("/api/v2/role_user_assignments/", body).expect(201);
    ada.client.post("/api/v2/projects/", json!({"name": "site", "organization": organization})).expect(201);
    for content_type in ["awx.team", "team", "shared.team"] {
        let body = json!({"name": "t", "content_type": content_type, "permissions": ["view_team"]});
        let refused = admin.post("/api/v2/role_definitions/", body).expect(400).json();
        assert!(refused["content_type"][0].as_str().is_some_and(|text| text.contains("teams")), "{refused}");
    }
    for (content_type, permission, field) in [
        ("awx.nothing", "view_organization", "content_type"),
        ("awx.", "view_organization", "content_type"),
        ("awx.organization", "awx.nothing_organization", "permissions"),
        ("awx.organization", "awx.member_organization", "permissions"),
    ] {
        let body = json!({"name": "w", "content_type": content_type, "permissions": ["view_organization", permission]});
        let refused = admin.post("/api/v2/role_definitions/", body).expect(400).json();
        assert!(refused.get(field).is_some(), "{refused}");
    }
}

fn options_describe_what_grants_a_role(backend: Backend) {
    let server = &TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let admin = server.as_admin();
    let ada = server.user("ada");
    let team = server.team("crew", server.organization("acme"));
    let actions = |path: &str| admin.options(path).expect(200).json()["actions"].clone();
    for (list, grantee) in [("role_user_assignments", "user"), ("role_team_assignments", "team")] {
        let actions = actions(&format!("/api/v2/{list}/"));
        let (identity, post) = (format!("{grantee}_ansible_id"), &actions["POST"]);
        for (field, required) in
            [(grantee, false), (&identity, false), ("object_ansible_id", false), ("role_definition", true)]
        {
            assert_eq!(post[field]["required"], required, "{list} {field}");
        }
        assert_eq!(post.get("content_type"), None);
        assert_eq!(actions["GET"]["content_type"]["choices"][0][0], "awx.credential");
    }
    let definitions = actions("/api/v2/role_definitions/");
    assert_eq!(definitions["POST"]["content_type"]["choices"][0], json!([null, "---------"]));
    for list in [format!("{}roles/", ada.path()), format!("/api/v2/teams/{team}/roles/")] {
        let post = &actions(&list)["POST"];
        assert_eq!((&post["id"]["type"], &post["disassociate"]["type"]), (&json!("integer"), &json!("integer")));
    }
    let searches = |path: &str| admin.options(path).expect(200).json()["related_search_fields"].clone();
    assert_eq!(searches("/api/v2/activity_stream/"), Value::Null);
    let below = searches(&format!("{}activity_stream/", ada.path()));
    assert!(below.as_array().expect("fields").contains(&json!("actor__search")), "{below}");
    // A NUL names no object.
    let body = json!({"role_definition": definition(server, "Organization Member"), "user_ansible_id": "a\0b"});
    admin.post("/api/v2/role_user_assignments/", body).expect(400);
}
