//! Share files: one share, sealed to its holder.
//!
//! `SETID-EPOCH-INDEX-COPY.share` is an armored age file for the holder's recipient. Its plaintext is the line
//! `dta share file v1 plain\n` and then the encoding of [`quorum::Share`]. The last word of that line says what lies over the
//! share inside the age file; a PIN, when there is one, will be another word. This module neither judges a share nor
//! decides who gets it.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use age::armor::ArmoredReader;
use quorum::{Epoch, SetId, Share, ShareError, ShareIndex};
use zeroize::Zeroizing;

use crate::files::{self, FileError, Privacy};
use crate::holder::{HolderSecrets, ShareRecipient};

const HEADER: &[u8] = b"dta share file v1 plain\n";
const HEADER_BEGINS: &[u8] = b"dta share file ";
const ARMOR_BEGINS: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";
const LONGEST_FILE: u64 = 16 * 1024;
const LONGEST_PLAINTEXT: usize = 1024;

/// The name of a share file: `SETID-EPOCH-INDEX-COPY.share`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareFileName {
    /// The set it belongs to, 32 hex digits.
    pub set_id: SetId,
    /// The epoch of that set.
    pub epoch: Epoch,
    /// Which share, 1 to 16.
    pub index: ShareIndex,
    /// Which copy of it, from 1: duplicate sets have 2 and more.
    pub copy: u8,
}

impl fmt::Display for ShareFileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}-{}-{}-{}.share",
            self.set_id, self.epoch, self.index, self.copy
        )
    }
}

/// A text that is not the name of a share file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a share file: SETID-EPOCH-INDEX-COPY.share")]
pub struct BadShareFileName;

impl FromStr for ShareFileName {
    type Err = BadShareFileName;

    fn from_str(text: &str) -> Result<Self, BadShareFileName> {
        let mut parts = text
            .strip_suffix(".share")
            .ok_or(BadShareFileName)?
            .split('-');
        let mut part = || parts.next().ok_or(BadShareFileName);
        let (set_id, epoch, index, copy) = (part()?, part()?, part()?, part()?);
        let name = Self {
            set_id: set_id.parse().map_err(|_| BadShareFileName)?,
            epoch: Epoch::new(epoch.parse().map_err(|_| BadShareFileName)?),
            index: index
                .parse()
                .ok()
                .and_then(|i| ShareIndex::new(i).ok())
                .ok_or(BadShareFileName)?,
            copy: copy.parse().map_err(|_| BadShareFileName)?,
        };
        // One name, one spelling: leading zeros, signs and further parts do not print the same.
        if name.to_string() == text {
            Ok(name)
        } else {
            Err(BadShareFileName)
        }
    }
}

/// Why a share file could not be written or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShareFileError {
    /// The file itself.
    #[error("the share file cannot be used")]
    File(#[from] FileError),
    /// Not an age file.
    #[error("{} is not a share file", .0.display())]
    NotAShareFile(PathBuf),
    /// An age file under a passphrase, such as a holder's key file.
    #[error("{} is sealed to a passphrase, not to a holder: it is not a share file (a holder key file, perhaps)", .0.display())]
    SealedToAPassphrase(PathBuf),
    /// Sealed to somebody else.
    #[error("{} is not sealed to the key of {holder}: it is another holder's share", path.display())]
    NotForThisHolder {
        /// The file in question.
        path: PathBuf,
        /// Whose key was tried.
        holder: String,
    },
    /// Its bytes changed, or some are missing.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file in question.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A share file of a later version, or under a PIN that this tool does not know.
    #[error("{} has a form that this version of dta does not know: {form}", path.display())]
    UnknownForm {
        /// The file in question.
        path: PathBuf,
        /// The words after `dta share file`.
        form: String,
    },
    /// It opens, and is no share.
    #[error("{} opens, but what is in it is not a share", path.display())]
    Share {
        /// The file in question.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: ShareError,
    },
    /// age failed to seal.
    #[error("cannot seal the share for {}", path.display())]
    Seal {
        /// The file that was to be written.
        path: PathBuf,
        /// What age said.
        #[source]
        source: Box<age::EncryptError>,
    },
}

