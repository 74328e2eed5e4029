//! Notification templates: configurations with secrets, messages, copies, and the lists of organizations.

use hostler_testkit::{Backend, Client, TestServer, on_each_backend};
use serde_json::{Value, json};

on_each_backend!(
    secrets_are_masked_and_kept,
    changed_type_reveals_no_secret,
    configuration_is_checked_by_type,
    messages_are_checked_and_merged,
    templates_are_associated_by_event,
    templates_are_associated_with_projects,
    association_needs_both_permissions,
    sending_is_not_implemented,
    options_describe_each_type,
    lists_are_filtered,
    managed_role_definition_can_be_assigned,
);

const LIST: &str = "/api/v2/notification_templates/";

fn start(backend: Backend) -> TestServer {
    TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend)
}

fn path(id: i64) -> String {
    format!("{LIST}{id}/")
}

fn webhook(name: &str, organization: i64) -> Value {
    json!({
        "name": name, "organization": organization, "notification_type": "webhook",
        "notification_configuration": {"url": "https://hook.example.org/x", "headers": {}},
    })
}

fn mail(password: &str) -> Value {
    json!({
        "host": "mail.example.org", "port": 25, "username": "u", "password": password, "use_tls": false,
        "use_ssl": false, "sender": "a@example.org", "recipients": ["b@example.org"],
    })
}

fn create_mail(admin: &Client, organization: i64) -> i64 {
    let body = json!({
        "name": "mail", "organization": organization, "notification_type": "email",
        "notification_configuration": mail("Mail-Password-1"),
    });
    admin.create(LIST, body)
}

fn secrets_are_masked_and_kept(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let organization = server.organization("Acme");
    let id = create_mail(&admin, organization);
    let shown = admin.get(&path(id)).expect(200).json();
    assert_eq!(shown["notification_configuration"]["password"], "$encrypted$");
    assert_eq!(shown["notification_configuration"]["timeout"], 30);

    // Nothing changes, so nothing is written.
    let entries = || admin.results(&format!("/api/v2/activity_stream/?notification_template={id}&order_by=id"));
    let before = entries();
    admin.put(&path(id), &shown).expect(200);
    let kept = json!({"notification_configuration": shown["notification_configuration"]});
    admin.patch(&path(id), kept).expect(200);
    assert_eq!(entries(), before);

    admin.patch(&path(id), json!({"notification_configuration": mail("")})).expect(200);
    let emptied = admin.get(&path(id)).expect(200).json();
    assert_eq!(emptied["notification_configuration"]["password"], "");
    admin.patch(&path(id), json!({"notification_configuration": mail("$encrypted$")})).expect(200);
    let emptied = admin.get(&path(id)).expect(200).json();
    assert_eq!(emptied["notification_configuration"]["password"], "", "there was no secret to keep");

    admin.patch(&path(id), json!({"notification_configuration": mail("Mail-Password-2")})).expect(200);
    let copied = admin.post(&format!("{}copy/", path(id)), json!({"name": "copy"})).expect(201).json();
    assert_eq!(copied["notification_configuration"]["password"], "$encrypted$");
    assert_eq!(copied["messages"], shown["messages"]);
    let text = Value::from(entries()).to_string();
    assert!(text.contains("hidden") && !text.contains("Mail-Password"), "{text}");

    // A type with other keys needs another configuration.
    let refused = admin.patch(&path(id), json!({"notification_type": "slack"})).expect(400).json();
    let message = "Missing required fields for Notification Configuration: ['token', 'channels'].";
    assert_eq!(refused, json!({"__all__": [message]}));
    let slack = json!({
        "notification_type": "slack",
        "notification_configuration": {"token": "Slack-Token-1", "channels": ["#x"], "hex_color": "#ff0000"},
    });
    let changed = admin.patch(&path(id), slack).expect(200).json();
    let expected = json!({"token": "$encrypted$", "channels": ["#x"], "hex_color": "#ff0000"});
    assert_eq!(changed["notification_configuration"], expected);
}

