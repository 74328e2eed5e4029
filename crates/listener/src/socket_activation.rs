//! Sockets passed by systemd (`LISTEN_FDS`, sd_listen_fds(3)).

use std::io;
use std::path::Path;

use listenfd::ListenFd;
use tokio::net::{TcpListener, UnixListener};

use crate::listener::Socket;
use crate::unix_socket::SocketFile;

/// Why a passed socket cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SocketActivationError {
    /// It is neither a TCP nor a Unix stream socket.
    #[error("socket {0} of LISTEN_FDS is neither a TCP nor a Unix stream socket")]
    Type(usize),
    /// The operating system reports an error.
    #[error("a socket of LISTEN_FDS cannot be used: {0}")]
    Io(#[from] io::Error),
}

/// The sockets passed to this process; empty if there are none.
///
/// # Errors
/// [`SocketActivationError`].
pub fn activated_sockets(mut passed: ListenFd) -> Result<Vec<Socket>, SocketActivationError> {
    (0..passed.len()).map(|index| take(&mut passed, index)).collect()
}

fn take(passed: &mut ListenFd, index: usize) -> Result<Socket, SocketActivationError> {
    if let Ok(Some(listener)) = passed.take_tcp_listener(index) {
        listener.set_nonblocking(true)?;
        return Ok(Socket::Tcp(TcpListener::from_std(listener)?));
    }
    if let Ok(Some(listener)) = passed.take_unix_listener(index) {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let path = address.as_pathname().unwrap_or(Path::new("")).to_owned();
        return Ok(Socket::Unix(UnixListener::from_std(listener)?, SocketFile::not_owned(path)));
    }
    Err(SocketActivationError::Type(index))
}
