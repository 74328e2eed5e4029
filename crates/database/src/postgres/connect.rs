//! Connecting to a server with the TLS settings of its URL.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::Connect;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::{AsyncMessage, Client, Config, Error};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::open::{APPLICATION, CONNECT};
use super::tls::{self, Mode, Settings, TlsProblem, is_handshake, tls_problem};
use crate::listener::Shared;
use crate::{OpenError, migrate};

/// The address of a server, and how to connect to it.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) config: Config,
    /// Host, port and database, for messages.
    pub(crate) database: String,
    connector: Connector,
}

/// Connects with the TLS settings of the URL.
#[derive(Clone)]
pub(super) struct Connector {
    settings: Settings,
    tls: MakeRustlsConnect,
    /// Gets the notifications of the server, if the connections listen.
    listener: Option<Arc<Shared>>,
}

impl Server {
    /// Parses a URL, and reads its files.
    ///
    /// # Errors
    /// [`OpenError::Url`], [`OpenError::TlsSettings`].
    pub(crate) fn parse(url: &str) -> Result<Server, OpenError> {
        let (url, settings) = tls::separate(url);
        // The parser's errors may quote the URL, for example a password with a "/".
        let mut config: Config = url.parse().map_err(|_| OpenError::Url)?;
        if config.get_hosts().is_empty() {
            return Err(OpenError::Url);
        }
        let database = without_secrets(&config);
        let unusable = |problem| OpenError::TlsSettings { database: database.clone(), problem };
        let mut settings = settings.map_err(unusable)?;
        // A Unix socket has no TLS, whatever the URL says, as in libpq: a process that can read its traffic can read
        // everything else on the machine too.
        let sockets = config.get_hosts().iter().filter(|host| is_socket(host)).count();
        if sockets == config.get_hosts().len() {
            settings = Settings { mode: Mode::Disable, ..Settings::default() };
        } else if sockets > 0 && settings.mode >= Mode::Require {
            let problem =
                "it has a Unix socket, which does not support TLS, and a host, which requires it: use only one of them";
            return Err(unusable(problem.to_owned()));
        }
        let tls = tls::configuration(&settings).map_err(unusable)?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        if config.get_application_name().is_none() {
            config.application_name(APPLICATION);
        }
        Ok(Server {
            config,
            database,
            connector: Connector { settings, tls: MakeRustlsConnect::new(tls), listener: None },
        })
    }

    pub(super) fn connector(&self) -> Connector {
        self.connector.clone()
    }

    /// Logs warnings about probable mistakes in a URL.
    pub(super) fn warn(&self) {
        tls::warn(&self.connector.settings, &self.database);
    }

    /// Connects; the task ends with the connection.
    pub(super) async fn connect(&self) -> Result<(Client, JoinHandle<()>), OpenError> {
        match timeout(self.connect_timeout(), self.connector.connect(&self.config)).await {
            Ok(connected) => connected.map_err(|error| self.failed(&error)),
            Err(_) => Err(OpenError::Server {
                database: self.database.clone(),
                problem: "it accepts connections but does not answer; it may not be a PostgreSQL server".to_owned(),
            }),
        }
    }

    /// The timeout for all hosts together. The driver's own timeout covers only the TCP handshake, and applies to each
    /// address of a host and to each attempt, with TLS and without.
    fn connect_timeout(&self) -> Duration {
        let hosts = u32::try_from(self.config.get_hosts().len()).unwrap_or(u32::MAX);
        let each = self.config.get_connect_timeout().copied().unwrap_or(CONNECT);
        each.saturating_mul(hosts).saturating_mul(4)
    }

    /// Connects with the blocking driver.
    pub(crate) fn connect_blocking(&self) -> Result<postgres::Client, OpenError> {
        let connect = |mode| {
            let config = postgres::Config::from(with_mode(&self.config, mode));
            config.connect(self.connector.tls.clone())
        };
        let (first, then) = self.connector.settings.mode.attempts();
        let outcome = match (connect(first), then) {
            (Err(refusal), Some(then)) if is_refused(&refusal) => decide(refusal, connect(then)),
            (outcome, _) => outcome,
        };
        outcome.map_err(|error| self.failed(&error))
    }

    /// Maps an error of connecting, or of the first queries, to one for the operator.
    pub(super) fn failed(&self, error: &Error) -> OpenError {
        let database = self.database.clone();
        match tls_problem(error, &self.connector.settings) {
            Some(TlsProblem { problem, remedy }) => OpenError::Tls { database, problem, remedy },
            None => OpenError::Server { database, problem: migrate::problem(error) },
        }
    }
}

impl Connector {
    /// The same, for connections that listen.
    pub(super) fn notifying(self, listener: Arc<Shared>) -> Connector {
        Connector { listener: Some(listener), ..self }
    }

    /// Connects; the task ends with the connection.
    pub(super) async fn connect(&self, config: &Config) -> Result<(Client, JoinHandle<()>), Error> {
        let tls = self.tls().await;
        let connect = |config, mode| connect(config, mode, &tls, self.listener.clone());
        let (first, then) = self.settings.mode.attempts();
        match (connect(config, first).await, then) {
            (Err(refusal), Some(then)) if is_refused(&refusal) => decide(refusal, connect(config, then).await),
            (outcome, _) => outcome,
        }
    }

