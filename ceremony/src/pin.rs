//! The PIN or passphrase over one copy of a share, as on a PED key: another layer inside the sealed file.
//!
//! Digits (4 to 48) are a confirmation: they keep a share from being entered by mistake or by who found it lying about. They
//! protect nothing once file and holder key are both stolen, for all short PINs can be tried; a passphrase does. Both go
//! through Argon2id. The layer, version 1 (integers big endian):
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 1 | function, 1: Argon2id, version 0x13 |
//! | 1 | 4 | memory in KiB |
//! | 5 | 4 | passes |
//! | 9 | 1 | lanes |
//! | 10 | 16 | salt |
//! | 26 | 12 | nonce |
//! | 38 | 65 + L | the share's header in the clear ([`quorum::ShareHeader`]) |
//! | 103 + L | 56 | AES-256-GCM of the rest of the share (value, checksum), with its tag |
//!
//! The AAD is `dta share pin v1\n` and everything before the ciphertext. This module does not ask for PINs and counts no
//! tries: whoever asks does.

use std::fmt;
use std::path::Path;

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use quorum::{ShareError, ShareHeader};
use zeroize::Zeroizing;

use crate::passphrase::{self, Passphrase, PassphraseError};

/// Fewest digits of a PIN.
pub const FEWEST_DIGITS: usize = 4;
/// Most digits of a PIN.
pub const MOST_DIGITS: usize = 48;

const AAD_PREFIX: &[u8] = b"dta share pin v1\n";
const ARGON2ID: u8 = 1;
const SALT_BYTES: usize = 16;
const PREFIX_BYTES: usize = 10 + SALT_BYTES + NONCE_LEN;
/// Value, checksum and tag.
const CIPHERTEXT_BYTES: usize = 32 + 8 + 16;

/// A PIN or passphrase over one copy of a share. Zeroised on drop; `Debug` prints `SharePin(..)`.
pub struct SharePin(Passphrase);

/// Why a PIN cannot be chosen, or a layer under a PIN cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PinError {
    /// Not 4 to 48 digits.
    #[error("the PIN has {0} digits; it may have {FEWEST_DIGITS} to {MOST_DIGITS}")]
    Digits(usize),
    /// Neither digits nor a good passphrase.
    #[error(transparent)]
    Passphrase(#[from] PassphraseError),
    /// The layer's parameters are not ones that this tool writes or bears.
    #[error("the layer under the PIN asks for {0}")]
    Cost(String),
    /// The layer is cut or lengthened.
    #[error("the layer under the PIN has {0} bytes, which is not its length")]
    Length(usize),
    /// The public header inside the layer.
    #[error("the layer under the PIN does not begin like a share")]
    Header(#[from] ShareError),
    /// The system.
    #[error("the system has {0}")]
    System(&'static str),
}

impl PinError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Digits(_) => Some("choose 4 to 48 digits, or a passphrase of several words"),
            Self::Passphrase(error) => error.remedy(),
            Self::Cost(_) => {
                Some("check where this share comes from; use a newer dta if it is newer")
            }
            Self::Length(_) | Self::Header(_) => Some("use another copy of this share"),
            Self::System(_) => Some("free some memory and try again"),
        }
    }
}

impl SharePin {
    /// A PIN chosen now by the holder `name`: 4 to 48 digits, or what is good enough as a passphrase.
    ///
    /// # Errors
    /// [`PinError::Digits`] or [`PinError::Passphrase`].
    pub fn chosen(text: String, name: &str) -> Result<Self, PinError> {
        let entered = Passphrase::entered(text)?;
        let digits = entered.expose().len();
        if !is_digits(&entered) {
            return Ok(Self(Passphrase::chosen(entered.expose().to_owned(), name)?));
        }
        if (FEWEST_DIGITS..=MOST_DIGITS).contains(&digits) {
            Ok(Self(entered))
        } else {
            Err(PinError::Digits(digits))
        }
    }

    /// A PIN that is to open something: anything but nothing is tried.
    ///
    /// # Errors
    /// [`PassphraseError::Empty`].
    pub fn entered(text: String) -> Result<Self, PinError> {
        Ok(Self(Passphrase::entered(text)?))
    }

    /// The first line of a file.
    ///
    /// # Errors
    /// [`PinError::Passphrase`].
    pub fn from_file(path: &Path) -> Result<Self, PinError> {
        Ok(Self(Passphrase::from_file(path)?))
    }

    /// As [`SharePin::from_file`], with the demands of [`SharePin::chosen`].
    ///
    /// # Errors
    /// Those of both.
    pub fn chosen_from_file(path: &Path, name: &str) -> Result<Self, PinError> {
        Self::chosen(passphrase::first_line(path)?, name)
    }

    /// Whether both are the same.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.0.is_same_as(&other.0)
    }

    /// Whether it is digits alone: a confirmation, not protection.
    #[must_use]
    pub fn is_digits(&self) -> bool {
        is_digits(&self.0)
    }
}

