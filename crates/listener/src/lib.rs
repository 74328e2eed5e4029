//! The ways into the server: where it listens ([`ListenAddr`], [`Listener`]), with which certificate ([`Certificate`]), and how
//! connections are served ([`serve`]) without one of them holding up the others ([`Timeouts`]).
//!
//! It knows HTTP no further than that: what is asked and answered is the application's.

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
