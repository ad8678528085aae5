//! `hsm.toml`: where the module, the token and its PIN are, and who may ask.
//!
//! Every key is known by name; an unknown one is refused together with the nearest known name. The
//! file holds no secret: the PIN is in a file of its own. Relative paths count from the directory of
//! the configuration file.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::HsmError;
use crate::pin::PinSource;

const KEYS: [&str; 6] = [
    "module",
    "token_label",
    "token_serial",
    "pin_file",
    "socket",
    "allow_users",
];

/// The configuration of one `dta hsm` process.
#[derive(Debug, Clone)]
pub struct Config {
    /// The vendor's PKCS#11 library. A name without a directory is looked up by the loader.
    pub module: PathBuf,
    /// The token's label.
    pub token_label: String,
    /// Its serial number; needed only where two tokens share the label.
    pub token_serial: Option<String>,
    /// Where the user PIN is.
    pub pin_file: PinSource,
    /// The Unix socket to listen on.
    pub socket: PathBuf,
    /// Users beside root and the process's own that may connect.
    pub allow_users: Vec<User>,
}

/// A user of this machine, resolved when the configuration is read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct User {
    /// The name or number as written.
    pub name: String,
    /// The user id.
    pub uid: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    module: PathBuf,
    token_label: String,
    token_serial: Option<String>,
    pin_file: String,
    socket: PathBuf,
    #[serde(default)]
    allow_users: Vec<String>,
}

impl Config {
    /// Reads and checks `path`.
    ///
    /// # Errors
    /// [`HsmError::Config`], which names the file, the key and what was expected.
    pub fn read(path: &Path) -> Result<Self, HsmError> {
        let refuse = |problem| HsmError::Config {
            path: path.to_path_buf(),
            problem,
        };
        let text = fs::read_to_string(path).map_err(|e| refuse(e.to_string()))?;
        let directory = absolute_parent(path).map_err(|e| refuse(e.to_string()))?;
        Self::parse(&text, &directory).map_err(|e| refuse(e.to_string()))
    }

    /// Checks the text of a configuration whose relative paths count from `directory`.
    fn parse(text: &str, directory: &Path) -> Result<Self, Problem> {
        let table: toml::Table = toml::from_str(text).map_err(Problem::syntax)?;
        if let Some(unknown) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(Problem::unknown(unknown));
        }
        let raw: Raw = toml::from_str(text).map_err(Problem::syntax)?;
        if raw.token_label.is_empty() || raw.token_label.len() > 32 {
            return Err(Problem("`token_label` must have 1 to 32 bytes".to_owned()));
        }
        if raw
            .token_serial
            .as_ref()
            .is_some_and(|s| s.is_empty() || s.len() > 16)
        {
            return Err(Problem("`token_serial` must have 1 to 16 bytes".to_owned()));
        }
        let is_bare_name = raw.module.parent() == Some(Path::new(""));
        let module = if is_bare_name {
            raw.module
        } else {
            directory.join(raw.module)
        };
        Ok(Self {
            module,
            token_label: raw.token_label,
            token_serial: raw.token_serial,
            pin_file: PinSource::parse(&raw.pin_file, directory),
            socket: directory.join(raw.socket),
            allow_users: raw
                .allow_users
                .into_iter()
                .map(|name| {
                    User::try_from(name).map_err(|e| Problem(format!("`allow_users`: {e}")))
                })
                .collect::<Result<_, _>>()?,
        })
    }

    /// The text of a configuration like this one for a private process: another socket, nobody
    /// else allowed, every path absolute.
    pub(crate) fn to_private_toml(&self, socket: &Path) -> String {
        let mut table = toml::Table::new();
        let mut set = |key: &str, value: String| table.insert(key.to_owned(), value.into());
        set("module", self.module.display().to_string());
        set("token_label", self.token_label.clone());
        if let Some(serial) = &self.token_serial {
            set("token_serial", serial.clone());
        }
        set("pin_file", self.pin_file.to_string());
        set("socket", socket.display().to_string());
        table.to_string()
    }
}

struct Problem(String);

impl Problem {
    fn syntax(error: toml::de::Error) -> Self {
        Self(error.to_string().trim_end().replace('\n', "\n  "))
    }

