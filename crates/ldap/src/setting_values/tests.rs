use serde_json::{Value as Json, json};

use crate::config::Directory;
use crate::settings::{SETTINGS, validate_setting};

/// The value of a setting in the defaults.
fn default(name: &str) -> Json {
    (SETTINGS.iter().find(|setting| setting.name == name).unwrap().default)()
}

fn error(name: &str, value: &Json) -> Option<String> {
    validate_setting(name, value, &default).err()
}

#[test]
fn defaults_are_valid_and_disable_the_directory() {
    for setting in SETTINGS {
        assert_eq!(error(setting.name, &default(setting.name)), None, "{}", setting.name);
    }
    assert!(Directory::from_settings("AUTH_LDAP_", &default).unwrap().is_none());
    assert!(error("NO_SUCH_SETTING", &json!("")).is_some());
}

#[test]
fn valid_values_are_accepted() {
    for (name, value) in [
        ("SERVER_URI", json!("ldap://ldap.example.org")),
        ("SERVER_URI", json!("ldaps://a.example.org:3269,ldap://[::1]:3389/ ldap://localhost")),
        ("BIND_DN", json!("cn=reader,dc=example,dc=org")),
        ("BIND_DN", json!("EXAMPLE\\reader")),
        ("BIND_DN", json!("reader@example.org")),
        ("START_TLS", json!("true")),
        ("CONNECTION_OPTIONS", json!({})),
        ("CONNECTION_OPTIONS", json!({"OPT_REFERRALS": 0, "OPT_TIMEOUT": 5, "OPT_X_TLS_REQUIRE_CERT": 0})),
        ("CONNECTION_OPTIONS", json!({"OPT_X_TLS_NEWCTX": 0, "OPT_X_TLS_CACERTFILE": "/etc/ssl/ca.pem"})),
        ("USER_SEARCH", json!(["ou=people,dc=org", "SCOPE_SUBTREE", "(uid=%(user)s)"])),
        ("USER_SEARCH", json!([["ou=a", "SCOPE_BASE", "(a=%(user)s)"], ["ou=b", "SCOPE_ONELEVEL", "(a=%(user)s)"]])),
        ("USER_DN_TEMPLATE", json!("")),
        ("USER_DN_TEMPLATE", json!("uid=%(user)s,dc=org")),
        ("USER_ATTR_MAP", json!({"first_name": "givenName", "email": "mail"})),
        ("GROUP_SEARCH", json!(["dc=org", "SCOPE_SUBTREE", "(objectClass=group)"])),
        ("GROUP_TYPE", json!("NestedActiveDirectoryGroupType")),
        ("GROUP_TYPE_PARAMS", json!({"member_attr": "uniqueMember"})),
        ("REQUIRE_GROUP", json!("cn=a,dc=org")),
        ("DENY_GROUP", json!("")),
        ("USER_FLAGS_BY_GROUP", json!({"is_superuser": "cn=a", "is_system_auditor": ["cn=a", "cn=b"]})),
        ("ORGANIZATION_MAP", json!({"A": {"admins": true, "users": ["cn=a"], "remove_users": false}, "B": {}})),
        ("TEAM_MAP", json!({"T": {"organization": "A", "users": "cn=a", "remove": true}})),
    ] {
        assert_eq!(error(name, &value), None, "{name} {value}");
    }
}

