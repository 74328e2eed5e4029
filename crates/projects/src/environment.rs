//! The environment of git and ansible-galaxy: nothing of the server's, no configuration files, no questions.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::error::Error;
use crate::git_url::{GitUrl, Transport};
use crate::mask::Mask;
use crate::options::{HostKeys, ProjectOptions, Tls};
use crate::secrets_dir::SecretsDir;
use crate::source::{GitCredential, InvalidField};

/// The folders and programs that all commands use.
pub(crate) struct Environment {
    pub options: ProjectOptions,
    /// The folder of all projects, without links in its path.
    pub root: PathBuf,
    /// An empty home folder, so that no file of the server's user is read.
    pub home: PathBuf,
    pub askpass: PathBuf,
    pub known_hosts: PathBuf,
    pub secrets_parent: PathBuf,
}

/// What one operation adds to the environment: its credential. Dropping it removes the secrets.
pub(crate) struct CredentialFiles {
    pub mask: Mask,
    variables: Vec<(&'static str, String)>,
    _secrets: Option<SecretsDir>,
}

impl Environment {
    /// Checks that a repository in the file system is not in a private folder.
    pub fn check_location(&self, url: &GitUrl) -> Result<(), Error> {
        let Some(path) = url.file() else { return Ok(()) };
        // git reports a repository that does not exist.
        let Ok(path) = path.canonicalize() else { return Ok(()) };
        let is_in = |folder: &PathBuf| path.starts_with(folder.canonicalize().as_ref().unwrap_or(folder));
        let is_private = path.starts_with(&self.root) || self.options.private_folders.iter().any(is_in);
        if is_private && !self.options.shared_folders.iter().any(is_in) {
            let message = "Repositories in the data folder of the server are not allowed.";
            return Err(InvalidField::new("scm_url", message).into());
        }
        Ok(())
    }

    /// A command without the server's environment.
    pub fn command(&self, program: &Path, config: &[(&str, &str)]) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", &self.home).env("LC_ALL", "C.UTF-8").env("GIT_TERMINAL_PROMPT", "0");
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        let protocols = if self.options.allow_file { "https:http:ssh:git:file" } else { "https:http:ssh:git" };
        command
            .env("GIT_ALLOW_PROTOCOL", protocols)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_ATTR_NOSYSTEM", "1")
            // A reference below refs/replace would replace commits by others.
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            // Without it git-lfs and ansible-galaxy would use the keys of the server's user. An SSH source replaces it.
            .env("GIT_SSH_COMMAND", self.ssh_command(None, None, false))
            .env("GIT_SSH_VARIANT", "ssh");
        let proxy = &self.options.proxy;
        for (names, value) in [
            (["http_proxy", "HTTP_PROXY"], &proxy.http),
            (["https_proxy", "HTTPS_PROXY"], &proxy.https),
            (["no_proxy", "NO_PROXY"], &proxy.none_for),
        ] {
            if let Some(value) = value {
                command.envs(names.map(|name| (name, value)));
            }
        }
        let authorities;
        let tls = match &self.options.tls {
            Tls::System => None,
            Tls::Authorities(file) => {
                authorities = file.to_string_lossy();
                Some(("http.sslCAInfo", authorities.as_ref()))
            }
            Tls::Unverified => Some(("http.sslVerify", "false")),
        };
        let fixed = [
            ("protocol.ext.allow", "never"),
            ("credential.helper", ""),
            ("core.hooksPath", "/dev/null"),
            ("core.fsmonitor", "false"),
            ("core.autocrlf", "false"),
            ("submodule.recurse", "false"),
            // Maintenance in the background would outlive the lock of the mirror.
            ("gc.autoDetach", "false"),
            ("maintenance.autoDetach", "false"),
            // A stalled server ends git by itself, also when the server of this project was killed.
            ("http.lowSpeedLimit", "1"),
            ("http.lowSpeedTime", "60"),
        ];
        let all = fixed.iter().chain(&tls).chain(config);
        let mut count = 0;
        for (key, value) in all {
            command.env(format!("GIT_CONFIG_KEY_{count}"), key).env(format!("GIT_CONFIG_VALUE_{count}"), value);
            count += 1;
        }
        command.env("GIT_CONFIG_COUNT", count.to_string());
        command
    }

