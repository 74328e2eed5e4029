//! TLS by rustls, with a certificate that can be replaced while the server runs.

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

/// How often the files are looked at. A change counts once they stayed the same from one look to the next: they are
/// replaced one after the other, and one alone would not fit.
const LOOK: Duration = Duration::from_secs(1);

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read, or does not hold what it should.
    #[error("{what} {} cannot be used: {problem}", path.display())]
    File {
        /// What the file is for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The certificate and the key do not belong together, or are of a kind that is not supported.
    #[error("the TLS certificate {} and the key {} cannot be used together: {problem}", certificate.display(), key.display())]
    Pair {
        /// The file of the certificates.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What is wrong with them.
        problem: String,
    },
}

/// The certificate of the server, and the files it comes from.
#[derive(Debug)]
pub struct Certificate {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<CertifiedKey>>,
}

/// What changes of a file when it is replaced: device, number, length, and the time of the last change.
type Look = [Option<(u64, u64, u64, i64, i64)>; 2];

impl Certificate {
    /// Reads a chain of certificates, the server's own first, and its key, both in PEM. It warns of a key that others
    /// can read.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn load(certificate: PathBuf, key: PathBuf) -> Result<Arc<Certificate>, CertificateError> {
        let current = RwLock::new(read(&certificate, &key)?);
        Ok(Arc::new(Certificate { certificate, key, current }))
    }

    /// Reads the files again, and says in the log what came of it. Connections that are open keep the certificate they
    /// have; if the files cannot be used, all others keep the one from before, too.
    pub fn reload(&self) {
        match read(&self.certificate, &self.key) {
            Ok(pair) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = pair;
                tracing::info!(certificate = %self.certificate.display(), "the TLS certificate was read again");
            }
            Err(problem) => tracing::error!(%problem, "the TLS certificate stays as it was"),
        }
    }

    /// Reads the files again whenever they have changed; does not end.
    pub async fn follow(self: Arc<Self>) {
        let mut known = self.look();
        let mut last = known;
        loop {
            tokio::time::sleep(LOOK).await;
            let certificate = Arc::clone(&self);
            // Files of a network may keep whoever looks at them waiting.
            let Ok(now) = tokio::task::spawn_blocking(move || certificate.look()).await else { return };
            if now == last && now != known {
                known = now;
                let certificate = Arc::clone(&self);
                // It fails only when the server ends.
                let _ = tokio::task::spawn_blocking(move || certificate.reload()).await;
            }
            last = now;
        }
    }

    fn look(&self) -> Look {
        [&self.certificate, &self.key].map(|path| {
            let found = fs::metadata(path).ok()?;
            Some((found.dev(), found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
        })
    }

    pub(crate) fn acceptor(self: &Arc<Self>) -> Result<TlsAcceptor, CertificateError> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|problem| self.unusable(problem.to_string()))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Current(Arc::clone(self))));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    fn unusable(&self, problem: String) -> CertificateError {
        CertificateError::Pair { certificate: self.certificate.clone(), key: self.key.clone(), problem }
    }
}

/// Gives each connection the certificate of its time.
#[derive(Debug)]
struct Current(Arc<Certificate>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn read(certificate: &Path, key: &Path) -> Result<Arc<CertifiedKey>, CertificateError> {
    let bad = |what, path: &Path, problem| CertificateError::File { what, path: path.to_owned(), problem };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|problem| bad("the TLS certificate", certificate, words(problem)))?;
    if chain.is_empty() {
        return Err(bad("the TLS certificate", certificate, "it holds no certificate in PEM".to_owned()));
    }
    warn_of_open(key);
    let private = PrivateKeyDer::from_pem_file(key).map_err(|problem| {
        let problem = match problem {
            pem::Error::NoItemsFound => "it holds no private key in PEM that is not encrypted".to_owned(),
            other => words(other),
        };
        bad("the TLS key", key, problem)
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

fn words(problem: pem::Error) -> String {
    match problem {
        pem::Error::Io(problem) => problem.to_string(),
        other => format!("it is not PEM: {other}"),
    }
}

/// A group may read it, such as that of all who serve by TLS. It is no reason to refuse: where secrets are mounted
/// into containers, everybody inside can read them.
fn warn_of_open(key: &Path) {
    let mode = fs::metadata(key).map_or(0, |found| found.permissions().mode() & 0o7777);
    if mode & 0o007 != 0 {
        tracing::warn!(key = %key.display(), mode = format!("{mode:04o}"), "everybody on this machine can read the TLS key: run chmod o= on it");
    }
}
