//! The headers `Authorization` and `Cookie`.

use base64::{
    Engine,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use std::fmt;

/// The longest header value read, in bytes.
pub const MAX_LENGTH: usize = 4096;

/// RFC 7617 requires padding, but some clients omit it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The credentials in an `Authorization` header.
pub enum AuthorizationHeader {
    /// A username and a password (RFC 7617), either of which may be empty.
    Basic {
        /// The username, as sent.
        username: String,
        /// The password, as sent.
        password: String,
    },
    /// A bearer token (RFC 6750).
    Bearer(String),
}

impl fmt::Debug for AuthorizationHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Basic { username, .. } => f.debug_struct("Basic").field("username", username).finish_non_exhaustive(),
            Self::Bearer(_) => f.write_str("Bearer(..)"),
        }
    }
}

/// Why an `Authorization` header is invalid. No message repeats its contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAuthorization {
    /// It is longer than [`MAX_LENGTH`].
    #[error("the Authorization header is too long")]
    TooLong,
    /// The scheme is neither Basic nor Bearer. AWX treats such a header as absent.
    #[error("the Authorization header has an unknown scheme")]
    UnknownScheme,
    /// Nothing follows the scheme.
    #[error("the Authorization header has no credentials")]
    Missing,
    /// The credentials of Basic are not Base64 of UTF-8 text with a colon.
    #[error("the Basic credentials are not a name and a password in Base64")]
    Basic,
    /// The token contains characters that are not allowed in a bearer token.
    #[error("the Bearer token has characters that are not allowed")]
    Bearer,
    /// The username or the password contains a NUL, which databases reject.
    #[error("the Basic credentials contain a NUL")]
    Nul,
}

/// Parses the value of an `Authorization` header. The scheme is matched
/// case-insensitively (RFC 9110, section 11.1), spaces around and between are
/// tolerated, and the first colon ends the username (RFC 7617, section 2).
///
/// # Errors
/// [`InvalidAuthorization`] for the first problem.
pub fn parse_authorization(value: &str) -> Result<AuthorizationHeader, InvalidAuthorization> {
    if value.len() > MAX_LENGTH {
        return Err(InvalidAuthorization::TooLong);
    }
    let value = value.trim_matches([' ', '\t']);
    let (scheme, credentials) = value.split_once([' ', '\t']).unwrap_or((value, ""));
    let parse: fn(&str) -> Result<AuthorizationHeader, InvalidAuthorization> = if scheme.eq_ignore_ascii_case("basic") {
        parse_basic
    } else if scheme.eq_ignore_ascii_case("bearer") {
        parse_bearer
    } else {
        return Err(InvalidAuthorization::UnknownScheme);
    };
    match credentials.trim_matches([' ', '\t']) {
        "" => Err(InvalidAuthorization::Missing),
        credentials => parse(credentials),
    }
}

/// The value of the first cookie of this name in a `Cookie` header (RFC 6265, section 4.2).
pub fn cookie<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let pairs = value.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn parse_basic(credentials: &str) -> Result<AuthorizationHeader, InvalidAuthorization> {
    let decoded = BASE64.decode(credentials).map_err(|_| InvalidAuthorization::Basic)?;
    let text = String::from_utf8(decoded).map_err(|_| InvalidAuthorization::Basic)?;
    if text.contains('\0') {
        return Err(InvalidAuthorization::Nul);
    }
    let (username, password) = text.split_once(':').ok_or(InvalidAuthorization::Basic)?;
    Ok(AuthorizationHeader::Basic { username: username.to_owned(), password: password.to_owned() })
}

