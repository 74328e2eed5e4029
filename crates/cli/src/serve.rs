//! `hostler serve`.

use std::future::Future;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use hostler_identity::token::new_token;
use hostler_listener::{Certificate, Listener, Socket, Timeouts, activated_sockets, raise_open_files_limit};
use hostler_resources::USERNAME;
use hostler_server::{App, FirstPassword, FirstUser, Options, create_first_superuser, ensure_install_uuid};
use hostler_telemetry::TraceExporter;
use listenfd::ListenFd;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::options::ServeOptions;
use crate::output::print_line;
use crate::{log, storage, supervisor};

/// Runs the server until SIGTERM or SIGINT.
pub async fn run(options: ServeOptions, handed: ListenFd) -> Result<()> {
    log::start(&options)?;
    let valid = USERNAME.charset.is_none_or(|charset| options.admin_user.chars().all(charset.allows));
    anyhow::ensure!(
        valid && !options.admin_user.is_empty(),
        "the name of the first superuser may hold only letters, digits and @ . + - _"
    );
    raise_open_files_limit();
    survive_small_files()?;
    let trace_exporter = trace_exporter(&options)?;
    let certificate = certificate(&options)?;
    // The port first: whoever starts a second server by mistake must not touch the data.
    let listeners = listeners(&options, handed, certificate.as_ref()).await?;
    let given = options.admin_password.filter(|password| !password.is_empty());
    let made_up = if given.is_none() { Some(new_token().plain) } else { None };
    // A folder without a key is new, and so most likely is the database.
    let is_new = !options.data.data.join(storage::KEY_FILE).exists();
    let password = FirstPassword::new(given.or_else(|| made_up.clone()).unwrap_or_default(), is_new);
    let (database, keys) = storage::open(&options.data).await?;
    let slow_request = (options.slow_request > 0).then(|| Duration::from_millis(options.slow_request.into()));
    let app = App::new(
        database.clone(),
        keys,
        Options { node: options.node, debug_headers: options.debug_headers, slow_request, hsts: options.hsts },
    )
    .with_trace_exporter(trace_exporter.clone());

    ensure_install_uuid(&database).await?;
    hostler_resources::preload(&app.engine).await?;
    // An empty one is what a variable holds that nobody has set: nobody is to get in with it.
    let first = create_first_superuser(&app.engine, &options.admin_user, password);
    if first.await? == FirstUser::Created {
        announce_first_user(&options.admin_user, made_up.as_deref())?;
    }

    // Before the line that tells the port: whoever waits for it may stop us at once.
    let signals = Signals::new()?;
    tokio::spawn(reload_on(signal(SignalKind::hangup())?, certificate.clone()));
    if let Some(certificate) = certificate {
        tokio::spawn(certificate.follow());
    }
    for listener in &listeners {
        if let Err(problem) = print_line(&format!("Hostler is listening on {}", listener.address()?)) {
            // A server is for its clients, whoever watches it start.
            tracing::warn!("it cannot be told where the server listens: {problem:#}");
        }
    }
    let seconds = |number: u32| Duration::from_secs(number.into());
    let timeouts = Timeouts {
        header: seconds(options.header_timeout),
        idle: seconds(options.idle_timeout),
        shutdown: seconds(options.stop_timeout),
    };
    supervisor::ready();
    tokio::spawn(supervisor::keep_telling());
    let (stop, force) = signals.wait();
    let stop = async move {
        stop.await;
        tracing::info!("stopping: running requests are finished first");
        supervisor::stopping();
    };
    hostler_server::serve(listeners, app, timeouts, stop, force).await;
    database.close().await;
    if let Some(trace_exporter) = trace_exporter {
        tokio::task::block_in_place(|| trace_exporter.shutdown());
    }
    Ok(())
}

