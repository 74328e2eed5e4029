//! The command line. Each option has an environment variable.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};
use hostler_listener::ListenAddr;
use tracing_subscriber::EnvFilter;

/// A controller for Ansible that speaks AWX's API.
#[derive(Parser)]
#[command(name = "hostler", version, about)]
pub struct Cli {
    /// File that sets options; flags and variables win over it. Without this, /etc/hostler/hostler.toml if it exists
    #[arg(long, global = true, env = "HOSTLER_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Run the server
    Serve(Box<ServeOptions>),
    /// Manage users on the data itself, with or without a running server: the way back in when everybody is locked out
    #[command(subcommand)]
    User(UserCommand),
    /// Read and change settings on the data itself, with or without a running server: the way back when one of them keeps everybody out
    #[command(subcommand)]
    Setting(SettingCommand),
    /// Manage the keys that seal the secrets in the database
    #[command(subcommand)]
    Secrets(SecretsCommand),
    /// Write everything (the database and the keys) into one file, while the server may go on running
    Backup {
        #[command(flatten)]
        data: DataOptions,
        /// The file to write
        file: PathBuf,
        /// Replace the file if it exists
        #[arg(long)]
        force: bool,
    },
    /// Restore what `backup` wrote, of either database, into an empty data folder or an empty PostgreSQL database
    Restore {
        #[command(flatten)]
        data: DataOptions,
        /// The file that `backup` wrote
        file: PathBuf,
        /// Restore though there are data already. Files in their place are set aside; what is in PostgreSQL is deleted
        #[arg(long)]
        force: bool,
    },
    /// Show the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print a script that completes commands and options in a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write those of all commands into a folder
    Manual {
        /// The folder, which is created if it is not there
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
    },
    /// Look for what is wrong with the data, and say what to do; ends with status 1 if anything is
    Check {
        #[command(flatten)]
        data: DataOptions,
    },
    /// Ask the running server whether it can serve, and end with status 1 if not: for health checks of containers
    Probe(ProbeOptions),
    /// Copy the embedded database to PostgreSQL, and compare what has arrived; the server must be stopped
    Migrate {
        /// Folder of the embedded database, which is left as it is
        #[arg(long, env = "HOSTLER_DATA", default_value = "./hostler-data", value_name = "DIR")]
        data: PathBuf,
        /// An empty PostgreSQL database, as postgres://user@host/name; behind it ?sslmode=verify-full and other words of
        /// libpq for TLS
        #[arg(long, value_name = "URL")]
        to: String,
    },
}

/// Where the data is.
#[derive(Args, Clone)]
pub struct DataOptions {
    /// Folder for the embedded database and the keys, which `serve` creates if it is not there
    #[arg(long, env = "HOSTLER_DATA", default_value = "./hostler-data", value_name = "DIR")]
    pub data: PathBuf,
    /// PostgreSQL to use instead of the embedded database, as postgres://user@host/name; behind it ?sslmode=verify-full
    /// and other words of libpq for TLS
    #[arg(long, env = "HOSTLER_DATABASE", value_name = "URL", hide_env_values = true)]
    pub database: Option<String>,
}

/// Which server to ask, and what.
#[derive(Args)]
pub struct ProbeOptions {
    /// Where the server listens, as it was told itself; of several, a Unix socket is asked first
    #[arg(
        long,
        env = "HOSTLER_LISTEN",
        default_value = "127.0.0.1:8052",
        value_name = "PLACE",
        value_delimiter = ',',
        num_args = 1
    )]
    pub listen: Vec<ListenAddr>,
    /// Only whether it is alive, not whether its database is
    #[arg(long)]
    pub alive: bool,
}

