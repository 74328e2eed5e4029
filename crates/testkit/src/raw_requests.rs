//! Requests byte for byte, for what no HTTP client would send.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::server::TestServer;

/// What came back: the status and all after the headers.
#[derive(Debug, Clone)]
pub struct RawResponse {
    /// The HTTP status; none if the server closed the connection without a word.
    pub status: Option<u16>,
    /// The body.
    pub body: String,
}

impl TestServer {
    /// Sends these bytes, and reads until the server closes the connection: the
    /// request should ask for that.
    pub fn send_raw(&self, request: &[u8]) -> RawResponse {
        let mut stream = TcpStream::connect(self.base().trim_start_matches("http://")).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
        // A server that has heard enough answers and stops listening: then writing, and the
        // end of reading, fail, and what was read before counts.
        let _ = stream.write_all(request);
        let mut bytes = vec![];
        let _ = stream.read_to_end(&mut bytes);
        let text = String::from_utf8_lossy(&bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        RawResponse { status, body: body.to_owned() }
    }
}
