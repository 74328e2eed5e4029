//! Updates of inventory sources. A script in the project stands for the source.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use hostler_testkit::{Backend, TestServer, on_each_backend, stand_in_ansible};
use serde_json::{Value, json};
use tempfile::TempDir;

on_each_backend!(
    update_brings_hosts_and_groups,
    update_without_changes_writes_nothing,
    each_source_owns_what_it_brought,
    overwrite_keeps_what_users_added,
    renamed_host_is_found_by_its_instance,
    unusable_output_changes_nothing,
    groups_of_two_sources_make_no_cycle,
    failure_is_explained,
    canceled_update_changes_nothing,
    update_without_a_limit_of_its_own_has_that_of_the_settings,
    update_outlives_the_server,
    updates_of_an_inventory_follow_each_other,
    inventory_in_use_is_not_deleted,
    job_follows_updates_of_project_and_inventory,
);

/// A test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(120);
const SOURCES: &str = "/api/v2/inventory_sources/";

struct Updates {
    server: TestServer,
    inventory: i64,
    project: i64,
    folder: TempDir,
}

impl Updates {
    /// A server with a project of these files.
    fn start(backend: Backend, files: &[(&str, &str)]) -> Self {
        let mut server = TestServer::stopped(env!("CARGO_BIN_EXE_hostler"), backend);
        let folder = TempDir::with_prefix("hostler-inventory-").expect("a folder");
        let program = stand_in_ansible(folder.path());
        server.set_variable("HOSTLER_ANSIBLE", program.to_str().expect("UTF-8"));
        server.set_variable("HOSTLER_ISOLATION", "none");
        server.set_variable("HOSTLER_CPU_CAPACITY", "100");
        server.set_variable("HOSTLER_MEMORY_CAPACITY", "100");
        let repository = folder.path().join("repository");
        fs::create_dir(&repository).expect("a folder");
        git(&repository, &["init", "--quiet", "--initial-branch=main"]);
        server.restart();
        let admin = server.as_admin();
        let organization = server.organization("home");
        let inventory = admin.create("/api/v2/inventories/", json!({"name": "lab", "organization": organization}));
        let updates = Updates { server, inventory, project: 0, folder };
        updates.commit(files);
        let project = json!({
            "name": "files", "organization": organization, "scm_type": "git",
            "scm_url": format!("file://{}", repository.display()), "allow_override": true,
        });
        let project = admin.create("/api/v2/projects/", project);
        updates.wait(&format!("/api/v2/projects/{project}/"), "status", "successful");
        Updates { project, ..updates }
    }

    /// Commits files to the repository.
    fn commit(&self, files: &[(&str, &str)]) {
        let repository = self.folder.path().join("repository");
        for (name, text) in files {
            fs::write(repository.join(name), text).expect("a file");
        }
        git(&repository, &["add", "--all"]);
        git(
            &repository,
            &["-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--allow-empty", "--message=x"],
        );
    }

    /// A source whose content is this file of the project.
    fn source(&self, path: &str, more: Value) -> i64 {
        let mut body = json!({
            "name": path, "inventory": self.inventory, "source": "scm", "source_project": self.project,
            "source_path": path,
        });
        for (name, value) in more.as_object().expect("an object") {
            body[name] = value.clone();
        }
        self.server.as_admin().create(SOURCES, body)
    }

    fn begin(&self, source: i64) -> i64 {
        let update = self.server.as_admin().post(&format!("{SOURCES}{source}/update/"), json!({})).expect(202).json();
        update["id"].as_i64().expect("an id")
    }

