//! The directories through which users may sign in: what `hostler_ldap` knows of settings, six times over.

use hostler_ldap::{Directory, SETTING_PREFIXES, SETTINGS};
use hostler_schema::LdapManagedFields;
use hostler_vault::Vault;
use serde_json::Value as Json;
use zeroize::Zeroizing;

use super::Category;
use crate::settings::value_type::{Kind, Problem, problem};
use crate::settings::{Setting, Settings};

pub(crate) const CATEGORY: Category = Category { slug: "ldap", name: "LDAP", settings: &NAMED };

const PER_FAMILY: usize = SETTINGS.len();
const COUNT: usize = SETTING_PREFIXES.len() * PER_FAMILY;

/// The full names, family by family, each in the order of [`SETTINGS`]; a test compares them.
macro_rules! settings {
    ($($prefix:literal),*) => {
        [$(
            Setting::of_directory(concat!($prefix, "SERVER_URI"), &SETTINGS[0]),
            Setting::of_directory(concat!($prefix, "BIND_DN"), &SETTINGS[1]),
            Setting::of_directory(concat!($prefix, "BIND_PASSWORD"), &SETTINGS[2]),
            Setting::of_directory(concat!($prefix, "START_TLS"), &SETTINGS[3]),
            Setting::of_directory(concat!($prefix, "CONNECTION_OPTIONS"), &SETTINGS[4]),
            Setting::of_directory(concat!($prefix, "USER_SEARCH"), &SETTINGS[5]),
            Setting::of_directory(concat!($prefix, "USER_DN_TEMPLATE"), &SETTINGS[6]),
            Setting::of_directory(concat!($prefix, "USER_ATTR_MAP"), &SETTINGS[7]),
            Setting::of_directory(concat!($prefix, "GROUP_SEARCH"), &SETTINGS[8]),
            Setting::of_directory(concat!($prefix, "GROUP_TYPE"), &SETTINGS[9]),
            Setting::of_directory(concat!($prefix, "GROUP_TYPE_PARAMS"), &SETTINGS[10]),
            Setting::of_directory(concat!($prefix, "REQUIRE_GROUP"), &SETTINGS[11]),
            Setting::of_directory(concat!($prefix, "DENY_GROUP"), &SETTINGS[12]),
            Setting::of_directory(concat!($prefix, "USER_FLAGS_BY_GROUP"), &SETTINGS[13]),
            Setting::of_directory(concat!($prefix, "ORGANIZATION_MAP"), &SETTINGS[14]),
            Setting::of_directory(concat!($prefix, "TEAM_MAP"), &SETTINGS[15]),
        )*]
    };
}

static ALL: [Setting; COUNT] =
    settings!["AUTH_LDAP_", "AUTH_LDAP_1_", "AUTH_LDAP_2_", "AUTH_LDAP_3_", "AUTH_LDAP_4_", "AUTH_LDAP_5_"];

static NAMED: [&Setting; COUNT] = {
    let mut named = [&ALL[0]; COUNT];
    let mut position = 1;
    while position < COUNT {
        named[position] = &ALL[position];
        position += 1;
    }
    named
};

/// Judges a value of a directory's setting by what the other settings of the directory shall be.
pub(crate) fn check_among(setting: &Setting, value: &Json, all: &Settings) -> Result<(), Problem> {
    let Kind::Directory(directory) = setting.kind else { return Ok(()) };
    let family = setting.name.strip_suffix(directory.name).unwrap_or_default();
    let other = |name: &str| find(family, name).map_or(Json::Null, |setting| all.value(setting));
    if value.is_null() {
        return Ok(());
    }
    hostler_ldap::validate_setting(directory.name, value, &other).map(drop).map_err(problem)
}

fn find(family: &str, name: &str) -> Option<&'static Setting> {
    ALL.iter().find(|setting| setting.name.strip_prefix(family) == Some(name))
}

impl Settings {
    /// The directories that are set up, in the order in which they are asked. One that can only fail is as if it were
    /// not there, and the log says why.
    pub(crate) fn directories(&self, vault: &Vault) -> Vec<Directory> {
        let mut directories = vec![];
        for prefix in SETTING_PREFIXES {
            match Directory::from_settings(prefix, &|name| self.of_directory(vault, prefix, name)) {
                Ok(directory) => directories.extend(directory),
                Err(problem) => {
                    tracing::error!(%problem, "a directory is set up so that nobody can sign in through it")
                }
            }
        }
        directories
    }

    /// Whether any directory is set up, if only so that nobody can sign in through it.
    pub(crate) fn has_directories(&self) -> bool {
        ALL.iter().step_by(PER_FAMILY).any(|server| !self.text(server).is_empty())
    }

    /// What directories fill: a user does not tell which of them it comes from.
    pub(in crate::settings) fn filled_by_directories(&self) -> LdapManagedFields {
        let families = SETTING_PREFIXES
            .iter()
            .filter(|family| find(family, "SERVER_URI").is_some_and(|server| !self.text(server).is_empty()));
        let maps = families
            .flat_map(|family| ["USER_ATTR_MAP", "USER_FLAGS_BY_GROUP"].map(|name| find(family, name)))
            .flatten()
            .map(|setting| self.value(setting))
            .collect::<Vec<_>>();
        let fields = maps.iter().filter_map(Json::as_object).flat_map(|map| map.keys().map(String::as_str));
        LdapManagedFields::of(self.has_directories().then_some("username").into_iter().chain(fields))
    }

    /// The plain text of a secret; none if nothing is stored, or what is stored cannot be opened.
    pub(in crate::settings) fn open(&self, vault: &Vault, setting: &Setting) -> Option<Zeroizing<String>> {
        let sealed = self.text(setting);
        if sealed.is_empty() {
            return None;
        }
        vault
            .decrypt(&setting.place(), &sealed)
            .inspect_err(|problem| tracing::error!(setting = setting.name, %problem, "a secret cannot be opened"))
            .ok()
    }

    fn of_directory(&self, vault: &Vault, family: &str, name: &str) -> Json {
        match find(family, name) {
            None => Json::Null,
            Some(setting) if setting.is_secret() => {
                self.open(vault, setting).map_or(Json::Null, |plain| plain.as_str().into())
            }
            Some(setting) => self.value(setting),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_has_every_setting() {
        let names: Vec<&str> = ALL.iter().map(|setting| setting.name).collect();
        let wanted: Vec<String> = SETTING_PREFIXES
            .iter()
            .flat_map(|family| SETTINGS.iter().map(move |setting| format!("{family}{}", setting.name)))
            .collect();
        assert_eq!(names, wanted);
    }
}