fn changed_type_reveals_no_secret(backend: Backend) {
    const SECRET: &str = "Mail-Password-1";
    let mut server = start(backend);
    let admin = server.as_admin();
    let organization = server.organization("Acme");
    let with_defaults = create_mail(&admin, organization);
    let mut body = webhook("hook", organization);
    body["notification_configuration"]["password"] = SECRET.into();
    let with_mask = admin.create(LIST, body);
    let pager = json!({"subdomain": "s", "service_key": "k", "client_name": "c", "token": SECRET});
    body = json!({
        "name": "pager", "organization": organization, "notification_type": "pagerduty",
        "notification_configuration": pager,
    });
    let kept = admin.create(LIST, body);

    // All keys of this type have defaults.
    let mut answers = vec![admin.patch(&path(with_defaults), json!({"notification_type": "awssns"})).expect(200)];
    let grafana = json!({"grafana_url": "https://g.example.org", "grafana_key": "k", "password": "$encrypted$"});
    let change = json!({"notification_type": "grafana", "notification_configuration": grafana});
    answers.push(admin.patch(&path(with_mask), change).expect(200));
    for answer in &answers {
        let shown = answer.json();
        assert!(shown["notification_configuration"].get("password").is_none(), "{shown}");
    }
    let slack = json!({"channels": ["#x"], "token": "$encrypted$"});
    let change = json!({"notification_type": "slack", "notification_configuration": slack});
    let shown = admin.patch(&path(kept), change).expect(200).json();
    assert_eq!(shown["notification_configuration"], slack, "the token is a secret of both types");

    for id in [with_defaults, with_mask, kept] {
        answers.push(admin.post(&format!("{}copy/", path(id)), json!({"name": format!("copy {id}")})).expect(201));
        answers.push(admin.get(&path(id)));
    }
    answers.push(admin.get(LIST));
    answers.push(admin.get("/api/v2/activity_stream/?page_size=200"));
    for answer in answers {
        assert!(!answer.text().contains(SECRET), "{answer} shows the secret");
    }
    server.stop();
    assert!(!server.dump().contains(SECRET), "the database contains the secret");
}

fn configuration_is_checked_by_type(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let organization = server.organization("Acme");
    let mut wrong_port = mail("p");
    wrong_port["port"] = "x".into();
    let mut no_recipients = mail("p");
    no_recipients["recipients"] = json!([]);
    let mut ciphertext = mail("p");
    ciphertext["host"] = "$hostler$1$0123456789abcdef$AAAA".into();
    for (notification_type, configuration, key) in [
        ("webhook", json!({}), "__all__"),
        ("email", wrong_port, "__all__"),
        ("email", no_recipients, "__all__"),
        ("email", ciphertext, "notification_configuration"),
        ("email", json!("x"), "notification_configuration"),
        ("email", json!([]), "notification_configuration"),
        ("email", Value::Null, "notification_configuration"),
        ("pigeon", json!({}), "notification_type"),
    ] {
        let body = json!({
            "name": "x", "organization": organization, "notification_type": notification_type,
            "notification_configuration": configuration,
        });
        let refused = admin.post(LIST, body).expect(400).json();
        assert!(refused.get(key).is_some(), "{notification_type} {configuration}: {refused}");
    }
    assert_eq!(admin.results(LIST), Vec::<Value>::new());
    admin.create(LIST, webhook("x", organization));
    let refused = admin.post(LIST, webhook("x", organization)).expect(400).json();
    let message = "Notification template with this Organization and Name already exists.";
    assert_eq!(refused, json!({"__all__": [message]}));
}

fn messages_are_checked_and_merged(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let id = admin.create(LIST, webhook("x", server.organization("Acme")));
    let patch = |messages: Value| admin.patch(&path(id), json!({"messages": messages}));
    for (messages, message) in [
        (json!({"started": {"message": "{{ job.nosuch }}"}}), "Field 'nosuch' unavailable"),
        (json!({"success": {"text": "x"}}), "Message type 'text' invalid, must be either 'message' or 'body'"),
        (json!([]), "Expected a dictionary of items but got type \"list\"."),
        (json!("x"), "Expected a dictionary of items but got type \"str\"."),
        (json!({"error": {"body": "\u{0}"}}), "Null characters are not allowed."),
    ] {
        assert_eq!(patch(messages).expect(400).json(), json!({"messages": [message]}));
    }
    patch(json!({"started": {"message": "{{ job.id }}"}})).expect(200);
    let merged = patch(json!({"started": {"body": "b"}, "error": {"message": null}})).expect(200).json();
    let expected = json!({
        "started": {"message": "{{ job.id }}", "body": "b"}, "success": null, "error": {"message": null},
        "workflow_approval": null,
    });
    assert_eq!(merged["messages"], expected);
    assert_eq!(admin.put(&path(id), webhook_of(&merged)).expect(200).json()["messages"], expected, "PUT keeps them");
}

