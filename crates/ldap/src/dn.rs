//! Distinguished names (RFC 4514).

use std::fmt::Write as _;

/// The longest DN that is parsed, in bytes.
const MAX_LENGTH: usize = 4096;

/// Normalizes a DN, so that equal DNs are equal strings: attribute types and values in lower case, no spaces around
/// separators, runs of spaces in values as one, the parts of a multi-valued RDN sorted. All values compare as
/// case-insensitive text, whatever the attribute's matching rule, as in AWX.
///
/// `None` for an invalid DN. The empty DN (of the root) is valid, and results in "".
pub fn normalize(dn: &str) -> Option<String> {
    if dn.len() > MAX_LENGTH {
        return None;
    }
    if dn.trim().is_empty() {
        return Some(String::new());
    }
    let mut relative_names = vec![];
    for relative_name in split(dn, &[',', ';'])? {
        let mut parts = vec![];
        for part in split(relative_name, &['+'])? {
            let (kind, value) = part.split_once('=')?;
            parts.push(format!("{}={}", attribute_type(kind)?, attribute_value(value.trim_start_matches(' '))?));
        }
        parts.sort_unstable();
        relative_names.push(parts.join("+"));
    }
    Some(relative_names.join(","))
}

/// Escapes a value for a DN (RFC 4514, section 2.4).
pub fn escape(value: &str) -> String {
    ldap3::dn_escape(value).into_owned()
}

/// Splits at separators that are neither escaped nor quoted. `None` for an unfinished escape or quote.
fn split<'a>(text: &'a str, separators: &[char]) -> Option<Vec<&'a str>> {
    let (mut parts, mut start, mut is_quoted) = (vec![], 0, false);
    let mut characters = text.char_indices();
    while let Some((position, character)) = characters.next() {
        match character {
            '\\' => {
                characters.next()?;
            }
            '"' => is_quoted = !is_quoted,
            _ if !is_quoted && separators.contains(&character) => {
                parts.push(&text[start..position]);
                start = position + character.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (!is_quoted).then_some(parts)
}

/// A short name, such as `cn`, or an OID.
fn attribute_type(text: &str) -> Option<String> {
    let text = text.trim_matches(' ');
    let is_name = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let is_number = !text.is_empty()
        && text.split('.').all(|part| !part.is_empty() && part.chars().all(|digit| digit.is_ascii_digit()));
    (is_name || is_number).then(|| text.to_ascii_lowercase())
}

fn attribute_value(text: &str) -> Option<String> {
    if let Some(hexadecimal) = text.trim_end_matches(' ').strip_prefix('#') {
        let is_valid = !hexadecimal.is_empty()
            && hexadecimal.len().is_multiple_of(2)
            && hexadecimal.bytes().all(|digit| digit.is_ascii_hexdigit());
        return is_valid.then(|| format!("#{}", hexadecimal.to_ascii_lowercase()));
    }
    // RFC 2253 has quoted values, and existing settings may use them.
    let trimmed = text.trim_end_matches(' ');
    let (text, is_quoted) = match trimmed.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')) {
        Some(inner) => (inner, true),
        None => (text, false),
    };
    let value = unescaped(text, is_quoted)?;
    let mut out = String::with_capacity(value.len());
    for word in value.to_lowercase().split(' ').filter(|word| !word.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        for character in word.chars() {
            match character {
                '\\' | ',' | '+' | '"' | '<' | '>' | ';' | '=' | '#' | '\0' => {
                    let _ = write!(out, "\\{:02x}", u32::from(character));
                }
                _ => out.push(character),
            }
        }
    }
    Some(out)
}

/// Resolves `\,` and `\2c`. `None` for characters that should be escaped, and for invalid UTF-8.
fn unescaped(text: &str, is_quoted: bool) -> Option<String> {
    let mut bytes = vec![];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => {
                let first = characters.next()?;
                match first.to_digit(16) {
                    Some(high) => {
                        let low = characters.next()?.to_digit(16)?;
                        bytes.push(u8::try_from(high * 16 + low).ok()?);
                    }
                    None => bytes.extend(first.encode_utf8(&mut [0; 4]).bytes()),
                }
            }
            '"' | '\0' => return None,
            '<' | '>' | '+' | ',' | ';' if !is_quoted => return None,
            _ => bytes.extend(character.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_dns_normalize_to_the_same_string() {
        for (one, other) in [
            ("cn=Ops,ou=Groups,dc=example,dc=org", "CN=ops , OU=groups,DC=example, DC=org"),
            ("cn=a+uid=b,dc=c", "UID=B + CN=a,dc=c"),
            (r"cn=Smith\, Ann,dc=org", r"cn=smith\2c ann,dc=org"),
            ("cn=Smith\\, Ann,dc=org", "cn=\"smith, ann\",dc=org"),
            ("cn=a  b,dc=org", "cn=a b,dc=org"),
            ("cn=a=b,dc=org", r"cn=a\3db,dc=org"),
            ("2.5.4.3=x", " 2.5.4.3 = X "),
            ("cn=Jürgen", r"cn=J\c3\bcrgen"),
            ("cn=#04024869", "CN=#04024869"),
            ("", " "),
        ] {
            let (one, other) = (normalize(one), normalize(other));
            assert!(one.is_some());
            assert_eq!(one, other);
        }
    }

    #[test]
    fn different_dns_stay_different() {
        for (one, other) in [
            ("cn=a,dc=b", "cn=a,dc=c"),
            (r"cn=a\,dc=b", "cn=a,dc=b"),
            (r"cn=a\+uid=b", "cn=a+uid=b"),
            ("cn=ab", "cn=a b"),
            ("cn=a", "uid=a"),
        ] {
            assert_ne!(normalize(one), normalize(other), "{one} {other}");
        }
    }

    #[test]
    fn invalid_dns_are_rejected() {
        let long = format!("cn={}", "a".repeat(5000));
        for text in [
            "ops",
            "cn",
            "=ops",
            "cn=ops,",
            ",cn=ops",
            "cn=ops,,dc=org",
            "c n=ops",
            "cn=a\"b",
            "cn=a<b",
            r"cn=a\",
            r"cn=a\f",
            "cn=\\ff",
            "cn=#0",
            "cn=#zz",
            "cn=#",
            "1..2=x",
            "cn=a\0",
            "uid=%(user)s\\",
            long.as_str(),
        ] {
            assert_eq!(normalize(text), None, "{text}");
        }
    }

    #[test]
    fn escaped_value_stays_one_value() {
        for value in ["ann", "ann,ou=admins", "a+b=c", "#a", " a ", "a\\", "a\"b", "a\0b", "<>;", "jürgen", ""] {
            let name = format!("uid={},dc=org", escape(value));
            let parts = split(&name, &[',', ';']).map(|parts| parts.len());
            assert_eq!(parts, Some(2), "{name}");
            assert!(normalize(&name).is_some(), "{name}");
        }
        assert_eq!(normalize(&format!("uid={}", escape("a,ou=b"))), Some(r"uid=a\2cou\3db".into()));
    }
}
