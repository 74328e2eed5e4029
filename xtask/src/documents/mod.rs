//! Runs every command in README.md and `docs` in a disposable copy of this machine with the Debian package installed,
//! and compares the output that documents show.

mod markdown;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::disposable_root;
use crate::report::{Counts, Report};
use markdown::{Block, Document, Kind, read};

/// Runs the commands of all documents, or of the named ones; `clients` is the folder of the `awx` command, or the
/// reason why it is missing.
pub fn check(report: &mut Report, package: &Path, clients: &Result<PathBuf, String>, only: &[String]) -> Result<()> {
    report.part("documents");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace")?;
    let mut paths = vec!["README.md".to_owned()];
    for entry in fs::read_dir(root.join("docs"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if Path::new(&name).extension().is_some_and(|extension| extension == "md") {
            paths.push(format!("docs/{name}"));
        }
    }
    paths.sort();
    if let Some(unknown) = only.iter().find(|path| !paths.contains(path)) {
        report.fail(&format!("there is no document {unknown}; there are {}", paths.join(", ")));
    }
    paths.retain(|path| only.is_empty() || only.contains(path));
    for path in paths {
        let document = match read(&path, &fs::read_to_string(root.join(&path))?) {
            Ok(document) => document,
            Err(problem) => {
                report.fail(&format!("{problem:#}"));
                continue;
            }
        };
        for (line, reason) in &document.left_out {
            println!("{path}:{line} is not run: {reason}");
        }
        run(report, &document, package, clients)?;
    }
    Ok(())
}

fn run(report: &mut Report, document: &Document, package: &Path, clients: &Result<PathBuf, String>) -> Result<()> {
    let mut blocks: Vec<&Block> = document.blocks.iter().collect();
    if let Err(because) = clients
        && blocks.iter().any(|block| block.has_clients)
    {
        report.skip(&format!("blocks of {} that need the clients", document.path), because, 1);
        blocks.retain(|block| !block.has_clients);
    }
    if blocks.is_empty() {
        return Ok(());
    }
    let bin = clients.as_ref().map(|bin| bin.display().to_string()).unwrap_or_default();
    let folder = TempDir::with_prefix("hostler-documents-")?;
    let file = folder.path().join("document.sh");
    fs::write(&file, script(document, &blocks, &bin)?)?;
    let prelude = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/documents/prelude.sh");
    match disposable_root::run("bash", &[&file, &prelude, package]) {
        Ok(()) => {
            println!("{}: {} blocks", document.path, blocks.len());
            report.add(Counts { passed: blocks.len() as u64, ..Counts::default() });
        }
        Err(problem) => report.fail(&format!("the commands of {}: {problem:#}", document.path)),
    }
    Ok(())
}

/// The blocks run in sequence in one shell, so that they share variables.
fn script(document: &Document, blocks: &[&Block], clients: &str) -> Result<String> {
    let mut script = format!("prelude=$1 package=$2 clients={}\n", quoted(clients));
    writeln!(
        script,
        ". \"$prelude\"\nprepare {}",
        document.needs.iter().map(|need| quoted(need) + " ").collect::<String>()
    )?;
    for Block { line, text, kind, printed, is_refused, .. } in blocks {
        writeln!(script, "place={}", quoted(&format!("{}:{line}", document.path)))?;
        match kind {
            Kind::Commands if *is_refused => {
                writeln!(
                    script,
                    "set +e\n(set -e\n{text}) >/run/printed 2>&1\nrefused=$?\nset -e\nis_refused $refused"
                )?;
            }
            Kind::Commands => writeln!(script, "{{\n{text}}} >/run/printed 2>&1")?,
            Kind::Server => writeln!(script, "(\n{text}) </dev/null >>/run/log 2>&1 &\nlistens")?,
            Kind::Playbook => writeln!(script, "playbook {}", quoted(text))?,
            Kind::Configuration => writeln!(script, "configuration {}", quoted(text))?,
        }
        if let Some(printed) = printed {
            writeln!(script, "printed {}", pattern(printed))?;
        }
    }
    script += "place=\n";
    Ok(script)
}

/// The text as a quoted word of the shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The expected output as a shell pattern; `…` matches anything.
fn pattern(printed: &str) -> String {
    let mut pattern = String::new();
    for character in printed.chars() {
        match character {
            '…' => pattern.push('*'),
            '*' | '?' | '[' | ']' | '\\' => pattern.extend(['\\', character]),
            other => pattern.push(other),
        }
    }
    quoted(&pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_for_the_shell() {
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(pattern("a* … [b]"), r"'a\* * \[b\]'");
    }
}
