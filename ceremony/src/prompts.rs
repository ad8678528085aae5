//! Questions about one share at the terminal: its PIN, and the words of a page. No echo for PINs, few tries, and a mistyped
//! line of words is asked for again, alone.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::Path;

use crate::init::DeskError;
use crate::paper::{Entry, Page, PaperError};
use crate::pin::{PinError, SharePin};
use crate::screens::{self, TRIES};
use crate::sharefile::{OpenedShare, ShareFileError, Unsealed};

/// Why a share that the holder's key opened stays closed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// The share or its PIN.
    #[error(transparent)]
    Share(#[from] ShareFileError),
    /// The page.
    #[error(transparent)]
    Page(#[from] PaperError),
    /// The PIN file, or a PIN that may not be chosen.
    #[error("the PIN cannot be used")]
    Pin(#[source] PinError),
    /// The two entries of a new PIN differ.
    #[error("the two entries of the PIN differ")]
    Differ,
    /// Nobody is there to ask.
    #[error(transparent)]
    Desk(#[from] DeskError),
}

impl AskError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Share(error) => error.remedy(),
            Self::Page(error) => error.remedy(),
            Self::Pin(error) => error.remedy(),
            Self::Differ => Some("enter it again, twice"),
            Self::Desk(error) => error.remedy(),
        }
    }

    /// The verdict in one word where it is the share that is refused.
    #[must_use]
    pub fn verdict(&self) -> Option<&'static str> {
        match self {
            Self::Share(error) => error.verdict(),
            Self::Page(error) => error.verdict(),
            _ => None,
        }
    }
}

/// The share, with its PIN, if it has one, from `pin_file` or from the terminal, where it may be tried three times.
///
/// # Errors
/// [`AskError`]; the share is as it was.
pub fn open_share(unsealed: Unsealed, pin_file: Option<&Path>) -> Result<OpenedShare, AskError> {
    let closed = match unsealed {
        Unsealed::Plain(opened) => return Ok(opened),
        Unsealed::UnderPin(closed) => closed,
    };
    if let Some(file) = pin_file {
        let pin = SharePin::from_file(file).map_err(AskError::Pin)?;
        return Ok(closed.open(&pin)?);
    }
    if !io::stdin().is_terminal() {
        return Err(closed.pin_needed().into());
    }
    let _quiet = screens::Quiet::begin();
    let mut tries = 1;
    loop {
        let pin = SharePin::entered(screens::ask("PIN of this copy: ")?).map_err(AskError::Pin);
        match pin.and_then(|pin| Ok(closed.open(&pin)?)) {
            Err(error) if tries < TRIES => {
                screens::complain(&error, error.remedy());
                tries += 1;
            }
            result => return result,
        }
    }
}

/// A new PIN for a copy, asked for twice; `None` when the holder presses Enter without typing.
///
/// # Errors
/// [`AskError`] after three tries.
pub fn choose_pin(copy: u8, holder: &str) -> Result<Option<SharePin>, AskError> {
    println!("A PIN for copy {copy}? 4 to 48 digits or a passphrase; Enter for none.");
    let _quiet = screens::Quiet::begin();
    let mut tries = 1;
    loop {
        let first = screens::ask("PIN: ")?;
        if first.is_empty() {
            return Ok(None);
        }
        let chosen = SharePin::chosen(first, holder).map_err(AskError::Pin);
        let agreed = chosen.and_then(|pin| {
            let again = SharePin::entered(screens::ask("The same again: ")?);
            match again.is_ok_and(|again| again.is_same_as(&pin)) {
                true => Ok(pin),
                false => Err(AskError::Differ),
            }
        });
        match agreed {
            Err(error) if tries < TRIES => {
                screens::complain(&error, error.remedy());
                tries += 1;
            }
            result => return result.map(Some),
        }
    }
}

/// The page whose lines are typed in, on a terminal or on standard input. Where there is a terminal, a line that is refused
/// is asked for again and those before it are kept.
///
/// # Errors
/// [`AskError::Page`] names line and word; [`AskError::Desk`] when the input ends.
pub fn type_page() -> Result<Page, AskError> {
    let interactive = io::stdin().is_terminal();
    let mut entry = Entry::default();
    while let Some(line) = entry.next_line() {
        if interactive {
            let of = entry.of().map_or(String::new(), |of| format!(" of {of}"));
            print!("line {line}{of}: ");
            io::stdout().flush().map_err(DeskError::from)?;
        }
        let mut typed = String::new();
        let read = io::stdin()
            .lock()
            .read_line(&mut typed)
            .map_err(DeskError::from)?;
        if read == 0 {
            return Err(PaperError::Missing { line }.into());
        }
        match entry.enter(without_number(&typed, line)) {
            Err(error) if interactive => screens::complain(&error, error.remedy()),
            result => result?,
        }
    }
    Ok(entry.finish()?)
}

/// Whoever types the number of the line, too, has done nothing wrong.
fn without_number(typed: &str, line: usize) -> &str {
    let typed = typed.trim();
    typed.strip_prefix(&format!("{line} ")).unwrap_or(typed)
}
