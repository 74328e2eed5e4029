//! Permission tables: one table for each resource, and one file with its test beside this one. After a deliberate
//! change of the rules, update the tables with `HOSTLER_REWRITE=1 cargo nextest run -p hostler --test http
//! permissions::` and review the diff line by line.
//!
//! Each test module defines actors, actions and objects; `table` runs the actions and restores the objects, `fixture`
//! has the users.

mod actions;
mod activity;
mod applications;
mod assignments;
mod credentials;
mod definitions;
mod execution_environments;
mod fixture;
mod grants;
mod input_sources;
mod instance_groups;
mod labels;
mod notification_templates;
mod organizations;
mod projects;
mod table;
mod teams;
mod tokens;
mod users;
