//! The TLS parameters of the URL. Names and meanings are those of libpq
//! (<https://www.postgresql.org/docs/current/libpq-ssl.html>); parameters that libpq would silently ignore are
//! rejected.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use tokio_postgres::config::SslMode;

/// libpq's `sslmode`, in its order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mode {
    /// No TLS.
    Disable,
    /// Only if the server rejects unencrypted connections.
    Allow,
    /// If the server supports it and accepts the connection with it.
    #[default]
    Prefer,
    /// Encrypted. The certificate is verified only if an authority is named.
    Require,
    /// The certificate must be issued by a trusted authority.
    VerifyCa,
    /// The certificate must also be for the host in the URL.
    VerifyFull,
}

/// The names of the modes, as in libpq.
const MODES: [(&str, Mode); 6] = [
    ("disable", Mode::Disable),
    ("allow", Mode::Allow),
    ("prefer", Mode::Prefer),
    ("require", Mode::Require),
    ("verify-ca", Mode::VerifyCa),
    ("verify-full", Mode::VerifyFull),
];

impl Mode {
    fn parse(text: &str) -> Result<Mode, String> {
        let known = MODES.iter().find(|(name, _)| *name == text);
        known.map(|(_, mode)| *mode).ok_or_else(|| {
            format!(
                "unknown sslmode={text}; valid values are {}",
                MODES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
            )
        })
    }

    fn name(self) -> &'static str {
        MODES.iter().find(|(_, mode)| *mode == self).map_or("", |(name, _)| name)
    }

    /// The driver's mode for the first attempt, and for a second one if the server rejects the first.
    pub(crate) fn attempts(self) -> (SslMode, Option<SslMode>) {
        match self {
            Mode::Disable => (SslMode::Disable, None),
            Mode::Allow => (SslMode::Disable, Some(SslMode::Require)),
            Mode::Prefer => (SslMode::Prefer, Some(SslMode::Disable)),
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => (SslMode::Require, None),
        }
    }
}

/// The trusted authorities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    /// Those of the system.
    System,
    /// Those in a file.
    File(PathBuf),
}

/// The client certificate: files in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The certificate, followed by intermediate ones.
    pub(crate) certificate: PathBuf,
    /// Its private key.
    pub(crate) key: PathBuf,
}

/// The TLS parameters of a URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) mode: Mode,
    pub(crate) root: Option<Root>,
    pub(crate) identity: Option<Identity>,
}

impl Settings {
    /// Whether there are files to read.
    pub(crate) fn names_files(&self) -> bool {
        self.identity.is_some() || matches!(self.root, Some(Root::File(_)))
    }
}

/// The parameters in the URL.
#[derive(Default)]
struct Given {
    mode: Option<String>,
    root: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
}

/// The driver's own parameters with the prefix `ssl`.
const DRIVERS: &str = "sslnegotiation";

/// Splits a URL into one for the driver, and its TLS parameters.
///
/// # Errors
/// Unknown or contradictory parameters, with the correct form. The text contains only names of parameters and values of
/// TLS parameters.
pub(crate) fn separate(url: &str) -> (String, Result<Settings, String>) {
    let (base, query) = halves(url);
    let Some(query) = query else { return (base.to_owned(), Ok(Settings::default())) };
    let mut given = Given::default();
    let mut rest = vec![];
    let mut negotiation = None;
    let mut problem = None;
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = percent_decode_str(name).decode_utf8_lossy();
        let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
        let setting = match &*name {
            "sslmode" => &mut given.mode,
            "sslrootcert" => &mut given.root,
            "sslcert" => &mut given.certificate,
            "sslkey" => &mut given.key,
            DRIVERS => {
                rest.push(pair);
                &mut negotiation
            }
            _ if name.starts_with("ssl") && name.bytes().all(|byte| byte.is_ascii_lowercase()) => {
                problem.get_or_insert(format!(
                    "{name} is not supported; there are sslmode, sslrootcert, sslcert, sslkey and sslnegotiation"
                ));
                continue;
            }
            _ => {
                rest.push(pair);
                continue;
            }
        };
        if value.is_empty() {
            problem.get_or_insert(format!("{name} has no value: give it one, or leave it out"));
        }
        if setting.replace(value).is_some() {
            problem.get_or_insert(format!("{name} is set twice: remove one"));
        }
    }
    let known = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
    let settings = match problem {
        Some(problem) => Err(problem),
        None => given.settings(negotiation.as_deref() == Some("direct")),
    };
    (known, settings)
}

/// A URL before and after its question mark, found as the driver does: a password may contain one.
fn halves(url: &str) -> (&str, Option<&str>) {
    let host = url.find('@').map_or(0, |at| at + 1);
    match url[host..].find('?') {
        Some(mark) => (&url[..host + mark], Some(&url[host + mark + 1..])),
        None => (url, None),
    }
}

