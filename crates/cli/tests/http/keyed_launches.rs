//! Launches by a key instead of a user: provisioning callbacks and webhooks.

use hostler_testkit::conformance::{SignAlgorithm, signature};
use hostler_testkit::{Backend, Client, Response, TestServer, on_each_backend};
use serde_json::{Value, json};

on_each_backend!(
    callback_launches_on_the_host_with_the_address,
    callback_needs_the_key,
    callback_with_prompts_needs_variables,
    wrong_callback_keys_are_delayed,
    callback_uses_the_address_that_a_trusted_proxy_names,
    github_event_launches_one_job,
    gitlab_event_needs_the_token,
    bitbucket_event_may_be_signed_with_sha256,
    webhook_reveals_nothing_of_templates,
);

const TEMPLATES: &str = "/api/v2/job_templates/";
const SHA: &str = "0123456789012345678901234567890123456789";

struct Parts {
    server: TestServer,
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
    });
    let project = admin.create("/api/v2/projects/", project);
    let inventory = admin.create("/api/v2/inventories/", json!({"name": "hosts", "organization": organization}));
    let mut body = json!({
        "name": "a", "project": project, "inventory": inventory, "playbook": "site.yml", "allow_simultaneous": true,
    });
    for (name, value) in changes.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    let template = format!("{TEMPLATES}{}/", admin.create(TEMPLATES, body));
    Parts { server, inventory, template }
}

impl Parts {
    fn host(&self, name: &str, variables: &str) {
        let body = json!({"name": name, "inventory": self.inventory, "variables": variables});
        self.server.as_admin().create("/api/v2/hosts/", body);
    }

    fn call_back(&self, body: Value) -> Response {
        self.server.anonymous().post(&format!("{}callback/", self.template), body)
    }

    fn jobs(&self) -> Vec<Value> {
        self.server.as_admin().results(&format!("{}jobs/?order_by=id", self.template))
    }

    fn key(&self) -> String {
        let shown = self.server.as_admin().get(&format!("{}webhook_key/", self.template)).expect(200).json();
        shown["webhook_key"].as_str().expect("a key").to_owned()
    }

    fn event(&self, service: &str, headers: &[(&str, &str)], body: &str) -> Response {
        let client: Client = self.server.anonymous();
        let path = format!("{}{service}/", self.template);
        let request = client.request("POST", &path).header("Content-Type", "application/json");
        headers.iter().fold(request, |request, (name, value)| request.header(name, value)).body(body).send()
    }
}

fn message(text: &str) -> Value {
    json!({"message": text})
}

fn callback_launches_on_the_host_with_the_address(backend: Backend) {
    let parts = start(backend, json!({"host_config_key": "secret", "limit": "all"}));
    let key = json!({"host_config_key": "secret"});
    parts.host("elsewhere", "ansible_host: 192.0.2.1");
    let refused = parts.call_back(key.clone()).expect(400).json();
    assert_eq!(refused, json!({"msg": "No matching host could be found!"}));
    parts.host("here", "{\"ansible_host\": \"127.0.0.1\"}");
    let admin = parts.server.as_admin();
    let shown = admin.get(&format!("{}callback/", parts.template)).expect(200).json();
    assert_eq!(shown, json!({"host_config_key": "secret", "matching_hosts": ["here"]}));
    let accepted = parts.call_back(key.clone()).expect(201);
    let job = &parts.jobs()[0];
    assert_eq!(accepted.header("location"), job["url"].as_str().map(str::to_owned));
    assert_eq!(
        (&job["limit"], &job["launch_type"], &job["launched_by"]),
        (&json!("here"), &json!("callback"), &json!({}))
    );
    let refused = parts.call_back(key.clone()).expect(400).json();
    assert_eq!(refused, json!({"msg": "Host callback job already pending."}));
    parts.host("127.0.0.1", "");
    let refused = parts.call_back(key).expect(400).json();
    assert_eq!(refused, json!({"msg": "Multiple hosts matched the request!"}));
    assert_eq!(parts.jobs().len(), 1);
}

