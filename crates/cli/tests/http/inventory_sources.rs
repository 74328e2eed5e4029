//! Inventory sources: their checks, permissions and lists. Their updates run in `inventory_updates`.

use hostler_testkit::{Backend, Client, TestServer, on_each_backend};
use serde_json::{Value, json};

on_each_backend!(
    source_belongs_to_its_kind,
    credential_fits_the_kind,
    roles_of_inventory_and_project_are_needed,
    counts_follow_the_sources,
    all_sources_are_updated,
    hosts_and_groups_of_a_source_are_deleted,
    source_is_deleted_with_inventory_and_project,
    source_in_use_is_not_deleted,
    organization_follows_the_inventory,
);

const SOURCES: &str = "/api/v2/inventory_sources/";

struct Sources {
    server: TestServer,
    organization: i64,
    inventory: i64,
    project: i64,
}

impl Sources {
    /// A server whose jobs wait, with a project that allows other branches, and an inventory.
    fn start(backend: Backend) -> Self {
        let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
        server.let_jobs_wait();
        let organization = server.organization("home");
        let admin = server.as_admin();
        let inventory = admin.create("/api/v2/inventories/", json!({"name": "lab", "organization": organization}));
        let project = json!({
            "name": "files", "organization": organization, "scm_type": "git", "scm_url": "https://127.0.0.1:9/x",
            "allow_override": true,
        });
        let project = admin.create("/api/v2/projects/", project);
        Sources { server, organization, inventory, project }
    }

    fn body(&self, name: &str) -> Value {
        json!({"name": name, "inventory": self.inventory, "source": "scm", "source_project": self.project})
    }

    fn create(&self, name: &str) -> i64 {
        self.server.as_admin().create(SOURCES, self.body(name))
    }

    fn credential(&self, namespace: &str, inputs: Value) -> i64 {
        let admin = self.server.as_admin();
        let kind = admin.results(&format!("/api/v2/credential_types/?namespace={namespace}"))[0]["id"].clone();
        let body =
            json!({"name": namespace, "organization": self.organization, "credential_type": kind, "inputs": inputs});
        admin.create("/api/v2/credentials/", body)
    }

    /// As if an update had brought a host and a group.
    fn bring(&self, source: i64) -> (i64, i64) {
        let admin = self.server.as_admin();
        let own = |name: &str| json!({"name": name, "inventory": self.inventory});
        let host = admin.create("/api/v2/hosts/", own("h"));
        let group = admin.create("/api/v2/groups/", own("g"));
        for (table, column, id) in
            [("inventory_source_hosts", "host_id", host), ("inventory_source_groups", "group_id", group)]
        {
            self.server
                .execute(&format!("INSERT INTO {table} (inventory_source_id, {column}) VALUES ({source}, {id})"));
        }
        (host, group)
    }
}

fn merged(mut body: Value, more: Value) -> Value {
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
    body
}

fn source_belongs_to_its_kind(backend: Backend) {
    let sources = Sources::start(backend);
    let admin = sources.server.as_admin();
    let manual = admin.create("/api/v2/projects/", json!({"name": "manual", "organization": sources.organization}));
    for (more, field) in [
        (json!({"source": null}), "source"),
        (json!({"source": "custom"}), "source"),
        (json!({"source": "constructed"}), "error"),
        (json!({"source": "file"}), "detail"),
        (json!({"source": "ec2"}), "detail"),
        (json!({"source_project": null}), "source_project"),
        (json!({"source_project": manual}), "source_project"),
        (json!({"source_project": 99999}), "detail"),
        (json!({"inventory": null}), "inventory"),
        (json!({"inventory": 99999}), "detail"),
        (json!({"credential": 99999}), "credential"),
        (json!({"source_vars": "[1]"}), "source_vars"),
        (json!({"source_vars": "PATH: /x"}), "source_vars"),
        (json!({"host_filter": "("}), "host_filter"),
        (json!({"scm_branch": "--upload-pack=id"}), "scm_branch"),
        (json!({"verbosity": 3}), "verbosity"),
        (json!({"update_cache_timeout": -1}), "update_cache_timeout"),
    ] {
        let answer = admin.post(SOURCES, merged(sources.body("s"), more.clone())).expect(400).json();
        assert!(answer.as_object().is_some_and(|keys| keys.len() == 1 && keys.contains_key(field)), "{more}: {answer}");
    }
    assert!(admin.results(SOURCES).is_empty());
    let source = sources.create("s");
    let path = format!("{SOURCES}{source}/");
    let again = admin.post(SOURCES, sources.body("s")).expect(400).json();
    assert!(again["__all__"][0].is_string(), "{again}");
    admin.patch(&path, json!({"source": "ec2"})).expect(400);
    admin.patch(&path, json!({"source_vars": "HOME: /x"})).expect(400);
    let other = admin.create("/api/v2/inventories/", json!({"name": "o", "organization": sources.organization}));
    let moved = admin.patch(&path, json!({"inventory": other, "scm_branch": "dev"})).expect(200).json();
    assert_eq!((&moved["inventory"], &moved["scm_branch"]), (&json!(sources.inventory), &json!("dev")));
    let smart =
        json!({"name": "smart", "organization": sources.organization, "kind": "smart", "host_filter": "name=x"});
    let smart = admin.create("/api/v2/inventories/", smart);
    let refused = admin.post(SOURCES, merged(sources.body("t"), json!({"inventory": smart}))).expect(400).json();
    assert!(refused["inventory"]["detail"].is_string(), "{refused}");
}

