//! URLs of git repositories.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use url::Url;
use zeroize::Zeroizing;

use crate::source::{GitCredential, InvalidField};

/// The schemes that git may use, each with the transport that it means.
const SCHEMES: [(&str, Transport); 7] = [
    ("https", Transport::Http),
    ("http", Transport::Http),
    ("ssh", Transport::Ssh),
    ("git+ssh", Transport::Ssh),
    ("ssh+git", Transport::Ssh),
    ("git", Transport::Git),
    ("file", Transport::File),
];

const MAX_LENGTH: usize = 2048;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Http,
    Ssh,
    Git,
    File,
}

/// The URL of a repository that git may be given: of an allowed transport, no option, no command, no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GitUrl {
    text: String,
    transport: Transport,
    host: String,
    has_user: bool,
}

impl GitUrl {
    /// Reads a URL, or `user@host:path`. The credential contains the user name and password of an HTTP URL, and the
    /// password of an SSH URL.
    pub fn parse(text: &str, allow_file: bool) -> Result<(Self, GitCredential), InvalidField> {
        let text = text.trim();
        if text.is_empty() {
            return invalid("The URL is empty.");
        }
        let lower = text.to_ascii_lowercase();
        let encoded_control = (0..0x20).chain([0x7f]).any(|byte: u8| lower.contains(&format!("%{byte:02x}")));
        if text.len() > MAX_LENGTH || encoded_control || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return invalid("The URL is too long, or contains spaces or control characters.");
        }
        // Programs disagree about where the host ends in such URLs.
        if text.starts_with('-') || text.contains('\\') || text.contains(":///") && !lower.starts_with("file:///") {
            return invalid("The URL must have a host, no backslash, and no dash at its start.");
        }
        if text.starts_with('/') {
            return Self::in_files(text, allow_file);
        }
        match lower.split_once("://") {
            Some((scheme, _)) => match SCHEMES.iter().find(|(name, _)| *name == scheme) {
                Some((_, transport)) => Self::with_scheme(text, *transport, allow_file),
                None => invalid("The scheme of the URL is not supported: use https, http, ssh or git."),
            },
            None => Self::scp_like(text),
        }
    }

    fn in_files(text: &str, allow_file: bool) -> Result<(Self, GitCredential), InvalidField> {
        if !allow_file {
            return invalid("Repositories in the file system of the server are not allowed.");
        }
        let url = Self { text: text.to_owned(), transport: Transport::File, host: String::new(), has_user: false };
        Ok((url, GitCredential::default()))
    }

    fn with_scheme(text: &str, transport: Transport, allow_file: bool) -> Result<(Self, GitCredential), InvalidField> {
        let Ok(mut url) = Url::parse(text) else { return invalid("The URL is not valid.") };
        if transport == Transport::File {
            if url.host().is_some() {
                return invalid("The URL of a file must not have a host.");
            }
            return Self::in_files(text, allow_file);
        }
        let host = url.host_str().unwrap_or_default().to_owned();
        let user = decoded(url.username());
        let password = decoded(url.password().unwrap_or_default());
        if host.is_empty() || host.starts_with('-') {
            return invalid("The URL must have a host.");
        }
        if user.starts_with('-') || user.contains(char::is_control) || password.contains(char::is_control) {
            return invalid("The user name or password in the URL is not valid.");
        }
        let mut credential = GitCredential { password, ..GitCredential::default() };
        let mut text = text.to_owned();
        let is_http = transport == Transport::Http;
        if url.password().is_some() || (is_http && !user.is_empty()) {
            let removed = url.set_password(None).is_ok() && (!is_http || url.set_username("").is_ok());
            if !removed {
                return invalid("The user name or password in the URL is not valid.");
            }
            text = url.to_string();
        }
        let has_user = !is_http && !user.is_empty();
        if is_http {
            credential.username = user.to_string();
        }
        let host = match url.port() {
            Some(port) if is_http => format!("{host}:{port}"),
            _ => host,
        };
        // git shows the server in its prompts as it stands in the URL.
        if is_http && !text.contains(&format!("://{host}/")) {
            text = url.to_string();
        }
        Ok((Self { text, transport, host, has_user }, credential))
    }

    /// `user@host:path`, as git reads it.
    fn scp_like(text: &str) -> Result<(Self, GitCredential), InvalidField> {
        let message = "The URL must start with https://, http://, ssh:// or git://, or have the form user@host:path.";
        let (user, rest) = match text.split_once('@') {
            Some((user, rest)) if !user.contains([':', '/']) => (Some(user), rest),
            _ => (None, text),
        };
        let end = if rest.starts_with('[') { rest.find(']').map(|end| end + 1) } else { rest.find(':') };
        let Some((host, path)) = end.and_then(|end| rest.split_at_checked(end)) else { return invalid(message) };
        let Some(path) = path.strip_prefix(':') else { return invalid(message) };
        let is_name = |name: &str, others: &str| {
            !name.is_empty()
                && !name.starts_with('-')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
        };
        if !is_name(host, "-._[]:") || path.is_empty() || path.starts_with(['-', ':']) {
            return invalid(message);
        }
        if user.is_some_and(|user| !is_name(user, "-._+")) {
            return invalid(message);
        }
        let has_user = user.is_some();
        let url = Self { text: text.to_owned(), transport: Transport::Ssh, host: host.to_owned(), has_user };
        Ok((url, GitCredential::default()))
    }

    /// The URL of a submodule: relative to this repository if it starts with `./` or `../`.
    pub fn submodule(&self, text: &str, allow_file: bool) -> Result<(Self, GitCredential), InvalidField> {
        if !text.starts_with("./") && !text.starts_with("../") {
            return Self::parse(text, allow_file);
        }
        let (mut base, mut rest) = (self.text.trim_end_matches('/').to_owned(), text);
        // The shortest base: scheme and host, which `..` must not remove.
        let shortest = base.find("://").map_or(0, |at| at + 3);
        loop {
            if let Some(after) = rest.strip_prefix("./") {
                rest = after;
            } else if let Some(after) = rest.strip_prefix("../") {
                let end = base.rfind('/').filter(|end| *end >= shortest);
                match end.or_else(|| if shortest == 0 { base.rfind(':').map(|at| at + 1) } else { None }) {
                    Some(end) => base.truncate(end),
                    None => return invalid("The URL of a submodule leads out of its server."),
                }
                rest = after;
            } else {
                break;
            }
        }
        let separator = if base.ends_with(':') { "" } else { "/" };
        Self::parse(&format!("{base}{separator}{rest}"), allow_file)
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// The path of a repository in the file system, as git reads it.
    pub fn file(&self) -> Option<PathBuf> {
        if self.transport != Transport::File {
            return None;
        }
        let Some(encoded) = self.text.get(..7).filter(|start| start.eq_ignore_ascii_case("file://")) else {
            return Some(PathBuf::from(&self.text));
        };
        let path: Vec<u8> = percent_decode_str(&self.text[encoded.len()..]).collect();
        Some(PathBuf::from(OsString::from_vec(path)))
    }

    /// The host, with its port if the URL is of HTTP; empty for a file.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The server as prompts name it: scheme and host for HTTP, the host for SSH.
    pub fn server(&self) -> String {
        match (self.transport, self.text.split_once("://")) {
            (Transport::Http, Some((scheme, _))) => format!("{}://{}", scheme.to_ascii_lowercase(), self.host),
            _ => self.host.clone(),
        }
    }

    /// Whether an SSH URL names its user.
    pub fn has_user(&self) -> bool {
        self.has_user
    }
}

