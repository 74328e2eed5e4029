//! Judging values of settings before they are stored.

use serde_json::{Value as Json, json};

use crate::groups::DEFAULT_TYPE;
use crate::setting_values;

/// One setting of each family.
pub struct LdapSetting {
    /// Its name after the prefix of its family, as in AWX.
    pub name: &'static str,
    /// The label, as in AWX.
    pub label: &'static str,
    /// What OPTIONS calls its type.
    pub kind: &'static str,
    /// What it means.
    pub help: &'static str,
    /// Whether it must never be shown.
    pub is_secret: bool,
    /// Whether null is a value of its own, which means none.
    pub is_nullable: bool,
    /// The value of those who set none.
    pub default: fn() -> Json,
}

const fn setting(
    name: &'static str,
    label: &'static str,
    kind: &'static str,
    default: fn() -> Json,
    help: &'static str,
) -> LdapSetting {
    LdapSetting { name, label, kind, help, is_secret: false, is_nullable: false, default }
}

const fn nullable(setting: LdapSetting) -> LdapSetting {
    LdapSetting { is_nullable: true, ..setting }
}

/// All settings of a family.
pub static SETTINGS: &[LdapSetting] = &[
    setting(
        "SERVER_URI",
        "LDAP Server URI",
        "string",
        || json!(""),
        "Where the directory is, such as ldaps://ldap.example.org:636; several, with spaces or commas between them, \
         are tried in turn. Empty: nobody signs in through it.",
    ),
    setting(
        "BIND_DN",
        "LDAP Bind DN",
        "string",
        || json!(""),
        "The name to search the directory with. Empty: searches are anonymous, and groups are read as the user.",
    ),
    LdapSetting {
        is_secret: true,
        ..setting(
            "BIND_PASSWORD",
            "LDAP Bind Password",
            "string",
            || json!(""),
            "The password that goes with the bind DN.",
        )
    },
    setting(
        "START_TLS",
        "LDAP Start TLS",
        "boolean",
        || json!(false),
        "Whether a connection to an ldap:// address is encrypted before anything is sent.",
    ),
    setting(
        "CONNECTION_OPTIONS",
        "LDAP Connection Options",
        "nested object",
        || json!({"OPT_REFERRALS": 0, "OPT_NETWORK_TIMEOUT": 30}),
        "OPT_NETWORK_TIMEOUT (seconds to connect), OPT_TIMEOUT (seconds for each answer), OPT_X_TLS_REQUIRE_CERT (0: \
         any certificate will do), OPT_X_TLS_CACERTFILE (a file of certificates to trust instead of the system's), \
         OPT_REFERRALS (0: they are never followed).",
    ),
    setting(
        "USER_SEARCH",
        "LDAP User Search",
        "list",
        || json!([]),
        "Where users are found: base, scope and filter with %(user)s in it, or a list of such lists. Exactly one \
         entry must be found.",
    ),
    nullable(setting(
        "USER_DN_TEMPLATE",
        "LDAP User DN Template",
        "string",
        || Json::Null,
        "The name of a user's entry with %(user)s in it, where all are made alike; used instead of searching.",
    )),
    setting(
        "USER_ATTR_MAP",
        "LDAP User Attribute Map",
        "nested object",
        || json!({}),
        "Which attributes fill first_name, last_name and email, at each sign-in.",
    ),
    setting(
        "GROUP_SEARCH",
        "LDAP Group Search",
        "list",
        || json!([]),
        "Where groups are found: base, scope and filter. Needed if anything depends on groups.",
    ),
    setting(
        "GROUP_TYPE",
        "LDAP Group Type",
        "choice",
        || json!(DEFAULT_TYPE),
        "How a group tells its members; in nested types, members of a member group are members too.",
    ),
    setting(
        "GROUP_TYPE_PARAMS",
        "LDAP Group Type Parameters",
        "nested object",
        default_parameters,
        "Which attributes the group type looks at: member_attr, or ldap_group_user_attr for PosixUIDGroupType.",
    ),
    nullable(setting(
        "REQUIRE_GROUP",
        "LDAP Require Group",
        "string",
        || Json::Null,
        "The name of a group: nobody else signs in through this directory.",
    )),
    nullable(setting(
        "DENY_GROUP",
        "LDAP Deny Group",
        "string",
        || Json::Null,
        "The name of a group: nobody in it signs in through this directory.",
    )),
    setting(
        "USER_FLAGS_BY_GROUP",
        "LDAP User Flags By Group",
        "nested object",
        || json!({}),
        "Which groups make users is_superuser or is_system_auditor, and leaving them takes it away.",
    ),
    setting(
        "ORGANIZATION_MAP",
        "LDAP Organization Map",
        "nested object",
        || json!({}),
        "Of each organization: admins, auditors and users (true, false, a group or a list of groups), and \
         remove_admins, remove_auditors and remove_users (whether others lose the role; they do unless told otherwise).",
    ),
    setting(
        "TEAM_MAP",
        "LDAP Team Map",
        "nested object",
        || json!({}),
        "Of each team: its organization, users (true, false, a group or a list of groups), and remove (whether others \
         leave the team; they do unless told otherwise).",
    ),
];

/// Judges the value of a setting, by its name after the prefix, and yields the one to store. `other` answers with the
/// values that the other settings of the family have, or are about to have.
///
/// # Errors
/// What is wrong with it, in AWX's words where AWX has words for it.
pub fn validate_setting(name: &str, value: &Json, other: &dyn Fn(&str) -> Json) -> Result<Json, String> {
    match name {
        "SERVER_URI" => setting_values::server_uri(value).map(drop),
        "BIND_DN" => setting_values::bind_dn(value).map(drop),
        "BIND_PASSWORD" => setting_values::text(value).map(drop),
        "START_TLS" => return setting_values::boolean(value).map(Json::from),
        "CONNECTION_OPTIONS" => setting_values::connection_options(value).map(drop),
        "USER_SEARCH" => setting_values::user_search(value).map(drop),
        "USER_DN_TEMPLATE" => setting_values::user_dn_template(value).map(drop),
        "USER_ATTR_MAP" => setting_values::user_attr_map(value).map(drop),
        "GROUP_SEARCH" => setting_values::group_search(value).map(drop),
        "GROUP_TYPE" => setting_values::group_type(value, &other("GROUP_TYPE_PARAMS")).map(drop),
        // What nobody has changed fits every type, as it fits where nobody has set it.
        "GROUP_TYPE_PARAMS" if *value == default_parameters() => Ok(()),
        "GROUP_TYPE_PARAMS" => setting_values::group_type_params(value, &other("GROUP_TYPE")),
        "REQUIRE_GROUP" | "DENY_GROUP" => setting_values::optional_dn(value).map(drop),
        "USER_FLAGS_BY_GROUP" => setting_values::user_flags(value).map(drop),
        "ORGANIZATION_MAP" => setting_values::organization_map(value).map(drop),
        "TEAM_MAP" => setting_values::team_map(value).map(drop),
        _ => Err("There is no such setting.".into()),
    }?;
    Ok(value.clone())
}

/// The value of a setting that nobody has set, by its name after the prefix.
pub fn default_value(name: &str) -> Json {
    SETTINGS.iter().find(|setting| setting.name == name).map_or(Json::Null, |setting| (setting.default)())
}

fn default_parameters() -> Json {
    json!({"member_attr": "member", "name_attr": "cn"})
}
