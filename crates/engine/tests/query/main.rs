//! The grammar of list queries: what it refuses, and which rows it finds.
#![allow(clippy::unwrap_used, clippy::panic)]

mod fixture;
mod limits;
mod lookups;
mod ordering;
mod paging;
mod refusals;
mod relations;
mod searches;
