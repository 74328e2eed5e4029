//! Tests that cannot run on every machine.

use std::fs::OpenOptions;
use std::io::Write as _;

/// Names a file to which tests add a line for each reason not to run: runners of tests hide what those print that pass.
pub const SKIPS_VARIABLE: &str = "HOSTLER_TEST_SKIPS";

/// Begins the lines of what could be installed.
pub const MISSING: &str = "missing: ";
/// Begins the lines of what the machine does not allow, whatever is installed.
pub const FORBIDDEN: &str = "forbidden: ";

/// Says that a test does not run because something is not installed.
pub fn skip(because: &str) {
    tell(MISSING, because);
}

/// Says that a test does not run because this machine, or this user, may not do what it takes.
pub fn skip_forbidden(because: &str) {
    tell(FORBIDDEN, because);
}

fn tell(kind: &str, because: &str) {
    let because = because.trim().replace('\n', " ");
    eprintln!("SKIPPED: {because}");
    if let Some(file) = std::env::var_os(SKIPS_VARIABLE).filter(|file| !file.is_empty()) {
        let file = OpenOptions::new().create(true).append(true).open(file);
        // In one piece, for others write there too.
        file.and_then(|mut file| file.write_all(format!("{kind}{because}\n").as_bytes())).expect("the file of skips");
    }
}
