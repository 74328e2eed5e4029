//! Settings, stored in the database.
//!
//! Each is described once ([`Setting`], in [`definitions`]); responses, OPTIONS, validation and the OpenAPI document
//! are derived from the description. The values in force ([`Settings`]) are cached with their generation, a number that
//! the database increments with each change. A request reads the generation in the same statement as its actor, so it
//! sees every earlier change of any node without a further statement.

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
pub(crate) use options::{list_options, schema, slugs};
pub(crate) use setting::Setting;
pub use store::ensure_install_uuid;
pub(crate) use store::{GENERATION_TABLE, SettingsCache};
pub use values::Settings;
