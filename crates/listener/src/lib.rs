//! The ways into the server: where it listens ([`Place`], [`Door`]), with which certificate ([`Certificate`]), and how
//! connections are served ([`serve`]) without one of them holding up the others ([`Limits`]).
//!
//! It knows HTTP no further than that: what is asked and answered is the application's.

mod certificate;
mod connection;
mod descriptors;
mod handed;
mod limits;
mod pace;
mod place;
mod plain;
mod serve;
mod socket;
mod unix;

pub use certificate::{Certificate, CertificateError};
pub use connection::App;
pub use descriptors::allow_many;
pub use handed::{HandedError, handed_over};
pub use limits::Limits;
pub use place::{Place, PlaceError};
pub use serve::serve;
pub use socket::{Door, Peer, Socket};
