//! A server with objects of each kind, and all paths of its OpenAPI document, for tests that must cover every endpoint.
//!
//! A new path is in every such test at once; the test fails until [`Fixture::populate`] creates the objects for it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::client::Client;
use crate::database::Backend;
use crate::fixture_events::Events;
use crate::fixture_inventories::Inventories;
use crate::fixture_jobs::Jobs;
use crate::server::TestServer;
use crate::users::{PASSWORD, TestUser};

/// A path of the OpenAPI document.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The template, such as `/api/v2/users/{key}/roles/`.
    pub template: String,
    /// The path of an existing object.
    pub path: String,
    /// The methods of the path, in capitals.
    pub methods: Vec<String>,
    /// Whether it is a list with pages.
    pub is_list: bool,
    /// Whether it is described as not implemented yet.
    pub is_later: bool,
}

/// The objects of a fixture.
#[derive(Debug)]
pub struct Fixture {
    /// A member of everything, and admin of the first organization.
    pub ann: TestUser,
    /// A member of the first organization and team only.
    pub bea: TestUser,
    /// The object for each kind, by the part of the path.
    keys: BTreeMap<&'static str, String>,
}

impl Fixture {
    /// Creates `size` objects of each kind, linked so that each sub-list shows as many, where possible.
    pub fn populate(server: &TestServer, backend: Backend, size: usize) -> Self {
        let admin = server.with_token(&token(server));
        // Its jobs wait: no events but those of the fixture.
        let instance = admin.results("/api/v2/instances/")[0]["id"].as_i64().expect("an id");
        admin.patch(&format!("/api/v2/instances/{instance}/"), json!({"enabled": false})).expect(200);
        let (ann, bea) = (server.user("ann"), server.user("bea"));
        let writer = ann.token("write");
        let home = server.organization("org-0");
        server.add_admin(home, &ann);
        server.add_member(home, &bea);
        let role = |path: &str, field: &str| {
            let roles = admin.get(path).expect(200).json()["summary_fields"]["object_roles"].clone();
            roles[field]["id"].as_i64().unwrap_or_else(|| panic!("{path} has no {field}"))
        };
        let named = |list: &str, name: String, organization: i64| {
            admin.create(&format!("/api/v2/{list}/"), json!({"name": name, "organization": organization}))
        };
        let application = |number: usize| {
            let body = json!({"name": format!("app-{number}"), "organization": home, "client_type": "confidential",
                              "authorization_grant_type": "password"});
            admin.create("/api/v2/applications/", body)
        };
        let team = named("teams", "team-0".to_owned(), home);
        let project = named("projects", "project-0".to_owned(), home);
        let (portal, project_path) = (application(0), format!("/api/v2/projects/{project}/"));
        let team_roles = format!("/api/v2/teams/{team}/roles/");
        let use_role = role(&project_path, "use_role");
        admin.attach(&format!("/api/v2/teams/{team}/users/"), bea.id);
        let credentials = Credentials::begin(&admin, home, size);
        let inventories = Inventories::begin(&admin, home);
        let jobs = Jobs::begin(&admin, home, inventories.inventory);
        let mut last_token = 0;
        for number in 0..size {
            // Each with other links, so that a query per object is not hidden by a cache.
            let organization = if number == 0 { home } else { server.organization(&format!("org-{number}")) };
            if number > 0 {
                named("teams", format!("team-{number}"), organization);
                application(number);
                server.add_admin(organization, &ann);
            }
            server.add_member(organization, &ann);
            let label = named("labels", format!("label-{number}"), organization);
            let group = admin.create("/api/v2/instance_groups/", json!({"name": format!("group-{number}")}));
            admin.attach(&format!("/api/v2/organizations/{home}/instance_groups/"), group);
            inventories.add(server, &admin, number, group, label);
            admin.attach(&format!("/api/v2/instance_groups/{group}/instances/"), instance);
            let template = json!({
                "name": format!("template-{number}"), "organization": home, "notification_type": "slack",
                "notification_configuration": {"token": "t", "channels": ["#x"]},
            });
            let template = admin.create("/api/v2/notification_templates/", template);
            for event in ["started", "success", "error", "approvals"] {
                admin.attach(&format!("/api/v2/organizations/{home}/notification_templates_{event}/"), template);
                if event != "approvals" {
                    admin.attach(&format!("{project_path}notification_templates_{event}/"), template);
                }
            }
            jobs.add(&admin, number, group, label, template);
            let image = json!({"name": format!("environment-{number}"), "organization": home, "image": "a/b"});
            let environment = admin.create("/api/v2/execution_environments/", image);
            admin
                .patch(&format!("/api/v2/organizations/{organization}/"), json!({"default_environment": environment}))
                .expect(200);
            let crew = named("teams", format!("crew-{number}"), home);
            admin.attach(&format!("/api/v2/teams/{crew}/users/"), ann.id);
            admin.attach(&format!("/api/v2/teams/{crew}/roles/"), use_role);
            let made = named("projects", format!("project-{}", number + 1), home);
            let own = role(&format!("/api/v2/projects/{made}/"), "update_role");
            admin.attach(&team_roles, own);
            admin.attach(&format!("/api/v2/users/{}/roles/", ann.id), own);
            writer.create("/api/v2/tokens/", json!({"scope": "read"}));
            last_token = writer.create("/api/v2/tokens/", json!({"scope": "read", "application": portal}));
            credentials.add(&admin, number, team, crew);
            Browser::logged_in(server, &ann.name, PASSWORD);
        }
        let job = jobs.launch(&admin, size);
        let source = inventories.add_sources(server, &admin, size, project);
        let events = Events::populate(server, &admin, size, job, inventories.host, inventories.group, project, source);
        // As if they had been given to the instance.
        server.execute(&format!(
            "UPDATE unified_jobs SET execution_node = (SELECT hostname FROM instances WHERE id = {instance}), \
             instance_group_id = (SELECT id FROM instance_groups WHERE name = 'group-0')"
        ));
        let groups = admin.results("/api/v2/instance_groups/?name=group-0");
        let first_group = groups[0]["url"].as_str().expect("a path").to_owned();
        admin.attach(&format!("/api/v2/users/{}/roles/", ann.id), role(&first_group, "use_role"));
        let member_role = role(&format!("/api/v2/organizations/{home}/"), "member_role");
        let holds = [
            member_role,
            role(&format!("/api/v2/organizations/{home}/"), "admin_role"),
            role(&format!("/api/v2/teams/{team}/"), "member_role"),
            role(&project_path, "read_role"),
            credentials.admin_role,
            inventories.use_role,
            role(&first_group, "use_role"),
        ];
        copies(server, backend, size, &holds);
        let definition = |name: &str| {
            let found = admin.results(&format!("/api/v2/role_definitions/?name={}", name.replace(' ', "%20")));
            found[0]["id"].as_i64().expect("a definition")
        };
        let (membership, using) = (definition("Organization Member"), definition("Project Use"));
        let first = |list: &str| admin.get(list).expect(200).json()["results"][0]["id"].to_string();
        let keys = BTreeMap::from([
            ("ad_hoc_command_events", events.ad_hoc_command_event.to_string()),
            ("ad_hoc_commands", events.ad_hoc_command.to_string()),
            ("activity_stream", first("/api/v2/activity_stream/?order_by=-id")),
            ("applications", portal.to_string()),
            ("constructed_inventories", first("/api/v2/constructed_inventories/?order_by=id")),
            ("credential_input_sources", first("/api/v2/credential_input_sources/")),
            ("credential_types", credentials.custom.to_string()),
            ("credentials", credentials.target.to_string()),
            ("execution_environments", first("/api/v2/execution_environments/?name=environment-0")),
            ("groups", inventories.group.to_string()),
            ("hosts", inventories.host.to_string()),
            ("instance_groups", first("/api/v2/instance_groups/?name=group-0")),
            ("inventories", inventories.inventory.to_string()),
            ("inventory_sources", source.to_string()),
            ("inventory_update_events", events.inventory_update_event.to_string()),
            ("inventory_updates", events.inventory_update.to_string()),
            ("job_events", events.event.to_string()),
            ("job_host_summaries", events.summary.to_string()),
            ("job_templates", jobs.template.to_string()),
            ("jobs", job.to_string()),
            ("instances", instance.to_string()),
            ("labels", first("/api/v2/labels/")),
            ("notification_templates", first("/api/v2/notification_templates/?name=template-0")),
            ("organizations", home.to_string()),
            ("project_update_events", events.update_event.to_string()),
            ("project_updates", events.update.to_string()),
            ("projects", project.to_string()),
            ("role_definitions", membership.to_string()),
            ("role_definitions/team_assignments", using.to_string()),
            ("role_team_assignments", first("/api/v2/role_team_assignments/")),
            ("role_user_assignments", first("/api/v2/role_user_assignments/")),
            ("roles", member_role.to_string()),
            ("sessions", first("/api/v2/sessions/")),
            ("roles/teams", use_role.to_string()),
            ("settings", "system".to_owned()),
            ("teams", team.to_string()),
            ("tokens", last_token.to_string()),
            ("users", ann.id.to_string()),
        ]);
        let fixture = Fixture { ann, bea, keys };
        // Changes of each of these objects, by two users.
        for plural in [
            "applications",
            "credentials",
            "execution_environments",
            "groups",
            "hosts",
            "inventories",
            "inventory_sources",
            "job_templates",
            "notification_templates",
            "organizations",
            "projects",
            "teams",
            "users",
            "tokens",
        ] {
            let path = format!("/api/v2/{plural}/{}/", fixture.keys[plural]);
            let field = if plural == "users" { "last_name" } else { "description" };
            for number in 0..size {
                let client = if number % 2 == 0 && plural != "tokens" { &admin } else { &writer };
                client.patch(&path, json!({field: number.to_string()})).expect(200);
            }
        }
        fixture
    }

