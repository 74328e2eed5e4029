//! Uses all features with recognizable secrets, and searches for them in all stored data, logs and responses.

use std::collections::{BTreeSet, VecDeque};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hostler_testkit::{Backend, Browser, Client, TestServer, command, on_each_backend};
use serde_json::{Value as Json, json};

on_each_backend!(secrets_are_not_stored_or_shown, rotation_covers_all_encrypted_texts);

const ADMIN: &str = "admin";
/// The maximum number of paths that the crawl of the API visits: enough for several of each kind.
const PATHS: usize = 130;

/// The secrets, each with its description.
#[derive(Default)]
struct Secrets(Vec<(String, String)>);

impl Secrets {
    /// A new secret with a recognizable prefix.
    fn make(&mut self, what: &str) -> String {
        let secret = format!("Zq7Leak{:03}-Sekret-{}", self.0.len(), what.replace(' ', "-"));
        self.keep(what, &secret);
        secret
    }

    /// A secret that the server generated.
    fn keep(&mut self, what: &str, secret: &str) {
        assert!(secret.len() > 7, "{what} {secret} could be found by accident");
        self.0.push((what.to_owned(), secret.to_owned()));
    }

    /// The secrets that a text contains, plain or Base64-encoded as in Basic authentication.
    fn found_in(&self, text: &[u8]) -> Vec<&str> {
        let stands = |secret: &str| text.windows(secret.len()).any(|window| window == secret.as_bytes());
        let forms =
            |secret: &str| [secret.to_owned(), STANDARD.encode(secret), STANDARD.encode(format!("{ADMIN}:{secret}"))];
        self.0
            .iter()
            .filter(|(_, secret)| forms(secret).iter().any(|form| stands(form)))
            .map(|(what, _)| what.as_str())
            .collect()
    }
}

/// Uses each feature that has secrets.
struct SecretsFixture {
    server: TestServer,
    admin: Client,
    secrets: Secrets,
}

fn use_everything(backend: Backend) -> SecretsFixture {
    let mut secrets = Secrets::default();
    let password = secrets.make("password of the first superuser");
    // The most verbose log.
    let environment = [("HOSTLER_LOG", "trace"), ("HOSTLER_ADMIN_PASSWORD", password.as_str())];
    let server = TestServer::start_with(env!("CARGO_BIN_EXE_hostler"), backend, &environment);
    let admin = server.as_user(ADMIN, &password);
    let mut fixture = SecretsFixture { server, admin, secrets };
    fixture.people();
    fixture.applications();
    fixture.credentials();
    fixture.notifications();
    fixture.settings();
    fixture
}

impl SecretsFixture {
    fn people(&mut self) {
        let first = self.secrets.make("first password");
        let id = self.admin.create("/api/v2/users/", json!({"username": "visible-name", "password": first}));
        let user = self.server.as_user("visible-name", &first);
        let second = self.secrets.make("second password");
        user.patch(&format!("/api/v2/users/{id}/"), json!({"password": second})).expect(200);
        let wrong = self.secrets.make("wrong password");
        self.server.as_user("visible-name", &wrong).get("/api/v2/me/").expect(401);
        Browser::open(&self.server).log_in(&[("username", "visible-name"), ("password", &wrong)]);
        let unfit = self.secrets.make("password of a refused user");
        self.admin.post("/api/v2/users/", json!({"username": "a b!", "password": unfit})).expect(400);

        let user = self.server.as_user("visible-name", &second);
        let mut browser = Browser::logged_in(&self.server, "visible-name", &second);
        browser.get("/api/v2/me/").expect(200);
        let session = browser.cookies.remove("awx_sessionid").expect("a session");
        self.secrets.keep("session", &session);
        let token = user.post("/api/v2/tokens/", json!({"scope": "write"})).expect(201).json();
        let token = token["token"].as_str().expect("a token").to_owned();
        self.secrets.keep("token", &token);
        self.server.with_token(&token).get("/api/v2/me/").expect(200);

        let begun =
            user.post(&format!("/api/v2/users/{id}/second_factor/"), json!({"password": second})).expect(201).json();
        self.secrets.keep("secret of a second factor", begun["secret"].as_str().expect("a secret"));
    }

    fn applications(&mut self) {
        let organization = self.admin.create("/api/v2/organizations/", json!({"name": "Acme"}));
        let application = json!({
            "name": "app", "organization": organization, "client_type": "confidential",
            "authorization_grant_type": "password",
        });
        let made = self.admin.post("/api/v2/applications/", application).expect(201).json();
        let secret = made["client_secret"].as_str().expect("a secret").to_owned();
        self.secrets.keep("secret of a client", &secret);
        let password = self.secrets.make("password for a token");
        self.admin.create("/api/v2/users/", json!({"username": "bob", "password": password}));
        let fields = [
            ("grant_type", "password"),
            ("username", "bob"),
            ("password", &password),
            ("client_id", made["client_id"].as_str().expect("an id")),
            ("client_secret", &secret),
        ];
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let call = self.server.anonymous();
        let call = call.request("POST", "/api/o/token/").header("Content-Type", "application/x-www-form-urlencoded");
        let tokens = call.body(form).send().expect(200).json();
        for name in ["access_token", "refresh_token"] {
            self.secrets.keep(name, tokens[name].as_str().expect("a token"));
        }
    }

