//! The LDAP settings.

use hostler_testkit::slapd::READER_PASSWORD;
use hostler_testkit::{Backend, on_each_backend};
use serde_json::{Value as Json, json};

use crate::ldap::fixture::{BASE, LdapFixture};

const LDAP: &str = "/api/v2/settings/ldap/";

on_each_backend!(
    six_directories_can_be_configured,
    bind_password_is_stored_and_never_shown,
    invalid_values_are_rejected,
    settings_of_one_directory_are_validated_together,
    ldap_settings_require_superuser,
);

fn six_directories_can_be_configured(backend: Backend) {
    let Some(fixture) = LdapFixture::start(backend) else { return };
    let settings = fixture.server.as_admin().get(LDAP).expect(200).json();
    let settings = settings.as_object().expect("settings");
    assert_eq!(settings.len(), 6 * 16);
    for number in ["1", "2", "3", "4", "5"] {
        assert_eq!(settings[&format!("AUTH_LDAP_{number}_SERVER_URI")], "");
        assert_eq!(settings[&format!("AUTH_LDAP_{number}_GROUP_TYPE")], "MemberDNGroupType");
        assert_eq!(settings[&format!("AUTH_LDAP_{number}_USER_DN_TEMPLATE")], Json::Null);
    }
    let options = fixture.server.as_admin().options(LDAP).expect(200).json()["actions"].clone();
    let described = &options["PUT"]["AUTH_LDAP_2_GROUP_TYPE"];
    assert_eq!((&described["type"], &described["label"]), (&json!("choice"), &json!("LDAP Group Type")));
    assert_eq!(described["choices"].as_array().map(Vec::len), Some(12));
    assert_eq!(options["GET"]["AUTH_LDAP_USER_SEARCH"]["type"], "list");
}

fn bind_password_is_stored_and_never_shown(backend: Backend) {
    let Some(fixture) = LdapFixture::start(backend) else { return };
    let admin = fixture.server.as_admin();
    for path in [LDAP, "/api/v2/settings/all/", "/api/v2/settings/changed/"] {
        let shown = admin.get(path).expect(200).json();
        assert_eq!(shown["AUTH_LDAP_BIND_PASSWORD"], "$encrypted$", "{path}");
    }
    let entries = || admin.results("/api/v2/activity_stream/?object1=setting");
    let before = entries();
    // The response of GET can be sent back, and stored values are no changes.
    for kept in ["$encrypted$", READER_PASSWORD] {
        fixture.configure(json!({"BIND_PASSWORD": kept}));
    }
    let whole = admin.get(LDAP).expect(200).json();
    let shown = admin.put(LDAP, &whole).expect(200).json();
    assert_eq!(shown, whole);
    assert_eq!(entries().len(), before.len());
    fixture.log_in("ann").expect(302);
    fixture.configure(json!({"BIND_PASSWORD": "another one"}));
    fixture.log_in("ann").expect(401);
    fixture.configure(json!({"BIND_PASSWORD": ""}));
    assert_eq!(admin.get(LDAP).expect(200).json()["AUTH_LDAP_BIND_PASSWORD"], "");
    // The password appears neither in the activity stream, nor in the log, nor in the database.
    fixture.configure(json!({"BIND_PASSWORD": READER_PASSWORD}));
    let recorded = format!("{:?} {}", entries(), fixture.server.stderr());
    assert!(!recorded.contains(READER_PASSWORD) && !recorded.contains("another one"), "{recorded}");
    if backend == Backend::Sqlite {
        for file in std::fs::read_dir(fixture.server.data()).expect("the data") {
            let path = file.expect("a file").path();
            let bytes = if path.is_file() { std::fs::read(&path).expect("a readable file") } else { continue };
            let secret = READER_PASSWORD.as_bytes();
            assert!(!bytes.windows(secret.len()).any(|window| window == secret), "{}", path.display());
        }
    }
}

