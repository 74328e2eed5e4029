//! Every endpoint, called anonymously and by a user without grants.

use std::collections::BTreeSet;

use hostler_testkit::{Backend, Client, Response, TestServer, on_each_backend};
use serde_json::{Value, json};

on_each_backend!(
    anonymous_requests_are_rejected,
    user_without_grants_reads_nothing,
    user_without_grants_changes_nothing,
    no_endpoint_answers_500,
    no_endpoint_answers_500_to_an_organization_admin,
    allow_header_matches_accepted_methods,
);

/// Paths that need no authentication.
const PUBLIC: &[&str] = &["/api/", "/api/v2/", "/api/v2/ping/", "/api/login/", "/api/logout/"];
/// Paths that every user may read.
const FOR_ALL_USERS: &[&str] = &[
    "/api/v2/bulk/",
    "/api/v2/bulk/host_create/",
    "/api/v2/bulk/host_delete/",
    "/api/v2/config/",
    "/api/v2/credential_types/",
    "/api/v2/credential_types/1/",
    "/api/v2/credential_types/Machine+ssh/",
    // Their counts are 0.
    "/api/v2/dashboard/",
    "/api/v2/dashboard/graphs/jobs/",
    "/api/v2/execution_environments/",
    // The one of project updates; it belongs to no organization.
    "/api/v2/execution_environments/1/",
    "/api/v2/execution_environments/1/copy/",
    "/api/v2/me/",
    "/api/v2/role_definitions/",
    "/api/v2/role_definitions/1/",
];
/// Paths where every user may create their own objects.
const CREATE_FOR_SELF: &[&str] =
    &["/api/v2/credential_types/1/credentials/", "/api/v2/credentials/", "/api/v2/tokens/"];
