//! How many connections there can be.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Lets this process open as many files, and so connections, as it may: what it begins with is often 1024, a number for
/// programs that use `select`.
pub fn raise_open_files_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(problem) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%problem, "the number of open files stays limited as it was");
    }
}
