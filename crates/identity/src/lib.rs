//! Authentication primitives: passwords, tokens, sessions, and the secrets behind them.
//!
//! This crate only computes. It opens no database and handles no request: the
//! server reads and stores. The one file it touches is the installation's secret
//! key ([`key`]), and the one thing it needs from the system is randomness.
//!
//! Nothing here prints a secret: types that contain one have their own `Debug`.

// A test that meets what it did not expect should stop right there.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod common_passwords;
pub mod csrf;
pub mod header;
pub mod key;
mod mac;
pub mod mfa_challenge;
pub mod password;
pub mod password_cache;
pub mod pkce;
pub mod policy;
mod random;
pub mod session;
pub mod throttle;
pub mod token;
pub mod totp;
pub mod username;