impl ShareFileError {
    /// The verdict in one word where it is the share, not its file, that is refused.
    #[must_use]
    pub fn verdict(&self) -> Option<&'static str> {
        match self {
            Self::NotForThisHolder { .. } => Some("wrong-holder"),
            Self::Damaged { .. } | Self::Share { .. } => Some("damaged"),
            _ => None,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::File(error) => error.remedy(),
            Self::NotAShareFile(_) | Self::SealedToAPassphrase(_) => {
                Some("pass the file that ends in .share")
            }
            Self::NotForThisHolder { .. } => {
                Some("use your own share; each holder enters only that")
            }
            Self::Damaged { .. } | Self::Share { .. } => {
                Some("use another copy of this share, or let another holder enter one")
            }
            Self::UnknownForm { .. } => {
                Some("use the version of dta that wrote it, or a newer one")
            }
            Self::Seal { .. } => None,
        }
    }
}

/// A share as its holder opened it. Zeroised on drop.
#[derive(Debug)]
pub struct OpenedShare {
    share: Share,
    encoded: Zeroizing<Vec<u8>>,
}

impl OpenedShare {
    /// Where it belongs.
    #[must_use]
    pub fn share(&self) -> &Share {
        &self.share
    }

    /// Its encoding, as it is offered to a [`quorum::Collector`].
    #[must_use]
    pub fn encoded(&self) -> &[u8] {
        &self.encoded
    }

    /// The encoding alone.
    #[must_use]
    pub fn into_encoded(self) -> Zeroizing<Vec<u8>> {
        self.encoded
    }
}

/// Seals `share` to `recipient` and writes it into `dir` as copy number `copy`; returns its path.
///
/// # Errors
/// [`ShareFileError::File`], also when the file exists; [`ShareFileError::Seal`].
pub fn write(
    dir: &Path,
    copy: u8,
    share: &Share,
    recipient: &ShareRecipient,
) -> Result<PathBuf, ShareFileError> {
    let name = ShareFileName {
        set_id: share.set_id,
        epoch: share.epoch,
        index: share.index(),
        copy,
    };
    let path = dir.join(name.to_string());
    let encoded = share.encode();
    let mut plaintext = Zeroizing::new(Vec::with_capacity(HEADER.len() + encoded.len()));
    plaintext.extend_from_slice(HEADER);
    plaintext.extend_from_slice(&encoded);
    let sealed = age::encrypt_and_armor(recipient.as_age(), &plaintext).map_err(|source| {
        ShareFileError::Seal {
            path: path.clone(),
            source: Box::new(source),
        }
    })?;
    files::create(&path, sealed.as_bytes(), Privacy::Secret)?;
    Ok(path)
}

/// Opens the share file at `path` with a holder's key.
///
/// # Errors
/// Says whether the file, its kind, its holder or its contents are wrong.
pub fn open(path: &Path, holder: &HolderSecrets) -> Result<OpenedShare, ShareFileError> {
    let sealed = files::read(path, LONGEST_FILE)?;
    let plaintext = unseal(path, &sealed, holder)?;
    let encoded = match plaintext.strip_prefix(HEADER) {
        Some(encoded) => Zeroizing::new(encoded.to_vec()),
        None => return Err(unknown_form(path, &plaintext)),
    };
    let share = Share::decode(&encoded).map_err(|source| ShareFileError::Share {
        path: path.to_owned(),
        source,
    })?;
    Ok(OpenedShare { share, encoded })
}

fn unseal(
    path: &Path,
    sealed: &[u8],
    holder: &HolderSecrets,
) -> Result<Zeroizing<Vec<u8>>, ShareFileError> {
    let path = || path.to_owned();
    let decryptor = age::Decryptor::new_buffered(ArmoredReader::new(sealed)).map_err(|_| {
        match sealed.starts_with(ARMOR_BEGINS) {
            true => ShareFileError::Damaged {
                path: path(),
                reason: "its text was changed or cut",
            },
            false => ShareFileError::NotAShareFile(path()),
        }
    })?;
    if decryptor.is_scrypt() {
        return Err(ShareFileError::SealedToAPassphrase(path()));
    }
    let identity: &dyn age::Identity = holder.identity();
    let reader = decryptor
        .decrypt(std::iter::once(identity))
        .map_err(|error| match error {
            age::DecryptError::NoMatchingKeys => ShareFileError::NotForThisHolder {
                path: path(),
                holder: holder.name().to_string(),
            },
            _ => ShareFileError::Damaged {
                path: path(),
                reason: "its header was changed",
            },
        })?;
    let mut plaintext = Zeroizing::new(Vec::with_capacity(LONGEST_PLAINTEXT + 1));
    reader
        .take(LONGEST_PLAINTEXT as u64 + 1)
        .read_to_end(&mut plaintext)
        .map_err(|_| ShareFileError::Damaged {
            path: path(),
            reason: "its contents were changed or cut",
        })?;
    Ok(plaintext)
}

