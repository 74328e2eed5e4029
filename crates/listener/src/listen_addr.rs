//! Where to listen, as an operator writes it.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// What stands before the path of a Unix socket.
pub(crate) const UNIX: &str = "unix:";

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddr {
    /// An address and a port; port 0 is any free one.
    Tcp(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

/// A text names no place to listen at.
#[derive(Debug, thiserror::Error)]
pub enum ListenAddrError {
    /// It is neither of the two.
    #[error("neither an address and a port, such as 127.0.0.1:8052 or [::]:8052, nor unix:/PATH")]
    Unknown,
    /// A socket in whatever folder the server is started from would be found by chance only.
    #[error("the path of a Unix socket starts with a /")]
    Relative,
}

impl FromStr for ListenAddr {
    type Err = ListenAddrError;

    fn from_str(text: &str) -> Result<Self, ListenAddrError> {
        match text.strip_prefix(UNIX) {
            Some(path) if path.starts_with('/') => Ok(ListenAddr::Unix(path.into())),
            Some(_) => Err(ListenAddrError::Relative),
            None => text.parse().map(ListenAddr::Tcp).map_err(|_| ListenAddrError::Unknown),
        }
    }
}

impl fmt::Display for ListenAddr {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenAddr::Tcp(address) => write!(out, "{address}"),
            ListenAddr::Unix(path) => write!(out, "{UNIX}{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_apart() {
        for text in ["127.0.0.1:80", "[::1]:0", "unix:/run/hostler.sock"] {
            assert_eq!(text.parse::<ListenAddr>().map(|place| place.to_string()).ok().as_deref(), Some(text));
        }
        for text in ["localhost", "localhost:80", "unix:", "unix:hostler.sock", ":80", "80", ""] {
            assert!(text.parse::<ListenAddr>().is_err(), "{text}");
        }
    }
}
