//! The engine that lists, shows, writes and documents every resource.
//!
//! It names no resource: all it knows comes from a [`hostler_schema::Resource`]
//! and from the [`Hooks`] registered beside it. It knows no HTTP status either:
//! what goes wrong is a [`Failure`], which the server translates.

mod activity;
mod decode;
mod engine;
mod failure;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod grants;
mod hooks;
mod list;
mod named_url;
mod object_roles;
pub mod openapi;
mod options;
pub mod query;
mod query_cache;
mod read;
mod record;
mod render;
mod select;
pub mod sent;
mod sublist;
mod wanted;
mod write;

pub use activity::{Entry as ActivityEntry, HIDDEN};
pub use decode::ENCRYPTED;
pub use engine::{Clock, Engine, Registered, Registry, SystemClock};
pub use failure::Failure;
pub use grants::{DEFINITION_FIELD, Grantee, administers_role, grant_in, hold_singleton};
pub use hooks::{Cause, Hooks, NoHooks, Shown, View};
pub use list::Scope;
pub use options::{Actions, MAX_PAGE_SIZE};
pub use query_cache::QueryCache;
pub use read::{Target, find_id};
pub use record::{Edit, Record};
pub use render::{summarize, time_text};
pub use select::Loaded;
pub use sublist::Association;
pub use write::{Created, Expected, Method};