/// How to serve.
#[derive(Args)]
pub struct ServeOptions {
    /// Where to listen: an address and a port (0 for any free one), or unix:/PATH; several with commas between them.
    /// Sockets that systemd hands over take their place
    #[arg(
        long,
        env = "HOSTLER_LISTEN",
        default_value = "127.0.0.1:8052",
        value_name = "PLACE",
        value_delimiter = ',',
        num_args = 1
    )]
    pub listen: Vec<ListenAddr>,
    /// Permissions of a Unix socket: whoever may write to it is believed what it says of its clients' addresses
    #[arg(long, env = "HOSTLER_LISTEN_MODE", default_value = "660", value_name = "OCTAL", value_parser = mode)]
    pub listen_mode: u32,
    /// Certificates in PEM, the server's own first: what comes over the network must then come by TLS. They are read
    /// again when the files change, and on SIGHUP
    #[arg(long, env = "HOSTLER_TLS_CERTIFICATE", value_name = "FILE")]
    pub tls_certificate: Option<PathBuf>,
    /// Key of the certificate, in PEM
    #[arg(long, env = "HOSTLER_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Seconds for which browsers that came by TLS are told to come by nothing else, to any port of that host; 0 for
    /// never
    #[arg(long, env = "HOSTLER_HSTS", default_value = "15768000", value_name = "SECONDS")]
    pub hsts: u32,
    /// Seconds that a client may take from the first byte of a request to the end of its headers
    #[arg(long, env = "HOSTLER_HEADER_TIMEOUT", default_value = "10", value_name = "SECONDS", value_parser = value_parser!(u32).range(1..))]
    pub header_timeout: u32,
    /// Seconds that a connection may stay open without a request: more than a proxy in front keeps it
    #[arg(long, env = "HOSTLER_IDLE_TIMEOUT", default_value = "75", value_name = "SECONDS", value_parser = value_parser!(u32).range(1..))]
    pub idle_timeout: u32,
    /// Seconds that running requests may take to finish after SIGTERM; a second one cuts them off at once
    #[arg(long, env = "HOSTLER_STOP_TIMEOUT", default_value = "30", value_name = "SECONDS")]
    pub stop_timeout: u32,
    #[command(flatten)]
    pub data: DataOptions,
    /// Name of the first superuser, who is created in an empty database
    #[arg(long, env = "HOSTLER_ADMIN_USER", default_value = "admin", value_name = "NAME")]
    pub admin_user: String,
    /// Password of the first superuser; without it, or if it is empty, one is made up and shown once. Better given by the environment than
    /// here, where other users of the machine can read it
    #[arg(long, env = "HOSTLER_ADMIN_PASSWORD", value_name = "PASSWORD", hide_env_values = true)]
    pub admin_password: Option<String>,
    /// Name of this node, in answers and in the activity stream; the default is AWX's own for a single node
    #[arg(long, env = "HOSTLER_NODE", default_value = "awx-1", value_name = "NAME", value_parser = node)]
    pub node: String,
    /// What to log: error, warn, info, debug or trace, also by module as in info,hostler_server=debug
    #[arg(long, env = "HOSTLER_LOG", default_value = "info", value_name = "LEVEL", value_parser = levels)]
    pub log: String,
    /// How to log
    #[arg(long, env = "HOSTLER_LOG_FORMAT", default_value = "human", value_name = "FORMAT")]
    pub log_format: LogFormat,
    /// Collector of OpenTelemetry that gets a trace of each request by OTLP over HTTP, as http://127.0.0.1:4318; none
    /// without this. Headers for it stand in OTEL_EXPORTER_OTLP_HEADERS
    #[arg(long, env = "HOSTLER_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,
    /// Milliseconds from which on a request is logged as slow, as a warning; 0 for never
    #[arg(long, env = "HOSTLER_SLOW_REQUEST", default_value = "1000", value_name = "MILLISECONDS")]
    pub slow_request: u32,
    /// Tell in each answer how many statements it took, as X-API-Query-Count
    #[arg(long, env = "HOSTLER_DEBUG_HEADERS", value_parser = clap::builder::BoolishValueParser::new(), default_value = "false", num_args = 0..=1, default_missing_value = "true")]
    pub debug_headers: bool,
}

