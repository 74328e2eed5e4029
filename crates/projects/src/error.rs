//! Why a project could not be fetched or checked out. The texts are for users: they become the explanation of a job, and
//! contain no secret.

use std::io;
use std::path::{Path, PathBuf};

use crate::source::InvalidField;

/// Why an operation on a project failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field of the source cannot be used.
    #[error(transparent)]
    InvalidField(#[from] InvalidField),
    /// The repository has no such branch, tag or commit.
    #[error("The branch, tag or commit '{0}' does not exist in the repository.")]
    UnknownRevision(String),
    /// No branch is named, and the repository has no default branch.
    #[error("The repository is empty or has no default branch: name a branch.")]
    NoDefaultBranch,
    /// There is no repository at the URL, or the credential may not see it.
    #[error("The repository {0} was not found. Check the URL, and whether the credential may read it.")]
    RepositoryNotFound(String),
    /// The server rejected the credential, or needs one.
    #[error("Authentication at {0} failed. Check the credential of the project.")]
    AuthenticationFailed(String),
    /// The SSH key or its passphrase is wrong.
    #[error("The SSH key of the credential cannot be used: its format or its passphrase is wrong.")]
    InvalidSshKey,
    /// No connection to the server.
    #[error("{0} cannot be reached: {1}")]
    HostUnreachable(String, String),
    /// The TLS certificate of the server is not trusted.
    #[error("The TLS certificate of {0} is not trusted.")]
    TlsNotTrusted(String),
    /// The SSH host key is not the known one.
    #[error("The SSH host key of {0} is unknown or has changed.")]
    HostKeyRejected(String),
    /// The program took too long and was killed.
    #[error("{program} was stopped because it took more than {seconds} seconds.")]
    Timeout {
        /// The name of the program.
        program: String,
        /// The time limit.
        seconds: u64,
    },
    /// No space is left in the projects folder.
    #[error("The disk with the projects folder is full.")]
    DiskFull,
    /// A program is not installed.
    #[error("The program {0} is not installed on the server.")]
    ProgramMissing(String),
    /// The repository stores files with Git LFS, which is not installed.
    #[error("The repository stores files with Git LFS, but the program git-lfs is not installed on the server.")]
    LfsMissing,
    /// A submodule failed.
    #[error("The submodule {path}: {source}")]
    Submodule {
        /// The path of the submodule in the repository.
        path: String,
        /// Its error.
        source: Box<Error>,
    },
    /// The commit is not on this machine: the project must be updated first.
    #[error("The commit {0} is not on this server: update the project.")]
    NotFetched(String),
    /// A requirements file is not valid.
    #[error("{file} is not valid: {reason}")]
    InvalidRequirements {
        /// The path of the file in the project.
        file: String,
        /// The error of the parser.
        reason: String,
    },
    /// A program failed for another reason.
    #[error("{program} failed: {detail}")]
    Failed {
        /// The name of the program.
        program: String,
        /// The last lines of its error output.
        detail: String,
    },
    /// A name cannot be used for a file.
    #[error("The name '{0}' contains characters that are not allowed.")]
    InvalidName(String),
    /// The projects folder, or a file in it, cannot be used.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// The operation, such as "read".
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
}

impl Error {
    /// Converts an error of the file system.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Io { doing, path, source },
        }
    }

    /// Whether a second attempt without the local mirror could succeed: git failed for a reason that is not known.
    pub(crate) fn may_be_damaged_mirror(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }
}