fn credential_fits_the_kind(backend: Backend) {
    let sources = Sources::start(backend);
    let admin = sources.server.as_admin();
    let aws = sources.credential("aws", json!({"username": "u", "password": "p"}));
    let vault = sources.credential("vault", json!({"vault_password": "p"}));
    let of = |kind: &str, credential: Option<i64>| json!({"name": format!("{kind}-{credential:?}"), "inventory": sources.inventory, "source": kind, "credential": credential});
    for body in [of("gce", None), of("ec2", Some(vault)), of("vmware", Some(aws))] {
        let answer = admin.post(SOURCES, body.clone()).expect(400).json();
        assert!(answer["credential"][0].is_string(), "{body}: {answer}");
    }
    let refused = admin.post(SOURCES, merged(sources.body("v"), json!({"credential": vault}))).expect(400).json();
    assert!(refused["credential"][0].as_str().is_some_and(|text| text.contains("insights and vault")), "{refused}");
    admin.create(SOURCES, of("ec2", None));
    let source = admin.create(SOURCES, of("ec2", Some(aws)));
    let path = format!("{SOURCES}{source}/");
    let shown = || admin.get(&path).expect(200).json();
    assert_eq!(
        (&shown()["credential"], &shown()["summary_fields"]["credential"]["kind"]),
        (&json!(aws), &json!("aws"))
    );
    let list = format!("{path}credentials/");
    assert_eq!(admin.results(&list).len(), 1);
    admin.post(&list, json!({"id": aws})).expect(400);
    admin.post(&list, json!({"id": aws, "disassociate": true})).expect(204);
    assert_eq!((&shown()["credential"], &shown()["summary_fields"]["credentials"]), (&json!(null), &json!([])));
    admin.post(&list, json!({"id": vault})).expect(400);
    admin.post(&list, json!({"id": aws})).expect(204);
    assert_eq!(shown()["credential"], aws);
    // A change of something else keeps it.
    assert_eq!(admin.patch(&path, json!({"description": "x"})).expect(200).json()["credential"], aws);
    assert_eq!(admin.patch(&path, json!({"credential": null})).expect(200).json()["credential"], json!(null));
    assert!(admin.results(&list).is_empty());
}

