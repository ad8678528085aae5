//! `customer.toml`: where each D-TA is, and what is believed of it.
//!
//! ```toml
//! key_file = "acme.key"            # the signing key, PKCS#8 PEM, mode 0600
//! timeout_seconds = 15             # for one call; 15 if absent
//!
//! [[dta]]
//! name = "alpha"                   # what messages call it
//! url = "https://alpha.example"    # no path
//! ca_file = "alpha-ca.pem"         # absent: the public web's roots
//! authority = "64 hex digits"      # the authority id
//! node_key = "alpha+1a2b3c4d+..."  # C2SP verifier key; or node_key_p256 = "PEM"
//! [dta.keys.k1]
//! suite = "RO"
//! commitment = "96 hex digits"
//! ```
//!
//! Files are named relative to `customer.toml`. Pins come from the operators, by another way than
//! the network. Two D-TAs may share neither authority id nor commitment.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mpin::Commitment;
use rustls_pki_types::ServerName;
use serde::Deserialize;
use wire::api::{AuthorityIdHex, CommitmentHex, KeyVersion, Suite};
use wire::keys::{KeyError, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use crate::tls::Roots;

/// A customer's configuration: everything in it has been read and checked.
#[derive(Debug)]
pub struct Config {
    /// The customer's signing key.
    pub key: SigningKey,
    /// How long one call may take.
    pub timeout: Duration,
    /// The D-TAs, in the order of the file: at least one.
    pub dtas: Vec<DtaPins>,
}

/// One D-TA, and what is believed of it.
#[derive(Debug)]
pub struct DtaPins {
    /// What messages call it.
    pub name: String,
    /// Where it is.
    pub endpoint: Endpoint,
    /// Who may certify its TLS key.
    pub roots: Roots,
    /// Its authority id.
    pub authority: AuthorityIdHex,
    /// The node key that certifies its response key.
    pub node_key: VerifyingKey,
    /// The customer's master keys there.
    pub keys: BTreeMap<KeyVersion, KeyPin>,
}

/// What is believed of one master key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyPin {
    /// Its suite.
    pub suite: Suite,
    /// Its commitment, a point that has been checked.
    pub commitment: Commitment,
}

/// The address of a D-TA, from its URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The host: a name in lower case, or an IP address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// As signed: the host in brackets if it is an IPv6 address, and the port unless it is 443.
    pub public_authority: String,
}

impl Config {
    /// Reads `customer.toml` and the files that it names.
    ///
    /// # Errors
    /// [`ConfigError`] names the file and the key.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        let text = read(path)?;
        let fail = |source| ConfigError::In {
            path: path.to_owned(),
            source: Box::new(source),
        };
        Self::parse(&text, path.parent().unwrap_or(Path::new(""))).map_err(fail)
    }

    /// Reads the text of a `customer.toml` whose files stand relative to `directory`.
    ///
    /// # Errors
    /// [`ConfigError`] names the key.
    pub fn parse(text: &str, directory: &Path) -> Result<Config, ConfigError> {
        let toml = |error: toml::de::Error| ConfigError::Toml(error.to_string().trim().to_owned());
        let table: toml::Table = toml::from_str(text).map_err(toml)?;
        check_names(&table)?;
        let file: File = table.try_into().map_err(toml)?;
        if file.dta.is_empty() {
            return Err(ConfigError::NoDta);
        }
        if file.timeout_seconds == 0 {
            return Err(ConfigError::value("timeout_seconds", "must be 1 or more"));
        }
        let dtas = file
            .dta
            .into_iter()
            .map(|dta| dta.check(directory))
            .collect::<Result<Vec<_>, _>>()?;
        check_distinct(&dtas)?;
        Ok(Config {
            key: read_signing_key(&directory.join(file.key_file))?,
            timeout: Duration::from_secs(file.timeout_seconds),
            dtas,
        })
    }
}

impl Endpoint {
    /// From `https://HOST` or `https://HOST:PORT`, a slash at the end allowed.
    ///
    /// # Errors
    /// What was expected instead.
    pub fn parse(url: &str) -> Result<Endpoint, String> {
        let expected = || format!("expected https://HOST or https://HOST:PORT, got {url:?}");
        let uri: http::Uri = url.parse().map_err(|_| expected())?;
        let authority = uri.authority().ok_or_else(expected)?;
        let bare = uri.path() == "/" && uri.query().is_none() && !authority.as_str().contains('@');
        if uri.scheme_str() != Some("https") || !bare {
            return Err(expected());
        }
        let shown = authority.host().to_ascii_lowercase();
        let host = bare_host(&shown).ok_or_else(expected)?.to_owned();
        let port = match &authority.as_str()[authority.host().len()..] {
            "" => 443,
            // A port that is no port would silently become 443.
            rest => port(rest).ok_or_else(expected)?,
        };
        let public_authority = match port {
            443 => shown.clone(),
            _ => format!("{shown}:{port}"),
        };
        Ok(Endpoint {
            host,
            port,
            public_authority,
        })
    }
}

