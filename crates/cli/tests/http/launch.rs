//! Launches: prompts that are accepted and ignored, what is missing, credentials, cancellation, and who sees jobs.

use hostler_testkit::{Backend, Client, TestServer, on_each_backend};
use serde_json::{Value, json};

on_each_backend!(
    launch_ignores_what_the_template_does_not_ask_for,
    launch_takes_what_the_template_asks_for,
    launch_with_invalid_prompts_writes_nothing,
    launch_without_inventory_is_rejected,
    launch_needs_the_project_and_the_inventory,
    prompted_objects_must_be_usable,
    launch_replaces_credentials_of_the_same_type,
    launch_asks_for_passwords,
    launch_needs_few_statements,
    jobs_are_seen_and_deleted_by_role,
    job_is_canceled_once,
    unified_jobs_show_the_same_jobs,
);

const TEMPLATES: &str = "/api/v2/job_templates/";

struct Parts {
    server: TestServer,
    organization: i64,
    inventory: i64,
    template: String,
}

/// A job template whose jobs wait for ever: no node runs them.
fn start(backend: Backend, changes: Value) -> Parts {
    let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let organization = server.organization("home");
    server.let_jobs_wait();
    let admin = server.as_admin();
    let project = json!({
        "name": "project", "organization": organization, "scm_type": "git", "scm_url": "https://127.0.0.1:9/x",
        "allow_override": true,
    });
    let project = admin.create("/api/v2/projects/", project);
    let inventory = admin.create("/api/v2/inventories/", json!({"name": "hosts", "organization": organization}));
    let mut body = json!({
        "name": "a", "project": project, "inventory": inventory, "playbook": "site.yml", "extra_vars": "a: 1",
        "limit": "all", "forks": 1, "prevent_instance_group_fallback": true,
    });
    for (name, value) in changes.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    let template = format!("{TEMPLATES}{}/", admin.create(TEMPLATES, body));
    let group = admin.create("/api/v2/instance_groups/", json!({"name": "empty"}));
    admin.attach(&format!("{template}instance_groups/"), group);
    Parts { server, organization, inventory, template }
}

impl Parts {
    fn launch(&self, body: Value) -> Value {
        self.server.as_admin().post(&format!("{}launch/", self.template), body).expect(201).json()
    }

    fn refused(&self, body: Value) -> Value {
        self.server.as_admin().post(&format!("{}launch/", self.template), body).expect(400).json()
    }

    fn credential(&self, name: &str, namespace: &str, inputs: Value) -> i64 {
        let admin = self.server.as_admin();
        let kind = admin.results(&format!("/api/v2/credential_types/?namespace={namespace}"))[0]["id"].clone();
        let body = json!({
            "name": name, "organization": self.organization, "credential_type": kind, "inputs": inputs,
        });
        admin.create("/api/v2/credentials/", body)
    }

    fn role(&self, path: &str, field: &str) -> i64 {
        let object = self.server.as_admin().get(path).expect(200).json();
        object["summary_fields"]["object_roles"][field]["id"].as_i64().expect("a role")
    }

    fn grant(&self, who: &hostler_testkit::TestUser, path: &str, field: &str) {
        self.server.as_admin().attach(&format!("{}roles/", who.path()), self.role(path, field));
    }

    fn revoke(&self, who: &hostler_testkit::TestUser, path: &str, field: &str) {
        let body = json!({"id": self.role(path, field), "disassociate": true});
        self.server.as_admin().post(&format!("{}roles/", who.path()), body).expect(204);
    }
}

fn path(job: &Value) -> String {
    job["url"].as_str().expect("a path").to_owned()
}

const ASKS: [&str; 12] = [
    "ask_scm_branch_on_launch",
    "ask_diff_mode_on_launch",
    "ask_variables_on_launch",
    "ask_limit_on_launch",
    "ask_tags_on_launch",
    "ask_job_type_on_launch",
    "ask_verbosity_on_launch",
    "ask_inventory_on_launch",
    "ask_credential_on_launch",
    "ask_labels_on_launch",
    "ask_timeout_on_launch",
    "ask_instance_groups_on_launch",
];

