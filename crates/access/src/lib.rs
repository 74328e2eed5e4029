//! Roles, what they imply, and the conditions that follow for the rows of each resource.
//!
//! A grant gives a role on an object to a user or to a team. Roles imply one
//! another in a static graph (see [`hostler_schema::ObjectRole`]), so
//! "may this actor do that" becomes one SQL condition over `grants` and `roles`:
//! there is no table of computed permissions that could go stale.

mod by_organization;
mod grants;
mod graph;

pub use by_organization::{ByOrganization, holds};
pub use grants::{
    defined, has_role, holders_of, is_organization_admin, may, may_add, may_with, object_ids, of_object, teams_of,
};
pub use graph::{Closure, closure, implied_fields, path};
