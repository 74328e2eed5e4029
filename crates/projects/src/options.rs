//! How programs are run for projects.

use std::path::PathBuf;
use std::time::Duration;

/// The settings of an installation that concern projects.
#[derive(Debug, Clone)]
pub struct ProjectOptions {
    /// The program git: a name on the server's PATH, or a path.
    pub git: PathBuf,
    /// The program ssh.
    pub ssh: PathBuf,
    /// Whether repositories in the server's file system are allowed.
    pub allow_file: bool,
    /// Folders whose repositories no project may use, such as the data folder of the server. The folder of the projects
    /// is one of them in any case.
    pub private_folders: Vec<PathBuf>,
    /// Folders within the private ones whose repositories all projects may use.
    pub shared_folders: Vec<PathBuf>,
    /// Which certificates of HTTPS servers are accepted.
    pub tls: Tls,
    /// How the host keys of SSH servers are checked.
    pub host_keys: HostKeys,
    /// Proxies for HTTP and HTTPS.
    pub proxy: Proxy,
    /// The longest time of one program. One that takes longer is killed, with all processes that it started.
    pub timeout: Duration,
    /// Where credentials are stored while a program uses them; the default is a folder in memory, if the machine has one.
    pub secrets_dir: Option<PathBuf>,
}

impl Default for ProjectOptions {
    fn default() -> Self {
        Self {
            git: "git".into(),
            ssh: "ssh".into(),
            allow_file: false,
            private_folders: Vec::new(),
            shared_folders: Vec::new(),
            tls: Tls::System,
            host_keys: HostKeys::AcceptNew,
            proxy: Proxy::default(),
            timeout: Duration::from_secs(600),
            secrets_dir: None,
        }
    }
}

/// Which certificates of HTTPS servers are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// Those that the system trusts.
    System,
    /// Those of the authorities in this PEM file, instead of the system's.
    Authorities(PathBuf),
    /// All, without verification.
    Unverified,
}

/// How the host keys of SSH servers are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostKeys {
    /// The key of a new host is accepted and stored; a changed key is rejected.
    AcceptNew,
    /// Only keys in the system's list of known hosts are accepted.
    Known,
    /// All keys are accepted.
    Unverified,
}

/// Proxies for HTTP and HTTPS.
#[derive(Debug, Clone, Default)]
pub struct Proxy {
    /// The URL of the proxy for `http` URLs.
    pub http: Option<String>,
    /// The URL of the proxy for `https` URLs.
    pub https: Option<String>,
    /// Hosts that are reached without a proxy, separated by commas.
    pub none_for: Option<String>,
}
