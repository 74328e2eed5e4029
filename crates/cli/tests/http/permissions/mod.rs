//! Who may do what, for every type: tables that people can read, one file for
//! each type beside this one. After a deliberate change of the rules, write them
//! anew with `HOSTLER_REWRITE=1 cargo nextest run -p hostler --test http permissions::`
//! and read the difference line by line.
//!
//! A type is a module and a table: the module says who tries what on which
//! objects, `table` tries it and puts everything back, `fixture` has the people.

mod activity;
mod applications;
mod assignments;
mod credentials;
mod definitions;
mod fixture;
mod grants;
mod labels;
mod organizations;
mod projects;
mod table;
mod teams;
mod tokens;
mod users;
