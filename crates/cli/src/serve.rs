//! `hostler serve`.

use std::io::Write;
use std::time::Duration;

use anyhow::{Context, Result};
use hostler_identity::token::new_token;
use hostler_resources::USERNAME;
use hostler_server::{App, FirstUser, Options, create_first_superuser, name_installation};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::options::{LogFormat, ServeOptions};
use crate::storage;

/// Runs the server until SIGTERM or SIGINT.
pub async fn run(options: ServeOptions) -> Result<()> {
    start_log(&options)?;
    let valid = USERNAME.charset.is_none_or(|charset| options.admin_user.chars().all(charset.allows));
    anyhow::ensure!(
        valid && !options.admin_user.is_empty(),
        "the name of the first superuser may hold only letters, digits and @ . + - _"
    );
    // The port first: whoever starts a second server by mistake must not touch the data.
    let listener =
        TcpListener::bind(options.listen).await.with_context(|| format!("cannot listen on {}", options.listen))?;
    let (database, keys) = storage::open(&options.data).await?;
    let slow_request = (options.slow_request > 0).then(|| Duration::from_millis(options.slow_request.into()));
    let app = App::new(
        database.clone(),
        keys,
        Options { node: options.node, debug_headers: options.debug_headers, slow_request },
    );

    name_installation(&database).await?;
    hostler_resources::begin(&app.engine).await?;
    let (given, mut made_up) = (options.admin_password, None);
    let first = create_first_superuser(&app.engine, &options.admin_user, || {
        given.unwrap_or_else(|| made_up.insert(new_token().plain).clone())
    });
    if first.await? == FirstUser::Created {
        announce_first_user(&options.admin_user, made_up.as_deref());
    }

    // Before the line that tells the port: whoever waits for it may stop us at once.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: running requests are finished first");
    };
    let address = listener.local_addr()?;
    let mut out = std::io::stdout();
    writeln!(out, "Hostler is listening on http://{address}")?;
    out.flush()?;
    hostler_server::serve(listener, app, stop).await?;
    database.close().await;
    Ok(())
}

/// Tells how to log in for the first time. A password that was made up is
/// shown here and nowhere else: it goes to the terminal, not to the log.
#[expect(clippy::print_stderr, reason = "the password must not go through the log")]
fn announce_first_user(name: &str, made_up: Option<&str>) {
    match made_up {
        Some(password) => {
            eprintln!("Created the superuser {name} with the password {password} (shown only this once).")
        }
        None => eprintln!("Created the superuser {name} with the password that was given."),
    }
}

fn start_log(options: &ServeOptions) -> Result<()> {
    let filter =
        EnvFilter::try_new(&options.log).with_context(|| format!("--log does not understand {:?}", options.log))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match options.log_format {
        LogFormat::Human => log.with_ansi(false).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
    started.map_err(|problem| anyhow::anyhow!("the log could not be started: {problem}"))
}