    /// Stores the credential for programs that connect to the server of this URL.
    pub fn credential_files(&self, url: &GitUrl, credential: &GitCredential) -> Result<CredentialFiles, Error> {
        let mut mask = Mask::new(credential);
        for proxy in [&self.options.proxy.http, &self.options.proxy.https].into_iter().flatten() {
            if let Some(password) = url::Url::parse(proxy).ok().as_ref().and_then(url::Url::password) {
                mask.add(password);
            }
        }
        let is_ssh = url.transport() == Transport::Ssh;
        let has_secret = matches!(url.transport(), Transport::Http | Transport::Ssh) && !credential.is_empty();
        let mut variables = Vec::new();
        let mut secrets = None;
        let mut key = None;
        if has_secret {
            let dir = SecretsDir::create(&self.secrets_parent)?;
            // A token needs some user name.
            let username = if credential.username.is_empty() { "git" } else { &credential.username };
            dir.write("server", &url.server())?;
            dir.write("username", username)?;
            dir.write("password", &credential.password)?;
            dir.write("passphrase", &credential.ssh_key_passphrase)?;
            if !credential.ssh_key.is_empty() {
                // ssh rejects a key without a line break at its end.
                let text = zeroize::Zeroizing::new(format!("{}\n", credential.ssh_key.trim_end()));
                key = Some(dir.write("key", &text)?);
            }
            let askpass = self.askpass.to_string_lossy().into_owned();
            variables.push(("HOSTLER_SECRETS", dir.path().to_string_lossy().into_owned()));
            variables.push(("GIT_ASKPASS", askpass.clone()));
            if is_ssh {
                variables.push(("SSH_ASKPASS", askpass));
                variables.push(("SSH_ASKPASS_REQUIRE", "force".to_owned()));
                // Older versions of ssh call askpass only if there is a display.
                variables.push(("DISPLAY", ":0".to_owned()));
            }
            secrets = Some(dir);
        }
        if is_ssh {
            let user = (!url.has_user() && !credential.username.is_empty()).then_some(credential.username.as_str());
            let asks = !credential.password.is_empty() || !credential.ssh_key_passphrase.is_empty();
            variables.push(("GIT_SSH_COMMAND", self.ssh_command(key.as_deref(), user, asks)));
        }
        Ok(CredentialFiles { mask, variables, _secrets: secrets })
    }

    /// The command line of ssh, which git passes to a shell.
    fn ssh_command(&self, key: Option<&Path>, user: Option<&str>, asks: bool) -> String {
        let known_hosts = format!("UserKnownHostsFile=\"{}\"", self.known_hosts.display());
        let checking = match self.options.host_keys {
            HostKeys::AcceptNew => "StrictHostKeyChecking=accept-new",
            HostKeys::Known => "StrictHostKeyChecking=yes",
            HostKeys::Unverified => "StrictHostKeyChecking=no",
        };
        let mut words = vec![quoted(self.options.ssh.as_os_str()), "-F none".to_owned()];
        let mut option = |text: &str| words.push(format!("-o {}", quoted(OsStr::new(text))));
        option(checking);
        option(if self.options.host_keys == HostKeys::Unverified {
            "UserKnownHostsFile=/dev/null"
        } else {
            &known_hosts
        });
        option("ConnectTimeout=30");
        option("ServerAliveInterval=15");
        option("ServerAliveCountMax=4");
        option("NumberOfPasswordPrompts=1");
        option("ForwardAgent=no");
        option("IdentityAgent=none");
        option("IdentitiesOnly=yes");
        option(if asks { "BatchMode=no" } else { "BatchMode=yes" });
        match key {
            Some(key) => option(&format!("IdentityFile=\"{}\"", key.display())),
            None => option("IdentityFile=none"),
        }
        if let Some(user) = user {
            option(&format!("User={user}"));
        }
        words.join(" ")
    }
}

impl CredentialFiles {
    pub fn apply(&self, command: &mut Command) {
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
    }
}

/// A word for a POSIX shell.
fn quoted(word: &OsStr) -> String {
    format!("'{}'", word.to_string_lossy().replace('\'', r"'\''"))
}
