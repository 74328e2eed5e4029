//! OAuth2: applications, consent of users, and the tokens of applications.

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
