//! Credentials from the outside: what is secret, whose they are, who may use
//! them and for what.

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
