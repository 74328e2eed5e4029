//! What a project is fetched from: URL, branch, refspec and credential, each checked before it reaches a program.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::git_url::GitUrl;

/// The longest branch, refspec or URL that is accepted.
const MAX_LENGTH: usize = 2048;

/// A field of a project, or of its credential, that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct InvalidField {
    /// The name of the field in the API, such as `scm_url`.
    pub field: &'static str,
    /// The reason, as a sentence.
    pub message: &'static str,
}

impl InvalidField {
    pub(crate) const fn new(field: &'static str, message: &'static str) -> Self {
        Self { field, message }
    }
}

/// A git repository, and what is used of it.
#[derive(Debug, Clone)]
pub struct GitSource {
    pub(crate) url: GitUrl,
    pub(crate) branch: String,
    pub(crate) refspec: Option<String>,
    pub(crate) track_submodules: bool,
    pub(crate) credential: GitCredential,
    pub(crate) environment: BTreeMap<String, String>,
}

impl GitSource {
    /// A source at this URL (the field `scm_url`): its default branch, without credential. A user name and password in
    /// the URL become the credential; git gets the URL without them. `allow_file` allows repositories in the file system.
    pub fn new(url: &str, allow_file: bool) -> Result<Self, InvalidField> {
        let (url, credential) = GitUrl::parse(url, allow_file)?;
        Ok(Self {
            url,
            branch: String::new(),
            refspec: None,
            track_submodules: false,
            credential,
            environment: BTreeMap::new(),
        })
    }

    /// Uses this branch, tag or commit (the field `scm_branch`); the default branch if it is empty.
    pub fn branch(mut self, branch: &str) -> Result<Self, InvalidField> {
        let invalid = |message| Err(InvalidField::new("scm_branch", message));
        if branch.chars().any(char::is_control) || branch.len() > MAX_LENGTH {
            return invalid("The branch is too long, or contains control characters.");
        }
        if branch.starts_with('-') {
            return invalid("The branch must not start with a dash.");
        }
        self.branch = branch.to_owned();
        Ok(self)
    }

    /// Fetches this refspec too (the field `scm_refspec`), such as `refs/pull/*:refs/remotes/origin/pull/*`.
    pub fn refspec(mut self, refspec: &str) -> Result<Self, InvalidField> {
        self.refspec = if refspec.is_empty() { None } else { Some(check_refspec(refspec)?) };
        Ok(self)
    }

    /// Uses the newest commits of submodules instead of those that the repository names (`scm_track_submodules`).
    #[must_use]
    pub fn track_submodules(mut self, track: bool) -> Self {
        self.track_submodules = track;
        self
    }

    /// Gives these environment variables to programs that connect to the server, such as the address of a proxy.
    #[must_use]
    pub fn environment(mut self, environment: BTreeMap<String, String>) -> Self {
        self.environment = environment;
        self
    }

    /// Authenticates with this credential. What it leaves empty is taken from the URL.
    pub fn credential(mut self, mut credential: GitCredential) -> Result<Self, InvalidField> {
        credential.check()?;
        if credential.username.is_empty() {
            credential.username = self.credential.username;
        }
        if credential.password.is_empty() {
            credential.password = self.credential.password;
        }
        self.credential = credential;
        Ok(self)
    }
}

/// The refspec in the form in which git gets it: with `+`, so that a branch that was rewritten is fetched too.
fn check_refspec(refspec: &str) -> Result<String, InvalidField> {
    let invalid = |message| Err(InvalidField::new("scm_refspec", message));
    let refspec = refspec.strip_prefix('+').unwrap_or(refspec);
    let (from, to) = match refspec.split_once(':') {
        Some((from, to)) => (from, Some(to)),
        None => (refspec, None),
    };
    let forbidden = |c: char| c.is_control() || c.is_whitespace() || "~^?[\\:".contains(c);
    if refspec.len() > MAX_LENGTH || [Some(from), to].into_iter().flatten().any(|part| part.contains(forbidden)) {
        return invalid("The refspec is too long, or contains a character that no reference has.");
    }
    if from.is_empty() || from.starts_with('-') || refspec.contains("..") {
        return invalid("The refspec must have the form source:destination.");
    }
    if to.is_some_and(|to| !to.starts_with("refs/") || to.starts_with("refs/hostler/")) {
        return invalid("The destination of the refspec must start with refs/.");
    }
    let stars = |part: &str| part.matches('*').count();
    if stars(from) > 1 || to.is_some_and(|to| stars(to) != stars(from)) || (to.is_none() && stars(from) > 0) {
        return invalid("The source and the destination of the refspec must have one * each, or none.");
    }
    Ok(format!("+{refspec}"))
}

/// How git authenticates. Secrets are wiped from memory when they are dropped.
#[derive(Clone, Default)]
pub struct GitCredential {
    /// The user name; one in an `ssh` URL takes precedence.
    pub username: String,
    /// The password, or a token.
    pub password: Zeroizing<String>,
    /// An SSH private key in PEM or OpenSSH format.
    pub ssh_key: Zeroizing<String>,
    /// The passphrase of the key.
    pub ssh_key_passphrase: Zeroizing<String>,
}

impl GitCredential {
    fn check(&self) -> Result<(), InvalidField> {
        let one_line = |text: &str| !text.chars().any(char::is_control);
        if !one_line(&self.username) || self.username.starts_with('-') || self.username.contains([' ', '"']) {
            return Err(InvalidField::new("username", "The user name contains characters that git does not accept."));
        }
        if !one_line(&self.password) {
            return Err(InvalidField::new(
                "password",
                "The password must not contain line breaks or control characters.",
            ));
        }
        if !one_line(&self.ssh_key_passphrase) {
            return Err(InvalidField::new("ssh_key_unlock", "The passphrase must not contain control characters."));
        }
        if self.ssh_key.contains('\0') {
            return Err(InvalidField::new("ssh_key_data", "The key must not contain NUL."));
        }
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.username.is_empty() && self.password.is_empty() && self.ssh_key.is_empty()
    }
}

impl std::fmt::Debug for GitCredential {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("GitCredential").field("username", &self.username).finish_non_exhaustive()
    }
}
