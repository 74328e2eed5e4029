//! What is accepted, what is refused, and the places where commands are started.

use std::collections::BTreeSet;

use hostler_testkit::{Backend, on_each_backend};
use serde_json::{Value, json};

use super::{COMMANDS, Commands};

on_each_backend!(
    new_command_shows_its_values,
    wrong_values_are_refused_and_nothing_is_written,
    modules_are_those_of_the_setting,
    places_choose_inventory_and_hosts,
    passwords_are_needed_and_not_shown,
    variables_of_ansible_are_refused,
);

fn new_command_shows_its_values(backend: Backend) {
    let commands = Commands::start(backend);
    commands.server.let_jobs_wait();
    let admin = commands.admin();
    let more = json!({
        "job_type": "check", "limit": " one ", "forks": 2, "verbosity": 3, "extra_vars": "a: 1", "become_enabled": true,
        "diff_mode": true, "name": "mine", "status": "successful",
    });
    let made = admin.post(COMMANDS, commands.body(more)).expect(201);
    assert!(made.header("Location").is_some_and(|path| path.starts_with(COMMANDS)));
    let made = made.json();
    let id = made["id"].as_i64().expect("an id");
    // As in AWX, it is shown as it was before the start.
    assert_eq!(
        (&made["status"], &made["name"], &made["launch_type"]),
        (&json!("new"), &json!("shell"), &json!("manual"))
    );
    assert!(made.get("job_args").is_none() && made["related"]["modified_by"].is_string(), "{made}");
    let shown = commands.shown(id);
    assert_eq!(shown["status"], "pending");
    for (field, value) in [
        ("job_type", json!("check")),
        ("limit", json!("one")),
        ("forks", json!(2)),
        ("verbosity", json!(3)),
        ("extra_vars", json!("a: 1")),
        ("become_enabled", json!(true)),
        ("diff_mode", json!(true)),
        ("module_name", json!("shell")),
        ("credential", json!(commands.credential)),
        ("inventory", json!(commands.inventory)),
    ] {
        assert_eq!((&made[field], &shown[field]), (&value, &value), "{field}");
    }
    assert_eq!(shown["summary_fields"]["user_capabilities"], json!({"delete": true, "start": true}));
    assert_eq!(shown["launched_by"]["name"], "admin");
    for path in ["events/", "activity_stream/", "stdout/?format=txt", "cancel/", "relaunch/"] {
        admin.get(&format!("{COMMANDS}{id}/{path}")).expect(200);
    }
    for method in ["PUT", "PATCH"] {
        admin.request(method, &format!("{COMMANDS}{id}/")).json(json!({"limit": "two"})).send().expect(405);
    }
    let inventory = commands.inventory;
    for (query, count) in [
        (format!("inventory={inventory}"), 1),
        ("module_name=shell".to_owned(), 1),
        ("module_name__in=ping,command".to_owned(), 0),
        ("search=shell".to_owned(), 1),
        ("credential__name__startswith=ssh".to_owned(), 1),
        ("organization__name=home".to_owned(), 1),
        ("hosts__name=one".to_owned(), 0),
        ("module_args__icontains=pass&become_enabled=true".to_owned(), 1),
    ] {
        assert_eq!(admin.results(&format!("{COMMANDS}?{query}")).len(), count, "{query}");
    }
    assert_eq!(admin.results(&format!("/api/v2/unified_jobs/?ad_hoc_command__module_name=shell&id={id}")).len(), 1);
    let inventories = admin.results("/api/v2/inventories/?ad_hoc_commands__module_name=shell");
    assert_eq!(inventories.len(), 1);
    let entry = &admin.results(&format!("{COMMANDS}{id}/activity_stream/"))[0];
    assert_eq!(entry["changes"]["module_args"], "pass", "{entry}");
}