impl Given {
    fn settings(self, is_direct: bool) -> Result<Settings, String> {
        let root = self.root.map(|root| if root == "system" { Root::System } else { Root::File(root.into()) });
        let mode = match (&self.mode, &root) {
            (Some(mode), _) => Mode::parse(mode)?,
            (None, Some(Root::System)) => Mode::VerifyFull,
            (None, Some(Root::File(_))) => {
                return Err(
                    "sslrootcert alone does not say that certificates are to be verified: add sslmode=verify-full"
                        .to_owned(),
                );
            }
            (None, None) => Mode::default(),
        };
        let name = mode.name();
        let root = match (root, mode) {
            (Some(Root::File(_)), Mode::Disable | Mode::Allow | Mode::Prefer) => {
                return Err(format!(
                    "sslrootcert has no effect with sslmode={name}, which falls back to no TLS: use sslmode=verify-full, or remove sslrootcert"
                ));
            }
            // Any client can get a certificate from one of them.
            (Some(Root::System), mode) if mode != Mode::VerifyFull => {
                return Err(format!(
                    "sslmode={name} proves nothing with sslrootcert=system, for anybody can have a certificate from there: write sslmode=verify-full"
                ));
            }
            (None, Mode::VerifyCa) => {
                return Err("sslmode=verify-ca needs the authority's certificate: name its file in sslrootcert, or write sslmode=verify-full, which trusts those that the system trusts".to_owned());
            }
            (None, Mode::VerifyFull) => Some(Root::System),
            (root, _) => root,
        };
        let identity = match (self.certificate, self.key) {
            (None, None) => None,
            (Some(_), Some(_)) if mode == Mode::Disable => {
                return Err("a certificate is of no use with sslmode=disable: leave sslcert and sslkey out, or write another sslmode".to_owned());
            }
            (Some(certificate), Some(key)) => Some(Identity { certificate: certificate.into(), key: key.into() }),
            (Some(_), None) => return Err("sslcert needs its key: name the file in sslkey".to_owned()),
            (None, Some(_)) => return Err("sslkey needs its certificate: name the file in sslcert".to_owned()),
        };
        if is_direct && mode < Mode::Require {
            return Err(format!(
                "sslnegotiation=direct begins with TLS, and sslmode={name} can go on without: write sslmode=verify-full, verify-ca or require"
            ));
        }
        Ok(Settings { mode, root, identity })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(query: &str) -> Result<Settings, String> {
        separate(&format!("postgres://me:secret@db/hostler?{query}")).1
    }

    #[test]
    fn driver_gets_url_without_tls_parameters() {
        for (url, expected) in [
            ("postgres://me@db/x", "postgres://me@db/x"),
            ("postgres://me@db/x?sslmode=require", "postgres://me@db/x"),
            (
                "postgres://me@db/x?a=b&sslmode=verify-full&sslrootcert=%2Fca&sslnegotiation=direct&c=d%26",
                "postgres://me@db/x?a=b&sslnegotiation=direct&c=d%26",
            ),
            ("postgres://me:pass?sslmode=x@db/x?a=b", "postgres://me:pass?sslmode=x@db/x?a=b"),
            ("postgres://db?sslmode=disable", "postgres://db"),
            ("secret", "secret"),
        ] {
            let (known, settings) = separate(url);
            assert_eq!(known, expected);
            settings.unwrap();
        }
    }

    #[test]
    fn settings_match_libpq() {
        let file = |name: &str| Some(Root::File(name.into()));
        for (query, mode, root) in [
            ("", Mode::Prefer, None),
            ("sslmode=disable", Mode::Disable, None),
            ("sslmode=allow", Mode::Allow, None),
            ("sslmode=prefer", Mode::Prefer, None),
            ("sslmode=require", Mode::Require, None),
            ("sslmode=require&sslrootcert=ca.pem", Mode::Require, file("ca.pem")),
            ("sslmode=verify-ca&sslrootcert=%2Fetc/ca%20one.pem", Mode::VerifyCa, file("/etc/ca one.pem")),
            ("sslrootcert=/ca.pem&sslmode=verify-full", Mode::VerifyFull, file("/ca.pem")),
            ("sslmode=verify-full", Mode::VerifyFull, Some(Root::System)),
            ("sslmode=verify-full&sslrootcert=system", Mode::VerifyFull, Some(Root::System)),
            ("sslrootcert=system", Mode::VerifyFull, Some(Root::System)),
        ] {
            assert_eq!(of(query), Ok(Settings { mode, root, identity: None }), "{query}");
        }
        let identity = Some(Identity { certificate: "c".into(), key: "k".into() });
        assert_eq!(of("sslcert=c&sslkey=k"), Ok(Settings { mode: Mode::Prefer, root: None, identity }));
    }

    #[test]
    fn invalid_tls_parameters_are_rejected_with_remedy() {
        for (query, says) in [
            ("sslmode=verify_full", "unknown sslmode=verify_full; valid values are disable, allow, prefer"),
            ("sslmode=", "sslmode has no value"),
            ("sslmode", "sslmode has no value"),
            ("sslmode=require&sslmode=disable", "sslmode is set twice"),
            ("sslrootcert=/ca.pem", "add sslmode=verify-full"),
            ("sslmode=prefer&sslrootcert=/ca.pem", "falls back to no TLS"),
            ("sslmode=allow&sslrootcert=/ca.pem", "falls back to no TLS"),
            ("sslmode=disable&sslrootcert=/ca.pem", "falls back to no TLS"),
            ("sslmode=verify-ca&sslrootcert=system", "write sslmode=verify-full"),
            ("sslmode=require&sslrootcert=system", "write sslmode=verify-full"),
            ("sslmode=verify-ca", "name its file in sslrootcert"),
            ("sslmode=require&sslcert=c", "name the file in sslkey"),
            ("sslmode=require&sslkey=k", "name the file in sslcert"),
            ("sslmode=disable&sslcert=c&sslkey=k", "sslmode=disable"),
            ("sslnegotiation=direct", "write sslmode=verify-full"),
            ("sslmode=require&sslcrl=/crl.pem", "sslcrl is not supported"),
            ("sslpassword=secret", "sslpassword is not supported"),
        ] {
            let problem = of(query).unwrap_err();
            assert!(problem.contains(says) && !problem.contains("secret"), "{query}: {problem}");
        }
    }
}