fn roles_of_inventory_and_project_are_needed(backend: Backend) {
    let sources = Sources::start(backend);
    let admin = sources.server.as_admin();
    let source = sources.create("s");
    let path = format!("{SOURCES}{source}/");
    let roles = |path: String| admin.get(&path).expect(200).json()["summary_fields"]["object_roles"].clone();
    let of_inventory = roles(format!("/api/v2/inventories/{}/", sources.inventory));
    let use_project = &roles(format!("/api/v2/projects/{}/", sources.project))["use_role"]["id"];
    let grant = |user: i64, role: &Value| {
        admin.attach(&format!("/api/v2/users/{user}/roles/"), role.as_i64().expect("a role"));
    };
    for (role, change, update) in [("admin_role", 200, 202), ("update_role", 403, 202), ("use_role", 403, 403)] {
        let person = sources.server.user(role);
        person.client.get(&path).expect(403);
        assert!(person.client.results(SOURCES).is_empty());
        grant(person.id, &of_inventory[role]["id"]);
        let shown = person.client.get(&path).expect(200).json()["summary_fields"]["user_capabilities"].clone();
        let (edits, starts) = (change == 200, update == 202);
        assert_eq!(shown, json!({"edit": edits, "delete": edits, "start": starts, "schedule": starts}), "{role}");
        person.client.patch(&path, json!({"description": role})).expect(change);
        let answer = person.client.post(&format!("{path}update/"), json!({})).expect(update);
        if starts {
            let update = answer.json()["url"].as_str().expect("a path").to_owned();
            person.client.get(&update).expect(200);
            // The actor's own update.
            person.client.post(&format!("{update}cancel/"), json!({})).expect(202);
        }
        // The project is another object.
        person.client.post(SOURCES, sources.body(role)).expect(403);
        if edits {
            person.client.patch(&path, json!({"source_path": "x"})).expect(200);
            grant(person.id, use_project);
            person.client.post(SOURCES, sources.body(role)).expect(201);
        }
    }
}

fn counts_follow_the_sources(backend: Backend) {
    let sources = Sources::start(backend);
    let admin = sources.server.as_admin();
    let path = format!("/api/v2/inventories/{}/", sources.inventory);
    let counts = || {
        let shown = admin.get(&path).expect(200).json();
        ["has_inventory_sources", "total_inventory_sources", "inventory_sources_with_failures"]
            .map(|name| shown[name].clone())
    };
    assert_eq!(counts(), [json!(false), json!(0), json!(0)]);
    let source = sources.create("s");
    assert_eq!(counts(), [json!(true), json!(1), json!(0)]);
    let failed = if backend == Backend::Sqlite { "1" } else { "TRUE" };
    sources.server.execute(&format!("UPDATE unified_job_templates SET last_job_failed = {failed} WHERE id = {source}"));
    assert_eq!(counts(), [json!(true), json!(1), json!(1)]);
    let found = |filter: &str| admin.results(&format!("/api/v2/inventories/?{filter}")).len();
    assert_eq!(
        (found("total_inventory_sources=1"), found("inventory_sources__name=s"), found("has_inventory_sources=false")),
        (1, 1, 0)
    );
    let (host, _) = sources.bring(source);
    assert_eq!(admin.get(&format!("/api/v2/hosts/{host}/")).expect(200).json()["has_inventory_sources"], true);
    assert_eq!(admin.results("/api/v2/hosts/?inventory_sources__source=scm").len(), 1);
    for list in [format!("/api/v2/hosts/{host}/inventory_sources/"), format!("{path}inventory_sources/")] {
        assert_eq!(admin.results(&list)[0]["id"], source, "{list}");
    }
    assert_eq!(admin.results(&format!("/api/v2/projects/{}/scm_inventory_sources/", sources.project)).len(), 1);
    assert_eq!(admin.results("/api/v2/unified_job_templates/?type=inventory_source")[0]["id"], source);
}

fn all_sources_are_updated(backend: Backend) {
    let sources = Sources::start(backend);
    let admin = sources.server.as_admin();
    let path = format!("/api/v2/inventories/{}/update_inventory_sources/", sources.inventory);
    assert_eq!(admin.get(&path).expect(200).json(), json!([]));
    admin.post(&path, json!({})).expect(400);
    let useless = admin.create(SOURCES, json!({"name": "f", "inventory": sources.inventory, "source": "file"}));
    let failed = admin.post(&path, json!({})).expect(400).json();
    assert_eq!(failed[0]["inventory_source"], useless);
    admin.post(&format!("{SOURCES}{useless}/update/"), json!({})).expect(405);
    let source = sources.create("s");
    let listed = admin.get(&path).expect(200).json();
    assert_eq!(listed[1], json!({"inventory_source": source, "can_update": true}));
    let started = admin.post(&path, json!({})).expect(202).json();
    assert_eq!((&started[1]["status"], &started[1]["inventory_source"]), (&json!("started"), &json!(source)));
    let update = admin.results("/api/v2/inventory_updates/");
    assert_eq!((update.len(), &update[0]["name"], &update[0]["status"]), (1, &json!("lab - s"), &json!("pending")));
    assert_eq!(started[1]["inventory_update"], update[0]["id"]);
    assert_eq!(admin.results("/api/v2/unified_jobs/?type=inventory_update").len(), 1);
}

