//! Credentials from the outside: what is secret, whose they are, who may use
//! them and for what.

mod copying;
mod fixture;
mod grants;
mod input_sources;
mod owners;
mod secrets;
mod types;
mod uses;