    fn managed(&self, namespace: &str) -> i64 {
        let found = self.admin.results(&format!("/api/v2/credential_types/?namespace={namespace}"));
        found[0]["id"].as_i64().expect("an id")
    }

    fn credentials(&mut self) {
        let organization = self.admin.create("/api/v2/organizations/", json!({"name": "Vaults"}));
        const KEY: &str = include_str!("../../../credential-types/src/private_key/samples/openssh_ed25519_locked.pem");
        self.secrets.keep("private key", KEY.lines().nth(3).expect("a line of the key"));
        let inputs = json!({
            "username": "visible-login", "password": self.secrets.make("password of a machine"),
            "become_password": self.secrets.make("password to become root"), "ssh_key_data": KEY,
            "ssh_key_unlock": self.secrets.make("passphrase"),
        });
        let machine = json!({"name": "machine", "organization": organization, "credential_type": self.managed("ssh"), "inputs": inputs});
        let id = self.admin.create("/api/v2/credentials/", machine.clone());
        let path = format!("/api/v2/credentials/{id}/");
        let changed =
            json!({"username": "visible-login", "password": self.secrets.make("changed password of a machine")});
        self.admin.patch(&path, json!({"inputs": changed})).expect(200);
        self.admin.patch(&path, json!({"inputs": {"username": "other-login", "password": "$encrypted$"}})).expect(200);
        self.admin.post(&format!("{path}copy/"), json!({"name": "copy"})).expect(201);
        // Sent to the owner only.
        let broken = json!({"ssh_key_data": self.secrets.make("broken key")});
        self.admin.patch(&path, json!({"inputs": broken})).expect(400);
        let strange = json!({"username": 5, "password": self.secrets.make("password beside a mistake")});
        self.admin.patch(&path, json!({"inputs": strange})).expect(400);

        let fields = json!([{"id": "token", "label": "Token", "type": "string", "secret": true}]);
        let kind = json!({"name": "own", "kind": "cloud", "inputs": {"fields": fields}, "injectors": {"env": {"X_TOKEN": "{{ token }}"}}});
        let kind = self.admin.create("/api/v2/credential_types/", kind);
        let own = json!({"name": "own", "organization": organization, "credential_type": kind, "inputs": {"token": self.secrets.make("token of a custom type")}});
        let id = self.admin.create("/api/v2/credentials/", own);
        self.admin.delete(&format!("/api/v2/credentials/{id}/")).expect(204);
        let external = json!({
            "name": "look-up", "organization": organization, "credential_type": self.managed("hashivault_kv"),
            "inputs": {"url": "https://vault.invalid", "token": self.secrets.make("token of a vault")},
        });
        self.admin.create("/api/v2/credentials/", external);
    }

    fn notifications(&mut self) {
        let organization = self.admin.create("/api/v2/organizations/", json!({"name": "Senders"}));
        let chat = |token: String| json!({"token": token, "channels": ["#visible"]});
        let body = json!({
            "name": "chat", "organization": organization, "notification_type": "slack",
            "notification_configuration": chat(self.secrets.make("token of a chat")),
        });
        let path =
            format!("/api/v2/notification_templates/{}/", self.admin.create("/api/v2/notification_templates/", body));
        let changed = chat(self.secrets.make("changed token of a chat"));
        self.admin.patch(&path, json!({"notification_configuration": changed})).expect(200);
        self.admin.post(&format!("{path}copy/"), json!({"name": "copy"})).expect(201);
        // The token is no secret of these types.
        let masked = json!({"grafana_url": "visible", "grafana_key": "", "token": "$encrypted$"});
        let change = json!({"notification_type": "grafana", "notification_configuration": masked});
        self.admin.patch(&path, change).expect(200);
        self.admin.patch(&path, json!({"notification_configuration": {"grafana_url": "visible", "grafana_key": self.secrets.make("key of a dashboard")}})).expect(200);
        self.admin.patch(&path, json!({"notification_type": "awssns"})).expect(200);
        self.admin.post(&format!("{path}copy/"), json!({"name": "copy of another type"})).expect(201);
        let refused = json!({
            "name": "x", "organization": organization, "notification_type": "slack",
            "notification_configuration": {"token": self.secrets.make("token of a refused chat")},
        });
        self.admin.post("/api/v2/notification_templates/", refused).expect(400);
    }

