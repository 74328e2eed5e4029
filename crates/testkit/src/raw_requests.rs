//! Raw requests, for what no HTTP client would send.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::server::TestServer;

/// A response: the status and everything after the headers.
#[derive(Debug, Clone)]
pub struct RawResponse {
    /// The HTTP status; none if the server closed the connection without a response.
    pub status: Option<u16>,
    /// The body.
    pub body: String,
}

impl TestServer {
    /// Sends these bytes, and reads until the server closes the connection. The request should have `Connection:
    /// close`.
    pub fn send_raw(&self, request: &[u8]) -> RawResponse {
        let mut stream = TcpStream::connect(self.base().trim_start_matches("http://")).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
        // A server may respond and close the connection before it has read the whole request: then writing, or the last
        // read, fails, and the bytes that were read before count.
        let _ = stream.write_all(request);
        let mut bytes = vec![];
        let _ = stream.read_to_end(&mut bytes);
        let text = String::from_utf8_lossy(&bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        RawResponse { status, body: body.to_owned() }
    }
}