fn asking() -> Value {
    ASKS.iter().map(|name| ((*name).to_owned(), json!(true))).collect::<serde_json::Map<_, _>>().into()
}

fn launch_ignores_what_the_template_does_not_ask_for(backend: Backend) {
    let parts = start(backend, json!({}));
    let label = json!({"name": "l", "organization": parts.organization});
    let label = parts.server.as_admin().create("/api/v2/labels/", label);
    let sent = json!({
        "scm_branch": "dev", "diff_mode": true, "extra_vars": {"who": "me", "a": 1}, "limit": "one", "verbosity": 2,
        "forks": 3, "labels": [label], "nosuch": 1,
    });
    let job = parts.launch(sent);
    let ignored = json!({
        "scm_branch": "dev", "diff_mode": true, "extra_vars": {"who": "me"}, "limit": "one", "verbosity": 2,
        "forks": 3, "labels": [label],
    });
    assert_eq!(job["ignored_fields"], ignored);
    assert_eq!((&job["limit"], &job["forks"], &job["extra_vars"]), (&json!("all"), &json!(1), &json!("{\"a\": 1}")));
    assert_eq!((&job["status"], &job["type"], &job["job"]), (&json!("pending"), &json!("job"), &job["id"]));
    // The same values as in the template are neither ignored nor prompts.
    let same = parts.launch(json!({"limit": "all", "forks": 1, "extra_vars": "a: 1"}));
    assert_eq!(same["ignored_fields"], json!({}));
    let template = parts.server.as_admin().get(&parts.template).expect(200).json();
    assert_eq!(template["status"], "pending");
    let recent: Vec<&Value> =
        template["summary_fields"]["recent_jobs"].as_array().expect("a list").iter().map(|job| &job["id"]).collect();
    assert_eq!(recent, [&same["id"], &job["id"]]);
}

fn launch_takes_what_the_template_asks_for(backend: Backend) {
    let parts = start(backend, asking());
    let admin = parts.server.as_admin();
    let label = admin.create("/api/v2/labels/", json!({"name": "l", "organization": parts.organization}));
    admin.post(&format!("{}labels/", parts.template), json!({"name": "own", "organization": parts.organization}));
    let other = admin.create("/api/v2/inventories/", json!({"name": "other", "organization": parts.organization}));
    let sent = json!({
        "scm_branch": "main", "diff_mode": true, "extra_vars": "{\"who\": \"me\"}", "limit": "one", "job_tags": "x",
        "job_type": "check", "verbosity": 2, "inventory": other, "labels": [label], "timeout": 500,
    });
    let answer = admin.post(&format!("{}launch/", parts.template), sent).expect(201);
    let job = answer.json();
    assert_eq!(answer.header("location"), Some(path(&job)));
    for (field, value) in [
        ("ignored_fields", json!({})),
        ("scm_branch", json!("main")),
        ("diff_mode", json!(true)),
        ("extra_vars", json!("{\"a\": 1, \"who\": \"me\"}")),
        ("limit", json!("one")),
        ("job_tags", json!("x")),
        ("job_type", json!("check")),
        ("verbosity", json!(2)),
        ("inventory", json!(other)),
        ("timeout", json!(500)),
    ] {
        assert_eq!(job[field], value, "{field}");
    }
    assert_eq!(job["summary_fields"]["labels"]["count"], 2);
    let again = admin.post(&format!("{}relaunch/", path(&job)), json!({})).expect(201).json();
    for field in ["scm_branch", "extra_vars", "limit", "job_tags", "job_type", "verbosity", "inventory", "timeout"] {
        assert_eq!(again[field], job[field], "{field}");
    }
    assert_eq!(again["summary_fields"]["labels"]["count"], 2);
    assert_eq!(again["job"], again["id"]);
}

