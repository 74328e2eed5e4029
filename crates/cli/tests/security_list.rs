//! docs/security.md promises tests by name: each of them has to exist.
#![allow(clippy::expect_used, reason = "tests report by panicking")]

use std::fs;
use std::path::Path;

use regex::Regex;

#[test]
fn every_test_that_the_list_names_exists() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let list = fs::read_to_string(tests.join("../../../docs/security.md")).expect("docs/security.md");
    let names = Regex::new(r"`([a-z_/]+\.rs)::([a-z_]+)`").expect("a pattern");
    let mut missing = vec![];
    let mut count = 0;
    for found in names.captures_iter(&list) {
        count += 1;
        let text = fs::read_to_string(tests.join(&found[1])).unwrap_or_default();
        if !text.contains(&format!("fn {}(", &found[2])) {
            missing.push(found[0].to_owned());
        }
    }
    assert!(count > 30, "the list names only {count} tests");
    assert!(missing.is_empty(), "docs/security.md names tests that do not exist: {}", missing.join(", "));
}
