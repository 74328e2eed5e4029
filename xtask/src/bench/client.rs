//! A client with one connection and sequential requests: the response time that a user or a playbook sees, without the
//! queue of a load test.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// A connection to a server.
pub struct Connection {
    stream: BufReader<TcpStream>,
}

/// A response.
pub struct Response {
    pub status: u16,
    pub body: Vec<u8>,
    /// The number of SQL statements, if the server reports it.
    pub statements: Option<u32>,
    /// The time from the first byte of the request to the last byte of the response.
    pub time: Duration,
}

impl Connection {
    /// Connects to an address such as `http://127.0.0.1:8052`.
    pub fn open(base: &str) -> Result<Self> {
        let address = base.strip_prefix("http://").context("the address must begin with http://")?;
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self { stream: BufReader::with_capacity(1 << 16, stream) })
    }

    /// Sends a GET and waits for the whole response.
    pub fn get(&mut self, path: &str, authorization: &str) -> Result<Response> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\n\r\n");
        let start = Instant::now();
        self.stream.get_mut().write_all(request.as_bytes())?;
        let first = self.line()?;
        let status = first.split(' ').nth(1).and_then(|word| word.parse().ok()).context("no HTTP answer")?;
        let (mut length, mut statements) = (0, None);
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(": ") else { break };
            match name {
                "content-length" => length = value.parse()?,
                "x-api-query-count" => statements = value.parse().ok(),
                "transfer-encoding" => bail!("the response to {path} is chunked"),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok(Response { status, body, statements, time: start.elapsed() })
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}