#[test]
fn invalid_values_are_rejected_with_awx_messages() {
    let long = "x".repeat(600);
    for (name, value, message) in [
        ("SERVER_URI", json!(["ldap://a"]), "Not a valid string."),
        ("SERVER_URI", json!("http://a"), "Enter a valid URL."),
        ("SERVER_URI", json!("ldap://a ldap://"), "Enter a valid URL."),
        ("SERVER_URI", json!("ldap://user:secret@a"), "Enter a valid URL."),
        ("SERVER_URI", json!("ldap://a/dc=org"), "Enter a valid URL."),
        ("SERVER_URI", json!("ldap://a?x"), "Enter a valid URL."),
        ("SERVER_URI", json!("ldap.example.org"), "Enter a valid URL."),
        ("SERVER_URI", json!("ldap://a:99999"), "Enter a valid URL."),
        ("BIND_DN", json!("reader"), "Invalid DN: reader"),
        ("BIND_DN", json!("a b@c"), "Invalid DN: a b@c"),
        ("BIND_DN", json!(1), "Not a valid string."),
        ("START_TLS", json!("maybe"), "Must be a valid boolean."),
        ("CONNECTION_OPTIONS", json!([]), "Expected a dictionary of items but got type \"list\"."),
        ("CONNECTION_OPTIONS", json!({"B": 1, "A": 1}), "Invalid connection option(s): \"A\", \"B\"."),
        (
            "CONNECTION_OPTIONS",
            json!({"OPT_REFERRALS": 1}),
            "OPT_REFERRALS: referrals are not followed, so this can only be 0.",
        ),
        (
            "CONNECTION_OPTIONS",
            json!({"OPT_NETWORK_TIMEOUT": 0}),
            "OPT_NETWORK_TIMEOUT: a number of seconds from 1 to 300 is required.",
        ),
        (
            "CONNECTION_OPTIONS",
            json!({"OPT_X_TLS_REQUIRE_CERT": 5}),
            "OPT_X_TLS_REQUIRE_CERT: a number from 0 to 4 is required.",
        ),
        (
            "CONNECTION_OPTIONS",
            json!({"OPT_X_TLS_CACERTFILE": "ca.pem"}),
            "OPT_X_TLS_CACERTFILE: the full path of a file is required.",
        ),
        ("USER_SEARCH", json!("x"), "Expected a list of items but got type \"str\"."),
        ("USER_SEARCH", json!(["dc=org"]), "Expected a list of three items but got 1 instead."),
        ("USER_SEARCH", json!(["org", "SCOPE_BASE", "(a=%(user)s)"]), "Invalid DN: org"),
        ("USER_SEARCH", json!(["", "SCOPE_BASE", "(a=%(user)s)"]), "This field may not be blank."),
        ("USER_SEARCH", json!(["dc=org", "SUBTREE", "(a=%(user)s)"]), "\"SUBTREE\" is not a valid choice."),
        (
            "USER_SEARCH",
            json!(["dc=org", "SCOPE_BASE", "(a=b)"]),
            "DN must include \"%(user)s\" placeholder for username: (a=b)",
        ),
        ("USER_SEARCH", json!(["dc=org", "SCOPE_BASE", "(a=%(user)s"]), "Invalid filter: (a=%(user)s"),
        (
            "USER_SEARCH",
            json!([["dc=org", "SCOPE_BASE", "(a=%(user)s)"], ["dc=org", "x", "(a=%(user)s)"]]),
            "Element 2: \"x\" is not a valid choice.",
        ),
        ("USER_SEARCH", json!([[]]), "Element 1 is empty."),
        ("USER_DN_TEMPLATE", json!("uid=x"), "DN must include \"%(user)s\" placeholder for username: uid=x"),
        ("USER_DN_TEMPLATE", json!("%(user)s"), "Invalid DN: %(user)s"),
        ("USER_ATTR_MAP", json!({"username": "uid"}), "Invalid user attribute(s): \"username\"."),
        ("USER_ATTR_MAP", json!({"email": ""}), "This field may not be blank."),
        ("USER_ATTR_MAP", json!({"email": "m)(l"}), "email: \"m)(l\" is not the name of an attribute."),
        ("GROUP_SEARCH", json!(["dc=org", "SCOPE_BASE", "(cn=%(user)s)"]), "Invalid filter: (cn=%(user)s)"),
        ("GROUP_TYPE", json!("Group"), "\"Group\" is not a valid choice."),
        ("GROUP_TYPE_PARAMS", json!({"x": "y"}), "Invalid key(s): \"x\"."),
        ("GROUP_TYPE_PARAMS", json!({"member_attr": "a)(b"}), "member_attr: \"a)(b\" is not the name of an attribute."),
        ("REQUIRE_GROUP", json!("admins"), "Invalid DN: admins"),
        ("DENY_GROUP", json!(7), "Not a valid string."),
        ("USER_FLAGS_BY_GROUP", json!({"is_active": "cn=a"}), "Invalid user flag: \"is_active\"."),
        ("USER_FLAGS_BY_GROUP", json!({"is_superuser": []}), "is_superuser: This list may not be empty."),
        ("USER_FLAGS_BY_GROUP", json!({"is_superuser": "a"}), "is_superuser: Invalid DN: a"),
        ("ORGANIZATION_MAP", json!({"A": []}), "A: Expected a dictionary of items but got type \"list\"."),
        ("ORGANIZATION_MAP", json!({"A": {"remove": true}}), "A: remove: Invalid field."),
        ("ORGANIZATION_MAP", json!({"A": {"users": ["a"]}}), "A: users: Invalid DN: a"),
        (
            "ORGANIZATION_MAP",
            json!({"A": {"users": 1}}),
            "A: users: Expected None, True, False, a string or list of strings but got int instead.",
        ),
        ("ORGANIZATION_MAP", json!({"A": {"remove_users": 2}}), "A: remove_users: Must be a valid boolean."),
        ("ORGANIZATION_MAP", json!({" ": {}}), "This field may not be blank."),
        ("TEAM_MAP", json!({"T": {}}), "T: organization: This field is required."),
        ("TEAM_MAP", json!({"T": {"organization": ""}}), "T: organization: This field may not be blank."),
        ("TEAM_MAP", json!({"T": {"organization": "A", "admins": true}}), "T: admins: Invalid field."),
    ] {
        assert_eq!(error(name, &value).as_deref(), Some(message), "{name} {value}");
    }
    assert!(error("TEAM_MAP", &json!({long: {"organization": "A"}})).is_some());
}

