//! The command line. Options have environment variables.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};
use hostler_listener::ListenAddr;
use hostler_queue::DispatcherOptions;
use tracing_subscriber::EnvFilter;

/// A controller for Ansible that speaks AWX's API.
#[derive(Parser)]
#[command(name = "hostler", version, about)]
pub struct Cli {
    /// Configuration file; flags and environment variables override it. By default /etc/hostler/hostler.toml, if it exists
    #[arg(long, global = true, env = "HOSTLER_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Subcommand)]
pub enum Command {
    /// Run the server
    Serve(Box<ServeOptions>),
    /// Manage users directly in the database, with or without a running server: for when nobody can log in
    #[command(subcommand)]
    User(UserCommand),
    /// Read and change settings directly in the database, with or without a running server: for when a setting prevents logging in
    #[command(subcommand)]
    Setting(SettingCommand),
    /// Manage the keys that encrypt the secrets in the database
    #[command(subcommand)]
    Secrets(SecretsCommand),
    /// List what runs, what waits and why, and the nodes; with or without a running server
    Status {
        #[command(flatten)]
        data: DataOptions,
    },
    /// Back up the database and the keys into one file; the server may keep running
    Backup {
        #[command(flatten)]
        data: DataOptions,
        /// The file to write
        file: PathBuf,
        /// Replace the file if it exists
        #[arg(long)]
        force: bool,
    },
    /// Restore a backup, of either database, into an empty data folder or an empty PostgreSQL database
    Restore {
        #[command(flatten)]
        data: DataOptions,
        /// The file that `backup` wrote
        file: PathBuf,
        /// Restore even if there is data already: existing files are moved aside, existing tables in PostgreSQL are deleted
        #[arg(long)]
        force: bool,
    },
    /// Manage the Ansible of this server
    #[command(subcommand)]
    Ansible(AnsibleCommand),
    /// Show the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the completion script of a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write the manual pages of all commands into a folder
    Manual {
        /// The folder; created if it does not exist
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
    },
    /// Check the data and suggest corrections; exits with status 1 if there are problems
    Check {
        #[command(flatten)]
        data: DataOptions,
    },
    /// Check whether the running server is ready, for health checks of containers; exits with status 1 if not
    Probe(ProbeOptions),
    /// Copy the embedded database to PostgreSQL and compare the copy; the server must be stopped
    Migrate {
        /// Folder of the embedded database, which is not changed
        #[arg(long, env = "HOSTLER_DATA", default_value = "./hostler-data", value_name = "DIR")]
        data: PathBuf,
        /// URL of an empty PostgreSQL database, such as postgres://user@host/name?sslmode=verify-full; TLS is configured
        /// with libpq's parameters
        #[arg(long, value_name = "URL")]
        to: String,
    },
}

/// The folder with the folders of manual projects, in the data folder.
pub const MANUAL_PROJECTS: &str = "manual-projects";

/// The location of the data.
#[derive(Args, Clone)]
pub struct DataOptions {
    /// Folder of the embedded database and the keys; `serve` creates it if it does not exist
    #[arg(long, env = "HOSTLER_DATA", default_value = "./hostler-data", value_name = "DIR")]
    pub data: PathBuf,
    /// URL of a PostgreSQL database to use instead of the embedded one, such as
    /// postgres://user@host/name?sslmode=verify-full; TLS is configured with libpq's parameters
    #[arg(long, env = "HOSTLER_DATABASE", value_name = "URL", hide_env_values = true)]
    pub database: Option<String>,
}

/// The options of `hostler probe`.
#[derive(Args)]
pub struct ProbeOptions {
    /// The server's --listen; of several addresses, a Unix socket is preferred
    #[arg(
        long,
        env = "HOSTLER_LISTEN",
        default_value = "127.0.0.1:8052",
        value_name = "ADDRESS",
        value_delimiter = ',',
        num_args = 1
    )]
    pub listen: Vec<ListenAddr>,
    /// Check only whether the server is alive, not whether its database is available
    #[arg(long)]
    pub alive: bool,
}