fn launch_with_invalid_prompts_writes_nothing(backend: Backend) {
    let parts = start(backend, asking());
    let missing = "Invalid pk \"99999999\" - object does not exist.";
    for (sent, field, message) in [
        (json!({"forks": -1}), "forks", "Ensure this value is greater than or equal to 0."),
        (json!({"verbosity": 6}), "verbosity", "\"6\" is not a valid choice."),
        (json!({"job_type": "scan"}), "job_type", "\"scan\" is not a valid choice."),
        (json!({"diff_mode": "maybe"}), "diff_mode", "Must be a valid boolean."),
        (json!({"inventory": 99_999_999}), "inventory", missing),
        (json!({"inventory": "x"}), "inventory", "Incorrect type. Expected pk value, received str."),
        (json!({"credentials": [99_999_999]}), "credentials", missing),
        (json!({"credentials": "x"}), "credentials", "Expected a list of items but got type \"str\"."),
        (json!({"labels": [99_999_999]}), "labels", missing),
        (json!({"labels": [{}]}), "labels", "Incorrect type. Expected pk value, received dict."),
        (json!({"instance_groups": [99_999_999]}), "instance_groups", missing),
        (
            json!({"scm_branch": "-x"}),
            "scm_branch",
            "This must not start with a dash or contain spaces or control characters.",
        ),
    ] {
        assert_eq!(parts.refused(sent), json!({field: [message]}));
    }
    for text in ["{a", "[1]", "a: 1\nb: {{ c }}"] {
        assert!(parts.refused(json!({"extra_vars": text}))["extra_vars"][0].is_string(), "{text}");
    }
    assert_eq!(parts.server.as_admin().results("/api/v2/jobs/").len(), 0);
}

fn launch_without_inventory_is_rejected(backend: Backend) {
    let parts = start(backend, json!({"inventory": null, "ask_inventory_on_launch": true}));
    let needs = parts.server.as_admin().get(&format!("{}launch/", parts.template)).expect(200).json();
    assert_eq!(
        (&needs["inventory_needed_to_start"], &needs["can_start_without_user_input"]),
        (&json!(true), &json!(false))
    );
    let refused = parts.refused(json!({}));
    assert_eq!(refused, json!({"resources_needed_to_start": ["Job Template inventory is missing or undefined."]}));
    let job = parts.launch(json!({"inventory": parts.inventory}));
    assert_eq!(job["inventory"], parts.inventory);
}

fn launch_needs_the_project_and_the_inventory(backend: Backend) {
    let parts = start(backend, json!({}));
    let relaunch = format!("{}relaunch/", path(&parts.launch(json!({}))));
    let set_status = |status: &str| {
        parts.server.execute(&format!("UPDATE unified_job_templates SET status = '{status}' WHERE type = 'project'"));
    };
    for status in ["failed", "error"] {
        set_status(status);
        let message = "Missing a revision to run due to failed project update.";
        assert_eq!(parts.refused(json!({})), json!({"playbook": [message]}));
    }
    // An update before the job can succeed.
    parts.server.execute("UPDATE unified_job_templates SET scm_update_on_launch = TRUE WHERE type = 'project'");
    parts.launch(json!({}));
    set_status("successful");
    parts.server.execute("UPDATE inventories SET is_deleted = TRUE");
    let message = "The inventory associated with this Job Template is being deleted.";
    assert_eq!(parts.refused(json!({})), json!({"inventory": [message]}));
    let refused = parts.server.as_admin().post(&relaunch, json!({})).expect(400).json();
    assert_eq!(refused, json!({"errors": ["Job Template Inventory is missing or undefined."]}));
}

