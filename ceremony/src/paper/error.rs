//! Why a page cannot be made or read.

use crate::pin::PinError;
use crate::sharefile::ShareFileError;

/// Why a share on paper cannot be made or read. Lines and words count from 1.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PaperError {
    /// A word that is not on the list.
    #[error("line {line}, word {word}: {text:?} is not on the word list")]
    UnknownWord {
        /// The line.
        line: usize,
        /// The word in it.
        word: usize,
        /// What was read.
        text: String,
    },
    /// All words are on the list, and one is not the word that was printed.
    #[error(
        "line {line}, word {word}: this is a word of the list, but not the one that was printed"
    )]
    WrongWord {
        /// The line.
        line: usize,
        /// The word in it.
        word: usize,
    },
    /// Two or more words of a line are wrong.
    #[error("line {line}: more than one word is not the one that was printed")]
    WrongLine {
        /// The line.
        line: usize,
    },
    /// Too few or too many words.
    #[error("line {line}: {have} words; every line has 8")]
    Count {
        /// The line.
        line: usize,
        /// How many words there are.
        have: usize,
    },
    /// The right line of another place.
    #[error("line {line}: these are the words of line {is}")]
    OtherLine {
        /// The line asked for.
        line: usize,
        /// The line given.
        is: usize,
    },
    /// A line is not there.
    #[error("line {line} is missing")]
    Missing {
        /// The line.
        line: usize,
    },
    /// A line is there twice.
    #[error("line {line} is there twice")]
    Twice {
        /// The line.
        line: usize,
    },
    /// Every line is right in itself.
    #[error("every line is right, but they are not the lines of one page")]
    OtherPage,
    /// Neither words nor the text of the QR code.
    #[error("there are no numbered lines of words here, nor the text of a QR code")]
    NotAPage,
    /// The text of the QR code is not whole.
    #[error("the text of the QR code is damaged")]
    QrText,
    /// A page of a later version, or of a form that this tool does not know.
    #[error("this page has a form that this version of dta does not know: {0}")]
    UnknownForm(u8),
    /// The page is sealed to somebody else.
    #[error("the page is not sealed to the key of {0}: it is another holder's share")]
    NotForThisHolder(String),
    /// Shares of holders with a hardware key go onto paper under a passphrase alone.
    #[error("a share on paper cannot be sealed to the key of an age plugin")]
    PluginRecipient,
    /// Digits do not protect a page that anybody can photograph.
    #[error("digits alone do not protect a page")]
    DigitsAlone,
    /// The page cannot be drawn or sealed.
    #[error("the page cannot be made: {0}")]
    CannotMake(&'static str),
    /// The PIN.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// What is on the page.
    #[error(transparent)]
    Share(#[from] ShareFileError),
}

impl PaperError {
    /// The verdict in one word where it is the share that is refused.
    #[must_use]
    pub fn verdict(&self) -> Option<&'static str> {
        match self {
            Self::NotForThisHolder(_) => Some("wrong-holder"),
            Self::Share(error) => error.verdict(),
            _ => None,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::UnknownWord { .. }
            | Self::WrongWord { .. }
            | Self::WrongLine { .. }
            | Self::Count { .. }
            | Self::OtherLine { .. }
            | Self::Missing { .. }
            | Self::Twice { .. } => Some("compare that line with the page, and enter it again"),
            Self::OtherPage => Some("check that all lines come from one page"),
            Self::NotAPage => Some(
                "give the numbered lines of the page, or what a scanner reads from its QR code",
            ),
            Self::QrText => Some("scan it again, or use the words"),
            Self::UnknownForm(_) => Some("use the version of dta that printed it, or a newer one"),
            Self::NotForThisHolder(_) => Some("use your own share; each holder enters only that"),
            Self::PluginRecipient => Some("put it under a passphrase alone"),
            Self::DigitsAlone => Some("choose a passphrase of five or six unrelated words"),
            Self::CannotMake(_) => None,
            Self::Pin(error) => error.remedy(),
            Self::Share(error) => error.remedy(),
        }
    }
}

/// For tests and callers that compare: what is wrong with the words, by value.
impl PartialEq for PaperError {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}
