//! Listening sockets (TCP, Unix, systemd socket activation), TLS with certificate reload, timeouts for slow clients, and
//! graceful shutdown.
//!
//! Requests are answered by an [`HttpService`], such as an [`axum::Router`].

mod certificate;
mod connection;
mod listen_addr;
mod listener;
mod open_files;
mod plain_http;
mod serve;
mod slow_clients;
mod socket_activation;
mod timeouts;
mod unix_socket;

pub use certificate::{Certificate, CertificateError};
pub use connection::HttpService;
pub use listen_addr::{ListenAddr, ListenAddrError};
pub use listener::{Listener, PeerAddr, Socket};
pub use open_files::raise_open_files_limit;
pub use serve::serve;
pub use socket_activation::{SocketActivationError, activated_sockets};
pub use timeouts::Timeouts;
