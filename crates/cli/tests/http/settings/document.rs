//! docs/settings.md contains the texts of the server.

use std::fmt::Write as _;

use hostler_testkit::Backend;

use crate::settings::{ALL, start};

const DOCUMENT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/settings.md"));

#[test]
fn document_lists_every_setting() {
    let server = start(Backend::Sqlite);
    let options = server.as_admin().options(ALL).expect(200).json();
    let mut settings = options["actions"]["GET"].as_object().expect("an object").clone();
    // Further directories have the same settings as the first.
    settings
        .retain(|name, _| !name.starts_with("AUTH_LDAP_") || !name.contains(|letter: char| letter.is_ascii_digit()));
    let (mut tables, mut category) = (String::new(), String::new());
    for (name, words) in &settings {
        if words["category"] != *category {
            category = words["category"].as_str().expect("a text").to_owned();
            let _ = write!(
                tables,
                "\n## {category} (`/api/v2/settings/{}/`)\n\n| setting | default | what it does |\n|---|---|---|\n",
                words["category_slug"].as_str().expect("a text")
            );
        }
        let default = match options["actions"]["PUT"][name].get("default") {
            Some(value) => format!("`{value}`"),
            None => "read-only".to_owned(),
        };
        let _ = writeln!(tables, "| `{name}` | {default} | {} |", words["help_text"].as_str().expect("a text"));
    }
    assert!(DOCUMENT.contains(&tables), "docs/settings.md must contain these tables:\n{tables}");
    let rows = DOCUMENT.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, settings.len(), "docs/settings.md contains settings that do not exist");
}

#[test]
fn every_setting_is_named_by_a_test_of_its_effect() {
    let server = start(Backend::Sqlite);
    let settings = server.as_admin().get(ALL).expect(200).json();
    // These tests check values and texts, not effects.
    let apart = ["document.rs", "values.rs", "options.rs", "recording.rs"];
    let mut tests = String::new();
    let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"))];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of tests") {
            let path = entry.expect("a file").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".rs") && !apart.contains(&name) {
                tests += &std::fs::read_to_string(&path).expect("a text");
            }
        }
    }
    // LDAP settings are named there without the number of the directory.
    let named = |name: &String| match name.strip_prefix("AUTH_LDAP_") {
        Some(rest) => {
            format!("\"{}\"", rest.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '_'))
        }
        None => name.clone(),
    };
    let missing: Vec<_> =
        settings.as_object().expect("an object").keys().filter(|name| !tests.contains(&named(name))).collect();
    assert!(missing.is_empty(), "no test shows the effect of {missing:?}");
}