impl fmt::Debug for SharePin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharePin(..)")
    }
}

fn is_digits(text: &Passphrase) -> bool {
    text.expose().bytes().all(|byte| byte.is_ascii_digit())
}

/// What one try of a PIN costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinCost {
    kib: u32,
    passes: u32,
    lanes: u8,
}

impl PinCost {
    /// 256 MiB, 3 passes, 1 lane: about a second, the memory that a holder's key file needs too.
    pub const STANDARD: Self = Self {
        kib: 256 * 1024,
        passes: 3,
        lanes: 1,
    };
    /// More than this is somebody who means to keep the machine busy.
    const MOST: Self = Self {
        kib: 1024 * 1024,
        passes: 16,
        lanes: 16,
    };

    /// Next to nothing, so that tests do not wait. Release builds do not have it.
    #[cfg(any(test, debug_assertions))]
    #[must_use]
    pub fn weak() -> Self {
        Self {
            kib: 16,
            passes: 1,
            lanes: 1,
        }
    }

    fn params(self) -> Result<Params, PinError> {
        let most = Self::MOST;
        let refused = || {
            PinError::Cost(format!(
                "{} KiB, {} passes and {} lanes of Argon2id",
                self.kib, self.passes, self.lanes
            ))
        };
        if self.kib > most.kib || self.passes > most.passes || self.lanes > most.lanes {
            return Err(refused());
        }
        Params::new(self.kib, self.passes, self.lanes.into(), Some(32)).map_err(|_| refused())
    }
}

/// Puts the encoding of a share under a PIN.
///
/// # Errors
/// [`PinError::Header`] when `encoded` is no share; [`PinError::System`].
pub fn seal(encoded: &[u8], pin: &SharePin, cost: PinCost) -> Result<Vec<u8>, PinError> {
    let (_, secret) = ShareHeader::decode_prefix(encoded)?;
    let mut fresh = [0; SALT_BYTES + NONCE_LEN];
    getrandom::fill(&mut fresh).map_err(|_| PinError::System("no random numbers"))?;
    let mut layer = vec![ARGON2ID];
    layer.extend_from_slice(&cost.kib.to_be_bytes());
    layer.extend_from_slice(&cost.passes.to_be_bytes());
    layer.push(cost.lanes);
    layer.extend_from_slice(&fresh);
    layer.extend_from_slice(&encoded[..encoded.len() - secret.len()]);
    let mut sealed = Zeroizing::new(Vec::with_capacity(secret.len() + CIPHERTEXT_BYTES));
    sealed.extend_from_slice(secret);
    key(pin, cost, &fresh[..SALT_BYTES])?
        .seal_in_place_append_tag(nonce(&fresh)?, aad(&layer), &mut *sealed)
        .map_err(|_| PinError::System("no cipher"))?;
    layer.extend_from_slice(&sealed);
    Ok(layer)
}

/// A share under a PIN: everything but its value can be read.
#[derive(Clone, Debug)]
pub struct PinnedShare {
    header: ShareHeader,
    cost: PinCost,
    layer: Vec<u8>,
}

/// The PIN is not the one that the share was put under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongPin;

impl PinnedShare {
    /// Reads a layer; its share stays closed.
    ///
    /// # Errors
    /// What is wrong with it, before any work is done.
    pub fn parse(layer: &[u8]) -> Result<Self, PinError> {
        let length = PinError::Length(layer.len());
        let Some((prefix, rest)) = layer.split_first_chunk::<PREFIX_BYTES>() else {
            return Err(length);
        };
        let word = |at: usize| {
            u32::from_be_bytes([prefix[at], prefix[at + 1], prefix[at + 2], prefix[at + 3]])
        };
        if prefix[0] != ARGON2ID {
            return Err(PinError::Cost(format!("function {}", prefix[0])));
        }
        let cost = PinCost {
            kib: word(1),
            passes: word(5),
            lanes: prefix[9],
        };
        cost.params()?;
        let (header, ciphertext) = ShareHeader::decode_prefix(rest)?;
        if ciphertext.len() != CIPHERTEXT_BYTES {
            return Err(length);
        }
        Ok(Self {
            header,
            cost,
            layer: layer.to_vec(),
        })
    }

    /// What the share says of itself.
    #[must_use]
    pub fn header(&self) -> &ShareHeader {
        &self.header
    }

    /// The encoding of the share, with the PIN.
    ///
    /// # Errors
    /// [`PinError::System`]; inside, [`WrongPin`].
    pub fn open(&self, pin: &SharePin) -> Result<Result<Zeroizing<Vec<u8>>, WrongPin>, PinError> {
        let (public, ciphertext) = self.layer.split_at(self.layer.len() - CIPHERTEXT_BYTES);
        let fresh = &public[10..PREFIX_BYTES];
        let mut secret = Zeroizing::new(ciphertext.to_vec());
        let key = key(pin, self.cost, &fresh[..SALT_BYTES])?;
        let Ok(opened) = key.open_in_place(nonce(fresh)?, aad(public), &mut secret) else {
            return Ok(Err(WrongPin));
        };
        let header = &public[PREFIX_BYTES..];
        let mut encoded = Zeroizing::new(Vec::with_capacity(header.len() + opened.len()));
        encoded.extend_from_slice(header);
        encoded.extend_from_slice(opened);
        Ok(Ok(encoded))
    }
}

