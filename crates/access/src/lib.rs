//! Roles, implied roles, and the SQL conditions for the rows of each resource.
//!
//! A grant gives a role on an object to a user or to a team. Roles imply each other in a static graph (see
//! [`hostler_schema::ObjectRole`]), so each permission check is one SQL condition over `grants` and `roles`. There is
//! no table of computed permissions that could become stale. A query with such a condition needs the common table
//! expression that [`with_user_grants`] adds.

mod by_parent;
mod by_variant;
mod grants;
mod graph;
mod user_grants;

pub use by_parent::{ByParent, OnParent};
pub use by_variant::ByVariant;
pub use grants::{
    can_create_in_organization, has_organization_role_or_permission, has_role, has_role_on, has_role_or_permission,
    has_role_or_permission_on, is_organization_admin, objects_with_permission, objects_with_permission_of,
    objects_with_role, objects_with_role_of, rule_on_object, teams_of_user, users_with_role,
};
pub use graph::{ImplyingRoles, implication_path, implied_roles, implying_roles};
pub use user_grants::with_user_grants;
