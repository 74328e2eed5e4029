//! TLS problems and their remedies, for the operator.

use std::error::Error as StdError;
use std::io;

use jiff::Timestamp;
use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error};

use super::{Identity, Root, Settings};

/// A problem and its remedy.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TlsProblem {
    pub(crate) problem: String,
    pub(crate) remedy: String,
}

/// The TLS problem behind an error, if there is one.
pub(crate) fn tls_problem(error: &tokio_postgres::Error, settings: &Settings) -> Option<TlsProblem> {
    if let Some(problem) = cause(error) {
        return Some(explain(problem, settings));
    }
    if !is_handshake(error) {
        return None;
    }
    let problem = crate::migrate::problem(error);
    // The text of the driver.
    Some(if problem.ends_with("server does not support TLS") {
        TlsProblem {
            problem: "the server does not speak TLS".into(),
            remedy: "set ssl = on in its postgresql.conf, or use sslmode=prefer if the network is trusted".into(),
        }
    } else {
        let problem = problem.strip_prefix("error performing TLS handshake: ").unwrap_or(&problem);
        TlsProblem {
            problem: format!("no agreement on TLS was reached ({problem})"),
            remedy: "see the log of the server; sslnegotiation=direct requires PostgreSQL 17".into(),
        }
    })
}

/// Whether it is a handshake error. The driver distinguishes kinds of errors by their text only.
pub(crate) fn is_handshake(error: &tokio_postgres::Error) -> bool {
    error.to_string() == "error performing TLS handshake"
}

/// The error of rustls, which both the handshake and later operations wrap in an IO error.
pub(crate) fn cause(error: &tokio_postgres::Error) -> Option<&Error> {
    let mut cause = StdError::source(error);
    while let Some(error) = cause {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(found) = inner.and_then(|inner| inner.downcast_ref::<Error>()) {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

fn explain(error: &Error, settings: &Settings) -> TlsProblem {
    let (problem, remedy) = match error {
        Error::InvalidCertificate(problem) => certificate(problem, settings),
        Error::AlertReceived(alert) => refused(*alert, settings),
        Error::PeerIncompatible(_) => (
            format!("the server has no TLS in common with Hostler ({error})"),
            "Hostler speaks TLS 1.2 and 1.3: raise ssl_min_protocol_version in postgresql.conf, and look at ssl_ciphers there".to_owned(),
        ),
        Error::InvalidMessage(_) => (
            format!("what answers does not speak TLS ({error})"),
            "check the host and port in the URL".to_owned(),
        ),
        _ => (error.to_string(), "look at the certificate of the server, and at its log".to_owned()),
    };
    TlsProblem { problem, remedy }
}

fn certificate(problem: &CertificateError, settings: &Settings) -> (String, String) {
    use CertificateError as C;
    match problem {
        C::UnknownIssuer => {
            let (whom, remedy) = match &settings.root {
                Some(Root::File(file)) => (
                    format!("{} does not contain", file.display()),
                    "put the certificate of the authority that signed the server's into that file, and those between them into the server's ssl_cert_file",
                ),
                _ => (
                    "the system does not trust".to_owned(),
                    "name a file with the certificate of that authority in sslrootcert; providers of managed PostgreSQL have one to download",
                ),
            };
            (format!("the server's certificate is signed by an authority that {whom}"), remedy.to_owned())
        }
        C::NotValidForNameContext { expected, presented } => {
            let names = presented.iter().map(|name| readable(name)).collect::<Vec<_>>().join(", ");
            let names = if names.is_empty() {
                "names no host as its subjectAltName (its common name does not count)".to_owned()
            } else {
                format!("is for {names}")
            };
            (
                format!("the server's certificate {names}, and the URL names {}", expected.to_str()),
                "write the name that the certificate has into the URL, or give the server a certificate for this one; sslmode=verify-ca with sslrootcert does not look at names".to_owned(),
            )
        }
        C::ExpiredContext { not_after, .. } => (
            format!("the server's certificate, or one above it, has expired{}", moment(" on ", *not_after)),
            "renew it on the server; if it is valid, look at the clock of this machine".to_owned(),
        ),
        C::NotValidYetContext { not_before, .. } => (
            format!("the server's certificate, or one above it, is not valid yet{}", moment(": it is from ", *not_before)),
            "check the clocks of this machine and of the one that issued it".to_owned(),
        ),
        C::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => (
            "the server's certificate is marked as that of an authority".to_owned(),
            "give the server one that is none (basicConstraints CA:FALSE), or copy this very certificate into the file of sslrootcert".to_owned(),
        ),
        C::Other(other) if other.to_string().contains("UnsupportedCertVersion") => (
            "the server's certificate is of X.509 version 1, which cannot be used".to_owned(),
            "give it one of version 3, with its host as subjectAltName".to_owned(),
        ),
        _ => (format!("the server's certificate cannot be used ({problem})"), "give the server another one".to_owned()),
    }
}

/// The server's TLS alert.
fn refused(alert: AlertDescription, settings: &Settings) -> (String, String) {
    use AlertDescription as A;
    match (alert, &settings.identity) {
        (
            A::UnknownCA
            | A::BadCertificate
            | A::UnsupportedCertificate
            | A::CertificateExpired
            | A::CertificateRevoked
            | A::CertificateUnknown
            | A::DecryptError,
            Some(Identity { certificate, .. }),
        ) => (
            format!("the server refuses the certificate in {} ({alert:?})", certificate.display()),
            "it has to be valid, and signed by an authority in the file that ssl_ca_file names in the server's postgresql.conf".to_owned(),
        ),
        (A::CertificateRequired | A::HandshakeFailure, None) => (
            format!("the server rejected the TLS handshake ({alert:?})"),
            "it may require a client certificate: set sslcert and sslkey; otherwise see its log".to_owned(),
        ),
        _ => (format!("the server refuses TLS ({alert:?})"), "see its log".to_owned()),
    }
}

/// A name in webpki's format: `DnsName("db.example.org")`.
fn readable(name: &str) -> &str {
    name.split_once('"').and_then(|(_, rest)| rest.split_once('"')).map_or(name, |(name, _)| name)
}

fn moment(before: &str, time: UnixTime) -> String {
    let time = i64::try_from(time.as_secs()).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.map(|time| format!("{before}{time}")).unwrap_or_default()
}