fn decoded(text: &str) -> Zeroizing<String> {
    Zeroizing::new(percent_decode_str(text).decode_utf8_lossy().into_owned())
}

fn invalid<T>(message: &'static str) -> Result<T, InvalidField> {
    Err(InvalidField::new("scm_url", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_git_could_read_as_options_or_commands_are_rejected() {
        for url in [
            "",
            "-uhttps://example.org/x",
            "--upload-pack=touch /tmp/x",
            "ext::sh -c true",
            "ext::sh",
            "fd::17",
            "https::evil",
            "foo://example.org/x",
            "svn://example.org/x",
            "https://",
            "https:///x",
            r"https://evil.org\@example.org/x",
            "https://example.org/a\nb",
            "https://example.org/%0ahost=evil",
            "https://example.org/%0Dx",
            "https://example.org/%00",
            "ssh://-oProxyCommand=touch/x",
            "ssh://-x@host/y",
            "-oProxyCommand=x@host:y",
            "host:-x",
            "git@-host:x",
            "git@ho$(id)st:x",
            "g`id`@host:x",
            "host:",
            "host",
            "file:///srv/repo",
            "/srv/repo",
            "../repo",
            "file://host/x",
            "a b",
        ] {
            assert!(GitUrl::parse(url, false).is_err(), "{url:?}");
        }
        for url in [
            "https://example.org/x.git",
            "HTTPS://example.org/x",
            "http://[::1]:8080/x",
            "ssh://git@example.org:22/x",
            "git+ssh://git@example.org/x",
            "git://example.org/x",
            "git@example.org:team/x.git",
            "host:x",
            "git@[::1]:x",
        ] {
            assert!(GitUrl::parse(url, false).is_ok(), "{url:?}");
        }
        assert!(GitUrl::parse("file:///srv/repo", true).is_ok());
        assert!(GitUrl::parse("/srv/repo", true).is_ok());
    }

    #[test]
    fn secrets_in_a_url_become_the_credential() -> Result<(), InvalidField> {
        let (url, credential) = GitUrl::parse("https://ada:p%40ss@example.org:8443/x", false)?;
        assert_eq!((url.as_str(), url.host()), ("https://example.org:8443/x", "example.org:8443"));
        assert_eq!((credential.username.as_str(), credential.password.as_str()), ("ada", "p@ss"));
        let (url, credential) = GitUrl::parse("ssh://git:secret@example.org/x", false)?;
        assert_eq!((url.as_str(), url.has_user()), ("ssh://git@example.org/x", true));
        assert_eq!(credential.password.as_str(), "secret");
        Ok(())
    }

    #[test]
    fn relative_urls_of_submodules_follow_the_repository() -> Result<(), InvalidField> {
        for (base, relative, expected) in [
            ("https://example.org/team/x.git", "../y.git", "https://example.org/team/y.git"),
            ("https://example.org/team/x.git", "../../z/y.git", "https://example.org/z/y.git"),
            ("https://example.org/x", "./y", "https://example.org/x/y"),
            ("git@example.org:team/x.git", "../y.git", "git@example.org:team/y.git"),
            ("git@example.org:x.git", "../y.git", "git@example.org:y.git"),
            ("https://example.org/x", "https://example.com/y", "https://example.com/y"),
        ] {
            let (base, _) = GitUrl::parse(base, false)?;
            assert_eq!(base.submodule(relative, false)?.0.as_str(), expected);
        }
        let (base, _) = GitUrl::parse("https://example.org/x", false)?;
        assert!(base.submodule("../../../y", false).is_err());
        assert!(base.submodule("ext::x", false).is_err());
        Ok(())
    }
}