/// Links of AWX to kinds of objects that are not implemented yet.
const NOT_BUILT: &[&str] = &[
    "create_schedule",
    "notifications",
    "peers",
    "receptor_addresses",
    "schedules",
    "slice_workflow_jobs",
    "smart_inventories",
    "system_job_templates",
    "test",
    "workflow_job_templates",
];
/// Paths that reject a body without this key, which names objects, before they check permissions, as AWX does.
const REQUIRED_KEYS: &[(&str, &str)] = &[
    ("/api/v2/ad_hoc_commands/", "inventory"),
    ("/api/v2/bulk/host_create/", "hosts"),
    ("/api/v2/bulk/host_delete/", "hosts"),
    ("/api/v2/users/1/roles/", "id"),
];
const METHODS: &[&str] = &["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];

/// A server with an object of each kind, and the paths of all links.
struct LinkedPaths {
    server: TestServer,
    paths: BTreeSet<String>,
}

fn build(backend: Backend) -> LinkedPaths {
    let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    server.let_jobs_wait();
    let admin = server.as_admin();
    let org = server.organization("Acme");
    let team = server.team("ops", org);
    let member = server.user("member");
    server.add_member(org, &member);
    admin.attach(&format!("/api/v2/teams/{team}/users/"), member.id);
    admin.create("/api/v2/labels/", json!({"name": "urgent", "organization": org}));
    let inventory = admin.create("/api/v2/inventories/", json!({"name": "lab", "organization": org}));
    let group = admin.create("/api/v2/groups/", json!({"name": "web", "inventory": inventory}));
    admin.create(&format!("/api/v2/groups/{group}/hosts/"), json!({"name": "web1"}));
    let project = json!({
        "name": "source", "organization": org, "scm_type": "git", "scm_url": "https://127.0.0.1:9/source",
        "allow_override": true,
    });
    let project = admin.create("/api/v2/projects/", project);
    let source = json!({"name": "cloud", "inventory": inventory, "source": "scm", "source_project": project});
    let source = admin.create("/api/v2/inventory_sources/", source);
    admin.post(&format!("/api/v2/inventory_sources/{source}/update/"), json!({})).expect(202);
    let template = json!({"name": "deploy", "project": project, "inventory": inventory, "playbook": "site.yml"});
    let template = admin.create("/api/v2/job_templates/", template);
    admin.create(&format!("/api/v2/job_templates/{template}/launch/"), json!({}));
    admin.create("/api/v2/tokens/", json!({"scope": "write"}));
    let image = json!({"name": "ours", "organization": org, "image": "quay.example/ours:1"});
    admin.create("/api/v2/execution_environments/", image);
    let template = json!({
        "name": "hook", "organization": org, "notification_type": "webhook",
        "notification_configuration": {"url": "https://hook.example", "headers": {}},
    });
    admin.create("/api/v2/notification_templates/", template);
    let kind = |name: &str| admin.results(&format!("/api/v2/credential_types/?namespace={name}"))[0]["id"].clone();
    let credential = |name: &str, inputs: Value| {
        let body = json!({"name": name, "organization": org, "credential_type": kind(name), "inputs": inputs});
        admin.create("/api/v2/credentials/", body)
    };
    let machine = credential("ssh", json!({"username": "root", "password": "secret"}));
    let hub = credential("galaxy_api_token", json!({"url": "https://galaxy.example"}));
    let vault = credential("hashivault_kv", json!({"url": "https://vault.example", "api_version": "v2"}));
    admin.attach(&format!("/api/v2/organizations/{org}/galaxy_credentials/"), hub);
    let source = json!({
        "target_credential": machine, "source_credential": vault, "input_field_name": "password",
        "metadata": {"secret_path": "kv", "secret_key": "key"},
    });
    admin.create("/api/v2/credential_input_sources/", source);
    let mut paths: BTreeSet<String> = PUBLIC.iter().map(|path| (*path).to_owned()).collect();
    paths.insert("/api/v2/jobs/".to_owned());
    walk(&admin, "/api/v2/", &mut paths);
    assert!(paths.len() > 60, "the walk found only {paths:?}");
    LinkedPaths { server, paths }
}

/// Follows all links of a response; of a list only those of the first object.
fn walk(admin: &Client, path: &str, paths: &mut BTreeSet<String>) {
    let is_new = paths.insert(path.to_owned());
    if !is_new && path != "/api/v2/" {
        return;
    }
    let answer = admin.get(path);
    if answer.status != 200 {
        return;
    }
    let mut body = answer.json();
    if let Some(results) = body.get_mut("results") {
        // One object of each kind is enough: all objects of a kind have the same links. Preloaded objects have fewer
        // links, and spaces in their named URLs.
        let preloaded = ["Ansible Galaxy", "Control Plane Execution Environment", "AWX EE (latest)"];
        let others = results
            .as_array()
            .into_iter()
            .flatten()
            .filter(|object| !object["name"].as_str().is_some_and(|name| preloaded.contains(&name)));
        let one_of_each: Vec<Value> = others.take(1).cloned().collect();
        *results = one_of_each.into();
    }
    let mut links = BTreeSet::new();
    collect_links(&body, &mut links);
    for link in links {
        let kind = |path: &str| {
            path.split('/')
                .map(|part| if part.parse::<u64>().is_ok() { "N" } else { part }.to_owned())
                .collect::<Vec<_>>()
        };
        let known = paths.iter().any(|known| kind(known) == kind(&link));
        if !known {
            walk(admin, &link, paths);
        }
    }
}

fn collect_links(json: &Value, links: &mut BTreeSet<String>) {
    match json {
        Value::String(text) if text.starts_with("/api/v2/") && !text.contains(['?', ' ']) => {
            links.insert(text.clone());
        }
        Value::Array(list) => list.iter().for_each(|value| collect_links(value, links)),
        Value::Object(map) => map.values().for_each(|value| collect_links(value, links)),
        _ => {}
    }
}

fn is_built(path: &str) -> bool {
    !NOT_BUILT.iter().any(|name| path.ends_with(&format!("/{name}/")))
}

/// Whether a response says that the feature is not implemented yet.
fn is_unbuilt(answer: &Response, path: &str) -> bool {
    answer.status == 501 && !is_built(path)
}

fn call(client: &Client, method: &str, path: &str) -> Response {
    match method {
        "POST" | "PUT" | "PATCH" => client.request(method, path).json(json!({})).send(),
        _ => client.request(method, path).send(),
    }
}

/// Fails with all problems at once.
fn report(complaints: &[String]) {
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
}

fn anonymous_requests_are_rejected(backend: Backend) {
    let fixture = build(backend);
    // So many wrong passwords would be delayed.
    fixture.server.configure("authentication", json!({"LOGIN_FAILURES_UNTIL_DELAY": 0}));
    let mut complaints = vec![];
    let anonymous = fixture.server.anonymous();
    let callers = [anonymous.clone(), anonymous.with_password("admin", "wrong"), anonymous.with_token("wrong")];
    for path in &fixture.paths {
        for method in METHODS {
            // A wrong password takes as long as a right one, so it is tried once per path.
            let callers = if *method == "GET" { &callers[..] } else { &callers[..1] };
            for (caller, client) in callers.iter().enumerate() {
                let answer = call(client, method, path);
                let right = match PUBLIC.contains(&path.as_str()) {
                    true if caller == 0 => answer.status < 500 && (method != &"GET" || answer.status < 400),
                    true => answer.status < 500,
                    false => answer.status == 401 && (method == &"HEAD" || answer.json()["detail"].is_string()),
                };
                if !right {
                    complaints.push(answer.to_string());
                }
                if answer.header("X-API-Product-Version").is_some() {
                    complaints.push(format!("an anonymous response names the version: {answer}"));
                }
            }
        }
    }
    report(&complaints);
}

fn user_without_grants_reads_nothing(backend: Backend) {
    let fixture = build(backend);
    let user = fixture.server.user("stranger");
    let mut complaints = vec![];
    for path in fixture.paths.iter().filter(|path| !PUBLIC.contains(&path.as_str())) {
        let answer = user.client.get(path);
        let is_visible = match answer.status {
            403 | 404 => false,
            501 => is_built(path),
            200 if FOR_ALL_USERS.contains(&path.as_str()) => false,
            200 => !is_harmless(&answer.json(), user.id),
            _ => true,
        };
        if is_visible {
            complaints.push(answer.to_string());
        }
    }
    report(&complaints);
}

/// Whether a response contains only the caller and superusers, whom all users see.
fn is_harmless(body: &Value, caller: i64) -> bool {
    let objects = match body.get("results") {
        Some(Value::Array(results)) if body["count"] == results.len() => results.clone(),
        Some(_) => return false,
        None => vec![body.clone()],
    };
    objects.iter().all(|object| {
        let summaries = &object["summary_fields"];
        match object["type"].as_str() {
            Some("user") => object["id"] == caller || object["is_superuser"] == true,
            // Writes that change the caller.
            Some("activity_stream") => {
                let about =
                    summaries["user"].as_array().is_some_and(|users| users.iter().all(|user| user["id"] == caller));
                about
                    && summaries
                        .as_object()
                        .is_some_and(|kinds| kinds.keys().all(|kind| kind == "user" || kind == "actor"))
            }
            _ => false,
        }
    })
}

fn user_without_grants_changes_nothing(backend: Backend) {
    let fixture = build(backend);
    let user = fixture.server.user("stranger");
    let admin = fixture.server.as_admin();
    let state = || {
        let lists = [
            "users",
            "organizations",
            "teams",
            "labels",
            "credential_types",
            "execution_environments",
            "groups",
            "hosts",
            "inventories",
            "inventory_sources",
            "inventory_updates",
            "notification_templates",
            "activity_stream",
        ];
        lists.map(|list| admin.results(&format!("/api/v2/{list}/?order_by=id")))
    };
    let before = state();
    let mut complaints = vec![];
    for path in fixture.paths.iter().filter(|path| !PUBLIC.contains(&path.as_str())) {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            for body in [
                json!({}),
                json!({"id": user.id}),
                json!({"id": 1, "disassociate": true}),
                json!({"name": "made", "organization": 1, "username": "made", "password": "Made-Up-1"}),
            ] {
                if CREATE_FOR_SELF.contains(&path.as_str()) && method == "POST" {
                    continue;
                }
                let asks = REQUIRED_KEYS.iter().any(|(known, key)| known == path && body.get(key).is_none());
                let answer = user.client.request(method, path).json(body).send();
                if asks && method == "POST" && answer.status == 400 {
                    continue;
                }
                if ![403, 404, 405].contains(&answer.status) && !is_unbuilt(&answer, path) {
                    complaints.push(answer.to_string());
                }
            }
        }
    }
    report(&complaints);
    assert!(state() == before, "a user without grants changed something");
}

