//! Actions over HTTP: methods, OPTIONS, links, input and pages, for each action of the registry.

use std::collections::BTreeSet;

use hostler_resources::REGISTRY;
use hostler_schema::{ActionHandling, ActionParent, HttpMethod, ResourceAction};
use hostler_testkit::pages::{content, is_page};
use hostler_testkit::{ADMIN, ADMIN_PASSWORD, Backend, Client, PageBrowser, TestServer, on_each_backend};
use serde_json::{Value, json};

on_each_backend!(
    options_and_allow_follow_description,
    other_methods_are_rejected,
    objects_link_to_their_actions,
    tokens_without_write_scope_only_read,
    invalid_input_is_rejected,
    unknown_formats_are_not_found,
    pages_have_forms_for_actions,
);

/// A server with one object of each resource that has actions.
fn start(backend: Backend) -> TestServer {
    let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    server.let_jobs_wait();
    let home = server.organization("home");
    let admin = server.as_admin();
    let project = admin.create(
        "/api/v2/projects/",
        json!({"name": "site", "organization": home, "scm_type": "git", "scm_url": "https://git.invalid/x"}),
    );
    let key = json!({"name": "key", "organization": home, "credential_type": 1});
    let key = admin.create("/api/v2/credentials/", key);
    let settings = json!({"url": "https://example.org/", "headers": {}});
    let template = json!({
        "name": "chat", "organization": home, "notification_type": "webhook", "notification_configuration": settings,
    });
    admin.create("/api/v2/notification_templates/", template);
    let inventory = admin.create("/api/v2/inventories/", json!({"name": "hosts", "organization": home}));
    for list in ["hosts", "groups"] {
        admin.create(&format!("/api/v2/{list}/"), json!({"name": list, "inventory": inventory}));
    }
    let command = json!({"inventory": inventory, "credential": key, "module_name": "ping"});
    admin.create("/api/v2/ad_hoc_commands/", command);
    let source = json!({"name": "cloud", "inventory": inventory, "source": "ec2"});
    let source = admin.create("/api/v2/inventory_sources/", source);
    admin.post(&format!("/api/v2/inventory_sources/{source}/update/"), json!({})).expect(202);
    let template = json!({"name": "deploy", "project": project, "inventory": inventory, "playbook": "site.yml"});
    let template = admin.create("/api/v2/job_templates/", template);
    admin.create(&format!("/api/v2/job_templates/{template}/launch/"), json!({}));
    server
}

/// The path of the first object of each resource with actions, and its actions.
fn objects(admin: &Client) -> Vec<(String, Value, Vec<&'static ResourceAction>)> {
    let mut objects = vec![];
    for resource in REGISTRY.0.iter().map(|registered| registered.resource) {
        let actions: Vec<_> = resource.actions.iter().filter(|action| action.parent == ActionParent::Object).collect();
        if actions.is_empty() {
            continue;
        }
        let found = admin.results(&format!("/api/v2/{}/?order_by=-id&page_size=1", resource.plural));
        let object = found.into_iter().next().unwrap_or_else(|| panic!("there are no {}", resource.plural));
        objects.push((object["url"].as_str().expect("a path").to_owned(), object, actions));
    }
    objects
}

/// Each implemented action with its path.
fn actions(admin: &Client) -> Vec<(String, &'static ResourceAction)> {
    let all = objects(admin).into_iter().flat_map(|(url, _, actions)| {
        actions.into_iter().map(move |action| (format!("{url}{}/", action.path), action))
    });
    all.filter(|(_, action)| action.handling != ActionHandling::Unimplemented).collect()
}

fn options_and_allow_follow_description(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    for (path, action) in actions(&admin) {
        let response = admin.options(&path).expect(200);
        let mut methods: Vec<&str> = action.methods().map(|(method, _)| method.name()).collect();
        methods.extend(action.get.map(|_| "HEAD"));
        methods.push("OPTIONS");
        assert_eq!(response.header("Allow"), Some(methods.join(", ")), "{path}");
        let options = response.json();
        assert_eq!((&options["name"], &options["description"]), (&json!(action.title), &json!(action.description)));
        for method in [HttpMethod::Post, HttpMethod::Put] {
            let Some(fields) = options["actions"].get(method.name()) else { continue };
            let input = action.method(method).unwrap_or_else(|| panic!("{path} has no {method:?}")).input;
            let described: BTreeSet<&str> = fields.as_object().expect("fields").keys().map(String::as_str).collect();
            assert_eq!(described, input.iter().map(|field| field.name).collect(), "{path}");
        }
        assert_eq!(options["actions"].get("GET").is_some(), action.get.is_some(), "{path}");
    }
    for (url, _, actions) in objects(&admin) {
        for action in actions.into_iter().filter(|action| action.handling == ActionHandling::Unimplemented) {
            for method in ["GET", "OPTIONS"] {
                admin.request(method, &format!("{url}{}/", action.path)).send().expect(501);
            }
        }
    }
    let copy = "/api/v2/execution_environments/1/copy/";
    let options = admin.options(copy).expect(200).json();
    let actions = options["actions"].as_object().expect("actions");
    assert_eq!(actions["GET"].as_object().expect("fields").keys().collect::<Vec<_>>(), ["name"]);
    assert_eq!((&actions["POST"]["name"]["required"], options.get("types")), (&json!(true), None));
    let stranger = server.user("stranger").client.options(copy).expect(200).json();
    assert!(stranger["actions"].get("POST").is_none(), "{stranger}");
}

