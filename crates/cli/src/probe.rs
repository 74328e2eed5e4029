//! `hostler probe`: a health check for containers without a shell or an HTTP client.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use hostler_listener::ListenAddr;

use crate::options::ProbeOptions;
use crate::output::print_line;

/// The timeout of the connection, and of each read and write.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest response that is read, in bytes.
const MAX_RESPONSE: u64 = 64 << 10;

/// Requests a health endpoint and prints the response.
pub fn run(options: &ProbeOptions) -> Result<()> {
    let is_unix = |address: &&ListenAddr| matches!(address, ListenAddr::Unix(_));
    let address = options.listen.iter().find(is_unix).or(options.listen.first()).context("--listen is empty")?;
    let path = if options.alive { "/healthz" } else { "/readyz" };
    let response = match address {
        ListenAddr::Unix(socket) => UnixStream::connect(socket).and_then(|stream| {
            stream.set_read_timeout(Some(TIMEOUT))?;
            stream.set_write_timeout(Some(TIMEOUT))?;
            request(stream, path)
        }),
        ListenAddr::Tcp(address) => TcpStream::connect_timeout(&reachable(*address), TIMEOUT).and_then(|stream| {
            stream.set_read_timeout(Some(TIMEOUT))?;
            stream.set_write_timeout(Some(TIMEOUT))?;
            request(stream, path)
        }),
    };
    let response = response.with_context(|| format!("the server does not respond at {address}"))?;
    let (head, body) = response.split_once("\r\n\r\n").unwrap_or_default();
    let status = head.split(' ').nth(1).unwrap_or_default();
    if status == "400" {
        bail!("{address} requires TLS, which probe does not support: let the server listen on a Unix socket, too");
    }
    ensure!(status == "200", "{address} responds to {path} with status {status}: {}", body.trim());
    print_line(body.trim())
}

/// The loopback address, if the server listens on all addresses.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => (Ipv4Addr::LOCALHOST, v4.port()).into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => (Ipv6Addr::LOCALHOST, v6.port()).into(),
        other => other,
    }
}

/// Sends a request and reads the response until the server closes the connection.
fn request(mut stream: impl Read + Write, path: &str) -> std::io::Result<String> {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut response = String::new();
    stream.take(MAX_RESPONSE).read_to_string(&mut response)?;
    Ok(response)
}
