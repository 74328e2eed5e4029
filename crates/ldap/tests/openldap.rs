//! Signing in against OpenLDAP.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test reports by panicking")]

use hostler_ldap::{Directory, LdapUser, SETTINGS, SignInError, validate_setting};
use hostler_testkit::Slapd;
use hostler_testkit::slapd::{READER, READER_PASSWORD, password_of};
use serde_json::{Map, Value as Json, json};

const BASE: &str = "dc=example,dc=org";

/// A directory with these settings, and defaults for the others.
fn directory(settings: Json) -> Directory {
    let settings: Map<String, Json> = settings.as_object().expect("settings").clone();
    let value = |name: &str| {
        let default = || SETTINGS.iter().find(|setting| setting.name == name).map(|setting| (setting.default)());
        settings.get(name).cloned().or_else(default).expect("a setting")
    };
    for name in settings.keys() {
        validate_setting(name, &settings[name], &value).unwrap_or_else(|problem| panic!("{name}: {problem}"));
    }
    Directory::from_settings("AUTH_LDAP_", &value).expect("settings that make sense").expect("a server")
}

/// The usual settings: search with the reader's name, then bind.
fn searching(slapd: &Slapd, more: Json) -> Directory {
    let mut settings = json!({
        "SERVER_URI": slapd.uri(),
        "BIND_DN": READER,
        "BIND_PASSWORD": READER_PASSWORD,
        "USER_SEARCH": [format!("ou=people,{BASE}"), "SCOPE_ONELEVEL", "(uid=%(user)s)"],
        "USER_ATTR_MAP": {"first_name": "givenName", "last_name": "sn", "email": "mail"},
        "GROUP_SEARCH": [format!("ou=groups,{BASE}"), "SCOPE_SUBTREE", "(objectClass=*)"],
    });
    for (name, value) in more.as_object().expect("settings") {
        settings[name] = value.clone();
    }
    directory(settings)
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}

fn sign_in(directory: &Directory, username: &str, password: &str) -> Result<LdapUser, SignInError> {
    wait(directory.sign_in(username, password))
}

/// A user of the directory, with the right password.
fn person(directory: &Directory, uid: &str) -> LdapUser {
    sign_in(directory, uid, &password_of(uid)).unwrap_or_else(|refusal| panic!("{uid}: {refusal}"))
}

