//! Job templates: validation, permissions, what is attached to them, copies, surveys and the keys of webhooks.

use hostler_testkit::{Backend, Client, TestServer, on_each_backend};
use serde_json::{Value, json};

on_each_backend!(
    invalid_job_templates_are_rejected,
    organization_follows_the_project,
    admin_without_project_changes_harmless_fields_only,
    job_template_needs_use_of_project_and_inventory,
    one_credential_of_each_type_is_attached,
    copy_has_survey_and_attached_objects,
    survey_passwords_are_encrypted,
    webhook_key_is_for_admins,
    deletion_is_refused_while_a_job_waits,
);

const LIST: &str = "/api/v2/job_templates/";

/// An organization with a project and an inventory.
struct Parts {
    server: TestServer,
    organization: i64,
    project: i64,
    inventory: i64,
}

fn start(backend: Backend) -> Parts {
    let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    server.let_jobs_wait();
    let organization = server.organization("home");
    let admin = server.as_admin();
    let project = project(&admin, "project", organization);
    let inventory = admin.create("/api/v2/inventories/", json!({"name": "hosts", "organization": organization}));
    Parts { server, organization, project, inventory }
}

/// A project that is never updated: its playbooks are unknown, and each branch may have others.
fn project(admin: &Client, name: &str, organization: i64) -> i64 {
    let body = json!({
        "name": name, "organization": organization, "scm_type": "git", "scm_url": "https://127.0.0.1:9/x",
        "allow_override": true,
    });
    admin.create("/api/v2/projects/", body)
}

impl Parts {
    fn body(&self, name: &str) -> Value {
        json!({"name": name, "project": self.project, "inventory": self.inventory, "playbook": "site.yml"})
    }

    fn template(&self, name: &str) -> i64 {
        self.server.as_admin().create(LIST, self.body(name))
    }

    fn credential(&self, name: &str, namespace: &str, inputs: Value) -> i64 {
        let admin = self.server.as_admin();
        let kind = admin.results(&format!("/api/v2/credential_types/?namespace={namespace}"))[0]["id"].clone();
        let body = json!({
            "name": name, "organization": self.organization, "credential_type": kind, "inputs": inputs,
        });
        admin.create("/api/v2/credentials/", body)
    }
}

fn with(mut body: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    body
}

fn invalid_job_templates_are_rejected(backend: Backend) {
    let parts = start(backend);
    let admin = parts.server.as_admin();
    parts.template("taken");
    let unique = "JobTemplate with this (organization, name) combination already exists.";
    for (changes, field, message) in [
        (json!({"name": "taken"}), "__all__", unique),
        (json!({"project": null}), "project", "Job Templates must have a project assigned."),
        (json!({"inventory": null}), "inventory", "You must either set a default value or ask to prompt on launch."),
        (json!({"playbook": ""}), "playbook", "Must select playbook for project."),
        (json!({"playbook": "../site.yml"}), "playbook", "Playbook not found for project."),
        (json!({"playbook": "/etc/site.yml"}), "playbook", "Playbook not found for project."),
        (json!({"playbook": "a\nb.yml"}), "playbook", "Playbook not found for project."),
        (json!({"forks": -1}), "forks", "Ensure this value is greater than or equal to 0."),
        (json!({"forks": 2_147_483_648_i64}), "forks", "Ensure this value is less than or equal to 2147483647."),
        (json!({"verbosity": 6}), "verbosity", "\"6\" is not a valid choice."),
        (json!({"verbosity": "x"}), "verbosity", "\"x\" is not a valid choice."),
        (json!({"job_type": "scan"}), "job_type", "\"scan\" is not a valid choice."),
        (json!({"webhook_service": "sourceforge"}), "webhook_service", "\"sourceforge\" is not a valid choice."),
        (
            json!({"scm_branch": "--upload-pack=x"}),
            "scm_branch",
            "This must not start with a dash or contain spaces or control characters.",
        ),
        (json!({"inventory": 99_999_999}), "inventory", "Invalid pk \"99999999\" - object does not exist."),
    ] {
        let refused = admin.post(LIST, with(parts.body("new"), changes)).expect(400).json();
        assert_eq!(refused, json!({field: [message]}));
    }
    let fixed = json!({"name": "fixed", "organization": parts.organization});
    let fixed = json!({"project": admin.create("/api/v2/projects/", fixed)});
    for (field, value) in [("scm_branch", json!("dev")), ("ask_scm_branch_on_launch", json!(true))] {
        let body = with(with(parts.body("new"), fixed.clone()), json!({field: value}));
        let refused = admin.post(LIST, body).expect(400).json();
        assert_eq!(refused, json!({field: ["Project does not allow overriding branch."]}));
    }
    let refused = admin.post(LIST, with(parts.body("new"), json!({"extra_vars": "[1]"}))).expect(400).json();
    assert!(refused["extra_vars"][0].as_str().is_some_and(|text| text.contains("not a dictionary")), "{refused}");
    assert_eq!(admin.results(LIST).len(), 1);
}