/// How much this node can run at once, in forks of Ansible.
#[derive(Args)]
pub struct CapacityOptions {
    /// Forks of Ansible for each processor
    #[arg(long, env = "HOSTLER_FORKS_PER_CPU", default_value = "4", value_name = "FORKS", value_parser = value_parser!(u32).range(1..))]
    pub forks_per_cpu: u32,
    /// Memory in MiB that a fork of Ansible takes
    #[arg(long, env = "HOSTLER_FORK_MEMORY", default_value = "100", value_name = "MIB", value_parser = value_parser!(u32).range(1..))]
    pub fork_memory: u32,
    /// Forks that the processors allow, instead of the computed number
    #[arg(long, env = "HOSTLER_CPU_CAPACITY", value_name = "FORKS")]
    pub cpu_capacity: Option<u32>,
    /// Forks that the memory allows, instead of the computed number
    #[arg(long, env = "HOSTLER_MEMORY_CAPACITY", value_name = "FORKS")]
    pub memory_capacity: Option<u32>,
}

impl CapacityOptions {
    /// As the dispatcher of jobs takes them.
    pub fn dispatcher_options(&self) -> DispatcherOptions {
        let CapacityOptions { forks_per_cpu, fork_memory, cpu_capacity, memory_capacity } = *self;
        let capacity = hostler_queue::CapacityOptions { forks_per_cpu, fork_memory, cpu_capacity, memory_capacity };
        DispatcherOptions { capacity, ..DispatcherOptions::default() }
    }
}

/// How jobs run.
#[derive(Args)]
pub struct JobOptions {
    /// Isolation of jobs: bwrap hides the data folder, other jobs and most of the machine from a playbook, with bubblewrap;
    /// auto does so if bubblewrap is installed; none lets a playbook read and change all that the server can
    #[arg(long, env = "HOSTLER_ISOLATION", default_value = "auto", value_name = "MODE")]
    pub isolation: IsolationOption,
    /// The program ansible-playbook that jobs use. By default the one that `hostler ansible install` has installed into the
    /// data folder, or else the one in PATH; if there is none, the first job installs it
    #[arg(long, env = "HOSTLER_ANSIBLE", value_name = "PROGRAM")]
    pub ansible: Option<PathBuf>,
}

