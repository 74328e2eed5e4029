//! Authentication with LDAP (RFC 4510 to 4519), with AWX's settings.
//!
//! [`Directory::from_settings`] reads the settings, [`validate_setting`] validates a value before it is stored, and
//! [`Directory::sign_in`] checks a password and maps the entry and groups to a user. The caller stores that user: this crate
//! does not use the database.

// Tests report by panicking.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod ber;
mod config;
mod connection;
mod dn;
mod filter;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod groups;
mod mapping;
mod setting_values;
mod settings;
mod sign_in;
mod tls;

pub use config::{Directory, InvalidSetting, SETTING_PREFIXES, USER_FIELDS, USER_FLAGS};
pub use dn::normalize as normalize_dn;
pub use groups::type_names as group_types;
pub use mapping::{LdapUser, RoleAssignment};
pub use settings::{LdapSetting, SETTINGS, default_value, validate_setting};
pub use sign_in::SignInError;