fn other_methods_are_rejected(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    for (path, action) in actions(&admin) {
        for method in HttpMethod::ALL.into_iter().filter(|method| action.method(*method).is_none()) {
            admin.request(method.name(), &path).json(json!({})).send().expect(405);
        }
        admin.request("TRACE", &path).send().expect(405);
        let head = admin.request("HEAD", &path).send();
        let expected = if action.get.is_some() { admin.get(&path).status } else { 405 };
        assert_eq!((head.status, head.body.len()), (expected, 0), "{path}");
    }
    for unknown in ["copy/x/", "second_factor/", "second_factor/verify/again/", "explain_access/1/"] {
        admin.get(&format!("/api/v2/organizations/1/{unknown}")).expect(404);
        admin.get(&format!("/api/v2/users/1/{unknown}x/")).expect(404);
    }
}

fn objects_link_to_their_actions(backend: Backend) {
    let server = start(backend);
    for (url, object, actions) in objects(&server.as_admin()) {
        let linked: BTreeSet<&str> = actions.iter().filter_map(|action| action.link).collect();
        for action in actions {
            let path = json!(format!("{url}{}/", action.path));
            match action.link {
                Some(key) => assert_eq!(object["related"][key], path),
                None => assert!(!object["related"].as_object().expect("links").values().any(|link| *link == path)),
            }
        }
        assert!(!linked.contains("explain_access"), "{url}");
    }
    let project = server.as_admin().results("/api/v2/projects/")[0]["related"].clone();
    assert!(project["inventory_files"].as_str().is_some_and(|path| path.ends_with("/inventories/")), "{project}");
}

fn tokens_without_write_scope_only_read(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let token = admin.post("/api/v2/tokens/", json!({"scope": "read"})).expect(201).json();
    let reader = server.with_token(token["token"].as_str().expect("a token"));
    for (url, _, actions) in objects(&admin) {
        for action in actions {
            let path = format!("{url}{}/", action.path);
            for method in ["POST", "PUT", "PATCH", "DELETE"] {
                reader.request(method, &path).json(json!({"name": "x"})).send().expect(403);
            }
            if action.get.is_some() {
                assert_eq!(reader.get(&path).status, admin.get(&path).status, "{path}");
            }
        }
    }
}

fn invalid_input_is_rejected(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    for (path, action) in actions(&admin) {
        // A missing key is reported before the body is read.
        let by_key = |method| action.post_by_key && method == HttpMethod::Post;
        for (method, description) in action.methods().filter(|(method, _)| method.has_body() && !by_key(*method)) {
            let send = |content_type: &str, body: &str| {
                admin.request(method.name(), &path).header("Content-Type", content_type).body(body).send()
            };
            assert!(send("application/json", "{").expect(400).json()["detail"].is_string(), "{path}");
            assert!(send("application/json", "[1]").expect(400).json()["detail"].is_string(), "{path}");
            send("text/plain", "{}").expect(415);
            let required: Vec<&str> =
                description.input.iter().filter(|field| field.required).map(|field| field.name).collect();
            for (body, message) in
                [(json!({}), "This field is required."), (Value::Null, "This field may not be null.")]
            {
                let sent =
                    if body.is_null() { required.iter().map(|name| (*name, Value::Null)).collect() } else { body };
                if required.is_empty() || method == HttpMethod::Patch {
                    continue;
                }
                let refused = admin.request(method.name(), &path).json(sent).send().expect(400).json();
                let messages = refused.as_object().expect("messages");
                assert_eq!(messages.keys().collect::<Vec<_>>(), required, "{path}");
                assert!(messages.values().all(|texts| texts == &json!([message])), "{path}: {refused}");
            }
        }
    }
    admin.get("/api/v2/credentials/99999/copy/").expect(404);
    admin.post("/api/v2/credentials/x%00/copy/", json!({})).expect(404);
}

fn unknown_formats_are_not_found(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let has_no_formats = |action: &ResourceAction| action.get.is_some() && action.formats.is_empty();
    for (path, _) in actions(&admin).into_iter().filter(|(_, action)| has_no_formats(action)) {
        admin.get(&format!("{path}?format=xml")).expect(404);
        let yaml = admin.get(&format!("{path}?format=yaml"));
        assert_eq!(yaml.header("Content-Type").as_deref(), Some("application/yaml"), "{path}");
        let plain = admin.request("GET", &path).header("Accept", "text/plain").send();
        plain.expect(406);
    }
}

fn pages_have_forms_for_actions(backend: Backend) {
    let server = start(backend);
    let credential = server.as_admin().results("/api/v2/credentials/?name=key")[0]["url"].clone();
    let browser = PageBrowser::logged_in(&server, ADMIN, ADMIN_PASSWORD);
    let copy = format!("{}copy/", credential.as_str().expect("a path"));
    let page = browser.get(&copy).expect(200);
    assert!(is_page(&page) && page.text().contains("Credential Copy"), "{page}");
    assert!(page.text().contains("The name of the copy."), "{page}");
    assert_eq!(content(&page), "{}");
    let made = browser.form(&copy, &[("_method", "POST"), ("_content", "{\"name\": \"twin\"}")]).expect(201);
    assert!(is_page(&made), "{made}");
    assert_eq!(server.as_admin().results("/api/v2/credentials/?name=twin").len(), 1);
    let refused = browser.form(&copy, &[("_method", "POST"), ("_content", "{\"name\": \"key\"}")]).expect(400);
    assert!(refused.text().contains("a copy of it needs another"), "{refused}");
    // An action without GET has a form, too.
    let verify = browser.get("/api/v2/users/1/second_factor/verify/").expect(405);
    assert_eq!(content(&verify), "{}", "{verify}");
}
