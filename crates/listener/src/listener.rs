//! Listening sockets and accepted connections.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};
use tokio_rustls::TlsAcceptor;

use crate::certificate::{Certificate, CertificateError};
use crate::listen_addr::{ListenAddr, UNIX};
use crate::timeouts::BACKLOG;
use crate::unix_socket::{self, SocketFile};

/// The peer of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerAddr {
    /// A TCP connection.
    Tcp {
        /// The peer's address.
        address: SocketAddr,
        /// Whether the connection uses TLS.
        is_tls: bool,
    },
    /// A process on this machine, connected to a Unix socket: the permissions of the socket allow it.
    Unix,
    /// The request did not come from a [`Listener`], such as a request made by a test.
    Unknown,
}

impl PeerAddr {
    /// The peer's IP address.
    pub fn ip(self) -> Option<IpAddr> {
        match self {
            PeerAddr::Tcp { address, .. } => Some(address.ip()),
            PeerAddr::Unix | PeerAddr::Unknown => None,
        }
    }

    /// Whether the connection uses TLS.
    pub fn is_tls(self) -> bool {
        matches!(self, PeerAddr::Tcp { is_tls: true, .. })
    }
}

/// A listening socket.
pub enum Socket {
    /// A TCP socket.
    Tcp(TcpListener),
    /// A Unix socket.
    Unix(UnixListener, SocketFile),
}

impl Socket {
    /// Listens. A Unix socket gets the permissions `mode`, and replaces a socket file on which no process listens.
    ///
    /// # Errors
    /// The error of the operating system; `AddrInUse` if another process listens there.
    pub async fn bind(address: &ListenAddr, mode: u32) -> io::Result<Socket> {
        match address {
            ListenAddr::Tcp(address) => listen(*address).map(Socket::Tcp),
            ListenAddr::Unix(path) => {
                unix_socket::bind(path, mode).await.map(|(listener, file)| Socket::Unix(listener, file))
            }
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Without it, the port stays in use for a minute after the process ends.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// A listening socket with its TLS configuration.
pub struct Listener {
    pub(crate) socket: Socket,
    pub(crate) tls: Option<TlsAcceptor>,
}

impl Listener {
    /// A TCP socket uses TLS if there is a certificate. A Unix socket never does.
    ///
    /// # Errors
    /// [`CertificateError`] if rustls rejects the certificate.
    pub fn new(socket: Socket, certificate: Option<&Arc<Certificate>>) -> Result<Listener, CertificateError> {
        let tls = match (&socket, certificate) {
            (Socket::Tcp(_), Some(certificate)) => Some(certificate.acceptor()?),
            _ => None,
        };
        Ok(Listener { socket, tls })
    }

    /// Whether connections use TLS.
    pub fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The address for clients, such as `https://127.0.0.1:8052` or `unix:/run/hostler.sock`.
    ///
    /// # Errors
    /// The error of the operating system.
    pub fn address(&self) -> io::Result<String> {
        Ok(match &self.socket {
            Socket::Tcp(listener) => {
                let scheme = if self.has_tls() { "https" } else { "http" };
                format!("{scheme}://{}", listener.local_addr()?)
            }
            Socket::Unix(_, file) => format!("{UNIX}{}", file.path().display()),
        })
    }

    pub(crate) async fn accept(&self) -> io::Result<Accepted> {
        match &self.socket {
            Socket::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                // Responses are written whole: Nagle's algorithm would only delay them.
                let _ = stream.set_nodelay(true);
                Ok(Accepted::Tcp(stream, address))
            }
            Socket::Unix(listener, _) => Ok(Accepted::Unix(listener.accept().await?.0)),
        }
    }
}

/// A connection before the TLS handshake.
pub(crate) enum Accepted {
    Tcp(TcpStream, SocketAddr),
    Unix(UnixStream),
}
