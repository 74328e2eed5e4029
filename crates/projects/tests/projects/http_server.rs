//! A small HTTP server for repositories, with Basic authentication. It serves the files of a repository, which is all
//! that git needs.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

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
        repository.git(&["update-server-info"]);
        let authorization = format!("Basic {}", STANDARD.encode(format!("{username}:{password}")));
        Self::start(Answer::Files { folder: repository.path.join(".git"), authorization })
    }

    /// Redirects each request to this server and port.
    pub fn redirect(port: u16) -> Self {
        Self::start(Answer::Redirect(format!("http://localhost:{port}")))
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/repository", self.port)
    }

    fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let received = Arc::new(Mutex::new(Vec::new()));
        let server = Self { port, received: received.clone() };
        // The thread ends with the process of the tests.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // git may close a connection before it has read the answer.
                let _ = respond(stream, &answer, &received);
            }
        });
        server
    }
}

fn respond(mut stream: TcpStream, answer: &Answer, received: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut lines =
        BufReader::new(stream.try_clone()?).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
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
