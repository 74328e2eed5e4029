//! Removal of users and passwords from URLs in output.

use std::borrow::Cow;

use serde_json::value::RawValue;

const MASK: &str = "$encrypted$";

/// The text with `$encrypted$` instead of users and passwords in URLs, as in `https://user:password@host/`. A user without
/// a password is masked too: it can be a token.
pub(crate) fn mask(text: &str) -> Cow<'_, str> {
    let mut masked = String::new();
    let mut copied = 0;
    for found in memchr::memmem::find_iter(text.as_bytes(), "://") {
        let (before, rest) = text.split_at(found + "://".len());
        if !text[..found].ends_with(|last: char| last.is_ascii_alphanumeric()) {
            continue;
        }
        let authority = rest.split(|character| !may_be_in_authority(character)).next().unwrap_or_default();
        let Some((secrets, _)) = authority.rsplit_once('@') else { continue };
        masked.push_str(&before[copied..]);
        masked.push_str(MASK);
        if secrets.contains(':') {
            masked.push(':');
            masked.push_str(MASK);
        }
        copied = before.len() + secrets.len();
    }
    if copied == 0 {
        return text.into();
    }
    masked.push_str(&text[copied..]);
    masked.into()
}

/// The JSON with `$encrypted$` instead of users and passwords in URLs; none if there are none.
pub(crate) fn mask_json(json: &RawValue) -> Option<Box<RawValue>> {
    // Quotes and backslashes end what is masked, so it is still JSON.
    match mask(json.get()) {
        Cow::Borrowed(_) => None,
        Cow::Owned(masked) => RawValue::from_string(masked).ok(),
    }
}

/// Whether a character does not end the part of a URL with user, password and host.
fn may_be_in_authority(character: char) -> bool {
    !character.is_whitespace() && !character.is_control() && !"/?#\"<>\\".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_passwords_are_masked() {
        for (text, expected) in [
            ("see https://ada:secret@host/x", "see https://$encrypted$:$encrypted$@host/x"),
            ("\"https://ghp_token@host\"", "\"https://$encrypted$@host\""),
            ("git+ssh://git:a@b:c@host:22/x?y=1 ok", "git+ssh://$encrypted$:$encrypted$@host:22/x?y=1 ok"),
            ("a://b:c@d e://f@g", "a://$encrypted$:$encrypted$@d e://$encrypted$@g"),
            ("\u{1b}[31mhttps://\u{fc}:\u{fc}@h\u{1b}[0m", "\u{1b}[31mhttps://$encrypted$:$encrypted$@h\u{1b}[0m"),
        ] {
            assert_eq!(mask(text), expected);
        }
    }

    #[test]
    fn json_stays_json() {
        let json = r#"{"a": "\"https://ada:secret@host\"", "https://token@host": ["x://\u0061b@c"]}"#;
        let json: Box<RawValue> = serde_json::from_str(json).expect("JSON");
        let masked = mask_json(&json).expect("passwords");
        let expected =
            r#"{"a": "\"https://$encrypted$:$encrypted$@host\"", "https://$encrypted$@host": ["x://\u0061b@c"]}"#;
        assert_eq!(masked.get(), expected);
        let other: Box<RawValue> = serde_json::from_str("[1]").expect("JSON");
        assert!(mask_json(&other).is_none());
    }

    #[test]
    fn other_text_stays() {
        for text in [
            "http://localhost:8080/a@b",
            "mail ada@host",
            "{\"url\":\"https://host\",\"owner\":\"ada@host\"}",
            "://a:b@c and :// and http://",
            "git@host:path",
        ] {
            assert!(matches!(mask(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }
}
