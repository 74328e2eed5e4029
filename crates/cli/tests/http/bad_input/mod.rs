//! Invalid requests: each is rejected with a message and writes nothing, and the server keeps running.

mod bodies;
mod requests;

use hostler_testkit::{Backend, Client, Response, TestServer};
use serde_json::Value;

const USERS: &str = "/api/v2/users/";

/// A server with one user, and the initial content of its database.
struct BadInputFixture {
    server: TestServer,
    admin: Client,
    user: String,
    before: Vec<Value>,
}

fn start(backend: Backend) -> BadInputFixture {
    let server = TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend);
    let user = server.user("ann").path();
    let admin = server.as_admin();
    let before = state(&admin);
    BadInputFixture { server, admin, user, before }
}

fn state(admin: &Client) -> Vec<Value> {
    ["users", "organizations", "teams", "labels", "tokens", "activity_stream"]
        .iter()
        .flat_map(|list| admin.results(&format!("/api/v2/{list}/?order_by=id")))
        .collect()
}

impl BadInputFixture {
    /// The response is a 4xx with an error message.
    fn refused(&self, answer: Response) {
        let name: String = answer.to_string().chars().take(500).collect();
        assert!((400..500).contains(&answer.status), "{name}");
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("no JSON: {name}"));
        let has_words = body
            .as_object()
            .is_some_and(|fields| fields.values().any(|error| error.is_string() || error[0].is_string()));
        assert!(has_words, "no words: {name}");
        assert!(!body.to_string().contains("SQL") && !name.contains("panic"), "too many words: {name}");
        self.lives();
    }

    fn lives(&self) {
        self.server.anonymous().get("/api/v2/ping/").expect(200);
    }

    /// Nothing was written.
    fn unchanged(&self) {
        assert!(state(&self.admin) == self.before, "something was written");
    }

    fn send(&self, method: &str, path: &str, body: impl Into<Vec<u8>>) -> Response {
        self.admin.request(method, path).header("Content-Type", "application/json").body(body).send()
    }
}
