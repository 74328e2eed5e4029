//! Commands that run.

use std::env;
use std::fs;
use std::path::PathBuf;

use hostler_testkit::skip::skip;
use hostler_testkit::{Backend, has_ansible, on_each_backend};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{COMMANDS, Commands};

on_each_backend!(
    command_runs_with_its_options,
    events_belong_to_hosts_and_change_nothing_of_them,
    command_outlives_the_server,
    running_command_is_canceled,
    limit_that_names_a_file_is_refused,
    command_follows_updates_of_its_inventory,
    ansible_runs_modules,
);

/// Prints the arguments of the program and some variables of its environment.
const TELL: &str =
    "print(json.dumps(sys.argv[1:])); print(os.environ.get('AD_HOC_COMMAND_ID'), os.environ.get('JOB_ID'))";

fn output(commands: &Commands, id: i64) -> String {
    commands.admin().get(&format!("{COMMANDS}{id}/stdout/?format=txt_download")).expect(200).text()
}

fn command_runs_with_its_options(backend: Backend) {
    let commands = Commands::start(backend);
    let admin = commands.admin();
    let inputs = json!({"username": "ann", "become_method": "su", "become_username": "root"});
    let more = json!({
        "module_args": TELL, "credential": commands.new_credential("ssh", inputs), "job_type": "check", "limit": "one",
        "forks": 2, "verbosity": 1, "become_enabled": true, "diff_mode": true, "extra_vars": "a: '{{ x }}'",
    });
    let id = admin.create(COMMANDS, commands.body(more));
    let ended = commands.ended(id);
    assert_eq!(ended["status"], "successful", "{ended}");
    let text = output(&commands, id);
    let mut lines = text.lines();
    let arguments: Vec<String> = serde_json::from_str(lines.next().expect("a line")).expect("arguments");
    let is_there = |argument: &str| arguments.iter().any(|one| one == argument);
    for argument in [
        "--module-name=shell",
        "--forks=2",
        "-v",
        "--check",
        "--diff",
        "--become",
        "--become-method=su",
        "--become-user=root",
        "--user=ann",
    ] {
        assert!(is_there(argument), "{argument} {arguments:?}");
    }
    assert_eq!(arguments[arguments.len() - 2..], ["--".to_owned(), "one".to_owned()]);
    assert_eq!(lines.next(), Some(format!("{id} None").as_str()));
    assert!(ended["job_args"].as_str().is_some_and(|shown| shown.contains("--module-name=shell")), "{ended}");
    assert_eq!(ended["summary_fields"]["instance_group"]["name"], "default");

    let all = commands.run("print(pattern)");
    assert_eq!(commands.ended(all)["status"], "successful");
    assert_eq!(output(&commands, all), "all\n");
    let failed = commands.run("sys.exit(3)");
    assert_eq!(
        (&commands.ended(failed)["status"], &commands.shown(failed)["failed"]),
        (&json!("failed"), &json!(true))
    );

    let again = admin.post(&format!("{COMMANDS}{all}/relaunch/"), json!({})).expect(201).json();
    assert_eq!(commands.ended(again["id"].as_i64().expect("an id"))["status"], "successful");
    assert_eq!((&again["module_args"], &again["launch_type"]), (&json!("print(pattern)"), &json!("manual")));
}

const EVENTS: &str = "
event('playbook_on_start')
event('runner_on_start', host='one')
event('runner_on_ok', 'one | CHANGED\\n', host='one', res={'changed': True, 'stdout': 'hi'})
event('runner_on_failed', 'two | FAILED\\n', host='two', res={})
event('playbook_on_stats', changed={'one': 1}, ok={'one': 1}, failures={'two': 1}, processed={'one': 1, 'two': 1})
";