    /// Every path of the OpenAPI document, filled with objects of this fixture.
    pub fn endpoints(&self, server: &TestServer) -> Vec<Endpoint> {
        let document = server.as_admin().get("/api/v2/openapi.json").expect(200).json();
        let paths = document["paths"].as_object().expect("paths");
        paths.iter().map(|(template, item)| self.endpoint(template, item, &document)).collect()
    }

    fn endpoint(&self, template: &str, item: &Value, document: &Value) -> Endpoint {
        let methods = ["get", "post", "put", "patch", "delete"];
        let resolve = |value: &Value| match value["$ref"].as_str() {
            Some(reference) => document.pointer(reference.trim_start_matches('#')).cloned().unwrap_or_default(),
            None => value.clone(),
        };
        let parameters = item["get"]["parameters"].as_array().into_iter().flatten();
        let is_list = parameters.map(resolve).any(|parameter| parameter["name"] == "page_size");
        let method = methods.iter().find(|method| !item[**method].is_null()).unwrap_or(&"get");
        let answers = &item[*method]["responses"];
        Endpoint {
            path: self.fill(template),
            methods: methods
                .iter()
                .filter(|method| !item[**method].is_null())
                .map(|method| method.to_uppercase())
                .collect(),
            is_list,
            is_later: !answers["501"].is_null() && answers["200"].is_null() && answers["204"].is_null(),
            template: template.to_owned(),
        }
    }

