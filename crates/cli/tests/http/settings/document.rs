//! docs/settings.md contains the texts of the server.

use std::fmt::Write as _;

use hostler_testkit::Backend;

use crate::settings::{ALL, start};

const DOCUMENT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/settings.md"));

/// What stands before the reason in the help text of a setting that nothing reads.
const WITHOUT_EFFECT: &str = " Has no effect: ";

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
    let mut without_effect = "\n## Without effect\n\n| setting | why |\n|---|---|\n".to_owned();
    let mut count = 0;
    for (name, words) in &settings {
        if let Some((_, reason)) = words["help_text"].as_str().and_then(|text| text.split_once(WITHOUT_EFFECT)) {
            let _ = writeln!(without_effect, "| `{name}` | {} |", reason.trim_end_matches('.'));
            count += 1;
        }
    }
    let tables = tables + &without_effect;
    assert!(DOCUMENT.ends_with(&tables), "docs/settings.md must end with these tables:\n{tables}");
    let rows = DOCUMENT.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, settings.len() + count, "docs/settings.md contains settings that do not exist");
}

#[test]
fn every_setting_is_named_by_a_test_of_its_effect() {
    let server = start(Backend::Sqlite);
    let settings = server.as_admin().options(ALL).expect(200).json()["actions"]["GET"].clone();
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
    let settings = settings.as_object().expect("an object").iter();
    let with_effect =
        settings.filter(|(_, words)| !words["help_text"].as_str().is_some_and(|text| text.contains(WITHOUT_EFFECT)));
    let missing: Vec<_> = with_effect.map(|(name, _)| name).filter(|name| !tests.contains(&named(name))).collect();
    assert!(missing.is_empty(), "no test shows the effect of {missing:?}");
}
