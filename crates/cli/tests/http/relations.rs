//! Filters along the links between resources, in both directions.

use hostler_engine::Links;
use hostler_resources::REGISTRY;
use hostler_testkit::{Backend, Client, Fixture, TestServer, on_each_backend};
use serde_json::json;

on_each_backend!(
    reverse_relations_filter_by_linking_objects,
    reverse_relations_hide_invisible_objects,
    unimplemented_relations_match_nothing,
    relations_of_activity_filter_by_any_type,
    many_role_filters_work_together,
    order_by_role_works_for_all_users,
);

fn start(backend: Backend) -> TestServer {
    TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend)
}

fn count(client: &Client, path: &str) -> i64 {
    client.get(&format!("/api/v2/{path}")).expect(200).json()["count"].as_i64().expect("a count")
}

/// An organization with a project and an execution environment that use its credential of this type.
fn organization_with_project(server: &TestServer, name: &str) -> i64 {
    let admin = server.as_admin();
    let organization = server.organization(name);
    let credential = |namespace: &str| {
        let kind = admin.results(&format!("/api/v2/credential_types/?namespace={namespace}"))[0]["id"].clone();
        let body = json!({"name": namespace, "organization": organization, "credential_type": kind, "inputs": {}});
        admin.create("/api/v2/credentials/", body)
    };
    let environment = json!({"name": format!("image of {name}"), "image": "a/b", "organization": organization,
        "credential": credential("registry")});
    let environment = admin.create("/api/v2/execution_environments/", environment);
    let project = json!({"name": format!("site of {name}"), "organization": organization, "scm_type": "git",
        "scm_url": "https://git.example/site.git", "credential": credential("scm"),
        "default_environment": environment});
    admin.create("/api/v2/projects/", project);
    organization
}

fn reverse_relations_filter_by_linking_objects(backend: Backend) {
    let server = start(backend);
    organization_with_project(&server, "one");
    organization_with_project(&server, "two");
    let admin = server.as_admin();
    for (filter, expected) in [
        ("organizations/?unifiedjobtemplates__name=site of one", 1),
        ("organizations/?executionenvironments__name__startswith=image", 2),
        ("organizations/?credentials__name=scm", 2),
        ("organizations/?credentials__projects__name=site of two", 1),
        ("organizations/?not__credentials__projects__name=site of two", 1),
        ("credentials/?projects__name=site of one", 1),
        ("credentials/?projects__organization__name=one", 1),
        ("credentials/?executionenvironments__organization__name=two", 1),
        ("credentials/?executionenvironments__search=image", 2),
        ("credential_types/?credentials__projects__name=site of one", 1),
        ("projects/?default_environment__credential__name=registry", 2),
        ("projects/?created_by__username=admin&modified_by__username=admin", 2),
        ("users/?activity_stream__object1=project", 1),
        ("users/?activity_stream__object1=nothing", 0),
    ] {
        assert_eq!(count(&admin, &filter.replace(' ', "%20")), expected, "{filter}");
    }
}

fn reverse_relations_hide_invisible_objects(backend: Backend) {
    let server = start(backend);
    let organization = organization_with_project(&server, "one");
    let member = server.user("member");
    server.as_admin().attach(&format!("/api/v2/organizations/{organization}/users/"), member.id);
    for relation in ["unifiedjobtemplates__name__startswith=site", "credentials__name=scm"] {
        let filter = format!("organizations/?{relation}");
        assert_eq!(count(&server.as_admin(), &filter), 1, "{filter}");
        assert_eq!(count(&member.client, &filter), 0, "{filter}");
    }
    assert_eq!(count(&member.client, "organizations/"), 1);
    for filter in [
        "users/?activity_stream__object1=project",
        "users/?activity_stream__object1=project&activity_stream__operation=create",
        "users/?activity_stream__actor__username=nobody",
        "projects/?created_by__activity_stream__object1=project",
    ] {
        assert_eq!(count(&member.client, filter), 0, "{filter}");
    }
    // More than SQLite can do: see docs/differences-from-awx.md.
    let twice = "/api/v2/users/?activity_stream__object1=project&not__activity_stream__operation=create";
    member.client.get(twice).expect(if backend == Backend::Sqlite { 400 } else { 200 });
}

