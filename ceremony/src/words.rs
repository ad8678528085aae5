//! Hashes as words, to be read out: 32 bytes are 24 words of the English BIP-39 list, the last of which holds a checksum of
//! eight bits.
//!
//! For public hashes alone: nothing here is wiped from memory.

use bip39::{Error, Language, Mnemonic};

/// How many words a hash has.
pub const WORDS: usize = 24;
/// How many of them stand on one line of a screen; together 80 columns are never passed.
const WORDS_A_LINE: usize = 6;

/// Why a text is not a hash in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadWords {
    /// Not as many words as a hash has.
    #[error("{0} words; a hash of 32 bytes has {WORDS}")]
    Count(usize),
    /// A word that is not on the list.
    #[error("word {number} ({word}) is not on the BIP-39 list")]
    Unknown {
        /// Its place, from 1.
        number: usize,
        /// The word.
        word: String,
    },
    /// All words are on the list, and they do not belong together.
    #[error(
        "every word is on the list, but the checksum is wrong: a word was misheard or two changed places"
    )]
    Checksum,
}

impl BadWords {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        Some("read it out again, six words at a time")
    }
}

/// The 24 words of `hash`, separated by single spaces.
#[must_use]
pub fn of_hash(hash: &[u8; 32]) -> String {
    Mnemonic::from_entropy_in(Language::English, hash)
        .expect("32 bytes are an entropy length of BIP-39")
        .words()
        .collect::<Vec<_>>()
        .join(" ")
}

/// The same as four lines of six words.
#[must_use]
pub fn lines_of_hash(hash: &[u8; 32]) -> Vec<String> {
    let words = of_hash(hash);
    let words: Vec<_> = words.split(' ').collect();
    words
        .chunks(WORDS_A_LINE)
        .map(|line| line.join(" "))
        .collect()
}

/// The hash that `text` spells; case and the space between words do not matter.
///
/// # Errors
/// [`BadWords`] says which word is wrong.
pub fn to_hash(text: &str) -> Result<[u8; 32], BadWords> {
    let text = text.to_lowercase();
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.len() != WORDS {
        return Err(BadWords::Count(words.len()));
    }
    let mnemonic =
        Mnemonic::parse_in_normalized(Language::English, &words.join(" ")).map_err(|error| {
            match error {
                Error::UnknownWord(at) => BadWords::Unknown {
                    number: at + 1,
                    word: words[at].chars().take(40).collect(),
                },
                _ => BadWords::Checksum,
            }
        })?;
    let (entropy, length) = mnemonic.to_entropy_array();
    entropy[..length].try_into().map_err(|_| BadWords::Checksum)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_published_vectors_of_bip39_are_met() {
        // github.com/trezor/python-mnemonic, vectors.json.
        assert_eq!(of_hash(&[0; 32]), format!("{}art", "abandon ".repeat(23)));
        assert_eq!(
            of_hash(&[0x7f; 32]),
            "legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth useful legal \
             winner thank year wave sausage worth title"
        );
        assert_eq!(of_hash(&[0xff; 32]), format!("{}vote", "zoo ".repeat(23)));
    }

    #[test]
    fn the_word_that_is_wrong_is_named() {
        let words = of_hash(&[7; 32]);
        let mut wrong: Vec<_> = words.split(' ').collect();
        wrong[4] = "aliso";
        assert_eq!(
            to_hash(&wrong.join(" ")).unwrap_err().to_string(),
            "word 5 (aliso) is not on the BIP-39 list"
        );
        assert_eq!(
            to_hash("abandon art").unwrap_err().to_string(),
            "2 words; a hash of 32 bytes has 24"
        );
        let swapped = format!("{}abandon", "zoo ".repeat(23));
        assert_eq!(to_hash(&swapped), Err(BadWords::Checksum));
    }

    #[test]
    fn lines_have_six_words_and_fit_the_screen() {
        let lines = lines_of_hash(&[0x7f; 32]);
        assert_eq!(lines.len(), 4);
        assert!(
            lines
                .iter()
                .all(|line| line.split(' ').count() == 6 && line.len() < 72)
        );
    }

    proptest! {
        #[test]
        fn words_and_hash_are_one(hash: [u8; 32]) {
            let words = of_hash(&hash);
            prop_assert_eq!(to_hash(&words.to_uppercase().replace(' ', "  \n")).unwrap(), hash);
        }
    }
}
