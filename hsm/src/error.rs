//! Every way in which the HSM can let an operator down, in the operator's words.
//!
//! One enum for the whole room, because the cause found by the process `dta hsm` must reach the
//! person at `dta status` unchanged: it travels over the protocol as it is. It never carries a
//! secret, a PIN or a plaintext.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::types::{PinState, TokenId};

/// Why the HSM, or the process in front of it, did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum HsmError {
    /// The PKCS#11 library named in the configuration does not exist.
    #[error("the PKCS#11 module {path} does not exist", path = path.display())]
    ModuleNotFound {
        /// `module` of the configuration.
        path: PathBuf,
    },
    /// The file exists and is no PKCS#11 library, or refuses to start.
    #[error("the PKCS#11 module {path} cannot be loaded: {problem}", path = path.display())]
    ModuleNotLoadable {
        /// `module` of the configuration.
        path: PathBuf,
        /// What the loader or the library said.
        problem: String,
    },
    /// The module is there and has no token of that label (and serial).
    #[error("no token {wanted} is present; {}", list_tokens(present))]
    NoSuchToken {
        /// The label, and serial if configured, that was looked for.
        wanted: String,
        /// The initialised tokens that are there.
        present: Vec<TokenId>,
    },
    /// Two tokens carry the label and the configuration does not say which.
    #[error("several tokens are labelled {label:?}: {}", list_tokens(present))]
    AmbiguousToken {
        /// `token_label` of the configuration.
        label: String,
        /// The tokens with that label.
        present: Vec<TokenId>,
    },
    /// The PIN file is missing, empty or readable by others.
    #[error("the PIN file {path} {problem}", path = path.display())]
    PinFile {
        /// The file that was tried.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The token refused the PIN. The same PIN is not offered again.
    #[error("the token {token} refused the PIN ({tries})")]
    WrongPin {
        /// The token that refused.
        token: TokenId,
        /// What the token says about the tries left.
        tries: PinState,
    },
    /// Too many wrong PINs were offered: the token accepts none any more.
    #[error("the user PIN of token {token} is locked")]
    PinLocked {
        /// The token.
        token: TokenId,
    },
    /// The token has no user PIN yet, or wants it changed first.
    #[error("the user PIN of token {token} is not usable: {problem}")]
    PinUnusable {
        /// The token.
        token: TokenId,
        /// What the token said.
        problem: String,
    },
    /// The token was there and is not any more.
    #[error("the token {token} was removed or does not answer ({problem})")]
    TokenRemoved {
        /// The token.
        token: TokenId,
        /// The PKCS#11 call that failed, with its code.
        problem: String,
    },
    /// No key or object of that label.
    #[error("the token holds no {what} labelled {label:?}")]
    KeyMissing {
        /// `seal key`, `node key` or `data object`.
        what: String,
        /// The label.
        label: String,
    },
    /// An object of that label exists; nothing is overwritten.
    #[error("the token already holds an object labelled {label:?}")]
    AlreadyExists {
        /// The label.
        label: String,
    },
    /// More than one object answers to the label.
    #[error("the token holds {count} objects of class {what} labelled {label:?}, expected one")]
    AmbiguousKey {
        /// `seal key`, `node key` or `data object`.
        what: String,
        /// The label.
        label: String,
        /// How many there are.
        count: usize,
    },
    /// The key could leave the token or be used for something else.
    #[error("the key {label:?} has unsafe attributes: {problem}")]
    UnsafeKey {
        /// The label.
        label: String,
        /// The attributes that are not what they must be.
        problem: String,
    },
    /// The token cannot do what is needed.
    #[error("the token {token} does not support {mechanism}")]
    MechanismUnsupported {
        /// The token.
        token: TokenId,
        /// The mechanism, by its PKCS#11 name.
        mechanism: String,
    },
    /// The ciphertext, its IV or its AAD is not what was sealed under this key. The HSM is well.
    #[error(
        "the ciphertext does not open under key {label:?}: it, its IV or its context differs from what was sealed"
    )]
    DoesNotOpen {
        /// The label of the seal key.
        label: String,
    },
    /// Any other refusal by the token.
    #[error("the token failed: {call} returned {code}")]
    Pkcs11 {
        /// The PKCS#11 function.
        call: String,
        /// The return code by its standard name.
        code: String,
    },
    /// The process `dta hsm` is not there: no socket, or nobody listens on it.
    #[error("no dta hsm process answers on {socket}: {problem}", socket = socket.display())]
    NotRunning {
        /// The socket that was tried.
        socket: PathBuf,
        /// What the system said.
        problem: String,
    },
    /// The process went away while it was working on the request.
    #[error("the dta hsm process on {socket} closed the connection before it answered", socket = socket.display())]
    ConnectionLost {
        /// The socket.
        socket: PathBuf,
    },
    /// The caller's user may not use this process.
    #[error("user id {uid} may not use this dta hsm process")]
    PeerNotAllowed {
        /// The caller's user id as the kernel reports it.
        uid: u32,
    },
    /// The process has as many connections as it takes.
    #[error("the dta hsm process already serves {limit} connections")]
    Busy {
        /// The limit.
        limit: usize,
    },
    /// Nothing came back in time.
    #[error("the HSM did not answer within {} s while {doing}", *milliseconds as f64 / 1_000.0)]
    Timeout {
        /// What was being waited for.
        doing: String,
        /// How long was waited.
        milliseconds: u64,
    },
    /// The two ends do not speak the same protocol.
    #[error("protocol error between client and dta hsm: {problem}")]
    Protocol {
        /// What was wrong with the frame.
        problem: String,
    },
    /// A request or an answer that does not fit.
    #[error("{what} has {size} bytes, at most {limit} are allowed")]
    TooLarge {
        /// What is too large.
        what: String,
        /// Its size in bytes.
        size: usize,
        /// The most that is allowed.
        limit: usize,
    },
    /// A label that this room does not use.
    #[error("{label:?} is not a usable label: {problem}")]
    BadLabel {
        /// The label.
        label: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The configuration file is not right.
    #[error("configuration {path}: {problem}", path = path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the nearest known name for an unknown key.
        problem: String,
    },
    /// Another live process listens on the socket.
    #[error("another process already listens on {socket}", socket = socket.display())]
    AlreadyRunning {
        /// `socket` of the configuration.
        socket: PathBuf,
    },
    /// The socket, or a file beside it, cannot be made.
    #[error("{path}: {problem}", path = path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was tried and what the system said.
        problem: String,
    },
    /// The private child process of a ceremony, or its tools, did not start.
    #[error("cannot start {program}: {problem}", program = program.display())]
    CannotStart {
        /// The program.
        program: PathBuf,
        /// What happened.
        problem: String,
    },
}

