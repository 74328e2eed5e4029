//! One file for each resource: its description and its hooks.

mod access_list;
mod activity;
pub mod applications;
mod common;
mod labels;
mod organizations;
mod roles;
mod teams;
mod tokens;
mod users;

pub use activity::ACTIVITY;
pub use applications::APPLICATION;
pub use labels::LABEL;
pub use organizations::ORGANIZATION;
pub use roles::ROLE;
pub use teams::TEAM;
pub use tokens::TOKEN;
pub use users::{IS_SUPERUSER, PASSWORD, USER, USERNAME};

use hostler_rest::{NoHooks, Registered, Registry};

/// All resources. What is not listed here does not exist.
pub const REGISTRY: Registry = Registry(&[
    Registered { resource: &ORGANIZATION, hooks: &organizations::OrganizationHooks },
    Registered { resource: &USER, hooks: &users::UserHooks },
    Registered { resource: &TEAM, hooks: &teams::TeamHooks },
    Registered { resource: &APPLICATION, hooks: &applications::ApplicationHooks },
    Registered { resource: &TOKEN, hooks: &tokens::TokenHooks },
    Registered { resource: &ROLE, hooks: &roles::RoleHooks },
    Registered { resource: &LABEL, hooks: &NoHooks },
    Registered { resource: &ACTIVITY, hooks: &activity::ActivityHooks },
]);