fn callback_needs_the_key(backend: Backend) {
    let parts = start(backend, json!({}));
    parts.host("127.0.0.1", "");
    let admin = parts.server.as_admin();
    for body in [json!({}), json!({"host_config_key": ""}), json!({"host_config_key": null})] {
        parts.call_back(body).expect(403);
    }
    admin.patch(&parts.template, json!({"host_config_key": "secret"})).expect(200);
    for body in [json!({}), json!({"host_config_key": "Secret"}), json!({"host_config_key": ["secret"]})] {
        parts.call_back(body).expect(403);
    }
    // A user is nothing here: neither needed nor enough.
    admin.post(&format!("{}callback/", parts.template), json!({})).expect(403);
    parts.server.anonymous().get(&format!("{}callback/", parts.template)).expect(401);
    parts.server.user("other").client.get(&format!("{}callback/", parts.template)).expect(403);
    let missing =
        parts.server.anonymous().post(&format!("{TEMPLATES}99999999/callback/"), json!({})).expect(404).json();
    assert_eq!(missing, json!({"detail": "No JobTemplate matches the given query."}));
    let client = parts.server.anonymous();
    let path = format!("{}callback/", parts.template);
    let form = client.request("POST", &path).header("Content-Type", "application/x-www-form-urlencoded");
    form.body("host_config_key=secret").send().expect(201);
    let message = "Cannot enable provisioning callback without an inventory set.";
    let refused = admin.patch(&parts.template, json!({"inventory": null, "ask_inventory_on_launch": true}));
    assert_eq!(refused.expect(400).json(), json!({"host_config_key": [message]}));
}

fn callback_with_prompts_needs_variables(backend: Backend) {
    let parts = start(backend, json!({"host_config_key": "secret", "ask_variables_on_launch": true}));
    parts.host("127.0.0.1", "");
    let refused = parts.call_back(json!({"host_config_key": "secret"})).expect(400).json();
    assert_eq!(refused, json!({"msg": "Cannot start automatically, user input required!"}));
    let variables = json!({"who": "me", "ansible_host": "192.0.2.1"});
    parts.call_back(json!({"host_config_key": "secret", "extra_vars": [1]})).expect(400);
    parts.call_back(json!({"host_config_key": "secret", "extra_vars": variables})).expect(201);
    assert_eq!(parts.jobs()[0]["extra_vars"], "{\"who\": \"me\"}");
}

fn wrong_callback_keys_are_delayed(backend: Backend) {
    let parts = start(backend, json!({"host_config_key": "secret"}));
    parts.server.configure("authentication", json!({"LOGIN_FAILURES_UNTIL_DELAY": 3}));
    let (client, path) = (parts.server.anonymous(), format!("{}callback/", parts.template));
    let guess = || client.post(&path, json!({"host_config_key": "x"})).status;
    for _ in 0..6 {
        assert_eq!(guess(), 403);
    }
    // They wait for each other, and only a few may wait.
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let guesses: Vec<_> = (0..20).map(|_| scope.spawn(guess)).collect();
        guesses.into_iter().map(|guess| guess.join().expect("a response")).collect()
    });
    assert!(statuses.contains(&429), "{statuses:?}");
}

fn callback_uses_the_address_that_a_trusted_proxy_names(backend: Backend) {
    let parts = start(backend, json!({"host_config_key": "secret"}));
    parts.host("behind", "ansible_host: 192.0.2.7");
    parts.host("v6", "ansible_host: 2001:DB8:0:0::1");
    let client = parts.server.anonymous();
    let path = format!("{}callback/", parts.template);
    let from = |address: &str| {
        let request = client.request("POST", &path).header("X-Forwarded-For", address);
        request.json(json!({"host_config_key": "secret"})).send()
    };
    // Anybody can send the header.
    from("192.0.2.7").expect(400);
    let proxy = json!({"REMOTE_HOST_HEADERS": ["HTTP_X_FORWARDED_FOR"], "PROXY_IP_ALLOWED_LIST": ["127.0.0.1"]});
    parts.server.configure("system", proxy);
    from("192.0.2.7").expect(201);
    from("2001:db8::1").expect(201);
    from("192.0.2.8").expect(400);
    let limits: Vec<Value> = parts.jobs().iter().map(|job| job["limit"].clone()).collect();
    assert_eq!(limits, ["behind", "v6"]);
}