impl HsmError {
    /// What the operator can do about it; printed after `try:`.
    pub fn remedy(&self) -> Option<&'static str> {
        Some(match self {
            Self::ModuleNotFound { .. } => {
                "set `module` in hsm.toml to the vendor's PKCS#11 library (SoftHSM2 on Debian: \
                 apt-get install softhsm2, then /usr/lib/softhsm/libsofthsm2.so)"
            }
            Self::ModuleNotLoadable { .. } => {
                "check that the file is the vendor's PKCS#11 library for this machine, that its own \
                 configuration is readable (SoftHSM2: SOFTHSM2_CONF) and that its dependencies are \
                 installed (ldd FILE)"
            }
            Self::NoSuchToken { .. } => {
                "set `token_label` (and `token_serial`) in hsm.toml to one of the tokens listed, or \
                 plug in or initialise the right one"
            }
            Self::AmbiguousToken { .. } => {
                "set `token_serial` in hsm.toml to the one that is meant"
            }
            Self::PinFile { .. } => {
                "write the user PIN to the file named by `pin_file`, owned by the user that runs \
                 dta hsm, mode 0600"
            }
            Self::WrongPin {
                tries: PinState::FinalTry,
                ..
            } => {
                "one try is left before the token locks: make sure of the PIN before you write it to \
                 `pin_file`; the same PIN is not offered again"
            }
            Self::WrongPin { .. } => {
                "correct the PIN in `pin_file`; it is read again on the next request and the same PIN \
                 is not offered again"
            }
            Self::PinLocked { .. } => {
                "have the security officer reset the user PIN, write it to `pin_file`, then restart \
                 dta hsm"
            }
            Self::PinUnusable { .. } => {
                "set the user PIN with the vendor's tool, then write it to `pin_file`"
            }
            Self::TokenRemoved { .. } => {
                "plug the token back in or restore its connection; dta hsm logs in again on the next \
                 request"
            }
            Self::KeyMissing { .. } => {
                "check that this is the token named in the manifest; a key that is gone can only be \
                 replaced by a recovery ceremony"
            }
            Self::AlreadyExists { .. } => {
                "use another label; if the object is a left-over of an abandoned ceremony, remove it \
                 with the vendor's tool first"
            }
            Self::AmbiguousKey { .. } => {
                "remove the object that does not belong there with the vendor's tool"
            }
            Self::UnsafeKey { .. } => {
                "do not use this key; it was not made by `dta ceremony` or the token does not enforce \
                 its attributes"
            }
            Self::MechanismUnsupported { .. } => {
                "use a token with AES-GCM and with Ed25519 or ECDSA P-256; on a FIPS token check the \
                 policy of the partition"
            }
            Self::DoesNotOpen { .. } => {
                "the HSM is well: check that the state directory and the token belong together and \
                 that no older copy was put back"
            }
            Self::Pkcs11 { .. } => {
                "look the code up in the vendor's manual; the log of dta hsm has the time"
            }
            Self::NotRunning { .. } => {
                "start it: systemctl start dta-hsm@NAME, or dta hsm --config hsm.toml"
            }
            Self::ConnectionLost { .. } => {
                "look at the log of dta hsm for the reason; if it crashed in the vendor's library it is \
                 restarted by systemd"
            }
            Self::PeerNotAllowed { .. } => {
                "add the user to `allow_users` in hsm.toml and restart dta hsm, or run the command as a \
                 user that is there"
            }
            Self::Busy { .. } => "find out who holds the connections (ss -xp) and try again",
            Self::Timeout { .. } => {
                "check the HSM and its network connection; if it is well, restart dta hsm"
            }
            Self::Protocol { .. } => "use the same version of dta at both ends",
            Self::AlreadyRunning { .. } => {
                "stop that process first, or give this one another `socket`"
            }
            Self::Config { .. } => "correct the file; the sample hsm.toml documents every key",
            Self::BadLabel { .. } => "use 1 to 64 of the characters a-z A-Z 0-9 . _ : -",
            Self::CannotStart { .. } => {
                "if the program is missing install it (SoftHSM2 on Debian: apt-get install softhsm2)"
            }
            Self::TooLarge { .. } | Self::Io { .. } => return None,
        })
    }

    /// Whether the same request may succeed once somebody has seen to the HSM: the secret material
    /// on the token is not in question, only the way to it.
    pub fn is_unavailable(&self) -> bool {
        !matches!(
            self,
            Self::DoesNotOpen { .. }
                | Self::KeyMissing { .. }
                | Self::AlreadyExists { .. }
                | Self::AmbiguousKey { .. }
                | Self::UnsafeKey { .. }
                | Self::BadLabel { .. }
                | Self::TooLarge { .. }
                | Self::MechanismUnsupported { .. }
        )
    }
}

impl HsmError {
    pub(crate) fn timeout(doing: &str, waited: Duration) -> Self {
        let milliseconds = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        Self::Timeout {
            doing: doing.to_owned(),
            milliseconds,
        }
    }
}

fn list_tokens(tokens: &[TokenId]) -> String {
    if tokens.is_empty() {
        return "the module shows no initialised token".to_owned();
    }
    let names: Vec<String> = tokens.iter().map(ToString::to_string).collect();
    format!("present: {}", names.join(", "))
}