fn events_belong_to_hosts_and_change_nothing_of_them(backend: Backend) {
    let commands = Commands::start(backend);
    let admin = commands.admin();
    let id = commands.run(EVENTS);
    let ended = commands.ended(id);
    assert_eq!(ended["host_status_counts"], json!({"changed": 1, "failures": 1}), "{ended}");
    let events = admin.results(&format!("{COMMANDS}{id}/events/?order_by=counter"));
    let shown: Vec<Value> = events
        .iter()
        .map(|event| {
            json!([event["event"], event["event_display"], event["host_name"], event["failed"], event["changed"]])
        })
        .collect();
    let expected = [
        json!(["playbook_on_start", "playbook_on_start", "", false, false]),
        json!(["runner_on_start", "runner_on_start", "one", false, false]),
        json!(["runner_on_ok", "Host OK", "one", false, true]),
        json!(["runner_on_failed", "Host Failed", "two", true, false]),
        json!(["playbook_on_stats", "playbook_on_stats", "", false, false]),
    ];
    assert_eq!(shown, expected);
    let ok = &events[2];
    let path = format!("/api/v2/ad_hoc_command_events/{}/", ok["id"]);
    assert_eq!(ok["url"], path.as_str());
    assert_eq!(admin.get(&path).expect(200).json()["event_data"]["res"]["stdout"], "hi");
    let host = format!("/api/v2/hosts/{}/", commands.host);
    assert_eq!(ok["related"], json!({"ad_hoc_command": format!("{COMMANDS}{id}/"), "host": host}));
    let count = |path: &str| admin.results(path).len();
    assert_eq!(count(&format!("{COMMANDS}{id}/events/?event=runner_on_ok")), 1);
    assert_eq!(count(&format!("{COMMANDS}{id}/events/?host__name=two")), 1);
    assert_eq!(count(&format!("{host}ad_hoc_commands/")), 1);
    assert_eq!(count(&format!("{host}ad_hoc_command_events/")), 2);
    assert_eq!(count(&format!("/api/v2/groups/{}/ad_hoc_commands/", commands.group)), 1);
    assert_eq!(count("/api/v2/hosts/?ad_hoc_commands__module_name=shell"), 2);
    assert_eq!(count("/api/v2/hosts/?ad_hoc_command_events__failed=true"), 1);
    assert_eq!(count(&format!("{COMMANDS}?hosts__name=two")), 1);
    assert_eq!(count(&format!("{COMMANDS}?ad_hoc_command_events__changed=true")), 1);
    // The last job of a host is a run of a playbook.
    let host = admin.get(&host).expect(200).json();
    assert_eq!((&host["last_job"], &host["has_active_failures"]), (&Value::Null, &json!(false)));
    assert!(admin.results(&format!("/api/v2/hosts/{}/job_host_summaries/", commands.host)).is_empty());
    assert!(admin.results(&format!("/api/v2/hosts/{}/job_events/", commands.host)).is_empty());
    // Its events are deleted with it.
    admin.delete(&format!("{COMMANDS}{id}/")).expect(204);
    admin.get(&path).expect(404);
    assert_eq!(count(&format!("/api/v2/hosts/{}/ad_hoc_commands/", commands.host)), 0);
}

fn workspace(commands: &Commands, id: i64) -> PathBuf {
    commands.server.data().join("jobs").join(id.to_string()).join("workspace")
}

/// Waits until the script has reported `ready`.
fn ready(commands: &Commands, id: i64) {
    let path = workspace(commands, id).join("ready");
    commands.wait(id, |_| path.exists());
}

fn command_outlives_the_server(backend: Backend) {
    let mut commands = Commands::start(backend);
    let id =
        commands.run("event('playbook_on_start', 'a\\n')\nreport('ready')\nwait_for('go')\nevent('verbose', 'b\\n')");
    ready(&commands, id);
    let go = workspace(&commands, id).join("go");
    commands.server.kill9();
    fs::write(go, "").expect("a file");
    commands.server.restart();
    let ended = commands.ended(id);
    assert_eq!((&ended["status"], &ended["job_explanation"]), (&json!("successful"), &json!("")), "{ended}");
    assert_eq!(output(&commands, id), "a\nb\n");
}

