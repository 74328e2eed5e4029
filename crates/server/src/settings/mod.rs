//! Settings that Hostler honours, kept in the database.
//!
//! Each is described once ([`Setting`], in [`definitions`]); lists, OPTIONS, validation and the OpenAPI document follow from
//! that. What is in force ([`Settings`]) is remembered together with its generation, a number that the database raises
//! with each change: a request reads that number together with its actor, and so honours whatever any node was told
//! before, at no statement more.

mod change;
mod cli;
pub(crate) mod definitions;
mod handlers;
mod options;
mod setting;
mod side_effects;
mod store;
mod value_type;
mod values;

pub use cli::{SettingError, list_settings, reset_setting, set_setting};
pub(crate) use handlers::{category, list};
pub(crate) use options::{describe_list, schema, slugs};
pub(crate) use setting::Setting;
pub use store::ensure_install_uuid;
pub(crate) use store::{GENERATION_TABLE, SettingsCache};
pub use values::Settings;
