//! Share files: one share, sealed to its holder.
//!
//! `SETID-EPOCH-INDEX-COPY.share` is an armored age file for the holder's recipient. Its plaintext is the line
//! `dta share file v1 plain\n` and then the encoding of [`quorum::Share`], or the line `dta share file v1 pin\n` and then
//! that encoding under a PIN ([`crate::pin`]). A share has one or more copies, each with a PIN of its own or none. This
//! module neither judges a share nor decides who gets it.

mod error;
mod name;

use std::io::Read;
use std::path::{Path, PathBuf};

use age::armor::ArmoredReader;
use quorum::{Share, ShareHeader};
use zeroize::Zeroizing;

pub use error::ShareFileError;
pub use name::{BadShareFileName, ShareFileName};

use crate::files::{self, Privacy};
use crate::holder::{CannotSeal, HolderSecrets, ShareRecipient};
use crate::pin::{self, PinCost, PinnedShare, SharePin};

const PLAIN: &[u8] = b"dta share file v1 plain\n";
const UNDER_PIN: &[u8] = b"dta share file v1 pin\n";
const HEADER_BEGINS: &[u8] = b"dta share file ";
const ARMOR_BEGINS: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";
const LONGEST_FILE: u64 = 16 * 1024;
const LONGEST_PLAINTEXT: usize = 1024;

/// Which copy of a share is written, and what lies over it.
#[derive(Clone, Copy, Debug)]
pub struct ShareCopy<'a> {
    number: u8,
    pin: Option<(&'a SharePin, PinCost)>,
}

impl From<u8> for ShareCopy<'_> {
    /// Copy `number`, from 1, without a PIN.
    fn from(number: u8) -> Self {
        Self { number, pin: None }
    }
}

impl<'a> ShareCopy<'a> {
    /// Copy `number`, from 1, under `pin` if there is one.
    #[must_use]
    pub fn new(number: u8, pin: Option<&'a SharePin>) -> Self {
        Self {
            number,
            pin: pin.map(|pin| (pin, PinCost::STANDARD)),
        }
    }