#[test]
fn dependent_settings_are_validated_together() {
    let with =
        |name: &'static str, value: Json| move |asked: &str| if asked == name { value.clone() } else { default(asked) };
    let missing = validate_setting("GROUP_TYPE", &json!("MemberDNGroupType"), &with("GROUP_TYPE_PARAMS", json!({})));
    assert_eq!(missing, Err("Missing required parameters in GROUP_TYPE_PARAMS.".into()));
    let posix = with("GROUP_TYPE", json!("PosixGroupType"));
    assert_eq!(
        validate_setting("GROUP_TYPE_PARAMS", &json!({"name_attr": "cn"}), &posix),
        Ok(json!({"name_attr": "cn"}))
    );
    let strange = validate_setting("GROUP_TYPE_PARAMS", &json!({"member_attr": "member"}), &posix);
    assert_eq!(strange, Err("Invalid key(s): \"member_attr\".".into()));
    assert!(validate_setting("GROUP_TYPE_PARAMS", &default("GROUP_TYPE_PARAMS"), &posix).is_ok());
    assert_eq!(validate_setting("START_TLS", &json!("TRUE"), &default), Ok(json!(true)));
}

#[test]
fn incomplete_configuration_is_an_error() {
    let read = |settings: &Json| {
        let value = |name: &str| settings.get(name).cloned().unwrap_or_else(|| default(name));
        Directory::from_settings("AUTH_LDAP_1_", &value).map(|found| found.is_some()).map_err(|problem| problem.0)
    };
    let template = "uid=%(user)s,dc=org";
    assert_eq!(read(&json!({"SERVER_URI": "ldap://a", "USER_DN_TEMPLATE": template})), Ok(true));
    // Nobody could be found.
    assert_eq!(read(&json!({"SERVER_URI": "ldap://a"})), Err("AUTH_LDAP_1_USER_SEARCH".into()));
    // An empty password would make an anonymous bind of it.
    let settings = json!({"SERVER_URI": "ldap://a", "USER_DN_TEMPLATE": template, "BIND_DN": "cn=a"});
    assert_eq!(read(&settings), Err("AUTH_LDAP_1_BIND_PASSWORD".into()));
    // Without a group search, every group would seem to be empty.
    for (name, value) in [
        ("DENY_GROUP", json!("cn=a")),
        ("REQUIRE_GROUP", json!("cn=a")),
        ("USER_FLAGS_BY_GROUP", json!({"is_superuser": "cn=a"})),
        ("ORGANIZATION_MAP", json!({"A": {"users": "cn=a"}})),
        ("TEAM_MAP", json!({"T": {"organization": "A", "users": ["cn=a"]}})),
    ] {
        let settings = json!({"SERVER_URI": "ldap://a", "USER_DN_TEMPLATE": template, name: value});
        assert_eq!(read(&settings), Err("AUTH_LDAP_1_GROUP_SEARCH".into()), "{name}");
    }
    let all_users = json!({"A": {"users": true}});
    let settings = json!({"SERVER_URI": "ldap://a", "USER_DN_TEMPLATE": template, "ORGANIZATION_MAP": all_users});
    assert_eq!(read(&settings), Ok(true));
}
