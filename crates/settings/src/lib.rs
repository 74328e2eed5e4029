//! Settings, stored in the database.
//!
//! Each is described once (`Setting`, in [`definitions`]); responses, OPTIONS, validation and the OpenAPI document
//! are derived from the description. The values in force ([`Settings`]) are cached with their generation, a number that
//! the database increments with each change. A request reads the generation in the same statement as its actor, so it
//! sees every earlier change of any node without a further statement.
//!
//! This crate knows the headers of proxies, but no requests, responses or statuses.

mod change;
mod cli;
pub mod definitions;
mod options;
mod selection;
mod setting;
mod shown_paths;
mod side_effects;
mod store;
mod trusted_proxies;
mod value_type;
mod values;

pub use change::{ChangeError, change, reset};
pub use cli::{SettingError, list_settings, reset_setting, set_setting};
pub use options::{category_options, list_options, schema, slugs};
pub use selection::{Selection, category_list};
pub use setting::Setting;
pub use store::{GENERATION_TABLE, SettingsCache, ensure_install_uuid};
pub use trusted_proxies::TrustedProxies;
pub use value_type::Messages;
pub use values::Settings;
