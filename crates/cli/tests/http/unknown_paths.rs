//! Paths without their final slash, and unknown paths.

use hostler_testkit::{Backend, TestServer, on_each_backend};
use serde_json::json;

on_each_backend!(missing_slash_keeps_the_method, unknown_path_is_json_unless_html_is_asked_for);

fn start(backend: Backend) -> TestServer {
    TestServer::start(env!("CARGO_BIN_EXE_hostler"), backend)
}

fn missing_slash_keeps_the_method(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    for (method, path, status) in [
        ("GET", "/api/v2/organizations", 301),
        ("HEAD", "/api/v2/organizations", 301),
        ("OPTIONS", "/api/v2/organizations", 301),
        ("POST", "/api/v2/organizations", 308),
        ("PATCH", "/api/v2/users/1", 308),
        ("PUT", "/api/v2/users/1", 308),
        ("DELETE", "/api/v2/users/1", 308),
        ("POST", "/api/v2/users/1/roles", 308),
        ("PATCH", "/api/v2/settings/system", 308),
        ("POST", "/api/login", 308),
        ("POST", "/api/o/token", 308),
    ] {
        let redirect = admin.request(method, path).json(json!({"name": "S"})).send().expect(status);
        assert_eq!(redirect.header("Location"), Some(format!("{path}/")), "{method} {path}");
    }
    let redirect = admin.post("/api/v2/organizations?format=json&x=%2F", json!({})).expect(308);
    assert_eq!(redirect.header("Location"), Some("/api/v2/organizations/?format=json&x=%2F".to_owned()));
    assert_eq!(admin.get("/api/v2/organizations/?name=S").expect(200).json()["count"], 0);
}

fn unknown_path_is_json_unless_html_is_asked_for(backend: Backend) {
    let server = start(backend);
    for client in [server.as_admin(), server.anonymous()] {
        for path in ["/api/v2/nothing/", "/api/v2/nothing", "/api/v3/", "/api/v2/users/1/nothing/", "/nothing"] {
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
                for accept in ["application/json", "*/*"] {
                    let request = client.request(method, path).header("Accept", accept);
                    let response = request.json(json!({"name": "S"})).send().expect(404);
                    assert_eq!(response.json(), json!({"detail": "Not found."}), "{method} {path}");
                }
            }
        }
        let page = client.request("GET", "/api/v2/nothing/").header("Accept", "text/html").send().expect(404);
        assert!(page.text().contains("<h1>Not Found</h1>"), "{page}");
    }
}
