//! Constructed inventories: their settings, inputs and permissions. `runs` has their updates and jobs.

mod runs;

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use hostler_testkit::{Backend, Client, TestServer, on_each_backend};
use serde_json::{Value, json};

on_each_backend!(
    settings_are_those_of_the_source,
    wrong_settings_are_refused,
    inputs_are_ordinary_inventories_in_order,
    inputs_must_be_usable,
    roles_are_those_of_inventories,
    copy_has_settings_and_inputs,
    source_is_kept_by_the_server,
);

/// A test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(240);
const INVENTORIES: &str = "/api/v2/inventories/";
const CONSTRUCTED: &str = "/api/v2/constructed_inventories/";
const HOSTS: &str = "/api/v2/hosts/";
const SOURCE_VARS: &str = "plugin: constructed\nstrict: true\ngroups:\n  odd: (inventory_hostname[-1] | int) % 2 == 1\n\
                           compose:\n  tag: inventory_hostname ~ '!'";

struct Constructed {
    server: TestServer,
    organization: i64,
    inputs: [i64; 2],
    constructed: i64,
}

impl Constructed {
    /// A server with a constructed inventory of two inputs with the hosts `w1` and `w2`, and `w2` and `w3`.
    fn start(backend: Backend) -> Self {
        let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
        let admin = server.as_admin();
        let organization = server.organization("home");
        let input = |name: &str, hosts: [&str; 2]| {
            let inventory = admin.create(INVENTORIES, json!({"name": name, "organization": organization}));
            for host in hosts {
                let variables = json!({"ansible_connection": "local", "origin": name}).to_string();
                admin.create(HOSTS, json!({"name": host, "inventory": inventory, "variables": variables}));
            }
            inventory
        };
        let inputs = [input("first", ["w1", "w2"]), input("second", ["w2", "w3"])];
        let body = json!({"name": "made", "organization": organization, "source_vars": SOURCE_VARS});
        let constructed = admin.create(CONSTRUCTED, body);
        let made = Constructed { server, organization, inputs, constructed };
        inputs.iter().for_each(|input| admin.attach(&made.below("input_inventories/"), *input));
        made
    }

    fn below(&self, path: &str) -> String {
        format!("{INVENTORIES}{}/{path}", self.constructed)
    }

    fn path(&self) -> String {
        format!("{CONSTRUCTED}{}/", self.constructed)
    }

    fn shown(&self) -> Value {
        self.server.as_admin().get(&self.path()).expect(200).json()
    }

    fn source(&self) -> Value {
        let mut sources = self.server.as_admin().results(&self.below("inventory_sources/"));
        assert_eq!(sources.len(), 1, "{sources:?}");
        sources.remove(0)
    }

    fn host(&self, inventory: i64, name: &str) -> Value {
        let found = self.server.as_admin().results(&format!("{HOSTS}?inventory={inventory}&name={name}"));
        found.into_iter().next().unwrap_or_else(|| panic!("{inventory} has no host {name}"))
    }

