//! The response to clients that send plain HTTP to a TLS port.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The most that is read of such a request, in bytes.
const MAX_READ: u64 = 64 * 1024;

const BODY: &str = "{\"detail\": \"This port requires TLS: use https:// instead of http://.\"}";

/// Whether the first byte is that of an HTTP method. A TLS record starts with a byte that is not a letter.
pub(crate) async fn is_plain_http(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    Ok(stream.peek(&mut first).await? == 1 && first[0].is_ascii_uppercase())
}

/// Sends a 400 in plain HTTP and closes the connection.
pub(crate) async fn respond(mut stream: TcpStream) -> io::Result<()> {
    let length = BODY.len();
    let response = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{BODY}"
    );
    stream.write_all(response.as_bytes()).await?;
    stream.shutdown().await?;
    // A close with unread bytes would send a reset, which discards the response.
    tokio::io::copy(&mut stream.take(MAX_READ), &mut tokio::io::sink()).await?;
    Ok(())
}
