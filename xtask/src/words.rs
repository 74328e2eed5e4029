//! Words that this project gave up, because readers had to translate them: none of them may come back.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use regex::Regex;

use crate::report::Report;

/// The words as patterns, each with what to write instead.
const GIVEN_UP: &[(&str, &str)] = &[
    ("begets?", "create, issue"),
    ("(comes?|came) by", "get, connect through"),
    ("doors?", "listener"),
    ("furnish(es|ed|ing)?", "populate"),
    ("homeless", "without an organization"),
    ("houses?", "fixture, server"),
    ("(is|are|was|were|be|been) believed", "trust"),
    ("(is|are|was|were|be|been) told", "receive, parameter, message"),
    ("lanes?", "rate limit, queue"),
    ("(made|makes?|making) up", "generate"),
    ("shelf|shelves", "secret column"),
    ("sealed", "encrypted"),
    ("vouch(es|ed|ing)?", "confirm, verify"),
    ("wears?|wearing", "have"),
    ("whoever", "anyone who, the user who"),
];

/// The kinds of files that are checked.
const FILES: &[&str] = &["*.rs", "*.md", "*.py", "*.toml", "*.yml", "*.sh"];

/// Paths whose leftovers are not rewritten yet. Remove each once it is clean.
const LEFTOVERS: &[&str] = &[
    "CHANGELOG.md",
    "crates/access/",
    "crates/backup/",
    "crates/cli/src/",
    "crates/cli/tests/http/secret_keys.rs",
    "crates/database/",
    "crates/engine/",
    "crates/identity/",
    "crates/resources/",
    "crates/schema/",
    "crates/server/",
    "crates/vault/",
    "docs/access.md",
    "docs/differences-from-awx.md",
    "docs/security.md",
    "docs/settings.md",
    "docs/sign-in.md",
];

/// Lines that contain such a word for a reason: the file, and a text of the line.
const EXCEPTIONS: &[(&str, &str)] = &[
    // The list itself, and its test.
    ("xtask/src/words.rs", ""),
    // A password whose recorded hash cannot be changed.
    ("crates/cli/tests/http/sessions.rs", "Moved-House-"),
];

/// Checks every file that git knows.
pub fn check(report: &mut Report) -> Result<()> {
    report.part("words");
    let found = search()?;
    if !found.is_empty() {
        println!("{}", found.join("\n"));
        report.fail(&format!("{} lines with words that were given up", found.len()));
    }
    Ok(())
}

/// The lines with given-up words, each as `file:line: word (what to write instead)`, but for known leftovers.
pub fn search() -> Result<Vec<String>> {
    search_in(LEFTOVERS)
}

fn search_in(skipped: &[&str]) -> Result<Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut command = Command::new("git");
    command.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"]).args(FILES);
    let output = command.current_dir(&root).output().context("git does not run")?;
    ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let matcher = Matcher::new()?;
    let mut found = Vec::new();
    for file in String::from_utf8(output.stdout)?.split('\0').filter(|file| !file.is_empty()) {
        if skipped.iter().any(|path| file.starts_with(path)) {
            continue;
        }
        // A file that was removed and not yet committed is still listed.
        let Ok(text) = fs::read_to_string(root.join(file)) else { continue };
        let exceptions: Vec<&str> =
            EXCEPTIONS.iter().filter(|(path, _)| *path == file).map(|(_, text)| *text).collect();
        found.extend(matcher.search(file, &text, &exceptions));
    }
    Ok(found)
}

struct Matcher(Vec<(Regex, &'static str)>);

impl Matcher {
    fn new() -> Result<Self> {
        let pattern = |&(words, instead): &(&str, &'static str)| {
            // An underscore separates the words of a name; capitals separate those of a type.
            Ok((Regex::new(&format!(r"(?:^|[^A-Za-z])((?i:{words}))(?:[^a-z]|$)"))?, instead))
        };
        Ok(Self(GIVEN_UP.iter().map(pattern).collect::<Result<_>>()?))
    }

    fn search(&self, file: &str, text: &str, exceptions: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        for (index, line) in text.lines().enumerate() {
            if exceptions.iter().any(|exception| line.contains(exception)) {
                continue;
            }
            for (pattern, instead) in &self.0 {
                if let Some(word) = pattern.captures(line).and_then(|captures| captures.get(1)) {
                    found.push(format!("{file}:{}: {} ({instead})", index + 1, word.as_str()));
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_up_words_are_found_in_names_and_texts() -> Result<()> {
        let matcher = Matcher::new()?;
        for (line, count) in [
            ("/// Whoever asks.", 1),
            ("fn sealed_secret() {}", 1),
            ("struct HouseBuilder;", 1),
            ("it is told and made up", 2),
            ("indoors, warehouse, unsealed_x, planes", 0),
        ] {
            assert_eq!(matcher.search("a.rs", line, &[]).len(), count, "{line}");
        }
        assert!(matcher.search("a.rs", "a house", &["a house"]).is_empty());
        Ok(())
    }

    #[test]
    fn no_file_contains_given_up_words() -> Result<()> {
        let found = search()?;
        assert!(found.is_empty(), "{} lines:\n{}", found.len(), found.join("\n"));
        Ok(())
    }

    #[test]
    fn leftovers_are_listed_only_while_they_exist() -> Result<()> {
        let all = search_in(&[])?;
        for path in LEFTOVERS {
            assert!(all.iter().any(|line| line.starts_with(path)), "{path} is clean: remove it from the list");
        }
        Ok(())
    }
}
