//! Usernames in normal form.

use std::borrow::Cow;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};

/// The username in NFKC (Unicode Standard Annex 15), as Django and AWX store it.
///
/// Characters that look alike become the same name: `ﬁsh` is `fish`, and the
/// fullwidth `ａdmin` is `admin`. Apply it before a name is stored and before it
/// is looked up.
pub fn normalize_username(username: &str) -> Cow<'_, str> {
    match is_nfkc_quick(username.chars()) {
        IsNormalized::Yes => Cow::Borrowed(username),
        IsNormalized::No | IsNormalized::Maybe => Cow::Owned(username.nfkc().collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compatibility_characters_are_replaced() {
        for (name, normal) in [
            ("", ""),
            ("admin", "admin"),
            ("Ann@example.org", "Ann@example.org"),
            ("\u{fb01}sh", "fish"),
            ("\u{ff21}\u{ff22}", "AB"),
            ("x\u{b2}", "x2"),
            ("\u{ff41}dmin", "admin"),
            ("u\u{308}", "\u{fc}"),
            ("\u{fc}", "\u{fc}"),
            ("\u{4eba}", "\u{4eba}"),
        ] {
            assert_eq!(normalize_username(name), normal, "{name:?}");
        }
    }

    #[test]
    fn ascii_names_are_not_copied() {
        assert!(matches!(normalize_username("ann.smith+1@example.org"), Cow::Borrowed(_)));
    }
}
