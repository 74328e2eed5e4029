//! The types that describe Hostler's resources.
//!
//! A resource (user, organization, team, ...) is one `static` value of type [`Resource`]. The engine in
//! `hostler-engine` derives lists, filters, responses, validation, writes and documentation from it. This crate does no
//! IO: it builds SQL conditions, but does not run them.

mod access;
mod action;
mod field;
mod field_kind;
mod job_settings;
mod relation;
mod resource;
mod role;

pub use access::{Access, Action, Actor, Draft, HideDeleted, LdapManagedFields, Policy, Rule};
pub use action::{
    ActionAnswer, ActionFormat, ActionHandling, ActionMethod, ActionParent, COPY_NAME, Capability, HttpMethod, Permit,
    ResourceAction,
};
pub use field::{Charset, Field, OnDelete, fields};
pub use field_kind::{ColumnType, DefaultValue, FieldKind, JsonShape};
pub use job_settings::{JobSettings, ShownPath, Templating};
pub use relation::{Association, Join, Post, RelatedSearch, Relation, Sublist};
pub use resource::{IS_DELETED, NaturalKeyPart, Resource, UniqueConstraint, Variants};
pub use role::{ImpliedBy, ObjectRole, Singleton};

use sea_query::{DynIden, Expr};

/// The column `name` of the table with the alias `row`.
pub fn column(row: &str, name: &str) -> Expr {
    // An `Alias` would copy each name twice.
    Expr::col((DynIden::from(row.to_owned()), DynIden::from(name.to_owned())))
}
