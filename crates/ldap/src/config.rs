//! The configuration of one directory. The names of the settings (`AUTH_LDAP_SERVER_URI` and so on, also with the prefixes
//! `AUTH_LDAP_1_` to `AUTH_LDAP_5_`) and the messages about invalid values are AWX's.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value as Json;
use zeroize::Zeroizing;

use crate::groups::GroupType;
use crate::setting_values;

/// The fields of a user that attributes can be mapped to.
pub const USER_FIELDS: [&str; 3] = ["first_name", "last_name", "email"];
/// The flags of a user that groups can be mapped to.
pub const USER_FLAGS: [&str; 2] = ["is_superuser", "is_system_auditor"];

/// The prefixes of the settings, in the order in which directories are tried.
pub const SETTING_PREFIXES: [&str; 6] =
    ["AUTH_LDAP_", "AUTH_LDAP_1_", "AUTH_LDAP_2_", "AUTH_LDAP_3_", "AUTH_LDAP_4_", "AUTH_LDAP_5_"];

/// A configured directory.
#[derive(Debug)]
pub struct Directory {
    /// The prefix of its settings, such as `AUTH_LDAP_1_`.
    pub prefix: &'static str,
    pub(crate) addresses: Vec<ServerAddr>,
    pub(crate) bind_dn: String,
    pub(crate) bind_password: Zeroizing<String>,
    pub(crate) start_tls: bool,
    pub(crate) options: ConnectionOptions,
    pub(crate) lookup: UserLookup,
    pub(crate) attributes: Vec<(&'static str, String)>,
    pub(crate) group_search: Option<Search>,
    pub(crate) group_type: GroupType,
    pub(crate) require_group: Option<String>,
    pub(crate) deny_group: Option<String>,
    pub(crate) flags: Vec<(&'static str, Vec<String>)>,
    pub(crate) organizations: Vec<OrganizationRule>,
    pub(crate) teams: Vec<TeamRule>,
}

/// An invalid setting: its name and the error.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}: {1}")]
pub struct InvalidSetting(pub String, pub String);

/// The address of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerAddr {
    /// `ldaps`: TLS from the start of the connection.
    pub(crate) has_tls: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl std::fmt::Display for ServerAddr {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.has_tls { "ldaps" } else { "ldap" };
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        write!(out, "{scheme}://{host}:{}", self.port)
    }
}

/// Connection options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConnectionOptions {
    /// The timeout of connecting to one address, TLS included.
    pub(crate) network_timeout: Duration,
    /// The timeout of each response.
    pub(crate) timeout: Duration,
    /// Whether the server's certificate is verified.
    pub(crate) verifies: bool,
    /// CA certificates in PEM, instead of the system's.
    pub(crate) ca_file: Option<PathBuf>,
}

/// How the entry of a user is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UserLookup {
    /// Its DN is built from the username.
    Template(String),
    /// The searches must find exactly one entry in all.
    Search(Vec<Search>),
}

/// A search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Search {
    pub(crate) base: String,
    pub(crate) scope: Scope,
    pub(crate) filter: String,
}

/// The scope of a search (RFC 4511, section 4.5.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Base = 0,
    OneLevel = 1,
    Subtree = 2,
}

/// Which users get a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoleRule {
    pub(crate) who: Members,
    /// Whether other users lose the role.
    pub(crate) removes: bool,
}

/// The users that a map gives a role to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Members {
    /// The role is not in the map.
    Unspecified,
    AllUsers,
    NoUsers,
    /// The members of any of these groups, by normalized DN.
    Groups(Vec<String>),
}

/// The entry of an organization in `ORGANIZATION_MAP`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OrganizationRule {
    pub(crate) name: String,
    /// By the field of the role.
    pub(crate) roles: Vec<(&'static str, RoleRule)>,
}

/// The entry of a team in `TEAM_MAP`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TeamRule {
    pub(crate) name: String,
    pub(crate) organization: String,
    pub(crate) members: RoleRule,
}

impl Directory {
    /// Reads the settings with a prefix; `value` returns the value of a setting by its name after the prefix. `None` if there
    /// is no server, which disables it.
    ///
    /// # Errors
    /// The first invalid setting.
    pub fn from_settings(prefix: &'static str, value: &dyn Fn(&str) -> Json) -> Result<Option<Self>, InvalidSetting> {
        let invalid = |name: &str, message: String| InvalidSetting(format!("{prefix}{name}"), message);
        macro_rules! setting {
            ($name:literal, $read:expr) => {
                $read(&value($name)).map_err(|message| invalid($name, message))?
            };
        }
        let addresses = setting!("SERVER_URI", setting_values::server_uri);
        if addresses.is_empty() {
            return Ok(None);
        }
        let lookup = match setting!("USER_DN_TEMPLATE", setting_values::user_dn_template) {
            Some(template) => UserLookup::Template(template),
            None => UserLookup::Search(setting!("USER_SEARCH", setting_values::user_search)),
        };
        if lookup == UserLookup::Search(vec![]) {
            return Err(invalid("USER_SEARCH", "A user search or a user DN template is required.".into()));
        }
        let group_type = setting_values::group_type(&value("GROUP_TYPE"), &value("GROUP_TYPE_PARAMS"))
            .map_err(|message| invalid("GROUP_TYPE", message))?;
        let directory = Directory {
            prefix,
            addresses,
            bind_dn: setting!("BIND_DN", setting_values::bind_dn),
            bind_password: setting!("BIND_PASSWORD", setting_values::text).into(),
            start_tls: setting!("START_TLS", setting_values::boolean),
            options: setting!("CONNECTION_OPTIONS", setting_values::connection_options),
            lookup,
            attributes: setting!("USER_ATTR_MAP", setting_values::user_attr_map),
            group_search: setting!("GROUP_SEARCH", setting_values::group_search),
            group_type,
            require_group: setting!("REQUIRE_GROUP", setting_values::optional_dn),
            deny_group: setting!("DENY_GROUP", setting_values::optional_dn),
            flags: setting!("USER_FLAGS_BY_GROUP", setting_values::user_flags),
            organizations: setting!("ORGANIZATION_MAP", setting_values::organization_map),
            teams: setting!("TEAM_MAP", setting_values::team_map),
        };
        if directory.group_search.is_none() && directory.uses_groups() {
            return Err(invalid(
                "GROUP_SEARCH",
                "A group search is required, since other settings depend on groups.".into(),
            ));
        }
        if !directory.bind_dn.is_empty() && directory.bind_password.is_empty() {
            // A server would treat it as an anonymous bind, which succeeds (RFC 4513, section 5.1.2).
            return Err(invalid("BIND_PASSWORD", "A password is required for BIND_DN.".into()));
        }
        Ok(Some(directory))
    }

    /// The fields and flags of its users that the directory manages, besides the username.
    pub fn managed_fields(&self) -> impl Iterator<Item = &'static str> {
        self.attributes.iter().map(|(field, _)| *field).chain(self.flags.iter().map(|(flag, _)| *flag))
    }

    /// Whether any setting depends on groups.
    pub(crate) fn uses_groups(&self) -> bool {
        let by_group = |rule: &RoleRule| matches!(rule.who, Members::Groups(_));
        self.require_group.is_some()
            || self.deny_group.is_some()
            || !self.flags.is_empty()
            || self.organizations.iter().flat_map(|organization| &organization.roles).any(|(_, rule)| by_group(rule))
            || self.teams.iter().any(|team| by_group(&team.members))
    }
}
