//! One holder's share: what it carries and its bytes.
//!
//! Encoding, version 1 (integers big endian; nothing before, between or after):
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `DTASHARE` |
//! | 8 | 1 | version, 1 |
//! | 9 | 32 | authority id (hash of genesis) |
//! | 41 | 16 | set id |
//! | 57 | 4 | epoch |
//! | 61 | 1 | index, 1..=N |
//! | 62 | 1 | M |
//! | 63 | 1 | N |
//! | 64 | 1 | length L of the holder's name, 1..=64 |
//! | 65 | L | the holder's name, UTF-8 |
//! | 65+L | 32 | the value, a scalar in 1..r |
//! | 97+L | 8 | checksum: the first 8 bytes of SHA-256 over all bytes before |
//!
//! The encoding is secret. The checksum finds accidents, not forgers: whether the value belongs to
//! the set is decided by its commitments.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::feldman::ShareValue;
use crate::ids::{AuthorityId, Epoch, SetId, ShareIndex, Threshold};
use crate::name::Name;

const MAGIC: &[u8; 8] = b"DTASHARE";
const VERSION: u8 = 1;
const CHECKSUM_BYTES: usize = 8;
/// All bytes of a share but those of the holder's name.
const FIXED_BYTES: usize = 105;

/// One holder's share, with everything needed to say where it belongs. Wiped when dropped; never
/// cloned; `Debug` shows all but the value.
#[derive(Debug)]
pub struct Share {
    /// The authority it belongs to.
    pub genesis: AuthorityId,
    /// The split it belongs to.
    pub set_id: SetId,
    /// The epoch of that split.
    pub epoch: Epoch,
    /// M of N of that split.
    pub threshold: Threshold,
    /// Whose share it is.
    pub holder: Name,
    /// The value, with its index.
    pub value: ShareValue,
}

impl Share {
    /// Its place in the set.
    pub fn index(&self) -> ShareIndex {
        self.value.index()
    }

    /// All but the value.
    pub fn header(&self) -> ShareHeader {
        ShareHeader {
            genesis: self.genesis,
            set_id: self.set_id,
            epoch: self.epoch,
            index: self.index(),
            threshold: self.threshold,
            holder: self.holder.clone(),
        }
    }

    /// The bytes of the share, 105 plus the length of the name; see the module.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let name = self.holder.as_str().as_bytes();
        let mut out = Zeroizing::new(Vec::with_capacity(FIXED_BYTES + name.len()));
        out.extend_from_slice(MAGIC);
        out.push(VERSION);
        out.extend_from_slice(self.genesis.as_bytes());
        out.extend_from_slice(self.set_id.as_bytes());
        out.extend_from_slice(&self.epoch.to_be_bytes());
        out.extend_from_slice(&[self.index().get(), self.threshold.m(), self.threshold.n()]);
        out.push(u8::try_from(name.len()).expect("a name has at most 64 bytes"));
        out.extend_from_slice(name);
        out.extend_from_slice(&*self.value.to_be_bytes());
        let checksum = checksum(&out);
        out.extend_from_slice(&checksum);
        out
    }

    /// Reads the bytes of a share.
    ///
    /// # Errors
    /// When they are no share of version 1, whole and undamaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, ShareError> {
        behind_version(bytes)?;
        let length = ShareError::Length { have: bytes.len() };
        let (body, sum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(length)?;
        if checksum(body) != *sum {
            return Err(ShareError::Checksum);
        }
        let (header, fields) = ShareHeader::decode_prefix(body)?;
        let value: &[u8; 32] = fields.try_into().map_err(|_| length)?;
        let value = ShareValue::from_be_bytes(header.index, value)
            .ok_or(ShareError::Field { what: "value" })?;
        Ok(Self {
            genesis: header.genesis,
            set_id: header.set_id,
            epoch: header.epoch,
            threshold: header.threshold,
            holder: header.holder,
            value,
        })
    }
}

