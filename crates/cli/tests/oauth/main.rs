//! OAuth2 from the outside: applications, the user's consent, and everything
//! that an application can do with what it got.
#![allow(clippy::expect_used, clippy::panic, reason = "tests report by panicking")]

mod applications;
mod authorize;
mod code;
mod disabled;
mod password;
mod refresh;
mod revoke;
mod secrets;
mod tokens;
mod world;