fn organization_follows_the_project(backend: Backend) {
    let parts = start(backend);
    let admin = parts.server.as_admin();
    let away = parts.server.organization("away");
    let path = format!("{LIST}{}/", parts.template("a"));
    // It cannot be set.
    let body = admin.patch(&path, json!({"organization": away})).expect(200).json();
    assert_eq!(body["organization"], parts.organization);
    admin.patch(&format!("/api/v2/projects/{}/", parts.project), json!({"organization": away})).expect(200);
    assert_eq!(admin.get(&path).expect(200).json()["organization"], away);
    let other = project(&admin, "other", parts.organization);
    assert_eq!(admin.patch(&path, json!({"project": other})).expect(200).json()["organization"], parts.organization);
    assert_eq!(admin.results(&format!("/api/v2/organizations/{}/job_templates/", parts.organization)).len(), 1);
    assert_eq!(admin.results(&format!("/api/v2/inventories/{}/job_templates/", parts.inventory)).len(), 1);
}

fn role(admin: &Client, path: &str, field: &str) -> i64 {
    let object = admin.get(path).expect(200).json();
    object["summary_fields"]["object_roles"][field]["id"].as_i64().expect("a role")
}

fn admin_without_project_changes_harmless_fields_only(backend: Backend) {
    let parts = start(backend);
    let admin = parts.server.as_admin();
    let owner = parts.server.user("owner");
    let path = format!("{LIST}{}/", parts.template("a"));
    admin.attach(&format!("{}roles/", owner.path()), role(&admin, &path, "admin_role"));
    for harmless in [json!({"name": "b"}), json!({"limit": "x", "forks": 3}), json!({"survey_enabled": true})] {
        owner.client.patch(&path, harmless).expect(200);
    }
    // The same value changes nothing.
    owner.client.patch(&path, json!({"project": parts.project, "playbook": "site.yml"})).expect(200);
    for harmful in [
        json!({"playbook": "other.yml"}),
        json!({"job_type": "check"}),
        json!({"become_enabled": true}),
        json!({"ask_limit_on_launch": true}),
        json!({"scm_branch": "dev"}),
        json!({"inventory": null, "ask_inventory_on_launch": true}),
    ] {
        owner.client.patch(&path, harmful).expect(403);
    }
    let project = format!("/api/v2/projects/{}/", parts.project);
    admin.attach(&format!("{}roles/", owner.path()), role(&admin, &project, "use_role"));
    owner.client.patch(&path, json!({"playbook": "other.yml"})).expect(403);
    let inventory = format!("/api/v2/inventories/{}/", parts.inventory);
    admin.attach(&format!("{}roles/", owner.path()), role(&admin, &inventory, "use_role"));
    owner.client.patch(&path, json!({"playbook": "other.yml"})).expect(200);
}

fn job_template_needs_use_of_project_and_inventory(backend: Backend) {
    let parts = start(backend);
    let admin = parts.server.as_admin();
    let maker = parts.server.user("maker");
    for (name, id, message) in [
        ("inventory", parts.inventory, "You do not have use permission on Inventory"),
        ("project", parts.project, "You do not have use permission on Project"),
    ] {
        let refused = maker.client.post(LIST, parts.body("a")).expect(403).json();
        assert_eq!(refused, json!({name: [message]}));
        let list = if name == "project" { "projects" } else { "inventories" };
        let used = role(&admin, &format!("/api/v2/{list}/{id}/"), "use_role");
        admin.attach(&format!("{}roles/", maker.path()), used);
    }
    let credential = parts.credential("token", "github_token", json!({"token": "x"}));
    let hooked = json!({"webhook_service": "github", "webhook_credential": credential});
    let refused = maker.client.post(LIST, with(parts.body("a"), hooked)).expect(403).json();
    assert_eq!(refused, json!({"detail": "You do not have permission to perform this action."}));
    let made = maker.client.post(LIST, parts.body("a")).expect(201).json();
    // As the creator, and with what it uses.
    let capabilities = json!({"edit": true, "delete": true, "start": true, "schedule": true, "copy": true});
    assert_eq!(made["summary_fields"]["user_capabilities"], capabilities);
    let reader = parts.server.user("reader");
    let path = made["url"].as_str().expect("a path").to_owned();
    admin.attach(&format!("{}roles/", reader.path()), role(&admin, &path, "read_role"));
    let seen = reader.client.get(&path).expect(200).json();
    let capabilities = json!({"edit": false, "delete": false, "start": false, "schedule": false, "copy": false});
    assert_eq!(seen["summary_fields"]["user_capabilities"], capabilities);
    assert!(seen["summary_fields"].get("inventory").is_none(), "the name of a hidden inventory");
    reader.client.post(&format!("{path}launch/"), json!({})).expect(403);
    parts.server.user("stranger").client.get(&path).expect(403);
}

