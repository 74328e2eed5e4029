//! Tests that cannot run on every machine. libtest counts them as passed, so they also write to a file, from which
//! `cargo xtask test` counts them as skipped.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::thread;

/// The environment variable with the file to which each skipped test adds a line.
pub const SKIPS_VARIABLE: &str = "HOSTLER_TEST_SKIPS";

/// The prefix of tests that need something that can be installed.
pub const MISSING: &str = "missing";
/// The prefix of tests that this machine does not allow.
pub const FORBIDDEN: &str = "forbidden";

/// Marks the running test as skipped because something is not installed.
pub fn skip(reason: &str) {
    record(MISSING, reason);
}

/// Marks the running test as skipped because this machine, or this user, lacks the permission.
pub fn skip_forbidden(reason: &str) {
    record(FORBIDDEN, reason);
}

fn record(kind: &str, reason: &str) {
    let reason = reason.trim().replace(['\n', '\t'], " ");
    eprintln!("SKIPPED: {reason}");
    if let Some(file) = std::env::var_os(SKIPS_VARIABLE).filter(|file| !file.is_empty()) {
        let line = format!("{kind}\t{}\t{reason}\n", test_name());
        let file = OpenOptions::new().create(true).append(true).open(file);
        // In one write, because other tests append to the file, too.
        file.and_then(|mut file| file.write_all(line.as_bytes())).expect("the file of skipped tests");
    }
}

/// The binary and the name of the running test. libtest names the thread of a test after it; nextest runs each test in
/// a process with its name as an argument.
fn test_name() -> String {
    let binary = std::env::current_exe().unwrap_or_default();
    let binary = binary.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let thread = thread::current().name().filter(|name| *name != "main").map(str::to_owned);
    let name = thread.or_else(|| {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        arguments.iter().any(|it| it == "--exact").then(|| arguments.into_iter().find(|it| !it.starts_with("--")))?
    });
    format!("{binary}::{}", name.unwrap_or_else(|| "unknown".to_owned()))
}
