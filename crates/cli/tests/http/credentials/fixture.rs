//! The fixture of most of these tests.

use hostler_testkit::{Backend, Client, TestServer, TestUser};
use serde_json::{Value, json};

/// A secret that no response may contain.
pub const SECRET: &str = "hush-hush-4711";

/// Two organizations, `home` and `away`, and a custom type with a secret field.
pub struct CredentialsFixture {
    pub server: TestServer,
    pub admin: Client,
    pub home: i64,
    pub away: i64,
    /// A type of the kind `cloud` with the fields `token` (secret) and `host`.
    pub kind: i64,
}

impl CredentialsFixture {
    pub fn new(backend: Backend) -> Self {
        let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
        let admin = server.as_admin();
        let [home, away] = ["home", "away"].map(|name| server.organization(name));
        let kind = admin.create("/api/v2/credential_types/", a_type("cloudy"));
        CredentialsFixture { server, admin, home, away, kind }
    }

    /// A credential of `home` with the secret.
    pub fn of_home(&self, name: &str) -> i64 {
        self.admin.create("/api/v2/credentials/", self.body(name, "organization", self.home))
    }

    /// The body that creates a credential with the secret for this owner.
    pub fn body(&self, name: &str, owner: &str, id: i64) -> Value {
        json!({
            "name": name, "credential_type": self.kind, owner: id,
            "inputs": {"token": SECRET, "host": "example.org"},
        })
    }

    /// The id of a managed type.
    pub fn managed(&self, namespace: &str) -> i64 {
        let found = self.admin.results(&format!("/api/v2/credential_types/?namespace={namespace}"));
        found.first().and_then(|found| found["id"].as_i64()).unwrap_or_else(|| panic!("no type {namespace}"))
    }

    /// Grants a role of a credential to a user, as the superuser.
    pub fn grant(&self, credential: i64, field: &str, person: &TestUser) {
        self.admin.attach(&format!("{}roles/", person.path()), self.role(credential, field));
    }

    /// The id of a role of a credential.
    pub fn role(&self, credential: i64, field: &str) -> i64 {
        let shown = self.admin.get(&path(credential)).expect(200).json();
        shown["summary_fields"]["object_roles"][field]["id"].as_i64().expect("a role")
    }
}

/// The body that creates a type with the fields `token` (secret) and `host`.
pub fn a_type(name: &str) -> Value {
    json!({
        "name": name, "kind": "cloud",
        "inputs": {
            "fields": [
                {"id": "token", "label": "Token", "type": "string", "secret": true},
                {"id": "host", "label": "Host", "type": "string"},
            ],
        },
        "injectors": {"env": {"TOKEN": "{{ token }}"}},
    })
}

/// The path of a credential.
pub fn path(credential: i64) -> String {
    format!("/api/v2/credentials/{credential}/")
}
