//! Settings: permissions, values, and the effect of each setting.

mod activity_stream;
mod changing;
mod command_line;
mod cookies;
mod document;
mod external_users;
mod login_page;
mod nodes;
mod options;
mod organization_admins;
mod passwords;
mod permissions;
mod proxies;
mod read_only;
mod recording;
mod session_age;
mod sessions;
mod values;

use hostler_testkit::{Backend, Response, TestServer};
use serde_json::Value;

const AUTHENTICATION: &str = "/api/v2/settings/authentication/";
const SYSTEM: &str = "/api/v2/settings/system/";
const UI: &str = "/api/v2/settings/ui/";
const ALL: &str = "/api/v2/settings/all/";
const CHANGED: &str = "/api/v2/settings/changed/";

fn start(backend: Backend) -> TestServer {
    TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend)
}

/// Changes settings as the first superuser.
fn set(server: &TestServer, path: &str, values: Value) -> Response {
    server.as_admin().patch(path, values).expect(200)
}

/// The entries of the activity stream about settings, latest first.
fn entries(server: &TestServer) -> Vec<Value> {
    server.as_admin().results("/api/v2/activity_stream/?object1=setting&order_by=-id")
}

/// Whether this condition is true in the database.
fn holds(server: &TestServer, condition: &str) -> bool {
    server.execute("UPDATE users SET last_name = '' WHERE id = 1");
    server.execute(&format!("UPDATE users SET last_name = 'holds' WHERE id = 1 AND {condition}"));
    server.as_admin().get("/api/v2/users/1/").expect(200).json()["last_name"] == "holds"
}
