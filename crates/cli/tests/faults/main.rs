//! What goes wrong in the world, and what the server makes of it: nothing half done, nothing untrue, and back to work
//! by itself.
#![allow(clippy::expect_used, clippy::panic, reason = "tests report by panicking")]

mod books;
mod full_disk;

use hostler_testkit::{Answer, Backend, Client, TestServer};

const BINARY: &str = env!("CARGO_BIN_EXE_hostler");
const ORGANIZATIONS: &str = "/api/v2/organizations/";
const HERE: &str = "/api/v2/me/";

fn start(backend: Backend) -> TestServer {
    TestServer::start(BINARY, backend)
}

/// A token of the first superuser, for whom no password has to be hashed.
fn token(server: &TestServer) -> Client {
    let made = server.as_admin().post("/api/v2/tokens/", serde_json::json!({"scope": "write"})).expect(201).json();
    server.with_token(made["token"].as_str().expect("a token"))
}

/// The text in `detail`, which every refusal has.
fn detail(answer: &Answer) -> String {
    answer.json()["detail"].as_str().unwrap_or_else(|| panic!("no detail in {answer}")).to_owned()
}