fn one_credential_of_each_type_is_attached(backend: Backend) {
    let parts = start(backend);
    let admin = parts.server.as_admin();
    let list = format!("{LIST}{}/credentials/", parts.template("a"));
    let ssh = ["one", "two"].map(|name| parts.credential(name, "ssh", json!({"username": name})));
    let vault = |name: &str, id: &str| parts.credential(name, "vault", json!({"vault_password": "v", "vault_id": id}));
    let (a, b, again) = (vault("a", "a"), vault("b", "b"), vault("again", "a"));
    let scm = parts.credential("scm", "scm", json!({}));
    for id in [ssh[0], a, b] {
        admin.attach(&list, id);
    }
    for (id, message) in [
        (ssh[1], "Cannot assign multiple Machine credentials."),
        (ssh[0], "Cannot assign multiple Machine credentials."),
        (again, "Cannot assign multiple Vault (id=a) credentials."),
        (scm, "Cannot assign a Credential of kind `scm`."),
    ] {
        assert_eq!(admin.post(&list, json!({"id": id})).expect(400).json(), json!({"error": message}));
    }
    assert_eq!(admin.results(&list).len(), 3);
    admin.post(&list, json!({"id": ssh[0], "disassociate": true})).expect(204);
    admin.attach(&list, ssh[1]);
    let names =
        |path: &str| -> Vec<Value> { admin.results(path).iter().map(|template| template["name"].clone()).collect() };
    assert_eq!(names(&format!("{LIST}?credentials={a}")), ["a"]);
    assert_eq!(names(&format!("{LIST}?credentials__name=one")), [""; 0]);
    assert_eq!(names("/api/v2/credentials/?unifiedjobtemplates__name=a&order_by=name"), ["a", "b", "two"]);
}

fn survey(default: &str) -> Value {
    json!({"name": "s", "description": "", "spec": [{
        "question_name": "P", "question_description": "", "required": true, "type": "password", "variable": "p",
        "default": default, "choices": "", "min": null, "max": null,
    }]})
}

fn copy_has_survey_and_attached_objects(backend: Backend) {
    let parts = start(backend);
    let admin = parts.server.as_admin();
    let path = format!("{LIST}{}/", parts.template("a"));
    admin.patch(&path, json!({"limit": "x", "verbosity": 3, "extra_vars": "a: 1", "survey_enabled": true})).expect(200);
    admin.attach(&format!("{path}credentials/"), parts.credential("one", "ssh", json!({"username": "u"})));
    admin.post(&format!("{path}labels/"), json!({"name": "l", "organization": parts.organization})).expect(201);
    let group = admin.create("/api/v2/instance_groups/", json!({"name": "g"}));
    admin.attach(&format!("{path}instance_groups/"), group);
    admin.post(&format!("{path}survey_spec/"), survey("hush")).expect(200);
    admin.post(&format!("{path}copy/"), json!({"name": "a"})).expect(400);
    let copy = admin.post(&format!("{path}copy/"), json!({"name": "b"})).expect(201).json();
    assert_eq!((&copy["limit"], &copy["verbosity"], &copy["extra_vars"]), (&json!("x"), &json!(3), &json!("a: 1")));
    let copy = copy["url"].as_str().expect("a path").to_owned();
    for list in ["credentials", "labels", "instance_groups"] {
        assert_eq!(admin.results(&format!("{copy}{list}/")).len(), 1, "{list}");
    }
    let spec = admin.get(&format!("{copy}survey_spec/")).expect(200).json();
    assert_eq!(spec["spec"][0]["default"], "$encrypted$");
    // The default of the copy is its own.
    let job = admin.post(&format!("{copy}launch/"), json!({"extra_vars": {"p": "$encrypted$"}})).expect(201).json();
    assert_eq!(job["extra_vars"], "{\"a\": 1, \"p\": \"$encrypted$\"}");
    let stranger = parts.server.user("stranger");
    admin.attach(&format!("{}roles/", stranger.path()), role(&admin, &path, "admin_role"));
    stranger.client.post(&format!("{path}copy/"), json!({"name": "c"})).expect(403);
}

