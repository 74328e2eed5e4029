//! Protection against cross-site request forgery.
//!
//! Only sessions need it, because browsers send their cookies automatically. A request that changes something must pass
//! two checks: the token in the cookie is repeated in a header or form, which another site cannot do because it cannot
//! read the cookie ([`matches()`]); and the request comes from a page of this server ([`origin_allowed`]), in case a
//! sibling domain managed to set the cookie.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq;
use url::Url;

/// The length of a token: 32 bytes in Base64 without padding.
const TOKEN_LENGTH: usize = 43;

/// Generates a token for the cookie: 256 bits in 43 characters that need no escaping
/// in cookies, headers and forms.
pub fn new_token() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(crate::random::bytes::<32>())
}

/// Whether the token `sent` in a header or form is the one in the `cookie`.
/// Compares in constant time. A malformed token matches nothing, so two empty ones do
/// not match.
pub fn matches(cookie: &str, sent: &str) -> bool {
    let well_formed = cookie.len() == TOKEN_LENGTH
        && cookie.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    well_formed && cookie.as_bytes().ct_eq(sent.as_bytes()).into()
}

/// Whether a request comes from one of our own pages.
///
/// `origin_or_referer` is the `Origin` header or, failing that, the `Referer`;
/// `host` is the host (and port) the request was sent to, and `is_https` whether it
/// used TLS. `trusted` are further origins, such as `https://awx.example.org`
/// or, for a domain and its subdomains, `https://*.example.org`.
///
/// The rules are those of Django's `CsrfViewMiddleware`:
/// - A header that is present must name our host or a trusted origin. `null`,
///   which browsers send for pages without an origin, names none.
/// - Over HTTPS a page fetched over plain HTTP is not ours, even from our host: an
///   attacker on the network may have changed it. The reverse is allowed, unlike in
///   Django: behind a proxy that terminates TLS, pages are HTTPS and requests arrive
///   as HTTP.
/// - A missing header is accepted over HTTP only. Over HTTPS a browser always sends
///   one.
pub fn origin_allowed(origin_or_referer: Option<&str>, host: &str, is_https: bool, trusted: &[String]) -> bool {
    let Some(value) = origin_or_referer else { return !is_https };
    let Some(origin) = parse(value) else { return false };
    if trusted.iter().any(|trusted| is_trusted(&origin, trusted)) {
        return true;
    }
    if is_https && origin.scheme() != "https" {
        return false;
    }
    // With the page's scheme, a host without a port has that scheme's default port,
    // also behind a proxy that hides the port.
    parse_bare(&format!("{}://{host}", origin.scheme())).is_some_and(|ours| same_place(&origin, &ours))
}

fn is_trusted(origin: &Url, trusted: &str) -> bool {
    let Some((scheme, domain)) = trusted.split_once("://*.") else {
        return parse_bare(trusted).is_some_and(|trusted| same_origin(origin, &trusted));
    };
    let Some(apex) = parse_bare(&format!("{scheme}://{domain}")) else { return false };
    let (Some(host), Some(apex_host)) = (origin.host_str(), apex.host_str()) else { return false };
    let below = host.strip_suffix(apex_host).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    below && origin.scheme() == apex.scheme() && origin.port_or_known_default() == apex.port_or_known_default()
}

fn same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme() && same_place(one, other)
}

fn same_place(one: &Url, other: &Url) -> bool {
    one.host_str() == other.host_str() && one.port_or_known_default() == other.port_or_known_default()
}

/// An http or https URL without a username: `https://us@them` is not ours.
fn parse(value: &str) -> Option<Url> {
    let url = Url::parse(value).ok()?;
    let plain = matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none();
    plain.then_some(url)
}

