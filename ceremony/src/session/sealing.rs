//! HPKE (RFC 9180) base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305.
//!
//! `info` is the line `dta unlock share v1` without a line end and the 32 bytes of the session hash; `aad` is the share
//! index as one byte. So a sealed share opens in its own session and slot and nowhere else.

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use quorum::ShareIndex;
use zeroize::Zeroizing;

use super::document::SessionHash;
use crate::canonical::HexBytes;

const INFO_PREFIX: &[u8] = b"dta unlock share v1";

type PrivateKey = <X25519HkdfSha256 as Kem>::PrivateKey;
type PublicKey = <X25519HkdfSha256 as Kem>::PublicKey;
type EncappedKey = <X25519HkdfSha256 as Kem>::EncappedKey;

/// The authority's key of one session; zeroised on drop, never printed, never stored.
pub(super) struct SessionKey(PrivateKey);

/// What HPKE made of a share: the encapsulated key and the ciphertext with its 16-byte tag.
pub(super) struct SealedShare {
    pub(super) enc: HexBytes<32>,
    pub(super) ciphertext: Vec<u8>,
}

/// The system has no random numbers, or the session's key is a point that X25519 refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CannotSeal;

impl SessionKey {
    /// A fresh key pair.
    pub(super) fn generate() -> Result<(Self, HexBytes<32>), CannotSeal> {
        let mut ikm = Zeroizing::new([0; 32]);
        getrandom::fill(ikm.as_mut()).map_err(|_| CannotSeal)?;
        let (private, public) = X25519HkdfSha256::derive_keypair(ikm.as_ref());
        Ok((Self(private), HexBytes(public.to_bytes().into())))
    }

    /// Opens what [`seal`] made for this session and slot; `None` when anything differs.
    pub(super) fn open(
        &self,
        session: &SessionHash,
        index: ShareIndex,
        enc: &HexBytes<32>,
        ciphertext: &[u8],
    ) -> Option<Zeroizing<Vec<u8>>> {
        let enc = EncappedKey::from_bytes(enc.as_bytes()).ok()?;
        hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &self.0,
            &enc,
            &info(session),
            ciphertext,
            &[index.get()],
        )
        .map(Zeroizing::new)
        .ok()
    }
}

/// Seals an encoded share to the session's key.
pub(super) fn seal(
    key: &HexBytes<32>,
    session: &SessionHash,
    index: ShareIndex,
    share: &[u8],
) -> Result<SealedShare, CannotSeal> {
    let recipient = PublicKey::from_bytes(key.as_bytes()).map_err(|_| CannotSeal)?;
    let (enc, ciphertext) =
        hpke::single_shot_seal::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &recipient,
            &info(session),
            share,
            &[index.get()],
        )
        .map_err(|_| CannotSeal)?;
    Ok(SealedShare {
        enc: HexBytes(enc.to_bytes().into()),
        ciphertext,
    })
}

fn info(session: &SessionHash) -> Vec<u8> {
    [INFO_PREFIX, session.as_bytes()].concat()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_share_opens_in_its_own_session_and_slot_only() {
        let (key, public) = SessionKey::generate().unwrap();
        let (here, elsewhere) = (SessionHash::of(b"here"), SessionHash::of(b"elsewhere"));
        let (first, second) = (ShareIndex::new(1).unwrap(), ShareIndex::new(2).unwrap());
        let sealed = seal(&public, &here, first, b"share").unwrap();
        let open = |session, index| key.open(session, index, &sealed.enc, &sealed.ciphertext);
        assert_eq!(open(&here, first).unwrap().as_slice(), b"share");
        assert!(open(&elsewhere, first).is_none());
        assert!(open(&here, second).is_none());
        let (other, _) = SessionKey::generate().unwrap();
        assert!(
            other
                .open(&here, first, &sealed.enc, &sealed.ciphertext)
                .is_none()
        );
    }

    #[test]
    fn a_session_key_of_small_order_is_not_sealed_to() {
        let session = SessionHash::of(b"here");
        assert!(
            seal(
                &HexBytes([0; 32]),
                &session,
                ShareIndex::new(1).unwrap(),
                b"share"
            )
            .is_err()
        );
    }
}