fn wrong_values_are_refused_and_nothing_is_written(backend: Backend) {
    let commands = Commands::start(backend);
    let vault = commands.new_credential("vault", json!({"vault_password": "v"}));
    let admin = commands.admin();
    let missing = 99_999_999;
    let choice = |word: &str| format!("\"{word}\" is not a valid choice.");
    let cases: Vec<(Value, &str, String)> = vec![
        (json!({"module_name": "raw"}), "module_name", choice("raw")),
        (json!({"module_name": ""}), "module_name", choice("")),
        (json!({"module_name": null}), "module_name", "This field may not be null.".into()),
        (json!({"module_name": ["shell"]}), "module_name", "is not a valid choice.".into()),
        (json!({"module_args": " "}), "module_args", "No argument passed to shell module.".into()),
        (json!({"module_args": {"a": 1}}), "module_args", "Not a valid string.".into()),
        (json!({"inventory": null}), "inventory", "No valid inventory.".into()),
        (json!({"inventory": "x"}), "inventory", "Incorrect type.".into()),
        (json!({"inventory": missing}), "detail", "Inventory matching query does not exist.".into()),
        (json!({"credential": null}), "credential", "This field cannot be blank.".into()),
        (json!({"credential": missing}), "detail", "Credential matching query does not exist.".into()),
        (json!({"credential": vault}), "credential", "You must provide a machine / SSH credential.".into()),
        (json!({"job_type": "scan"}), "job_type", choice("scan")),
        (json!({"verbosity": 6}), "verbosity", choice("6")),
        (json!({"forks": -1}), "forks", "Ensure this value is greater than or equal to 0.".into()),
        (json!({"forks": "x"}), "forks", "A valid integer is required.".into()),
        (json!({"extra_vars": "{a"}), "extra_vars", "Cannot parse as JSON".into()),
        (json!({"extra_vars": {"a": 1}}), "extra_vars", "Not a valid string.".into()),
        (json!({"limit": ["one"]}), "limit", "Not a valid string.".into()),
        (json!({"become_enabled": "maybe"}), "become_enabled", "Must be a valid boolean.".into()),
        (json!({"diff_mode": 7}), "diff_mode", "Must be a valid boolean.".into()),
        (json!({"execution_environment": missing}), "execution_environment", "object does not exist.".into()),
        (json!({"ssh_password": ["x"]}), "ssh_password", "Not a valid string.".into()),
    ];
    let before = commands.server.dump();
    for (more, field, message) in cases {
        let answer = admin.post(COMMANDS, commands.body(more.clone())).expect(400).json();
        let words = answer[field].as_str().or_else(|| answer[field][0].as_str()).unwrap_or_default();
        assert!(words.contains(&message), "{more}: {answer}");
    }
    let answer = admin.post(COMMANDS, json!({"module_name": "ping"})).expect(400).json();
    let expected = json!({"inventory": ["No valid inventory."], "credential": ["This field cannot be blank."]});
    assert_eq!(answer, expected);
    assert!(commands.server.dump() == before, "something was written");
    assert!(admin.results(COMMANDS).is_empty());
}

fn modules_are_those_of_the_setting(backend: Backend) {
    let commands = Commands::start(backend);
    commands.server.let_jobs_wait();
    let admin = commands.admin();
    let described = |method: &str| {
        let options = admin.options(COMMANDS).expect(200).json();
        options["actions"][method]["module_name"].clone()
    };
    assert_eq!(described("POST")["default"], "command");
    commands.server.configure("jobs", json!({"AD_HOC_COMMANDS": ["ping", "ansible.builtin.raw"]}));
    for method in ["GET", "POST"] {
        let choices = json!([["ping", "ping"], ["ansible.builtin.raw", "ansible.builtin.raw"]]);
        assert_eq!(described(method)["choices"], choices, "{method}");
    }
    // Its default is no module any more.
    assert_eq!((&described("POST")["required"], &described("POST")["default"]), (&json!(true), &Value::Null));
    let wrong = admin.post(COMMANDS, commands.body(json!({}))).expect(400).json();
    assert_eq!(wrong, json!({"module_name": ["\"shell\" is not a valid choice."]}));
    let mut body = commands.body(json!({}));
    body.as_object_mut().expect("an object").remove("module_name");
    let wrong = admin.post(COMMANDS, body).expect(400).json();
    assert_eq!(wrong, json!({"module_name": ["This field is required."]}));
    let ping = commands.body(json!({"module_name": "ping", "module_args": ""}));
    let made = admin.post(COMMANDS, ping).expect(201).json();
    // A command whose module was removed does not run again.
    commands.server.configure("jobs", json!({"AD_HOC_COMMANDS": ["ansible.builtin.raw"]}));
    let path = format!("{COMMANDS}{}/relaunch/", made["id"]);
    let refused = admin.post(&path, json!({})).expect(400).json();
    assert_eq!(refused, json!({"module_name": ["\"ping\" is not a valid choice."]}));
}