    /// Certificates may be renewed: each connection uses the current files, as in libpq.
    async fn tls(&self) -> MakeRustlsConnect {
        if !self.settings.names_files() {
            return self.tls.clone();
        }
        let settings = self.settings.clone();
        let problem = match tokio::task::spawn_blocking(move || tls::configuration(&settings)).await {
            Ok(Ok(configuration)) => return MakeRustlsConnect::new(configuration),
            Ok(Err(problem)) => problem,
            Err(_) => "the server ends".to_owned(),
        };
        tracing::error!(%problem, "cannot reload the certificates for PostgreSQL, keeping the old ones");
        self.tls.clone()
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }
}

impl Connect for Connector {
    fn connect(
        &self,
        config: &Config,
    ) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + '_>> {
        let config = config.clone();
        Box::pin(async move { Connector::connect(self, &config).await })
    }
}

async fn connect(
    config: &Config,
    mode: SslMode,
    tls: &MakeRustlsConnect,
    listener: Option<Arc<Shared>>,
) -> Result<(Client, JoinHandle<()>), Error> {
    let (client, mut connection) = with_mode(config, mode).connect(tls.clone()).await?;
    let task = tokio::spawn(async move {
        let ended = match listener {
            None => connection.await,
            Some(listener) => loop {
                match poll_fn(|context| connection.poll_message(context)).await {
                    Some(Ok(AsyncMessage::Notification(_))) => listener.notify.notify_one(),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => break Err(error),
                    None => break Ok(()),
                }
            },
        };
        if let Err(error) = ended {
            tracing::warn!(problem = migrate::problem(&error), "lost a connection to PostgreSQL");
        }
    });
    Ok((client, task))
}

fn with_mode(config: &Config, mode: SslMode) -> Config {
    let mut config = config.clone();
    config.ssl_mode(mode);
    config
}

/// Whether the server may accept a connection with TLS instead of without, or vice versa: no entry of its `pg_hba.conf`
/// matches, or the handshake fails. A wrong password is no reason to try again.
fn is_refused(error: &Error) -> bool {
    error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION) || is_handshake(error)
}

/// The result of two attempts: if both are rejected, the error of the first.
fn decide<T>(first: Error, second: Result<T, Error>) -> Result<T, Error> {
    match second {
        Ok(client) => {
            if is_handshake(&first) {
                tracing::warn!(
                    problem = migrate::problem(&first),
                    "connected to PostgreSQL without TLS because sslmode is prefer"
                );
            }
            Ok(client)
        }
        Err(second) => Err(if is_refused(&second) { first } else { second }),
    }
}

fn is_socket(host: &Host) -> bool {
    match host {
        Host::Tcp(_) => false,
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

pub(crate) fn append_options(config: &mut Config, more: &str) {
    let options = match config.get_options() {
        Some(options) => format!("{options} {more}"),
        None => more.to_owned(),
    };
    config.options(options);
}

/// Host, port and database: all of a URL that is not secret.
fn without_secrets(config: &Config) -> String {
    let ports = config.get_ports();
    let hosts = config.get_hosts().iter().enumerate().map(|(index, host)| {
        let port = ports.get(index).or(ports.first()).unwrap_or(&5432);
        match host {
            Host::Tcp(name) => format!("{name}:{port}"),
            #[cfg(unix)]
            Host::Unix(path) => format!("{}:{port}", path.display()),
        }
    });
    let hosts = hosts.collect::<Vec<_>>().join(",");
    match config.get_dbname().or(config.get_user()) {
        Some(database) => format!("{hosts}/{database}"),
        None => hosts,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn refused(url: &str) -> OpenError {
        Server::parse(url).map(|server| server.database).unwrap_err()
    }

    #[test]
    fn invalid_url_error_hides_password() {
        for url in ["postgres://me:sec/ret@db:x/hostler", "postgres://me:secret@db/x?colour=secret", "secret", ""] {
            assert_eq!(refused(url), OpenError::Url);
        }
        for query in ["sslmode=on", "sslmode=verify-ca", "sslmode=require&sslrootcert=/does/not/exist"] {
            let problem = refused(&format!("postgres://me:secret@db.example:5433/hostler?{query}"));
            assert!(matches!(problem, OpenError::TlsSettings { .. }), "{problem:?}");
            let problem = problem.to_string();
            assert!(problem.contains("db.example:5433/hostler") && !problem.contains("secret"), "{problem}");
        }
    }

    #[test]
    fn unix_socket_has_no_tls() {
        let server = Server::parse("postgres://me@%2Frun%2Fpostgresql/x?sslmode=verify-full&sslrootcert=/not/there");
        assert_eq!(server.unwrap().connector.settings.mode, Mode::Disable);
        let both = "postgres://me@%2Frun%2Fpostgresql,db/x";
        assert!(matches!(refused(&format!("{both}?sslmode=require")), OpenError::TlsSettings { .. }));
        assert_eq!(Server::parse(both).unwrap().connector.settings.mode, Mode::Prefer);
    }
}
