//! `hostler setting` on the data of a running server.

use std::process::Output;

use hostler_testkit::{Backend, TestServer, command, on_each_backend};
use serde_json::json;

use crate::settings::{AUTHENTICATION, SYSTEM, UI, entries, start};

on_each_backend!(
    command_line_settings_apply_at_once,
    command_line_enables_local_logins_again,
    invalid_command_line_settings_are_rejected,
);

fn setting(server: &TestServer, arguments: &[&str]) -> Output {
    let mut command = command(env!("CARGO_BIN_EXE_hostler"));
    command.arg("setting").arg(arguments[0]).arg("--data").arg(server.data());
    if let Some(url) = server.database_url() {
        command.args(["--database", &url]);
    }
    command.args(&arguments[1..]).output().expect("the binary runs")
}

fn well(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn command_line_settings_apply_at_once(backend: Backend) {
    let server = start(backend);
    let value = |path: &str, name: &str| server.as_admin().get(path).expect(200).json()[name].clone();
    for round in 2..5 {
        well(&setting(&server, &["set", "SESSIONS_PER_USER", &round.to_string()]));
        assert_eq!(value(AUTHENTICATION, "SESSIONS_PER_USER"), round);
    }
    well(&setting(&server, &["set", "SESSIONS_PER_USER", "-1"]));
    assert_eq!(value(AUTHENTICATION, "SESSIONS_PER_USER"), -1);
    // A value that is not JSON is a string.
    well(&setting(&server, &["set", "CUSTOM_LOGIN_INFO", "Only for staff"]));
    assert_eq!(value(UI, "CUSTOM_LOGIN_INFO"), "Only for staff");
    well(&setting(&server, &["set", "PROXY_IP_ALLOWED_LIST", "[\"10.0.0.1\"]"]));
    assert_eq!(value(SYSTEM, "PROXY_IP_ALLOWED_LIST"), json!(["10.0.0.1"]));
    let list = well(&setting(&server, &["list"]));
    assert!(list.contains("CUSTOM_LOGIN_INFO\t\"Only for staff\"\tchanged\n"), "{list}");
    assert!(list.contains("SESSION_COOKIE_AGE\t1800\n"), "{list}");
    well(&setting(&server, &["reset", "CUSTOM_LOGIN_INFO"]));
    assert_eq!(value(UI, "CUSTOM_LOGIN_INFO"), "");
    let latest = &entries(&server)[0];
    assert_eq!((&latest["operation"], &latest["action_node"]), (&json!("delete"), &json!("command-line")));
    assert!(latest["summary_fields"]["actor"].is_null(), "{latest}");
}

fn command_line_enables_local_logins_again(backend: Backend) {
    let server = start(backend);
    server.execute("INSERT INTO settings (name, value) VALUES ('DISABLE_LOCAL_AUTH', 'true')");
    server.as_admin().get("/api/v2/me/").expect(401);
    well(&setting(&server, &["set", "DISABLE_LOCAL_AUTH", "false"]));
    server.as_admin().get("/api/v2/me/").expect(200);
}

fn invalid_command_line_settings_are_rejected(backend: Backend) {
    let server = start(backend);
    for (arguments, words) in [
        (&["set", "NO_SUCH_SETTING", "1"][..], "there is no setting NO_SUCH_SETTING"),
        (&["reset", "no_such_setting"], "there is no setting no_such_setting"),
        (&["set", "INSTALL_UUID", "1"], "INSTALL_UUID is read-only"),
        (&["set", "SESSION_COOKIE_AGE", "1"], "SESSION_COOKIE_AGE was not changed: Ensure this value is greater than"),
        (&["set", "DISABLE_LOCAL_AUTH", "true"], "There are no remote authentication systems configured."),
        (
            &["set", "OAUTH2_PROVIDER", "{\"ACCESS_TOKEN_EXPIRE_SECONDS\": 0}"],
            "ACCESS_TOKEN_EXPIRE_SECONDS: Ensure this value is greater than or equal to 1.",
        ),
    ] {
        let output = setting(&server, arguments);
        let output_text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && output_text.contains(words), "{arguments:?}: {output_text}");
    }
    assert_eq!(server.as_admin().get("/api/v2/settings/changed/").expect(200).json(), json!({}));
}
