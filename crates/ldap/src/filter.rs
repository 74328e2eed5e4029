//! Search filters (RFC 4515), and usernames inserted into them.

/// The placeholder for the username in templates, as in AWX.
pub const USER: &str = "%(user)s";

/// The longest filter that is parsed, in bytes.
const MAX_LENGTH: usize = 8192;
/// The deepest nesting that is parsed: the parser recurses.
const MAX_DEPTH: usize = 32;

/// Whether this is a valid filter, with or without [`USER`].
pub fn is_filter(filter: &str) -> bool {
    match fill(filter, "user") {
        Some(filled) => parse(&filled).is_some(),
        None => false,
    }
}

/// The filter with the escaped username in place of [`USER`], and `%` in place of `%%`: filters are Python format strings.
/// `None` for any other use of `%`.
pub fn fill(filter: &str, name: &str) -> Option<String> {
    substitute(filter, &ldap3::ldap_escape(name))
}

/// The DN from a template, with the escaped username in place of [`USER`].
pub fn fill_dn(template: &str, name: &str) -> Option<String> {
    substitute(template, &crate::dn::escape(name))
}

/// Escapes a value for a filter.
pub(crate) fn escape(value: &str) -> String {
    ldap3::ldap_escape(value).into_owned()
}

/// Parses a filter into BER.
pub(crate) fn parse(filter: &str) -> Option<ldap3::asn1::Tag> {
    let mut depth = 0usize;
    for character in filter.bytes() {
        match character {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return None;
        }
    }
    // RFC 4515 requires the parentheses, the parser does not.
    let is_parenthesized = filter.starts_with('(') && filter.ends_with(')');
    if filter.len() > MAX_LENGTH || !is_parenthesized {
        return None;
    }
    ldap3::parse_filter(filter).ok()
}

fn substitute(template: &str, value: &str) -> Option<String> {
    let mut out = String::with_capacity(template.len() + value.len());
    let mut rest = template;
    while let Some(position) = rest.find('%') {
        out.push_str(&rest[..position]);
        rest = &rest[position..];
        if let Some(after) = rest.strip_prefix(USER) {
            out.push_str(value);
            rest = after;
        } else {
            rest = rest.strip_prefix("%%")?;
            out.push('%');
        }
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_filters_are_recognized() {
        for filter in [
            "(uid=%(user)s)",
            "(objectClass=*)",
            "(&(objectClass=person)(|(uid=%(user)s)(mail=%(user)s)))",
            "(!(a=b))",
            "(memberOf:1.2.840.113556.1.4.1941:=cn=ops,dc=org)",
            "(cn=100%%)",
            r"(cn=a\2ab)",
        ] {
            assert!(is_filter(filter), "{filter}");
        }
        let deep = format!("{}(a=b){}", "(!".repeat(100), ")".repeat(100));
        let long = format!("(a={})", "b".repeat(10_000));
        for text in [
            "",
            "uid=ann",
            "(uid=ann",
            "uid=ann)",
            "(uid)",
            "(uid=a)(uid=b)",
            "(&(a=b)",
            "(cn=100%)",
            "(cn=%s)",
            r"(cn=a\zz)",
            "(cn=a(b)",
            deep.as_str(),
            long.as_str(),
        ] {
            assert!(!is_filter(text), "{text}");
        }
    }

    #[test]
    fn username_in_filter_is_escaped() {
        let filled = |name: &str| fill("(uid=%(user)s)", name);
        assert_eq!(filled("ann").as_deref(), Some("(uid=ann)"));
        assert_eq!(filled("*").as_deref(), Some(r"(uid=\2a)"));
        assert_eq!(filled(")(uid=*").as_deref(), Some(r"(uid=\29\28uid=\2a)"));
        assert_eq!(filled(r"a\29").as_deref(), Some(r"(uid=a\5c29)"));
        assert_eq!(filled("a\0").as_deref(), Some(r"(uid=a\00)"));
        // A username that is the placeholder is not replaced again.
        assert_eq!(filled(USER).as_deref(), Some(r"(uid=%\28user\29s)"));
        assert_eq!(filled("%").as_deref(), Some("(uid=%)"));
    }

    #[test]
    fn username_in_dn_is_escaped() {
        let filled = |name: &str| fill_dn("uid=%(user)s,dc=org", name);
        assert_eq!(filled("ann").as_deref(), Some("uid=ann,dc=org"));
        assert_eq!(filled("ann,ou=x").as_deref(), Some(r"uid=ann\2cou\3dx,dc=org"));
        assert_eq!(filled("a+b").as_deref(), Some(r"uid=a\2bb,dc=org"));
        assert_eq!(fill_dn("uid=%(user)s,ou=%", "ann"), None);
    }
}
