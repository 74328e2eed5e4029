//! The settings of the six LDAP directories: those of `hostler_ldap`, once per prefix.

use hostler_ldap::{Directory, SETTING_PREFIXES, SETTINGS};
use hostler_schema::LdapManagedFields;
use hostler_vault::Vault;
use serde_json::Value as Json;
use zeroize::Zeroizing;

use super::Category;
use crate::setting::Setting;
use crate::value_type::{Messages, ValueType, message};
use crate::values::Settings;

pub(crate) const CATEGORY: Category = Category { slug: "ldap", name: "LDAP", settings: &NAMED };

const PER_PREFIX: usize = SETTINGS.len();
const COUNT: usize = SETTING_PREFIXES.len() * PER_PREFIX;

/// The full names, prefix by prefix, each in the order of [`SETTINGS`]; a test compares them.
macro_rules! settings {
    ($($prefix:literal),*) => {
        [$(
            Setting::ldap(concat!($prefix, "SERVER_URI"), &SETTINGS[0]),
            Setting::ldap(concat!($prefix, "BIND_DN"), &SETTINGS[1]),
            Setting::ldap(concat!($prefix, "BIND_PASSWORD"), &SETTINGS[2]),
            Setting::ldap(concat!($prefix, "START_TLS"), &SETTINGS[3]),
            Setting::ldap(concat!($prefix, "CONNECTION_OPTIONS"), &SETTINGS[4]),
            Setting::ldap(concat!($prefix, "USER_SEARCH"), &SETTINGS[5]),
            Setting::ldap(concat!($prefix, "USER_DN_TEMPLATE"), &SETTINGS[6]),
            Setting::ldap(concat!($prefix, "USER_ATTR_MAP"), &SETTINGS[7]),
            Setting::ldap(concat!($prefix, "GROUP_SEARCH"), &SETTINGS[8]),
            Setting::ldap(concat!($prefix, "GROUP_TYPE"), &SETTINGS[9]),
            Setting::ldap(concat!($prefix, "GROUP_TYPE_PARAMS"), &SETTINGS[10]),
            Setting::ldap(concat!($prefix, "REQUIRE_GROUP"), &SETTINGS[11]),
            Setting::ldap(concat!($prefix, "DENY_GROUP"), &SETTINGS[12]),
            Setting::ldap(concat!($prefix, "USER_FLAGS_BY_GROUP"), &SETTINGS[13]),
            Setting::ldap(concat!($prefix, "ORGANIZATION_MAP"), &SETTINGS[14]),
            Setting::ldap(concat!($prefix, "TEAM_MAP"), &SETTINGS[15]),
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

/// Checks a value of a directory together with the directory's other settings.
pub(crate) fn check_together(setting: &Setting, value: &Json, all: &Settings) -> Result<(), Messages> {
    let ValueType::Ldap(ldap) = setting.value_type else { return Ok(()) };
    let prefix = setting.name.strip_suffix(ldap.name).unwrap_or_default();
    let other = |name: &str| find(prefix, name).map_or(Json::Null, |setting| all.value(setting));
    if value.is_null() {
        return Ok(());
    }
    hostler_ldap::validate_setting(ldap.name, value, &other).map(drop).map_err(message)
}

fn find(prefix: &str, name: &str) -> Option<&'static Setting> {
    ALL.iter().find(|setting| setting.name.strip_prefix(prefix) == Some(name))
}

impl Settings {
    /// The configured directories, in the order in which they are tried. One whose configuration is invalid is left out
    /// and logged.
    pub fn directories(&self, vault: &Vault) -> Vec<Directory> {
        let mut directories = vec![];
        for prefix in SETTING_PREFIXES {
            match Directory::from_settings(prefix, &|name| self.ldap_value(vault, prefix, name)) {
                Ok(directory) => directories.extend(directory),
                Err(error) => tracing::error!(%error, prefix, "invalid LDAP configuration: directory disabled"),
            }
        }
        directories
    }

    /// The value of [`Settings::has_directories`].
    pub(crate) fn any_directory(&self) -> bool {
        ALL.iter().step_by(PER_PREFIX).any(|server| !self.text(server).is_empty())
    }

    /// Whether the directory with this prefix is configured.
    pub(crate) fn has_directory(&self, prefix: &str) -> bool {
        find(prefix, "SERVER_URI").is_some_and(|server| !self.text(server).is_empty())
    }

    /// The user fields that directories manage. A user's row does not record which directory it comes from.
    pub(crate) fn ldap_managed_fields(&self) -> LdapManagedFields {
        let prefixes = SETTING_PREFIXES.iter().filter(|prefix| self.has_directory(prefix));
        let maps = prefixes
            .flat_map(|prefix| ["USER_ATTR_MAP", "USER_FLAGS_BY_GROUP"].map(|name| find(prefix, name)))
            .flatten()
            .map(|setting| self.value(setting))
            .collect::<Vec<_>>();
        let fields = maps.iter().filter_map(Json::as_object).flat_map(|map| map.keys().map(String::as_str));
        LdapManagedFields::of(self.has_directories.then_some("username").into_iter().chain(fields))
    }

    /// The plain text of a secret; `None` if none is stored or it cannot be decrypted.
    pub(crate) fn decrypt(&self, vault: &Vault, setting: &Setting) -> Option<Zeroizing<String>> {
        let encrypted = self.text(setting);
        if encrypted.is_empty() {
            return None;
        }
        vault
            .decrypt(&setting.secret_context(), &encrypted)
            .inspect_err(|error| tracing::error!(setting = setting.name, %error, "could not decrypt a secret setting"))
            .ok()
    }

    fn ldap_value(&self, vault: &Vault, prefix: &str, name: &str) -> Json {
        match find(prefix, name) {
            None => Json::Null,
            Some(setting) if setting.is_secret() => {
                self.decrypt(vault, setting).map_or(Json::Null, |plain| plain.as_str().into())
            }
            Some(setting) => self.value(setting),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prefix_has_every_setting() {
        let names: Vec<&str> = ALL.iter().map(|setting| setting.name).collect();
        let wanted: Vec<String> = SETTING_PREFIXES
            .iter()
            .flat_map(|prefix| SETTINGS.iter().map(move |setting| format!("{prefix}{}", setting.name)))
            .collect();
        assert_eq!(names, wanted);
    }
}
