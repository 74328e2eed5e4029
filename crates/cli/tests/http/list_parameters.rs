//! Parameters of lists other than field filters: `role_level`, `search`, filters by roles, and unknown parameters.

use hostler_testkit::{Backend, Client, PASSWORD, TestServer, on_each_backend};
use serde_json::json;

on_each_backend!(
    role_level_lists_objects_with_role,
    role_level_without_roles_is_rejected,
    repeated_search_takes_last_value,
    search_spans_relations,
    role_fields_filter_objects,
    singleton_name_filters_system_roles,
    host_filter_is_rejected_where_unknown,
    filters_below_absent_relations_match_nothing,
    format_parameter_is_checked_as_in_awx,
);

fn start(backend: Backend) -> TestServer {
    TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend)
}

fn names(client: &Client, path: &str) -> Vec<String> {
    let results = client.get(&format!("/api/v2/{path}")).expect(200).json()["results"].clone();
    let values = results.as_array().expect("results").iter();
    values.map(|object| object["name"].as_str().expect("a name").to_owned()).collect()
}

fn count(client: &Client, path: &str) -> u64 {
    client.get(&format!("/api/v2/{path}")).expect(200).json()["count"].as_u64().expect("a count")
}

/// The `detail` of an answer with status 400.
fn rejected(client: &Client, path: &str) -> String {
    let detail = client.get(&format!("/api/v2/{path}")).expect(400).json()["detail"].clone();
    detail.as_str().expect("a detail").to_owned()
}

/// The id of an object's role.
fn role(admin: &Client, object: &str, field: &str) -> i64 {
    let object = admin.get(&format!("/api/v2/{object}/")).expect(200).json();
    object["summary_fields"]["object_roles"][field]["id"].as_i64().expect("a role")
}

fn role_level_lists_objects_with_role(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let (home, other) = (server.organization("home"), server.organization("other"));
    let team = server.team("crew", home);
    let [direct, member, boss, auditor, custom] =
        ["direct", "member", "boss", "auditor", "custom"].map(|name| server.user(name));
    let credential = |name: &str, organization: i64| {
        let body = json!({"name": name, "organization": organization, "credential_type": 1, "inputs": {}});
        admin.create("/api/v2/credentials/", body)
    };
    let (a, b) = (credential("a", home), credential("b", home));
    let c = credential("c", other);
    // Credentials can be shared only within their organization.
    server.add_member(home, &direct);
    server.add_member(other, &custom);
    let grant = |user: i64, role: i64| admin.attach(&format!("/api/v2/users/{user}/roles/"), role);
    grant(direct.id, role(&admin, &format!("credentials/{a}"), "use_role"));
    grant(direct.id, role(&admin, &format!("credentials/{b}"), "read_role"));
    admin.attach(&format!("/api/v2/teams/{team}/roles/"), role(&admin, &format!("credentials/{b}"), "use_role"));
    server.add_member(home, &member);
    admin.attach(&format!("/api/v2/teams/{team}/users/"), member.id);
    server.add_admin(other, &boss);
    admin.patch(&auditor.path(), json!({"is_system_auditor": true})).expect(200);
    let permissions = ["awx.view_credential", "awx.use_credential"];
    let definition = json!({"name": "Uses credentials", "content_type": "awx.credential", "permissions": permissions});
    let definition = admin.create("/api/v2/role_definitions/", definition);
    let assignment = json!({"role_definition": definition, "user": custom.id, "object_id": c});
    admin.create("/api/v2/role_user_assignments/", assignment);

    for (who, level, expected) in [
        ("direct", "use_role", &["a"][..]),
        ("direct", "read_role", &["a", "b"]),
        ("direct", "admin_role", &[]),
        ("member", "use_role", &["b"]),
        ("boss", "use_role", &["c"]),
        ("boss", "admin_role", &["c"]),
        ("auditor", "use_role", &[]),
        ("auditor", "read_role", &["a", "b", "c"]),
        ("custom", "use_role", &["c"]),
        ("custom", "admin_role", &[]),
    ] {
        let client = server.as_user(who, PASSWORD);
        let path = format!("credentials/?managed=false&order_by=name&role_level={level}");
        assert_eq!(names(&client, &path), expected, "{who} {level}");
        assert_eq!(count(&client, &path), expected.len() as u64, "{who} {level}");
    }
    assert_eq!(names(&admin, "credentials/?managed=false&order_by=name&role_level=admin_role"), ["a", "b", "c"]);
    let client = server.as_user("direct", PASSWORD);
    assert_eq!(names(&client, "credentials/?role_level=read_role&role_level=use_role"), ["a"]);
    assert_eq!(names(&client, "credentials/?role_level=read_role&name=b"), ["b"]);
    let client = server.as_user("member", PASSWORD);
    assert_eq!(names(&client, "organizations/?role_level=member_role"), ["home"]);
    assert_eq!(names(&client, "organizations/?role_level=admin_role"), [""; 0]);
    assert_eq!(names(&client, "teams/?role_level=member_role"), ["crew"]);
    assert_eq!(names(&client, &format!("organizations/{home}/teams/?role_level=member_role")), ["crew"]);
    assert_eq!(names(&admin, "projects/?role_level=update_role"), [""; 0]);
}

