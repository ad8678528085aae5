//! Who sits at the ceremony, as the ceremony sees them: a clock, a place to report to, holders who come one after another.

use quorum::{ShareIndex, Threshold, Timestamp};

use crate::holder::{HolderName, HolderSecrets, HolderSecretsError};
use crate::passphrase::PassphraseError;
use crate::pin::SharePin;
use crate::plan::{PlannedHolder, SetPlan};
use crate::prompts::AskError;
use crate::transcript::StepRecord;

/// What a ceremony needs of the room it is held in.
pub trait Desk {
    /// The machine's clock.
    fn now(&self) -> Timestamp;

    /// A step is done; `total` is how many there will be.
    fn report(&mut self, step: &StepRecord, total: u32);

    /// It is the turn of this holder, who opens the own key.
    ///
    /// # Errors
    /// When the holder does not, and the ceremony cannot go on.
    fn call(&mut self, seat: Seat<'_>) -> Result<HolderSecrets, DeskError>;

    /// The PIN that the holder wants over copy number `copy`; none unless the room can ask.
    ///
    /// # Errors
    /// When the holder does not come to one, and the ceremony cannot go on.
    fn pin(&mut self, _seat: Seat<'_>, _copy: u8) -> Result<Option<SharePin>, DeskError> {
        Ok(None)
    }

    /// The holder's share is written, read back and confirmed.
    fn thank(&mut self, seat: Seat<'_>);
}

/// One holder's place in the ceremony.
#[derive(Clone, Copy, Debug)]
pub struct Seat<'a> {
    /// The share that this holder gets.
    pub index: ShareIndex,
    /// M of N.
    pub threshold: Threshold,
    /// Who it is.
    pub holder: &'a PlannedHolder,
}

/// Why a holder's key was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeskError {
    /// Nobody brought this key.
    #[error("the key of {0} is not among those given")]
    Absent(HolderName),
    /// The key file.
    #[error("the key of {holder} cannot be opened")]
    Key {
        /// Whose.
        holder: String,
        /// Why.
        #[source]
        source: HolderSecretsError,
    },
    /// The passphrase.
    #[error("the passphrase for the key of {holder} cannot be had")]
    Passphrase {
        /// Whose.
        holder: String,
        /// Why.
        #[source]
        source: PassphraseError,
    },
    /// The PIN over a copy.
    #[error("there is no PIN for copy {copy} of {holder}")]
    Pin {
        /// Whose.
        holder: String,
        /// Which copy.
        copy: u8,
        /// Why.
        #[source]
        source: Box<AskError>,
    },
    /// Nobody is there to ask.
    #[error("there is no terminal to ask for {0} on")]
    NoTerminal(String),
    /// The terminal failed.
    #[error("the terminal cannot be read")]
    Terminal(#[from] std::io::Error),
}

impl DeskError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Absent(_) => {
                Some("pass --holder-key and --passphrase-file once for each holder of the plan")
            }
            Self::Key { source, .. } => source.remedy(),
            Self::Passphrase { source, .. } => source.remedy(),
            Self::Pin { source, .. } => source.remedy(),
            Self::NoTerminal(_) => Some("run it on a terminal, or pass --passphrase-file"),
            Self::Terminal(_) => None,
        }
    }
}

/// A desk without people: every key was opened before, reports are collected.
pub struct KeysAtHand<C> {
    keys: Vec<HolderSecrets>,
    pins: Vec<PinAtHand>,
    clock: C,
    report: fn(&StepRecord, u32),
}

/// The PIN over one copy of one holder's share.
#[derive(Debug)]
pub struct PinAtHand {
    /// Whose share.
    pub holder: HolderName,
    /// Which copy, from 1.
    pub copy: u8,
    /// The PIN.
    pub pin: SharePin,
}

impl<C: Fn() -> Timestamp> KeysAtHand<C> {
    /// A desk for these keys, in any order.
    pub fn new(keys: Vec<HolderSecrets>, clock: C, report: fn(&StepRecord, u32)) -> Self {
        Self {
            keys,
            pins: Vec::new(),
            clock,
            report,
        }
    }

    /// The same with PINs for some copies; the others have none.
    #[must_use]
    pub fn with_pins(self, pins: Vec<PinAtHand>) -> Self {
        Self { pins, ..self }
    }

    /// Whether the key of every holder of `set` is there.
    ///
    /// # Errors
    /// [`DeskError::Absent`] names the first holder whose key is not.
    pub fn suffices_for(&self, set: &SetPlan) -> Result<(), DeskError> {
        let is_here = |holder: &&PlannedHolder| {
            self.keys
                .iter()
                .any(|key| key.public().sign_key == holder.sign_key)
        };
        match set.holders.iter().find(|holder| !is_here(holder)) {
            Some(absent) => Err(DeskError::Absent(absent.name.clone())),
            None => Ok(()),
        }
    }
}

impl<C: Fn() -> Timestamp> Desk for KeysAtHand<C> {
    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    fn report(&mut self, step: &StepRecord, total: u32) {
        (self.report)(step, total);
    }

    fn call(&mut self, seat: Seat<'_>) -> Result<HolderSecrets, DeskError> {
        let wanted = &seat.holder.sign_key;
        let at = self
            .keys
            .iter()
            .position(|key| key.public().sign_key == *wanted);
        at.map(|at| self.keys.swap_remove(at))
            .ok_or_else(|| DeskError::Absent(seat.holder.name.clone()))
    }

    fn pin(&mut self, seat: Seat<'_>, copy: u8) -> Result<Option<SharePin>, DeskError> {
        let wanted = |pin: &PinAtHand| pin.holder == seat.holder.name && pin.copy == copy;
        let at = self.pins.iter().position(wanted);
        Ok(at.map(|at| self.pins.swap_remove(at).pin))
    }

    fn thank(&mut self, _: Seat<'_>) {}
}
