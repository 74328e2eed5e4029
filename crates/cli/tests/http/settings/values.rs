//! Valid values of each kind of setting, and the errors for others.

use hostler_testkit::{Backend, on_each_backend};
use serde_json::{Value, json};

use crate::settings::{ALL, start};

on_each_backend!(values_are_validated_by_type);

fn values_are_validated_by_type(backend: Backend) {
    let server = start(backend);
    let admin = server.as_admin();
    let taken = [
        ("AUTH_BASIC_ENABLED", json!("yes"), json!(true)),
        ("SESSIONS_PER_USER", json!("7"), json!(7)),
        ("LOGIN_REDIRECT_OVERRIDE", json!("  https://sso.example.org/start "), json!("https://sso.example.org/start")),
        ("LOGIN_REDIRECT_OVERRIDE", json!(""), json!("")),
        ("TOWER_URL_BASE", json!("http://awx:8052"), json!("http://awx:8052")),
        ("REMOTE_HOST_HEADERS", json!(["HTTP_X_REAL_IP", "REMOTE_ADDR"]), json!(["HTTP_X_REAL_IP", "REMOTE_ADDR"])),
        ("PROXY_IP_ALLOWED_LIST", json!(["10.0.0.0/8", "2001:db8::1"]), json!(["10.0.0.0/8", "2001:db8::1"])),
        (
            "CSRF_TRUSTED_ORIGINS",
            json!(["https://*.example.org", "http://awx:8052"]),
            json!(["https://*.example.org", "http://awx:8052"]),
        ),
        ("CUSTOM_LOGO", json!("data:image/png;base64,AAAA"), json!("data:image/png;base64,AAAA")),
    ];
    for (name, sent, stored) in taken {
        let answer = admin.patch(ALL, json!({name: sent})).expect(200).json();
        assert_eq!(answer[name], stored, "{name}");
        assert_eq!(admin.get(ALL).expect(200).json()[name], stored, "{name}");
    }
    let number = |least: i64| json!([format!("Ensure this value is greater than or equal to {least}.")]);
    let address = json!(["Enter a valid URL"]);
    let list = |words: &str| json!([format!("Expected a list of items but got type \"{words}\".")]);
    let logo = "Invalid format for custom logo. Must be a data URL with a base64-encoded GIF, PNG or JPEG image.";
    let refused: Vec<(&str, Value, Value)> = vec![
        ("AUTH_BASIC_ENABLED", json!(null), json!(["This field may not be null."])),
        ("AUTH_BASIC_ENABLED", json!({}), json!(["Must be a valid boolean."])),
        ("SESSIONS_PER_USER", json!(-2), number(-1)),
        ("SESSIONS_PER_USER", json!(1.5), json!(["A valid integer is required."])),
        ("SESSIONS_PER_USER", json!("many"), json!(["A valid integer is required."])),
        ("LOCAL_PASSWORD_MIN_LENGTH", json!(129), json!(["Ensure this value is less than or equal to 128."])),
        ("LOGIN_REDIRECT_OVERRIDE", json!("javascript:alert(1)"), address.clone()),
        ("LOGIN_REDIRECT_OVERRIDE", json!("//evil.example/"), address.clone()),
        ("LOGIN_REDIRECT_OVERRIDE", json!("/\\evil.example/"), address.clone()),
        ("LOGIN_REDIRECT_OVERRIDE", json!("/a\r\nSet-Cookie: a=b"), address.clone()),
        ("TOWER_URL_BASE", json!("awx.example.org"), address.clone()),
        ("TOWER_URL_BASE", json!("ftp://awx.example.org"), address.clone()),
        ("TOWER_URL_BASE", json!("https://me:secret@awx.example.org"), address),
        ("CUSTOM_LOGIN_INFO", json!(["a"]), json!(["Not a valid string."])),
        ("CUSTOM_LOGIN_INFO", json!("a\0"), json!(["Null characters are not allowed."])),
        (
            "CUSTOM_LOGIN_INFO",
            json!("a".repeat(10_001)),
            json!(["Ensure this field has no more than 10000 characters."]),
        ),
        ("CUSTOM_LOGO", json!("data:image/svg+xml;base64,AAAA"), json!([logo])),
        ("CUSTOM_LOGO", json!("data:image/png;base64,\"onload=\""), json!([logo])),
        ("CUSTOM_LOGO", json!("https://example.org/logo.png"), json!([logo])),
        ("CUSTOM_LOGO", json!("data:image/png;base64,A==="), json!(["Invalid base64-encoded data in data URL."])),
        ("REMOTE_HOST_HEADERS", json!("REMOTE_ADDR"), list("str")),
        ("REMOTE_HOST_HEADERS", json!(7), list("int")),
        ("REMOTE_HOST_HEADERS", json!(["REMOTE_ADDR", ""]), json!({"1": ["This field may not be blank."]})),
        ("REMOTE_HOST_HEADERS", json!([true]), json!({"0": ["Not a valid string."]})),
        (
            "REMOTE_HOST_HEADERS",
            json!(["X-Real-IP"]),
            json!({"0": ["\"X-Real-IP\" is neither REMOTE_ADDR nor a header such as HTTP_X_FORWARDED_FOR."]}),
        ),
        (
            "PROXY_IP_ALLOWED_LIST",
            json!(["10.0.0.1", "proxy"]),
            json!({"1": ["\"proxy\" is neither an IP address nor a network such as 10.0.0.0/8."]}),
        ),
        (
            "CSRF_TRUSTED_ORIGINS",
            json!(["https://a.example.org", "a.example.org", "https://a.example.org/x", "ftp://a.example.org"]),
            json!({
                "1": ["\"a.example.org\" is not an origin such as https://awx.example.org."],
                "2": ["\"https://a.example.org/x\" is not an origin such as https://awx.example.org."],
                "3": ["\"ftp://a.example.org\" is not an origin such as https://awx.example.org."],
            }),
        ),
        ("OAUTH2_PROVIDER", json!([]), json!(["Expected a dictionary of items but got type \"list\"."])),
        ("OAUTH2_PROVIDER", json!({"FOR_EVER": 1}), json!(["Invalid key names: FOR_EVER"])),
        (
            "OAUTH2_PROVIDER",
            json!({"ACCESS_TOKEN_EXPIRE_SECONDS": 0}),
            json!({"ACCESS_TOKEN_EXPIRE_SECONDS": ["Ensure this value is greater than or equal to 1."]}),
        ),
    ];
    let before = admin.get(ALL).expect(200).json();
    for (name, sent, problem) in refused {
        let answer = admin.patch(ALL, json!({name: sent})).expect(400).json();
        assert_eq!(answer, json!({name: problem}), "{name}: {sent}");
    }
    assert_eq!(admin.get(ALL).expect(200).json(), before);
}
