//! What an empty database gets.

use hostler_testkit::{Backend, TestServer, on_each_backend};
use serde_json::json;

on_each_backend!(empty_database_gets_the_demo_once);

fn empty_database_gets_the_demo_once(backend: Backend) {
    let mut server = TestServer::start_with(env!("CARGO_BIN_EXE_hostler"), backend, &[("HOSTLER_NO_DEMO", "0")]);
    let admin = server.as_admin();
    let one = |path: &str| {
        let found = admin.results(path);
        assert_eq!(found.len(), 1, "{path}");
        found.into_iter().next().unwrap_or_default()
    };
    let template = one("/api/v2/job_templates/");
    assert_eq!(
        (template["name"].as_str(), template["playbook"].as_str()),
        (Some("Demo Job Template"), Some("hello_world.yml"))
    );
    let named = |key: &str| template["summary_fields"][key]["name"].clone();
    assert_eq!(
        [named("organization"), named("inventory"), named("project")],
        ["Default", "Demo Inventory", "Demo Project"]
    );
    assert_eq!(template["summary_fields"]["credentials"][0]["name"], "Demo Credential");
    assert_eq!(one("/api/v2/hosts/")["name"], "localhost");
    let galaxy = one("/api/v2/organizations/1/galaxy_credentials/");
    assert_eq!(galaxy["managed"], json!(true));
    let launch = format!("{}launch/", template["url"].as_str().expect("a path"));
    assert_eq!(admin.get(&launch).expect(200).json()["can_start_without_user_input"], json!(true));
    // What was deleted does not come back.
    admin.delete(template["url"].as_str().expect("a path")).expect(204);
    server.restart();
    assert_eq!(server.as_admin().get("/api/v2/job_templates/").expect(200).json()["count"], 0);
}
