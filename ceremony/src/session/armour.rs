//! Armour: a document of a session as text that survives mail, chat, a serial console and a printer.
//!
//! ```text
//! -----BEGIN DTA SESSION REQUEST-----
//! base64 of the document (RFC 4648, padded), 64 characters a line
//! =16 hex digits: the first 8 bytes of SHA-256 over label, a zero byte and document
//! -----END DTA SESSION REQUEST-----
//! ```
//!
//! What mail does is read through: text around the block, CRLF, blank lines, spaces at the ends of lines, `>` before
//! them, other line lengths. Anything else shows in the checksum. The checksum finds accidents only; who wrote the
//! document is for its signature to say.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// Armoured text is never longer, in bytes, with what stands around it.
pub const LONGEST_ARMOUR: usize = 2 * 1024 * 1024;

const COLUMNS: usize = 64;
const CHECKSUM: usize = 8;
const BEGIN: &str = "-----BEGIN DTA SESSION ";
const END: &str = "-----END DTA SESSION ";
const DASHES: &str = "-----";

/// Which document the armour is around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Armoured {
    /// What an authority asks its holders: session and manifest chain.
    Request,
    /// What one holder answers: an envelope.
    Answer,
}

impl Armoured {
    fn label(self) -> &'static str {
        match self {
            Self::Request => "REQUEST",
            Self::Answer => "ANSWER",
        }
    }

    fn checksum(self, document: &[u8]) -> String {
        let digest = Sha256::new()
            .chain_update(self.label())
            .chain_update([0])
            .chain_update(document)
            .finalize();
        hex::encode(&digest[..CHECKSUM])
    }

    /// Puts the document into armour; the text ends with a line feed.
    #[must_use]
    pub fn write(self, document: &[u8]) -> String {
        let body = STANDARD.encode(document);
        let mut text = format!("{BEGIN}{}{DASHES}\n", self.label());
        for line in body.as_bytes().chunks(COLUMNS) {
            text.extend(line.iter().copied().map(char::from));
            text.push('\n');
        }
        let checksum = self.checksum(document);
        text.push_str(&format!("={checksum}\n{END}{}{DASHES}\n", self.label()));
        text
    }

    /// Takes the one document of this kind out of a text.
    ///
    /// # Errors
    /// Says what is wrong with the armour, and where.
    pub fn read(self, text: &[u8]) -> Result<Vec<u8>, ArmourError> {
        if text.len() > LONGEST_ARMOUR {
            return Err(ArmourError::TooLong(text.len()));
        }
        let text = String::from_utf8_lossy(text);
        let lines = text.lines().enumerate();
        let mut lines = lines.map(|(at, line)| (at + 1, unquoted(line)));
        self.find_begin(&mut lines)?;
        let mut body = String::new();
        let checksum = loop {
            match lines.next() {
                Some((_, "")) => {}
                Some((_, line)) if line.starts_with('=') => break &line[1..],
                Some((_, line)) if line.starts_with(END) => return Err(ArmourError::NoChecksum),
                Some((_, line)) if is_base64(line) => body.push_str(line),
                Some((number, _)) => return Err(ArmourError::Line(number)),
                None => return Err(ArmourError::CutOff),
            }
        };
        let end = lines.find(|(_, line)| !line.is_empty());
        if end.is_none_or(|(_, line)| line != format!("{END}{}{DASHES}", self.label())) {
            return Err(ArmourError::CutOff);
        }
        if lines.any(|(_, line)| line.starts_with(BEGIN)) {
            return Err(ArmourError::Several);
        }
        let document = STANDARD.decode(body).map_err(|_| ArmourError::Mangled)?;
        if self.checksum(&document) == checksum {
            Ok(document)
        } else {
            Err(ArmourError::Mangled)
        }
    }

    fn find_begin<'a>(
        self,
        lines: &mut impl Iterator<Item = (usize, &'a str)>,
    ) -> Result<(), ArmourError> {
        let (_, begin) = lines
            .find(|(_, line)| line.starts_with(BEGIN))
            .ok_or(ArmourError::NoBegin(self.label()))?;
        if begin == format!("{BEGIN}{}{DASHES}", self.label()) {
            return Ok(());
        }
        Err(ArmourError::OtherKind {
            found: if begin.contains("ANSWER") {
                "an answer"
            } else if begin.contains("REQUEST") {
                "a request"
            } else {
                "something else"
            },
            wanted: match self {
                Self::Request => "a request",
                Self::Answer => "an answer",
            },
        })
    }
}

/// A line without what mail puts around it; `>` is no character of armour.
fn unquoted(line: &str) -> &str {
    line.trim_start_matches(|c: char| c == '>' || c.is_whitespace())
        .trim_end()
}

