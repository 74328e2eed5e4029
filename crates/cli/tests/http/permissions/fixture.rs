//! The users and objects of the permission tables. Each table has its own server and always the same ids.

use std::cell::Cell;

use hostler_testkit::{Backend, Client, TestServer};
use serde_json::{Value, json};

/// A user who makes the requests.
pub struct Actor {
    /// The name in the table.
    pub name: String,
    /// A description for the table.
    pub what: String,
    /// A client with the user's token.
    pub client: Client,
    /// The user's id; 0 for anonymous requests.
    pub id: i64,
}

/// Two organizations: `home`, with the team `crew`, the project `site` and the
/// label `urgent`, and `away`.
pub struct AccessFixture {
    pub server: TestServer,
    pub home: i64,
    pub away: i64,
    pub crew: i64,
    pub site: i64,
    pub urgent: i64,
    counter: Cell<u32>,
}

/// The roles of an organization.
pub const ORGANIZATION_ROLES: &[&str] = &[
    "admin_role",
    "execute_role",
    "project_admin_role",
    "inventory_admin_role",
    "credential_admin_role",
    "workflow_admin_role",
    "notification_admin_role",
    "job_template_admin_role",
    "execution_environment_admin_role",
    "auditor_role",
    "member_role",
    "read_role",
    "approval_role",
];
/// The roles of a team.
pub const TEAM_ROLES: &[&str] = &["admin_role", "member_role", "read_role"];
/// The roles of a project.
pub const PROJECT_ROLES: &[&str] = &["admin_role", "use_role", "update_role", "read_role"];

impl AccessFixture {
    pub fn new(backend: Backend) -> Self {
        let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
        let [home, away] = ["home", "away"].map(|name| server.organization(name));
        let crew = server.team("crew", home);
        let admin = server.as_admin();
        let site = admin.create("/api/v2/projects/", json!({"name": "site", "organization": home, "scm_type": ""}));
        let urgent = admin.create("/api/v2/labels/", json!({"name": "urgent", "organization": home}));
        AccessFixture { server, home, away, crew, site, urgent, counter: Cell::new(0) }
    }

    /// A unique name.
    pub fn new_name(&self) -> String {
        self.counter.set(self.counter.get() + 1);
        format!("new-{}", self.counter.get())
    }

    /// A new user with these fields, and a client with a token, because the password may change.
    pub fn user(&self, name: &str, what: &str, fields: Value) -> Actor {
        let person = self.server.user_with(name, fields);
        Actor { name: name.to_owned(), what: what.to_owned(), client: person.token("write"), id: person.id }
    }

    /// The id of a role of an object.
    pub fn role(&self, object: &str, field: &str) -> i64 {
        let object = self.server.as_admin().get(object).expect(200).json();
        object["summary_fields"]["object_roles"][field]["id"].as_i64().unwrap_or_else(|| panic!("no {field}"))
    }

    pub fn home_path(&self) -> String {
        format!("/api/v2/organizations/{}/", self.home)
    }

    pub fn away_path(&self) -> String {
        format!("/api/v2/organizations/{}/", self.away)
    }

    pub fn crew_path(&self) -> String {
        format!("/api/v2/teams/{}/", self.crew)
    }

    pub fn site_path(&self) -> String {
        format!("/api/v2/projects/{}/", self.site)
    }

    /// A new user with this role only.
    pub fn holder(&self, object_name: &str, object: &str, field: &str) -> Actor {
        // Short usernames keep the tables narrow.
        let short = field.trim_end_matches("_role").replace("execution_environment", "environment");
        let what = format!("has {field} of {object_name}");
        let actor = self.user(&format!("{object_name}.{short}"), &what, json!({}));
        self.server.as_admin().attach(&format!("/api/v2/users/{}/roles/", actor.id), self.role(object, field));
        actor
    }