    fn fill(&self, template: &str) -> String {
        let Some((before, rest)) = template.split_once('{') else { return template.to_owned() };
        let plural = before.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let below = rest.split_once("}/").map(|(_, below)| below.trim_end_matches('/')).unwrap_or_default();
        let exact = format!("{plural}/{below}");
        let key = self.keys.get(exact.as_str()).or_else(|| self.keys.get(plural));
        let key =
            key.unwrap_or_else(|| panic!("the fixture has nothing for {template}: let it be populated with that"));
        let (_, after) = rest.split_once('}').unwrap_or_default();
        format!("{before}{key}{after}")
    }
}

fn token(server: &TestServer) -> String {
    let made = server.as_admin().post("/api/v2/tokens/", json!({"scope": "write"})).expect(201).json();
    made["token"].as_str().expect("a token").to_owned()
}

/// A credential with many owners and input sources, and others for other lists.
struct Credentials {
    home: i64,
    custom: i64,
    target: i64,
    admin_role: i64,
    store: i64,
    galaxy: Value,
}

impl Credentials {
    /// A type with `size` fields, a credential of it, and credentials for lookups.
    fn begin(admin: &Client, home: i64, size: usize) -> Self {
        let managed = |namespace: &str| {
            admin.results(&format!("/api/v2/credential_types/?namespace={namespace}"))[0]["id"].clone()
        };
        let fields: Vec<_> = (0..size).map(|number| json!({"id": format!("f{number}"), "label": "Field"})).collect();
        let custom = json!({"name": "custom", "kind": "cloud", "inputs": {"fields": fields}});
        let custom = admin.create("/api/v2/credential_types/", custom);
        let target = json!({"name": "target", "organization": home, "credential_type": custom});
        let target = admin.create("/api/v2/credentials/", target);
        let shown = admin.get(&format!("/api/v2/credentials/{target}/")).expect(200).json();
        let admin_role = shown["summary_fields"]["object_roles"]["admin_role"]["id"].as_i64().expect("a role");
        let store = json!({
            "name": "store", "organization": home, "credential_type": managed("hashivault_kv"),
            "inputs": {"url": "https://vault.example", "token": "t", "api_version": "v2"},
        });
        let store = admin.create("/api/v2/credentials/", store);
        Credentials { home, custom, target, admin_role, store, galaxy: managed("galaxy_api_token") }
    }

    /// One more object of each kind.
    fn add(&self, admin: &Client, number: usize, team: i64, crew: i64) {
        let own = json!({"name": format!("own-{number}"), "credential_type": self.custom});
        admin.create(&format!("/api/v2/teams/{team}/credentials/"), own);
        let hub = json!({
            "name": format!("hub-{number}"), "organization": self.home, "credential_type": self.galaxy,
            "inputs": {"url": "https://galaxy.example"},
        });
        let hub = admin.create("/api/v2/credentials/", hub);
        admin.attach(&format!("/api/v2/organizations/{}/galaxy_credentials/", self.home), hub);
        admin.attach(&format!("/api/v2/teams/{crew}/roles/"), self.admin_role);
        let source = json!({
            "target_credential": self.target, "source_credential": self.store,
            "input_field_name": format!("f{number}"), "metadata": {"secret_path": "p", "secret_key": "k"},
        });
        admin.create("/api/v2/credential_input_sources/", source);
    }
}

/// Users without passwords, with these roles.
fn copies(server: &TestServer, backend: Backend, size: usize, roles: &[i64]) {
    let now = if backend == Backend::Sqlite { "0" } else { "now()" };
    let rows: Vec<_> = (0..size).map(|number| format!("('id-{number}', {now}, 'copy-{number}')")).collect();
    server.execute(&format!("INSERT INTO users (ansible_id, created, username) VALUES {}", rows.join(", ")));
    for role in roles {
        server.execute(&format!(
            "INSERT INTO grants (role_id, user_id, created) \
             SELECT {role}, users.id, users.created FROM users WHERE username LIKE 'copy-%'"
        ));
    }
}
