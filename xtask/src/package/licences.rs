//! The license texts of the libraries in the binary.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::cargo::cargo;
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// The prefixes of the names of license and notice files.
const FILES: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE"];

/// Every library that is linked into the binary, with its license and license files. Each text appears once.
pub fn third_party() -> Result<String> {
    let metadata = metadata()?;
    let mut libraries = String::from("The program contains these libraries.\n\n");
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in linked(&metadata)? {
        let of = |key: &str| package[key].as_str().unwrap_or("unknown").to_owned();
        let name = format!("{} {}", of("name"), of("version"));
        writeln!(libraries, "{name}: {}", of("license"))?;
        let folder = of("manifest_path");
        for text in notices(Path::new(&folder).parent().context("a package's folder")?)? {
            texts.entry(text).or_default().push(name.clone());
        }
    }
    for (text, names) in texts {
        write!(libraries, "\n{}\n{}\n\n{}\n", "=".repeat(80), names.join(", "), text.trim_end())?;
    }
    Ok(libraries)
}

fn metadata() -> Result<Value> {
    let version = output(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    let arguments = ["metadata", "--format-version=1", "--locked", "--filter-platform", host];
    Ok(serde_json::from_str(&output(cargo().args(arguments))?)?)
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "{command:?} fails");
    Ok(String::from_utf8(output.stdout)?)
}

/// The third-party packages that `hostler` depends on at run time, directly or indirectly.
fn linked(metadata: &Value) -> Result<Vec<&Value>> {
    let list = |value: &'static str, of: &Value| -> Result<Vec<Value>> {
        of[value].as_array().cloned().with_context(|| format!("cargo metadata has no {value}"))
    };
    let packages = metadata["packages"].as_array().context("cargo metadata has no packages")?;
    let root = packages.iter().find(|package| package["name"] == "hostler").context("there is no hostler")?;
    let nodes = list("nodes", &metadata["resolve"])?;
    let mut found = BTreeSet::new();
    let mut open = vec![root["id"].clone()];
    while let Some(id) = open.pop() {
        if !found.insert(id.as_str().context("an id")?.to_owned()) {
            continue;
        }
        let node = nodes.iter().find(|node| node["id"] == id).context("a package that is not resolved")?;
        for dependency in list("deps", node)? {
            if list("dep_kinds", &dependency)?.iter().any(|kind| kind["kind"].is_null()) {
                open.push(dependency["pkg"].clone());
            }
        }
    }
    let of_others = |package: &&Value| !package["source"].is_null();
    let is_found = |package: &&Value| package["id"].as_str().is_some_and(|id| found.contains(id));
    let mut linked: Vec<&Value> = packages.iter().filter(of_others).filter(is_found).collect();
    linked.sort_by_key(|package| package["name"].as_str());
    Ok(linked)
}

/// The license files of a package.
fn notices(folder: &Path) -> Result<Vec<String>> {
    let mut texts = vec![];
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_uppercase();
        if entry.file_type()?.is_file() && FILES.iter().any(|beginning| name.starts_with(beginning)) {
            texts.push(String::from_utf8_lossy(&fs::read(entry.path())?).into_owned());
        }
    }
    Ok(texts)
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "tests report by panicking")]
mod tests {
    use super::*;

    #[test]
    fn licences_of_dependencies_are_listed() {
        let text = third_party().expect("cargo metadata");
        for expected in ["\nserde_json 1.", ": MIT OR Apache-2.0\n", "Permission is hereby granted"] {
            assert!(text.contains(expected), "{expected:?} is not in the licenses of the package");
        }
        assert!(!text.contains("hostler-"), "our own crates are not others'");
        assert!(!text.contains("\nhostler_testkit"), "tests are not part of the program");
        assert!(!text.contains("\nlibtest-mimic "), "what only tests use is not part of the program");
        assert!(!text.contains(": unknown\n"), "a library has no license");
    }
}
