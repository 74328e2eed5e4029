//! The configuration: a file behind variables and flags.

mod file;
mod show;

pub use file::{Config, parse};
pub use show::{masked, show};
