//! The configuration file. Environment variables and flags override it.

mod file;
mod show;

pub use file::{ConfigFile, parse};
pub use show::{mask_secret, show};