fn invalid_values_are_rejected(backend: Backend) {
    let Some(fixture) = LdapFixture::start(backend) else { return };
    let admin = fixture.server.as_admin();
    let before = admin.get(LDAP).expect(200).json();
    for (name, value, message) in [
        ("SERVER_URI", json!("http://ldap.example.org"), "Enter a valid URL."),
        ("BIND_DN", json!("reader"), "Invalid DN: reader"),
        ("START_TLS", json!("maybe"), "Must be a valid boolean."),
        ("START_TLS", json!(null), "This field may not be null."),
        ("CONNECTION_OPTIONS", json!({"OPT_DEBUG": 1}), "Invalid connection option(s): \"OPT_DEBUG\"."),
        ("USER_SEARCH", json!(["a", "b"]), "Expected a list of three items but got 2 instead."),
        ("USER_SEARCH", json!([BASE, "SUBTREE", "(uid=%(user)s)"]), "\"SUBTREE\" is not a valid choice."),
        ("USER_SEARCH", json!([BASE, "SCOPE_SUBTREE", "(uid=%(user)s"]), "Invalid filter: (uid=%(user)s"),
        ("USER_DN_TEMPLATE", json!("uid=ann"), "DN must include \"%(user)s\" placeholder for username: uid=ann"),
        ("USER_ATTR_MAP", json!({"username": "uid"}), "Invalid user attribute(s): \"username\"."),
        ("GROUP_SEARCH", json!([BASE, "SCOPE_SUBTREE", "cn=*"]), "Invalid filter: cn=*"),
        ("GROUP_TYPE", json!("NoSuchType"), "\"NoSuchType\" is not a valid choice."),
        ("REQUIRE_GROUP", json!("admins"), "Invalid DN: admins"),
        ("USER_FLAGS_BY_GROUP", json!({"is_active": "cn=a"}), "Invalid user flag: \"is_active\"."),
        ("ORGANIZATION_MAP", json!({"Acme": {"members": true}}), "Acme: members: Invalid field."),
        ("TEAM_MAP", json!({"Ops": {"users": true}}), "Ops: organization: This field is required."),
    ] {
        let name = format!("AUTH_LDAP_{name}");
        let good = json!("ldap://elsewhere.example.org");
        let answer = admin.patch(LDAP, json!({name.as_str(): value, "AUTH_LDAP_1_SERVER_URI": good})).expect(400);
        assert_eq!(answer.json(), json!({name: [message]}));
    }
    assert_eq!(admin.get(LDAP).expect(200).json(), before);
}

fn settings_of_one_directory_are_validated_together(backend: Backend) {
    let Some(fixture) = LdapFixture::start(backend) else { return };
    let admin = fixture.server.as_admin();
    let answer = admin.patch(
        LDAP,
        json!({"AUTH_LDAP_GROUP_TYPE": "PosixGroupType", "AUTH_LDAP_GROUP_TYPE_PARAMS": {"member_attr": "x"}}),
    );
    assert_eq!(answer.expect(400).json(), json!({"AUTH_LDAP_GROUP_TYPE_PARAMS": ["Invalid key(s): \"member_attr\"."]}));
    let answer = admin.patch(
        LDAP,
        json!({"AUTH_LDAP_GROUP_TYPE": "MemberDNGroupType", "AUTH_LDAP_GROUP_TYPE_PARAMS": {"name_attr": "cn"}}),
    );
    let missing = "Missing required parameters in GROUP_TYPE_PARAMS.";
    assert_eq!(answer.expect(400).json(), json!({"AUTH_LDAP_GROUP_TYPE": [missing]}));
    // Each further directory has its own values.
    fixture.configure_family("1_", json!({"GROUP_TYPE_PARAMS": {"member_attr": "x"}}));
}

fn ldap_settings_require_superuser(backend: Backend) {
    let Some(fixture) = LdapFixture::start(backend) else { return };
    let ann = fixture.person("ann");
    ann.get(LDAP).expect(403);
    ann.patch(LDAP, json!({"AUTH_LDAP_SERVER_URI": ""})).expect(403);
    fixture.server.anonymous().get(LDAP).expect(401);
}