fn hosts_and_groups_of_a_source_are_deleted(backend: Backend) {
    let sources = Sources::start(backend);
    let admin = sources.server.as_admin();
    let source = sources.create("s");
    let (host, group) = sources.bring(source);
    let mine = admin.create("/api/v2/hosts/", json!({"name": "mine", "inventory": sources.inventory}));
    let path = |list: &str| format!("{SOURCES}{source}/{list}/");
    assert_eq!(
        (&admin.results(&path("hosts"))[0]["id"], &admin.results(&path("groups"))[0]["id"]),
        (&json!(host), &json!(group))
    );
    let stranger = sources.server.user("stranger");
    stranger.client.delete(&path("hosts")).expect(403);
    let update = admin.post(&path("update"), json!({})).expect(202).json()["url"].as_str().expect("a path").to_owned();
    admin.delete(&path("hosts")).expect(409);
    admin.post(&format!("{update}cancel/"), json!({})).expect(202);
    admin.delete(&path("hosts")).expect(204);
    admin.delete(&path("groups")).expect(204);
    assert_eq!(admin.results("/api/v2/hosts/")[0]["id"], mine);
    assert!(admin.results("/api/v2/groups/").is_empty());
    admin.post(&path("hosts"), json!({"name": "x"})).expect(405);
}

fn source_is_deleted_with_inventory_and_project(backend: Backend) {
    let sources = Sources::start(backend);
    let admin = sources.server.as_admin();
    for parent in
        [format!("/api/v2/projects/{}/", sources.project), format!("/api/v2/inventories/{}/", sources.inventory)]
    {
        let body = match parent.contains("projects") {
            true => sources.body("s"),
            false => json!({"name": "cloud", "inventory": sources.inventory, "source": "ec2"}),
        };
        let source = admin.create(SOURCES, body);
        let update = admin.post(&format!("{SOURCES}{source}/update/"), json!({})).expect(202).json();
        let update = update["url"].as_str().expect("a path").to_owned();
        let refused = admin.delete(&parent).expect(409).json();
        let jobs = refused["active_jobs"].as_array().expect("a list");
        assert!(jobs.iter().any(|job| job["type"] == "inventory_update"), "{refused}");
        admin.post(&format!("{update}cancel/"), json!({})).expect(202);
        for project_update in admin.results("/api/v2/project_updates/?status=pending") {
            admin.post(&format!("/api/v2/project_updates/{}/cancel/", project_update["id"]), json!({})).expect(202);
        }
        assert!([202, 204].contains(&admin.delete(&parent).status));
        admin.get(&format!("{SOURCES}{source}/")).expect(404);
        admin.get(&update).expect(404);
    }
    assert!(!sources.server.dump().lines().any(|line| line.starts_with("inventory_source_")));
}

fn source_in_use_is_not_deleted(backend: Backend) {
    let sources = Sources::start(backend);
    let admin = sources.server.as_admin();
    let source = sources.create("s");
    let update = admin.post(&format!("{SOURCES}{source}/update/"), json!({})).expect(202).json();
    let update = update["url"].as_str().expect("a path");
    admin.delete(&format!("{SOURCES}{source}/")).expect(409);
    admin.delete(update).expect(403);
    admin.post(&format!("{update}cancel/"), json!({})).expect(202);
    assert_eq!(admin.get(&format!("{SOURCES}{source}/")).expect(200).json()["status"], "canceled");
    admin.delete(update).expect(204);
    admin.delete(&format!("{SOURCES}{source}/")).expect(204);
}

fn organization_follows_the_inventory(backend: Backend) {
    let sources = Sources::start(backend);
    let admin = sources.server.as_admin();
    let source = sources.create("s");
    let organization = |client: &Client| {
        let shown = client.get(&format!("{SOURCES}{source}/")).expect(200).json();
        shown["summary_fields"]["organization"]["id"].clone()
    };
    assert_eq!(organization(&admin), sources.organization);
    let other = sources.server.organization("other");
    admin.patch(&format!("/api/v2/inventories/{}/", sources.inventory), json!({"organization": other})).expect(200);
    assert_eq!(organization(&admin), other);
}