/// What a share says of itself, without its value: nothing secret. The first 65 + L bytes of its encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareHeader {
    /// The authority it belongs to.
    pub genesis: AuthorityId,
    /// The split it belongs to.
    pub set_id: SetId,
    /// The epoch of that split.
    pub epoch: Epoch,
    /// Its place in the set.
    pub index: ShareIndex,
    /// M of N of that split.
    pub threshold: Threshold,
    /// Whose share it is.
    pub holder: Name,
}

impl ShareHeader {
    /// Reads the header that `bytes` begin with; returns it and the bytes behind it.
    ///
    /// # Errors
    /// When they do not begin like a share of version 1.
    pub fn decode_prefix(bytes: &[u8]) -> Result<(Self, &[u8]), ShareError> {
        let length = ShareError::Length { have: bytes.len() };
        let mut fields = Fields {
            rest: behind_version(bytes)?,
            length,
        };
        let genesis = AuthorityId::from_bytes(*fields.take()?);
        let set_id = SetId::from_bytes(*fields.take()?);
        let epoch = Epoch::new(u32::from_be_bytes(*fields.take()?));
        let [index, m, n, name_length] = *fields.take()?;
        let holder = fields.take_slice(usize::from(name_length))?;

        let threshold =
            Threshold::new(m, n).map_err(|_| ShareError::Field { what: "threshold" })?;
        let index = ShareIndex::new(index)
            .ok()
            .filter(|index| index.get() <= n)
            .ok_or(ShareError::Field { what: "index" })?;
        let holder = std::str::from_utf8(holder)
            .ok()
            .and_then(|name| name.parse().ok())
            .ok_or(ShareError::Field { what: "name" })?;
        let header = Self {
            genesis,
            set_id,
            epoch,
            index,
            threshold,
            holder,
        };
        Ok((header, fields.rest))
    }
}

/// Bytes that are no share.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ShareError {
    /// Something else altogether.
    #[error("this is not a share: it does not begin with DTASHARE")]
    NotAShare,
    /// Made by another version of the program.
    #[error("this share has version {version}, this program knows version {VERSION}")]
    Version {
        /// The version found.
        version: u8,
    },
    /// Cut short, or with something appended.
    #[error("a share of {have} bytes has not the length its fields say")]
    Length {
        /// Bytes given.
        have: usize,
    },
    /// Some byte changed.
    #[error("the checksum of the share does not match its content")]
    Checksum,
    /// A field that no share can have, under a matching checksum.
    #[error("the {what} in this share is impossible")]
    Field {
        /// `threshold`, `index`, `name` or `value`.
        what: &'static str,
    },
}

/// Walks the fields of an encoded share.
struct Fields<'a> {
    rest: &'a [u8],
    length: ShareError,
}

impl<'a> Fields<'a> {
    fn take<const N: usize>(&mut self) -> Result<&'a [u8; N], ShareError> {
        let (field, rest) = self.rest.split_first_chunk().ok_or(self.length)?;
        self.rest = rest;
        Ok(field)
    }

    fn take_slice(&mut self, bytes: usize) -> Result<&'a [u8], ShareError> {
        let (field, rest) = self.rest.split_at_checked(bytes).ok_or(self.length)?;
        self.rest = rest;
        Ok(field)
    }
}

fn behind_version(bytes: &[u8]) -> Result<&[u8], ShareError> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(ShareError::NotAShare)?;
    match rest.split_first() {
        Some((&VERSION, rest)) => Ok(rest),
        Some((&version, _)) => Err(ShareError::Version { version }),
        None => Err(ShareError::Length { have: bytes.len() }),
    }
}