/// A URL without a path, query and fragment: a `Host` header or a setting must not
/// contain one.
fn parse_bare(value: &str) -> Option<Url> {
    parse(value).filter(|url| url.path() == "/" && url.query().is_none() && url.fragment().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HTTP: bool = false;
    const HTTPS: bool = true;

    fn allowed(origin: &str, host: &str, is_https: bool) -> bool {
        origin_allowed(Some(origin), host, is_https, &[])
    }

    fn trusted(origin: &str, trusted: &str) -> bool {
        origin_allowed(Some(origin), "us.example", HTTPS, &[trusted.to_owned()])
    }

    #[test]
    fn token_matches_only_itself() {
        let (token, other) = (new_token(), new_token());
        assert_eq!(token.len(), TOKEN_LENGTH);
        assert!(matches(&token, &token));
        assert!(!matches(&token, &other));
        assert!(!matches(&token, ""));
        assert!(!matches("", &token));
        assert!(!matches(&token, &token[..42]));
        assert!(!matches(&token, &format!("{token}x")));
    }

    #[test]
    fn malformed_token_matches_nothing() {
        for wrong in ["", "x", &"x".repeat(42), &"x".repeat(44), &" ".repeat(43), &"ü".repeat(21)] {
            assert!(!matches(wrong, wrong), "{wrong:?}");
        }
    }

    #[test]
    fn pages_of_own_origin_are_allowed() {
        for (origin, host, is_https) in [
            ("https://us.example", "us.example", HTTPS),
            ("https://us.example/login?next=/", "us.example", HTTPS),
            ("https://US.example", "us.EXAMPLE", HTTPS),
            ("https://us.example:443", "us.example", HTTPS),
            ("https://us.example", "us.example:443", HTTPS),
            ("https://us.example:8043", "us.example:8043", HTTPS),
            ("http://us.example", "us.example", HTTP),
            ("http://[::1]:8013", "[::1]:8013", HTTP),
            ("http://127.0.0.1:8013/", "127.0.0.1:8013", HTTP),
            // TLS ends at a proxy.
            ("https://us.example", "us.example", HTTP),
        ] {
            assert!(allowed(origin, host, is_https), "{origin} on {host}");
        }
    }

    #[test]
    fn pages_of_other_origins_are_rejected() {
        for (origin, host, is_https) in [
            ("https://them.example", "us.example", HTTPS),
            ("http://them.example", "us.example", HTTP),
            ("http://us.example", "us.example", HTTPS),
            ("https://us.example:8043", "us.example", HTTPS),
            ("https://us.example", "us.example:8043", HTTPS),
            ("https://us.example.them.example", "us.example", HTTPS),
            ("https://sub.us.example", "us.example", HTTPS),
            ("https://us.example@them.example", "us.example", HTTPS),
            ("https://x@us.example", "us.example", HTTPS),
            ("null", "us.example", HTTP),
            ("", "us.example", HTTP),
            ("us.example", "us.example", HTTP),
            ("file:///us.example", "us.example", HTTP),
            ("ws://us.example", "us.example", HTTP),
            // Broken hosts match nothing, whatever they resemble.
            ("https://them.example", "", HTTPS),
            ("https://them.example", "them.example/us.example", HTTPS),
            ("https://them.example", "x@them.example", HTTPS),
            ("https://them.example", "them.example#", HTTPS),
            ("https://them.example", "them.example?", HTTPS),
        ] {
            assert!(!allowed(origin, host, is_https), "{origin} on {host}");
        }
    }

    #[test]
    fn missing_header_is_accepted_over_http_only() {
        assert!(origin_allowed(None, "us.example", HTTP, &[]));
        assert!(!origin_allowed(None, "us.example", HTTPS, &[]));
        assert!(!origin_allowed(None, "us.example", HTTPS, &["https://them.example".to_owned()]));
    }

    #[test]
    fn trusted_origins() {
        assert!(trusted("https://them.example", "https://them.example"));
        assert!(trusted("https://them.example/page", "https://them.example/"));
        assert!(trusted("http://them.example", "http://them.example"));
        assert!(!trusted("http://them.example", "https://them.example"));
        assert!(!trusted("https://them.example:8443", "https://them.example"));
        assert!(!trusted("https://sub.them.example", "https://them.example"));
        assert!(!trusted("https://them.example", "them.example"));
        assert!(!trusted("null", "null"));
    }

    #[test]
    fn wildcard_origins_match_subdomains() {
        let domain = "https://*.them.example";
        assert!(trusted("https://a.them.example", domain));
        assert!(trusted("https://a.b.them.example", domain));
        assert!(trusted("https://them.example", domain));
        assert!(!trusted("https://notthem.example", domain));
        assert!(!trusted("http://a.them.example", domain));
        assert!(!trusted("https://a.them.example:8443", domain));
        assert!(!trusted("https://a.them.example", "https://*."));
        assert!(!trusted("https://a.them.example", "*"));
        assert!(!trusted("https://a.them.example", "https://*"));
    }
}
