//! Credential types and what fits them, as AWX knows them.
//!
//! A type says which inputs its credentials have ([`Inputs`]) and what a job is
//! given of them. This crate checks definitions ([`check_inputs`], [`check_injectors`]) and values
//! ([`Inputs::check`]) and tells a client what is wrong in AWX's words; it
//! renders what a job is given ([`inject`]), and brings the types that every AWX has ([`managed`]). It knows neither HTTP nor
//! the descriptions of resources, and sees secrets only for as long as it checks
//! them.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod definition;
mod injectors;
mod inputs;
mod key;
pub mod managed;
mod python;
mod values;

pub use definition::check_inputs;
pub use injectors::{InjectProblem, Injected, check_injectors, inject};
pub use inputs::{Format, Input, InputKind, Inputs};
pub use key::{KeyProblem, needs_passphrase};
pub use values::{Of, Problems};
