//! Credential types: their definitions and the checks of values against them.
//!
//! A credential type defines the inputs of its credentials ([`InputSchema`]) and how a
//! job receives them (injectors). This crate checks custom definitions
//! ([`check_inputs`], [`check_injectors`]) and credential values ([`InputSchema::check_values`]),
//! with AWX's error messages. It renders injectors ([`render_injectors`]) and contains
//! AWX's managed types ([`managed`]). It depends on neither HTTP nor resource
//! descriptions, and does not store secrets.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod check_inputs;
mod check_values;
mod injectors;
mod input_schema;
pub mod managed;
mod private_key;
mod python_repr;

pub use check_inputs::check_inputs;
pub use check_values::{CredentialTypeInfo, InputErrors};
pub use injectors::{MAX_TEMPLATE, RenderError, RenderedInjectors, check_injectors, render_injectors};
pub use input_schema::{Format, InputField, InputSchema, InputType};
pub use private_key::{PrivateKeyError, needs_passphrase};