fn key(pin: &SharePin, cost: PinCost, salt: &[u8]) -> Result<LessSafeKey, PinError> {
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, cost.params()?)
        .hash_password_into(pin.0.expose().as_bytes(), salt, key.as_mut())
        .map_err(|_| PinError::System("no room for the work behind the PIN"))?;
    let key = UnboundKey::new(&AES_256_GCM, key.as_ref());
    Ok(LessSafeKey::new(
        key.map_err(|_| PinError::System("no cipher"))?,
    ))
}

fn nonce(fresh: &[u8]) -> Result<Nonce, PinError> {
    Nonce::try_assume_unique_for_key(&fresh[SALT_BYTES..])
        .map_err(|_| PinError::Length(fresh.len()))
}

fn aad(public: &[u8]) -> Aad<Vec<u8>> {
    Aad::from([AAD_PREFIX, public].concat())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::Dealt;

    fn pin(text: &str) -> SharePin {
        SharePin::entered(text.into()).unwrap()
    }

    fn refusal(text: &str) -> String {
        SharePin::chosen(text.into(), "alice")
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_pin_has_4_to_48_digits_or_is_a_good_passphrase() {
        for good in ["0000", &"7".repeat(48), "eleven otters row"] {
            assert!(SharePin::chosen(good.into(), "alice").is_ok(), "{good}");
        }
        assert_eq!(refusal("123"), "the PIN has 3 digits; it may have 4 to 48");
        assert_eq!(
            refusal(&"1".repeat(49)),
            "the PIN has 49 digits; it may have 4 to 48"
        );
        assert_eq!(
            refusal("hunter2"),
            "the passphrase has 7 characters; at least 12 are needed"
        );
        assert_eq!(refusal(""), "the passphrase is empty");
        assert!(pin("1234").is_digits() && !pin("12 34").is_digits());
        assert_eq!(format!("{:?}", pin("1234")), "SharePin(..)");
    }

    #[test]
    fn the_standard_cost_opens_too() {
        let encoded = Dealt::new(1, 1).shares[0].encode();
        let layer = seal(&encoded, &pin("2468"), PinCost::STANDARD).unwrap();
        let opened = PinnedShare::parse(&layer)
            .unwrap()
            .open(&pin("2468"))
            .unwrap();
        assert_eq!(opened.unwrap(), encoded);
    }

    #[test]
    fn every_changed_byte_of_a_layer_is_refused_before_or_by_the_cipher() {
        let encoded = Dealt::new(1, 1).shares[0].encode();
        let layer = seal(&encoded, &pin("2468"), PinCost::weak()).unwrap();
        for at in 0..layer.len() {
            let mut changed = layer.clone();
            changed[at] ^= 1;
            if let Ok(pinned) = PinnedShare::parse(&changed) {
                assert_eq!(
                    pinned.open(&pin("2468")).unwrap(),
                    Err(WrongPin),
                    "byte {at}"
                );
            }
        }
        for length in 0..layer.len() {
            assert!(PinnedShare::parse(&layer[..length]).is_err());
        }
    }

    #[test]
    fn a_layer_that_asks_for_too_much_work_is_refused_before_any_is_done() {
        let encoded = Dealt::new(1, 1).shares[0].encode();
        let mut layer = seal(&encoded, &pin("2468"), PinCost::weak()).unwrap();
        layer[1..5].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(
            PinnedShare::parse(&layer).unwrap_err().to_string(),
            "the layer under the PIN asks for 4294967295 KiB, 1 passes and 1 lanes of Argon2id"
        );
        layer[0] = 2;
        assert_eq!(
            PinnedShare::parse(&layer).unwrap_err().to_string(),
            "the layer under the PIN asks for function 2"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_pin_round_trips_and_another_never_yields_a_share(right in "[0-9]{4,48}", wrong in ".{1,20}") {
            let encoded = Dealt::new(1, 1).shares[0].encode();
            let layer = seal(&encoded, &pin(&right), PinCost::weak()).unwrap();
            let pinned = PinnedShare::parse(&layer).unwrap();
            prop_assert_eq!(pinned.open(&pin(&right)).unwrap().unwrap(), encoded);
            if wrong != right {
                prop_assert_eq!(pinned.open(&pin(&wrong)).unwrap(), Err(WrongPin));
            }
        }

        #[test]
        fn no_bytes_make_the_layer_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = PinnedShare::parse(&bytes);
        }
    }
}
