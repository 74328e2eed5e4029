//! Secrets at rest.
//!
//! What must be read back (a credential's password, the bind password of a
//! directory, the secret of a second factor) is stored sealed: encrypted by
//! AES-256-GCM under a key of this installation, and bound to its [`SecretContext`], so
//! that a sealed text copied to another row, column or installation does not
//! open. What need not be read back is stored as a digest instead and is no
//! business of this crate.
//!
//! # How to keep a secret
//!
//! A field of a resource only has to say so: `Kind::Sealed`, and the engine does
//! the rest. Code that writes rows of its own (settings, second factors) seals
//! in the transaction that stores the text, and opens what it has read:
//!
//! ```no_run
//! # use hostler_database::Transaction;
//! # use hostler_vault::{SecretContext, Vault, VaultError};
//! # async fn example(vault: &Vault, tx: &mut Transaction) -> Result<(), VaultError> {
//! let context = SecretContext::new("user", 7, "totp_secret");
//! let stored = vault.encrypt(tx, &context, "JBSWY3DPEHPK3PXP").await?;
//! // … write `stored` into the row by the same transaction, commit, read it again …
//! let secret = vault.decrypt(&context, &stored)?;
//! # Ok(())
//! # }
//! ```
//!
//! A setting has no row while it has its default: its place is
//! `SecretContext::new("setting", 0, "AUTH_LDAP_BIND_PASSWORD")`.
//!
//! Each column where sealed texts stand must be known to the rotation of keys, as
//! a [`SecretColumn`]: the server's list of them has those of resources by itself.
//!
//! # Keys
//!
//! A key is a file `keys/N.key` in the data folder, N counting the generations.
//! The database says which one seals; all that are there can open. A server
//! that meets a key it does not know looks into the folder again, so that
//! running servers follow a rotation by themselves. Sealing asks the database
//! in the transaction that will store the text, and so holds off a rotation
//! until that transaction ends: no text sealed by the old key can appear after
//! the rotation has looked for the last of them.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod cipher;
mod error;
mod key_files;
mod rotation;
mod secret_column;
mod secret_context;
mod vault;

pub use cipher::{is_encrypted, key_id};
pub use error::VaultError;
pub use key_files::key_ids;
pub use rotation::{KeyUse, Progress, RotationError};
pub use secret_column::{Encoding, SecretColumn};
pub use secret_context::SecretContext;
pub use vault::{Encryptor, Vault};
