//! The passphrase over a holder's key file. It refuses to print itself, and to be weak when it is chosen.

use std::fmt;
use std::path::Path;

use age::secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::files::{self, FileError};

/// Fewest characters of a passphrase that is chosen anew.
pub const SHORTEST: usize = 12;
/// Fewest different characters of a passphrase that is chosen anew.
pub const FEWEST_DIFFERENT: usize = 6;
const LONGEST_FILE: u64 = 4096;

/// A passphrase. Zeroised on drop; `Debug` prints `Passphrase(..)`.
pub struct Passphrase(SecretString);

/// Why a passphrase is not good enough to protect a key, or could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PassphraseError {
    /// Fewer than [`SHORTEST`] characters.
    #[error("the passphrase has {0} characters; at least {SHORTEST} are needed")]
    Short(usize),
    /// Fewer than [`FEWEST_DIFFERENT`] different characters.
    #[error(
        "the passphrase repeats {0} characters; at least {FEWEST_DIFFERENT} different ones are needed"
    )]
    Monotonous(usize),
    /// It contains the holder's name, and little else.
    #[error("the passphrase is little more than the holder's name")]
    Name,
    /// Nothing was entered.
    #[error("the passphrase is empty")]
    Empty,
    /// The two entries differ.
    #[error("the two entries differ")]
    Differ,
    /// Not UTF-8.
    #[error("the passphrase is not UTF-8 text")]
    NotText,
    /// The file that holds it.
    #[error("the passphrase file cannot be used")]
    File(#[from] FileError),
}

impl PassphraseError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Short(_) | Self::Monotonous(_) | Self::Name => {
                Some("five or six unrelated words make a good passphrase")
            }
            Self::Empty | Self::Differ => Some("enter it again"),
            Self::NotText => Some("save the file as UTF-8"),
            Self::File(error) => error.remedy(),
        }
    }
}

impl Passphrase {
    /// A passphrase that opens something: anything but nothing is tried.
    ///
    /// # Errors
    /// [`PassphraseError::Empty`].
    pub fn entered(text: String) -> Result<Self, PassphraseError> {
        let text = SecretString::from(text);
        if text.expose_secret().is_empty() {
            Err(PassphraseError::Empty)
        } else {
            Ok(Self(text))
        }
    }

    /// A passphrase chosen now for the holder `name`: long and varied enough to be worth its scrypt.
    ///
    /// # Errors
    /// Says what is missing.
    pub fn chosen(text: String, name: &str) -> Result<Self, PassphraseError> {
        let passphrase = Self::entered(text)?;
        let characters = Zeroizing::new(passphrase.expose().chars().collect::<Vec<_>>());
        if characters.len() < SHORTEST {
            return Err(PassphraseError::Short(characters.len()));
        }
        let mut different = Zeroizing::new(characters.to_vec());
        different.sort_unstable();
        different.dedup();
        if different.len() < FEWEST_DIFFERENT {
            return Err(PassphraseError::Monotonous(different.len()));
        }
        let lower = Zeroizing::new(passphrase.expose().to_lowercase());
        let rest = Zeroizing::new(lower.replace(&name.to_lowercase(), ""));
        if rest.chars().count() < SHORTEST / 2 {
            return Err(PassphraseError::Name);
        }
        Ok(passphrase)
    }

    /// The first line of a file; the line end is not part of it.
    ///
    /// # Errors
    /// [`PassphraseError::File`] (unreadable, or readable by everybody), `Empty`, `NotText`.
    pub fn from_file(path: &Path) -> Result<Self, PassphraseError> {
        Self::entered(first_line(path)?)
    }

    /// As [`Passphrase::from_file`], with the demands of [`Passphrase::chosen`].
    ///
    /// # Errors
    /// Those of both.
    pub fn chosen_from_file(path: &Path, name: &str) -> Result<Self, PassphraseError> {
        Self::chosen(first_line(path)?, name)
    }

    /// Whether both are the same text, in constant time for equal lengths.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        let (a, b) = (self.expose().as_bytes(), other.expose().as_bytes());
        aws_lc_rs::constant_time::verify_slices_are_equal(a, b).is_ok()
    }

    pub(crate) fn secret(&self) -> SecretString {
        self.0.clone()
    }

    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

pub(crate) fn first_line(path: &Path) -> Result<String, PassphraseError> {
    let bytes = files::read_secret(path, LONGEST_FILE)?;
    let line = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    std::str::from_utf8(line)
        .map(str::to_owned)
        .map_err(|_| PassphraseError::NotText)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        Passphrase::chosen(text.into(), "alice")
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_weak_new_passphrase_is_refused_and_the_reason_named() {
        assert_eq!(
            refusal("hunter2"),
            "the passphrase has 7 characters; at least 12 are needed"
        );
        assert_eq!(
            refusal("aaaaaaaaaaaaaab"),
            "the passphrase repeats 2 characters; at least 6 different ones are needed"
        );
        assert_eq!(
            refusal("Alice-Alice-1"),
            "the passphrase is little more than the holder's name"
        );
        assert_eq!(refusal(""), "the passphrase is empty");
        assert!(Passphrase::chosen("correct horse battery".into(), "alice").is_ok());
    }

    #[test]
    fn a_passphrase_file_is_its_first_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p");
        files::create(
            &path,
            b"correct horse battery\r\nsecond line",
            files::Privacy::Secret,
        )
        .unwrap();
        let read = Passphrase::from_file(&path).unwrap();
        assert!(read.is_same_as(&Passphrase::entered("correct horse battery".into()).unwrap()));
        assert_eq!(format!("{read:?}"), "Passphrase(..)");
    }
}