    fn unknown(key: &str) -> Self {
        let nearest = KEYS.iter().map(|known| (distance(key, known), known)).min();
        let known = match nearest {
            Some((changes, known)) if changes <= known.len() / 2 => {
                format!("the nearest known key is `{known}`")
            }
            _ => format!("known are {}", KEYS.join(", ")),
        };
        Self(format!("unknown key `{key}`; {known}"))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn absolute_parent(path: &Path) -> std::io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    Ok(path
        .parent()
        .map_or_else(|| PathBuf::from("/"), Path::to_path_buf))
}

impl TryFrom<String> for User {
    type Error = String;

    /// A decimal user id, or a name of `/etc/passwd`: service users are there, and a process that
    /// guards an HSM should not wait for a directory server.
    fn try_from(name: String) -> Result<Self, String> {
        if let Ok(uid) = name.parse() {
            return Ok(Self { name, uid });
        }
        let passwd = fs::read_to_string("/etc/passwd")
            .map_err(|e| format!("cannot look up user `{name}`: /etc/passwd: {e}"))?;
        let uid = passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            (fields.next() == Some(&name)).then(|| fields.nth(1)?.parse().ok())?
        });
        match uid {
            Some(uid) => Ok(Self { name, uid }),
            None => Err(format!("user `{name}` is not in /etc/passwd")),
        }
    }
}

/// Levenshtein distance: single-character insertions, deletions and replacements.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.chars().enumerate() {
            let replace = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.chars().count()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        module = "/usr/lib/softhsm/libsofthsm2.so"
        token_label = "acme"
        pin_file = "pin"
        socket = "/run/dta/acme/hsm.sock"
        allow_users = ["root", "4711"]
    "#;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, Path::new("/etc/dta/acme")).map_err(|e| e.to_string())
    }

    #[test]
    fn a_complete_file_is_read_with_paths_from_its_directory() {
        let config = parse(GOOD).unwrap();
        assert_eq!(config.pin_file.to_string(), "/etc/dta/acme/pin");
        assert_eq!(config.socket, Path::new("/run/dta/acme/hsm.sock"));
        let uids: Vec<u32> = config.allow_users.iter().map(|u| u.uid).collect();
        assert_eq!(uids, [0, 4711]);
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_known_name() {
        let problem = parse(&format!("{GOOD}\ntoken_seral = \"1\"")).unwrap_err();
        assert_eq!(
            problem,
            "unknown key `token_seral`; the nearest known key is `token_serial`"
        );
        let problem = parse(&format!("{GOOD}\nq = 1")).unwrap_err();
        assert!(
            problem.starts_with("unknown key `q`; known are module, "),
            "{problem}"
        );
    }

    #[test]
    fn a_missing_key_and_a_wrong_type_are_named() {
        let problem = parse("module = \"m\"").unwrap_err();
        assert!(problem.contains("missing field `token_label`"), "{problem}");
        let problem = parse(&GOOD.replace("\"acme\"", "7")).unwrap_err();
        assert!(problem.contains("expected a string"), "{problem}");
    }

    #[test]
    fn an_unknown_user_is_refused_by_name() {
        let problem = parse(&GOOD.replace("\"root\"", "\"no-such-user\"")).unwrap_err();
        assert_eq!(
            problem,
            "`allow_users`: user `no-such-user` is not in /etc/passwd"
        );
    }

    #[test]
    fn a_label_longer_than_a_token_can_have_is_refused() {
        let problem =
            parse(&GOOD.replace("\"acme\"", &format!("{:?}", "x".repeat(33)))).unwrap_err();
        assert_eq!(problem, "`token_label` must have 1 to 32 bytes");
    }

    #[test]
    fn a_private_copy_allows_nobody_else() {
        let text = parse(GOOD)
            .unwrap()
            .to_private_toml(Path::new("/tmp/x/hsm.sock"));
        let copy = parse(&text).unwrap();
        assert_eq!(copy.socket, Path::new("/tmp/x/hsm.sock"));
        assert_eq!(copy.pin_file.to_string(), "/etc/dta/acme/pin");
        assert!(copy.allow_users.is_empty());
    }
}