fn places_choose_inventory_and_hosts(backend: Backend) {
    let commands = Commands::start(backend);
    commands.server.let_jobs_wait();
    let admin = commands.admin();
    let other = json!({"name": "other", "organization": commands.organization});
    let other = admin.create("/api/v2/inventories/", other);
    for (place, limit) in [
        (format!("/api/v2/inventories/{}/", commands.inventory), "two"),
        (format!("/api/v2/hosts/{}/", commands.host), "one"),
        (format!("/api/v2/groups/{}/", commands.group), "web"),
    ] {
        let shown = admin.get(&place).expect(200).json();
        let list = format!("{place}ad_hoc_commands/");
        assert_eq!(shown["related"]["ad_hoc_commands"], list.as_str());
        let made = admin.post(&list, commands.body(json!({"inventory": other, "limit": "two"}))).expect(201);
        assert!(made.header("Location").is_some_and(|path| path.starts_with(COMMANDS)), "{place}");
        let made = made.json();
        assert_eq!((&made["inventory"], &made["limit"]), (&json!(commands.inventory), &json!(limit)), "{place}");
        admin.post(&list, commands.body(json!({"module_name": "raw"}))).expect(400);
        assert!(admin.options(&list).expect(200).json()["actions"]["POST"]["module_name"].is_object());
    }
    let list = format!("/api/v2/inventories/{}/ad_hoc_commands/", commands.inventory);
    assert_eq!(admin.results(&list).len(), 3);
    // They have not run on any host.
    assert!(admin.results(&format!("/api/v2/hosts/{}/ad_hoc_commands/", commands.host)).is_empty());
    let smart = json!({
        "name": "smart", "organization": commands.organization, "kind": "smart", "host_filter": "name=one",
    });
    let smart = admin.create("/api/v2/inventories/", smart);
    admin.post(&format!("/api/v2/inventories/{smart}/ad_hoc_commands/"), commands.body(json!({}))).expect(201);
}

fn passwords_are_needed_and_not_shown(backend: Backend) {
    let commands = Commands::start(backend);
    commands.server.let_jobs_wait();
    let admin = commands.admin();
    let inputs = json!({"username": "x", "password": "ASK", "become_password": "ASK"});
    let asking = commands.new_credential("ssh", inputs);
    let needed = json!({"passwords_needed_to_start": ["ssh_password", "become_password"]});
    for more in [
        json!({}),
        json!({"ssh_password": "Sekret-Ssh-1"}),
        json!({"ssh_password": "Sekret-Ssh-1", "become_password": ""}),
        json!({"credential_passwords": {"ssh_password": "Sekret-Ssh-1", "become_password": "Sekret-Become-1"}}),
    ] {
        let mut body = commands.body(more);
        body["credential"] = asking.into();
        assert_eq!(admin.post(COMMANDS, body).expect(400).json(), needed);
    }
    let passwords = json!({"ssh_password": "Sekret-Ssh-1", "become_password": "Sekret-Become-1"});
    let mut body = commands.body(passwords.clone());
    body["credential"] = asking.into();
    let made = admin.post(COMMANDS, body).expect(201);
    assert!(!made.text().contains("Sekret") && !made.text().contains("ssh_password"), "{made}");
    let path = format!("{COMMANDS}{}/", made.json()["id"]);
    assert_eq!(admin.get(&format!("{path}relaunch/")).expect(200).json(), needed);
    assert_eq!(admin.post(&format!("{path}relaunch/"), json!({})).expect(400).json(), needed);
    let again = admin.post(&format!("{path}relaunch/"), passwords).expect(201).json();
    assert_eq!((&again["ad_hoc_command"], &again["status"]), (&again["id"], &json!("pending")));
    for text in [admin.get(&path).text(), admin.get("/api/v2/activity_stream/").text(), commands.server.dump()] {
        assert!(!text.contains("Sekret-Ssh-1") && !text.contains("Sekret-Become-1"));
    }
    admin.get(&format!("{COMMANDS}?ssh_password=x")).expect(403);

    let mut rotation = hostler_testkit::command(env!("CARGO_BIN_EXE_hostler"));
    rotation.args(["secrets", "rotate", "--data"]).arg(commands.server.data());
    if let Some(url) = commands.server.database_url() {
        rotation.args(["--database", &url]);
    }
    let output = rotation.output().expect("the binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let dump = commands.server.dump();
    let keys: BTreeSet<&str> = dump.split("$hostler$1$").skip(1).map(|rest| &rest[..16]).collect();
    assert_eq!(keys.len(), 1, "all secrets are encrypted by the new key");
}

fn variables_of_ansible_are_refused(backend: Backend) {
    let commands = Commands::start(backend);
    commands.server.let_jobs_wait();
    for text in ["{\"ansible_a\": 1, \"x\": 2, \"ansible_b\": 3}", "ansible_a: 1\nansible_b: 2"] {
        let refused = commands.admin().post(COMMANDS, commands.body(json!({"extra_vars": text}))).expect(400).json();
        let message = "ansible_b, ansible_a are prohibited from use in ad hoc commands.";
        assert_eq!(refused, json!({"extra_vars": [message]}));
    }
    commands.admin().post(COMMANDS, commands.body(json!({"extra_vars": "my_ansible_a: 1"}))).expect(201);
}
