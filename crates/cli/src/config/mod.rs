//! The configuration: a file behind variables and flags.

mod file;
mod show;

pub use file::{ConfigFile, parse};
pub use show::{mask_secret, show};
