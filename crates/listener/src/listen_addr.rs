//! Addresses to listen on, as written in the options.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// The prefix of the path of a Unix socket.
pub(crate) const UNIX: &str = "unix:";

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddr {
    /// An IP address and a port; port 0 is any free port.
    Tcp(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

/// Why a text is not an address to listen on.
#[derive(Debug, thiserror::Error)]
pub enum ListenAddrError {
    /// It is neither an IP address with a port nor a Unix socket.
    #[error("neither an IP address with a port, such as 127.0.0.1:8052 or [::]:8052, nor unix:/PATH")]
    Invalid,
    /// A relative path would depend on the directory in which the server is started.
    #[error("the path of a Unix socket must start with /")]
    RelativePath,
}

impl FromStr for ListenAddr {
    type Err = ListenAddrError;

    fn from_str(text: &str) -> Result<Self, ListenAddrError> {
        match text.strip_prefix(UNIX) {
            Some(path) if path.starts_with('/') => Ok(ListenAddr::Unix(path.into())),
            Some(_) => Err(ListenAddrError::RelativePath),
            None => text.parse().map(ListenAddr::Tcp).map_err(|_| ListenAddrError::Invalid),
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
    fn listen_addresses_are_parsed() {
        for text in ["127.0.0.1:80", "[::1]:0", "unix:/run/hostler.sock"] {
            assert_eq!(text.parse::<ListenAddr>().map(|address| address.to_string()).ok().as_deref(), Some(text));
        }
        for text in ["localhost", "localhost:80", "unix:", "unix:hostler.sock", ":80", "80", ""] {
            assert!(text.parse::<ListenAddr>().is_err(), "{text}");
        }
    }
}