/// The error that git's text means. `url` and `host` are shown in the sentence.
pub(crate) fn from_git(text: &str, url: &str, host: &str) -> Error {
    // Each part contains a space, so it is never found in the URL that git quotes.
    let has = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    if let disk_full @ Error::DiskFull = from_local_git(text) {
        return disk_full;
    }
    let host = if host.is_empty() { url } else { host }.to_owned();
    if has(&["ssh: not found", "cannot run ssh"]) {
        Error::ProgramMissing("ssh".to_owned())
    } else if has(&["Host key verification failed", "REMOTE HOST IDENTIFICATION HAS CHANGED"]) {
        Error::HostKeyRejected(host)
    } else if has(&["error in libcrypto", "invalid format", "incorrect passphrase", "bad permissions"]) {
        Error::InvalidSshKey
    } else if has(&[
        "Authentication failed",
        "could not read Username",
        "could not read Password",
        "Permission denied (",
        "Permission denied, please try again",
        "terminal prompts disabled",
        "returned error: 401",
        "returned error: 403",
        "Access denied",
    ]) {
        Error::AuthenticationFailed(host)
    } else if has(&[" certificate", " SSL_ERROR", " gnutls_handshake", "SSL connect error", "TLS connect error"]) {
        Error::TlsNotTrusted(host)
    } else if let Some(reason) = [
        ("Could not resolve", "its name cannot be resolved"),
        ("Name or service not known", "its name cannot be resolved"),
        ("unable to look up", "its name cannot be resolved"),
        ("Connection refused", "it refused the connection"),
        ("No route to host", "there is no route to it"),
        ("Network is unreachable", "the network is unreachable"),
        ("timed out", "it did not answer in time"),
        ("Operation too slow", "it stopped sending"),
        ("Failed to connect", "it does not answer"),
        ("Couldn't connect", "it does not answer"),
        ("unable to connect", "it does not answer"),
        ("Empty reply from server", "it closed the connection"),
        ("Connection reset", "it closed the connection"),
        ("Connection closed by", "it closed the connection"),
    ]
    .into_iter()
    .find(|(part, _)| text.contains(part))
    {
        Error::HostUnreachable(host, format!("{}.", reason.1))
    } else if has(&[
        "does not appear to be a git repository",
        "Repository not found",
        "repository not found",
        "returned error: 404",
        "' not found",
        "does not exist",
        "No such file or directory",
        "access denied or repository not exported",
        "not valid: is this a git repository",
    ]) {
        Error::RepositoryNotFound(url.to_owned())
    } else {
        from_local_git(text)
    }
}

/// The error of a git that connects to no server.
pub(crate) fn from_local_git(text: &str) -> Error {
    if ["No space left on device", "Disk quota exceeded"].iter().any(|part| text.contains(part)) {
        return Error::DiskFull;
    }
    Error::Failed { program: "git".to_owned(), detail: last_lines(text) }
}

/// The end of a program's error output.
pub(crate) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let end = lines.get(lines.len().saturating_sub(3)..).unwrap_or_default().join(" ");
    if end.is_empty() { "it printed no error.".to_owned() } else { end }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_git_become_sentences() {
        for (text, expected) in [
            (
                "fatal: unable to access 'https://h/x/': SSL certificate problem: self-signed certificate",
                "The TLS certificate of h is not trusted.",
            ),
            (
                "fatal: unable to access 'https://h/x/': server certificate verification failed. CAfile: none CRLfile: none",
                "The TLS certificate of h is not trusted.",
            ),
            (
                "fatal: unable to access 'https://h/x/': Could not resolve host: h",
                "h cannot be reached: its name cannot be resolved.",
            ),
            (
                "fatal: unable to access 'https://h/x/': Operation too slow. Less than 1 bytes/sec transferred",
                "h cannot be reached: it stopped sending.",
            ),
            (
                "fatal: unable to access 'https://h/x/': The requested URL returned error: 403",
                "Authentication at h failed. Check the credential of the project.",
            ),
            (
                "remote: Repository not found.\nfatal: repository 'https://h/x/' not found",
                "The repository https://h/x was not found. Check the URL, and whether the credential may read it.",
            ),
            (
                "fatal: write error: No space left on device\nfatal: fetch-pack: invalid index-pack output",
                "The disk with the projects folder is full.",
            ),
            ("error: a\nfatal: something new", "git failed: error: a fatal: something new"),
            ("", "git failed: it printed no error."),
            (
                "fatal: unable to access 'https://h/certificate/': Could not resolve host: h",
                "h cannot be reached: its name cannot be resolved.",
            ),
        ] {
            assert_eq!(from_git(text, "https://h/x", "h").to_string(), expected);
        }
    }
}