/// Base64, its padding at the end included; a line of padding alone is taken for a checksum and shows there.
fn is_base64(line: &str) -> bool {
    line.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='))
}

/// What is wrong with an armoured text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArmourError {
    /// More than [`LONGEST_ARMOUR`] bytes.
    #[error("the text has {0} bytes; at most {LONGEST_ARMOUR} are read")]
    TooLong(usize),
    /// No armour at all.
    #[error("there is no line `-----BEGIN DTA SESSION {0}-----`")]
    NoBegin(&'static str),
    /// Armour around another document.
    #[error("this is {found}, where {wanted} is expected")]
    OtherKind {
        /// What it is.
        found: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
    /// The text ends, or goes on, where the last line of the armour should be.
    #[error("the end of the block is missing: it was cut off")]
    CutOff,
    /// There is more than one block.
    #[error("there is more than one block")]
    Several,
    /// The checksum is missing.
    #[error("the checksum line before the end of the block is missing")]
    NoChecksum,
    /// A line that cannot be of armour; its number in the text, from 1.
    #[error("line {0} is damaged: it has a character that does not belong there")]
    Line(usize),
    /// The document is not the one that was armoured.
    #[error("the block was changed on its way: its checksum does not fit")]
    Mangled,
}

impl ArmourError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        Some(match self {
            Self::OtherKind { .. } => {
                "`dta unlock --remote` reads requests, `dta session submit` reads answers"
            }
            Self::Several => "put each block into a file of its own",
            Self::TooLong(_) => "check that this is the file you meant",
            _ => "have the whole block sent again, best as an attachment",
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal(text: &str) -> String {
        Armoured::Request
            .read(text.as_bytes())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn the_armour_is_pinned() {
        assert_eq!(
            Armoured::Answer.write(&[7; 61]),
            "-----BEGIN DTA SESSION ANSWER-----\n\
             BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH\n\
             BwcHBwcHBwcHBwcHBw==\n\
             =f04ab934cb1e8793\n\
             -----END DTA SESSION ANSWER-----\n"
        );
    }

    #[test]
    fn what_mail_does_to_a_text_is_read_through() {
        let text = Armoured::Request.write(&[9; 200]);
        let quoted: String = text.lines().map(|l| format!("> > {l}  \r\n\r\n")).collect();
        let mail = format!("Dear Bob,\r\nplease answer.\r\n\r\n{quoted}-- \r\nAlice\r\n");
        assert_eq!(Armoured::Request.read(mail.as_bytes()).unwrap(), [9; 200]);
    }

    #[test]
    fn every_kind_of_damage_is_said() {
        let text = Armoured::Request.write(&[9; 200]);
        assert_eq!(
            refusal(""),
            "there is no line `-----BEGIN DTA SESSION REQUEST-----`"
        );
        assert_eq!(
            refusal(&Armoured::Answer.write(b"x")),
            "this is an answer, where a request is expected"
        );
        assert_eq!(
            refusal(&text[..text.len() - 40]),
            "the end of the block is missing: it was cut off"
        );
        assert_eq!(
            refusal(&format!("{text}{text}")),
            "there is more than one block"
        );
        assert_eq!(
            refusal(&text.replacen("CQkJ", "CQ=J", 1)),
            "the block was changed on its way: its checksum does not fit"
        );
        assert_eq!(
            refusal(&text.replacen("CQkJ", "CQ\u{2019}J", 1)),
            "line 2 is damaged: it has a character that does not belong there"
        );
        let without: String = text
            .lines()
            .filter(|line| !line.starts_with('='))
            .map(|line| format!("{line}\n"))
            .collect();
        assert_eq!(
            refusal(&without),
            "the checksum line before the end of the block is missing"
        );
        assert_eq!(
            refusal(&" ".repeat(LONGEST_ARMOUR + 1)),
            "the text has 2097153 bytes; at most 2097152 are read"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_document_comes_back_and_any_lost_or_changed_character_is_noticed(
            document in proptest::collection::vec(any::<u8>(), 1..400),
            at in any::<prop::sample::Index>(),
        ) {
            let text = Armoured::Request.write(&document);
            prop_assert!(text.lines().all(|line| line.len() <= COLUMNS));
            prop_assert_eq!(&Armoured::Request.read(text.as_bytes()).unwrap(), &document);
            let at = at.index(text.len());
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            prop_assert!(Armoured::Request.read(&changed).is_err());
            let mut lost = text.clone().into_bytes();
            // A line feed less only joins two lines; in the body that changes nothing.
            if lost.remove(at) != b'\n' {
                prop_assert!(Armoured::Request.read(&lost).is_err());
            }
        }
    }
}
