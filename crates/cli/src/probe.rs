//! `hostler probe`: where there is neither a shell nor another client, as in a container.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use hostler_listener::ListenAddr;

use crate::options::ProbeOptions;
use crate::output::print_line;

/// How long the server may take for each step.
const PATIENCE: Duration = Duration::from_secs(5);
/// No answer to a probe is longer.
const LONGEST: u64 = 64 << 10;

/// Asks the server and prints what it says of itself.
pub fn run(options: &ProbeOptions) -> Result<()> {
    let is_socket = |place: &&ListenAddr| matches!(place, ListenAddr::Unix(_));
    let place = options.listen.iter().find(is_socket).or(options.listen.first()).context("there is no place to ask")?;
    let path = if options.alive { "/healthz" } else { "/readyz" };
    let answer = match place {
        ListenAddr::Unix(socket) => UnixStream::connect(socket).and_then(|stream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            ask(stream, path)
        }),
        ListenAddr::Tcp(address) => TcpStream::connect_timeout(&reachable(*address), PATIENCE).and_then(|stream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            ask(stream, path)
        }),
    };
    let answer = answer.with_context(|| format!("the server does not answer at {place}"))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let status = head.split(' ').nth(1).unwrap_or_default();
    if status == "400" {
        bail!(
            "{place} wants TLS, which is not for probes: let the server listen at a Unix socket, too, and probe that"
        );
    }
    ensure!(status == "200", "{place} answers {path} with status {status}: {}", body.trim());
    print_line(body.trim())
}

/// Who listens at all addresses is asked at that of this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => (Ipv4Addr::LOCALHOST, v4.port()).into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => (Ipv6Addr::LOCALHOST, v6.port()).into(),
        other => other,
    }
}

/// Sends a request, after whose answer the server closes the connection.
fn ask(mut stream: impl Read + Write, path: &str) -> std::io::Result<String> {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(LONGEST).read_to_string(&mut answer)?;
    Ok(answer)
}
