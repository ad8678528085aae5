//! A real D-TA for a test: its own SoftHSM2 token, its own ceremony, its own processes, on free ports.
#![allow(dead_code, reason = "the tests and the benchmarks use different parts")]

pub mod customer;
pub mod http;
pub mod process;

use std::cell::OnceCell;
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use ceremony::holder::{HolderSecrets, key_path};
use ceremony::passphrase::Passphrase;
use hsm::harness::SoftHsm;
use process::{Ran, Server, dta};

/// The passphrase of every test holder.
pub const PASSPHRASE: &str = "a horse that counts to seven";

/// One D-TA and all its parts. Processes end and files vanish on drop.
pub struct Dta {
    pub name: String,
    pub hsm: SoftHsm,
    pub authority: Option<Server>,
    pub proxy: Option<Server>,
    pub port: u16,
    pub ca_pem: String,
    directory: tempfile::TempDir,
    authority_id: OnceCell<String>,
}

impl Dta {
    /// Founds a D-TA with a quorum of `m` of `n` and starts nothing yet.
    #[track_caller]
    pub fn found(name: &str, m: u8, n: u8) -> Self {
        let dta = Self::before_the_ceremony(name, m, n);
        dta.run_ceremony().ok();
        dta
    }

    /// A 2-of-3 D-TA, founded, started and unlocked.
    #[track_caller]
    pub fn unlocked(name: &str) -> Self {
        let mut dta = Self::found(name, 2, 3);
        dta.start();
        dta.unlock(&[1, 2]);
        dta
    }