/// The required fields of a template.
fn webhook_of(shown: &Value) -> Value {
    let fields = ["name", "organization", "notification_type"];
    fields.into_iter().map(|name| (name.to_owned(), shown[name].clone())).collect()
}

fn templates_are_associated_by_event(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let organization = server.organization("Acme");
    let below = |name: &str| format!("/api/v2/organizations/{organization}/notification_templates{name}/");
    let id = admin.post(&below(""), json!(webhook("own", 0))).expect(201).json()["id"].as_i64().expect("an id");
    let events = ["_started", "_success", "_error", "_approvals"];
    let counts = || events.map(|event| admin.results(&below(event)).len());
    for (number, event) in events.into_iter().enumerate() {
        admin.attach(&below(event), id);
        admin.attach(&below(event), id);
        let mut expected = [0; 4];
        expected[..=number].fill(1);
        assert_eq!(counts(), expected);
    }
    let entry = admin.results("/api/v2/activity_stream/?operation=associate&order_by=-id")[0].clone();
    let association = (&entry["object1"], &entry["object2"], &entry["object_association"]);
    assert_eq!(
        association,
        (&json!("organization"), &json!("notification_template"), &json!("notification_templates_approvals"))
    );
    admin.post(&below("_error"), json!({"id": id, "disassociate": true})).expect(204);
    assert_eq!(counts(), [1, 1, 0, 1]);
    let made = admin.post(&below("_error"), webhook("made", organization)).expect(201).json();
    assert_eq!(admin.results(&below("_error"))[0]["id"], made["id"]);
    let filter = "/api/v2/organizations/?notification_templates_error__name=made";
    assert_eq!(admin.results(filter).len(), 1);
    assert_eq!(admin.results("/api/v2/organizations/?notification_templates_started__name=made").len(), 0);
    let filter = format!("{LIST}?organization_notification_templates_for_errors__name=Acme");
    assert_eq!(admin.results(&filter).len(), 1);
    admin.post(&below("_error"), json!({"id": 99_999_999})).expect(400);
    admin.delete(&path(id)).expect(204);
    assert_eq!(counts(), [0, 0, 1, 0]);
}

fn templates_are_associated_with_projects(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let organization = server.organization("Acme");
    let project = admin.create("/api/v2/projects/", json!({"name": "site", "organization": organization}));
    let id = admin.create(LIST, webhook("hook", organization));
    let below = |event: &str| format!("/api/v2/projects/{project}/notification_templates_{event}/");
    for event in ["started", "success", "error"] {
        admin.attach(&below(event), id);
        assert_eq!(admin.results(&below(event))[0]["id"], id);
        let filter = format!("/api/v2/projects/?notification_templates_{event}__name=hook");
        assert_eq!(admin.results(&filter).len(), 1);
    }
    let filter = format!("{LIST}?unifiedjobtemplate_notification_templates_for_errors__name=site");
    assert_eq!(admin.results(&filter).len(), 1);
    admin.get(&below("approvals")).expect(404);
    admin.post(&below("error"), json!({"id": id, "disassociate": true})).expect(204);
    assert_eq!(admin.results(&below("error")).len(), 0);
    admin.delete(&format!("/api/v2/projects/{project}/")).expect(204);
    admin.get(&path(id)).expect(200);
}

