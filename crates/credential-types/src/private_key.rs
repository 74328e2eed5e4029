//! Validation of private keys in PEM.

use base64::{Engine, prelude::BASE64_STANDARD};
use der::{Decode, Tag, Tagged, asn1::AnyRef};
use std::borrow::Cow;
use zeroize::Zeroizing;

/// Why a text is not a private key, with AWX's messages where AWX has one. A message may
/// quote the text: return it to the client, never log it.
#[derive(Clone, PartialEq, Eq)]
pub enum PrivateKeyError {
    /// No PEM block starts here; with the text from this position.
    NotPem(String),
    /// A private key of a kind that SSH does not support.
    UnknownKey(String),
    /// A block that is neither a private key nor a certificate.
    UnknownBlock(String),
    /// The content between BEGIN and END is not base64.
    NotBase64,
    /// The key is truncated or does not have the format that its label names.
    Unreadable,
    /// No block is a private key.
    NoKey,
}

impl std::fmt::Display for PrivateKeyError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PrivateKeyError::NotPem(text) => write!(formatter, "Invalid certificate or key: {text}..."),
            PrivateKeyError::UnknownKey(kind) => write!(formatter, "Invalid private key: unsupported type \"{kind}\""),
            PrivateKeyError::UnknownBlock(kind) => write!(formatter, "Unsupported PEM object type: \"{kind}\""),
            PrivateKeyError::NotBase64 => formatter.write_str("Invalid base64-encoded data"),
            PrivateKeyError::Unreadable => {
                formatter.write_str("Invalid private key: its content cannot be parsed. Check that it is complete.")
            }
            PrivateKeyError::NoKey => formatter.write_str("At least one private key is required."),
        }
    }
}

// The message may quote the key, so Debug must not show it.
impl std::fmt::Debug for PrivateKeyError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            PrivateKeyError::NotPem(_) => "NotPem(..)",
            PrivateKeyError::UnknownKey(_) => "UnknownKey(..)",
            PrivateKeyError::UnknownBlock(_) => "UnknownBlock(..)",
            PrivateKeyError::NotBase64 => "NotBase64",
            PrivateKeyError::Unreadable => "Unreadable",
            PrivateKeyError::NoKey => "NoKey",
        })
    }
}

/// The kinds of private keys, by the text before `PRIVATE KEY` in their label: PKCS#1,
/// DSA and SEC 1 as OpenSSL writes them, OpenSSH, PKCS#8.
const KINDS: &[&str] = &["RSA", "DSA", "EC", "OPENSSH", ""];

/// Checks one or more private keys in PEM, possibly with certificates, and returns
/// whether any key needs a passphrase.
///
/// # Errors
/// [`PrivateKeyError`].
pub fn needs_passphrase(text: &str) -> Result<bool, PrivateKeyError> {
    let (mut keys, mut needs) = (0, false);
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let block = Block::read(rest).ok_or_else(|| PrivateKeyError::NotPem(rest.chars().take(100).collect()))?;
        rest = block.rest;
        match block.label.strip_suffix("PRIVATE KEY") {
            Some(kind) => {
                keys += 1;
                needs |= key_is_encrypted(kind, block.body)?;
            }
            None if block.label == "CERTIFICATE" => drop(decoded(block.body)?),
            None => return Err(PrivateKeyError::UnknownBlock(block.label.to_owned())),
        }
    }
    if keys == 0 { Err(PrivateKeyError::NoKey) } else { Ok(needs) }
}

/// Replaces the JSON escape of `=`, which remains in keys copied from a JSON file. AWX
/// accepts it, too.
pub(crate) fn without_escapes(text: &str) -> Cow<'_, str> {
    if text.contains("\\u003d") { text.replace("\\u003d", "=").into() } else { text.into() }
}

fn key_is_encrypted(kind: &str, body: &str) -> Result<bool, PrivateKeyError> {
    let encrypted = kind.trim_end() == "ENCRYPTED";
    let kind = kind.replace("ENCRYPTED", "");
    let kind = kind.trim();
    if !KINDS.contains(&kind) {
        return Err(PrivateKeyError::UnknownKey(kind.to_owned()));
    }
    let data = decoded(body)?;
    if kind == "OPENSSH" {
        let key = ssh_key::PrivateKey::from_bytes(&data).map_err(|_| PrivateKeyError::Unreadable)?;
        return Ok(key.is_encrypted());
    }
    // The older format (RFC 1421), where all of the content is encrypted.
    if !encrypted && body.contains("ENCRYPTED") {
        return Ok(true);
    }
    match AnyRef::from_der(&data) {
        Ok(value) if value.tag() == Tag::Sequence => Ok(encrypted),
        _ => Err(PrivateKeyError::Unreadable),
    }
}

/// The decoded content of a block, without its headers.
fn decoded(body: &str) -> Result<Zeroizing<Vec<u8>>, PrivateKeyError> {
    let mut base64 = Zeroizing::new(String::with_capacity(body.len()));
    let mut continues = false;
    for line in body.lines().map(str::trim) {
        let is_header = continues || line.contains(':');
        continues = is_header && line.ends_with('\\');
        if !is_header {
            base64.push_str(line);
        }
    }
    match BASE64_STANDARD.decode(base64.as_bytes()) {
        Ok(data) if !data.is_empty() => Ok(Zeroizing::new(data)),
        _ => Err(PrivateKeyError::NotBase64),
    }
}

/// One block of PEM. Like AWX, it may have other numbers of dashes than five, and spaces
/// beside them.
struct Block<'a> {
    label: &'a str,
    body: &'a str,
    rest: &'a str,
}

impl<'a> Block<'a> {
    fn read(text: &'a str) -> Option<Block<'a>> {
        let dashes = &text[..text.len() - text.trim_start_matches('-').len()];
        if dashes.len() < 4 {
            return None;
        }
        let heading = text[dashes.len()..].trim_start_matches(' ').strip_prefix("BEGIN ")?;
        let (label, content) = heading.split_once(dashes)?;
        let label = label.trim_end_matches(' ');
        if label.is_empty() || !label.chars().all(|c| c.is_ascii_uppercase() || c == ' ') {
            return None;
        }
        let mut from = 0;
        loop {
            let end = from + content[from..].find(dashes)?;
            let after = content[end + dashes.len()..].trim_start_matches(' ');
            let after = after.strip_prefix("END ").and_then(|after| after.strip_prefix(label));
            if let Some(rest) = after.and_then(|after| after.trim_start_matches(' ').strip_prefix(dashes)) {
                let body = content[..end].trim();
                return (!body.is_empty()).then(|| Block { label, body, rest: rest.trim_start() });
            }
            from = end + 1;
        }
    }
}

#[cfg(test)]
mod tests;
