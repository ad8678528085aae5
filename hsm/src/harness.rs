//! Private SoftHSM2 tokens with a `dta hsm` process in front of each: for tests, rehearsals and the
//! demo. Cargo feature `harness`.
//!
//! ```ignore
//! hsm::enable_test_server!();          // once per test binary, at its root or in any test module
//!
//! #[test]
//! fn something_is_sealed() {
//!     let hsm = hsm::harness::SoftHsm::start();
//!     let client = hsm.client();
//! }
//! ```
//!
//! SoftHSM2 finds its tokens through `SOFTHSM2_CONF`, one value per process; so each token gets a
//! process of its own, as in production. That process is the test binary itself, started again with
//! only the test that [`crate::enable_test_server!`] declares. Any number run in parallel. A
//! program that has the real executable at hand uses [`SoftHsm::new`] and [`SoftHsm::start_with`].

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use crate::child;
use crate::client::HsmClient;
use crate::config::Config;
use crate::error::HsmError;

/// The test that [`crate::enable_test_server!`] declares.
const SERVER_TEST: &str = "dta_hsm_test_server";
const CONFIG_VARIABLE: &str = "DTA_HSM_TEST_SERVER_CONFIG";
const MODULES: [&str; 4] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
];

/// Lets [`SoftHsm::start`] run the server out of this test binary.
#[macro_export]
macro_rules! enable_test_server {
    () => {
        /// Not a test of its own: what `hsm::harness` starts again as the process `dta hsm`.
        #[test]
        fn dta_hsm_test_server() {
            $crate::harness::serve_if_asked();
        }
    };
}

/// A `dta hsm` process run out of this test binary or by the real executable. Ended on drop.
#[derive(Debug)]
pub struct TestServer {
    process: Child,
    client: HsmClient,
}

impl TestServer {
    /// Serves the token of any `hsm.toml` out of this test binary, with `environment` added.
    ///
    /// # Errors
    /// [`HsmError::Config`], [`HsmError::CannotStart`].
    pub fn start(config: &Path, environment: &[(OsString, OsString)]) -> Result<Self, HsmError> {
        let this =
            std::env::current_exe().map_err(|e| io_error(Path::new("/proc/self/exe"), &e))?;
        let mut command = Command::new(this);
        command
            .arg(SERVER_TEST)
            .arg("--nocapture")
            .arg("--test-threads=1");
        command.env(CONFIG_VARIABLE, config);
        Self::launch(command, config, environment)
    }

    /// Runs `exe hsm --config FILE`: the real binary.
    ///
    /// # Errors
    /// As [`TestServer::start`].
    pub fn start_with(
        exe: &Path,
        config: &Path,
        environment: &[(OsString, OsString)],
    ) -> Result<Self, HsmError> {
        let mut command = Command::new(exe);
        command.arg("hsm").arg("--config").arg(config);
        Self::launch(command, config, environment)
    }

    /// A client of the process.
    pub fn client(&self) -> HsmClient {
        self.client.clone()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Kills it as a crash in the vendor's library would.
    pub fn kill(mut self) {
        self.process.kill().expect("our own child can be killed");
        self.process
            .wait()
            .expect("our own child can be waited for");
    }

    fn launch(
        mut command: Command,
        config: &Path,
        environment: &[(OsString, OsString)],
    ) -> Result<Self, HsmError> {
        let socket = Config::read(config)?.socket;
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        let (process, client) = child::start(command, &socket)?;
        Ok(Self { process, client })
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        child::stop(&mut self.process);
    }
}

/// A token directory of its own, and maybe the process that serves it. Gone on drop.
#[derive(Debug)]
pub struct SoftHsm {
    // Declared before the directory: the process ends before its files go.
    server: Option<TestServer>,
    label: String,
    directory: tempfile::TempDir,
}

impl SoftHsm {
    /// A fresh token with the process running in front of it.
    ///
    /// # Panics
    /// When SoftHSM2 is not installed or the test binary lacks [`crate::enable_test_server!`]; the
    /// message says what to do.
    pub fn start() -> Self {
        let mut hsm = Self::new().unwrap_or_else(|e| panic!("{}", explain(&e)));
        hsm.restart();
        hsm
    }

    /// A fresh token without a process: a directory with `softhsm2.conf`, `tokens/`, `pin`, `so-pin`
    /// and `hsm.toml`.
    ///
    /// # Errors
    /// [`HsmError::CannotStart`] when SoftHSM2 is missing.
    pub fn new() -> Result<Self, HsmError> {
        let directory = tempfile::Builder::new()
            .prefix("dta-softhsm-")
            .tempdir()
            .map_err(|e| io_error(&std::env::temp_dir(), &e))?;
        let label = format!("test-{}", &random_hex()?[..12]);
        make_token(directory.path(), &label)?;
        Ok(Self {
            server: None,
            label,
            directory,
        })
    }

    /// Makes the token and the files of [`SoftHsm::new`] in a directory that the caller keeps.
    ///
    /// # Errors
    /// As [`SoftHsm::new`]; a directory that already holds a token is refused.
    pub fn provision(directory: &Path, label: &str) -> Result<(), HsmError> {
        make_token(directory, label)
    }

    /// A client of the running process.
    ///
    /// # Panics
    /// When none was started.
    pub fn client(&self) -> HsmClient {
        self.server().client()
    }

    /// The running process.
    ///
    /// # Panics
    /// When none was started.
    pub fn server(&self) -> &TestServer {
        self.server
            .as_ref()
            .expect("start(), restart() or start_with() was called")
    }