/// The organization must be changeable, and so must the template.
fn association_needs_both_permissions(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let [home, away] = ["home", "away"].map(|name| server.organization(name));
    let [boss, sender] = ["boss", "sender"].map(|name| server.user(name));
    server.add_admin(home, &boss);
    let object = admin.get(&format!("/api/v2/organizations/{home}/")).expect(200).json();
    let role = object["summary_fields"]["object_roles"]["notification_admin_role"]["id"].as_i64().expect("a role");
    admin.attach(&format!("/api/v2/users/{}/roles/", sender.id), role);
    let [own, far] = [home, away].map(|organization| admin.create(LIST, webhook("x", organization)));
    let list = format!("/api/v2/organizations/{home}/notification_templates_error/");
    sender.client.get(&path(own)).expect(200);
    sender.client.post(&list, json!({"id": own})).expect(403);
    boss.client.post(&list, json!({"id": far})).expect(403);
    boss.client.post(&list, json!({"id": own})).expect(204);
    // A superuser associates a template that the admins of the organization do not see.
    admin.attach(&list, far);
    assert_eq!(boss.client.get(&list).expect(200).json()["count"], 1);
    boss.client.post(&list, json!({"id": far, "disassociate": true})).expect(403);
}

fn sending_is_not_implemented(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let organization = server.organization("Acme");
    let id = admin.create(LIST, webhook("x", organization));
    admin.post(&format!("{}test/", path(id)), json!({})).expect(501);
    admin.get(&format!("{}notifications/", path(id))).expect(501);
    let auditor = server.user_with("auditor", json!({"is_system_auditor": true}));
    auditor.client.post(&format!("{}test/", path(id)), json!({})).expect(403);
    auditor.client.get(&format!("{}notifications/", path(id))).expect(501);
    let member = server.user("member");
    server.add_member(organization, &member);
    member.client.post(&format!("{}test/", path(id)), json!({})).expect(403);
}

fn options_describe_each_type(backend: Backend) {
    let server = start(backend);
    let options = server.as_admin().request("OPTIONS", LIST).send().expect(200).json();
    let configuration = &options["actions"]["POST"]["notification_configuration"];
    assert_eq!(configuration["email"]["timeout"], json!({"label": "Timeout", "type": "int", "default": 30}));
    assert_eq!(configuration["slack"]["token"], json!({"label": "Token", "type": "password"}));
    assert_eq!(configuration["default"], json!({}));
    let messages = &options["actions"]["POST"]["messages"]["default"];
    assert_eq!(messages, &json!({"started": null, "success": null, "error": null, "workflow_approval": null}));
}

fn lists_are_filtered(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let organization = server.organization("Acme");
    create_mail(&admin, organization);
    admin.create(LIST, webhook("hook", organization));
    assert_eq!(admin.results(&format!("{LIST}?notification_type=email&organization__name=Acme")).len(), 1);
    assert_eq!(admin.results(&format!("{LIST}?messages__icontains=x")).len(), 0);
    for filter in ["notification_configuration=x", "notification_configuration__icontains=Mail"] {
        let refused = admin.get(&format!("{LIST}?{filter}")).expect(403).json();
        assert_eq!(refused, json!({"detail": "Filtering on notification_configuration is not allowed."}));
    }
    let named = admin.get(&format!("{LIST}hook++Acme/")).expect(200).json();
    assert_eq!(named["name"], "hook");
}

fn managed_role_definition_can_be_assigned(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let id = admin.create(LIST, webhook("x", server.organization("Acme")));
    let user = server.user("user");
    user.client.get(&path(id)).expect(403);
    let definition = admin.results("/api/v2/role_definitions/?name=NotificationTemplate%20Admin")[0]["id"].clone();
    let assignment = json!({"role_definition": definition, "user": user.id, "object_id": id});
    admin.create("/api/v2/role_user_assignments/", assignment);
    assert_eq!(user.client.get(&path(id)).expect(200).json()["summary_fields"]["user_capabilities"]["edit"], true);
    user.client.patch(&path(id), json!({"description": "x"})).expect(200);
    let other = server.user("other");
    let organization = admin.get(&path(id)).expect(200).json()["organization"].as_i64().expect("an id");
    for member in [&user, &other] {
        server.add_member(organization, member);
    }
    let assignment = json!({"role_definition": definition, "user": other.id, "object_id": id});
    other.client.post("/api/v2/role_user_assignments/", assignment.clone()).expect(403);
    user.client.post("/api/v2/role_user_assignments/", assignment).expect(201);
    other.client.delete(&path(id)).expect(204);
}
