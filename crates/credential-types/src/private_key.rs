//! Private keys in PEM: whether they can be ones, and whether they need a passphrase.

use base64::{Engine, prelude::BASE64_STANDARD};
use der::{Decode, Tag, Tagged, asn1::AnyRef};
use std::borrow::Cow;
use zeroize::Zeroizing;

/// Why a text is no private key, in AWX's words where AWX has any. A message may
/// quote the text: it is for whoever sent it, and for no log.
#[derive(Clone, PartialEq, Eq)]
pub enum PrivateKeyError {
    /// There is no PEM block where one must start; with the text from there.
    NotPem(String),
    /// A private key of a kind that SSH has no use for.
    UnknownKey(String),
    /// A block that is neither a key nor a certificate.
    UnknownBlock(String),
    /// What stands between BEGIN and END is not base64.
    NotBase64,
    /// The key is cut short or otherwise not what its heading says.
    Unreadable,
    /// There is no private key among the blocks.
    NoKey,
}

impl std::fmt::Display for PrivateKeyError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PrivateKeyError::NotPem(text) => write!(formatter, "Invalid certificate or key: {text}..."),
            PrivateKeyError::UnknownKey(kind) => write!(formatter, "Invalid private key: unsupported type \"{kind}\""),
            PrivateKeyError::UnknownBlock(kind) => write!(formatter, "Unsupported PEM object type: \"{kind}\""),
            PrivateKeyError::NotBase64 => formatter.write_str("Invalid base64-encoded data"),
            PrivateKeyError::Unreadable => formatter.write_str(
                "Invalid private key: its content cannot be read. Was it copied from the first line to the last?",
            ),
            PrivateKeyError::NoKey => formatter.write_str("At least one private key is required."),
        }
    }
}

// A message may quote the key, which must not get into a log by way of Debug.
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

/// The kinds of private keys, by what precedes `PRIVATE KEY` in their heading:
/// PKCS#1, the two of OpenSSL, OpenSSH's own, PKCS#8.
const KINDS: &[&str] = &["RSA", "DSA", "EC", "OPENSSH", ""];

/// Checks a text of one or more private keys in PEM, certificates allowed among
/// them, and tells whether any key needs a passphrase.
///
/// # Errors
/// [`PrivateKeyError`].
pub fn needs_passphrase(text: &str) -> Result<bool, PrivateKeyError> {
    let (mut keys, mut locked) = (0, false);
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let block = Block::read(rest).ok_or_else(|| PrivateKeyError::NotPem(rest.chars().take(100).collect()))?;
        rest = block.rest;
        match block.label.strip_suffix("PRIVATE KEY") {
            Some(kind) => {
                keys += 1;
                locked |= key_is_locked(kind, block.body)?;
            }
            None if block.label == "CERTIFICATE" => drop(decoded(block.body)?),
            None => return Err(PrivateKeyError::UnknownBlock(block.label.to_owned())),
        }
    }
    if keys == 0 { Err(PrivateKeyError::NoKey) } else { Ok(locked) }
}

/// Keys that come out of a JSON file may still have its escape of `=`, which AWX
/// reads, too.
pub(crate) fn without_escapes(text: &str) -> Cow<'_, str> {
    if text.contains("\\u003d") { text.replace("\\u003d", "=").into() } else { text.into() }
}

fn key_is_locked(kind: &str, body: &str) -> Result<bool, PrivateKeyError> {
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
    // The older way (RFC 1421), where all of the content is encrypted.
    if !encrypted && body.contains("ENCRYPTED") {
        return Ok(true);
    }
    match AnyRef::from_der(&data) {
        Ok(value) if value.tag() == Tag::Sequence => Ok(encrypted),
        _ => Err(PrivateKeyError::Unreadable),
    }
}

/// The content of a block without its headers.
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

/// One block of PEM. AWX takes other numbers of dashes than five, and spaces beside them.
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
        // A block without content ends where it begins: it is none.
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