/// A name that a certificate can be for, an IPv4 address, or an IPv6 address that stood in brackets.
fn bare_host(shown: &str) -> Option<&str> {
    match shown.strip_prefix('[') {
        Some(rest) => {
            let address = rest.strip_suffix(']')?;
            address.parse::<Ipv6Addr>().ok().map(|_| address)
        }
        None => ServerName::try_from(shown).ok().map(|_| shown),
    }
}

/// The number in `:8443`.
fn port(text: &str) -> Option<u16> {
    let digits = text.strip_prefix(':')?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|port| plain && *port != 0)
}

/// Reads a signing key: PEM, unencrypted PKCS#8, readable by its owner only.
///
/// # Errors
/// [`ConfigError`] names the file.
pub fn read_signing_key(path: &Path) -> Result<SigningKey, ConfigError> {
    let pem = Zeroizing::new(read(path)?);
    let mode = std::fs::metadata(path).map(|metadata| metadata.permissions().mode());
    if mode.is_ok_and(|mode| mode & 0o077 != 0) {
        return Err(ConfigError::OpenKeyFile {
            path: path.to_owned(),
        });
    }
    SigningKey::from_pem(&pem).map_err(|source| ConfigError::KeyFile {
        path: path.to_owned(),
        source,
    })
}

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The place of another error.
    #[error("{} is not a usable customer configuration", path.display())]
    In {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        source: Box<ConfigError>,
    },
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not TOML, a key missing, or a value of another type.
    #[error("{0}")]
    Toml(String),
    /// A key that has no meaning here.
    #[error("unknown key `{key}`")]
    UnknownKey {
        /// The key, with its tables.
        key: String,
        /// The nearest known one.
        nearest: &'static str,
    },
    /// No D-TA.
    #[error("no D-TA is configured")]
    NoDta,
    /// A value that does not fit.
    #[error("`{key}`: {reason}")]
    Value {
        /// The key, with its tables.
        key: String,
        /// What was expected.
        reason: String,
    },
    /// Two D-TAs that are one.
    #[error("D-TAs {first} and {second} have the same {what}")]
    Same {
        /// The one.
        first: String,
        /// The other.
        second: String,
        /// What they share.
        what: &'static str,
    },
    /// The signing key can be read by others.
    #[error("the signing key {} can be read by others than its owner", path.display())]
    OpenKeyFile {
        /// The file.
        path: PathBuf,
    },
    /// The signing key cannot be used.
    #[error("the signing key {} cannot be used", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: KeyError,
    },
}

impl ConfigError {
    fn value(key: impl Into<String>, reason: impl Into<String>) -> ConfigError {
        ConfigError::Value {
            key: key.into(),
            reason: reason.into(),
        }
    }

    /// What whoever sees this can do about it.
    pub fn remedy(&self) -> Option<String> {
        match self {
            ConfigError::In { source, .. } => source.remedy(),
            ConfigError::Read { .. } => Some("check the name and that you may read it".into()),
            ConfigError::Toml(_) | ConfigError::NoDta => {
                Some("compare it with the sample in docs/api.md".into())
            }
            ConfigError::UnknownKey { nearest, .. } => Some(format!("did you mean `{nearest}`?")),
            ConfigError::Value { .. } => {
                Some("copy the value as the operators of the D-TA published it".into())
            }
            ConfigError::Same { .. } => Some(
                "configure D-TAs of different operators: one alone could impersonate your users"
                    .into(),
            ),
            ConfigError::OpenKeyFile { path } => Some(format!("chmod 600 {}", path.display())),
            ConfigError::KeyFile { source, .. } => source.remedy().map(str::to_owned),
        }
    }
}

#[derive(Deserialize)]
struct File {
    key_file: PathBuf,
    #[serde(default = "default_timeout_seconds")]
    timeout_seconds: u64,
    #[serde(default)]
    dta: Vec<DtaTable>,
}

fn default_timeout_seconds() -> u64 {
    15
}

#[derive(Deserialize)]
struct DtaTable {
    name: String,
    url: String,
    ca_file: Option<PathBuf>,
    authority: String,
    node_key: Option<String>,
    node_key_p256: Option<String>,
    #[serde(default)]
    keys: BTreeMap<String, KeyTable>,
}

#[derive(Deserialize)]
struct KeyTable {
    suite: String,
    commitment: String,
}

