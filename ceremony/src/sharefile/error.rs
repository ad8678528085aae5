//! Why a share file cannot be written or opened.

use std::path::PathBuf;

use quorum::ShareError;

use crate::files::FileError;
use crate::holder::MissingPlugin;
use crate::pin::PinError;

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
    /// The age plugin that the holder's key needs is not here.
    #[error(transparent)]
    NoPlugin(#[from] MissingPlugin),
    /// The age plugin that the holder's key needs failed.
    #[error("the age plugin of the holder's key failed: {0}")]
    Plugin(String),
    /// Its bytes changed, or some are missing.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file in question.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// It is under a PIN, and none was given.
    #[error("{} is under a PIN, and no PIN was given", .0.display())]
    PinNeeded(PathBuf),
    /// The PIN is not the one of this copy.
    #[error("wrong PIN for {}; the share is unharmed", .0.display())]
    WrongPin(PathBuf),
    /// The PIN, or the layer under it.
    #[error("the PIN of {} cannot be used", path.display())]
    Pin {
        /// The file in question.
        path: PathBuf,
        /// Why not.
        #[source]
        source: PinError,
    },
    /// A share file of a later version, or of a form that this tool does not know.
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
            Self::NoPlugin(_) => Some("install the plugin, or use the machine that has it"),
            Self::Plugin(_) => Some("plug in the hardware key and try again"),
            Self::Damaged { .. } | Self::Share { .. } => {
                Some("use another copy of this share, or let another holder enter one")
            }
            Self::PinNeeded(_) => Some("run it on a terminal, or pass --pin-file"),
            Self::WrongPin(_) => {
                Some("enter the PIN of this very copy; copies may have other ones")
            }
            Self::Pin { source, .. } => source.remedy(),
            Self::UnknownForm { .. } => {
                Some("use the version of dta that wrote it, or a newer one")
            }
            Self::Seal { .. } => None,
        }
    }
}