fn prompted_objects_must_be_usable(backend: Backend) {
    let parts = start(backend, asking());
    let admin = parts.server.as_admin();
    let runner = parts.server.user("runner");
    parts.grant(&runner, &parts.template, "execute_role");
    let launch = |body: Value| runner.client.post(&format!("{}launch/", parts.template), body);
    // Execution needs no permission on what the template itself uses.
    let job = launch(json!({})).expect(201).json();
    let other = admin.create("/api/v2/inventories/", json!({"name": "other", "organization": parts.organization}));
    let machine = parts.credential("machine", "ssh", json!({"username": "u"}));
    let label = admin.create("/api/v2/labels/", json!({"name": "l", "organization": parts.organization}));
    for body in [json!({"inventory": other}), json!({"credentials": [machine]}), json!({"labels": [label]})] {
        launch(body).expect(403);
    }
    parts.grant(&runner, &format!("/api/v2/inventories/{other}/"), "use_role");
    let with_other = launch(json!({"inventory": other})).expect(201).json();
    let again = || runner.client.post(&format!("{}relaunch/", path(&with_other)), json!({}));
    again().expect(201);
    parts.revoke(&runner, &format!("/api/v2/inventories/{other}/"), "use_role");
    again().expect(403);
    // The credentials of the template are used anyway.
    admin.attach(&format!("{}credentials/", parts.template), machine);
    let own = launch(json!({"credentials": [machine]})).expect(201).json();
    runner.client.post(&format!("{}relaunch/", path(&own)), json!({})).expect(201);
    admin.post(&format!("{}credentials/", parts.template), json!({"id": machine, "disassociate": true})).expect(204);
    // A job with prompts of another user.
    let prompted = parts.launch(json!({"credentials": [machine]}));
    runner.client.post(&format!("{}relaunch/", path(&prompted)), json!({})).expect(403);
    runner.client.post(&format!("{}relaunch/", path(&job)), json!({})).expect(201);
}

fn names(job: &Value) -> Vec<&str> {
    let list = job["summary_fields"]["credentials"].as_array().expect("a list");
    list.iter().filter_map(|credential| credential["name"].as_str()).collect()
}

fn launch_replaces_credentials_of_the_same_type(backend: Backend) {
    let parts = start(backend, asking());
    let admin = parts.server.as_admin();
    let ssh = ["one", "two", "three"].map(|name| parts.credential(name, "ssh", json!({"username": name})));
    let vault = parts.credential("vault", "vault", json!({"vault_password": "v", "vault_id": "a"}));
    for id in [ssh[0], vault] {
        admin.attach(&format!("{}credentials/", parts.template), id);
    }
    assert_eq!(names(&parts.launch(json!({}))), ["one", "vault"]);
    assert_eq!(names(&parts.launch(json!({"credentials": [ssh[1], vault]}))), ["two", "vault"]);
    assert_eq!(names(&parts.launch(json!({"credentials": [ssh[0], ssh[1], vault]}))), ["two", "vault"]);
    let refused = parts.refused(json!({"credentials": [ssh[1], ssh[2], vault]}));
    assert_eq!(refused, json!({"credentials": ["Cannot assign multiple Machine credentials."]}));
    let refused = parts.refused(json!({"credentials": [ssh[1]]}));
    let message = format!(
        "Removing Vault (id=a) credential at launch time without replacement is not supported. Provided list lacked \
         credential(s): one-{}, vault-{vault}.",
        ssh[0]
    );
    assert_eq!(refused, json!({"credentials": [message]}));
}