fn running_command_is_canceled(backend: Backend) {
    let commands = Commands::start(backend);
    let admin = commands.admin();
    let id = commands.run("report('ready')\nwait_for('go')");
    ready(&commands, id);
    let path = format!("{COMMANDS}{id}/");
    commands.wait(id, |command| command["status"] == "running");
    assert_eq!(admin.get(&format!("{path}cancel/")).expect(200).json()["can_cancel"], true);
    let refused = admin.delete(&path).expect(403).json();
    assert_eq!(refused, json!({"detail": "Cannot delete running job resource."}));
    let inventory = format!("/api/v2/inventories/{}/", commands.inventory);
    let in_use = admin.delete(&inventory).expect(409).json();
    assert_eq!(in_use["active_jobs"], json!([{"id": id, "type": "ad_hoc_command"}]));
    admin.post(&format!("{path}cancel/"), json!({})).expect(202);
    assert_eq!(commands.ended(id)["status"], "canceled");
    admin.post(&format!("{path}cancel/"), json!({})).expect(405);
    assert_eq!(admin.get(&format!("{path}cancel/")).expect(200).json()["can_cancel"], false);
}

fn limit_that_names_a_file_is_refused(backend: Backend) {
    let commands = Commands::start(backend);
    let id = commands.admin().create(COMMANDS, commands.body(json!({"limit": "@/etc/passwd"})));
    let ended = commands.ended(id);
    assert_eq!(ended["status"], "failed");
    assert_eq!(ended["job_explanation"], "The limit must not name a file.");
}

fn command_follows_updates_of_its_inventory(backend: Backend) {
    let commands = Commands::start(backend);
    // An update that seems to run on another node.
    commands.server.execute(&format!(
        "INSERT INTO unified_jobs (type, name, status, created, modified, inventory_id, controller_node, execution_node) \
         SELECT 'inventory_update', 'u', 'running', created, created, id, 'other', 'other' FROM inventories WHERE id = {}",
        commands.inventory
    ));
    let id = commands.run("pass");
    let waiting = commands.wait(id, |command| command["job_explanation"] != "");
    assert_eq!(waiting["status"], "pending");
    let explanation = waiting["job_explanation"].as_str().expect("a text");
    assert!(explanation.starts_with("waiting for inventoryupdate-"), "{explanation}");
    commands.admin().post(&format!("{COMMANDS}{id}/cancel/"), json!({})).expect(202);
    assert_eq!(commands.shown(id)["status"], "canceled");
}

fn ansible_runs_modules(backend: Backend) {
    if !has_ansible() {
        return skip("there is no Ansible, in PATH or HOSTLER_TEST_ANSIBLE");
    }
    let folder = TempDir::with_prefix("hostler-ad-hoc-").expect("a folder");
    let program = env::var("HOSTLER_TEST_ANSIBLE").ok();
    let commands = Commands::with_ansible(backend, program.as_deref(), folder);
    let admin = commands.admin();
    let more = json!({"module_args": "echo {{ greeting }} {{ trap }}", "limit": "one", "extra_vars": "greeting: hi\ntrap: '{{ 1 + 1 }}'"});
    let id = admin.create(COMMANDS, commands.body(more));
    let ended = commands.ended(id);
    assert_eq!(ended["status"], "successful", "{ended} {}", output(&commands, id));
    // A template in a variable is a text.
    assert_eq!(output(&commands, id), "one | CHANGED | rc=0 >>\nhi {{ 1 + 1 }}\n");
    let events = admin.results(&format!("{COMMANDS}{id}/events/?order_by=counter"));
    let names: Vec<&str> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!(names, ["playbook_on_start", "runner_on_start", "runner_on_ok", "playbook_on_stats"]);
    assert_eq!(events[2]["event_data"]["res"]["rc"], 0);
    assert_eq!(ended["host_status_counts"], json!({"changed": 1}));

    let ping = commands.body(json!({"module_name": "ping", "module_args": "", "limit": ""}));
    let ping = commands.ended(admin.create(COMMANDS, ping));
    assert_eq!((&ping["status"], &ping["host_status_counts"]), (&json!("successful"), &json!({"ok": 2})));
    let failed = commands.body(json!({"module_name": "command", "module_args": "false"}));
    let failed = commands.ended(admin.create(COMMANDS, failed));
    assert_eq!((&failed["status"], &failed["host_status_counts"]), (&json!("failed"), &json!({"failures": 2})));
}
