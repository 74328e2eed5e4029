//! The commands in a Markdown document, and the comments on how to run them.
//!
//! A fenced block of `sh` is a script; one of `console` has commands behind `$ `, each followed by its output. An HTML
//! comment on the line before the fence changes that:
//!
//! - `<!-- not run: REASON -->`
//! - `<!-- is refused -->`: it must fail
//! - `<!-- until it listens -->`: it starts the server, and does not end
//! - `<!-- with the clients -->`: it needs the `awx` command; blocks of `yaml` with this comment are playbooks
//!
//! A comment `<!-- needs: WORDS -->` anywhere names what the first block requires.

use anyhow::{Result, bail, ensure};

/// A document with commands.
pub struct Document {
    /// Its path in the repository.
    pub path: String,
    /// The requirements, such as `postgresql`.
    pub needs: Vec<String>,
    /// The blocks to run, in order.
    pub blocks: Vec<Block>,
    /// The blocks that are not run: the line, and the reason.
    pub left_out: Vec<(usize, String)>,
}

/// A block to run.
pub struct Block {
    /// The line of its fence.
    pub line: usize,
    /// The text to run.
    pub text: String,
    /// How to run it.
    pub kind: Kind,
    /// The expected output, if the document shows it.
    pub printed: Option<String>,
    /// Whether it must fail.
    pub is_refused: bool,
    /// Whether it needs the real clients.
    pub has_clients: bool,
}

/// How a block is run.
#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// By a shell.
    Commands,
    /// By a shell, in the background until the end of the document.
    Server,
    /// By `ansible-playbook`.
    Playbook,
    /// It is a configuration file.
    Configuration,
}

/// Finds the commands of a document.
///
/// # Errors
/// If a comment is unknown.
pub fn read(path: &str, text: &str) -> Result<Document> {
    let mut document = Document { path: path.to_owned(), needs: vec![], blocks: vec![], left_out: vec![] };
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    let mut comment = None;
    while let Some((line, text)) = lines.next() {
        if let Some(said) = text.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->")) {
            match said.strip_prefix("needs: ") {
                Some(needs) => document.needs.extend(needs.split(", ").map(str::to_owned)),
                None => comment = Some(said),
            }
            continue;
        }
        let Some(language) = text.strip_prefix("```") else {
            comment = None;
            continue;
        };
        let place = format!("{path}:{line}");
        let mut body = String::new();
        loop {
            match lines.next() {
                Some((_, "```")) => break,
                Some((_, text)) => body += &format!("{text}\n"),
                None => bail!("{place}: the block does not end"),
            }
        }
        block(&mut document, line, language, &body, comment.take()).map_err(|problem| problem.context(place))?;
    }
    Ok(document)
}

fn block(document: &mut Document, line: usize, language: &str, body: &str, comment: Option<&str>) -> Result<()> {
    let mut kind = match language {
        "sh" | "console" => Kind::Commands,
        "toml" => Kind::Configuration,
        "yaml" if comment == Some("with the clients") => Kind::Playbook,
        "json" | "yaml" | "ini" | "nginx" | "rust" | "sql" | "text" => {
            ensure!(comment.is_none(), "{language} blocks are never run");
            return Ok(());
        }
        other => bail!("unknown block language {other:?}"),
    };
    let (mut has_clients, mut is_refused) = (false, false);
    match comment {
        Some("with the clients") => has_clients = true,
        Some("is refused") => is_refused = true,
        Some("until it listens") => kind = Kind::Server,
        Some(said) => match said.strip_prefix("not run: ") {
            Some(reason) => {
                document.left_out.push((line, reason.to_owned()));
                return Ok(());
            }
            None => bail!("unknown comment {said:?}"),
        },
        None => {}
    }
    let (mut text, mut printed) = (body.to_owned(), None);
    if language == "console" {
        let (commands, others): (Vec<&str>, Vec<&str>) = body.lines().partition(|line| line.starts_with("$ "));
        ensure!(!commands.is_empty(), "there is no line that begins with $");
        text = commands.iter().map(|line| format!("{}\n", line.trim_start_matches("$ "))).collect();
        printed = Some(others.join("\n"));
    }
    document.blocks.push(Block { line, text, kind, printed, is_refused, has_clients });
    Ok(())
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "tests report by panicking")]
mod tests {
    use super::*;

    #[test]
    fn blocks_and_their_annotations_are_parsed() {
        let text = "\
# A
<!-- needs: postgresql, ldap -->

```sh
one
```

<!-- not run: it takes a week -->
```sh
two
```

```console
$ three
3 …
$ four
4
```

```json
{}
```
";
        let document = read("a.md", text).expect("a document");
        assert_eq!(document.needs, ["postgresql", "ldap"]);
        assert_eq!(document.left_out, [(9, "it takes a week".to_owned())]);
        let texts: Vec<(usize, &str)> = document.blocks.iter().map(|block| (block.line, block.text.as_str())).collect();
        assert_eq!(texts, [(4, "one\n"), (13, "three\nfour\n")]);
        assert_eq!(document.blocks[1].printed.as_deref(), Some("3 …\n4"));
    }

    #[test]
    fn unknown_annotations_are_rejected() {
        for text in ["```sh\nx\n", "```\nx\n```\n", "<!-- run: perhaps -->\n```sh\nx\n```\n", "```console\nx\n```\n"] {
            assert!(read("a.md", text).is_err(), "{text}");
        }
    }
}