fn launch_asks_for_passwords(backend: Backend) {
    let parts = start(backend, json!({}));
    let admin = parts.server.as_admin();
    let ask = json!({"username": "u", "password": "ASK", "become_password": "ASK"});
    let ask = parts.credential("ask", "ssh", ask);
    admin.attach(&format!("{}credentials/", parts.template), ask);
    let needed = json!(["ssh_password", "become_password"]);
    let needs = admin.get(&format!("{}launch/", parts.template)).expect(200).json();
    assert_eq!(needs["passwords_needed_to_start"], needed);
    assert_eq!(parts.refused(json!({})), json!({"passwords_needed_to_start": needed}));
    let refused = parts.refused(json!({"credential_passwords": {"ssh_password": "first-secret"}}));
    assert_eq!(refused, json!({"passwords_needed_to_start": ["become_password"]}));
    let passwords = json!({"ssh_password": "first-secret", "become_password": "second-secret", "other": "x"});
    let job = parts.launch(json!({"credential_passwords": passwords}));
    assert_eq!(job["passwords_needed_to_start"], needed);
    let dump = parts.server.dump();
    assert!(!dump.contains("first-secret") && !dump.contains("second-secret"));
    let relaunch = format!("{}relaunch/", path(&job));
    let refused = admin.post(&relaunch, json!({})).expect(400).json();
    let message = "Missing passwords needed to start: ssh_password, become_password";
    assert_eq!(refused, json!({"credential_passwords": [message]}));
    admin.post(&relaunch, json!({"credential_passwords": passwords})).expect(201);
    // They do not outlive the job.
    admin.post(&format!("{}cancel/", path(&job)), json!({})).expect(202);
    parts.server.execute(&format!(
        "UPDATE unified_jobs SET job_explanation = 'kept' WHERE credential_passwords <> '{{}}' AND id = {}",
        job["id"]
    ));
    assert_eq!(admin.get(&path(&job)).expect(200).json()["job_explanation"], "");
}

fn launch_needs_few_statements(backend: Backend) {
    let parts = start(backend, json!({}));
    let launch = || {
        let answer = parts.server.as_admin().post(&format!("{}launch/", parts.template), json!({}));
        answer.expect(201).queries()
    };
    launch();
    let queries = launch();
    assert!(queries <= 20, "a launch needs {queries} statements");
}

fn jobs_are_seen_and_deleted_by_role(backend: Backend) {
    let parts = start(backend, json!({}));
    let admin = parts.server.as_admin();
    let job = path(&parts.launch(json!({})));
    let users = ["boss", "owner", "runner", "reader", "stranger"].map(|name| parts.server.user(name));
    let [boss, owner, runner, reader, stranger] = &users;
    parts.server.add_admin(parts.organization, boss);
    for (who, role) in [(owner, "admin_role"), (runner, "execute_role"), (reader, "read_role")] {
        parts.grant(who, &parts.template, role);
    }
    let capabilities =
        |client: &Client| client.get(&job).expect(200).json()["summary_fields"]["user_capabilities"].clone();
    assert_eq!(capabilities(&boss.client), json!({"delete": true, "start": true}));
    assert_eq!(capabilities(&owner.client), json!({"delete": false, "start": true}));
    assert_eq!(capabilities(&runner.client), json!({"delete": false, "start": true}));
    assert_eq!(capabilities(&reader.client), json!({"delete": false, "start": false}));
    stranger.client.get(&job).expect(403);
    assert_eq!(stranger.client.results("/api/v2/jobs/").len(), 0);
    for client in [&runner.client, &reader.client] {
        client.post(&format!("{job}cancel/"), json!({})).expect(403);
    }
    let refused = admin.delete(&job).expect(403).json();
    assert_eq!(refused["detail"], "Cannot delete running job resource.");
    owner.client.post(&format!("{job}cancel/"), json!({})).expect(202);
    owner.client.delete(&job).expect(403);
    boss.client.delete(&job).expect(204);
    admin.get(&job).expect(404);
    for method in ["PUT", "PATCH"] {
        let other = path(&parts.launch(json!({})));
        admin.request(method, &other).json(json!({"name": "x"})).send().expect(405);
    }
    admin.post("/api/v2/jobs/", json!({})).expect(405);
}

