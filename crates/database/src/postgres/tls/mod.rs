//! TLS to PostgreSQL: libpq's parameters of the URL as a rustls configuration.

mod problem;
mod settings;
mod verifier;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

pub(super) use self::problem::{TlsProblem, cause, is_handshake, tls_problem};
use self::settings::Root;
pub(crate) use self::settings::{Identity, separate};
pub(super) use self::settings::{Mode, Settings};
use self::verifier::{Trust, Verifier};

/// The ALPN protocol, which PostgreSQL requires for direct TLS connections (`sslnegotiation=direct`).
const PROTOCOL: &[u8] = b"postgresql";

/// The TLS configuration of a connection. Reads files, so it blocks.
///
/// # Errors
/// A file that cannot be read, or has invalid content.
pub(super) fn configuration(settings: &Settings) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let trust = settings.root.as_ref().map(trust).transpose()?;
    let verifier = Verifier::new(Arc::clone(&provider), trust, settings.mode == Mode::VerifyFull);
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|problem| problem.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match &settings.identity {
        None => builder.with_no_client_auth(),
        Some(Identity { certificate, key }) => {
            let chain = certificates_in("sslcert", certificate)?;
            builder.with_client_auth_cert(chain, key_in(key)?).map_err(|problem| {
                let problem = match problem {
                    rustls::Error::InconsistentKeys(_) => "the key does not belong to the certificate".to_owned(),
                    other => other.to_string(),
                };
                let (certificate, key) = (certificate.display(), key.display());
                format!("sslcert {certificate} and sslkey {key} cannot be used together: {problem}")
            })?
        }
    };
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(config)
}

fn trust(root: &Root) -> Result<Trust, String> {
    let certificates = match root {
        Root::File(file) => certificates_in("sslrootcert", file)?,
        // Some of the system's files may be unreadable; what can be read is trusted.
        Root::System => rustls_native_certs::load_native_certs().certs,
    };
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates.iter().cloned());
    match root {
        Root::System if added == 0 => Err("the system trusts no certificates: install those of your distribution \
             (ca-certificates), or name a file of them in sslrootcert"
            .to_owned()),
        Root::File(file) if added == 0 => {
            Err(format!("sslrootcert {} holds no certificate that can be used", file.display()))
        }
        Root::System => Ok(Trust { roots, named: vec![] }),
        Root::File(_) => Ok(Trust { roots, named: certificates }),
    }
}

fn certificates_in(what: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = found.map_err(|problem| format!("{what} {} cannot be used: {}", file.display(), words(problem)))?;
    if found.is_empty() {
        return Err(format!("{what} {} cannot be used: it holds no certificate in PEM", file.display()));
    }
    Ok(found)
}

fn key_in(file: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(file).map_err(|problem| {
        let problem = match problem {
            pem::Error::NoItemsFound => "it holds no private key in PEM that is not encrypted".to_owned(),
            other => words(other),
        };
        format!("sslkey {} cannot be used: {problem}", file.display())
    })
}

fn words(problem: pem::Error) -> String {
    match problem {
        pem::Error::Io(problem) => problem.to_string(),
        other => format!("it is not PEM: {other}"),
    }
}

/// Logs warnings about probable mistakes in the settings.
pub(super) fn warn(settings: &Settings, database: &str) {
    if settings.mode == Mode::Require && settings.root.is_none() {
        tracing::warn!(
            database,
            "the connection to PostgreSQL is encrypted, but the server's certificate is not verified: use sslmode=verify-full"
        );
    }
    // libpq rejects it. It may be correct in containers with mounted secrets, which all their users can read.
    if let Some(Identity { key, .. }) = &settings.identity {
        let mode = fs::metadata(key).map_or(0, |found| found.permissions().mode() & 0o7777);
        if mode & 0o007 != 0 {
            tracing::warn!(key = %key.display(), mode = format!("{mode:04o}"), "all users of this machine can read the key for PostgreSQL: run chmod o= on it");
        }
    }
}