fn unknown_form(path: &Path, plaintext: &[u8]) -> ShareFileError {
    let path = path.to_owned();
    match plaintext
        .strip_prefix(HEADER_BEGINS)
        .and_then(|rest| rest.split(|byte| *byte == b'\n').next())
    {
        Some(form) => ShareFileError::UnknownForm {
            path,
            form: String::from_utf8_lossy(form).chars().take(40).collect(),
        },
        None => ShareFileError::NotAShareFile(path),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::testing::Dealt;

    #[test]
    fn a_share_file_opens_for_its_holder_with_mode_0600() {
        let dealt = Dealt::new(2, 3);
        let dir = tempfile::tempdir().unwrap();
        let path = dealt.write_share(dir.path(), 2);
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let name: ShareFileName = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
        assert_eq!((name.index.get(), name.copy), (2, 1));
        let opened = open(&path, &dealt.holders[1]).unwrap();
        assert_eq!(opened.encoded(), dealt.shares[1].encode().as_slice());
        assert!(!format!("{opened:?}").contains(&hex::encode(&opened.encoded()[71..103])));
    }

    #[test]
    fn a_colleagues_share_is_refused_and_named() {
        let dealt = Dealt::new(2, 3);
        let dir = tempfile::tempdir().unwrap();
        let path = dealt.write_share(dir.path(), 2);
        let error = open(&path, &dealt.holders[0]).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("is not sealed to the key of holder-1: it is another holder's share")
        );
        assert_eq!(
            error.remedy(),
            Some("use your own share; each holder enters only that")
        );
        assert_eq!(error.verdict(), Some("wrong-holder"));
    }

    #[test]
    fn a_share_file_is_never_overwritten() {
        let dealt = Dealt::new(1, 2);
        let dir = tempfile::tempdir().unwrap();
        dealt.write_share(dir.path(), 1);
        let again = write(
            dir.path(),
            1,
            &dealt.shares[0],
            &dealt.holders[0].public().recipient,
        );
        assert!(matches!(
            again,
            Err(ShareFileError::File(FileError::Exists(_)))
        ));
    }

    #[test]
    fn damage_and_other_files_are_told_apart() {
        let dealt = Dealt::new(1, 1);
        let dir = tempfile::tempdir().unwrap();
        let path = dealt.write_share(dir.path(), 1);
        let bytes = std::fs::read(&path).unwrap();
        let attempt = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            open(&path, &dealt.holders[0]).unwrap_err().to_string()
        };
        assert!(attempt("text", b"hello").ends_with("is not a share file"));
        assert!(attempt("empty", b"").ends_with("is not a share file"));
        let mut damaged = bytes.clone();
        let at = bytes.len() - 50;
        damaged[at] = if damaged[at] == b'A' { b'B' } else { b'A' };
        assert!(attempt("damaged", &damaged).contains("is damaged"));
        assert!(attempt("cut", &bytes[..bytes.len() - 60]).contains("is damaged"));
        let recipient = dealt.holders[0].public().recipient.as_age();
        let sealed = |plain: &[u8]| {
            age::encrypt_and_armor(recipient, plain)
                .unwrap()
                .into_bytes()
        };
        assert!(
            attempt("newer", &sealed(b"dta share file v1 pin\nx"))
                .ends_with("does not know: v1 pin")
        );
        assert!(
            attempt("not", &sealed(b"dta share file v1 plain\nx"))
                .ends_with("what is in it is not a share")
        );
    }

    #[test]
    fn share_file_names_have_one_spelling() {
        let good = format!("{}-1-16-1.share", "ab".repeat(16));
        assert_eq!(good.parse::<ShareFileName>().unwrap().to_string(), good);
        for bad in [
            "",
            "x.share",
            &good.replace("-16-", "-017-"),
            &good.replace("-1-", "-01-"),
            &good.replace("-16-", "-17-"),
        ] {
            assert_eq!(
                bad.parse::<ShareFileName>().unwrap_err().to_string(),
                "not the name of a share file: SETID-EPOCH-INDEX-COPY.share"
            );
        }
    }
}