fn checksum(body: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let digest = Sha256::digest(body);
    *digest.first_chunk().expect("SHA-256 gives 32 bytes")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::{TestSet, rng};
    use proptest::prelude::*;

    fn refused(bytes: &[u8]) -> String {
        Share::decode(bytes).unwrap_err().to_string()
    }

    fn sample() -> Vec<u8> {
        TestSet::new(2, 3, &mut rng(1)).share(1).to_vec()
    }

    /// The bytes with a checksum that fits again.
    fn resummed(mut bytes: Vec<u8>) -> Vec<u8> {
        let body = bytes.len() - CHECKSUM_BYTES;
        let sum = checksum(&bytes[..body]);
        bytes[body..].copy_from_slice(&sum);
        bytes
    }

    #[test]
    fn a_share_survives_encoding() {
        for (m, n) in [(1, 1), (1, 2), (2, 3), (16, 16)] {
            let set = TestSet::new(m, n, &mut rng(2));
            for index in 1..=n {
                let bytes = set.share(index);
                let share = Share::decode(bytes).unwrap();
                assert_eq!(share.index().get(), index);
                assert_eq!(share.holder.as_str(), format!("holder {index}"));
                assert_eq!(share.encode(), *bytes);
                assert!(set.set.commitments().accept(&share.value));
            }
        }
    }

    #[test]
    fn the_header_can_be_read_without_the_value() {
        let bytes = sample();
        let (header, rest) = ShareHeader::decode_prefix(&bytes).unwrap();
        assert_eq!(header.holder.as_str(), "holder 1");
        assert_eq!((header.index.get(), header.threshold.n()), (1, 3));
        assert_eq!(rest.len(), 32 + CHECKSUM_BYTES);
        for length in 0..bytes.len() - rest.len() {
            assert!(ShareHeader::decode_prefix(&bytes[..length]).is_err());
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let good = sample();
        for bit in 0..good.len() * 8 {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let message = refused(&bytes);
            let expected = match bit / 8 {
                0..=7 => "this is not a share: it does not begin with DTASHARE".to_owned(),
                8 => format!(
                    "this share has version {}, this program knows version 1",
                    bytes[8]
                ),
                _ => "the checksum of the share does not match its content".to_owned(),
            };
            assert_eq!(message, expected, "bit {bit}");
        }
    }

    #[test]
    fn a_cut_or_lengthened_share_is_refused() {
        let good = sample();
        for length in 0..good.len() {
            assert!(Share::decode(&good[..length]).is_err(), "{length}");
        }
        let mut longer = good[..good.len() - CHECKSUM_BYTES].to_vec();
        longer.extend_from_slice(&[0; CHECKSUM_BYTES + 1]);
        let have = longer.len();
        assert_eq!(
            refused(&resummed(longer)),
            format!("a share of {have} bytes has not the length its fields say")
        );
        assert_eq!(
            refused(b"DTASHARE\x01"),
            "the checksum of the share does not match its content"
        );
    }

    #[test]
    fn impossible_fields_are_refused_even_under_a_matching_checksum() {
        let with = |at: usize, byte: u8| {
            let mut bytes = sample();
            bytes[at] = byte;
            refused(&resummed(bytes))
        };
        assert_eq!(with(61, 0), "the index in this share is impossible");
        assert_eq!(with(61, 4), "the index in this share is impossible");
        assert_eq!(with(62, 0), "the threshold in this share is impossible");
        assert_eq!(with(63, 17), "the threshold in this share is impossible");
        assert_eq!(with(65, 0x0a), "the name in this share is impossible");
        assert_eq!(with(65, 0xff), "the name in this share is impossible");
        let name = "holder 1".len();
        assert_eq!(
            with(65 + name, 0xff),
            "the value in this share is impossible"
        );
        let mut zero = sample();
        zero[65 + name..97 + name].fill(0);
        assert_eq!(
            refused(&resummed(zero)),
            "the value in this share is impossible"
        );
    }

    #[test]
    fn a_share_prints_all_but_its_value() {
        let share = Share::decode(&sample()).unwrap();
        let printed = format!("{share:?}");
        assert!(printed.contains("holder 1"), "{printed}");
        assert!(printed.contains("ShareValue(1, ..)"), "{printed}");
        assert!(!printed.contains(&hex::encode(*share.value.to_be_bytes())[..8]));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Share::decode(&bytes);
            let framed = [b"DTASHARE\x01".as_slice(), &bytes, &[0; CHECKSUM_BYTES]].concat();
            let _ = Share::decode(&resummed(framed));
        }
    }
}
