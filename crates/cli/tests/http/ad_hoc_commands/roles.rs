//! Who may do what with commands.

use hostler_testkit::{Backend, TestUser, on_each_backend};
use serde_json::json;

use super::{COMMANDS, Commands};

on_each_backend!(roles_open_actions, commands_outlive_their_inventory);

/// What a user gets for each action.
#[derive(Debug, PartialEq)]
struct Row {
    read: u16,
    listed: usize,
    /// The entries of the activity stream.
    recorded: usize,
    run: u16,
    run_on_host: u16,
    relaunch: u16,
    cancel: u16,
    delete: u16,
}

fn roles_open_actions(backend: Backend) {
    let commands = Commands::start(backend);
    commands.server.let_jobs_wait();
    let admin = commands.admin();
    let role_of = |path: String, role: &str| {
        admin.get(&path).expect(200).json()["summary_fields"]["object_roles"][role]["id"].as_i64().expect("a role")
    };
    let on_inventory = |role: &str| role_of(format!("/api/v2/inventories/{}/", commands.inventory), role);
    let on_credential = |role: &str| role_of(format!("/api/v2/credentials/{}/", commands.credential), role);
    let on_organization = |role: &str| role_of(format!("/api/v2/organizations/{}/", commands.organization), role);
    let person = |name: &str, roles: &[i64]| {
        let person = commands.server.user(name);
        commands.server.add_member(commands.organization, &person);
        for role in roles {
            admin.attach(&format!("/api/v2/users/{}/roles/", person.id), *role);
        }
        person
    };
    let row = |person: &TestUser| {
        let command = admin.create(COMMANDS, commands.body(json!({})));
        let path = format!("{COMMANDS}{command}/");
        let client = &person.client;
        let nothing = json!({});
        let row = Row {
            read: client.get(&path).status,
            listed: client.results(&format!("{COMMANDS}?id={command}")).len(),
            recorded: client.results(&format!("/api/v2/activity_stream/?ad_hoc_command={command}")).len(),
            run: client.post(COMMANDS, commands.body(json!({}))).status,
            run_on_host: {
                let list = format!("/api/v2/hosts/{}/ad_hoc_commands/", commands.host);
                client.post(&list, commands.body(json!({}))).status
            },
            relaunch: client.post(&format!("{path}relaunch/"), &nothing).status,
            cancel: client.post(&format!("{path}cancel/"), &nothing).status,
            delete: {
                admin.post(&format!("{path}cancel/"), &nothing);
                client.delete(&path).status
            },
        };
        if let Some(shown) = client.get(&format!("{COMMANDS}?id={command}")).json()["results"].get(0) {
            let may = &shown["summary_fields"]["user_capabilities"];
            assert_eq!(may["start"] == true, row.relaunch == 201, "{} {row:?}", person.name);
        }
        row
    };
    let nothing = || Row {
        read: 403,
        listed: 0,
        recorded: 0,
        run: 403,
        run_on_host: 403,
        relaunch: 403,
        cancel: 403,
        delete: 403,
    };
    let reads = || Row { read: 200, listed: 1, recorded: 1, ..nothing() };
    let runs = || Row { run: 201, run_on_host: 201, relaunch: 201, ..reads() };
    assert_eq!(row(&person("nobody", &[])), nothing());
    assert_eq!(row(&person("reader", &[on_inventory("read_role"), on_credential("use_role")])), reads());
    assert_eq!(row(&person("user", &[on_inventory("use_role"), on_credential("use_role")])), reads());
    assert_eq!(row(&person("runner", &[on_inventory("adhoc_role"), on_credential("use_role")])), runs());
    // Without the use of the credential.
    assert_eq!(row(&person("half", &[on_inventory("adhoc_role"), on_credential("read_role")])), reads());
    let boss = Row { cancel: 202, ..runs() };
    assert_eq!(row(&person("boss", &[on_inventory("admin_role"), on_credential("use_role")])), boss);
    let head = Row { cancel: 202, delete: 204, ..runs() };
    assert_eq!(row(&person("head", &[on_organization("admin_role")])), head);
    assert_eq!(row(&person("auditor", &[on_organization("auditor_role")])), reads());

    // Everyone may cancel what they started.
    let runner = commands.server.as_user("runner", hostler_testkit::PASSWORD);
    let own = runner.create(COMMANDS, commands.body(json!({})));
    runner.post(&format!("{COMMANDS}{own}/cancel/"), json!({})).expect(202);
    // An execution environment of another organization.
    let elsewhere = commands.server.organization("elsewhere");
    let environment = json!({"name": "hidden", "image": "a/b", "organization": elsewhere});
    let environment = admin.create("/api/v2/execution_environments/", environment);
    runner.post(COMMANDS, commands.body(json!({"execution_environment": environment}))).expect(403);
    // A token that only reads.
    let reading = commands.server.with_token(
        admin.post("/api/v2/tokens/", json!({"scope": "read"})).expect(201).json()["token"].as_str().expect("a token"),
    );
    reading.post(COMMANDS, commands.body(json!({}))).expect(403);
    commands.server.anonymous().get(COMMANDS).expect(401);
}

fn commands_outlive_their_inventory(backend: Backend) {
    let commands = Commands::start(backend);
    let admin = commands.admin();
    let id = commands.run("pass");
    commands.ended(id);
    let reader = commands.server.user("reader");
    commands.server.add_admin(commands.organization, &reader);
    reader.client.get(&format!("{COMMANDS}{id}/")).expect(200);
    admin.delete(&format!("/api/v2/inventories/{}/", commands.inventory)).expect(202);
    let shown = commands.wait(id, |command| command["inventory"].is_null());
    assert_eq!(shown["status"], "successful");
    // Nobody but superusers and auditors sees it any more.
    reader.client.get(&format!("{COMMANDS}{id}/")).expect(403);
    let refused = admin.post(&format!("{COMMANDS}{id}/relaunch/"), json!({})).expect(400).json();
    assert_eq!(refused, json!({"inventory": ["No valid inventory."]}));
    admin.delete(&format!("{COMMANDS}{id}/")).expect(204);
}
