//! Signing in through a directory (LDAP, RFC 4510 to 4519), with the settings that AWX has for it.
//!
//! [`Directory::from_settings`] reads what the settings say, [`validate_setting`] judges a value before it is stored, and
//! [`Directory::sign_in`] asks the directory whether a name and a password belong together, and what they make of a
//! user. Storing that user is the caller's part: this crate knows no database.

// A test that meets what it did not expect should stop right there.
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