fn github_event_launches_one_job(backend: Backend) {
    let parts = start(backend, json!({"webhook_service": "github", "extra_vars": "a: 1"}));
    let body = json!({"after": SHA, "ref": "refs/heads/main"}).to_string();
    let signed = format!("sha1={}", signature(SignAlgorithm::Sha1, &parts.key(), &body));
    let deliver = |kind: &str, guid: &str, signed: &str, body: &str| {
        let headers = [("X-GitHub-Event", kind), ("X-GitHub-Delivery", guid), ("X-Hub-Signature", signed)];
        parts.event("github", &headers, body)
    };
    assert_eq!(deliver("push", "1", &signed, &body).expect(202).json(), message("Job queued."));
    for _ in 0..3 {
        let repeated = deliver("push", "1", &signed, &body).expect(202).json();
        assert_eq!(repeated, message("Webhook previously received, aborting."));
    }
    let sha256 = format!("sha256={}", signature(SignAlgorithm::Sha256, &parts.key(), &body));
    for wrong in [sha256.as_str(), "", "sha1=", "sha1=00", &signed[5..]] {
        deliver("push", "2", wrong, &body).expect(403);
    }
    deliver("push", "2", &signed, &body.replace("main", "other")).expect(403);
    deliver("push", &"x".repeat(129), &signed, &body).expect(400);
    let deleted = json!({"after": "0".repeat(40)}).to_string();
    let signed_deleted = format!("sha1={}", signature(SignAlgorithm::Sha1, &parts.key(), &deleted));
    deliver("push", "3", &signed_deleted, &deleted).expect(202);
    for invalid in ["not json", "[1]"] {
        let signed = format!("sha1={}", signature(SignAlgorithm::Sha1, &parts.key(), invalid));
        deliver("push", "4", &signed, invalid).expect(400);
    }
    let jobs = parts.jobs();
    assert_eq!(jobs.len(), 2);
    let variables =
        |job: &Value| -> Value { serde_json::from_str(job["extra_vars"].as_str().expect("variables")).expect("JSON") };
    let first = variables(&jobs[0]);
    assert_eq!((&first["a"], &first["awx_webhook_event_ref"]), (&json!(1), &json!(SHA)));
    assert_eq!((&first["tower_webhook_event_type"], &first["awx_webhook_event_guid"]), (&json!("push"), &json!("1")));
    assert_eq!(first["awx_webhook_payload"]["ref"], "refs/heads/main");
    assert_eq!(variables(&jobs[1])["awx_webhook_event_ref"], Value::Null);
    assert_eq!((&jobs[0]["launch_type"], &jobs[0]["webhook_guid"]), (&json!("webhook"), &json!("1")));
    assert_eq!(
        (&jobs[0]["launched_by"]["type"], &jobs[0]["launched_by"]["name"]),
        (&json!("job_template"), &json!("a"))
    );
    let again = format!("{}relaunch/", jobs[0]["url"].as_str().expect("a path"));
    parts.server.as_admin().post(&again, json!({})).expect(201);
}

fn gitlab_event_needs_the_token(backend: Backend) {
    let parts = start(backend, json!({"webhook_service": "gitlab"}));
    let body = json!({"checkout_sha": SHA, "project": {"id": 7, "web_url": "https://gitlab.example/a"}}).to_string();
    let key = parts.key();
    let deliver =
        |token: &str| parts.event("gitlab", &[("X-Gitlab-Event", "Push Hook"), ("X-Gitlab-Token", token)], &body);
    for wrong in ["", "wrong", &key[1..]] {
        deliver(wrong).expect(403);
    }
    assert_eq!(deliver(&key).expect(202).json(), message("Job queued."));
    // GitLab sends no id: the same body is the same event.
    assert_eq!(deliver(&key).expect(202).json(), message("Webhook previously received, aborting."));
    let jobs = parts.jobs();
    let status = format!("https://gitlab.example/api/v4/projects/7/statuses/{SHA}");
    assert!(jobs[0]["extra_vars"].as_str().is_some_and(|variables| variables.contains(&status)), "{jobs:?}");
    assert_eq!(jobs.len(), 1);
}

fn bitbucket_event_may_be_signed_with_sha256(backend: Backend) {
    let parts = start(backend, json!({"webhook_service": "bitbucket_dc"}));
    let body = json!({"changes": [{"toHash": SHA}]}).to_string();
    let signed = format!("sha256={}", signature(SignAlgorithm::Sha256, &parts.key(), &body));
    let deliver = |kind: &str, signed: &str| {
        let headers = [("X-Event-Key", kind), ("X-Request-Id", "1"), ("X-Hub-Signature", signed)];
        parts.event("bitbucket_dc", &headers, &body)
    };
    assert_eq!(deliver("diagnostics:ping", "").expect(200).json(), message("Webhook ignored"));
    assert_eq!(deliver("pr:deleted", &signed).expect(200).json(), message("Webhook ignored"));
    deliver("pr:deleted", "sha256=00").expect(403);
    assert!(parts.jobs().is_empty());
    assert_eq!(deliver("repo:refs_changed", &signed).expect(202).json(), message("Job queued."));
    assert_eq!(parts.jobs().len(), 1);
}

fn webhook_reveals_nothing_of_templates(backend: Backend) {
    let parts = start(backend, json!({}));
    let client = parts.server.anonymous();
    let refused = json!({"detail": "You do not have permission to perform this action."});
    for path in
        [format!("{}github/", parts.template), format!("{TEMPLATES}99999999/github/"), format!("{TEMPLATES}x/gitlab/")]
    {
        assert_eq!(client.post(&path, json!({})).expect(403).json(), refused, "{path}");
        client.get(&path).expect(401);
        parts.server.as_admin().get(&path);
    }
    parts.server.as_admin().patch(&parts.template, json!({"webhook_service": "gitlab"})).expect(200);
    let signed = [("X-Gitlab-Token", parts.key())];
    let request = client.request("POST", &format!("{}github/", parts.template)).header(signed[0].0, &signed[0].1);
    request.json(json!({})).send().expect(403);
}
