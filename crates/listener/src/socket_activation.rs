//! Sockets that systemd, or whoever speaks its protocol (sd_listen_fds(3)), hands over.

use std::io;
use std::path::Path;

use listenfd::ListenFd;
use tokio::net::{TcpListener, UnixListener};

use crate::listener::Socket;
use crate::unix_socket::SocketFile;

/// Why a socket that was handed over cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SocketActivationError {
    /// It is of another kind, such as one for datagrams.
    #[error(
        "the socket {0} that was handed over (LISTEN_FDS) takes no connections, neither of TCP nor in the file system"
    )]
    Kind(usize),
    /// What the operating system says of it.
    #[error("the socket that was handed over (LISTEN_FDS) cannot be used: {0}")]
    Io(#[from] io::Error),
}

/// The sockets that were handed over to this process; none if nobody did.
///
/// # Errors
/// [`SocketActivationError`].
pub fn activated_sockets(mut handed: ListenFd) -> Result<Vec<Socket>, SocketActivationError> {
    (0..handed.len()).map(|number| one(&mut handed, number)).collect()
}

fn one(handed: &mut ListenFd, number: usize) -> Result<Socket, SocketActivationError> {
    if let Ok(Some(listener)) = handed.take_tcp_listener(number) {
        listener.set_nonblocking(true)?;
        return Ok(Socket::Tcp(TcpListener::from_std(listener)?));
    }
    if let Ok(Some(listener)) = handed.take_unix_listener(number) {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let path = address.as_pathname().unwrap_or(Path::new("")).to_owned();
        return Ok(Socket::Unix(UnixListener::from_std(listener)?, SocketFile::not_owned(path)));
    }
    Err(SocketActivationError::Kind(number))
}
