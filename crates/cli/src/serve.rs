//! `hostler serve`.

use std::future::Future;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use hostler_auth::{FirstPassword, FirstUser, create_first_superuser};
use hostler_identity::token::new_token;
use hostler_listener::{Certificate, Listener, Socket, Timeouts, activated_sockets, raise_open_files_limit};
use hostler_resources::USERNAME;
use hostler_server::{App, Options};
use hostler_settings::ensure_install_uuid;
use hostler_telemetry::TraceExporter;
use listenfd::ListenFd;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::options::ServeOptions;
use crate::output::print_line;
use crate::{demo, jobs, log, service_manager, storage};

/// Runs the server until SIGTERM or SIGINT.
pub async fn run(options: ServeOptions, activated: ListenFd) -> Result<()> {
    log::start(&options)?;
    let valid = USERNAME.charset.is_none_or(|charset| options.admin_user.chars().all(charset.allows));
    anyhow::ensure!(
        valid && !options.admin_user.is_empty(),
        "the name of the first superuser may contain only letters, digits and @ . + - _"
    );
    raise_open_files_limit();
    ignore_file_size_signal()?;
    let trace_exporter = trace_exporter(&options)?;
    let certificate = certificate(&options)?;
    // Before the data is opened: a second server started by mistake must fail without touching the data.
    let listeners = listeners(&options, activated, certificate.as_ref()).await?;
    let manual_projects = options.manual_projects();
    // An environment variable that is set but empty counts as not set: an empty password must never work.
    let configured = options.admin_password.filter(|password| !password.is_empty());
    let generated = if configured.is_none() { Some(new_token().plain) } else { None };
    // A data folder without a key is new, so most likely the database is new, too.
    let is_new = !options.data.data.join(storage::KEY_FILE).exists();
    let password = FirstPassword::new(configured.or_else(|| generated.clone()).unwrap_or_default(), is_new);
    let (database, keys) = storage::open(&options.data).await?;
    let slow_request = (options.slow_request > 0).then(|| Duration::from_millis(options.slow_request.into()));
    let app = App::new(
        database.clone(),
        keys,
        Options {
            manual_projects,
            node: options.node,
            debug_headers: options.debug_headers,
            slow_request,
            hsts: options.hsts,
        },
    )
    .with_trace_exporter(trace_exporter.clone());

    ensure_install_uuid(&database).await?;
    hostler_resources::preload(app.engine()).await?;
    let projects = jobs::projects(&options.data.data).await?;
    let first = create_first_superuser(app.engine(), &options.admin_user, password);
    if first.await? == FirstUser::Created {
        announce_first_user(&options.admin_user, generated.as_deref())?;
        if !options.no_demo {
            demo::create(&app, &projects, &options.data.data, &options.admin_user).await;
        }
    }

    let executor = jobs::runner(&app, &options.jobs, &options.data.data, projects).await?;
    let app = app.with_executor(executor, options.capacity.dispatcher_options());

    // Before the line with the port: a test that waits for that line may send a signal at once.
    let signals = Signals::new()?;
    tokio::spawn(reload_on(signal(SignalKind::hangup())?, certificate.clone()));
    if let Some(certificate) = certificate {
        tokio::spawn(certificate.reload_on_change());
    }
    for listener in &listeners {
        if let Err(problem) = print_line(&format!("Hostler is listening on {}", listener.address()?)) {
            // The server can still serve.
            tracing::warn!("could not print the listen address: {problem:#}");
        }
    }
    let seconds = |number: u32| Duration::from_secs(number.into());
    let timeouts = Timeouts {
        header: seconds(options.header_timeout),
        idle: seconds(options.idle_timeout),
        shutdown: seconds(options.stop_timeout),
    };
    service_manager::ready();
    tokio::spawn(service_manager::send_watchdog());
    let (stop, force) = signals.wait();
    let stop = async move {
        stop.await;
        tracing::info!("stopping: waiting for running requests");
        service_manager::stopping();
    };
    hostler_server::serve(listeners, app, timeouts, stop, force).await;
    database.close().await;
    if let Some(trace_exporter) = trace_exporter {
        tokio::task::block_in_place(|| trace_exporter.shutdown());
    }
    Ok(())
}

