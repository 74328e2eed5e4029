//! Shortcuts that create users, organizations and teams through the API.

use serde_json::{Value, json};

use crate::client::Client;
use crate::server::TestServer;

/// The password of the users of [`TestServer::user`].
pub const PASSWORD: &str = "Kalmar-Union-1397";

/// A user, and a client with its password.
#[derive(Debug, Clone)]
pub struct TestUser {
    /// The user's id.
    pub id: i64,
    /// The user's name.
    pub name: String,
    /// A client with the user's password.
    pub client: Client,
}

impl TestUser {
    /// The path of this user.
    pub fn path(&self) -> String {
        format!("/api/v2/users/{}/", self.id)
    }

    /// A client with a new token of this user.
    pub fn token(&self, scope: &str) -> Client {
        let made = self.client.post("/api/v2/tokens/", json!({"scope": scope})).expect(201).json();
        self.client.with_token(made["token"].as_str().expect("a token"))
    }
}

impl Client {
    /// Creates an object and returns its id.
    pub fn create(&self, list: &str, body: Value) -> i64 {
        let created = self.post(list, body).expect(201).json();
        created["id"].as_i64().unwrap_or_else(|| panic!("{created} has no id"))
    }

    /// Adds an object to a sub-list.
    pub fn attach(&self, list: &str, id: i64) {
        self.post(list, json!({"id": id})).expect(204);
    }

    /// All results of a list, which must fit on one page.
    pub fn results(&self, list: &str) -> Vec<Value> {
        let separator = if list.contains('?') { '&' } else { '?' };
        let mut page = self.get(&format!("{list}{separator}page_size=200")).expect(200).json();
        assert!(page["next"].is_null(), "{list} is longer than a page");
        match page["results"].take() {
            Value::Array(results) => results,
            other => panic!("{list}: no results but {other}"),
        }
    }
}

impl TestServer {
    /// A new user without grants.
    pub fn user(&self, name: &str) -> TestUser {
        self.user_with(name, json!({}))
    }

    /// A new user with these additional fields.
    pub fn user_with(&self, name: &str, fields: Value) -> TestUser {
        let mut body = json!({"username": name, "password": PASSWORD});
        for (field, value) in fields.as_object().expect("an object of fields") {
            body[field] = value.clone();
        }
        let id = self.as_admin().create("/api/v2/users/", body);
        TestUser { id, name: name.to_owned(), client: self.as_user(name, PASSWORD) }
    }

    /// From now on no job and no project update starts: they wait.
    pub fn let_jobs_wait(&self) {
        let admin = self.as_admin();
        let node = admin.results("/api/v2/instances/")[0]["id"].clone();
        admin.patch(&format!("/api/v2/instances/{node}/"), json!({"enabled": false})).expect(200);
    }

    /// A new organization.
    pub fn organization(&self, name: &str) -> i64 {
        self.as_admin().create("/api/v2/organizations/", json!({"name": name}))
    }

    /// A new team of an organization.
    pub fn team(&self, name: &str, organization: i64) -> i64 {
        self.as_admin().create("/api/v2/teams/", json!({"name": name, "organization": organization}))
    }

    /// Makes a user a member of an organization.
    pub fn add_member(&self, organization: i64, person: &TestUser) {
        self.as_admin().attach(&format!("/api/v2/organizations/{organization}/users/"), person.id);
    }

    /// Makes a user an admin of an organization.
    pub fn add_admin(&self, organization: i64, person: &TestUser) {
        self.as_admin().attach(&format!("/api/v2/organizations/{organization}/admins/"), person.id);
    }

    /// Changes settings of a category.
    pub fn configure(&self, category: &str, settings: Value) {
        self.as_admin().patch(&format!("/api/v2/settings/{category}/"), settings).expect(200);
    }
}