/// Lets a write to a file that may not grow any more fail, as on a full disk, instead of ending the process.
fn survive_small_files() -> Result<()> {
    let signal_number = rustix::process::Signal::XFSZ.as_raw();
    // Caught once, it is to the end.
    let _ = signal(SignalKind::from_raw(signal_number)).context("the signal SIGXFSZ could not be caught")?;
    Ok(())
}

fn trace_exporter(options: &ServeOptions) -> Result<Option<Arc<TraceExporter>>> {
    let start = |collector: &String| TraceExporter::start(collector, &options.node, env!("CARGO_PKG_VERSION"));
    Ok(options.otlp_endpoint.as_ref().map(start).transpose()?.map(Arc::new))
}

fn certificate(options: &ServeOptions) -> Result<Option<Arc<Certificate>>> {
    // The parser cannot tell: each may come from another place, such as a flag and the configuration file.
    match (&options.tls_certificate, &options.tls_key) {
        (Some(certificate), Some(key)) => Ok(Some(Certificate::load(certificate.clone(), key.clone())?)),
        (None, None) => Ok(None),
        _ => bail!("TLS takes both a certificate and its key: --tls-certificate and --tls-key"),
    }
}

/// Begins to listen: at the sockets that were handed over, or else where the options say.
async fn listeners(
    options: &ServeOptions,
    handed: ListenFd,
    certificate: Option<&Arc<Certificate>>,
) -> Result<Vec<Listener>> {
    let mut sockets = activated_sockets(handed)?;
    if sockets.is_empty() {
        for place in &options.listen {
            let socket = Socket::bind(place, options.listen_mode).await;
            sockets.push(socket.with_context(|| format!("cannot listen on {place}"))?);
        }
    }
    let listeners: Vec<Listener> =
        sockets.into_iter().map(|socket| Listener::new(socket, certificate)).collect::<Result<_, _>>()?;
    if certificate.is_some() && !listeners.iter().any(Listener::has_tls) {
        tracing::warn!(
            "the TLS certificate is of no use: TLS is for the network, and the server listens at Unix sockets only"
        );
    }
    Ok(listeners)
}

/// Reads again on SIGHUP what can be read again.
async fn reload_on(mut hangup: Signal, certificate: Option<Arc<Certificate>>) {
    while hangup.recv().await.is_some() {
        supervisor::reloading();
        match certificate.clone() {
            Some(certificate) => {
                // It fails only when the server ends.
                let _ = tokio::task::spawn_blocking(move || certificate.reload()).await;
            }
            None => tracing::info!("there is no TLS certificate to be read again"),
        }
        supervisor::ready();
    }
}

/// What asks the server to end.
struct Signals(watch::Receiver<u8>);

impl Signals {
    fn new() -> Result<Signals> {
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let (count, seen) = watch::channel(0);
        tokio::spawn(async move {
            while !count.is_closed() {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                count.send_modify(|count: &mut u8| *count = count.saturating_add(1));
            }
        });
        Ok(Signals(seen))
    }

    /// The first signal, and the second.
    fn wait(self) -> (impl Future<Output = ()>, impl Future<Output = ()>) {
        let after = |mut seen: watch::Receiver<u8>, number: u8| async move {
            // The sender goes only with the process.
            let _ = seen.wait_for(|count| *count >= number).await;
        };
        (after(self.0.clone(), 1), after(self.0, 2))
    }
}

/// Tells how to log in for the first time. A password that was made up is
/// shown here and nowhere else: it goes to the terminal, not to the log.
fn announce_first_user(name: &str, made_up: Option<&str>) -> Result<()> {
    let mut terminal = std::io::stderr();
    let written = match made_up {
        Some(password) => {
            writeln!(terminal, "Created the superuser {name} with the password {password} (shown only this once).")
        }
        None => writeln!(terminal, "Created the superuser {name} with the password that was given."),
    };
    if written.is_err() && made_up.is_some() {
        bail!("the password of the new superuser {name} could not be shown: give another with hostler user password");
    }
    Ok(())
}