fn job_is_canceled_once(backend: Backend) {
    let parts = start(backend, json!({}));
    let admin = parts.server.as_admin();
    let job = path(&parts.launch(json!({})));
    let can_cancel = || admin.get(&format!("{job}cancel/")).expect(200).json()["can_cancel"].clone();
    assert_eq!(can_cancel(), true);
    let answer = admin.post(&format!("{job}cancel/"), json!({})).expect(202);
    assert_eq!(answer.text(), "");
    let ended = admin.get(&job).expect(200).json();
    assert_eq!(
        (&ended["status"], &ended["failed"], &ended["started"]),
        (&json!("canceled"), &json!(true), &Value::Null)
    );
    assert!(ended["canceled_on"].is_string() && ended["finished"].is_string());
    assert_eq!(can_cancel(), false);
    let refused = admin.post(&format!("{job}cancel/"), json!({})).expect(405).json();
    assert_eq!(refused, json!({"detail": "Method \"POST\" not allowed."}));
    let template = admin.get(&parts.template).expect(200).json();
    assert_eq!((&template["status"], &template["last_job_failed"]), (&json!("failed"), &json!(true)));
    assert_eq!(template["related"]["last_job"], job);
    let counts = admin.get(&format!("{job}relaunch/")).expect(200).json()["retry_counts"].clone();
    assert_eq!(counts, json!({"all": 0, "failed": 0}));
    let refused = admin.post(&format!("{job}relaunch/"), json!({"hosts": "failed"})).expect(400).json();
    assert_eq!(refused, json!({"hosts": "Cannot retry on failed hosts, playbook stats not available."}));
}

fn unified_jobs_show_the_same_jobs(backend: Backend) {
    let parts = start(backend, json!({"description": "words"}));
    let admin = parts.server.as_admin();
    let job = parts.launch(json!({}));
    let id = job["id"].clone();
    let count = |query: &str| admin.get(&format!("/api/v2/{query}")).expect(200).json()["count"].clone();
    // The dispatcher explains at any time why the job waits.
    let list = |path: &str| {
        let mut jobs = admin.results(path);
        jobs.iter_mut().for_each(|job| job["job_explanation"] = json!(""));
        jobs
    };
    let jobs = list("/api/v2/jobs/");
    assert_eq!(list("/api/v2/unified_jobs/?type=job"), jobs);
    // The output of a job is not in lists.
    assert!(jobs[0].get("job_env").is_none() && jobs[0].get("host_status_counts").is_none());
    assert_eq!(job["launched_by"]["name"], "admin");
    assert_eq!(job["summary_fields"]["unified_job_template"]["unified_job_type"], "job");
    for query in [
        "jobs/?name=a&status=pending&launch_type=manual&order_by=-finished",
        "jobs/?job_template__name=a&inventory__name=hosts&project__name=project",
        "jobs/?created_by__username=admin&elapsed__gte=0&finished__isnull=true",
        "unified_jobs/?job__playbook=site.yml",
        "unified_jobs/?search=words&unified_job_template__name=a&organization__name=home",
        "inventories/?jobs__name=a",
        "organizations/?unifiedjobs__name=a",
        "job_templates/?jobs__status=pending&unifiedjob_unified_jobs__name=a",
    ] {
        assert_eq!(count(query), 1, "{query}");
    }
    assert_eq!(count("unified_jobs/?type=project_update&name=a"), 0);
    for field in ["extra_vars", "job_env", "job_args", "survey_passwords", "credential_passwords"] {
        admin.get(&format!("/api/v2/jobs/?{field}__icontains=x")).expect(403);
    }
    admin.get(&format!("/api/v2/unified_jobs/{id}/")).expect(404);
    let entries = admin.results(&format!("/api/v2/activity_stream/?job={id}"));
    assert_eq!((entries.len(), &entries[0]["operation"]), (1, &json!("create")));
    let changes = &entries[0]["changes"];
    assert_eq!(
        (&changes["limit"], &changes["labels"], &changes["webhook_guid"]),
        (&json!("all"), &json!([]), &json!(""))
    );
}
