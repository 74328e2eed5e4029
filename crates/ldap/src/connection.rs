//! A connection to an LDAP server: the operations (RFC 4511) that authentication needs, one at a time. Responses are
//! limited in size, number and time; an invalid response is an error.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use ldap3::asn1::{
    ASNTag as _, Boolean, Enumerated, Integer, OctetString, Sequence, Tag, TagClass, write::encode_into,
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufStream};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::ber::{BerError, Element, Reader, long_length};
use crate::config::{ConnectionOptions, Directory, Search, ServerAddr};
use crate::filter;
use crate::groups::Attributes;
use crate::tls;

/// The largest message that is accepted, in bytes. Requests ask for named attributes of users, and for DNs of groups.
const MAX_MESSAGE: usize = 1 << 20;
/// The largest result of one search that is accepted, in bytes.
const MAX_SEARCH_RESULT: usize = 16 << 20;

/// Result codes (RFC 4511, appendix A).
pub(crate) mod code {
    pub(crate) const SUCCESS: u32 = 0;
    pub(crate) const SIZE_LIMIT_EXCEEDED: u32 = 4;
    pub(crate) const NO_SUCH_OBJECT: u32 = 32;
    pub(crate) const INVALID_DN_SYNTAX: u32 = 34;
    pub(crate) const INVALID_CREDENTIALS: u32 = 49;
}