fn no_endpoint_answers_500(backend: Backend) {
    let fixture = build(backend);
    let mut complaints = vec![];
    for (is_superuser, client) in
        [(true, fixture.server.as_admin()), (false, fixture.server.as_user("member", hostler_testkit::PASSWORD))]
    {
        for path in &fixture.paths {
            for method in ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH"] {
                let answer = call(&client, method, path);
                if answer.status >= 500 && !is_unbuilt(&answer, path) {
                    complaints.push(answer.to_string());
                }
                if is_superuser && method == "GET" && answer.status >= 400 && is_built(path) {
                    complaints.push(format!("a link leads nowhere: {answer}"));
                }
                if method == "HEAD" && !answer.body.is_empty() {
                    complaints.push(format!("HEAD has a body: {answer}"));
                }
            }
        }
    }
    report(&complaints);
}

/// The access rules of users who are not superusers are part of most queries. An organization admin passes the first
/// checks, so that all queries of a request run.
fn no_endpoint_answers_500_to_an_organization_admin(backend: Backend) {
    const QUERIES: &[&str] = &[
        "",
        "?order_by=-id&page_size=1&page=2",
        "?page_size=1&page=last",
        "?search=a",
        "?role_level=read_role",
        "?role_level=use_role",
        "?created_by__username__icontains=a&organization__name=Acme",
        "?credential_type__name=a&or__organization__teams__name=ops",
    ];
    let LinkedPaths { server, mut paths } = build(backend);
    let org = server.as_admin().results("/api/v2/organizations/?name=Acme")[0]["id"].as_i64().expect("an id");
    let boss = server.user("boss");
    server.add_admin(org, &boss);
    let other = server.organization("Other");
    server.add_admin(other, &boss);
    let mut complaints = vec![];
    let mut created = vec![
        ("projects", json!({"name": "site", "organization": org, "scm_type": ""})),
        ("teams", json!({"name": "night", "organization": org})),
        ("execution_environments", json!({"name": "ee", "organization": org, "image": "quay.io/acme/ee:latest"})),
    ];
    let application = json!({
        "name": "app", "organization": org, "client_type": "public", "authorization_grant_type": "password",
    });
    created.push(("applications", application));
    for (list, body) in created {
        let path = format!("/api/v2/{list}/");
        let id = boss.client.create(&path, body);
        paths.extend([format!("{path}{id}/"), format!("{path}{id}/access_list/"), path]);
    }
    for path in &paths {
        let get = |query: &&str| boss.client.get(&format!("{path}{query}"));
        let answers = QUERIES.iter().map(get);
        let options = ["HEAD", "OPTIONS"].iter().map(|method| call(&boss.client, method, path));
        complaints.extend(
            answers.chain(options).filter(|answer| answer.status >= 500 && answer.status != 501).map(|a| a.to_string()),
        );
    }
    for path in &paths {
        let bodies = [
            json!({}),
            json!({"name": "copy", "organization": org}),
            json!({"id": 1}),
            json!({"id": 1, "disassociate": true}),
            json!({"object_id": org, "user": 1, "team": 1, "role_definition": 1}),
            json!({"organization": other}),
        ];
        for (method, body) in ["PATCH", "PUT", "POST"].iter().flat_map(|method| bodies.iter().map(move |b| (method, b)))
        {
            let answer = boss.client.request(method, path).json(body.clone()).send();
            if answer.status >= 500 && !is_unbuilt(&answer, path) {
                complaints.push(format!("{method} {body}: {answer}"));
            }
        }
    }
    report(&complaints);
}

/// A method answers 405 exactly if `Allow` does not name it.
fn allow_header_matches_accepted_methods(backend: Backend) {
    let fixture = build(backend);
    let admin = fixture.server.as_admin();
    let mut complaints = vec![];
    for path in fixture.paths.iter().filter(|path| is_built(path)) {
        let allowed = admin.options(path).header("Allow").unwrap_or_default();
        let allowed: Vec<_> = allowed.split(", ").collect();
        // DELETE comes last, with an If-Match that fails, so that nothing is deleted.
        for method in ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE"] {
            let call = admin.request(method, path).header("If-Match", "\"none\"");
            let answer =
                if ["POST", "PUT", "PATCH"].contains(&method) { call.json(json!({})).send() } else { call.send() };
            if path.contains("/settings/") && method == "DELETE" {
                continue;
            }
            // Jobs that have ended cannot be canceled.
            let depends_on_state = path.ends_with("/cancel/") && method == "POST";
            if !depends_on_state && (answer.status == 405) == allowed.contains(&method) {
                complaints.push(format!("Allow: {}: {answer}", allowed.join(", ")));
            }
        }
    }
    report(&complaints);
}
