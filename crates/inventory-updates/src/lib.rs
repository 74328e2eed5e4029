//! Updates of inventory sources.
//!
//! An update is a job whose program is `ansible-inventory`, which reads files of a project or asks a service by a plugin
//! ([`Service`]). It writes one JSON document, which is read as a stream within limits ([`read_output`]), and becomes hosts
//! and groups with what the source says of them ([`Found`]). [`import`] changes the inventory in the transaction that ends the
//! update.
//!
//! # What a source owns
//!
//! `inventory_source_hosts` and `inventory_source_groups` say what each source has brought: hosts and groups with the
//! variables that it gave them, memberships of hosts in groups, and groups in groups. An update with `overwrite` removes
//! what its own source has brought and does not contain any more, unless another source has brought it too. What users have
//! added stays.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod edges;
mod found;
mod groups;
mod hosts;
mod import;
mod merge;
mod output;
mod owned;
mod service;
mod stored;
mod update;

pub use found::{Found, FoundGroup, FoundHost, InvalidInventory, Selection};
pub use import::{Changes, Counts, Import, import};
pub use output::{LARGEST_OUTPUT, Output, OutputError, read_output};
pub use service::Service;
pub use update::InventoryUpdate;