    /// A new user in a new team of `home` with this role.
    pub fn through_team(&self, object_name: &str, object: &str, field: &str) -> Actor {
        let short = field.trim_end_matches("_role");
        let what = format!("is in a team that has {field} of {object_name}");
        let actor = self.user(&format!("team.{object_name}.{short}"), &what, json!({}));
        let team = self.server.team(&actor.name, self.home);
        let admin = self.server.as_admin();
        admin.attach(&format!("/api/v2/teams/{team}/users/"), actor.id);
        admin.attach(&format!("/api/v2/teams/{team}/roles/"), self.role(object, field));
        actor
    }

    /// A new user with a new definition with these permissions.
    pub fn defined(&self, name: &str, content_type: &str, object: i64, permissions: &[&str]) -> Actor {
        self.assign(self.user(name, "", json!({})), content_type, object, permissions)
    }

    /// The same user, with a new definition with these permissions.
    pub fn assign(&self, mut actor: Actor, content_type: &str, object: i64, permissions: &[&str]) -> Actor {
        let short: Vec<_> =
            permissions.iter().map(|name| name.split_once('.').map_or(*name, |(_, name)| name)).collect();
        actor.what = format!("is assigned a custom role: {}", short.join(", "));
        let admin = self.server.as_admin();
        let body = json!({"name": actor.name, "content_type": content_type, "permissions": permissions});
        let definition = admin.create("/api/v2/role_definitions/", body);
        admin.create(
            "/api/v2/role_user_assignments/",
            json!({"role_definition": definition, "user": actor.id, "object_id": object}),
        );
        actor
    }

    /// The actors of every table.
    pub fn usual(&self) -> Vec<Actor> {
        let server = &self.server;
        let root = self.user("root", "superuser", json!({"is_superuser": true}));
        let auditor = self.user("auditor", "system auditor", json!({"is_system_auditor": true}));
        let rival = self.user("rival", "admin of away", json!({}));
        server.as_admin().attach(&format!("{}admins/", self.away_path()), rival.id);
        let visitor = self.user("visitor", "member of away", json!({}));
        server.as_admin().attach(&format!("{}users/", self.away_path()), visitor.id);
        let stranger = self.user("stranger", "no role at all", json!({}));
        let token = root.client.post("/api/v2/tokens/", json!({"scope": "read"})).expect(201).json();
        let reader = Actor {
            name: "root, token to read".to_owned(),
            what: "superuser with a token without the scope write".to_owned(),
            client: server.with_token(token["token"].as_str().expect("a token")),
            id: root.id,
        };
        let anonymous =
            Actor { name: "anonymous".to_owned(), what: "not logged in".to_owned(), client: server.anonymous(), id: 0 };
        vec![root, auditor, rival, visitor, stranger, reader, anonymous]
    }

    /// Makes these actors members of `home` too, so that they see the users to whom they grant roles.
    pub fn all_members(&self, actors: Vec<Actor>) -> Vec<Actor> {
        for actor in &actors {
            self.server.as_admin().attach(&format!("{}users/", self.home_path()), actor.id);
        }
        actors
    }

    /// One user for each role of `home`.
    pub fn holders_of_home(&self) -> Vec<Actor> {
        ORGANIZATION_ROLES.iter().map(|field| self.holder("home", &self.home_path(), field)).collect()
    }

    /// One user for each role of `crew`.
    pub fn holders_of_crew(&self) -> Vec<Actor> {
        TEAM_ROLES.iter().map(|field| self.holder("crew", &self.crew_path(), field)).collect()
    }

    /// One user for each role of `site`, and one for some roles through a team.
    pub fn holders_of_site(&self) -> Vec<Actor> {
        let site = self.site_path();
        let own = PROJECT_ROLES.iter().map(|field| self.holder("site", &site, field));
        own.chain(["admin_role", "use_role"].iter().map(|field| self.through_team("site", &site, field))).collect()
    }
}

/// The body that creates a notification template in this organization.
pub fn webhook(name: &str, organization: i64) -> Value {
    json!({
        "name": name, "organization": organization, "notification_type": "webhook",
        "notification_configuration": {"url": "https://hook.example.org/x", "headers": {}},
    })
}
