//! A new share on its way from the authority to its holder: already the share file that the holder keeps.
//!
//! The authority seals to age X25519 recipients only. A plugin's recipient would mean to run the plugin inside the process
//! that holds every secret of the D-TA.

use zeroize::Zeroizing;

use crate::holder::ShareRecipient;

/// The line that a share file without a PIN begins with, see [`crate::sharefile`].
const HEADER: &[u8] = b"dta share file v1 plain\n";

/// Why a share is not sealed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CannotSeal {
    /// Not an X25519 recipient.
    #[error("{0} is served by an age plugin, which the authority does not run")]
    Plugin(String),
    /// age refused.
    #[error(transparent)]
    Age(#[from] age::EncryptError),
}

/// The share file for `recipient`, from an encoded share.
pub(super) fn seal(encoded: &[u8], recipient: &ShareRecipient) -> Result<String, CannotSeal> {
    let recipient = recipient.to_string();
    let key: age::x25519::Recipient = recipient
        .parse()
        .map_err(|_| CannotSeal::Plugin(recipient))?;
    let mut plaintext = Zeroizing::new(Vec::with_capacity(HEADER.len() + encoded.len()));
    plaintext.extend_from_slice(HEADER);
    plaintext.extend_from_slice(encoded);
    Ok(age::encrypt_and_armor(&key, &plaintext)?)
}