/// What to log. A word alone would name a module, and for a misspelt level everything else would be silent.
fn levels(text: &str) -> Result<String, String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let mut parts = text.split(',').map(str::trim);
    if let Some(part) = parts.find(|part| !part.contains('=') && !LEVELS.contains(&part.to_lowercase().as_str())) {
        return Err(format!("{part:?} is not a level, which are {}, nor like MODULE=LEVEL", LEVELS.join(", ")));
    }
    match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("it takes levels and parts like MODULE=LEVEL, with commas between them".to_owned()),
    }
}

/// The name of a node, which every answer tells in a header.
fn node(text: &str) -> Result<String, &'static str> {
    /// As many bytes as a DNS name has at most (RFC 1035, section 2.3.4).
    const LONGEST: usize = 255;
    if text.is_empty() || text.len() > LONGEST || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("a node has a name of at most 255 bytes without spaces");
    }
    Ok(text.to_owned())
}

/// Permissions in octal digits.
fn mode(text: &str) -> Result<u32, &'static str> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o777 => Ok(mode),
        _ => Err("permissions are octal digits, such as 660"),
    }
}

/// How to log.
#[derive(Clone, Copy, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Human,
    /// One JSON object a line.
    Json,
}

/// Managing users on the data itself.
#[derive(Subcommand)]
pub enum UserCommand {
    /// Create a user; the password is read from the terminal, or from standard input if that is no terminal
    Create {
        #[command(flatten)]
        data: DataOptions,
        /// The name to log in with
        username: String,
        /// Make it a superuser
        #[arg(long)]
        superuser: bool,
        /// Where mail reaches the user
        #[arg(long, default_value = "")]
        email: String,
    },
    /// Set a user's password and end all sessions of the user
    Password {
        #[command(flatten)]
        data: DataOptions,
        /// The name to log in with
        username: String,
    },
    /// Let nobody sign in as this user, by whatever way, and end all sessions
    Disable {
        #[command(flatten)]
        data: DataOptions,
        /// The name to log in with
        username: String,
    },
    /// Let a disabled user sign in again
    Enable {
        #[command(flatten)]
        data: DataOptions,
        /// The name to log in with
        username: String,
    },
    /// Forgive the failed attempts to sign in as this user, and end a lock
    Unlock {
        #[command(flatten)]
        data: DataOptions,
        /// The name to log in with
        username: String,
    },
    /// Take a user's second factor away, for a device that is lost
    ResetSecondFactor {
        #[command(flatten)]
        data: DataOptions,
        /// The name to log in with
        username: String,
    },
    /// List all users
    List {
        #[command(flatten)]
        data: DataOptions,
    },
}

/// Settings on the data itself.
#[derive(Subcommand)]
pub enum SettingCommand {
    /// List all settings with their values
    List {
        #[command(flatten)]
        data: DataOptions,
    },
    /// Give a setting a value
    Set {
        #[command(flatten)]
        data: DataOptions,
        /// The setting, such as DISABLE_LOCAL_AUTH
        name: String,
        /// The value as JSON; what is none is taken as a text
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Set a setting back to its default
    Reset {
        #[command(flatten)]
        data: DataOptions,
        /// The setting, such as DISABLE_LOCAL_AUTH
        name: String,
    },
}

/// Managing the keys that seal secrets.
#[derive(Subcommand)]
pub enum SecretsCommand {
    /// Make a new key, seal every secret by it and remove the old one. Servers may go on running; stopped half-way, it
    /// goes on where it was when it is run again
    Rotate {
        #[command(flatten)]
        data: DataOptions,
    },
    /// Tell how many secrets each key has sealed
    Status {
        #[command(flatten)]
        data: DataOptions,
    },
}

/// Showing the configuration.
#[derive(Subcommand)]
pub enum ConfigCommand {
    /// Print the value of each option of `serve`, as a configuration file, and where it comes from; secrets are masked
    Show(Box<ServeOptions>),
}