    /// As [`ShareCopy::new`] with next to no work behind the PIN, so that tests do not wait. Release builds do not have it.
    #[cfg(any(test, debug_assertions))]
    #[must_use]
    pub fn weakly(number: u8, pin: &'a SharePin) -> Self {
        Self {
            number,
            pin: Some((pin, PinCost::weak())),
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
    pub(crate) fn decode(encoded: Zeroizing<Vec<u8>>, path: &Path) -> Result<Self, ShareFileError> {
        match Share::decode(&encoded) {
            Ok(share) => Ok(Self { share, encoded }),
            Err(source) => Err(ShareFileError::Share {
                path: path.to_owned(),
                source,
            }),
        }
    }

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

/// A share file that its holder's key has opened, and whose share may still be under a PIN.
#[derive(Debug)]
pub enum Unsealed {
    /// No PIN lies over the share.
    Plain(OpenedShare),
    /// The share is under a PIN.
    UnderPin(UnderPin),
}

impl Unsealed {
    /// What the share says of itself; a PIN is not needed for it.
    #[must_use]
    pub fn header(&self) -> ShareHeader {
        match self {
            Self::Plain(opened) => opened.share.header(),
            Self::UnderPin(closed) => closed.pinned.header().clone(),
        }
    }

    /// The share, without a PIN.
    ///
    /// # Errors
    /// [`ShareFileError::PinNeeded`].
    pub fn without_pin(self) -> Result<OpenedShare, ShareFileError> {
        match self {
            Self::Plain(opened) => Ok(opened),
            Self::UnderPin(closed) => Err(closed.pin_needed()),
        }
    }

    /// The share; `pin` is for one that is under a PIN.
    ///
    /// # Errors
    /// [`ShareFileError::PinNeeded`], [`ShareFileError::WrongPin`].
    pub fn with_pin(self, pin: Option<&SharePin>) -> Result<OpenedShare, ShareFileError> {
        match (self, pin) {
            (Self::UnderPin(closed), Some(pin)) => closed.open(pin),
            (plain, _) => plain.without_pin(),
        }
    }

    /// Reads what was inside the seal. `path` is what errors call it.
    pub(crate) fn parse(plaintext: &[u8], path: &Path) -> Result<Self, ShareFileError> {
        if let Some(encoded) = plaintext.strip_prefix(PLAIN) {
            let encoded = Zeroizing::new(encoded.to_vec());
            return OpenedShare::decode(encoded, path).map(Self::Plain);
        }
        match plaintext.strip_prefix(UNDER_PIN) {
            Some(layer) => UnderPin::parse(layer, path).map(Self::UnderPin),
            None => Err(unknown_form(path, plaintext)),
        }
    }
}

/// A share under a PIN. A wrong PIN leaves it as it is.
#[derive(Debug)]
pub struct UnderPin {
    pinned: PinnedShare,
    path: PathBuf,
}

impl UnderPin {
    pub(crate) fn pin_needed(&self) -> ShareFileError {
        ShareFileError::PinNeeded(self.path.clone())
    }

    pub(crate) fn parse(layer: &[u8], path: &Path) -> Result<Self, ShareFileError> {
        match PinnedShare::parse(layer) {
            Ok(pinned) => Ok(Self {
                pinned,
                path: path.to_owned(),
            }),
            Err(source) => Err(ShareFileError::Pin {
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// The share.
    ///
    /// # Errors
    /// [`ShareFileError::WrongPin`]; also when the machine has no room for the work behind the PIN.
    pub fn open(&self, pin: &SharePin) -> Result<OpenedShare, ShareFileError> {
        match self.pinned.open(pin) {
            Ok(Ok(encoded)) => OpenedShare::decode(encoded, &self.path),
            Ok(Err(_)) => Err(ShareFileError::WrongPin(self.path.clone())),
            Err(source) => Err(ShareFileError::Pin {
                path: self.path.clone(),
                source,
            }),
        }
    }
}

/// Seals `share` to `recipient` and writes it into `dir`; returns its path. `copy` may be a bare number: without a PIN.
///
/// # Errors
/// [`ShareFileError::File`], also when the file exists; [`ShareFileError::Seal`].
pub fn write<'a>(
    dir: &Path,
    copy: impl Into<ShareCopy<'a>>,
    share: &Share,
    recipient: &ShareRecipient,
) -> Result<PathBuf, ShareFileError> {
    let copy = copy.into();
    let name = ShareFileName {
        set_id: share.set_id,
        epoch: share.epoch,
        index: share.index(),
        copy: copy.number,
    };
    let path = dir.join(name.to_string());
    let plaintext = plaintext(copy, share, &path)?;
    let sealed = recipient.seal(&plaintext).map_err(|error| match error {
        CannotSeal::Plugin(missing) => ShareFileError::NoPlugin(missing),
        CannotSeal::Age(source) => ShareFileError::Seal {
            path: path.clone(),
            source: Box::new(source),
        },
    })?;
    files::create(&path, sealed.as_bytes(), Privacy::Secret)?;
    Ok(path)
}

/// What goes inside the seal. `path` is what errors call it.
pub(crate) fn plaintext(
    copy: ShareCopy<'_>,
    share: &Share,
    path: &Path,
) -> Result<Zeroizing<Vec<u8>>, ShareFileError> {
    let encoded = share.encode();
    let mut plaintext = Zeroizing::new(Vec::with_capacity(LONGEST_PLAINTEXT));
    match copy.pin {
        None => {
            plaintext.extend_from_slice(PLAIN);
            plaintext.extend_from_slice(&encoded);
        }
        Some((pin, cost)) => {
            let layer = pin::seal(&encoded, pin, cost).map_err(|source| ShareFileError::Pin {
                path: path.to_owned(),
                source,
            })?;
            plaintext.extend_from_slice(UNDER_PIN);
            plaintext.extend_from_slice(&layer);
        }
    }
    Ok(plaintext)
}

/// Opens the share file at `path`, over whose share there is no PIN, with a holder's key.
///
/// # Errors
/// Says whether the file, its kind, its holder or its contents are wrong; [`ShareFileError::PinNeeded`].
pub fn open(path: &Path, holder: &HolderSecrets) -> Result<OpenedShare, ShareFileError> {
    unseal(path, holder)?.without_pin()
}

/// Opens the share file at `path` with a holder's key, as far as that goes without a PIN.
///
/// # Errors
/// Says whether the file, its kind, its holder or its contents are wrong.
pub fn unseal(path: &Path, holder: &HolderSecrets) -> Result<Unsealed, ShareFileError> {
    let sealed = files::read(path, LONGEST_FILE)?;
    Unsealed::parse(&decrypt(path, &sealed, holder)?, path)
}

/// What can be told of a share file without its holder's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outside {
    /// What its name says; `None` when it was given another name.
    pub name: Option<ShareFileName>,
}

/// Reads a share file from outside.
///
/// # Errors
/// When it is no share file.
pub fn look_at(path: &Path) -> Result<Outside, ShareFileError> {
    let sealed = files::read(path, LONGEST_FILE)?;
    decryptor(path, &sealed)?;
    let name = path.file_name().and_then(|name| name.to_str());
    Ok(Outside {
        name: name.and_then(|name| name.parse().ok()),
    })
}

fn decrypt(
    path: &Path,
    sealed: &[u8],
    holder: &HolderSecrets,
) -> Result<Zeroizing<Vec<u8>>, ShareFileError> {
    let decryptor = decryptor(path, sealed)?;
    let path = || path.to_owned();
    let identity = holder.identity()?;
    let reader = decryptor
        .decrypt(std::iter::once(identity.as_ref()))
        .map_err(|error| match error {
            age::DecryptError::NoMatchingKeys => ShareFileError::NotForThisHolder {
                path: path(),
                holder: holder.name().to_string(),
            },
            age::DecryptError::Plugin(errors) => ShareFileError::Plugin(
                errors
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join("; "),
            ),
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

/// Tells a share file from other files.
fn decryptor<'s>(
    path: &Path,
    sealed: &'s [u8],
) -> Result<age::Decryptor<impl Read + 's>, ShareFileError> {
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
    Ok(decryptor)
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
mod tests;
