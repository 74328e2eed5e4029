//! Ad hoc commands. Where they run, a script stands for Ansible: the arguments of the module are its text.

mod input;
mod roles;
mod running;

use std::thread;
use std::time::{Duration, Instant};

use hostler_testkit::{Backend, Client, TestServer, stand_in_ansible};
use serde_json::{Value, json};
use tempfile::TempDir;

const BINARY: &str = env!("CARGO_BIN_EXE_hostler");
const COMMANDS: &str = "/api/v2/ad_hoc_commands/";
/// A test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(120);

struct Commands {
    server: TestServer,
    organization: i64,
    inventory: i64,
    host: i64,
    group: i64,
    credential: i64,
    // Removed on drop.
    _folder: TempDir,
}

impl Commands {
    /// A server with an inventory of two hosts, one of them in a group, and a machine credential.
    fn start(backend: Backend) -> Self {
        let folder = TempDir::with_prefix("hostler-ad-hoc-").expect("a folder");
        let program = stand_in_ansible(folder.path());
        Self::with_ansible(backend, Some(program.to_str().expect("UTF-8")), folder)
    }

    /// The same with this Ansible; none for that of the machine.
    fn with_ansible(backend: Backend, program: Option<&str>, folder: TempDir) -> Self {
        let mut server = TestServer::stopped(BINARY, backend);
        if let Some(program) = program {
            server.set_variable("HOSTLER_ANSIBLE", program);
        }
        server.set_variable("HOSTLER_ISOLATION", "none");
        server.set_variable("HOSTLER_CPU_CAPACITY", "100");
        server.set_variable("HOSTLER_MEMORY_CAPACITY", "100");
        server.restart();
        let admin = server.as_admin();
        let organization = server.organization("home");
        let inventory = admin.create("/api/v2/inventories/", json!({"name": "lab", "organization": organization}));
        let local =
            json!({"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"});
        let host = |name: &str| {
            let body = json!({"name": name, "inventory": inventory, "variables": local.to_string()});
            admin.create("/api/v2/hosts/", body)
        };
        let first = host("one");
        host("two");
        let group = admin.create("/api/v2/groups/", json!({"name": "web", "inventory": inventory}));
        admin.post(&format!("/api/v2/groups/{group}/hosts/"), json!({"id": first})).expect(204);
        let mut commands =
            Commands { server, organization, inventory, host: first, group, credential: 0, _folder: folder };
        commands.credential = commands.new_credential("ssh", json!({"username": "x"}));
        commands
    }

    fn admin(&self) -> Client {
        self.server.as_admin()
    }

    fn new_credential(&self, namespace: &str, inputs: Value) -> i64 {
        let admin = self.admin();
        let found = admin.results(&format!("/api/v2/credential_types/?namespace={namespace}"));
        let credentials = admin.results("/api/v2/credentials/").len();
        let body = json!({
            "name": format!("{namespace} {credentials}"), "organization": self.organization,
            "credential_type": found[0]["id"], "inputs": inputs,
        });
        admin.create("/api/v2/credentials/", body)
    }

    /// The body of a command with these other values.
    fn body(&self, more: Value) -> Value {
        let mut body = json!({
            "inventory": self.inventory, "credential": self.credential, "module_name": "shell", "module_args": "pass",
        });
        for (name, value) in more.as_object().expect("an object") {
            body[name] = value.clone();
        }
        body
    }

    /// Starts a command that runs this script.
    fn run(&self, script: &str) -> i64 {
        let made = self.admin().post(COMMANDS, self.body(json!({"module_args": script}))).expect(201).json();
        made["id"].as_i64().expect("an id")
    }

    fn shown(&self, id: i64) -> Value {
        self.admin().get(&format!("{COMMANDS}{id}/")).expect(200).json()
    }

    /// Waits until the command has ended.
    fn ended(&self, id: i64) -> Value {
        self.wait(id, |command| command["finished"].is_string())
    }

    fn wait(&self, id: i64, is_done: impl Fn(&Value) -> bool) -> Value {
        let begin = Instant::now();
        loop {
            let command = self.shown(id);
            if is_done(&command) {
                return command;
            }
            assert!(begin.elapsed() < PATIENCE, "{command} {}", self.server.stderr());
            thread::sleep(Duration::from_millis(20));
        }
    }
}
