//! How long things may take.

use std::time::Duration;

/// How long clients, and the end, may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// From the first byte of a request to the end of its headers.
    pub header: Duration,
    /// From an answer, or from the beginning of a connection, to the headers of the next request.
    pub idle: Duration,
    /// From when the server is asked to stop until requests that still run are cut off.
    pub shutdown: Duration,
}

/// How many connections may wait to be accepted, if the system allows it. A client that finds no room tries again only
/// after a second, and the usual 128 are less than what comes at once when a proxy starts.
pub(crate) const WAITING: u32 = 4096;
/// How long a client may take to agree on TLS.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a client may take nothing of an answer.
pub(crate) const STALL: Duration = Duration::from_secs(60);
/// Longest headers of a request with its first line, in bytes; longer ones answer 431. Addresses with many filters are
/// long, and AWX's own web server takes up to 32 KiB.
pub(crate) const LONGEST_HEAD: usize = 64 * 1024;