    /// The directory with everything in it.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Its `hsm.toml`.
    pub fn config_path(&self) -> PathBuf {
        self.directory().join("hsm.toml")
    }

    /// Where the process listens.
    pub fn socket(&self) -> PathBuf {
        self.directory().join("hsm.sock")
    }

    /// The file with the user PIN.
    pub fn pin_file(&self) -> PathBuf {
        self.directory().join("pin")
    }

    /// The directory in which SoftHSM2 keeps the token; move it away to unplug the token.
    pub fn token_directory(&self) -> PathBuf {
        self.directory().join("tokens")
    }

    /// The token's label.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// What a process needs in its environment to see this token: `SOFTHSM2_CONF`.
    pub fn environment(&self) -> (OsString, OsString) {
        (
            "SOFTHSM2_CONF".into(),
            self.directory().join("softhsm2.conf").into(),
        )
    }

    /// Starts `exe hsm --config hsm.toml` in front of the token: the real binary.
    ///
    /// # Errors
    /// [`HsmError::CannotStart`] with what it wrote to standard error.
    pub fn start_with(&mut self, exe: &Path) -> Result<(), HsmError> {
        self.stop();
        let environment = [self.environment()];
        self.server = Some(TestServer::start_with(
            exe,
            &self.config_path(),
            &environment,
        )?);
        Ok(())
    }

    /// Stops the process if it runs and starts it again out of the test binary.
    ///
    /// # Panics
    /// As [`SoftHsm::start`].
    pub fn restart(&mut self) {
        self.stop();
        let server = TestServer::start(&self.config_path(), &[self.environment()]);
        self.server = Some(server.unwrap_or_else(|e| panic!("{}", explain(&e))));
    }

    /// Kills the process as a crash in the vendor's library would; the token stays.
    pub fn kill(&mut self) {
        if let Some(server) = self.server.take() {
            server.kill();
        }
    }

    /// Stops the process in an orderly way; the token stays.
    pub fn stop(&mut self) {
        drop(self.server.take());
    }
}

/// Becomes the process `dta hsm` when this test binary was started as one; else does nothing.
pub fn serve_if_asked() {
    let Some(config) = std::env::var_os(CONFIG_VARIABLE) else {
        return;
    };
    let code = match crate::server::run_process(Path::new(&config)) {
        Ok(()) => 0,
        Err(e) => {
            // This process has no other way to tell the test that started it.
            let _ = writeln!(std::io::stderr(), "{e}");
            1
        }
    };
    std::process::exit(code);
}

/// The SoftHSM2 library of this machine.
///
/// # Errors
/// [`HsmError::CannotStart`] when it is not installed.
pub fn softhsm_module() -> Result<PathBuf, HsmError> {
    MODULES
        .iter()
        .map(PathBuf::from)
        .find(|path| path.exists())
        .ok_or_else(|| HsmError::CannotStart {
            program: "libsofthsm2.so".into(),
            problem: "SoftHSM2 is not installed".to_owned(),
        })
}

fn make_token(directory: &Path, label: &str) -> Result<(), HsmError> {
    let module = softhsm_module()?;
    let path = |name: &str| directory.join(name);
    fs::create_dir(path("tokens")).map_err(|e| io_error(&path("tokens"), &e))?;
    let pin = random_hex()?;
    let so_pin = random_hex()?;
    write_private(&path("pin"), &pin)?;
    write_private(&path("so-pin"), &so_pin)?;
    let tokens = path("tokens");
    let conf = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n",
        tokens.display()
    );
    write_private(&path("softhsm2.conf"), &conf)?;
    let config = format!(
        "module = {module:?}\ntoken_label = {label:?}\npin_file = \"pin\"\nsocket = \"hsm.sock\"\n"
    );
    write_private(&path("hsm.toml"), &config)?;
    initialise(&path("softhsm2.conf"), label, (&pin, &so_pin))
}

/// The PINs go through the command line of softhsm2-util: it knows no other way, and they guard
/// nothing but a throw-away token.
fn initialise(conf: &Path, label: &str, (pin, so_pin): (&str, &str)) -> Result<(), HsmError> {
    let program = PathBuf::from("softhsm2-util");
    let cannot = |problem| HsmError::CannotStart {
        program: program.clone(),
        problem,
    };
    let output = Command::new(&program)
        .args([
            "--init-token",
            "--free",
            "--label",
            label,
            "--pin",
            pin,
            "--so-pin",
            so_pin,
        ])
        .env("SOFTHSM2_CONF", conf)
        .output()
        .map_err(|e| cannot(e.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(cannot(
        String::from_utf8_lossy(&output.stderr)
            .trim_end()
            .to_owned(),
    ))
}

fn write_private(path: &Path, text: &str) -> Result<(), HsmError> {
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|e| io_error(path, &e))
}

/// 32 hex digits of 16 random bytes.
fn random_hex() -> Result<String, HsmError> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| HsmError::Io {
        path: "/dev/urandom".into(),
        problem: "the system has no randomness".to_owned(),
    })?;
    Ok(hex::encode(bytes))
}

fn explain(error: &HsmError) -> String {
    let hint = "does this test binary have `hsm::enable_test_server!();`?";
    match (error, error.remedy()) {
        (HsmError::CannotStart { program, .. }, _) if program.is_absolute() => {
            format!("{error}\n{hint}")
        }
        (_, Some(remedy)) => format!("{error}\ntry: {remedy}"),
        (_, None) => error.to_string(),
    }
}

fn io_error(path: &Path, error: &std::io::Error) -> HsmError {
    HsmError::Io {
        path: path.to_path_buf(),
        problem: error.to_string(),
    }
}