    /// Waits until an update has ended.
    fn ended(&self, update: i64) -> Value {
        let path = format!("/api/v2/inventory_updates/{update}/");
        let begin = Instant::now();
        loop {
            let shown = self.server.as_admin().get(&path).expect(200).json();
            if shown["finished"].is_string() {
                return shown;
            }
            assert!(begin.elapsed() < PATIENCE, "{shown} {}", self.server.stderr());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Updates a source, successfully.
    fn update(&self, source: i64) -> Value {
        let update = self.ended(self.begin(source));
        assert_eq!(update["status"], "successful", "{update} {}", self.output(&update));
        update
    }

    fn wait(&self, path: &str, field: &str, value: &str) {
        let begin = Instant::now();
        loop {
            let shown = self.server.as_admin().get(path).expect(200).json();
            if shown[field] == value {
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "{shown} {}", self.server.stderr());
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn output(&self, update: &Value) -> String {
        let path = format!("/api/v2/inventory_updates/{}/stdout/?format=txt", update["id"]);
        String::from_utf8_lossy(&self.server.as_admin().get(&path).expect(200).body).into_owned()
    }

    /// Writes the file for which a script waits.
    fn go(&self, update: i64) {
        fs::write(self.server.data().join(format!("jobs/{update}/workspace/go")), "").expect("a file");
    }

    /// Waits until a script has reported this.
    fn reported(&self, update: i64, name: &str) {
        let path = self.server.data().join(format!("jobs/{update}/workspace/{name}"));
        let begin = Instant::now();
        while !path.exists() {
            assert!(begin.elapsed() < PATIENCE, "{}", self.server.stderr());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// What Ansible would get of the inventory.
    fn script(&self) -> Value {
        self.server
            .as_admin()
            .get(&format!("/api/v2/inventories/{}/script/?hostvars=1", self.inventory))
            .expect(200)
            .json()
    }

    fn host_names(&self) -> Vec<String> {
        let script = self.script();
        script["_meta"]["hostvars"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
    }
}

fn git(repository: &Path, arguments: &[&str]) {
    let status = Command::new("git").arg("-C").arg(repository).args(arguments).status().expect("git");
    assert!(status.success(), "git {arguments:?}");
}

const WEB: &str = r#"
inventory({
    "_meta": {"hostvars": {"web1": {"port": 80, "tags": ["a"]}, "web2": {}}},
    "all": {"children": ["site"], "vars": {"top": 1}, "hosts": ["loose"]},
    "site": {"children": ["web"]},
    "web": {"hosts": ["web1", "web2"], "vars": {"color": "blue"}},
})
"#;

fn update_brings_hosts_and_groups(backend: Backend) {
    let updates = Updates::start(backend, &[("web.py", WEB)]);
    let source = updates.source("web.py", json!({"host_filter": "web|loose", "limit": "all"}));
    let update = updates.update(source);
    assert_eq!(
        (&update["scm_revision"].as_str().map(str::len), &update["source_project"]),
        (&Some(40), &json!(updates.project))
    );
    assert!(update["source_project_update"].is_i64(), "{update}");
    assert!(update["job_args"].as_str().is_some_and(|arguments| arguments.contains("--limit=all")), "{update}");
    let expected = json!({
        "all": {"hosts": ["loose"], "children": ["site", "web"], "vars": {"top": 1}},
        "site": {"children": ["web"]},
        "web": {"hosts": ["web1", "web2"], "vars": {"color": "blue"}},
        "_meta": {"hostvars": {"loose": {}, "web1": {"port": 80, "tags": ["a"]}, "web2": {}}},
    });
    assert_eq!(updates.script(), expected);
    let admin = updates.server.as_admin();
    for (list, count) in [("hosts", 3), ("groups", 2), ("inventory_updates", 1)] {
        assert_eq!(admin.results(&format!("{SOURCES}{source}/{list}/")).len(), count, "{list}");
    }
    let events = format!("/api/v2/inventory_updates/{}/events/", update["id"]);
    assert!(admin.results(&events).iter().all(|event| event["type"] == "inventory_update_event"));
    assert!(updates.output(&update).contains("3 hosts and 2 groups"), "{}", updates.output(&update));
    let shown = admin.get(&format!("{SOURCES}{source}/")).expect(200).json();
    assert_eq!(
        (&shown["status"], &shown["summary_fields"]["last_update"]["id"]),
        (&json!("successful"), &update["id"])
    );
}

fn update_without_changes_writes_nothing(backend: Backend) {
    let updates = Updates::start(backend, &[("web.py", WEB)]);
    for more in [json!({}), json!({"overwrite": true, "overwrite_vars": true, "name": "other"})] {
        let source = updates.source("web.py", more);
        updates.update(source);
        let rows = || {
            let tables = ["hosts\t", "inventory_groups\t", "inventories\t", "inventory_group_", "inventory_source_"];
            let dump = updates.server.dump();
            let rows = dump.lines().filter(|line| tables.iter().any(|table| line.starts_with(table)));
            rows.map(str::to_owned).collect::<Vec<_>>()
        };
        let before = rows();
        assert!(before.len() > 10, "{before:?}");
        updates.update(source);
        assert_eq!(rows(), before);
    }
}

/// A script with these hosts in groups.
fn script(groups: Value, hosts: Value) -> String {
    let mut document = groups;
    document["_meta"] = json!({"hostvars": hosts});
    format!("inventory(json.loads({:?}))", document.to_string())
}

fn each_source_owns_what_it_brought(backend: Backend) {
    let one = script(json!({"a": {"hosts": ["h1", "h2"]}}), json!({"h1": {"v": 1, "x": 1}, "h2": {}}));
    let two = script(json!({"b": {"hosts": ["h1"]}}), json!({"h1": {"x": 2}}));
    let updates = Updates::start(backend, &[("one.py", &one), ("two.py", &two)]);
    let overwrite = json!({"overwrite": true, "overwrite_vars": true});
    let [first, second] = ["one.py", "two.py"].map(|path| updates.source(path, overwrite.clone()));
    let running = [updates.begin(first), updates.begin(second)];
    for update in running {
        assert_eq!(updates.ended(update)["status"], "successful");
    }
    let hosts = |script: &Value| (script["a"]["hosts"].clone(), script["b"]["hosts"].clone());
    let script_now = updates.script();
    assert_eq!(hosts(&script_now), (json!(["h1", "h2"]), json!(["h1"])));
    assert_eq!(script_now["_meta"]["hostvars"]["h1"], json!({"v": 1, "x": 2}));
    updates.commit(&[("one.py", &script(json!({"a": {"hosts": ["h1"]}}), json!({"h1": {}})))]);
    let admin = updates.server.as_admin();
    let project = format!("/api/v2/projects/{}/", updates.project);
    let fetched = admin.post(&format!("{project}update/"), json!({})).expect(202).json();
    updates.wait(fetched["url"].as_str().expect("a path"), "status", "successful");
    updates.update(first);
    let script_now = updates.script();
    assert_eq!(hosts(&script_now), (json!(["h1"]), json!(["h1"])));
    assert_eq!(script_now["_meta"]["hostvars"], json!({"h1": {"x": 2}}));
    updates.update(second);
    assert_eq!(updates.script(), script_now);
    // The host stays for the other source.
    updates.commit(&[("one.py", "inventory({})")]);
    let fetched = admin.post(&format!("{project}update/"), json!({})).expect(202).json();
    updates.wait(fetched["url"].as_str().expect("a path"), "status", "successful");
    updates.update(first);
    let script_now = updates.script();
    assert_eq!((&script_now["b"]["hosts"], script_now.get("a")), (&json!(["h1"]), None));
    assert!(admin.results(&format!("{SOURCES}{first}/hosts/")).is_empty());
}

fn overwrite_keeps_what_users_added(backend: Backend) {
    let updates = Updates::start(backend, &[("web.py", WEB), ("empty.py", "inventory({})")]);
    let admin = updates.server.as_admin();
    let own = |name: &str| json!({"name": name, "inventory": updates.inventory, "variables": "mine: 1"});
    let mine = admin.create("/api/v2/hosts/", own("mine"));
    let source = updates.source("web.py", json!({"overwrite": true}));
    updates.update(source);
    let web = admin.results("/api/v2/groups/?name=web")[0]["id"].clone();
    admin.attach(&format!("/api/v2/groups/{web}/hosts/"), mine);
    let web1 = admin.results("/api/v2/hosts/?name=web1")[0]["id"].clone();
    admin.patch(&format!("/api/v2/hosts/{web1}/"), json!({"variables": "port: 1\nmine: 2"})).expect(200);
    updates.update(source);
    let script = updates.script();
    assert_eq!(script["web"]["hosts"], json!(["mine", "web1", "web2"]));
    assert_eq!(script["_meta"]["hostvars"]["web1"], json!({"port": 80, "mine": 2, "tags": ["a"]}));
    admin.patch(&format!("{SOURCES}{source}/"), json!({"source_path": "empty.py"})).expect(200);
    updates.update(source);
    assert_eq!(updates.host_names(), ["mine"]);
    assert!(admin.results("/api/v2/groups/").is_empty());
}

fn renamed_host_is_found_by_its_instance(backend: Backend) {
    let updates = Updates::start(backend, &[]);
    // A service, whose plugin is a script: the configuration is none.
    let program = updates.folder.path().join("stand-in/bin/ansible-inventory");
    let answer = |name: &str| {
        let document = json!({"_meta": {"hostvars": {name: {"instance_id": "i-1", "ec2_state": "stopped"}}},
            "empty": {}, "aws_ec2": {"hosts": [name]}});
        let script = format!(
            "import sys\nfor o in sys.argv:\n  if o.startswith('--output='): open(o[9:], 'w').write({:?})\n",
            document.to_string()
        );
        let python = updates.folder.path().join("stand-in/bin/python");
        fs::write(&program, format!("#!{}\n{script}", python.canonicalize().expect("a path").display()))
            .expect("a program");
    };
    let admin = updates.server.as_admin();
    let source =
        json!({"name": "cloud", "inventory": updates.inventory, "source": "ec2", "source_vars": "regions: [eu]"});
    let source = admin.create(SOURCES, source);
    answer("one");
    let update = updates.update(source);
    assert!(update["job_args"].as_str().is_some_and(|arguments| arguments.contains("aws_ec2.yml")), "{update}");
    let host = admin.results("/api/v2/hosts/")[0].clone();
    assert_eq!((&host["instance_id"], &host["enabled"], &host["name"]), (&json!("i-1"), &json!(false), &json!("one")));
    answer("two");
    updates.update(source);
    let hosts = admin.results("/api/v2/hosts/");
    assert_eq!((hosts.len(), &hosts[0]["id"], &hosts[0]["name"]), (1, &host["id"], &json!("two")));
    // Groups without hosts are left out.
    assert_eq!(admin.results("/api/v2/groups/").len(), 1);
}

fn unusable_output_changes_nothing(backend: Backend) {
    let cases = [
        ("invalid.py", "inventory('{')"),
        ("none.py", ""),
        ("list.py", "inventory([])"),
        ("variables.py", r#"inventory({"web": {"hosts": ["a"], "vars": [1]}})"#),
        ("name.py", r#"inventory({"web": {"hosts": ["a\nb"]}})"#),
        ("group.py", r#"inventory({"we\tb": {"hosts": ["a"]}})"#),
        ("large.py", "with open(output, 'wb') as file:\n  file.truncate((256 << 20) + 1)"),
        ("endless.py", "with open(output, 'wb') as file:\n  file.seek(1 << 30)\n  file.write(b'x')"),
        ("exit.py", "sys.exit(4)"),
    ];
    let updates = Updates::start(backend, &cases);
    for (path, _) in cases {
        let source = updates.source(path, json!({}));
        let update = updates.ended(updates.begin(source));
        assert_eq!((&update["status"], &update["failed"]), (&json!("failed"), &json!(true)), "{path}: {update}");
        let is_explained = !["exit.py", "endless.py"].contains(&path);
        assert_eq!(update["job_explanation"] != "", is_explained, "{path}: {update}");
    }
    assert!(updates.host_names().is_empty());
    let missing = updates.source("missing.py", json!({}));
    let update = updates.ended(updates.begin(missing));
    assert!(update["job_explanation"].as_str().is_some_and(|text| text.contains("missing.py")), "{update}");
}

fn groups_of_two_sources_make_no_cycle(backend: Backend) {
    let one = r#"inventory({"a": {"children": ["b"]}, "b": {"hosts": ["h"]}})"#;
    let two = r#"inventory({"b": {"children": ["a"]}, "a": {"hosts": ["h"]}})"#;
    let updates = Updates::start(backend, &[("one.py", one), ("two.py", two)]);
    updates.update(updates.source("one.py", json!({})));
    let update = updates.update(updates.source("two.py", json!({})));
    assert!(updates.output(&update).contains("WARNING"), "{}", updates.output(&update));
    assert_eq!(updates.script()["a"], json!({"hosts": ["h"], "children": ["b"]}));
}

fn failure_is_explained(backend: Backend) {
    let text = "print(\"[WARNING]:  * Failed to parse x with auto plugin: inventory config 'x' specifies unknown plugin\\n'amazon.aws.aws_ec2'\", file=sys.stderr)\nsys.exit(1)";
    let updates = Updates::start(backend, &[("plugin.py", text)]);
    let update = updates.ended(updates.begin(updates.source("plugin.py", json!({}))));
    let explanation = update["job_explanation"].as_str().expect("a text");
    assert!(explanation.contains("the collection amazon.aws is not installed"), "{update}");
}

const WAITS: &str = "report('ready')\nwait_for('go')\ninventory({'web': {'hosts': ['h']}})";

fn canceled_update_changes_nothing(backend: Backend) {
    let updates = Updates::start(backend, &[("waits.py", WAITS)]);
    let update = updates.begin(updates.source("waits.py", json!({})));
    updates.reported(update, "ready");
    updates.server.as_admin().post(&format!("/api/v2/inventory_updates/{update}/cancel/"), json!({})).expect(202);
    assert_eq!(updates.ended(update)["status"], "canceled");
    assert!(updates.host_names().is_empty());
}

fn update_without_a_limit_of_its_own_has_that_of_the_settings(backend: Backend) {
    let updates = Updates::start(backend, &[("waits.py", WAITS)]);
    let limit = json!({"DEFAULT_INVENTORY_UPDATE_TIMEOUT": 1});
    updates.server.as_admin().patch("/api/v2/settings/jobs/", limit).expect(200);
    let ended = updates.ended(updates.begin(updates.source("waits.py", json!({}))));
    let explanation = "Job terminated due to timeout";
    assert_eq!((&ended["status"], &ended["job_explanation"]), (&json!("failed"), &json!(explanation)), "{ended}");
    assert!(updates.host_names().is_empty());
}

fn update_outlives_the_server(backend: Backend) {
    let mut updates = Updates::start(backend, &[("waits.py", WAITS)]);
    let update = updates.begin(updates.source("waits.py", json!({})));
    updates.reported(update, "ready");
    updates.server.kill9();
    updates.go(update);
    updates.server.restart();
    let ended = updates.ended(update);
    assert_eq!((&ended["status"], &ended["job_explanation"]), (&json!("successful"), &json!("")), "{ended}");
    assert_eq!(updates.host_names(), ["h"]);
}

fn updates_of_an_inventory_follow_each_other(backend: Backend) {
    let updates = Updates::start(backend, &[("waits.py", WAITS), ("web.py", WEB)]);
    let first = updates.begin(updates.source("waits.py", json!({})));
    updates.reported(first, "ready");
    let second = updates.begin(updates.source("web.py", json!({})));
    let path = format!("/api/v2/inventory_updates/{second}/");
    updates.wait(&path, "job_explanation", &format!("waiting for inventoryupdate-{first} to finish"));
    updates.go(first);
    let [first, second] = [first, second].map(|update| updates.ended(update));
    assert!(first["finished"].as_str() <= second["started"].as_str(), "{first} {second}");
    assert_eq!(updates.host_names(), ["h", "loose", "web1", "web2"]);
}

fn inventory_in_use_is_not_deleted(backend: Backend) {
    let updates = Updates::start(backend, &[("waits.py", WAITS)]);
    let update = updates.begin(updates.source("waits.py", json!({})));
    updates.reported(update, "ready");
    let admin = updates.server.as_admin();
    for path in
        [format!("/api/v2/inventories/{}/", updates.inventory), format!("/api/v2/projects/{}/", updates.project)]
    {
        admin.delete(&path).expect(409);
    }
    updates.go(update);
    assert_eq!(updates.ended(update)["status"], "successful");
    admin.delete(&format!("/api/v2/inventories/{}/", updates.inventory)).expect(202);
}

fn job_follows_updates_of_project_and_inventory(backend: Backend) {
    let updates = Updates::start(backend, &[("web.py", WEB), ("site.yml", "event('playbook_on_start')")]);
    let admin = updates.server.as_admin();
    let project = format!("/api/v2/projects/{}/", updates.project);
    admin.patch(&project, json!({"scm_update_on_launch": true})).expect(200);
    // Two sources, and both are fresh for long: only the project makes them old.
    let cached = json!({"update_on_launch": true, "update_cache_timeout": 10_000});
    let source = updates.source("web.py", cached);
    let template =
        json!({"name": "t", "project": updates.project, "inventory": updates.inventory, "playbook": "site.yml"});
    let template = admin.create("/api/v2/job_templates/", template);
    let counts = || {
        ["project_updates", "inventory_updates"]
            .map(|list| admin.get(&format!("/api/v2/{list}/")).expect(200).json()["count"].clone())
    };
    assert_eq!(counts(), [json!(1), json!(0)]);
    let run = || {
        let job = admin.post(&format!("/api/v2/job_templates/{template}/launch/"), json!({})).expect(201).json();
        let path = job["url"].as_str().expect("a path").to_owned();
        updates.wait(&path, "status", "successful");
        admin.get(&path).expect(200).json()
    };
    // The first launch after a push sees the new hosts.
    updates.commit(&[("web.py", "inventory({'web': {'hosts': ['pushed']}})")]);
    let job = run();
    assert_eq!(counts(), [json!(2), json!(1)]);
    assert_eq!(updates.host_names(), ["pushed"]);
    let times = |path: &str| admin.results(path)[0].clone();
    let fetched = times("/api/v2/project_updates/?order_by=-id");
    let update = times("/api/v2/inventory_updates/?order_by=-id");
    assert!(fetched["finished"].as_str() <= update["started"].as_str(), "{fetched} {update}");
    assert!(update["finished"].as_str() <= job["started"].as_str(), "{update} {job}");
    assert_eq!((&update["launch_type"], &update["source_project_update"]), (&json!("dependency"), &fetched["id"]));
    // Both are fresh.
    admin.patch(&project, json!({"scm_update_cache_timeout": 10_000})).expect(200);
    run();
    assert_eq!(counts(), [json!(2), json!(1)]);
    // Another commit that was fetched meanwhile.
    updates.commit(&[("web.py", "inventory({'web': {'hosts': ['pushed', 'again']}})")]);
    let fetched = admin.post(&format!("{project}update/"), json!({})).expect(202).json();
    updates.wait(fetched["url"].as_str().expect("a path"), "status", "successful");
    run();
    assert_eq!(counts(), [json!(3), json!(2)]);
    assert_eq!(updates.host_names(), ["again", "pushed"]);
    // A job whose inventory cannot be updated does not run.
    updates.commit(&[("web.py", "sys.exit(1)")]);
    admin.patch(&format!("{SOURCES}{source}/"), json!({"update_cache_timeout": 0})).expect(200);
    admin.patch(&project, json!({"scm_update_cache_timeout": 0})).expect(200);
    let job = admin.post(&format!("/api/v2/job_templates/{template}/launch/"), json!({})).expect(201).json();
    updates.wait(job["url"].as_str().expect("a path"), "status", "failed");
}
