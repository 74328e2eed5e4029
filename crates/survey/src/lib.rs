//! Surveys: the questions that a launch asks, and the checks of the answers. Knows no database, and no encryption: where a
//! default or an answer is a secret, the caller stores it.
//!
//! Messages are those of AWX 24.6.1, because clients show them.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod answers;
mod json_text;
mod spec;

pub use answers::{Answers, Survey};
pub use json_text::json_text;
pub use spec::{CheckedSpec, check_spec};

/// Stands for a secret that is stored: in responses, and in requests that keep it.
pub const ENCRYPTED: &str = "$encrypted$";
