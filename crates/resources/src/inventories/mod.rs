//! Inventories, their hosts and groups.

mod actions;
mod activity;
mod bulk;
mod constructed;
mod copies;
mod copy;
mod counts;
mod group_deletion;
mod group_tree;
mod groups;
mod host_filter;
mod hosts;
mod inventory;
mod inventory_hooks;
mod names;
mod recent_jobs;
mod script;
mod smart;
mod tree;
mod variable_data;

pub use constructed::{CONSTRUCTED_INVENTORY, ConstructedHooks};
pub use group_tree::hosts_below;
pub use groups::{GROUP, GroupHooks};
pub use host_filter::SmartHosts;
pub use hosts::{HOST, HostHooks};
pub use inventory::{INVENTORY, can_run_commands};
pub use inventory_hooks::{InventoryHooks, require_own_hosts};
pub use smart::hosts_of;
