//! Shares on paper: the sealed share as words, each line with its own check, and as a QR code.
//!
//! What is printed is never the bare share: it is sealed to the holder's key, with or without a PIN, or under a passphrase.
//! Paper replaces the share file, never the holder's signing key. Page data, version 1:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 1 | version, 1 |
//! | 1 | 1 | form: 1 sealed to the holder's key, 2 the same with a PIN inside, 3 under a passphrase alone |
//! | 2 | 1 | copy, from 1 |
//! | 3 | P | forms 1 and 2: HPKE `enc` (32) and ciphertext; form 3: a layer of [`crate::pin`] |
//! | 3 + P | 4 | checksum: the first 4 bytes of SHA-256 over `dta share paper v1\n` and all before |
//!
//! HPKE is RFC 9180 base mode, X25519, HKDF-SHA256, ChaCha20-Poly1305, to the X25519 key of the holder's age recipient;
//! `info` = `dta share paper v1`, `aad` = the first three bytes; the plaintext is the share's encoding (form 1) or a layer of
//! [`crate::pin`] (form 2). In words, two bytes of length (big endian) stand before the data; the QR code has
//! `DTA-SHARE-PAPER:` and the data in upper-case hex.

mod code;
mod error;
mod page;

use std::path::Path;

use age::secrecy::ExposeSecret;
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use quorum::Share;
use zeroize::Zeroizing;

pub use error::PaperError;
pub use page::{html, text};

use crate::canonical;
use crate::holder::{HolderSecrets, ShareRecipient};
use crate::pin::{self, PinCost, SharePin};
use crate::sharefile::{OpenedShare, UnderPin, Unsealed};

const INFO: &[u8] = b"dta share paper v1";
const CHECKSUM_PREFIX: &[u8] = b"dta share paper v1\n";
const QR_PREFIX: &str = "DTA-SHARE-PAPER:";
const VERSION: u8 = 1;
const HEAD_BYTES: usize = 3;
const CHECKSUM_BYTES: usize = 4;
const ENC_BYTES: usize = 32;
/// A page file is never longer, in bytes.
pub const LONGEST_PAGE: u64 = 256 * 1024;

/// What keeps others from reading a page.
#[derive(Clone, Copy, Debug)]
pub enum Protection<'a> {
    /// The holder's key.
    Key(&'a ShareRecipient),
    /// The holder's key, and a PIN inside.
    KeyAndPin(&'a ShareRecipient, &'a SharePin),
    /// A passphrase alone; digits are refused.
    Passphrase(&'a SharePin),
}

/// How a page is protected, as it says itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Sealed to the holder's key.
    Key,
    /// Sealed to the holder's key, with a PIN inside.
    KeyAndPin,
    /// Under a passphrase alone.
    Passphrase,
}

impl Form {
    fn code(self) -> u8 {
        match self {
            Self::Key => 1,
            Self::KeyAndPin => 2,
            Self::Passphrase => 3,
        }
    }

    /// In words, for screens and pages.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::Key => "sealed to the holder's key",
            Self::KeyAndPin => "sealed to the holder's key, with a PIN",
            Self::Passphrase => "under a passphrase alone",
        }
    }
}

/// The data of a page, whole by its checksum. The share in it is sealed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    form: Form,
    data: Vec<u8>,
}

impl Page {
    /// Seals `share` for paper, as copy number `copy`.
    ///
    /// # Errors
    /// [`PaperError::PluginRecipient`], [`PaperError::DigitsAlone`], [`PaperError::CannotMake`].
    pub fn seal(share: &Share, copy: u8, protection: Protection<'_>) -> Result<Self, PaperError> {
        Self::seal_at(share, copy, protection, PinCost::STANDARD)
    }

    /// As [`Page::seal`] with next to no work behind a PIN, so that tests do not wait. Release builds do not have it.
    ///
    /// # Errors
    /// As [`Page::seal`].
    #[cfg(any(test, debug_assertions))]
    pub fn seal_weakly(
        share: &Share,
        copy: u8,
        protection: Protection<'_>,
    ) -> Result<Self, PaperError> {
        Self::seal_at(share, copy, protection, PinCost::weak())
    }