/// The options of `hostler serve`.
#[derive(Args)]
pub struct ServeOptions {
    /// Addresses to listen on, separated by commas: an IP address with a port (0 for any free port), or unix:/PATH.
    /// Ignored if systemd passes sockets
    #[arg(
        long,
        env = "HOSTLER_LISTEN",
        default_value = "127.0.0.1:8052",
        value_name = "ADDRESS",
        value_delimiter = ',',
        num_args = 1
    )]
    pub listen: Vec<ListenAddr>,
    /// Permissions of Unix sockets. Their clients are trusted as proxies: X-Forwarded-For and X-Forwarded-Proto are used
    #[arg(long, env = "HOSTLER_LISTEN_MODE", default_value = "660", value_name = "OCTAL", value_parser = mode)]
    pub listen_mode: u32,
    /// TLS certificate chain in PEM, the server's certificate first. All TCP ports then require TLS. The certificate is
    /// reloaded when the files change, and on SIGHUP
    #[arg(long, env = "HOSTLER_TLS_CERTIFICATE", value_name = "FILE")]
    pub tls_certificate: Option<PathBuf>,
    /// Private key of the TLS certificate, in PEM
    #[arg(long, env = "HOSTLER_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// HSTS max-age in seconds, sent on TLS connections to this server; it applies to all ports of the host; 0 disables it
    #[arg(long, env = "HOSTLER_HSTS", default_value = "15768000", value_name = "SECONDS")]
    pub hsts: u32,
    /// Timeout in seconds from the first byte of a request to the end of its headers
    #[arg(long, env = "HOSTLER_HEADER_TIMEOUT", default_value = "10", value_name = "SECONDS", value_parser = value_parser!(u32).range(1..))]
    pub header_timeout: u32,
    /// Timeout in seconds of a connection without a request; longer than that of a reverse proxy
    #[arg(long, env = "HOSTLER_IDLE_TIMEOUT", default_value = "75", value_name = "SECONDS", value_parser = value_parser!(u32).range(1..))]
    pub idle_timeout: u32,
    /// Seconds that running requests may take to finish after SIGTERM; a second SIGTERM closes them at once
    #[arg(long, env = "HOSTLER_STOP_TIMEOUT", default_value = "30", value_name = "SECONDS")]
    pub stop_timeout: u32,
    #[command(flatten)]
    pub data: DataOptions,
    /// Name of the first superuser, created in an empty database
    #[arg(long, env = "HOSTLER_ADMIN_USER", default_value = "admin", value_name = "NAME")]
    pub admin_user: String,
    /// Password of the first superuser. If it is missing or empty, a random password is generated and printed once. Prefer
    /// the environment variable: other users of the machine can read the command line
    #[arg(long, env = "HOSTLER_ADMIN_PASSWORD", value_name = "PASSWORD", hide_env_values = true)]
    pub admin_password: Option<String>,
    /// Folder with the folders of manual projects; by default manual-projects in the data folder
    #[arg(long, env = "HOSTLER_MANUAL_PROJECTS", value_name = "DIR")]
    pub manual_projects: Option<PathBuf>,
    /// Leave out the organization Default and the demo that an empty database gets: an inventory, a credential, a project and
    /// a job template
    #[arg(long, env = "HOSTLER_NO_DEMO", value_parser = clap::builder::BoolishValueParser::new(), default_value = "false", num_args = 0..=1, default_missing_value = "true")]
    pub no_demo: bool,
    /// Name of this node, in responses and in the activity stream; the default is that of a single AWX node
    #[arg(long, env = "HOSTLER_NODE", default_value = "awx-1", value_name = "NAME", value_parser = node)]
    pub node: String,
    #[command(flatten)]
    pub capacity: CapacityOptions,
    #[command(flatten)]
    pub jobs: JobOptions,
    /// Log level: off, error, warn, info, debug or trace; also for a module, as in info,hostler_server=debug
    #[arg(long, env = "HOSTLER_LOG", default_value = "info", value_name = "LEVEL", value_parser = levels)]
    pub log: String,
    /// Log format
    #[arg(long, env = "HOSTLER_LOG_FORMAT", default_value = "human", value_name = "FORMAT")]
    pub log_format: LogFormat,
    /// URL of an OpenTelemetry collector that receives a trace of each request (OTLP over HTTP), such as
    /// http://127.0.0.1:4318. Set headers for it in OTEL_EXPORTER_OTLP_HEADERS
    #[arg(long, env = "HOSTLER_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,
    /// Requests that take at least this many milliseconds are logged as warnings; 0 disables it
    #[arg(long, env = "HOSTLER_SLOW_REQUEST", default_value = "1000", value_name = "MILLISECONDS")]
    pub slow_request: u32,
    /// Send the number of SQL statements of each request in the header X-API-Query-Count
    #[arg(long, env = "HOSTLER_DEBUG_HEADERS", value_parser = clap::builder::BoolishValueParser::new(), default_value = "false", num_args = 0..=1, default_missing_value = "true")]
    pub debug_headers: bool,
}

impl ServeOptions {
    /// The folder with the folders of manual projects.
    pub fn manual_projects(&self) -> PathBuf {
        self.manual_projects.clone().unwrap_or_else(|| self.data.data.join(MANUAL_PROJECTS))
    }
}

/// Validates log levels. `EnvFilter` would take a misspelt level for the name of a module, and log nothing else.
fn levels(text: &str) -> Result<String, String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let mut parts = text.split(',').map(str::trim);
    if let Some(part) = parts.find(|part| !part.contains('=') && !LEVELS.contains(&part.to_lowercase().as_str())) {
        return Err(format!("{part:?} is neither a level ({}) nor MODULE=LEVEL", LEVELS.join(", ")));
    }
    match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("expected levels and MODULE=LEVEL, separated by commas".to_owned()),
    }
}