fn unavailable(directory: &Directory) -> String {
    match sign_in(directory, "ann", &password_of("ann")) {
        Err(SignInError::Unavailable(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn user_signs_in_by_search_and_bind() {
    let Some(slapd) = Slapd::start() else { return };
    let directory = searching(&slapd, json!({}));
    let ann = person(&directory, "ann");
    assert_eq!(ann.dn, format!("uid=ann,ou=people,{BASE}"));
    let fields: Vec<(&str, &str)> = ann.fields.iter().map(|(field, value)| (*field, value.as_str())).collect();
    assert_eq!(fields, [("email", "ann@example.org"), ("first_name", "Ann"), ("last_name", "Smith")]);
    // Attributes that the entry lacks keep their values.
    assert!(!person(&directory, "carol").fields.contains_key("email"));
    // As in AWX, spaces around a username are ignored.
    assert!(sign_in(&directory, " ann ", &password_of("ann")).is_ok());
}

#[test]
fn wrong_password_is_rejected() {
    let Some(slapd) = Slapd::start() else { return };
    let by_template = directory(json!({
        "SERVER_URI": slapd.uri(), "USER_DN_TEMPLATE": format!("uid=%(user)s,ou=people,{BASE}"),
    }));
    for directory in [searching(&slapd, json!({})), by_template] {
        for wrong in ["", "wrong", "ann knows this ", "Ann knows this", READER_PASSWORD, "*", "\0"] {
            let refusal = sign_in(&directory, "ann", wrong).expect_err(wrong);
            assert!(matches!(refusal, SignInError::WrongPassword), "{wrong:?}: {refusal}");
        }
        assert!(sign_in(&directory, "ann", &password_of("ann")).is_ok());
        assert!(sign_in(&directory, "", &password_of("ann")).is_err());
        assert!(sign_in(&directory, "nobody", &password_of("ann")).is_err());
    }
}

#[test]
fn username_cannot_inject_filters_or_dns() {
    let Some(slapd) = Slapd::start() else { return };
    let template = directory(json!({
        "SERVER_URI": slapd.uri(), "USER_DN_TEMPLATE": format!("uid=%(user)s,ou=people,{BASE}"),
    }));
    let everywhere = json!({"USER_SEARCH": [BASE, "SCOPE_SUBTREE", "(&(objectClass=person)(uid=%(user)s))"]});
    let searched = searching(&slapd, everywhere);
    for name in [
        "*",
        "a*",
        "an?",
        "ann)(uid=*",
        "*)(uid=ann))(|(uid=*",
        "ann)",
        "(ann",
        "ann,ou=people,dc=example,dc=org",
        "ann,ou=people",
        "ann+cn=Ann Smith",
        "\\61nn",
        "ann\\",
        "ann\0",
        "ann\0*",
        "%(user)s",
        "\"ann\"",
        "#616e6e",
        "ann;",
        "ann=",
    ] {
        for directory in [&template, &searched] {
            let refusal = sign_in(directory, name, &password_of("ann")).expect_err(name);
            assert!(!matches!(refusal, SignInError::Unavailable(_)), "{name:?}: {refusal}");
        }
    }
}

#[test]
fn ambiguous_username_is_rejected() {
    let Some(slapd) = Slapd::start() else { return };
    let everywhere = searching(&slapd, json!({"USER_SEARCH": [BASE, "SCOPE_SUBTREE", "(uid=%(user)s)"]}));
    assert!(matches!(sign_in(&everywhere, "twin", &password_of("twin")), Err(SignInError::NotFound(2))));
    let search = |ou: &str| json!([format!("ou={ou},{BASE}"), "SCOPE_ONELEVEL", "(uid=%(user)s)"]);
    let both = searching(&slapd, json!({"USER_SEARCH": [search("people"), search("contractors"), search("gone")]}));
    assert!(matches!(sign_in(&both, "twin", &password_of("twin")), Err(SignInError::NotFound(2))));
    assert_eq!(person(&both, "ann").fields["first_name"], "Ann");
    assert_eq!(person(&both, "dave").fields["first_name"], "Dave");
    // An entry that is found twice is not ambiguous.
    let twice = searching(&slapd, json!({"USER_SEARCH": [search("people"), search("people")]}));
    assert_eq!(person(&twice, "ann").fields["first_name"], "Ann");
}

#[test]
fn search_scope_is_respected() {
    let Some(slapd) = Slapd::start() else { return };
    for (base, scope, is_found) in [
        (BASE.to_owned(), "SCOPE_SUBTREE", true),
        (BASE.to_owned(), "SCOPE_ONELEVEL", false),
        (BASE.to_owned(), "SCOPE_BASE", false),
        (format!("ou=people,{BASE}"), "SCOPE_ONELEVEL", true),
        (format!("uid=ann,ou=people,{BASE}"), "SCOPE_BASE", true),
    ] {
        let directory = searching(&slapd, json!({"USER_SEARCH": [base, scope, "(uid=%(user)s)"]}));
        assert_eq!(sign_in(&directory, "ann", &password_of("ann")).is_ok(), is_found, "{base} {scope}");
    }
}

#[test]
fn tls_certificates_are_verified() {
    let Some(slapd) = Slapd::start() else { return };
    let tls = [json!({"SERVER_URI": slapd.uri(), "START_TLS": true}), json!({"SERVER_URI": slapd.tls_uri()})];
    for mut settings in tls {
        settings["CONNECTION_OPTIONS"] = json!({"OPT_X_TLS_CACERTFILE": slapd.ca_file()});
        assert_eq!(person(&searching(&slapd, settings.clone()), "ann").fields["first_name"], "Ann");
        settings["CONNECTION_OPTIONS"] = json!({"OPT_X_TLS_REQUIRE_CERT": 0});
        assert_eq!(person(&searching(&slapd, settings.clone()), "ann").fields["first_name"], "Ann");
        // The issuer is not trusted, neither by the system, which may have no certificates, nor by the file.
        settings["CONNECTION_OPTIONS"] = json!({"OPT_X_TLS_CACERTFILE": slapd.unrelated_ca_file()});
        let why = unavailable(&searching(&slapd, settings.clone()));
        assert!(why.contains("certificate"), "{why}");
        settings["CONNECTION_OPTIONS"] = json!({});
        let why = unavailable(&searching(&slapd, settings.clone()));
        assert!(why.contains("certificate"), "{why}");
        settings["CONNECTION_OPTIONS"] = json!({"OPT_X_TLS_CACERTFILE": "/nonexistent/ca.pem"});
        let why = unavailable(&searching(&slapd, settings));
        assert!(why.contains("/nonexistent/ca.pem"), "{why}");
    }
    // Each kind of port rejects the other protocol.
    let plain_as_tls = slapd.uri().replace("ldap:", "ldaps:");
    let why = unavailable(&searching(&slapd, json!({"SERVER_URI": plain_as_tls})));
    assert!(why.contains("127.0.0.1"), "{why}");
}

#[test]
fn server_addresses_are_tried_in_order() {
    let Some(mut slapd) = Slapd::start() else { return };
    let closed = "ldap://127.0.0.1:1";
    let both = searching(&slapd, json!({"SERVER_URI": format!("{closed}, {}", slapd.uri())}));
    assert_eq!(person(&both, "ann").fields["first_name"], "Ann");
    slapd.stop();
    let why = unavailable(&both);
    assert!(why.contains(closed) && why.contains(&slapd.uri()), "{why}");
    slapd.restart();
    assert_eq!(person(&both, "ann").fields["first_name"], "Ann");
}

#[test]
fn wrong_bind_dn_is_not_a_wrong_password() {
    let Some(slapd) = Slapd::start() else { return };
    let why = unavailable(&searching(&slapd, json!({"BIND_PASSWORD": "wrong"})));
    assert!(why.contains("BIND_DN") && !why.contains("wrong"), "{why}");
}

#[test]
fn groups_are_read_as_the_user_without_bind_dn() {
    let Some(slapd) = Slapd::start() else { return };
    // Anonymous clients can read nothing in this directory.
    let directory = directory(json!({
        "SERVER_URI": slapd.uri(),
        "USER_DN_TEMPLATE": format!("uid=%(user)s,ou=people,{BASE}"),
        "USER_ATTR_MAP": {"first_name": "givenName"},
        "GROUP_SEARCH": [format!("ou=groups,{BASE}"), "SCOPE_SUBTREE", "(objectClass=groupOfNames)"],
        "USER_FLAGS_BY_GROUP": {"is_superuser": format!("cn=admins,ou=groups,{BASE}")},
    }));
    let ann = person(&directory, "ann");
    assert_eq!(ann.fields["first_name"], "Ann");
    assert!(ann.flags["is_superuser"]);
    assert!(!person(&directory, "bob").flags["is_superuser"]);
}

/// Whether a user is in a group of this type.
fn is_member(slapd: &Slapd, kind: &str, params: Json, group: &str, uid: &str) -> bool {
    let group = format!("CN={group}, ou=groups,{BASE}");
    let by_map = searching(
        slapd,
        json!({
            "GROUP_TYPE": kind, "GROUP_TYPE_PARAMS": params,
            "ORGANIZATION_MAP": {"Acme": {"users": group}},
            "USER_FLAGS_BY_GROUP": {"is_superuser": [group]},
        }),
    );
    let person = person(&by_map, uid);
    let [role] = person.roles.as_slice() else { panic!("{:?}", person.roles) };
    assert_eq!(role.granted, person.flags["is_superuser"], "{kind} {group} {uid}");
    role.granted
}

#[test]
fn every_group_type_finds_memberships() {
    let Some(slapd) = Slapd::start() else { return };
    let (name, member) = (json!({"name_attr": "cn"}), json!({"member_attr": "member"}));
    for (kind, params, group, members) in [
        ("MemberDNGroupType", &member, "ops", "ann bob"),
        ("MemberDNGroupType", &json!({"member_attr": "uniqueMember"}), "unique", "carol"),
        ("MemberDNGroupType", &member, "staff", ""),
        ("NestedMemberDNGroupType", &member, "staff", "ann bob"),
        ("GroupOfNamesType", &name, "ops", "ann bob"),
        ("GroupOfNamesType", &name, "everybody", ""),
        ("NestedGroupOfNamesType", &name, "everybody", "ann bob"),
        ("GroupOfUniqueNamesType", &name, "unique", "carol"),
        ("NestedGroupOfUniqueNamesType", &name, "unique", "carol"),
        ("ActiveDirectoryGroupType", &name, "ops", "ann bob"),
        ("NestedActiveDirectoryGroupType", &name, "staff", "ann bob"),
        ("OrganizationalRoleGroupType", &name, "occupants", "bob"),
        ("NestedOrganizationalRoleGroupType", &name, "occupants", "bob"),
        ("PosixGroupType", &name, "unix", "bob"),
        ("PosixGroupType", &name, "primary", "carol"),
        ("PosixUIDGroupType", &json!({"ldap_group_user_attr": "uid"}), "unix", "bob"),
        ("PosixUIDGroupType", &json!({"ldap_group_user_attr": "mail"}), "unix", ""),
    ] {
        for uid in ["ann", "bob", "carol"] {
            let is_expected = members.split(' ').any(|member| member == uid);
            assert_eq!(is_member(&slapd, kind, params.clone(), group, uid), is_expected, "{kind} {group} {uid}");
        }
    }
}

#[test]
fn require_and_deny_groups_are_enforced() {
    let Some(slapd) = Slapd::start() else { return };
    let group = |name: &str| format!("cn={name},ou=groups,{BASE}");
    let kept_out = |settings: Json, uid: &str| match sign_in(&searching(&slapd, settings), uid, &password_of(uid)) {
        Ok(_) => None,
        Err(SignInError::ExcludedByGroup(setting)) => Some(setting),
        Err(other) => panic!("{other}"),
    };
    assert_eq!(kept_out(json!({"REQUIRE_GROUP": group("admins")}), "ann"), None);
    let required = Some("AUTH_LDAP_REQUIRE_GROUP".to_owned());
    assert_eq!(kept_out(json!({"REQUIRE_GROUP": group("admins")}), "bob"), required);
    assert_eq!(kept_out(json!({"REQUIRE_GROUP": group("gone")}), "ann"), required);
    let denied = Some("AUTH_LDAP_DENY_GROUP".to_owned());
    assert_eq!(kept_out(json!({"DENY_GROUP": group("admins")}), "ann"), denied);
    assert_eq!(kept_out(json!({"DENY_GROUP": group("admins")}), "bob"), None);
    assert_eq!(kept_out(json!({"DENY_GROUP": group("gone")}), "bob"), None);
    // Groups outside of the group search too.
    assert_eq!(kept_out(json!({"DENY_GROUP": format!("cn=elsewhere,{BASE}")}), "bob"), denied);
    assert_eq!(kept_out(json!({"REQUIRE_GROUP": format!("cn=elsewhere,{BASE}")}), "bob"), None);
    // The password is checked first, so that group memberships are not revealed.
    let directory = searching(&slapd, json!({"REQUIRE_GROUP": group("admins")}));
    assert!(matches!(sign_in(&directory, "bob", "wrong"), Err(SignInError::WrongPassword)));
}

#[test]
fn existing_entry_belongs_to_its_user() {
    let Some(slapd) = Slapd::start() else { return };
    let searched = searching(&slapd, json!({}));
    let claims = |directory: &Directory, dn: &str| wait(directory.is_entry_of_user(dn, "ann")).ok();
    let (ann, gone) = (format!("uid=ann,ou=people,{BASE}"), format!("uid=ann,ou=gone,{BASE}"));
    assert_eq!(claims(&searched, &ann), Some(true));
    assert_eq!(claims(&searched, &gone), Some(false));
    // An entry of another directory.
    assert_eq!(claims(&searched, "uid=ann,dc=example,dc=net"), Some(false));
    // A DN template needs no search.
    let template = directory(json!({
        "SERVER_URI": "ldap://127.0.0.1:1", "USER_DN_TEMPLATE": format!("uid=%(user)s,ou=people,{BASE}"),
    }));
    assert_eq!(claims(&template, &ann.to_uppercase()), Some(true));
    assert_eq!(claims(&template, &gone), Some(false));
    let closed = searching(&slapd, json!({"SERVER_URI": "ldap://127.0.0.1:1"}));
    assert_eq!(claims(&closed, &ann), None);
}
