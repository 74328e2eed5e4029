//! The number of statements does not depend on the number of objects, for every list in the OpenAPI document.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use hostler_resources::REGISTRY;
use hostler_testkit::{Backend, Fixture, TestServer, on_each_backend};
use serde_json::Value;

on_each_backend!(statements_of_a_list_are_constant);

/// The numbers of objects per list. The difference is greater than the number of kinds of objects in one list.
const MANY: usize = 12;
/// Lists that cannot be that long, with their length and the reason.
const SHORT: &[(&str, usize, &str)] = &[
    ("/api/v2/me/", 1, "the current user"),
    ("/api/v2/execution_environments/{key}/unified_job_templates/", 0, "no template has an environment of its own"),
    ("/api/v2/instances/", 1, "each server adds itself"),
    ("/api/v2/instance_groups/{key}/instances/", 1, "each server adds itself"),
    ("/api/v2/instance_groups/{key}/object_roles/", 3, "the number of roles of an instance group"),
    ("/api/v2/credential_types/{key}/activity_stream/", 0, "only superusers change types"),
    ("/api/v2/credentials/{key}/object_roles/", 3, "the number of roles of a credential"),
    ("/api/v2/organizations/{key}/object_roles/", 13, "the number of roles of an organization"),
    ("/api/v2/inventories/{key}/object_roles/", 5, "the number of roles of an inventory"),
    ("/api/v2/job_templates/{key}/object_roles/", 3, "the number of roles of a job template"),
    ("/api/v2/inventory_sources/{key}/credentials/", 1, "a source has one credential"),
    ("/api/v2/ad_hoc_commands/{key}/activity_stream/", 0, "commands of the fixture are not created by requests"),
    ("/api/v2/inventory_updates/{key}/credentials/", 0, "updates of the fixture are not created by requests"),
    ("/api/v2/jobs/{key}/activity_stream/", 1, "a job is created and not changed"),
    ("/api/v2/teams/{key}/object_roles/", 3, "the number of roles of a team"),
    ("/api/v2/projects/{key}/object_roles/", 4, "the number of roles of a project"),
    ("/api/v2/roles/{key}/parents/", 1, "the member role is implied by the admin role only"),
    ("/api/v2/roles/{key}/children/", 1, "the member role implies the read role only"),
    ("/api/v2/users/{key}/access_list/", 1, "users have no roles: only superusers"),
];

fn statements_of_a_list_are_constant(backend: Backend) {
    let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let fixture = Fixture::populate(&server, backend, MANY);
    let lists: Vec<_> = fixture.endpoints(&server).into_iter().filter(|endpoint| endpoint.is_list).collect();
    for resource in REGISTRY.resources().filter(|resource| resource.has_list) {
        let list = format!("/api/v2/{}/", resource.plural);
        assert!(lists.iter().any(|it| it.template == list), "{list} is not described as a list");
    }
    let mut table = String::from("list of  2  many\n");
    let mut wrong = vec![];
    for short in SHORT {
        assert!(lists.iter().any(|list| list.template == short.0), "there is no list {} any more", short.0);
    }
    let filtered = "/api/v2/teams/?order_by=organization__name&organization__name__startswith=org&search=e";
    let admin = admin_token(&server);
    for (name, client) in [("admin", admin), ("ann", fixture.ann.token("read"))] {
        let measured = lists.iter().map(|list| (list.template.as_str(), list.path.as_str()));
        for (template, path) in measured.chain([(filtered, filtered)]) {
            let separator = if path.contains('?') { '&' } else { '?' };
            let [two, many] = [2, MANY].map(|size| {
                let path = format!("{path}{separator}page_size={size}");
                let answer = client.get(&path).expect(200);
                let shown = answer.json()["results"].as_array().map_or(0, Vec::len);
                let wanted = SHORT.iter().find(|short| short.0 == template).map_or(size, |short| short.1.min(size));
                // The superuser sees all objects, the others see some.
                if shown < if name == "admin" { wanted } else { wanted.min(1) } {
                    wrong.push(format!("{name} sees only {shown} of {wanted} in {path}"));
                }
                (answer.queries(), kinds(&answer.json()))
            });
            // Roles, access lists and the activity stream contain objects of several kinds, and load each kind at once.
            let kinds = many.1.len() as u64;
            let (two, many) = (two.0, many.0);
            if many > two + kinds {
                wrong.push(format!("{name}: {two} statements for two, {many} for many of {path}"));
            }
            let _ = writeln!(table, "{two:>11}{many:>6}  {name} {path}");
        }
    }
    assert!(wrong.is_empty(), "{backend}: {}\n{table}", wrong.join("\n"));
}

/// The kinds of objects in the links of a body.
fn kinds(body: &Value) -> BTreeSet<String> {
    match body {
        Value::String(text) => {
            let kind = text.strip_prefix("/api/v2/").and_then(|path| path.split('/').next());
            kind.map(str::to_owned).into_iter().collect()
        }
        Value::Array(items) => items.iter().flat_map(kinds).collect(),
        Value::Object(map) => map.values().flat_map(kinds).collect(),
        _ => BTreeSet::new(),
    }
}

fn admin_token(server: &TestServer) -> hostler_testkit::Client {
    let made = server.as_admin().post("/api/v2/tokens/", serde_json::json!({"scope": "write"})).expect(201).json();
    server.with_token(made["token"].as_str().expect("a token"))
}
