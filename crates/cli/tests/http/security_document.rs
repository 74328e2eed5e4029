//! Each test that docs/security.md names must exist and run.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use regex::Regex;

/// The tests of this binary as `module::name`, with whether they are ignored on all backends.
fn tests() -> BTreeMap<String, bool> {
    let listed = |arguments: &[&str]| {
        let binary = std::env::current_exe().expect("the path of this binary");
        let output = Command::new(binary).args(["--list", "--format", "terse"]).args(arguments).output();
        let output = String::from_utf8(output.expect("a list of tests").stdout).expect("text");
        output.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect::<Vec<_>>()
    };
    let ignored = listed(&["--ignored"]);
    listed(&[]).into_iter().map(|name| (name.clone(), ignored.contains(&name))).collect()
}

#[test]
fn security_document_names_existing_tests() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/security.md");
    let document = fs::read_to_string(document).expect("docs/security.md");
    let rows: Vec<&str> = document.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    let reference = Regex::new(r"`([a-z_/]+)\.rs::([a-z_]+)`").expect("a pattern");
    let tests = tests();
    let mut problems = vec![];
    for row in rows {
        let mut names = reference.captures_iter(row).peekable();
        if names.peek().is_none() {
            problems.push(format!("no test is named in: {row}"));
        }
        for found in names {
            let name = format!("{}::{}", found[1].replace('/', "::"), &found[2]);
            // A test for each backend is a module with two tests.
            let variants = [name.clone(), format!("{name}::sqlite")];
            match variants.iter().find_map(|name| tests.get(name)) {
                None => problems.push(format!("{name} does not exist")),
                Some(true) => problems.push(format!("{name} is ignored")),
                Some(false) => {}
            }
        }
    }
    assert!(problems.is_empty(), "docs/security.md: {}", problems.join("\n"));
}