    /// Holders, token, plan and configuration, but no ceremony yet.
    #[track_caller]
    pub fn before_the_ceremony(name: &str, m: u8, n: u8) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("dta-test-")
            .tempdir()
            .expect("a directory");
        let hsm = SoftHsm::new().expect("SoftHSM2 is installed");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a bound address").port();
        let (ca_pem, cert_pem, key_pem) = certificates();
        let dta = Self {
            name: name.to_owned(),
            hsm,
            authority: None,
            proxy: None,
            port,
            ca_pem,
            directory,
            authority_id: OnceCell::new(),
        };
        for part in ["holders", "anchor"] {
            std::fs::create_dir(dta.path(part)).expect("an empty directory");
        }
        write_private(&dta.path("passphrase"), PASSPHRASE);
        write_private(&dta.path("tls.pem"), &cert_pem);
        write_private(&dta.path("tls.key"), &key_pem);
        write_private(&dta.path("ca.pem"), &dta.ca_pem);
        let passphrase = Passphrase::from_file(&dta.path("passphrase")).expect("a passphrase");
        for number in 1..=n {
            let name = dta.holder(number).parse().expect("a holder's name");
            let secrets = HolderSecrets::generate(&name).expect("a generator");
            write_holder(&secrets, &dta.path("holders"), &passphrase);
        }
        dta.write_configuration();
        dta.write_plan(m, n);
        dta
    }

    /// A path in its directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A path in its directory, as an argument.
    pub fn arg(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// The name of holder `number`, from 1.
    pub fn holder(&self, number: u8) -> String {
        format!("{}-holder-{number}", self.name)
    }

    /// The key file of holder `number`.
    pub fn holder_key(&self, number: u8) -> PathBuf {
        let name = self.holder(number).parse().expect("a holder's name");
        key_path(&self.path("holders"), &name)
    }

    /// The share file of holder `number`.
    pub fn share(&self, number: u8) -> PathBuf {
        let wanted = format!("-{number}-1.share");
        let files = std::fs::read_dir(self.path("out")).expect("the ceremony's output");
        files
            .map(|file| file.expect("a readable directory").path())
            .find(|path| path.to_string_lossy().ends_with(&wanted))
            .unwrap_or_else(|| panic!("no share file ...{wanted}"))
    }

    /// How many holders the plan names.
    pub fn holders(&self) -> u8 {
        let files = std::fs::read_dir(self.path("holders")).expect("the holders' directory");
        let keys = files.filter(|file| {
            let path = file.as_ref().expect("a readable directory").path();
            path.extension()
                .is_some_and(|extension| extension == "holder")
        });
        u8::try_from(keys.count()).expect("at most 16 holders")
    }

    /// The authority id, 64 hex digits.
    pub fn authority_id(&self) -> &str {
        self.authority_id.get_or_init(|| {
            let manifest = std::fs::read(self.path("out/manifest.json")).expect("a manifest");
            let signed = serde_json::from_slice(&manifest).expect("a manifest is JSON");
            let chain = quorum::ManifestChain::verify(vec![signed]).expect("a signed genesis");
            chain.authority_id().to_string()
        })
    }

    /// Runs `dta` with this token in the environment.
    pub fn dta<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> Ran {
        let (name, value) = self.hsm.environment();
        let pair = (name.to_string_lossy(), value.to_string_lossy());
        process::run(arguments, &[(&pair.0, &pair.1)])
    }

    /// Runs an operator's command: `--socket` is added.
    pub fn operator(&self, arguments: &[&str]) -> Ran {
        let socket = self.arg("operator.sock");
        let all = [arguments, &["--socket", &socket]].concat();
        self.dta(&all)
    }

    /// `dta status --json`, whatever its exit code.
    pub fn status(&self) -> serde_json::Value {
        let ran = self.operator(&["status", "--json"]);
        serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {ran:?}"))
    }

    /// `dta ceremony run` with all holders present.
    pub fn run_ceremony(&self) -> Ran {
        self.dta(&self.ceremony_arguments())
    }

    /// The arguments of [`Dta::run_ceremony`].
    pub fn ceremony_arguments(&self) -> Vec<String> {
        let mut arguments: Vec<String> = ["ceremony", "run"].map(String::from).into();
        arguments.push(self.arg("plan.toml"));
        for (flag, value) in [
            ("--state-dir", self.arg("state")),
            ("--hsm-config", self.hsm.config_path().display().to_string()),
            ("--out", self.arg("out")),
        ] {
            arguments.extend([flag.to_owned(), value]);
        }
        for number in 1..=self.holders() {
            arguments.extend([
                "--holder-key".to_owned(),
                self.holder_key(number).display().to_string(),
                "--passphrase-file".to_owned(),
                self.arg("passphrase"),
            ]);
        }
        arguments
    }

    /// Starts the HSM process, the authority and the proxy, and waits until they answer.
    #[track_caller]
    pub fn start(&mut self) {
        self.hsm.start_with(dta()).expect("the HSM process starts");
        self.start_authority();
        self.start_proxy();
    }

    /// Starts the authority and waits for its operator socket.
    #[track_caller]
    pub fn start_authority(&mut self) {
        let mut authority = self.spawn_authority(&[]);
        let socket = self.path("operator.sock");
        authority.wait_until("listening", || UnixStream::connect(&socket).is_ok());
        self.authority = Some(authority);
    }

    /// Starts the authority under further environment variables and waits for nothing.
    pub fn spawn_authority(&self, environment: &[(&str, &str)]) -> Server {
        let mut command = Command::new(dta());
        command.args(["authority", "--config", &self.arg("authority.toml")]);
        command
            .env("DTA_LOG", "debug")
            .envs(environment.iter().copied());
        Server::start(command, &self.path("authority.log"))
    }

    /// Starts the proxy and waits for its port.
    #[track_caller]
    pub fn start_proxy(&mut self) {
        let mut command = Command::new(dta());
        command
            .args(["proxy", "--config", &self.arg("proxy.toml")])
            .env("DTA_LOG", "debug");
        let mut proxy = Server::start(command, &self.path("proxy.log"));
        let port = self.port;
        proxy.wait_until("listening", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        self.proxy = Some(proxy);
    }

    /// `dta unlock` for one holder with a given share file.
    pub fn enter_share(&self, number: u8, share: &Path) -> Ran {
        self.operator(&[
            "unlock",
            "--share",
            &share.display().to_string(),
            "--holder-key",
            &self.holder_key(number).display().to_string(),
            "--passphrase-file",
            &self.arg("passphrase"),
        ])
    }

    /// Unlocks with the shares of these holders.
    #[track_caller]
    pub fn unlock(&self, numbers: &[u8]) {
        for number in numbers {
            self.enter_share(*number, &self.share(*number)).ok();
        }
        assert_eq!(
            self.status()["state"],
            "unlocked",
            "{}",
            self.authority_log()
        );
    }

    /// The authority's log so far.
    pub fn authority_log(&self) -> String {
        std::fs::read_to_string(self.path("authority.log")).unwrap_or_default()
    }

    /// All audit entries, oldest first.
    pub fn audit_entries(&self) -> Vec<serde_json::Value> {
        let shown = self
            .dta(&["audit", "show", "--log", &self.arg("state/audit"), "--json"])
            .ok();
        let parse = |line| serde_json::from_str(line).expect("an entry is JSON");
        shown.lines().map(parse).collect()
    }

    /// `dta audit verify`.
    pub fn audit_verify(&self) -> Ran {
        let (log, key) = (self.arg("state/audit"), self.arg("out/authority.vkey"));
        self.dta(&["audit", "verify", "--log", &log, "--vkey", &key])
    }

    /// `host:port` as clients write it.
    pub fn public_authority(&self) -> String {
        format!("localhost:{}", self.port)
    }

    fn write_configuration(&self) {
        let authority = format!(
            "state_dir = {:?}\nhsm_socket = {:?}\noperator_socket = {:?}\nproxy_socket = {:?}\n\
             anchor_dir = {:?}\npublic_authority = {:?}\n",
            self.path("state"),
            self.hsm.socket(),
            self.path("operator.sock"),
            self.path("proxy.sock"),
            self.path("anchor"),
            self.public_authority(),
        );
        let proxy = format!(
            "listen = \"127.0.0.1:{}\"\npublic_authority = {:?}\ntls_cert = {:?}\ntls_key = {:?}\n\
             authority_socket = {:?}\n",
            self.port,
            self.public_authority(),
            self.path("tls.pem"),
            self.path("tls.key"),
            self.path("proxy.sock"),
        );
        write_private(&self.path("authority.toml"), &authority);
        write_private(&self.path("proxy.toml"), &proxy);
    }

    fn write_plan(&self, m: u8, n: u8) {
        let m = m.to_string();
        let hsm_config = self.hsm.config_path().display().to_string();
        let mut arguments: Vec<String> = [
            "ceremony",
            "plan",
            "--authority",
            &self.name,
            "--m",
            &m,
            "--hsm-config",
            &hsm_config,
        ]
        .map(String::from)
        .into();
        for number in 1..=n {
            let public = self.holder_key(number).with_extension("holder.pub");
            arguments.extend(["--holder-pub".to_owned(), public.display().to_string()]);
        }
        let plan = self.dta(&arguments).ok();
        std::fs::write(self.path("plan.toml"), plan).expect("a writable directory");
    }
}

/// Writes a holder's key file with little work behind the passphrase, which only debug builds can.
#[cfg(debug_assertions)]
fn write_holder(holder: &HolderSecrets, directory: &Path, passphrase: &Passphrase) {
    holder
        .write_weakly(directory, passphrase)
        .expect("a writable directory");
}

/// Writes a holder's key file as `dta holder new` does: the benchmarks run release builds.
#[cfg(not(debug_assertions))]
fn write_holder(holder: &HolderSecrets, directory: &Path, passphrase: &Passphrase) {
    holder
        .write(directory, passphrase)
        .expect("a writable directory");
}

/// Writes a file that only its owner reads.
pub fn write_private(path: &Path, text: &str) {
    use std::io::Write;
    let mut file = std::fs::File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    file.write_all(text.as_bytes())
        .expect("a writable directory");
}

/// Copies a directory with everything in it.
pub fn copy_directory(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a writable directory");
    for entry in std::fs::read_dir(from).expect("a readable directory") {
        let entry = entry.expect("a readable directory");
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_directory(&source, &target);
        } else {
            std::fs::copy(&source, &target).expect("a readable file");
        }
    }
}

/// A CA, and a certificate of it for `localhost` with its key; all PEM.
fn certificates() -> (String, String, String) {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
    let ca_key = KeyPair::generate().expect("a key pair");
    let mut ca = CertificateParams::new(Vec::new()).expect("valid parameters");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // Without names of their own both would be called the same, and openssl takes that for self-signed.
    ca.distinguished_name.push(DnType::CommonName, "test CA");
    let ca_pem = ca.self_signed(&ca_key).expect("a certificate").pem();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().expect("a key pair");
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let mut leaf = CertificateParams::new(names).expect("valid names");
    leaf.distinguished_name
        .push(DnType::CommonName, "localhost");
    let leaf = leaf.signed_by(&key, &issuer).expect("a certificate");
    (ca_pem, leaf.pem(), key.serialize_pem())
}
