//! The user PIN: read from a file, never from the environment or the command line.
//!
//! The file is read anew for each login, so a corrected PIN needs no restart. It must belong to the
//! user that runs the process (or root) and nobody else may read it. The PIN is zeroised after use.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use cryptoki::types::AuthPin;
use zeroize::Zeroizing;

use crate::error::HsmError;

const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
const MAX_PIN_BYTES: u64 = 1_024;

/// Where the PIN is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinSource {
    /// A file of mode 0600 or 0400.
    File(PathBuf),
    /// `$CREDENTIALS_DIRECTORY/NAME`: a credential that systemd hands to this service
    /// (`LoadCredential=`), in a directory that only this service can enter.
    Credential(String),
}

impl PinSource {
    /// `text` as in `pin_file`; a relative path counts from `directory`.
    pub(crate) fn parse(text: &str, directory: &Path) -> Self {
        match text.strip_prefix("$CREDENTIALS_DIRECTORY/") {
            Some(name) => Self::Credential(name.to_owned()),
            None => Self::File(directory.join(text)),
        }
    }

    /// Reads the PIN: the whole file without its trailing newline.
    pub(crate) fn read(&self) -> Result<Pin, HsmError> {
        match self {
            Self::File(path) => read_pin(path, Readers::OwnerOnly),
            Self::Credential(name) => {
                let refuse = |problem: &str| HsmError::PinFile {
                    path: PathBuf::from(self.to_string()),
                    problem: problem.to_owned(),
                };
                if name.contains('/') {
                    return Err(refuse("must name a credential without any directory"));
                }
                let directory = std::env::var_os(CREDENTIALS).ok_or_else(|| {
                    refuse("cannot be read: this process was not given credentials by systemd")
                })?;
                read_pin(&PathBuf::from(directory).join(name), Readers::Service)
            }
        }
    }
}

impl fmt::Display for PinSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Credential(name) => write!(f, "$CREDENTIALS_DIRECTORY/{name}"),
        }
    }
}

/// A PIN in memory: zeroised on drop, not printable.
pub(crate) struct Pin(Zeroizing<String>);

impl Pin {
    /// The form in which the binding takes it; zeroises itself too.
    pub(crate) fn to_auth(&self) -> AuthPin {
        AuthPin::from(self.0.as_str())
    }

    /// Whether both are the same. Compares our own two readings of one file, so time tells nobody
    /// anything.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        *self.0 == *other.0
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(..)")
    }
}

#[derive(Clone, Copy)]
enum Readers {
    /// The usual case: no bit for group or others.
    OwnerOnly,
    /// systemd may grant its service access by ACL, which shows as a group read bit.
    Service,
}

fn read_pin(path: &Path, readers: Readers) -> Result<Pin, HsmError> {
    let refuse = |problem: String| HsmError::PinFile {
        path: path.to_path_buf(),
        problem,
    };
    let failed = |e: std::io::Error| refuse(format!("cannot be read: {e}"));
    let mut file = File::open(path).map_err(failed)?;
    // Checked on the open file, so that it is the very file whose content is read.
    let facts = file.metadata().map_err(failed)?;
    if !facts.is_file() {
        return Err(refuse("is not a regular file".to_owned()));
    }
    let own = rustix::process::geteuid().as_raw();
    if facts.uid() != own && facts.uid() != 0 {
        return Err(refuse(format!(
            "belongs to user id {}, expected {own} or root",
            facts.uid()
        )));
    }
    let forbidden = match readers {
        Readers::OwnerOnly => 0o077,
        Readers::Service => 0o037,
    };
    let mode = facts.mode() & 0o777;
    if mode & forbidden != 0 {
        return Err(refuse(format!(
            "has mode {mode:04o}, expected 0600 or 0400"
        )));
    }
    if facts.len() > MAX_PIN_BYTES {
        return Err(refuse(format!(
            "has {} bytes, at most {MAX_PIN_BYTES} are a PIN",
            facts.len()
        )));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_PIN_BYTES as usize + 1));
    (&mut file)
        .take(MAX_PIN_BYTES)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| refuse("is not UTF-8".to_owned()))?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(refuse("is empty".to_owned()));
    }
    Ok(Pin(Zeroizing::new(text.to_owned())))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn pin_file(content: &str, mode: u32) -> (tempfile::TempDir, PinSource) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pin");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (directory, PinSource::File(path))
    }

    fn refusal(content: &str, mode: u32) -> String {
        let (_directory, source) = pin_file(content, mode);
        source.read().unwrap_err().to_string()
    }

    #[test]
    fn a_trailing_newline_is_not_part_of_the_pin() {
        for content in ["1234", "1234\n", "1234\r\n"] {
            let (_directory, source) = pin_file(content, 0o600);
            assert_eq!(source.read().unwrap().0.as_str(), "1234");
        }
    }

    #[test]
    fn a_pin_file_that_others_may_read_is_refused() {
        assert!(refusal("1234", 0o644).ends_with("has mode 0644, expected 0600 or 0400"));
        assert!(refusal("1234", 0o640).ends_with("has mode 0640, expected 0600 or 0400"));
    }

    #[test]
    fn an_empty_a_huge_and_a_missing_pin_file_are_refused() {
        assert!(refusal("\n", 0o600).ends_with("is empty"));
        assert!(refusal(&"1".repeat(1025), 0o600).ends_with("at most 1024 are a PIN"));
        let missing = PinSource::File("/nonexistent/pin".into())
            .read()
            .unwrap_err();
        assert!(missing.to_string().contains("No such file"), "{missing}");
        assert!(missing.remedy().unwrap().contains("mode 0600"));
    }

    #[test]
    fn a_credential_name_may_not_leave_its_directory() {
        let source = PinSource::parse("$CREDENTIALS_DIRECTORY/../pin", Path::new("/etc/dta"));
        let problem = source.read().unwrap_err().to_string();
        assert!(
            problem.ends_with("must name a credential without any directory"),
            "{problem}"
        );
    }

    #[test]
    fn a_pin_is_never_printed() {
        let (_directory, source) = pin_file("1234", 0o600);
        assert_eq!(format!("{:?}", source.read().unwrap()), "Pin(..)");
    }
}
