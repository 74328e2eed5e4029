//! The replay of recorded conversations: what AWX 24.6.1 answered, step by step,
//! compared with what the server under test answers now.
//!
//! Identifiers, times, UUIDs and secrets are replaced by symbols on both sides
//! before the comparison, so a case holds on any server with a superuser.

mod case;
mod compare;
mod exceptions;
mod python;
mod replay;
mod repository;
mod symbols;

pub use case::{Case, Expect, Step, Until, cases_in};
pub use compare::{Difference, Got, Kind, Verdict, compare, differences};
pub use exceptions::{Exception, Exceptions};
pub use replay::{Outcome, replay};
pub use symbols::Symbols;
