//! A small HTTP server for repositories, with Basic authentication. It serves the files of a repository, which is all
//! that git needs.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hostler_testkit::CertificateAndKey;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::fixture::Repository;

pub struct HttpServer {
    pub port: u16,
    /// The `Authorization` headers of all requests that had one.
    pub received: Arc<Mutex<Vec<String>>>,
}

enum Answer {
    /// Serves this folder to requests with this header.
    Files { folder: PathBuf, authorization: String },
    /// Redirects to another server.
    Redirect(String),
}

impl HttpServer {
    /// Serves a repository to a user with a password.
    pub fn serve(repository: &Repository, username: &str, password: &str) -> Self {
        Self::start(files(repository, username, password), None)
    }

    /// The same with TLS.
    pub fn serve_tls(repository: &Repository, username: &str, password: &str, identity: &CertificateAndKey) -> Self {
        let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let config = config.with_single_cert(vec![certificate], key).unwrap();
        Self::start(files(repository, username, password), Some(Arc::new(config)))
    }

    /// Redirects each request to this server and port.
    pub fn redirect(port: u16) -> Self {
        Self::start(Answer::Redirect(format!("http://localhost:{port}")), None)
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/repository", self.port)
    }

    fn start(answer: Answer, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let received = Arc::new(Mutex::new(Vec::new()));
        let server = Self { port, received: received.clone() };
        // The thread ends with the process of the tests.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // git may close a connection before it has read the answer.
                let _ = match &tls {
                    None => respond(stream, &answer, &received),
                    Some(config) => {
                        let connection = ServerConnection::new(config.clone()).unwrap();
                        respond(StreamOwned::new(connection, stream), &answer, &received)
                    }
                };
            }
        });
        server
    }
}

fn files(repository: &Repository, username: &str, password: &str) -> Answer {
    repository.git(&["update-server-info"]);
    let authorization = format!("Basic {}", STANDARD.encode(format!("{username}:{password}")));
    Answer::Files { folder: repository.path.join(".git"), authorization }
}

fn respond(mut stream: impl Read + Write, answer: &Answer, received: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut lines = BufReader::new(&mut stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
    let request = lines.next().unwrap_or_default();
    let target = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let header = |line: String| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("authorization").then(|| value.to_owned())
    };
    let sent = lines.filter_map(header).last();
    received.lock().unwrap().extend(sent.clone());
    let (head, body) = match answer {
        Answer::Redirect(base) => (format!("302 Found\r\nLocation: {base}{target}"), Vec::new()),
        Answer::Files { authorization, .. } if sent.as_ref() != Some(authorization) => {
            ("401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"r\"".to_owned(), Vec::new())
        }
        Answer::Files { folder, .. } => {
            // A proxy gets the whole URL.
            let path = target.split_once("/repository/").unwrap_or_default().1;
            let path = path.split('?').next().unwrap_or_default();
            match std::fs::read(folder.join(path)) {
                Ok(body) => ("200 OK".to_owned(), body),
                Err(_) => ("404 Not Found".to_owned(), Vec::new()),
            }
        }
    };
    write!(stream, "HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
    stream.write_all(&body)
}
