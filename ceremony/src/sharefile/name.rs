//! What a share file is called.

use std::fmt;
use std::str::FromStr;

use quorum::{Epoch, SetId, ShareIndex};

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
