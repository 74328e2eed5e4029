//! What the settings of one directory say. The names are AWX's (`AUTH_LDAP_SERVER_URI` and so on, and the same with
//! `AUTH_LDAP_1_` to `AUTH_LDAP_5_`), and so are the messages about values that make no sense.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value as Json;
use zeroize::Zeroizing;

use crate::groups::GroupType;
use crate::setting_values;

/// The fields of a user that a directory may fill.
pub const USER_FIELDS: [&str; 3] = ["first_name", "last_name", "email"];
/// The flags of a user that groups may decide.
pub const USER_FLAGS: [&str; 2] = ["is_superuser", "is_system_auditor"];

/// The numbers of the families of settings, in the order in which directories are asked; the first has none.
pub const SETTING_PREFIXES: [&str; 6] =
    ["AUTH_LDAP_", "AUTH_LDAP_1_", "AUTH_LDAP_2_", "AUTH_LDAP_3_", "AUTH_LDAP_4_", "AUTH_LDAP_5_"];

/// A directory to sign in through.
#[derive(Debug)]
pub struct Directory {
    /// What the names of its settings begin with, such as `AUTH_LDAP_1_`.
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

/// Why a directory cannot be used as it is set up: the setting's name and what is wrong with it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}: {1}")]
pub struct InvalidSetting(pub String, pub String);

/// Where a directory listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerAddr {
    /// `ldaps`: TLS from the first byte.
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

/// How to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConnectionOptions {
    /// For connecting to one address, TLS included.
    pub(crate) network_timeout: Duration,
    /// For each answer.
    pub(crate) timeout: Duration,
    /// Whether the directory must show a certificate that we trust.
    pub(crate) verifies: bool,
    /// The certificates to trust instead of the system's, in PEM.
    pub(crate) ca_file: Option<PathBuf>,
}

/// How the entry of a user is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UserLookup {
    /// Its name is made of the user's.
    Template(String),
    /// By searches of which one must find it.
    Search(Vec<Search>),
}

/// A search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Search {
    pub(crate) base: String,
    pub(crate) scope: Scope,
    pub(crate) filter: String,
}

/// How far down a search goes (RFC 4511, section 4.5.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Base = 0,
    OneLevel = 1,
    Subtree = 2,
}

/// Who has a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoleRule {
    pub(crate) who: Members,
    /// Whether the role is taken from those who are not among them.
    pub(crate) removes: bool,
}

/// To whom a map gives a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Members {
    /// The map says nothing.
    Unspecified,
    Everybody,
    Nobody,
    /// The members of any of these groups, by normalized name.
    Groups(Vec<String>),
}

/// What the map says of one organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OrganizationRule {
    pub(crate) name: String,
    /// By the role's field.
    pub(crate) roles: Vec<(&'static str, RoleRule)>,
}

/// What the map says of one team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TeamRule {
    pub(crate) name: String,
    pub(crate) organization: String,
    pub(crate) members: RoleRule,
}

impl Directory {
    /// Reads a family of settings; `value` answers with a setting's value by its name after the prefix. `None` if
    /// it names no server, which switches it off.
    ///
    /// # Errors
    /// What is wrong with the first setting that makes no sense.
    pub fn from_settings(prefix: &'static str, value: &dyn Fn(&str) -> Json) -> Result<Option<Self>, InvalidSetting> {
        let named = |name: &str, message: String| InvalidSetting(format!("{prefix}{name}"), message);
        macro_rules! setting {
            ($name:literal, $read:expr) => {
                $read(&value($name)).map_err(|message| named($name, message))?
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
            return Err(named("USER_SEARCH", "Neither a search nor a template says where users are.".into()));
        }
        let group_type = setting_values::group_type(&value("GROUP_TYPE"), &value("GROUP_TYPE_PARAMS"))
            .map_err(|message| named("GROUP_TYPE", message))?;
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
            return Err(named("GROUP_SEARCH", "Groups are asked for, but nothing says where they are.".into()));
        }
        if !directory.bind_dn.is_empty() && directory.bind_password.is_empty() {
            // A directory would take that for an anonymous bind, and say that all is well (RFC 4513, section 5.1.2).
            return Err(named("BIND_PASSWORD", "There is no password for the name to bind with.".into()));
        }
        Ok(Some(directory))
    }

    /// The fields and flags of its users that the directory decides, besides the username.
    pub fn managed_fields(&self) -> impl Iterator<Item = &'static str> {
        self.attributes.iter().map(|(field, _)| *field).chain(self.flags.iter().map(|(flag, _)| *flag))
    }

    /// Whether anything depends on the groups of a user.
    pub(crate) fn uses_groups(&self) -> bool {
        let by_group = |rule: &RoleRule| matches!(rule.who, Members::Groups(_));
        self.require_group.is_some()
            || self.deny_group.is_some()
            || !self.flags.is_empty()
            || self.organizations.iter().flat_map(|organization| &organization.roles).any(|(_, rule)| by_group(rule))
            || self.teams.iter().any(|team| by_group(&team.members))
    }
}
