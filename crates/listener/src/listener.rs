//! Sockets to listen at, and what comes in there.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};
use tokio_rustls::TlsAcceptor;

use crate::certificate::{Certificate, CertificateError};
use crate::listen_addr::{ListenAddr, UNIX};
use crate::timeouts::WAITING;
use crate::unix_socket;

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerAddr {
    /// Over the network.
    Tcp {
        /// Its address.
        address: SocketAddr,
        /// Whether TLS ends here.
        is_tls: bool,
    },
    /// On this machine, over a Unix socket: one of those whom its permissions let in.
    Unix,
    /// Of a request that came by no listener, as one that a test makes.
    Unknown,
}

impl PeerAddr {
    /// Its address on the network.
    pub fn ip(self) -> Option<IpAddr> {
        match self {
            PeerAddr::Tcp { address, .. } => Some(address.ip()),
            PeerAddr::Unix | PeerAddr::Unknown => None,
        }
    }

    /// Whether TLS ends here.
    pub fn is_tls(self) -> bool {
        matches!(self, PeerAddr::Tcp { is_tls: true, .. })
    }
}

/// A socket that listens.
pub enum Socket {
    /// On the network.
    Tcp(TcpListener),
    /// In the file system.
    Unix(UnixListener, unix_socket::SocketFile),
}

impl Socket {
    /// Begins to listen. A Unix socket gets these permissions, and takes the place of one that nobody listens at any
    /// more.
    ///
    /// # Errors
    /// What the operating system says; `AddrInUse` if somebody listens there.
    pub async fn bind(place: &ListenAddr, mode: u32) -> io::Result<Socket> {
        match place {
            ListenAddr::Tcp(address) => listen(*address).map(Socket::Tcp),
            ListenAddr::Unix(path) => {
                unix_socket::bind(path, mode).await.map(|(listener, name)| Socket::Unix(listener, name))
            }
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Else the port stays taken for a minute after an end.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(WAITING)
}

/// A place that requests come in at.
pub struct Listener {
    pub(crate) socket: Socket,
    pub(crate) tls: Option<TlsAcceptor>,
}

impl Listener {
    /// Requests over the network come by TLS if there is a certificate; those over a Unix socket, never.
    ///
    /// # Errors
    /// [`CertificateError`] if rustls does not take it.
    pub fn new(socket: Socket, certificate: Option<&Arc<Certificate>>) -> Result<Listener, CertificateError> {
        let tls = match (&socket, certificate) {
            (Socket::Tcp(_), Some(certificate)) => Some(certificate.acceptor()?),
            _ => None,
        };
        Ok(Listener { socket, tls })
    }

    /// Whether requests come by TLS.
    pub fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Where clients find it, such as `https://127.0.0.1:8052` or `unix:/run/hostler.sock`.
    ///
    /// # Errors
    /// What the operating system says of the socket's address.
    pub fn address(&self) -> io::Result<String> {
        Ok(match &self.socket {
            Socket::Tcp(listener) => {
                let scheme = if self.has_tls() { "https" } else { "http" };
                format!("{scheme}://{}", listener.local_addr()?)
            }
            Socket::Unix(_, name) => format!("{UNIX}{}", name.path().display()),
        })
    }

    pub(crate) async fn accept(&self) -> io::Result<Incoming> {
        match &self.socket {
            Socket::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                // Answers are written whole: to wait for more only makes them late.
                let _ = stream.set_nodelay(true);
                Ok(Incoming::Tcp(stream, address))
            }
            Socket::Unix(listener, _) => Ok(Incoming::Unix(listener.accept().await?.0)),
        }
    }
}

/// A connection as it comes in.
pub(crate) enum Incoming {
    Tcp(TcpStream, SocketAddr),
    Unix(UnixStream),
}