    fn seal_at(
        share: &Share,
        copy: u8,
        protection: Protection<'_>,
        cost: PinCost,
    ) -> Result<Self, PaperError> {
        let encoded = share.encode();
        let layer = |pin| pin::seal(&encoded, pin, cost);
        let (form, payload) = match protection {
            Protection::Key(recipient) => {
                let form = Form::Key;
                (form, seal_to(recipient, &head(form, copy), &encoded)?)
            }
            Protection::KeyAndPin(recipient, pin) => {
                let form = Form::KeyAndPin;
                (form, seal_to(recipient, &head(form, copy), &layer(pin)?)?)
            }
            Protection::Passphrase(pin) if pin.is_digits() => return Err(PaperError::DigitsAlone),
            Protection::Passphrase(pin) => (Form::Passphrase, layer(pin)?),
        };
        let mut data = head(form, copy).to_vec();
        data.extend_from_slice(&payload);
        let sum = checksum(&data);
        data.extend_from_slice(&sum);
        Ok(Self { form, data })
    }

    /// Reads a page from a text: its numbered lines of words, wherever they stand in it, or what a scanner read from the QR
    /// code.
    ///
    /// # Errors
    /// Names the line and the word.
    pub fn read(text: &str) -> Result<Self, PaperError> {
        let mut lines: Vec<(usize, &str)> = text.lines().filter_map(numbered).collect();
        if lines.is_empty() {
            return Self::read_qr(text);
        }
        lines.sort_by_key(|(number, _)| *number);
        let mut entry = Entry::default();
        for (number, words) in lines {
            match entry.next_line() {
                Some(expected) if number == expected => entry.enter(words)?,
                Some(expected) if number > expected => {
                    return Err(PaperError::Missing { line: expected });
                }
                Some(_) => return Err(PaperError::Twice { line: number }),
                None if number == entry.symbols.len() => {
                    return Err(PaperError::Twice { line: number });
                }
                None => return Err(PaperError::OtherPage),
            }
        }
        match entry.next_line() {
            Some(line) => Err(PaperError::Missing { line }),
            None => entry.finish(),
        }
    }

    fn read_qr(text: &str) -> Result<Self, PaperError> {
        let found = text
            .lines()
            .find_map(|line| line.trim().strip_prefix(QR_PREFIX));
        let digits = found.ok_or(PaperError::NotAPage)?;
        let data = hex::decode(digits).map_err(|_| PaperError::QrText)?;
        Self::of_data(data).map_err(|error| match error {
            PaperError::OtherPage => PaperError::QrText,
            other => other,
        })
    }

    fn of_data(data: Vec<u8>) -> Result<Self, PaperError> {
        let (body, sum) = data
            .split_last_chunk::<CHECKSUM_BYTES>()
            .ok_or(PaperError::OtherPage)?;
        if checksum(body) != *sum || body.len() < HEAD_BYTES {
            return Err(PaperError::OtherPage);
        }
        let form = match (body[0], body[1]) {
            (VERSION, 1) => Form::Key,
            (VERSION, 2) => Form::KeyAndPin,
            (VERSION, 3) => Form::Passphrase,
            (VERSION, form) => return Err(PaperError::UnknownForm(form)),
            (version, _) => return Err(PaperError::UnknownForm(version)),
        };
        Ok(Self { form, data })
    }

    /// How it is protected.
    #[must_use]
    pub fn form(&self) -> Form {
        self.form
    }

    /// Which copy it is, from 1.
    #[must_use]
    pub fn copy(&self) -> u8 {
        self.data[HEAD_BYTES - 1]
    }

