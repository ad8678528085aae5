//! The process `dta hsm`: the only one that loads the vendor's PKCS#11 library.
//!
//! It listens on a Unix socket, lets in its own user, root and `allow_users` (the kernel tells who
//! calls, `SO_PEERCRED`), and answers one request after another per connection, one thread each.
//! It starts even when the token is away, so that the operator sees the cause through `dta status`,
//! and tries again on each request. SIGTERM and SIGINT end it after the requests in hand: a key
//! that is being made is made or not, never half.
//!
//! It refuses to take over the socket of a live process, to answer anybody else, and to log a PIN,
//! a plaintext or a signature.

mod connection;
mod listener;
mod supervisor;

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};

use crate::child::LIFETIME_VARIABLE;
use crate::config::Config;
use crate::error::HsmError;
use crate::token::Token;

use self::connection::Connections;

/// The most connections at a time; each costs a thread.
pub const MAX_CONNECTIONS: usize = 64;
/// How long the requests in hand may take after the order to stop.
const DRAIN_WITHIN: Duration = Duration::from_secs(10);

/// The body of `dta hsm --config FILE`: runs until SIGTERM or SIGINT. With `DTA_HSM_LIFETIME=stdin`
/// in its environment it also ends when its standard input is closed; [`crate::HsmChild`] uses that.
///
/// # Errors
/// [`HsmError::Config`], [`HsmError::AlreadyRunning`], [`HsmError::Io`]. A token that is away is no
/// reason not to start.
pub fn run_process(config_path: &Path) -> Result<(), HsmError> {
    let config = Config::read(config_path)?;
    forbid_core_dumps()?;
    let mut shutdown = Shutdown::on_signals()?;
    if std::env::var_os(LIFETIME_VARIABLE).is_some_and(|value| value == "stdin") {
        shutdown.also_when_stdin_closes()?;
    }
    run(&config, &shutdown)
}

/// Serves `config.socket` until `shutdown` says so, then removes the socket.
///
/// # Errors
/// [`HsmError::AlreadyRunning`], [`HsmError::Io`].
pub fn run(config: &Config, shutdown: &Shutdown) -> Result<(), HsmError> {
    let listener = listener::bind(config)?;
    let token = Token::new(config.clone());
    match token.ping() {
        Ok(id) => tracing::info!(token = %id, "logged in to the token"),
        Err(e) => tracing::error!(error = %e, "the token is not available; trying on each request"),
    }
    let connections = Arc::new(Connections::new(token, config));
    tracing::info!(socket = %config.socket.display(), "dta hsm is ready");
    supervisor::tell("READY=1");
    while shutdown.wait_for(listener.as_fd()) {
        accept(&listener, &connections);
    }
    supervisor::tell("STOPPING=1");
    tracing::info!("dta hsm is stopping");
    // A socket file that somebody else removed is as good as removed.
    let _ = fs::remove_file(&config.socket);
    drop(listener);
    if !connections.drain(DRAIN_WITHIN) {
        tracing::warn!("requests were still being worked on when dta hsm stopped");
    }
    Ok(())
}

/// PIN and opened keys pass through this process: neither a core file nor a debugger of the same user
/// shall see them.
fn forbid_core_dumps() -> Result<(), HsmError> {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    let nothing = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let forbidden = setrlimit(Resource::Core, nothing)
        .and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable));
    forbidden.map_err(|e| HsmError::Io {
        path: "dta hsm".into(),
        problem: format!("cannot forbid core dumps: {e}"),
    })
}

fn accept(listener: &UnixListener, connections: &Arc<Connections>) {
    match listener.accept() {
        Ok((stream, _)) => Connections::serve(connections, stream),
        Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
        Err(e) => {
            tracing::error!(error = %e, "cannot accept a connection");
            // Out of file descriptors: wait for some to come free instead of spinning.
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// The order to stop: any of some descriptors becoming readable or being closed at its other end.
#[derive(Debug)]
pub struct Shutdown {
    sources: Vec<OwnedFd>,
}

/// Gives the order to stop when it is dropped.
#[derive(Debug)]
pub struct ShutdownHandle {
    _other_end: UnixStream,
}

impl Shutdown {
    /// An order given by dropping the handle.
    ///
    /// # Errors
    /// [`HsmError::Io`] when the process is out of file descriptors.
    pub fn by_handle() -> Result<(Self, ShutdownHandle), HsmError> {
        let (ours, theirs) = pair()?;
        Ok((
            Self {
                sources: vec![ours.into()],
            },
            ShutdownHandle { _other_end: theirs },
        ))
    }

    /// An order given by SIGTERM or SIGINT.
    ///
    /// # Errors
    /// [`HsmError::Io`] when the handlers cannot be installed.
    pub fn on_signals() -> Result<Self, HsmError> {
        let mut sources = Vec::new();
        for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
            let (ours, theirs) = pair()?;
            signal_hook::low_level::pipe::register(signal, theirs).map_err(|e| setup(&e))?;
            sources.push(ours.into());
        }
        Ok(Self { sources })
    }

    fn also_when_stdin_closes(&mut self) -> Result<(), HsmError> {
        self.sources.push(
            std::io::stdin()
                .as_fd()
                .try_clone_to_owned()
                .map_err(|e| setup(&e))?,
        );
        Ok(())
    }

    /// Waits until `listener` has a caller (true) or the order to stop has come (false).
    fn wait_for(&self, listener: BorrowedFd<'_>) -> bool {
        let mut all: Vec<PollFd<'_>> = self
            .sources
            .iter()
            .map(|fd| PollFd::new(fd, PollFlags::IN))
            .collect();
        all.push(PollFd::from_borrowed_fd(listener, PollFlags::IN));
        loop {
            match rustix::event::poll(&mut all, None) {
                Ok(_) => {
                    return all[..self.sources.len()]
                        .iter()
                        .all(|fd| fd.revents().is_empty());
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => {
                    tracing::error!(error = %e, "cannot wait for connections");
                    return false;
                }
            }
        }
    }
}

fn pair() -> Result<(UnixStream, UnixStream), HsmError> {
    UnixStream::pair().map_err(|e| setup(&e))
}

fn setup(error: &std::io::Error) -> HsmError {
    HsmError::Io {
        path: "dta hsm".into(),
        problem: format!("cannot prepare to stop: {error}"),
    }
}
