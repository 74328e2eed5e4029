//! Credentials: secrets, owners, and the permission to use them.

mod copying;
mod fixture;
mod grants;
mod input_checks;
mod input_sources;
mod lookup_tests;
mod managed_galaxy;
mod owners;
mod secrets;
mod types;
mod uses;
