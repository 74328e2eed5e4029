//! The engine that lists, shows, writes and documents every resource.
//!
//! It works with a [`hostler_schema::Resource`] and its [`Hooks`]. It names resources only where roles are granted
//! (`grants`): grantees are users and teams. It does not know HTTP statuses: it returns an [`Error`], which the server maps to a response.

mod actions;
mod activity;
mod associations;
mod decode;
mod engine;
mod error;
mod field_values;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod grants;
mod hooks;
mod links;
mod list;
mod named_url;
mod object_roles;
pub mod openapi;
mod options;
mod owned;
mod permissions;
pub mod query;
mod query_cache;
mod read;
mod record;
mod render;
pub mod scalars;
mod select;
mod sublist;
mod variants;
mod write;

pub use actions::{ActionHandler, ActionInput, ActionRequest, ActionResponse, Download, DownloadParts};
pub use activity::{ActivityEntry, HIDDEN};
pub use engine::{Clock, Engine, Registered, Registry, SystemClock};
pub use error::Error;
pub use field_values::{ENCRYPTED, default_json, json_value, python_type};
pub use grants::{DEFINITION_ROLE_PREFIX, Grantee, can_grant_roles, grant_in_transaction, set_system_role};
pub use hooks::{Hooks, NoHooks, RenderContext, ResponseObject, SublistRows, SystemWrite};
pub use links::{Dependent, Hop, Links};
pub use list::ListScope;
pub use object_roles::create_roles;
pub use options::{Actions, MAX_PAGE_SIZE, PostBody, object_roles};
pub use query_cache::QueryCache;
pub use read::{ObjectKey, find_id};
pub use record::{Edit, Record};
pub use render::{summarize, time_text};
pub use select::LoadedObject;
pub use sublist::AssociationRequest;
pub use write::{CreatedObject, DeleteInSteps, IfMatch, UpdateMethod, refuse_if_in_use};
