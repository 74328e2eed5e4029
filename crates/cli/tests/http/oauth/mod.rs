//! OAuth2 from the outside: applications, the user's consent, and everything
//! that an application can do with what it got.

mod applications;
mod authorize;
mod code;
mod disabled;
mod fixture;
mod password;
mod refresh;
mod revoke;
mod secrets;
mod tokens;
