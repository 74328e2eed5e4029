//! Timeouts and limits.

use std::time::Duration;

/// Timeouts of connections and of the shutdown.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// From the first byte of a request to the end of its headers.
    pub header: Duration,
    /// From a response, or from the start of a connection, to the headers of the next request.
    pub idle: Duration,
    /// From the start of the shutdown to the end of running requests.
    pub shutdown: Duration,
}

/// The accept backlog, as far as the system allows it. The usual 128 are fewer than the connections that a proxy opens at
/// once when it starts, and a client whose connection is dropped retries only after a second.
pub(crate) const BACKLOG: u32 = 4096;
/// The timeout of the TLS handshake.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a client may read nothing of a response.
pub(crate) const WRITE_STALL: Duration = Duration::from_secs(60);
/// The longest request line with headers, in bytes; a longer one gets 431. URLs with many filters are long, and AWX's web
/// server accepts 32 KiB.
pub(crate) const MAX_HEADER: usize = 64 * 1024;