/// Makes a write past the file size limit fail with `EFBIG`, as on a full disk, instead of killing the process.
fn ignore_file_size_signal() -> Result<()> {
    let signal_number = rustix::process::Signal::XFSZ.as_raw();
    // A handler that Tokio has installed stays until the process ends.
    let _ = signal(SignalKind::from_raw(signal_number)).context("the signal SIGXFSZ could not be caught")?;
    Ok(())
}

fn trace_exporter(options: &ServeOptions) -> Result<Option<Arc<TraceExporter>>> {
    let start = |collector: &String| TraceExporter::start(collector, &options.node, env!("CARGO_PKG_VERSION"));
    Ok(options.otlp_endpoint.as_ref().map(start).transpose()?.map(Arc::new))
}

fn certificate(options: &ServeOptions) -> Result<Option<Arc<Certificate>>> {
    // Clap cannot check this: one may be a flag and the other may be in the configuration file.
    match (&options.tls_certificate, &options.tls_key) {
        (Some(certificate), Some(key)) => Ok(Some(Certificate::load(certificate.clone(), key.clone())?)),
        (None, None) => Ok(None),
        _ => bail!("TLS needs both a certificate and its key: --tls-certificate and --tls-key"),
    }
}

/// Listens on the sockets that systemd passed, or else on the addresses of the options.
async fn listeners(
    options: &ServeOptions,
    activated: ListenFd,
    certificate: Option<&Arc<Certificate>>,
) -> Result<Vec<Listener>> {
    let mut sockets = activated_sockets(activated)?;
    if sockets.is_empty() {
        for address in &options.listen {
            let socket = Socket::bind(address, options.listen_mode).await;
            sockets.push(socket.with_context(|| format!("cannot listen on {address}"))?);
        }
    }
    let listeners: Vec<Listener> =
        sockets.into_iter().map(|socket| Listener::new(socket, certificate)).collect::<Result<_, _>>()?;
    if certificate.is_some() && !listeners.iter().any(Listener::has_tls) {
        tracing::warn!("the TLS certificate is not used: the server listens on Unix sockets only");
    }
    Ok(listeners)
}

/// Reloads the TLS certificate on SIGHUP.
async fn reload_on(mut hangup: Signal, certificate: Option<Arc<Certificate>>) {
    while hangup.recv().await.is_some() {
        service_manager::reloading();
        match certificate.clone() {
            Some(certificate) => {
                // It fails only while the runtime shuts down.
                let _ = tokio::task::spawn_blocking(move || certificate.reload()).await;
            }
            None => tracing::info!("SIGHUP: there is no TLS certificate to reload"),
        }
        service_manager::ready();
    }
}

/// The number of SIGTERM and SIGINT signals received.
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

    /// Futures that complete with the first and with the second signal.
    fn wait(self) -> (impl Future<Output = ()>, impl Future<Output = ()>) {
        let after = |mut seen: watch::Receiver<u8>, number: u8| async move {
            // The sender lives as long as the process.
            let _ = seen.wait_for(|count| *count >= number).await;
        };
        (after(self.0.clone(), 1), after(self.0, 2))
    }
}

/// Prints how to log in for the first time. A generated password is printed here only: on standard error, never in the
/// log.
fn announce_first_user(name: &str, generated: Option<&str>) -> Result<()> {
    let mut terminal = std::io::stderr();
    let written = match generated {
        Some(password) => {
            writeln!(terminal, "Created the superuser {name} with the password {password} (shown only this once).")
        }
        None => writeln!(terminal, "Created the superuser {name} with the configured password."),
    };
    if written.is_err() && generated.is_some() {
        bail!(
            "the generated password of the new superuser {name} could not be printed: set one with hostler user password"
        );
    }
    Ok(())
}
