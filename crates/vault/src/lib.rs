//! Secrets at rest.
//!
//! What must be read back (a credential's password, the bind password of a
//! directory, the secret of a second factor) is stored encrypted, by
//! AES-256-GCM under a key of this installation, and bound to its [`SecretContext`], so
//! that a ciphertext copied to another row, column or installation cannot be
//! decrypted. What need not be read back is stored as a digest instead and is no
//! business of this crate.
//!
//! # How to keep a secret
//!
//! A field of a resource only has to say so: `FieldKind::Encrypted`, and the engine does
//! the rest. Code that writes its own rows (settings, second factors) encrypts
//! in the transaction that stores the secret, and decrypts what it has read:
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
//! A setting has no row while it has its default: its context is
//! `SecretContext::new("setting", 0, "AUTH_LDAP_BIND_PASSWORD")`.
//!
//! The rotation of keys must know each column with encrypted secrets, as
//! a [`SecretColumn`]: the server's list of them includes those of resources.
//!
//! # Keys
//!
//! A key is a file `keys/N.key` in the data folder, where N is the generation.
//! The database names the current key, which encrypts; all keys in the folder can
//! decrypt. A server that finds an unknown key id reads the folder again, so that
//! running servers follow a rotation. Encrypting locks the current key in the
//! transaction that stores the secret, so that a rotation waits for it: no secret
//! under the old key can appear after the rotation has searched for the last one.

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