/// BER tags.
mod tag {
    pub(super) const INTEGER: u8 = 0x02;
    pub(super) const OCTETS: u8 = 0x04;
    pub(super) const ENUMERATED: u8 = 0x0a;
    pub(super) const SEQUENCE: u8 = 0x30;
    pub(super) const SET: u8 = 0x31;
    pub(super) const BIND_RESPONSE: u8 = 0x61;
    pub(super) const SEARCH_ENTRY: u8 = 0x64;
    pub(super) const SEARCH_DONE: u8 = 0x65;
    pub(super) const SEARCH_REFERENCE: u8 = 0x73;
    pub(super) const EXTENDED_RESPONSE: u8 = 0x78;
    pub(super) const INTERMEDIATE_RESPONSE: u8 = 0x79;
}

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LdapError {
    #[error("{0}")]
    Connection(#[from] io::Error),
    #[error("timed out")]
    Timeout,
    #[error("a response is not LDAP, or too large")]
    InvalidResponse,
    #[error("{0}")]
    Tls(String),
    #[error("the filter is invalid with this username")]
    InvalidFilter,
    #[error("{what} failed with result code {code}{}", if .text.is_empty() { String::new() } else { format!(": {}", .text) })]
    Refused { what: &'static str, code: u32, text: String },
}

impl From<BerError> for LdapError {
    fn from(_: BerError) -> Self {
        LdapError::InvalidResponse
    }
}

/// The result of an operation (LDAPResult, RFC 4511, section 4.1.9).
#[derive(Debug)]
pub(crate) struct LdapResult {
    pub(crate) code: u32,
    /// The diagnostic message, shortened.
    pub(crate) text: String,
}

impl LdapResult {
    /// # Errors
    /// Anything but success.
    pub(crate) fn success(self, what: &'static str) -> Result<(), LdapError> {
        match self.code {
            code::SUCCESS => Ok(()),
            code => Err(LdapError::Refused { what, code, text: self.text }),
        }
    }

    fn read(result: Element<'_>) -> Result<Self, BerError> {
        let mut parts = result.parts();
        let code = parts.tagged(tag::ENUMERATED)?.number()?;
        parts.tagged(tag::OCTETS)?;
        let text = parts.tagged(tag::OCTETS)?.text();
        // It is logged: without control characters, and limited in length.
        let text = text.chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect();
        Ok(LdapResult { code, text })
    }
}

/// An entry found by a search.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) dn: String,
    pub(crate) attributes: Attributes,
}

trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for T {}

/// A connection. It closes on drop.
pub(crate) struct Connection {
    stream: BufStream<Box<dyn Stream>>,
    last_id: u32,
    timeout: Duration,
}

impl Connection {
    /// Connects to the first address of a directory that responds, with TLS if configured.
    ///
    /// # Errors
    /// The error of each address.
    pub(crate) async fn open(directory: &Directory) -> Result<Self, String> {
        let mut problems = vec![];
        for address in &directory.addresses {
            let opening = Connection::open_one(address, &directory.options, directory.start_tls);
            match timeout(directory.options.network_timeout, opening).await.unwrap_or(Err(LdapError::Timeout)) {
                Ok(connection) => return Ok(connection),
                Err(problem) => problems.push(format!("{address}: {problem}")),
            }
        }
        Err(problems.join("; "))
    }

    async fn open_one(address: &ServerAddr, options: &ConnectionOptions, start_tls: bool) -> Result<Self, LdapError> {
        let has_tls = address.has_tls || start_tls;
        let configuration = match has_tls {
            true => {
                let options = options.clone();
                let reading = tokio::task::spawn_blocking(move || tls::configuration(&options));
                Some(reading.await.map_err(io::Error::other)?.map_err(LdapError::Tls)?)
            }
            false => None,
        };
        let mut tcp = TcpStream::connect((address.host.as_str(), address.port)).await?;
        tcp.set_nodelay(true)?;
        let stream: Box<dyn Stream> = match configuration {
            None => Box::new(tcp),
            Some(configuration) => {
                if !address.has_tls {
                    start_tls_request(&mut tcp).await?;
                }
                Box::new(encrypt(tcp, &address.host, configuration).await?)
            }
        };
        Ok(Connection { stream: BufStream::new(stream), last_id: 1, timeout: options.timeout })
    }

    /// A simple bind (RFC 4511, section 4.2). Without DN and password it is anonymous. The caller must reject a DN without
    /// password: servers treat it as anonymous, so that it succeeds.
    pub(crate) async fn bind(&mut self, dn: &str, password: &str) -> Result<LdapResult, LdapError> {
        let request = application(
            0,
            vec![
                Tag::Integer(Integer { inner: 3, ..Integer::default() }),
                octets(dn),
                Tag::OctetString(OctetString { class: TagClass::Context, id: 0, inner: password.into() }),
            ],
        );
        let id = self.send(request).await?;
        let message = self.receive().await?;
        let operation = operation(&message, id)?;
        if operation.tag != tag::BIND_RESPONSE {
            return Err(LdapError::InvalidResponse);
        }
        Ok(LdapResult::read(operation)?)
    }

    /// Searches for at most `limit` entries with these attributes (`1.1` for none). Referrals are ignored.
    ///
    /// # Errors
    /// [`code::SIZE_LIMIT_EXCEEDED`] for more entries than `limit`.
    pub(crate) async fn search(
        &mut self,
        search: &Search,
        attributes: &[&str],
        limit: usize,
    ) -> Result<Vec<Entry>, LdapError> {
        let parsed = filter::parse(&search.filter).ok_or(LdapError::InvalidFilter)?;
        let number = |value: i64| Tag::Integer(Integer { inner: value, ..Integer::default() });
        let choice = |value: i64| Tag::Enumerated(Enumerated { inner: value, ..Enumerated::default() });
        let request = application(
            3,
            vec![
                octets(&search.base),
                choice(search.scope as i64),
                // neverDerefAliases: an alias may point to an entry outside the search base.
                choice(0),
                number(i64::try_from(limit).unwrap_or(i64::MAX)),
                number(i64::try_from(self.timeout.as_secs()).unwrap_or(i64::MAX)),
                Tag::Boolean(Boolean { inner: false, ..Boolean::default() }),
                parsed,
                Tag::Sequence(Sequence {
                    inner: attributes.iter().map(|name| octets(name)).collect(),
                    ..Sequence::default()
                }),
            ],
        );
        let id = self.send(request).await?;
        let (mut entries, mut size) = (vec![], 0usize);
        loop {
            let message = self.receive().await?;
            size = size.saturating_add(message.len());
            if size > MAX_SEARCH_RESULT {
                return Err(LdapError::InvalidResponse);
            }
            let operation = operation(&message, id)?;
            match operation.tag {
                tag::SEARCH_ENTRY if entries.len() < limit => entries.push(entry(operation)?),
                tag::SEARCH_ENTRY => {
                    let text = "more entries than the size limit".into();
                    return Err(LdapError::Refused { what: "the search", code: code::SIZE_LIMIT_EXCEEDED, text });
                }
                tag::SEARCH_REFERENCE | tag::INTERMEDIATE_RESPONSE => {}
                tag::SEARCH_DONE => {
                    LdapResult::read(operation)?.success("the search")?;
                    return Ok(entries);
                }
                _ => return Err(LdapError::InvalidResponse),
            }
        }
    }

    async fn send(&mut self, operation: Tag) -> Result<u32, LdapError> {
        self.last_id += 1;
        let bytes = message(self.last_id, operation)?;
        let writing = async {
            self.stream.write_all(&bytes).await?;
            self.stream.flush().await
        };
        timeout(self.timeout, writing).await.map_err(|_| LdapError::Timeout)??;
        Ok(self.last_id)
    }

    async fn receive(&mut self) -> Result<Vec<u8>, LdapError> {
        timeout(self.timeout, receive(&mut self.stream)).await.map_err(|_| LdapError::Timeout)?
    }
}

/// StartTLS (RFC 4511, section 4.14). It reads exactly the response, so that no unencrypted byte that an attacker has
/// injected is treated as part of the TLS connection.
async fn start_tls_request(tcp: &mut TcpStream) -> Result<(), LdapError> {
    const ID: u32 = 1;
    let name = OctetString { class: TagClass::Context, id: 0, inner: b"1.3.6.1.4.1.1466.20037".to_vec() };
    tcp.write_all(&message(ID, application(23, vec![Tag::OctetString(name)]))?).await?;
    let answer = receive(tcp).await?;
    let operation = operation(&answer, ID)?;
    if operation.tag != tag::EXTENDED_RESPONSE {
        return Err(LdapError::InvalidResponse);
    }
    LdapResult::read(operation)?.success("StartTLS")
}

async fn encrypt(
    tcp: TcpStream,
    host: &str,
    configuration: ClientConfig,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, LdapError> {
    let name = ServerName::try_from(host.to_owned()).map_err(|problem| LdapError::Tls(problem.to_string()))?;
    let connecting = TlsConnector::from(Arc::new(configuration)).connect(name, tcp);
    connecting.await.map_err(|problem| LdapError::Tls(problem.to_string()))
}

fn octets(text: &str) -> Tag {
    Tag::OctetString(OctetString { inner: text.into(), ..OctetString::default() })
}

fn application(id: u64, inner: Vec<Tag>) -> Tag {
    Tag::Sequence(Sequence { class: TagClass::Application, id, inner })
}

fn message(id: u32, operation: Tag) -> io::Result<BytesMut> {
    let number = Tag::Integer(Integer { inner: i64::from(id), ..Integer::default() });
    let whole = Tag::Sequence(Sequence { inner: vec![number, operation], ..Sequence::default() });
    let mut bytes = BytesMut::new();
    encode_into(&mut bytes, whole.into_structure())?;
    Ok(bytes)
}

/// The content of the next message.
async fn receive(stream: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>, LdapError> {
    let mut start = [0; 2];
    stream.read_exact(&mut start).await?;
    let [kind, form] = start;
    if kind != tag::SEQUENCE {
        return Err(LdapError::InvalidResponse);
    }
    let length = match form {
        0..0x80 => usize::from(form),
        _ => {
            let mut bytes = [0; 4];
            let count = usize::from(form & 0x7f);
            let bytes = bytes.get_mut(..count).ok_or(LdapError::InvalidResponse)?;
            stream.read_exact(bytes).await?;
            long_length(form, bytes)?
        }
    };
    if length > MAX_MESSAGE {
        return Err(LdapError::InvalidResponse);
    }
    // The buffer grows with the received data, not with the announced length.
    let mut content = vec![];
    let read = stream.take(u64::try_from(length).unwrap_or(u64::MAX)).read_to_end(&mut content).await?;
    if read < length {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Ok(content)
}

/// The operation in a message with this message id.
fn operation(message: &[u8], id: u32) -> Result<Element<'_>, LdapError> {
    let mut parts = Reader(message);
    let number = parts.tagged(tag::INTEGER)?.number()?;
    let operation = parts.next()?;
    match number {
        // Notice of Disconnection (RFC 4511, section 4.4.1).
        0 => {
            let LdapResult { code, text } = LdapResult::read(operation)?;
            Err(LdapError::Refused { what: "the connection", code, text })
        }
        _ if number != id => Err(LdapError::InvalidResponse),
        _ => Ok(operation),
    }
}

fn entry(operation: Element<'_>) -> Result<Entry, BerError> {
    let mut parts = operation.parts();
    let dn = std::str::from_utf8(parts.tagged(tag::OCTETS)?.content).map_err(|_| BerError)?.to_owned();
    let mut attributes = Attributes::default();
    let mut list = parts.tagged(tag::SEQUENCE)?.parts();
    while !list.is_empty() {
        let mut attribute = list.tagged(tag::SEQUENCE)?.parts();
        let name = attribute.tagged(tag::OCTETS)?.text();
        let mut values = attribute.tagged(tag::SET)?.parts();
        let mut texts = vec![];
        while !values.is_empty() {
            // Binary values, such as photos, are ignored.
            texts.extend(std::str::from_utf8(values.tagged(tag::OCTETS)?.content).map(str::to_owned));
        }
        attributes.add(&name, texts);
    }
    Ok(Entry { dn, attributes })
}

/// Parses a message in every way.
#[cfg(feature = "fuzzing")]
pub(crate) fn read(message: &[u8]) {
    if let Ok(operation) = operation(message, 1) {
        let _ = LdapResult::read(operation);
        let _ = entry(operation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// BER of an element shorter than 128 bytes.
    fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let length = u8::try_from(content.len()).unwrap_or(0x7f);
        [&[tag, length][..], &content].concat()
    }

    #[tokio::test]
    async fn receive_reads_exactly_one_message() {
        let mut wire: &[u8] = &[0x30, 0x82, 0, 3, 2, 1, 1, 0x30, 2];
        assert_eq!(receive(&mut wire).await.ok(), Some(vec![2, 1, 1]));
        assert_eq!(wire, [0x30, 2]);
    }

    #[tokio::test]
    async fn invalid_and_oversized_messages_are_errors() {
        for wire in [
            &b"HTTP/1.1 400 Bad Request"[..],
            &[0x30, 0x80],
            &[0x30, 0x85, 0, 0, 0, 0, 1],
            &[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff],
            &[0x30, 5, 1],
            &[0x30],
            &[],
        ] {
            let mut stream = wire;
            assert!(receive(&mut stream).await.is_err(), "{wire:?}");
        }
    }

    #[test]
    fn response_with_other_message_id_is_an_error() {
        let result = element(tag::BIND_RESPONSE, &[&[0x0a, 1, 49, 4, 0, 4, 2, b'n', b'o']]);
        let of = |id: u8| [&[2, 1, id][..], &result].concat();
        let taken = of(7);
        let outcome = operation(&taken, 7).ok().and_then(|operation| LdapResult::read(operation).ok());
        assert!(outcome.is_some_and(|outcome| outcome.code == code::INVALID_CREDENTIALS && outcome.text == "no"));
        assert!(matches!(operation(&of(6), 7), Err(LdapError::InvalidResponse)));
        assert!(matches!(operation(&of(0), 7), Err(LdapError::Refused { code: 49, .. })));
        assert!(operation(&[], 7).is_err());
    }

    #[test]
    fn attribute_names_are_case_insensitive_and_binary_values_ignored() {
        let values = element(tag::SET, &[&element(tag::OCTETS, &[&[0xff]]), &element(tag::OCTETS, &[b"Ann"])]);
        let attribute = element(tag::SEQUENCE, &[&element(tag::OCTETS, &[b"givenName"]), &values]);
        let list = element(tag::SEQUENCE, &[&attribute]);
        let whole = element(tag::SEARCH_ENTRY, &[&element(tag::OCTETS, &[b"uid=ann"]), &list]);
        let read = Reader(&whole).next().and_then(entry);
        assert!(read.is_ok_and(|entry| entry.dn == "uid=ann" && entry.attributes.first("GIVENNAME") == Some("Ann")));
        let cut = element(tag::SEARCH_ENTRY, &[&element(tag::OCTETS, &[b"uid=ann"])]);
        assert!(Reader(&cut).next().and_then(entry).is_err());
    }

    #[test]
    fn diagnostic_messages_have_no_control_characters() {
        let long = vec![b'x'; 100];
        let parts: [&[u8]; 3] = [&[0x0a, 1, 1], &[4, 0], &element(tag::OCTETS, &[b"a\nb", &long])];
        let whole = element(tag::SEARCH_DONE, &parts);
        let outcome = Reader(&whole).next().and_then(LdapResult::read);
        assert!(outcome.is_ok_and(|outcome| outcome.text.starts_with("a bx")));
    }
}
