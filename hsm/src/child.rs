//! A private `dta hsm` process for an offline ceremony.
//!
//! It listens on a socket in a directory that only the caller's user can enter and lives exactly as
//! long as its [`HsmChild`]: its standard input is a pipe from the parent, and it ends when that
//! pipe does. So it does not outlive even a parent that was killed.

use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::client::HsmClient;
use crate::config::Config;
use crate::error::HsmError;

/// Set to `stdin` in the environment of a `dta hsm` process that shall end when its standard input
/// is closed.
pub(crate) const LIFETIME_VARIABLE: &str = "DTA_HSM_LIFETIME";

const READY_WITHIN: Duration = Duration::from_secs(15);
const STOPPED_WITHIN: Duration = Duration::from_secs(5);

/// A running private process; stopped on drop.
#[derive(Debug)]
pub struct HsmChild {
    process: Child,
    socket: PathBuf,
    client: HsmClient,
    _directory: tempfile::TempDir,
}

impl HsmChild {
    /// Starts `exe hsm --config FILE` with the module, token and PIN file of `config` on a socket of
    /// its own, and waits until it answers. The environment is inherited (SoftHSM2 needs
    /// `SOFTHSM2_CONF`).
    ///
    /// # Errors
    /// [`HsmError::Config`]; [`HsmError::CannotStart`] with what the process wrote to standard error.
    pub fn spawn(exe: &Path, config: &Path) -> Result<Self, HsmError> {
        Self::spawn_with(exe, config, &[])
    }

    /// As [`HsmChild::spawn`], with variables added to the environment. Never put a secret there.
    ///
    /// # Errors
    /// As [`HsmChild::spawn`].
    pub fn spawn_with(
        exe: &Path,
        config: &Path,
        environment: &[(OsString, OsString)],
    ) -> Result<Self, HsmError> {
        let config = Config::read(config)?;
        let directory = private_directory()?;
        let socket = directory.path().join("hsm.sock");
        let file = directory.path().join("hsm.toml");
        fs::write(&file, config.to_private_toml(&socket)).map_err(|e| io_error(&file, &e))?;
        let mut command = Command::new(exe);
        command.arg("hsm").arg("--config").arg(&file);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        let (process, client) = start(command, &socket)?;
        Ok(Self {
            process,
            socket,
            client,
            _directory: directory,
        })
    }

    /// A client connected to the process.
    pub fn client(&self) -> HsmClient {
        self.client.clone()
    }

    /// Its socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }
}

impl Drop for HsmChild {
    fn drop(&mut self) {
        stop(&mut self.process);
    }
}

/// Starts `command` as a process that ends with its standard input, and waits until it greets on
/// `socket`.
pub(crate) fn start(mut command: Command, socket: &Path) -> Result<(Child, HsmClient), HsmError> {
    let program = PathBuf::from(command.get_program());
    let cannot = |problem: String| HsmError::CannotStart {
        program: program.clone(),
        problem,
    };
    command.env(LIFETIME_VARIABLE, "stdin");
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut process = command.spawn().map_err(|e| cannot(e.to_string()))?;
    let deadline = Instant::now() + READY_WITHIN;
    let problem = loop {
        match HsmClient::connect(socket) {
            Ok(client) => {
                drain_errors(&mut process);
                return Ok((process, client));
            }
            Err(HsmError::NotRunning { .. } | HsmError::ConnectionLost { .. }) => {}
            Err(refused) => break refused.to_string(),
        }
        match process.try_wait() {
            Ok(Some(status)) => break format!("{status}: {}", errors_of(&mut process)),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(10)),
            Ok(None) => break format!("it did not answer within {} s", READY_WITHIN.as_secs()),
            Err(e) => break e.to_string(),
        }
    };
    stop(&mut process);
    Err(cannot(problem))
}

/// Asks the process to end by closing its standard input; kills it when it does not.
pub(crate) fn stop(process: &mut Child) {
    drop(process.stdin.take());
    let deadline = Instant::now() + STOPPED_WITHIN;
    while Instant::now() < deadline {
        match process.try_wait() {
            Ok(None) => std::thread::sleep(Duration::from_millis(5)),
            Ok(Some(_)) | Err(_) => return,
        }
    }
    // Best effort in a destructor: a process that is gone cannot be killed, and that is fine.
    let _ = process.kill();
    let _ = process.wait();
}

/// A running process must never block on a full pipe: passes its log on to our standard error.
fn drain_errors(process: &mut Child) {
    if let Some(mut errors) = process.stderr.take() {
        std::thread::spawn(move || std::io::copy(&mut errors, &mut std::io::stderr()));
    }
}

fn errors_of(process: &mut Child) -> String {
    let mut text = String::new();
    if let Some(errors) = process.stderr.take() {
        // What cannot be read is left out of the message; the exit status is there already.
        let _ = errors.take(4_096).read_to_string(&mut text);
    }
    text.trim_end().to_owned()
}

fn private_directory() -> Result<tempfile::TempDir, HsmError> {
    tempfile::Builder::new()
        .prefix("dta-hsm-")
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir()
        .map_err(|e| io_error(&std::env::temp_dir(), &e))
}

fn io_error(path: &Path, error: &std::io::Error) -> HsmError {
    HsmError::Io {
        path: path.to_path_buf(),
        problem: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_else_enters_the_directory_of_a_private_process() {
        let directory = private_directory().unwrap();
        let mode = fs::metadata(directory.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}
