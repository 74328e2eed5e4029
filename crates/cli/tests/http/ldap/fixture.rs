//! A server and its LDAP directory.

use hostler_testkit::browser::Browser;
use hostler_testkit::slapd::{READER, READER_PASSWORD, password_of};
use hostler_testkit::{Backend, Client, Response, Slapd, TestServer};
use serde_json::{Value as Json, json};

/// The root of the directory.
pub const BASE: &str = "dc=example,dc=org";

pub struct LdapFixture {
    pub server: TestServer,
    pub slapd: Slapd,
}

/// The name of a group.
pub fn group(name: &str) -> String {
    format!("cn={name},ou=groups,{BASE}")
}

/// The DN of a user's entry.
pub fn entry(uid: &str) -> String {
    format!("uid={uid},ou=people,{BASE}")
}

impl LdapFixture {
    /// Both, with the usual settings: search, then bind. None if slapd is not installed.
    pub fn start(backend: Backend) -> Option<Self> {
        let slapd = Slapd::start()?;
        let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
        let fixture = LdapFixture { server, slapd };
        fixture.configure(json!({
            "SERVER_URI": fixture.slapd.uri(),
            "BIND_DN": READER,
            "BIND_PASSWORD": READER_PASSWORD,
            "USER_SEARCH": [format!("ou=people,{BASE}"), "SCOPE_SUBTREE", "(uid=%(user)s)"],
            "USER_ATTR_MAP": {"first_name": "givenName", "last_name": "sn", "email": "mail"},
            "GROUP_SEARCH": [format!("ou=groups,{BASE}"), "SCOPE_SUBTREE", "(objectClass=groupOfNames)"],
            "GROUP_TYPE": "GroupOfNamesType",
        }));
        Some(fixture)
    }

    /// Changes settings of the first directory, by their names after the prefix.
    pub fn configure(&self, settings: Json) {
        self.configure_family("", settings);
    }

    /// Changes settings of the directory with this number.
    pub fn configure_family(&self, number: &str, settings: Json) {
        let settings = settings.as_object().expect("settings");
        let named = settings.iter().map(|(name, value)| (format!("AUTH_LDAP_{number}{name}"), value.clone()));
        self.server.configure("ldap", Json::Object(named.collect()));
    }

    /// A client of an LDAP user that sends name and password with each request.
    pub fn person(&self, uid: &str) -> Client {
        self.server.as_user(uid, &password_of(uid))
    }

    /// The same client, after a sign-in.
    pub fn me(&self, uid: &str) -> Json {
        self.person(uid).get("/api/v2/me/").expect(200).json()["results"][0].clone()
    }

    /// Opens a session, which always asks the directory.
    pub fn log_in(&self, uid: &str) -> Response {
        Browser::open(&self.server).log_in(&[("username", uid), ("password", &password_of(uid))])
    }

    /// The user as the administrator sees it.
    pub fn user(&self, name: &str) -> Json {
        self.server.as_admin().get(&format!("/api/v2/users/{name}/")).expect(200).json()
    }

    /// The activity entries about a user, without those of new sessions.
    pub fn activity(&self, name: &str) -> Vec<Json> {
        let id = self.user(name)["id"].as_i64().expect("an id");
        self.server.as_admin().results(&format!("/api/v2/users/{id}/activity_stream/"))
    }
}