    /// Its lines, eight words each, without their numbers.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let length = u16::try_from(self.data.len()).expect("a sealed share has some hundred bytes");
        code::to_lines(&[&length.to_be_bytes(), self.data.as_slice()].concat())
    }

    /// What its QR code says.
    #[must_use]
    pub fn qr_text(&self) -> String {
        format!("{QR_PREFIX}{}", hex::encode_upper(&self.data))
    }

    /// The last four bytes of its data as hex: the checksum that is printed, too.
    #[must_use]
    pub fn checksum(&self) -> String {
        hex::encode(&self.data[self.data.len() - CHECKSUM_BYTES..])
    }

    /// Opens it as far as that goes without a PIN. A page under a passphrase alone needs no key.
    ///
    /// # Errors
    /// [`PaperError::NotForThisHolder`], or what is wrong with the share.
    pub fn unseal(&self, holder: &HolderSecrets) -> Result<Unsealed, PaperError> {
        let payload = &self.data[HEAD_BYTES..self.data.len() - CHECKSUM_BYTES];
        let path = Path::new("the page");
        let unsealed = match self.form {
            Form::Passphrase => Unsealed::UnderPin(UnderPin::parse(payload, path)?),
            Form::KeyAndPin => {
                Unsealed::UnderPin(UnderPin::parse(&self.open_with(holder, payload)?, path)?)
            }
            Form::Key => {
                Unsealed::Plain(OpenedShare::decode(self.open_with(holder, payload)?, path)?)
            }
        };
        Ok(unsealed)
    }

    fn open_with(
        &self,
        holder: &HolderSecrets,
        payload: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, PaperError> {
        let refused = || PaperError::NotForThisHolder(holder.name().to_string());
        let identity = holder.x25519().ok_or_else(refused)?.to_string();
        let (_, scalar) = bech32::decode(identity.expose_secret()).map_err(|_| refused())?;
        let scalar = Zeroizing::new(scalar);
        let key =
            <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(&scalar).map_err(|_| refused())?;
        let (enc, sealed) = payload.split_at_checked(ENC_BYTES).ok_or_else(refused)?;
        let enc = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(enc).map_err(|_| refused())?;
        hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &key,
            &enc,
            INFO,
            sealed,
            &self.data[..HEAD_BYTES],
        )
        .map(Zeroizing::new)
        .map_err(|_| refused())
    }
}

/// The lines of a page as they are typed in. A line that is refused changes nothing: it is entered again.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    symbols: Vec<[u16; 6]>,
}

impl Entry {
    /// The number of the line to enter next; `None` when all are there.
    #[must_use]
    pub fn next_line(&self) -> Option<usize> {
        match self.of() {
            Some(of) if self.symbols.len() >= of => None,
            _ => Some(self.symbols.len() + 1),
        }
    }

    /// How many lines there are, once the first is there.
    #[must_use]
    pub fn of(&self) -> Option<usize> {
        let bytes = code::to_bytes(self.symbols.first()?.iter().copied());
        let length = u16::from_be_bytes([bytes[0], bytes[1]]);
        Some(code::lines_for(usize::from(length) + 2))
    }

    /// Takes the next line, eight words.
    ///
    /// # Errors
    /// Names the word; the lines before are kept.
    pub fn enter(&mut self, words: &str) -> Result<(), PaperError> {
        if let Some(line) = self.next_line() {
            self.symbols.push(code::from_line(line, words)?);
        }
        Ok(())
    }

    /// The page.
    ///
    /// # Errors
    /// [`PaperError::Missing`], [`PaperError::OtherPage`], [`PaperError::UnknownForm`].
    pub fn finish(self) -> Result<Page, PaperError> {
        if let Some(line) = self.next_line() {
            return Err(PaperError::Missing { line });
        }
        let bytes = code::to_bytes(self.symbols.into_iter().flatten());
        let (length, rest) = bytes
            .split_first_chunk::<2>()
            .ok_or(PaperError::OtherPage)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (data, padding) = rest.split_at_checked(length).ok_or(PaperError::OtherPage)?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err(PaperError::OtherPage);
        }
        Page::of_data(data.to_vec())
    }
}

/// A line such as `12  zoo zoo ...`: its number and its words.
fn numbered(line: &str) -> Option<(usize, &str)> {
    let (number, words) = line.trim().split_once(char::is_whitespace)?;
    let number = number.trim_end_matches(['.', ':', ')']);
    Some((number.parse().ok()?, words))
}

fn head(form: Form, copy: u8) -> [u8; HEAD_BYTES] {
    [VERSION, form.code(), copy]
}

fn seal_to(
    recipient: &ShareRecipient,
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, PaperError> {
    if recipient.plugin().is_some() {
        return Err(PaperError::PluginRecipient);
    }
    let cannot = |_| PaperError::CannotMake("the recipient is not a good X25519 key");
    let (_, point) = bech32::decode(&recipient.to_string())
        .map_err(|_| PaperError::CannotMake("the recipient is not Bech32"))?;
    let key = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(&point).map_err(cannot)?;
    let (enc, sealed) = hpke::single_shot_seal::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &key,
        INFO,
        plaintext,
        aad,
    )
    .map_err(cannot)?;
    Ok([enc.to_bytes().as_slice(), &sealed].concat())
}

fn checksum(body: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let hash = canonical::sha256(&[CHECKSUM_PREFIX, body].concat());
    *hash
        .as_bytes()
        .first_chunk()
        .expect("SHA-256 gives 32 bytes")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
