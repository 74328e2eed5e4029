//! Certificates for servers, and a client that shows the certificate of a server.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};

/// The name in all certificates.
const NAME: &str = "localhost";

/// A certificate with its key.
pub struct Identity(CertifiedKey<KeyPair>);

impl Default for Identity {
    fn default() -> Self {
        Identity(generate_simple_self_signed([NAME.to_owned()]).expect("a certificate"))
    }
}

impl Identity {
    /// The certificate in PEM.
    pub fn certificate(&self) -> String {
        self.0.cert.pem()
    }

    /// The key in PEM.
    pub fn key(&self) -> String {
        self.0.signing_key.serialize_pem()
    }

    /// Writes both into files, replacing each file atomically.
    pub fn write(&self, files: &Files) {
        replace(&files.certificate, &self.certificate());
        replace(&files.key, &self.key());
    }

    /// Connects to a server with TLS that trusts only this certificate.
    ///
    /// # Errors
    /// If the connection or the certificate fails.
    pub fn connect(
        &self,
        address: &str,
        versions: &[&'static SupportedProtocolVersion],
        protocols: &[&str],
    ) -> std::io::Result<TlsConnection> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.cert.der().clone()).expect("a certificate to trust");
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .expect("versions of TLS")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = ServerName::try_from(NAME).expect("a name");
        let client = ClientConnection::new(Arc::new(config), name).expect("a client");
        let socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(Duration::from_secs(60)))?;
        let mut stream = StreamOwned::new(client, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(TlsConnection(stream))
    }

    /// Whether a server currently presents this certificate.
    pub fn is_presented_at(&self, address: &str) -> bool {
        self.connect(address, rustls::ALL_VERSIONS, &[]).is_ok()
    }
}

/// The certificate files of a server.
pub struct Files {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Files {
    /// In this folder; they do not exist yet.
    pub fn below(folder: &Path) -> Self {
        Files { certificate: folder.join("tls.crt"), key: folder.join("tls.key") }
    }

    /// The environment variables with these files.
    pub fn environment(&self) -> [(&'static str, &str); 2] {
        [
            ("HOSTLER_TLS_CERTIFICATE", self.certificate.to_str().expect("a path in UTF-8")),
            ("HOSTLER_TLS_KEY", self.key.to_str().expect("a path in UTF-8")),
        ]
    }
}

/// Replaces a file atomically; only its owner may read it.
pub fn replace(path: &Path, content: &str) {
    use std::os::unix::fs::OpenOptionsExt as _;
    let fresh = path.with_extension("new");
    let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh);
    file.and_then(|mut file| file.write_all(content.as_bytes())).expect("a new file");
    fs::rename(&fresh, path).expect("a file in the place of another");
}

/// A TLS connection.
pub struct TlsConnection(StreamOwned<ClientConnection, TcpStream>);

impl TlsConnection {
    /// Sends these bytes, and reads until the server closes the connection.
    ///
    /// # Errors
    /// If the connection fails; a missing TLS close message is not an error.
    pub fn send(mut self, request: &str) -> std::io::Result<String> {
        self.0.write_all(request.as_bytes())?;
        let mut answer = String::new();
        match self.0.read_to_string(&mut answer) {
            Err(problem) if problem.kind() != std::io::ErrorKind::UnexpectedEof => Err(problem),
            _ => Ok(answer),
        }
    }

    /// Sends a GET, and leaves the connection open.
    ///
    /// # Errors
    /// If the connection fails.
    pub fn keep_alive(&mut self, path: &str) -> std::io::Result<()> {
        write!(self.0, "GET {path} HTTP/1.1\r\nHost: {NAME}\r\n\r\n")?;
        let mut start = [0; 12];
        self.0.read_exact(&mut start)?;
        assert_eq!(start.as_slice(), b"HTTP/1.1 200");
        Ok(())
    }

    /// The negotiated protocol (ALPN).
    pub fn protocol(&self) -> Option<String> {
        self.0.conn.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned())
    }
}