/// RFC 6750, section 2.1: `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`.
fn parse_bearer(token: &str) -> Result<AuthorizationHeader, InvalidAuthorization> {
    let body = token.trim_end_matches('=');
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    if body.is_empty() || !body.bytes().all(allowed) {
        return Err(InvalidAuthorization::Bearer);
    }
    Ok(AuthorizationHeader::Bearer(token.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_cookie_of_a_name_is_used() {
        for (header, value) in [
            ("a=1", Some("1")),
            ("b=2; a=1", Some("1")),
            ("a=1; a=2", Some("1")),
            ("b=2;a=", Some("")),
            ("a=x=y", Some("x=y")),
            ("aa=1; b=a=1", None),
            ("a", None),
            (";;=", None),
            ("", None),
        ] {
            assert_eq!(cookie(header, "a"), value, "{header}");
        }
    }

    fn basic(value: &str) -> (String, String) {
        match parse_authorization(value) {
            Ok(AuthorizationHeader::Basic { username, password }) => (username, password),
            other => panic!("{value}: {other:?}"),
        }
    }

    fn bearer(value: &str) -> String {
        match parse_authorization(value) {
            Ok(AuthorizationHeader::Bearer(token)) => token,
            other => panic!("{value}: {other:?}"),
        }
    }

    fn encoded(pair: impl AsRef<[u8]>) -> String {
        format!("Basic {}", BASE64.encode(pair))
    }

    #[test]
    fn examples_of_rfcs_are_parsed() {
        let pair = ("Aladdin".to_owned(), "open sesame".to_owned());
        assert_eq!(basic("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), pair);
        assert_eq!(basic("Basic dGVzdDoxMjPCow=="), ("test".to_owned(), "123£".to_owned()));
        assert_eq!(bearer("Bearer mF_9.B5f-4.1JqM"), "mF_9.B5f-4.1JqM");
    }

    #[test]
    fn scheme_case_spaces_and_padding_are_tolerated() {
        let pair = ("Aladdin".to_owned(), "open sesame".to_owned());
        for value in [
            "basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            "BASIC   QWxhZGRpbjpvcGVuIHNlc2FtZQ==  ",
            "  Basic\tQWxhZGRpbjpvcGVuIHNlc2FtZQ",
        ] {
            assert_eq!(basic(value), pair);
        }
        assert_eq!(bearer("bEARER    abc=="), "abc==");
    }

    #[test]
    fn first_colon_separates_username() {
        let table = [
            ("ann:a:b:", "ann", "a:b:"),
            (":", "", ""),
            ("ann:", "ann", ""),
            (":secret", "", "secret"),
            ("jürgen:pässwörd🔑", "jürgen", "pässwörd🔑"),
            (" ann : secret ", " ann ", " secret "),
        ];
        for (pair, username, password) in table {
            assert_eq!(basic(&encoded(pair)), (username.to_owned(), password.to_owned()));
        }
    }

    #[test]
    fn malformed_values() {
        let long = format!("Bearer {}", "a".repeat(MAX_LENGTH));
        let (no_colon, not_utf8) = (encoded("ann"), encoded(b"ann:\xff"));
        let (nul_name, nul_password) = (encoded("an\0n:x"), encoded("ann:\0"));
        let table = [
            ("", InvalidAuthorization::UnknownScheme),
            ("   ", InvalidAuthorization::UnknownScheme),
            ("Digest abc", InvalidAuthorization::UnknownScheme),
            ("Basically abc", InvalidAuthorization::UnknownScheme),
            ("Basic", InvalidAuthorization::Missing),
            ("Bearer   ", InvalidAuthorization::Missing),
            ("Basic !!!", InvalidAuthorization::Basic),
            ("Basic QWxhZGRpbjpvcGVu IHNlc2FtZQ==", InvalidAuthorization::Basic),
            (&no_colon, InvalidAuthorization::Basic),
            (&not_utf8, InvalidAuthorization::Basic),
            (&nul_name, InvalidAuthorization::Nul),
            (&nul_password, InvalidAuthorization::Nul),
            ("Bearer a b", InvalidAuthorization::Bearer),
            ("Bearer ==", InvalidAuthorization::Bearer),
            ("Bearer a=b", InvalidAuthorization::Bearer),
            ("Bearer täg", InvalidAuthorization::Bearer),
            (&long, InvalidAuthorization::TooLong),
        ];
        for (value, expected) in table {
            assert_eq!(parse_authorization(value).unwrap_err(), expected, "{value:?}");
        }
    }

    #[test]
    fn value_of_maximum_length_is_parsed() {
        let value = format!("Bearer {}", "a".repeat(MAX_LENGTH - "Bearer ".len()));
        assert_eq!(bearer(&value).len(), MAX_LENGTH - 7);
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", parse_authorization(&encoded("ann:secret")).unwrap());
        assert!(shown.contains("ann") && !shown.contains("secret"), "{shown}");
        assert_eq!(format!("{:?}", parse_authorization("Bearer secret").unwrap()), "Bearer(..)");
    }
}
