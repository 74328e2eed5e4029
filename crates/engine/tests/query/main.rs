//! Queries of lists: rejected ones, and the rows that valid ones match.
#![allow(clippy::unwrap_used, clippy::panic)]

mod fixture;
mod limits;
mod lookups;
mod ordering;
mod paging;
mod refusals;
mod relations;
mod searches;
