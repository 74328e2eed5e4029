//! Words that are not used in this project, because they are not the field's words.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use regex::Regex;

use crate::report::Report;

/// The words as patterns, each with a replacement.
const GIVEN_UP: &[(&str, &str)] = &[
    ("anew", "again"),
    ("begets?", "create, issue"),
    ("(comes?|came) by", "get, connect through"),
    ("doors?", "listener"),
    ("furnish(es|ed|ing)?", "populate"),
    ("homeless", "without an organization"),
    ("houses?", "fixture, server"),
    ("(is|are|was|were|be|been) believed", "trust"),
    ("lanes?", "rate limit, queue"),
    ("mend(s|ed|ing)?", "correct, repair"),
    ("(made|makes?|making) up", "generate"),
    ("shelf|shelves", "secret column"),
    ("sealed", "encrypted"),
    ("somebody", "a user, a client"),
    ("told|tells", "report, contain, show"),
    ("vouch(es|ed|ing)?", "confirm, verify"),
    ("wears?|wearing", "have"),
    ("whoever", "anyone who, the user who"),
];

/// The kinds of files that are checked.
const FILES: &[&str] = &["*.rs", "*.md", "*.py", "*.toml", "*.yml", "*.sh"];

/// Exceptions: the file, and a text of the line.
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
        report.fail(&format!("{} lines with words that the project does not use", found.len()));
    }
    Ok(())
}

/// The lines with such words, each as `file:line: word (replacement)`.
pub fn search() -> Result<Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut command = Command::new("git");
    command.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--"]).args(FILES);
    let output = command.current_dir(&root).output().context("git does not run")?;
    ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let matcher = Matcher::new()?;
    let mut found = Vec::new();
    for file in String::from_utf8(output.stdout)?.split('\0').filter(|file| !file.is_empty()) {
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
}