fn unimplemented_relations_match_nothing(backend: Backend) {
    let server = start(backend);
    Fixture::populate(&server, backend, 1);
    let admin = server.as_admin();
    for resource in REGISTRY.resources().filter(|resource| resource.has_list) {
        let list = resource.plural;
        for name in resource.unimplemented_relations {
            let all = count(&admin, &format!("{list}/"));
            for filter in [name.to_string(), format!("{name}__name"), format!("{name}__created_by__id__in")] {
                assert_eq!(count(&admin, &format!("{list}/?{filter}=1")), 0, "{list} {filter}");
                assert!(count(&admin, &format!("{list}/?not__{filter}=1")) >= all, "{list} {filter}");
            }
            assert_eq!(count(&admin, &format!("{list}/?{name}__search=x")), 0, "{list} {name}");
            assert!(count(&admin, &format!("{list}/?{name}__isnull=true&order_by={name}")) >= all, "{list} {name}");
        }
    }
    admin.get("/api/v2/organizations/?inventory=1").expect(400);
}

fn relations_of_activity_filter_by_any_type(backend: Backend) {
    let server = start(backend);
    organization_with_project(&server, "one");
    let admin = server.as_admin();
    for resource in REGISTRY.resources().filter(|resource| resource.recorded) {
        let status = if resource.filters_activity { 200 } else { 400 };
        admin.get(&format!("/api/v2/activity_stream/?{}__id=1", resource.name)).expect(status);
    }
    assert_eq!(count(&admin, "activity_stream/?project__name=site%20of%20one&operation=create"), 1);
    assert_eq!(count(&admin, "activity_stream/?execution_environment__organization__name=one"), 1);
}

/// As many filters by different roles as a query may have.
fn many_role_filters_work_together(backend: Backend) {
    let server = start(backend);
    let organization = organization_with_project(&server, "one");
    let boss = server.user("boss");
    server.add_admin(organization, &boss);
    let links = Links::new(REGISTRY);
    for resource in REGISTRY.resources().filter(|resource| !resource.roles.is_empty()) {
        let names = resource.roles.iter().map(|role| role.field).take(8);
        let names: Vec<_> = names.filter(|name| links.relation(resource, name).is_some()).collect();
        let filter = |test: &str| names.iter().map(|name| format!("{name}__{test}")).collect::<Vec<_>>().join("&");
        for client in [&server.as_admin(), &boss.client] {
            let list = format!("/api/v2/{}/", resource.plural);
            client.get(&format!("{list}?{}", filter("members__username=nobody"))).expect(200);
            client.get(&format!("{list}?{}", filter("isnull=false"))).expect(200);
            client.get(&format!("{list}?or__{}", filter("members__isnull=true").replace('&', "&or__"))).expect(200);
        }
    }
    let admins = "organizations/?admin_role__members__username=boss&read_role__isnull=false&execute_role__isnull=false\
                  &member_role__isnull=false&auditor_role__isnull=false";
    assert_eq!(count(&boss.client, admins), 1);
}

fn order_by_role_works_for_all_users(backend: Backend) {
    let server = start(backend);
    let [one, two] = ["one", "two"].map(|name| server.organization(name));
    let boss = server.user("boss");
    for organization in [one, two] {
        server.add_admin(organization, &boss);
    }
    for client in [&server.as_admin(), &boss.client] {
        for (order, expected) in [("admin_role", [one, two]), ("-admin_role,read_role", [two, one])] {
            let listed = client.results(&format!("/api/v2/organizations/?order_by={order}"));
            assert_eq!(listed.iter().filter_map(|found| found["id"].as_i64()).collect::<Vec<_>>(), expected, "{order}");
        }
    }
}
