//! OPTIONS of settings.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::json;

use crate::settings::{ALL, AUTHENTICATION, SYSTEM, set, start};

on_each_backend!(options_describe_every_setting);

fn options_describe_every_setting(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let actions = admin.options(AUTHENTICATION).expect(200).json()["actions"].clone();
    let (read, written) = (&actions["GET"]["SESSION_COOKIE_AGE"], &actions["PUT"]["SESSION_COOKIE_AGE"]);
    for words in [read, written] {
        assert_eq!(words["type"], "integer");
        assert_eq!(words["min_value"], 60);
        assert_eq!(words["category"], "Authentication");
        assert_eq!(words["category_slug"], "authentication");
        assert_eq!(words["unit"], "seconds");
        assert!(words["label"].is_string() && words["help_text"].is_string(), "{words}");
    }
    assert_eq!(read["defined_in_file"], false);
    let jobs = admin.options("/api/v2/settings/jobs/").expect(200).json()["actions"].clone();
    assert_eq!(jobs["GET"]["AWX_ISOLATION_BASE_PATH"]["defined_in_file"], true);
    assert_eq!((&written["default"], &written["required"]), (&json!(1800), &json!(true)));
    assert_eq!(actions["GET"]["OAUTH2_PROVIDER"]["type"], "nested object");
    assert_eq!(actions["PUT"]["OAUTH2_PROVIDER"]["child"]["min_value"], 1);
    let system = admin.options(SYSTEM).expect(200).json()["actions"].clone();
    assert_eq!(system["GET"]["PROXY_IP_ALLOWED_LIST"]["type"], "list");
    assert_eq!(system["PUT"]["PROXY_IP_ALLOWED_LIST"]["default"], json!([]));
    assert!(system["GET"]["INSTALL_UUID"].is_object() && system["PUT"]["INSTALL_UUID"].is_null());

    // Every setting has a description, and every default is a valid value.
    let values = admin.get(ALL).expect(200).json();
    let all = admin.options(ALL).expect(200).json()["actions"].clone();
    for (name, value) in values.as_object().expect("an object") {
        let words = &all["GET"][name];
        for key in ["label", "help_text"] {
            assert!(words[key].as_str().is_some_and(|text| !text.is_empty()), "{name} has no {key}");
        }
        if all["PUT"][name].is_object() {
            assert_eq!(&all["PUT"][name]["default"], value, "{name}");
            set(&server, ALL, json!({name: value}));
        }
    }
    server.user("ann").client.options(AUTHENTICATION).expect(403);
}