fn role_level_without_roles_is_rejected(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    for list in ["users", "roles", "activity_stream", "tokens", "credential_types", "labels"] {
        assert!(rejected(&admin, &format!("{list}/?role_level=admin_role")).contains("role_level"), "{list}");
    }
    for wrong in ["nosuch", "", "admin", "definition_1"] {
        let detail = rejected(&admin, &format!("organizations/?role_level={wrong}"));
        assert_eq!(detail, format!("Organization has no role named '{wrong}'"));
    }
    rejected(&admin, "organizations/?not__role_level=admin_role");
    rejected(&admin, "organizations/?order_by=role_level");
}

fn repeated_search_takes_last_value(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    for name in ["first", "second"] {
        server.organization(name);
    }
    assert_eq!(names(&admin, "organizations/?search=first&search=second"), ["second"]);
    assert_eq!(names(&admin, "organizations/?search=nothing&search=first"), ["first"]);
    assert_eq!(names(&admin, "organizations/?search=first&search=nothing"), [""; 0]);
    assert_eq!(count(&admin, "organizations/?search=first&search="), count(&admin, "organizations/"));
}

fn search_spans_relations(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let team = server.team("crew", server.organization("home"));
    let of_teams = count(&admin, "roles/?content_type__model=team");
    assert_ne!(of_teams, 0);
    assert_eq!(count(&admin, "roles/?search=TEAM"), of_teams);
    assert_eq!(count(&admin, "roles/?search=team,member"), 1);
    assert_eq!(count(&admin, &format!("roles/?search=team&object_id={team}&role_field=admin_role")), 1);
    assert_eq!(count(&admin, "roles/?search=nothing"), 0);
    assert_eq!(count(&admin, "roles/?parents__search=team"), count(&admin, "roles/?parents__content_type__model=team"));
}

