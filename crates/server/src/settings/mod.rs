//! Settings that Hostler honours, kept in the database.
//!
//! Each is described once ([`Setting`], in [`known`]); lists, OPTIONS, validation and the OpenAPI document follow from
//! that. What is in force ([`Settings`]) is remembered together with its generation, a number that the database raises
//! with each change: a request reads that number together with its actor, and so honours whatever any node was told
//! before, at no statement more.

mod api;
mod change;
mod effects;
mod kind;
pub(crate) mod known;
mod operator;
mod options;
mod setting;
mod store;
mod values;

pub(crate) use api::{category, list};
pub use operator::{SettingError, list_settings, reset_setting, set_setting};
pub(crate) use options::{describe_list, schema, slugs};
pub(crate) use setting::Setting;
pub use store::name_installation;
pub(crate) use store::{GENERATION_TABLE, Memory};
pub use values::Settings;
