//! Removal of secrets from the output of programs.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use zeroize::Zeroizing;

use crate::source::GitCredential;

const MASK: &str = "********";

/// Replaces the secrets of one operation in texts.
#[derive(Clone, Default)]
pub(crate) struct Mask(Vec<Zeroizing<String>>);

impl Mask {
    pub fn new(credential: &GitCredential) -> Self {
        let mut mask = Self::default();
        mask.add(&credential.password);
        mask.add(&credential.ssh_key_passphrase);
        mask
    }

    pub fn add(&mut self, secret: &str) {
        if !secret.is_empty() {
            self.0.push(Zeroizing::new(secret.to_owned()));
            self.0.push(Zeroizing::new(utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string()));
        }
    }

    /// One line for a log: without secrets, passwords in URLs, and control characters.
    pub fn line(&self, line: &str) -> String {
        let mut text: String = line.chars().filter(|c| !c.is_control() || *c == '\t').collect();
        for secret in &self.0 {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), MASK);
            }
        }
        mask_passwords_in_urls(&text)
    }
}

/// Replaces `secret` in `scheme://user:secret@host`.
fn mask_passwords_in_urls(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://").map(|at| at + 3) {
        masked.push_str(&rest[..at]);
        rest = &rest[at..];
        let authority = &rest[..rest.find(['/', ' ', '\'', '"', '?', '#']).unwrap_or(rest.len())];
        if let Some(end) = authority.rfind('@') {
            match authority[..end].split_once(':') {
                Some((user, _)) => {
                    masked.push_str(user);
                    masked.push(':');
                    masked.push_str(MASK);
                }
                None => masked.push_str(&authority[..end]),
            }
            rest = &rest[end..];
        }
    }
    masked.push_str(rest);
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_in_every_form() {
        let mut mask = Mask::default();
        mask.add("p@ss word");
        assert_eq!(mask.line("fatal: 'p@ss word' and p%40ss%20word\u{1b}[31m"), "fatal: '********' and ********[31m");
        assert_eq!(mask.line("see https://ada:other@host/x"), "see https://ada:********@host/x");
        assert_eq!(mask.line("see https://ada@host/x and b://c:d"), "see https://ada@host/x and b://c:d");
    }
}
