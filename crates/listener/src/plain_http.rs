//! Clients that speak HTTP to a place of TLS.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The most that is read of what such a client sends, in bytes.
const MOST: u64 = 64 * 1024;

const BODY: &str = "{\"detail\": \"This port speaks https: ask again with https://.\"}";

/// Whether a client begins as HTTP does, with a method: TLS begins with a byte that is no letter.
pub(crate) async fn is_plain_http(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    Ok(stream.peek(&mut first).await? == 1 && first[0].is_ascii_uppercase())
}

/// Tells the client what is wrong, in HTTP.
pub(crate) async fn explain(mut stream: TcpStream) -> io::Result<()> {
    let length = BODY.len();
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{BODY}"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    // To close while there are bytes to be read would take the answer back.
    tokio::io::copy(&mut stream.take(MOST), &mut tokio::io::sink()).await?;
    Ok(())
}
