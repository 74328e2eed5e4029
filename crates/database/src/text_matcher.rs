//! Lookups of texts that are not in a column, with the meaning that they have in statements.

use crate::dialect::{compile, fold, occurs};
use crate::{InvalidRegex, TextLookup};

/// Compares texts with the value of a lookup, as [`Dialect::text_lookup`](crate::Dialect::text_lookup) does.
#[derive(Clone, Debug)]
pub struct TextMatcher {
    lookup: TextLookup,
    value: String,
    /// The regular expression, or the value as one that ignores the case of ASCII letters.
    regex: Option<regex::Regex>,
}

impl TextMatcher {
    /// Prepares a lookup.
    ///
    /// # Errors
    /// [`InvalidRegex`] for a regular expression that is invalid or too large.
    pub fn new(lookup: TextLookup, value: &str) -> Result<TextMatcher, InvalidRegex> {
        use TextLookup::*;
        let (value, regex) = match lookup {
            Exact | Contains | StartsWith | EndsWith => (value.to_owned(), None),
            IExact | IStartsWith | IEndsWith => (fold(value), None),
            IContains => (fold(value), compile(&regex::escape(value), true).ok()),
            Regex | IRegex => {
                // Checks the length, too.
                crate::Dialect::Sqlite.text_lookup(sea_query::Expr::val(""), lookup, value)?;
                let regex = compile(value, lookup == IRegex)
                    .map_err(|problem| InvalidRegex(format!("Invalid regular expression: {problem}")))?;
                (String::new(), Some(regex))
            }
        };
        Ok(TextMatcher { lookup, value, regex })
    }

    /// Whether a text matches.
    pub fn matches(&self, text: &str) -> bool {
        use TextLookup::*;
        match self.lookup {
            Exact => text == self.value,
            Contains => memchr::memmem::find(text.as_bytes(), self.value.as_bytes()).is_some(),
            StartsWith => text.starts_with(&self.value),
            EndsWith => text.ends_with(&self.value),
            IExact => fold(text) == self.value,
            IStartsWith => fold(text).starts_with(&self.value),
            IEndsWith => fold(text).ends_with(&self.value),
            IContains => match &self.regex {
                Some(regex) if text.is_ascii() => regex.is_match(text),
                _ => occurs(&self.value, text),
            },
            Regex | IRegex => self.regex.as_ref().is_some_and(|regex| regex.is_match(text)),
        }
    }

    /// Whether one of several texts, one after the other, may match: a fast check of many at once.
    pub fn may_match(&self, texts: &str) -> bool {
        use TextLookup::*;
        match self.lookup {
            Exact | Contains | StartsWith | EndsWith => {
                memchr::memmem::find(texts.as_bytes(), self.value.as_bytes()).is_some()
            }
            IContains => match &self.regex {
                Some(regex) if texts.is_ascii() => regex.is_match(texts),
                _ => true,
            },
            IExact | IStartsWith | IEndsWith | Regex | IRegex => true,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]

    use super::*;

    fn matches(lookup: TextLookup, value: &str, text: &str) -> bool {
        let matcher = TextMatcher::new(lookup, value).expect("a valid lookup");
        let found = matcher.matches(text);
        assert!(!found || matcher.may_match(&format!("x{text}y")), "{lookup:?} {value} {text}");
        found
    }

    #[test]
    fn each_lookup_has_its_meaning() {
        use TextLookup::*;
        for (lookup, value, text, expected) in [
            (Exact, "ab", "ab", true),
            (Exact, "ab", "Ab", false),
            (IExact, "\u{c4}b", "\u{e4}B", true),
            (Contains, "b", "abc", true),
            (Contains, "", "", true),
            (IContains, "B.", "ab.c", true),
            (IContains, "B.", "abxc", false),
            (IContains, "\u{c4}", "x\u{e4}y", true),
            (IContains, "k", "\u{212a}", true),
            (StartsWith, "a", "ab", true),
            (IStartsWith, "A", "ab", true),
            (EndsWith, "b", "ab", true),
            (IEndsWith, "B", "ab", true),
            (IEndsWith, "a", "ab", false),
            (Regex, "^a.c$", "abc", true),
            (Regex, "^A", "abc", false),
            (IRegex, "^A", "abc", true),
        ] {
            assert_eq!(matches(lookup, value, text), expected, "{lookup:?} {value} {text}");
        }
    }

    #[test]
    fn invalid_regular_expression_is_refused() {
        assert!(TextMatcher::new(TextLookup::Regex, "(").is_err());
        assert!(TextMatcher::new(TextLookup::Regex, &"a".repeat(2000)).is_err());
    }
}
