//! Replays recorded conversations: the responses of AWX 24.6.1 are compared step by step with those of the tested
//! server.
//!
//! Ids, times, UUIDs and secrets are replaced by symbols on both sides before the comparison, so that a case passes on
//! any server with a superuser.

mod case;
mod compare;
mod known_differences;
mod python;
mod replay;
mod repository;
mod sink;
mod symbols;

pub use case::{Case, Expect, Sign, SignAlgorithm, Step, Until, cases_in};
pub use compare::{Actual, Difference, Kind, Verdict, compare, differences, inconsistencies};
pub use known_differences::{KnownDifference, KnownDifferences, Waiting};
pub use replay::{Outcome, replay, signature};
pub use symbols::{Normalize, Symbols};
