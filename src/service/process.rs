//! How a server process starts and stops: logs, hardening, readiness, signals.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

/// Sends logs to standard error: JSON when `DTA_LOG_FORMAT=json`, filtered by `DTA_LOG` (default `info`).
///
/// A second call in one process changes nothing.
pub(crate) fn init_logs() {
    let filter = EnvFilter::try_from_env("DTA_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    // It logs an error for each mechanism of the vendor that it has no name for.
    let quiet = "cryptoki=off".parse().expect("a directive of this form");
    let filter = filter.add_directive(quiet);
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    let json = std::env::var_os("DTA_LOG_FORMAT").is_some_and(|format| format == "json");
    let _ = if json {
        logs.json()
            .flatten_event(true)
            .with_target(false)
            .try_init()
    } else {
        logs.with_target(false).with_ansi(false).try_init()
    };
}

/// Makes sure that no memory of this process ends up in a core file or is read by a debugger of the
/// same user.
pub(crate) fn forbid_core_dumps() -> io::Result<()> {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    )?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// The runtime of a server process: a worker per core.
pub(crate) fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
}

/// Says `READY=1` to the service manager, when there is one (systemd's `Type=notify`).
pub(crate) fn notify_ready() {
    notify("READY=1");
}

/// Says `STOPPING=1` to the service manager.
pub(crate) fn notify_stopping() {
    notify("STOPPING=1");
}

fn notify(state: &str) {
    let Some(address) = std::env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    if let Err(error) = notify_to(&address, state) {
        tracing::warn!(%error, "the service manager could not be told: {state}");
    }
}

fn notify_to(address: &std::ffi::OsStr, state: &str) -> io::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    let target = match address.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        path => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path))?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &target)?;
    Ok(())
}

/// Tells every task that the process is to stop. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Shutdown(watch::Receiver<Phase>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    Stopping,
}

impl Shutdown {
    /// Stops at SIGTERM or SIGINT.
    pub(crate) fn on_signals() -> io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (sender, receiver) = watch::channel(Phase::Running);
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => tracing::info!("SIGTERM received, stopping"),
                _ = interrupt.recv() => tracing::info!("SIGINT received, stopping"),
            }
            let _ = sender.send(Phase::Stopping);
            // Held so that late receivers still see the phase.
            std::future::pending::<()>().await;
        });
        Ok(Self(receiver))
    }

    /// Resolves once the process is to stop.
    pub(crate) async fn requested(&self) {
        // An error means the sender is gone, and with it the runtime that could go on.
        let _ = self
            .0
            .clone()
            .wait_for(|phase| *phase == Phase::Stopping)
            .await;
    }
}

/// An error with everything that caused it, on one line, nothing said twice.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}
