//! The settings of a directory, and their validation.

use serde_json::{Value as Json, json};

use crate::groups::DEFAULT_TYPE;
use crate::setting_values;

/// A setting that exists with each of the prefixes.
pub struct LdapSetting {
    /// Its name after the prefix, as in AWX.
    pub name: &'static str,
    /// The label, as in AWX.
    pub label: &'static str,
    /// Its type in OPTIONS.
    pub kind: &'static str,
    /// Its help text.
    pub help: &'static str,
    /// Whether it is encrypted and never shown.
    pub is_secret: bool,
    /// Whether null is allowed.
    pub is_nullable: bool,
    /// The default value.
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

/// All settings.
pub static SETTINGS: &[LdapSetting] = &[
    setting(
        "SERVER_URI",
        "LDAP Server URI",
        "string",
        || json!(""),
        "Address of the directory, such as ldaps://ldap.example.org:636; several, separated by spaces or commas, are \
         tried in order. Empty: disabled.",
    ),
    setting(
        "BIND_DN",
        "LDAP Bind DN",
        "string",
        || json!(""),
        "DN to search the directory with. Empty: searches are anonymous, and groups are read as the user.",
    ),
    LdapSetting {
        is_secret: true,
        ..setting("BIND_PASSWORD", "LDAP Bind Password", "string", || json!(""), "Password of the bind DN.")
    },
    setting(
        "START_TLS",
        "LDAP Start TLS",
        "boolean",
        || json!(false),
        "Whether to encrypt connections to an ldap:// address with StartTLS.",
    ),
    setting(
        "CONNECTION_OPTIONS",
        "LDAP Connection Options",
        "nested object",
        || json!({"OPT_REFERRALS": 0, "OPT_NETWORK_TIMEOUT": 30}),
        "OPT_NETWORK_TIMEOUT (seconds to connect), OPT_TIMEOUT (seconds for each response), OPT_X_TLS_REQUIRE_CERT \
         (0: the certificate is not verified), OPT_X_TLS_CACERTFILE (a file of CA certificates instead of the \
         system's), OPT_REFERRALS (0: referrals are never followed).",
    ),
    setting(
        "USER_SEARCH",
        "LDAP User Search",
        "list",
        || json!([]),
        "Search for users: base, scope and filter with %(user)s, or a list of such lists. Exactly one entry must be \
         found.",
    ),
    nullable(setting(
        "USER_DN_TEMPLATE",
        "LDAP User DN Template",
        "string",
        || Json::Null,
        "DN of users with %(user)s, used instead of the user search.",
    )),
    setting(
        "USER_ATTR_MAP",
        "LDAP User Attribute Map",
        "nested object",
        || json!({}),
        "The attributes for first_name, last_name and email, read at each login.",
    ),
    setting(
        "GROUP_SEARCH",
        "LDAP Group Search",
        "list",
        || json!([]),
        "Search for groups: base, scope and filter. Required if other settings depend on groups.",
    ),
    setting(
        "GROUP_TYPE",
        "LDAP Group Type",
        "choice",
        || json!(DEFAULT_TYPE),
        "How a group lists its members; in nested types, members of a member group are members, too.",
    ),
    setting(
        "GROUP_TYPE_PARAMS",
        "LDAP Group Type Parameters",
        "nested object",
        default_parameters,
        "The attributes that the group type uses: member_attr, or ldap_group_user_attr for PosixUIDGroupType.",
    ),
    nullable(setting(
        "REQUIRE_GROUP",
        "LDAP Require Group",
        "string",
        || Json::Null,
        "DN of a group whose members only can log in with this directory.",
    )),
    nullable(setting(
        "DENY_GROUP",
        "LDAP Deny Group",
        "string",
        || Json::Null,
        "DN of a group whose members cannot log in with this directory.",
    )),
    setting(
        "USER_FLAGS_BY_GROUP",
        "LDAP User Flags By Group",
        "nested object",
        || json!({}),
        "The groups whose members get is_superuser or is_system_auditor; other users lose the flag.",
    ),
    setting(
        "ORGANIZATION_MAP",
        "LDAP Organization Map",
        "nested object",
        || json!({}),
        "For each organization: admins, auditors and users (true, false, a group or a list of groups), and \
         remove_admins, remove_auditors and remove_users (whether other users lose the role; true by default).",
    ),
    setting(
        "TEAM_MAP",
        "LDAP Team Map",
        "nested object",
        || json!({}),
        "For each team: its organization, users (true, false, a group or a list of groups), and remove (whether \
         other users leave the team; true by default).",
    ),
];

/// Validates the value of a setting, by its name after the prefix, and returns the value to store. `other` returns the values
/// of other settings with the same prefix, as they will be after the change.
///
/// # Errors
/// The error message; AWX's message if AWX has one.
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
        // The default is valid for every group type.
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

/// The default value of a setting, by its name after the prefix.
pub fn default_value(name: &str) -> Json {
    SETTINGS.iter().find(|setting| setting.name == name).map_or(Json::Null, |setting| (setting.default)())
}

fn default_parameters() -> Json {
    json!({"member_attr": "member", "name_attr": "cn"})
}