/// Validates the name of a node, which is sent in a response header.
fn node(text: &str) -> Result<String, &'static str> {
    /// As many bytes as a DNS name has at most (RFC 1035, section 2.3.4).
    const LONGEST: usize = 255;
    if text.is_empty() || text.len() > LONGEST || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("the name of a node has at most 255 bytes and no spaces");
    }
    Ok(text.to_owned())
}

/// Parses permissions in octal.
fn mode(text: &str) -> Result<u32, &'static str> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o777 => Ok(mode),
        _ => Err("permissions must be octal, such as 660"),
    }
}

/// How jobs are isolated.
#[derive(Clone, Copy, ValueEnum)]
pub enum IsolationOption {
    /// With bubblewrap if it is installed.
    Auto,
    /// With bubblewrap; without it no job starts.
    Bwrap,
    /// Not at all.
    None,
}

/// A log format.
#[derive(Clone, Copy, ValueEnum)]
pub enum LogFormat {
    /// Text lines.
    Human,
    /// One JSON object per line.
    Json,
}

/// The subcommands of `hostler user`.
#[derive(Subcommand)]
pub enum UserCommand {
    /// Create a user; the password is read from the terminal, or from standard input if it is not a terminal
    Create {
        #[command(flatten)]
        data: DataOptions,
        /// Username
        username: String,
        /// Make it a superuser
        #[arg(long)]
        superuser: bool,
        /// Email address
        #[arg(long, default_value = "")]
        email: String,
    },
    /// Set a user's password and end all sessions of the user
    Password {
        #[command(flatten)]
        data: DataOptions,
        /// Username
        username: String,
    },
    /// Disable a user and end all sessions of the user
    Disable {
        #[command(flatten)]
        data: DataOptions,
        /// Username
        username: String,
    },
    /// Enable a disabled user
    Enable {
        #[command(flatten)]
        data: DataOptions,
        /// Username
        username: String,
    },
    /// Reset the failed login attempts of a user, and end a lockout
    Unlock {
        #[command(flatten)]
        data: DataOptions,
        /// Username
        username: String,
    },
    /// Remove the second factor of a user, such as a lost device
    ResetSecondFactor {
        #[command(flatten)]
        data: DataOptions,
        /// Username
        username: String,
    },
    /// List all users
    List {
        #[command(flatten)]
        data: DataOptions,
    },
}

/// The subcommands of `hostler setting`.
#[derive(Subcommand)]
pub enum SettingCommand {
    /// List all settings with their values
    List {
        #[command(flatten)]
        data: DataOptions,
    },
    /// Set a setting
    Set {
        #[command(flatten)]
        data: DataOptions,
        /// The setting, such as DISABLE_LOCAL_AUTH
        name: String,
        /// The value as JSON; anything that is not JSON is taken as a string
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Reset a setting to its default
    Reset {
        #[command(flatten)]
        data: DataOptions,
        /// The setting, such as DISABLE_LOCAL_AUTH
        name: String,
    },
}

/// The subcommands of `hostler secrets`.
#[derive(Subcommand)]
pub enum SecretsCommand {
    /// Create a new key, encrypt every secret with it and remove the old key. Servers may keep running. If it is
    /// interrupted, run it again: it continues where it stopped
    Rotate {
        #[command(flatten)]
        data: DataOptions,
    },
    /// Print how many secrets are encrypted with each key
    Status {
        #[command(flatten)]
        data: DataOptions,
    },
}

/// The subcommands of `hostler ansible`.
#[derive(Subcommand)]
pub enum AnsibleCommand {
    /// Install Ansible into a virtual environment in the data folder, for servers without one. It needs Python 3.10 or newer
    /// and a network
    Install {
        /// Folder of the data, as of `serve`
        #[arg(long, env = "HOSTLER_DATA", default_value = "./hostler-data", value_name = "DIR")]
        data: PathBuf,
    },
}

/// The subcommands of `hostler config`.
#[derive(Subcommand)]
pub enum ConfigCommand {
    /// Print the options of `serve` as a configuration file, with the origin of each value; secrets are masked
    Show(Box<ServeOptions>),
}