impl DtaTable {
    fn check(self, directory: &Path) -> Result<DtaPins, ConfigError> {
        let place = format!("dta {}", self.name);
        let at = |key: &str| format!("{place}: {key}");
        let length = self.name.chars().count();
        if !(1..=64).contains(&length) || self.name.contains(char::is_control) {
            let reason = "must have 1 to 64 characters, no control characters";
            return Err(ConfigError::value("dta: name", reason));
        }
        let endpoint =
            Endpoint::parse(&self.url).map_err(|reason| ConfigError::value(at("url"), reason))?;
        let authority = self
            .authority
            .parse()
            .map_err(|reason: String| ConfigError::value(at("authority"), reason))?;
        let node_key = match (&self.node_key, &self.node_key_p256) {
            (Some(vkey), None) => VerifyingKey::from_vkey(vkey)
                .map(|(_, key)| key)
                .map_err(|error| ConfigError::value(at("node_key"), error.to_string()))?,
            (None, Some(pem)) => {
                p256(pem).map_err(|reason| ConfigError::value(at("node_key_p256"), reason))?
            }
            _ => {
                let reason = "expected exactly one of `node_key` and `node_key_p256`";
                return Err(ConfigError::value(at("node_key"), reason));
            }
        };
        let roots = match &self.ca_file {
            None => Roots::web(),
            Some(file) => {
                let file = directory.join(file);
                Roots::from_pem(&read(&file)?)
                    .map_err(|reason| ConfigError::value(at("ca_file"), reason))?
            }
        };
        let mut keys = BTreeMap::new();
        for (version, table) in self.keys {
            let pin = table.check().map_err(|(key, reason)| {
                ConfigError::value(at(&format!("keys.{version}.{key}")), reason)
            })?;
            let version = version
                .parse()
                .map_err(|reason: String| ConfigError::value(at("keys"), reason))?;
            keys.insert(version, pin);
        }
        Ok(DtaPins {
            name: self.name,
            endpoint,
            roots,
            authority,
            node_key,
            keys,
        })
    }
}

impl KeyTable {
    fn check(&self) -> Result<KeyPin, (&'static str, String)> {
        let suite = self.suite.parse().map_err(|reason| ("suite", reason))?;
        let bytes: CommitmentHex = self.commitment.parse().map_err(|r| ("commitment", r))?;
        let commitment = Commitment::from_compressed(bytes.as_bytes())
            .map_err(|error| ("commitment", error.to_string()))?;
        Ok(KeyPin { suite, commitment })
    }
}

fn p256(pem: &str) -> Result<VerifyingKey, String> {
    match VerifyingKey::from_pem(pem) {
        Ok(key @ VerifyingKey::EcdsaP256(_)) => Ok(key),
        Ok(VerifyingKey::Ed25519(_)) => {
            Err("is an Ed25519 key; write it as verifier key under `node_key`".into())
        }
        Err(error) => Err(error.to_string()),
    }
}

/// The known names, table by table: what `File`, `DtaTable` and `KeyTable` hold.
const TOP: [&str; 3] = ["key_file", "timeout_seconds", "dta"];
const DTA: [&str; 7] = [
    "name",
    "url",
    "ca_file",
    "authority",
    "node_key",
    "node_key_p256",
    "keys",
];
const KEY: [&str; 2] = ["suite", "commitment"];

fn check_names(table: &toml::Table) -> Result<(), ConfigError> {
    check_table(table, "", &TOP)?;
    let dtas = table.get("dta").and_then(toml::Value::as_array);
    for dta in dtas.into_iter().flatten().filter_map(toml::Value::as_table) {
        check_table(dta, "dta.", &DTA)?;
        let keys = dta.get("keys").and_then(toml::Value::as_table);
        for (version, key) in keys.into_iter().flatten() {
            if let Some(key) = key.as_table() {
                check_table(key, &format!("dta.keys.{version}."), &KEY)?;
            }
        }
    }
    Ok(())
}

fn check_table(
    table: &toml::Table,
    place: &str,
    known: &[&'static str],
) -> Result<(), ConfigError> {
    match table.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => {
            let nearest = known.iter().min_by_key(|name| distance(key, name));
            Err(ConfigError::UnknownKey {
                key: format!("{place}{key}"),
                nearest: nearest.expect("every table has known names"),
            })
        }
    }
}

/// How many letters to insert, delete or replace (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

fn check_distinct(dtas: &[DtaPins]) -> Result<(), ConfigError> {
    for (at, second) in dtas.iter().enumerate() {
        for first in &dtas[..at] {
            let shared = first.keys.values().any(|one| {
                second
                    .keys
                    .values()
                    .any(|other| one.commitment == other.commitment)
            });
            let what = if first.name == second.name {
                "name"
            } else if first.authority == second.authority {
                "authority id"
            } else if first.node_key == second.node_key {
                "node key"
            } else if shared {
                "commitment"
            } else {
                continue;
            };
            return Err(ConfigError::Same {
                first: first.name.clone(),
                second: second.name.clone(),
                what,
            });
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
