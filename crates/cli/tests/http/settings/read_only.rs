//! Read-only settings.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use crate::settings::{ALL, AUTHENTICATION, start};

on_each_backend!(read_only_settings_show_what_is_true, named_url_settings_follow_from_the_resources);

fn read_only_settings_show_what_is_true(backend: Backend) {
    let server = start(backend);
    let settings = server.as_admin().get(ALL).expect(200).json();
    assert_eq!(settings["IS_K8S"], false);
    assert_eq!(settings["LICENSE"], json!({}));
    assert_eq!(settings["INSIGHTS_TRACKING_STATE"], false);
    assert_eq!(settings["PENDO_TRACKING_STATE"], "off");
    assert_eq!(settings["AWX_ISOLATION_BASE_PATH"], "jobs");
    assert_eq!(settings["DEFAULT_CONTROL_PLANE_QUEUE_NAME"], "controlplane");
    assert_eq!(settings["DEFAULT_EXECUTION_QUEUE_NAME"], "default");
    assert_eq!(settings["AUTHENTICATION_BACKENDS"], json!(["awx.main.backends.AWXModelBackend"]));
    let directories =
        json!({"AUTH_LDAP_SERVER_URI": "ldap://127.0.0.1:1", "AUTH_LDAP_2_SERVER_URI": "ldap://127.0.0.1:1"});
    server.as_admin().patch("/api/v2/settings/ldap/", directories).expect(200);
    assert_eq!(
        server.as_admin().get(AUTHENTICATION).expect(200).json()["AUTHENTICATION_BACKENDS"],
        json!(["awx.sso.backends.LDAPBackend", "awx.sso.backends.LDAPBackend2", "awx.main.backends.AWXModelBackend",])
    );
}

fn named_url_settings_follow_from_the_resources(backend: Backend) {
    let server = start(backend);
    let settings = server.as_admin().get("/api/v2/settings/named-url/").expect(200).json();
    let formats = &settings["NAMED_URL_FORMATS"];
    assert_eq!(formats["users"], "<username>");
    assert_eq!(formats["teams"], "<name>++<organization.name>");
    assert_eq!(formats["credential_types"], "<name>+<kind>");
    let credentials = "<name>++<credential_type.name>+<credential_type.kind>++<organization.name>";
    assert_eq!(formats["credentials"], credentials);
    let nodes = &settings["NAMED_URL_GRAPH_NODES"];
    assert_eq!(nodes["teams"], json!({"fields": ["name"], "adj_list": [["organization", "organizations"]]}));
    assert_eq!(nodes["users"], json!({"fields": ["username"], "adj_list": []}));
    server.as_admin().delete("/api/v2/settings/named-url/").expect(204);
    assert_eq!(server.as_admin().get("/api/v2/settings/named-url/").expect(200).json(), settings);
}