    fn ended(&self, path: &str) -> Value {
        let begin = Instant::now();
        loop {
            let shown = self.server.as_admin().get(path).expect(200).json();
            if shown["finished"].is_string() {
                return shown;
            }
            assert!(begin.elapsed() < PATIENCE, "{shown} {}", self.server.stderr());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Updates the inventory, and returns the update when it has ended.
    fn update(&self) -> Value {
        let path = format!("/api/v2/inventory_sources/{}/update/", self.source()["id"]);
        let begun = self.server.as_admin().post(&path, json!({})).expect(202).json();
        self.ended(begun["url"].as_str().expect("a path"))
    }

    fn output(&self, job: &Value) -> String {
        self.server.as_admin().get(&format!("{}stdout/?format=txt", job["url"].as_str().expect("a path"))).text()
    }

    fn update_successfully(&self) {
        let update = self.update();
        assert_eq!(update["status"], "successful", "{update} {}", self.output(&update));
    }

    fn names(&self, list: &str) -> Vec<String> {
        let results = self.server.as_admin().results(&format!("{}?order_by=name", self.below(list)));
        results.iter().map(|object| object["name"].as_str().expect("a name").to_owned()).collect()
    }

    /// A job template for the constructed inventory with this playbook.
    fn template(&self, playbook: &str) -> i64 {
        let project = self.server.data().join("manual-projects/scripts");
        fs::create_dir_all(&project).expect("a folder");
        fs::write(project.join("site.yml"), playbook).expect("a file");
        let admin = self.server.as_admin();
        let project = json!({"name": "p", "organization": self.organization, "local_path": "scripts"});
        let project = admin.create("/api/v2/projects/", project);
        let body = json!({"name": "t", "project": project, "inventory": self.constructed, "playbook": "site.yml",
                          "use_fact_cache": true});
        admin.create("/api/v2/job_templates/", body)
    }

    fn launch(&self, template: i64) -> Value {
        let path = format!("/api/v2/job_templates/{template}/launch/");
        let job = self.server.as_admin().post(&path, json!({})).expect(201).json();
        self.ended(job["url"].as_str().expect("a path"))
    }
}

fn role(admin: &Client, object: &str, name: &str) -> i64 {
    let shown = admin.get(object).expect(200).json();
    shown["summary_fields"]["object_roles"][name]["id"].as_i64().expect("a role")
}

fn settings_are_those_of_the_source(backend: Backend) {
    let made = Constructed::start(backend);
    let admin = made.server.as_admin();
    let settings =
        |object: &Value| ["source_vars", "update_cache_timeout", "limit", "verbosity"].map(|name| object[name].clone());
    let shown = made.shown();
    assert_eq!(settings(&shown), [json!(SOURCE_VARS), json!(0), json!(""), json!(1)]);
    assert_eq!(
        (&shown["type"], &shown["kind"], &shown["url"]),
        (&json!("inventory"), &json!("constructed"), &json!(made.path()))
    );
    assert_eq!(shown["related"]["hosts"], made.below("hosts/"));
    assert_eq!(shown["related"]["input_inventories"], made.below("input_inventories/"));
    let as_inventory = admin.get(&made.below("")).expect(200).json();
    assert_eq!(as_inventory["related"]["constructed_url"], made.path());
    assert!(as_inventory.get("limit").is_none());

    let source = made.source();
    assert_eq!(settings(&source), settings(&shown));
    for (name, value) in [
        ("source", json!("constructed")),
        ("overwrite", json!(true)),
        ("overwrite_vars", json!(true)),
        ("update_on_launch", json!(true)),
        ("name", json!("Auto-created source for: made")),
    ] {
        assert_eq!(source[name], value, "{name}");
    }
    let changed = admin.patch(&made.path(), json!({"limit": "odd", "verbosity": 2})).expect(200).json();
    assert_eq!(settings(&changed), [json!(SOURCE_VARS), json!(0), json!("odd"), json!(2)]);
    assert_eq!(settings(&made.source()), settings(&changed));
    let source = format!("/api/v2/inventory_sources/{}/", source["id"]);
    admin.patch(&source, json!({"update_cache_timeout": 60})).expect(200);
    assert_eq!(made.shown()["update_cache_timeout"], 60);
    // PUT keeps what it does not name.
    let body = json!({"name": "made", "organization": made.organization, "description": "d"});
    let put = admin.put(&made.path(), body).expect(200).json();
    assert_eq!(settings(&put), settings(&made.shown()));
    assert_eq!((&put["limit"], &put["kind"]), (&json!("odd"), &json!("constructed")));
    // Both lists have it, the list of constructed inventories nothing else.
    assert_eq!(admin.results(CONSTRUCTED).len(), 1);
    assert_eq!(admin.results(&format!("{INVENTORIES}?kind=constructed")).len(), 1);
    admin.get(&format!("{CONSTRUCTED}?source_vars=x")).expect(400);
    let named = shown["related"]["named_url"].as_str().expect("a path");
    assert_eq!(admin.get(named).expect(200).json()["id"], made.constructed);
    let entry = &admin.results(&format!("{}?order_by=-id&operation=update", made.below("activity_stream/")))[1];
    assert_eq!(entry["changes"], json!({"limit": ["", "odd"], "verbosity": [1, 2]}));

    admin.delete(&made.path()).expect(202);
    assert!(admin.results("/api/v2/inventory_sources/").is_empty());
}

fn wrong_settings_are_refused(backend: Backend) {
    let made = Constructed::start(backend);
    let admin = made.server.as_admin();
    for (body, field) in [
        (json!({"verbosity": 3}), "verbosity"),
        (json!({"verbosity": "loud"}), "verbosity"),
        (json!({"update_cache_timeout": -1}), "update_cache_timeout"),
        (json!({"update_cache_timeout": 1i64 << 40}), "update_cache_timeout"),
        (json!({"limit": ["a"]}), "limit"),
        (json!({"source_vars": {"a": 1}}), "source_vars"),
        (json!({"limit": "a\u{0}"}), "limit"),
        (json!({"name": ""}), "name"),
    ] {
        let answer = admin.patch(&made.path(), body.clone()).expect(400).json();
        assert!(answer.get(field).is_some(), "{body} {answer}");
    }
    for body in [json!({"kind": "smart"}), json!({"kind": ""})] {
        admin.patch(&made.path(), body.clone()).expect(405);
        admin.patch(&made.below(""), body).expect(405);
    }
    admin.patch(&made.path(), json!({"kind": "constructed"})).expect(200);
    // An ordinary inventory is shown, and has no settings.
    let other = format!("{CONSTRUCTED}{}/", made.inputs[0]);
    let shown = admin.get(&other).expect(200).json();
    assert_eq!((&shown["limit"], &shown["kind"]), (&json!(null), &json!("")));
    let answer = admin.patch(&other, json!({"limit": "x"})).expect(400).json();
    assert_eq!(answer, json!({"limit": ["Only constructed inventories have this setting."]}));
    // Its hosts and groups come from updates alone.
    for (list, kind) in [(HOSTS, "Host"), ("/api/v2/groups/", "Group")] {
        let answer = admin.post(list, json!({"name": "x", "inventory": made.constructed})).expect(400).json();
        let message = format!("Cannot create {kind} for Smart or Constructed Inventories");
        assert_eq!(answer, json!({"inventory": {"detail": message}}));
    }
    admin.post(&made.below("hosts/"), json!({"name": "x"})).expect(400);
    admin.post(CONSTRUCTED, json!({"name": "made", "organization": made.organization})).expect(400);
    admin.post(CONSTRUCTED, json!({"name": "other"})).expect(400);
    assert_eq!(admin.results(CONSTRUCTED).len(), 1);
}

fn inputs_are_ordinary_inventories_in_order(backend: Backend) {
    let made = Constructed::start(backend);
    let admin = made.server.as_admin();
    let list = made.below("input_inventories/");
    let inputs =
        || -> Vec<i64> { admin.results(&list).iter().map(|input| input["id"].as_i64().expect("an id")).collect() };
    let [first, second] = made.inputs;
    assert_eq!(inputs(), [first, second]);
    admin.post(&list, json!({"id": first})).expect(204);
    assert_eq!(inputs(), [first, second]);
    admin.post(&list, json!({"id": first, "disassociate": true})).expect(204);
    admin.attach(&list, first);
    assert_eq!(inputs(), [second, first]);
    let organization = made.organization;
    let other = admin.create(INVENTORIES, json!({"name": "c", "organization": organization, "kind": "constructed"}));
    for input in [made.constructed, other] {
        let answer = admin.post(&list, json!({"id": input})).expect(400).json();
        let message = "You cannot add a constructed inventory to another constructed inventory.";
        assert_eq!(answer, json!({"error": message}));
    }
    let of_ordinary = format!("{INVENTORIES}{first}/input_inventories/");
    admin.post(&of_ordinary, json!({"id": second})).expect(400);
    admin.post(&list, json!({"id": 999_999})).expect(400);
    admin.post(&list, json!({"id": "x"})).expect(400);
    let body = json!({"name": "s", "organization": organization, "kind": "smart", "host_filter": "name=w1"});
    let smart = admin.create(INVENTORIES, body);
    admin.attach(&list, smart);
    assert_eq!(inputs(), [second, first, smart]);
    let found = |filter: String| admin.results(&format!("{INVENTORIES}?{filter}")).len();
    assert_eq!(found("input_inventories__name=first".into()), 1);
    assert_eq!(found(format!("destination_inventories={}", made.constructed)), 3);
    admin.delete(&format!("{INVENTORIES}{second}/")).expect(202);
    assert_eq!(inputs(), [first, smart]);
}

fn inputs_must_be_usable(backend: Backend) {
    let made = Constructed::start(backend);
    let admin = made.server.as_admin();
    let list = made.below("input_inventories/");
    let hidden = admin.create(INVENTORIES, json!({"name": "hidden", "organization": made.organization}));
    let person = made.server.user("ann");
    let grant = |object: String, name: &str| {
        admin.attach(&format!("/api/v2/users/{}/roles/", person.id), role(&admin, &object, name));
    };
    person.client.get(&list).expect(403);
    grant(made.below(""), "admin_role");
    assert!(person.client.results(&list).is_empty());
    person.client.post(&list, json!({"id": hidden})).expect(403);
    grant(format!("{INVENTORIES}{hidden}/"), "read_role");
    person.client.post(&list, json!({"id": hidden})).expect(403);
    grant(format!("{INVENTORIES}{hidden}/"), "use_role");
    person.client.post(&list, json!({"id": hidden})).expect(204);
    assert_eq!(person.client.results(&list)[0]["id"], hidden);
    // A user who may change the inventory may remove any input.
    person.client.post(&list, json!({"id": made.inputs[0], "disassociate": true})).expect(204);
    assert_eq!(admin.results(&list).len(), 2);
}

fn roles_are_those_of_inventories(backend: Backend) {
    let made = Constructed::start(backend);
    let admin = made.server.as_admin();
    let person = made.server.user("ann");
    let grant = |object: &str, name: &str| {
        admin.attach(&format!("/api/v2/users/{}/roles/", person.id), role(&admin, object, name));
    };
    let body = |name: &str| json!({"name": name, "organization": made.organization});
    person.client.get(&made.path()).expect(403);
    assert!(person.client.results(CONSTRUCTED).is_empty());
    person.client.post(CONSTRUCTED, body("x")).expect(403);
    grant(&made.path(), "read_role");
    assert_eq!(person.client.results(CONSTRUCTED).len(), 1);
    let capabilities = &person.client.get(&made.path()).expect(200).json()["summary_fields"]["user_capabilities"];
    assert_eq!(*capabilities, json!({"edit": false, "delete": false, "copy": false, "adhoc": false}));
    person.client.patch(&made.path(), json!({"limit": "x"})).expect(403);
    person.client.delete(&made.path()).expect(403);
    assert_eq!(made.shown()["limit"], "");
    grant(&made.path(), "admin_role");
    person.client.patch(&made.path(), json!({"limit": "odd"})).expect(200);
    person.client.post(CONSTRUCTED, body("x")).expect(403);
    grant(&format!("/api/v2/organizations/{}/", made.organization), "inventory_admin_role");
    let created = person.client.post(CONSTRUCTED, body("x")).expect(201).json();
    assert_eq!(created["summary_fields"]["created_by"]["username"], "ann");
    person.client.delete(created["url"].as_str().expect("a path")).expect(202);
    made.server.anonymous().get(CONSTRUCTED).expect(401);
}

fn copy_has_settings_and_inputs(backend: Backend) {
    let made = Constructed::start(backend);
    let admin = made.server.as_admin();
    admin.patch(&made.path(), json!({"limit": "odd", "verbosity": 2, "update_cache_timeout": 7})).expect(200);
    let copy = admin.post(&made.below("copy/"), json!({"name": "copied"})).expect(201).json();
    assert_eq!(copy["kind"], "constructed");
    let copied = admin.get(&format!("{CONSTRUCTED}{}/", copy["id"])).expect(200).json();
    for name in ["source_vars", "limit", "verbosity", "update_cache_timeout"] {
        assert_eq!(copied[name], made.shown()[name], "{name}");
    }
    let inputs = admin.results(&format!("{INVENTORIES}{}/input_inventories/", copy["id"]));
    assert_eq!(inputs.iter().map(|input| &input["name"]).collect::<Vec<_>>(), ["first", "second"]);
    // Inputs that the actor may not use are left out.
    let person = made.server.user("ann");
    let grant = |object: String, name: &str| {
        admin.attach(&format!("/api/v2/users/{}/roles/", person.id), role(&admin, &object, name));
    };
    grant(made.below(""), "read_role");
    person.client.post(&made.below("copy/"), json!({"name": "mine"})).expect(403);
    let elsewhere = admin.create("/api/v2/organizations/", json!({"name": "elsewhere"}));
    let foreign = admin.create(INVENTORIES, json!({"name": "foreign", "organization": elsewhere}));
    admin.attach(&made.below("input_inventories/"), foreign);
    grant(format!("/api/v2/organizations/{}/", made.organization), "inventory_admin_role");
    let copy = person.client.post(&made.below("copy/"), json!({"name": "mine"})).expect(201).json();
    let inputs = admin.results(&format!("{INVENTORIES}{}/input_inventories/", copy["id"]));
    assert_eq!(inputs.iter().map(|input| &input["name"]).collect::<Vec<_>>(), ["first", "second"]);
}

fn source_is_kept_by_the_server(backend: Backend) {
    let made = Constructed::start(backend);
    let admin = made.server.as_admin();
    let source = format!("/api/v2/inventory_sources/{}/", made.source()["id"]);
    for (body, field) in [
        (json!({"overwrite": false}), "overwrite"),
        (json!({"name": "x"}), "name"),
        (json!({"update_on_launch": false}), "update_on_launch"),
        (json!({"host_filter": "x"}), "host_filter"),
    ] {
        let answer = admin.patch(&source, body).expect(400).json();
        let message = format!("Cannot change field '{field}' on a constructed inventory source.");
        assert_eq!(answer, json!({"error": [message]}));
    }
    admin.patch(&source, json!({"source": "ec2"})).expect(400);
    admin.patch(&source, json!({"limit": "w1", "overwrite": true})).expect(200);
    let body = json!({"name": "x", "inventory": made.constructed, "source": "ec2"});
    admin.post("/api/v2/inventory_sources/", body).expect(400);
    admin.post(&made.below("inventory_sources/"), json!({"name": "x", "source": "constructed"})).expect(400);
    // As in AWX it can be deleted; the next change of the inventory makes another one.
    admin.delete(&source).expect(204);
    assert_eq!(made.shown()["limit"], json!(null));
    admin.post(&made.below("update_inventory_sources/"), json!({})).expect(400);
    let changed = admin.patch(&made.path(), json!({"limit": "w2"})).expect(200).json();
    assert_eq!((&changed["limit"], &changed["verbosity"]), (&json!("w2"), &json!(1)));
    assert_eq!(made.source()["limit"], "w2");
}