    fn settings(&mut self) {
        for name in ["first bind password", "second bind password"] {
            let secret = self.secrets.make(name);
            self.admin.patch("/api/v2/settings/ldap/", json!({"AUTH_LDAP_BIND_PASSWORD": secret})).expect(200);
        }
        self.admin.get("/api/v2/settings/all/").expect(200);
    }

    fn hostler(&self, words: &[&str]) -> String {
        let mut command: Command = command(env!("CARGO_BIN_EXE_hostler"));
        command.args(words).arg("--data").arg(self.server.data());
        if let Some(url) = self.server.database_url() {
            command.args(["--database", &url]);
        }
        let output = command.output().expect("the binary runs");
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Fails if this text contains a secret.
    fn search(&self, place: &str, text: impl AsRef<[u8]>) {
        let found = self.secrets.found_in(text.as_ref());
        assert!(found.is_empty(), "{place} contains: {}", found.join(", "));
    }

    /// Visits all links of the API, as JSON, as HTML, and with OPTIONS.
    fn walk(&self) -> usize {
        let starts = [
            "/api/v2/",
            "/api/v2/activity_stream/?page_size=200",
            "/api/v2/settings/all/",
            "/api/v2/settings/changed/",
        ];
        let mut waiting: VecDeque<String> = starts.map(str::to_owned).into();
        let mut known: BTreeSet<String> = waiting.iter().cloned().collect();
        let mut walked = 0;
        while let Some(path) = waiting.pop_front().filter(|_| walked < PATHS) {
            walked += 1;
            let answer = self.admin.get(&path);
            assert!(answer.status < 500 || answer.status == 501, "{answer}");
            self.search(&format!("GET {path}"), &answer.body);
            self.search(&format!("OPTIONS {path}"), self.admin.options(&path).body);
            let page = self.admin.request("GET", &path).header("Accept", "text/html").send();
            self.search(&format!("the page of {path}"), page.body);
            if answer.status == 200 && answer.header("Content-Type").is_some_and(|kind| kind.contains("json")) {
                links(&answer.json(), &mut |link| {
                    if known.insert(link.to_owned()) {
                        waiting.push_back(link.to_owned());
                    }
                });
            }
        }
        walked
    }
}

/// The paths of the API in a response.
fn links(json: &Json, found: &mut impl FnMut(&str)) {
    match json {
        Json::String(text) if text.starts_with("/api/v2/") => found(text),
        Json::Array(items) => items.iter().for_each(|item| links(item, found)),
        Json::Object(object) => object.values().for_each(|value| links(value, found)),
        _ => {}
    }
}

fn secrets_are_not_stored_or_shown(backend: Backend) {
    let mut fixture = use_everything(backend);
    assert!(fixture.secrets.0.len() > 20);
    assert!(fixture.walk() > 100, "the walk found its way");
    fixture.hostler(&["secrets", "rotate"]);
    let log = fixture.server.stderr();
    assert!(log.contains("visible-name"), "the log contains the actor");
    fixture.search("the log", &log);
    let stream = fixture.admin.get("/api/v2/activity_stream/?page_size=200").expect(200).text();
    assert!(stream.contains("visible-name") && stream.contains("hidden"), "the stream contains the change");
    fixture.server.stop();
    let dump = fixture.server.dump();
    assert!(dump.contains("visible-name") && dump.contains("other-login"), "the dump shows what is no secret");
    fixture.search("the database", &dump);
    // The database files must not contain overwritten or deleted secrets either.
    for entry in std::fs::read_dir(fixture.server.data()).expect("the data folder") {
        let file = entry.expect("a file").path();
        if file.is_file() {
            fixture.search(&file.display().to_string(), std::fs::read(&file).expect("a file"));
        }
    }
}

/// Every encrypted text is counted, and so is included in a key rotation.
fn rotation_covers_all_encrypted_texts(backend: Backend) {
    let mut fixture = use_everything(backend);
    let counted = |fixture: &SecretsFixture| -> Vec<usize> {
        let status = fixture.hostler(&["secrets", "status"]);
        status.lines().skip(1).map(|line| line.split('\t').nth(2).unwrap().parse().unwrap()).collect()
    };
    let before = counted(&fixture);
    fixture.hostler(&["secrets", "rotate"]);
    let after = counted(&fixture);
    assert_eq!((before.len(), &before), (1, &after));
    fixture.server.stop();
    let dump = fixture.server.dump();
    let keys: BTreeSet<&str> = dump.split("$hostler$1$").skip(1).map(|rest| &rest[..16]).collect();
    assert_eq!(keys.len(), 1, "all are encrypted by one key");
    let texts = dump.matches("$hostler$1$").count();
    assert_eq!(texts, after[0], "encrypted texts in the database, and those that are counted");
}