fn role_fields_filter_objects(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let (home, other) = (server.organization("home"), server.organization("other"));
    let team = server.team("crew", home);
    let (ann, bob) = (server.user("ann"), server.user("bob"));
    server.add_admin(home, &ann);
    server.add_member(other, &bob);
    let id = role(&admin, &format!("organizations/{home}"), "admin_role");
    assert_eq!(names(&admin, &format!("organizations/?admin_role={id}")), ["home"]);
    assert_eq!(names(&admin, &format!("organizations/?admin_role__id={id}")), ["home"]);
    assert_eq!(names(&admin, &format!("organizations/?member_role={id}")), [""; 0]);
    assert_eq!(names(&admin, &format!("organizations/?admin_role__in={id},0")), ["home"]);
    assert_eq!(names(&admin, "organizations/?admin_role__members__username=ann"), ["home"]);
    assert_eq!(names(&admin, "organizations/?member_role__members__username=bob"), ["other"]);
    assert_eq!(
        names(&admin, "organizations/?or__admin_role__members=2&or__name=other&order_by=name"),
        ["home", "other"]
    );
    assert_eq!(names(&admin, "organizations/?not__admin_role__members__username=ann&name__in=home,other"), ["other"]);
    assert_eq!(count(&admin, "organizations/?admin_role__isnull=true"), 0);
    assert_eq!(count(&admin, "organizations/?admin_role__isnull=false"), count(&admin, "organizations/"));
    assert_eq!(names(&admin, "organizations/?order_by=-admin_role&name__in=home,other"), ["other", "home"]);
    assert_eq!(names(&admin, "teams/?organization__admin_role__members__username=ann"), ["crew"]);
    let id = role(&admin, &format!("teams/{team}"), "read_role");
    assert_eq!(names(&admin, &format!("teams/?read_role={id}")), ["crew"]);
    for list in ["projects", "credentials"] {
        assert_eq!(count(&admin, &format!("{list}/?use_role__members__username=ann")), 0);
        rejected(&admin, &format!("{list}/?member_role=1"));
    }
    rejected(&admin, "users/?admin_role=1");
    rejected(&admin, "organizations/?admin_role=x");
    rejected(&admin, "organizations/?admin_role__nothing=1");
    admin.get("/api/v2/organizations/?admin_role__members__password=x").expect(403);
    // The role of an object that the actor cannot see matches nothing.
    let id = role(&admin, &format!("organizations/{other}"), "admin_role");
    let client = server.as_user("ann", PASSWORD);
    assert_eq!(names(&client, &format!("organizations/?admin_role={id}")), [""; 0]);
    assert_eq!(names(&client, "organizations/?admin_role__members__username=ann"), ["home"]);
}

fn singleton_name_filters_system_roles(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let found = admin.get("/api/v2/roles/?singleton_name=system_administrator").expect(200).json();
    assert_eq!((&found["count"], &found["results"][0]["name"]), (&json!(1), &json!("System Administrator")));
    assert!(found["results"][0].get("singleton_name").is_none(), "{found}");
    assert_eq!(
        names(&admin, "roles/?singleton_name__startswith=system&order_by=-singleton_name"),
        ["System Auditor", "System Administrator"]
    );
    assert_eq!(count(&admin, "roles/?singleton_name=admin_role"), 0);
    assert_eq!(count(&admin, "roles/?singleton_name__isnull=true"), count(&admin, "roles/") - 2);
    assert_eq!(count(&admin, "roles/?not__singleton_name=system_auditor"), count(&admin, "roles/") - 1);
}

fn host_filter_is_rejected_where_unknown(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    assert_eq!(rejected(&admin, "users/?host_filter=name=a"), "User has no field named 'host_filter'");
    rejected(&admin, "organizations/?host_filter=");
    // Other parameters of AWX's lists are ignored.
    admin.get("/api/v2/users/?no_truncate=1&validate=1&limit=2").expect(200);
}

fn filters_below_absent_relations_match_nothing(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    assert_eq!(count(&admin, "users/?enterprise_auth__provider=x"), 0);
    assert_eq!(count(&admin, "users/?not__enterprise_auth__provider=x"), 1);
    assert_eq!(count(&admin, "users/?enterprise_auth__isnull=true"), 1);
    assert_eq!(count(&admin, "users/?enterprise_auth__user__password=x"), 0);
}

fn format_parameter_is_checked_as_in_awx(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    for (query, status) in [
        ("format=json", 200),
        ("format=api", 200),
        ("format=", 200),
        ("format=txt&format=json", 200),
        ("format=json&format=txt", 404),
        ("format=txt", 404),
        ("format=nosuch", 404),
    ] {
        admin.get(&format!("/api/v2/users/?{query}")).expect(status);
    }
}
