//! The TLS certificate, which can be reloaded while the server runs.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};

/// How often the files are checked for changes. The files are reloaded once they are the same in two successive checks:
/// certificate and key are replaced one after the other, and do not match in between.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read, or has no usable content.
    #[error("{what} {} cannot be used: {problem}", path.display())]
    File {
        /// The kind of file.
        what: &'static str,
        /// The path.
        path: PathBuf,
        /// The error.
        problem: String,
    },
    /// The key does not match the certificate, or is of an unsupported type.
    #[error("the TLS certificate {} and the key {} cannot be used together: {problem}", certificate.display(), key.display())]
    Pair {
        /// The file of the certificate chain.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// The error.
        problem: String,
    },
}

/// The certificate chain and key of the server, with the files that they are read from.
#[derive(Debug)]
pub struct Certificate {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<CertifiedKey>>,
}

/// Device, inode, length and modification time of both files; `None` for a missing file.
type FileVersions = [Option<(u64, u64, u64, i64, i64)>; 2];

impl Certificate {
    /// Reads a certificate chain, the server's certificate first, and its key, both in PEM. Logs a warning if other users
    /// can read the key.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn load(certificate: PathBuf, key: PathBuf) -> Result<Arc<Certificate>, CertificateError> {
        let current = RwLock::new(read(&certificate, &key)?);
        Ok(Arc::new(Certificate { certificate, key, current }))
    }

    /// Reads the files again and logs the result. Open connections keep their certificate. If the files cannot be used,
    /// the previous certificate stays in use.
    pub fn reload(&self) {
        match read(&self.certificate, &self.key) {
            Ok(pair) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = pair;
                tracing::info!(certificate = %self.certificate.display(), "reloaded the TLS certificate");
            }
            Err(problem) => tracing::error!(%problem, "could not reload the TLS certificate"),
        }
    }

    /// Reloads the files whenever they change. It never completes.
    pub async fn reload_on_change(self: Arc<Self>) {
        let mut loaded = self.file_versions();
        let mut last = loaded;
        loop {
            tokio::time::sleep(POLL_INTERVAL).await;
            let certificate = Arc::clone(&self);
            // On a network file system this may block.
            let check = tokio::task::spawn_blocking(move || certificate.file_versions());
            let Ok(current) = check.await else { return };
            if current == last && current != loaded {
                loaded = current;
                let certificate = Arc::clone(&self);
                // It fails only while the runtime shuts down.
                let _ = tokio::task::spawn_blocking(move || certificate.reload()).await;
            }
            last = current;
        }
    }

    fn file_versions(&self) -> FileVersions {
        [&self.certificate, &self.key].map(|path| {
            let found = fs::metadata(path).ok()?;
            Some((found.dev(), found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
        })
    }

    pub(crate) fn acceptor(self: &Arc<Self>) -> Result<TlsAcceptor, CertificateError> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|problem| self.pair_error(problem.to_string()))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(CurrentCertificate(Arc::clone(self))));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    fn pair_error(&self, problem: String) -> CertificateError {
        CertificateError::Pair { certificate: self.certificate.clone(), key: self.key.clone(), problem }
    }
}

/// Resolves the certificate at the time of each handshake.
#[derive(Debug)]
struct CurrentCertificate(Arc<Certificate>);

impl ResolvesServerCert for CurrentCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn read(certificate: &Path, key: &Path) -> Result<Arc<CertifiedKey>, CertificateError> {
    let file_error = |what, path: &Path, problem| CertificateError::File { what, path: path.to_owned(), problem };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|problem| file_error("the TLS certificate", certificate, pem_error(problem)))?;
    if chain.is_empty() {
        return Err(file_error("the TLS certificate", certificate, "it has no certificate in PEM".to_owned()));
    }
    warn_if_world_readable(key);
    let private = PrivateKeyDer::from_pem_file(key).map_err(|problem| {
        let problem = match problem {
            pem::Error::NoItemsFound => "it has no unencrypted private key in PEM".to_owned(),
            other => pem_error(other),
        };
        file_error("the TLS key", key, problem)
    })?;
    let pair = CertifiedKey::from_der(chain, private, &ring::default_provider()).map_err(|problem| {
        let problem = match problem {
            rustls::Error::InconsistentKeys(_) => "the key does not belong to the certificate".to_owned(),
            other => other.to_string(),
        };
        CertificateError::Pair { certificate: certificate.to_owned(), key: key.to_owned(), problem }
    })?;
    Ok(Arc::new(pair))
}

fn pem_error(problem: pem::Error) -> String {
    match problem {
        pem::Error::Io(problem) => problem.to_string(),
        other => format!("it is not PEM: {other}"),
    }
}

/// Read access for a group is fine. Read access for all is not an error: secrets mounted into containers often have it.
fn warn_if_world_readable(key: &Path) {
    let mode = fs::metadata(key).map_or(0, |found| found.permissions().mode() & 0o7777);
    if mode & 0o007 != 0 {
        tracing::warn!(key = %key.display(), mode = format!("{mode:04o}"), "all users of this machine can read the TLS key: run chmod o= on it");
    }
}