fn survey_passwords_are_encrypted(backend: Backend) {
    let parts = start(backend);
    let admin = parts.server.as_admin();
    let path = format!("{LIST}{}/", parts.template("a"));
    let spec = format!("{path}survey_spec/");
    assert_eq!(
        admin.post(&spec, survey("$encrypted$")).expect(400).json()["error"],
        "$encrypted$ is a reserved keyword, may not be used for new default in position 0."
    );
    admin.post(&spec, survey("hushhush")).expect(200);
    // The mask keeps the default.
    admin.post(&spec, survey("$encrypted$")).expect(200);
    admin.patch(&path, json!({"survey_enabled": true})).expect(200);
    let launch = format!("{path}launch/");
    let needed = admin.get(&launch).expect(200).json()["variables_needed_to_start"].clone();
    assert_eq!(needed, json!(["p"]));
    let refused = admin.post(&launch, json!({})).expect(400).json();
    assert_eq!(refused, json!({"variables_needed_to_start": ["'p' value missing"]}));
    let job = admin.post(&launch, json!({"extra_vars": {"p": "typedtyped"}})).expect(201).json();
    assert_eq!(job["extra_vars"], "{\"p\": \"$encrypted$\"}");
    for secret in ["hushhush", "typedtyped"] {
        assert!(!parts.server.dump().contains(secret), "{secret} is in the database");
    }
    let other = parts.server.user("other");
    admin.attach(&format!("{}roles/", other.path()), role(&admin, &path, "execute_role"));
    other.client.post(&spec, survey("x")).expect(403);
    let relaunch = format!("{}relaunch/", job["url"].as_str().expect("a path"));
    let refused = other.client.post(&relaunch, json!({})).expect(403).json();
    assert_eq!(refused["detail"], "Job was launched with secret prompts provided by another user.");
    let again = admin.post(&relaunch, json!({})).expect(201).json();
    assert_eq!((&again["extra_vars"], &again["launch_type"]), (&job["extra_vars"], &json!("relaunch")));
    admin.delete(&spec).expect(200);
    assert_eq!(admin.get(&spec).expect(200).json(), json!({}));
}

fn webhook_key_is_for_admins(backend: Backend) {
    let parts = start(backend);
    let admin = parts.server.as_admin();
    let path = format!("{LIST}{}/", parts.template("a"));
    let key = || admin.get(&format!("{path}webhook_key/")).expect(200).json()["webhook_key"].clone();
    assert_eq!(key(), "");
    let changed = admin.patch(&path, json!({"webhook_service": "github"})).expect(200).json();
    assert_eq!(changed["related"]["webhook_receiver"], format!("{path}github/"));
    let first = key();
    assert_eq!(first.as_str().map(str::len), Some(50));
    let second = admin.post(&format!("{path}webhook_key/"), json!({})).expect(201).json()["webhook_key"].clone();
    assert!(second != first && second == key());
    assert!(!parts.server.dump().contains(second.as_str().expect("a key")));
    let other = parts.server.user("other");
    admin.attach(&format!("{}roles/", other.path()), role(&admin, &path, "execute_role"));
    other.client.get(&format!("{path}webhook_key/")).expect(403);
    other.client.post(&format!("{path}webhook_key/"), json!({})).expect(403);
    admin.patch(&path, json!({"webhook_service": ""})).expect(200);
    assert_eq!(key(), "");
}

fn deletion_is_refused_while_a_job_waits(backend: Backend) {
    let parts = start(backend);
    let admin = parts.server.as_admin();
    let path = format!("{LIST}{}/", parts.template("a"));
    // The instance group is empty, so the job waits.
    let group = admin.create("/api/v2/instance_groups/", json!({"name": "empty"}));
    admin.attach(&format!("{path}instance_groups/"), group);
    admin.patch(&path, json!({"prevent_instance_group_fallback": true})).expect(200);
    let job = admin.post(&format!("{path}launch/"), json!({})).expect(201).json();
    let refused = admin.delete(&path).expect(409).json();
    assert_eq!(refused["active_jobs"], json!([{"id": job["id"], "type": "job"}]));
    let job = job["url"].as_str().expect("a path").to_owned();
    admin.post(&format!("{job}cancel/"), json!({})).expect(202);
    admin.delete(&path).expect(204);
    // The job stays.
    let left = admin.get(&job).expect(200).json();
    assert_eq!((&left["job_template"], &left["status"]), (&Value::Null, &json!("canceled")));
}
