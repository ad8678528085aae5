//! The terminal: prompts without echo, numbered steps, one holder after another. Plain text, 80 columns, works over a serial line.
//!
//! Nothing secret is ever printed. Between two holders the screen is cleared, where there is one.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use quorum::Timestamp;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::holder::{HolderName, HolderSecrets, HolderSecretsError};
use crate::init::{Desk, DeskError, Seat};
use crate::passphrase::{Passphrase, PassphraseError};
use crate::pin::SharePin;
use crate::prompts;
use crate::transcript::StepRecord;
use crate::words;

/// How often a person may try a passphrase before the tool gives up.
pub(crate) const TRIES: usize = 3;
const COLUMNS: usize = 80;

/// The machine's clock, to the second.
#[must_use]
pub fn wall_clock() -> Timestamp {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    Timestamp::from_unix_seconds(seconds)
        .expect("a machine's clock does not run beyond the year 9999")
}

/// Opens a holder's key file, with the passphrase from a file or from the terminal, where it may be tried three times.
///
/// # Errors
/// [`DeskError`].
pub fn open_key(path: &Path, passphrase_file: Option<&Path>) -> Result<HolderSecrets, DeskError> {
    let holder = path.display().to_string();
    if let Some(file) = passphrase_file {
        let passphrase = Passphrase::from_file(file).map_err(|source| DeskError::Passphrase {
            holder: holder.clone(),
            source,
        })?;
        return HolderSecrets::open(path, &passphrase)
            .map_err(|source| DeskError::Key { holder, source });
    }
    let _quiet = Quiet::begin();
    let mut tries = 1;
    loop {
        let passphrase = match ask_passphrase(&format!("Passphrase for {}: ", path.display())) {
            Ok(passphrase) => passphrase,
            Err(DeskError::Passphrase { source, .. }) if tries < TRIES => {
                complain(&source, source.remedy());
                tries += 1;
                continue;
            }
            Err(error) => return Err(error),
        };
        match HolderSecrets::open(path, &passphrase) {
            Err(error @ HolderSecretsError::WrongPassphrase(_)) if tries < TRIES => {
                complain(&error, error.remedy());
                tries += 1;
            }
            result => return result.map_err(|source| DeskError::Key { holder, source }),
        }
    }
}

/// Asks for a new passphrase, twice, until it is good and both entries agree; three times at most.
///
/// # Errors
/// [`DeskError`].
pub fn choose_passphrase(name: &HolderName) -> Result<Passphrase, DeskError> {
    let _quiet = Quiet::begin();
    let mut tries = 1;
    loop {
        match choose_once(name)? {
            Ok(passphrase) => return Ok(passphrase),
            Err(error) if tries < TRIES => {
                complain(&error, error.remedy());
                tries += 1;
            }
            Err(source) => {
                return Err(DeskError::Passphrase {
                    holder: name.to_string(),
                    source,
                });
            }
        }
    }
}

/// One attempt; the inner error is one that a person can mend by trying again.
fn choose_once(name: &HolderName) -> Result<Result<Passphrase, PassphraseError>, DeskError> {
    let first = ask(&format!("New passphrase for the key of {name}: "))?;
    let first = match Passphrase::chosen(first, name.as_str()) {
        Ok(first) => first,
        Err(weak) => return Ok(Err(weak)),
    };
    let same =
        Passphrase::entered(ask("The same again: ")?).is_ok_and(|second| first.is_same_as(&second));
    Ok(if same {
        Ok(first)
    } else {
        Err(PassphraseError::Differ)
    })
}

fn ask_passphrase(prompt: &str) -> Result<Passphrase, DeskError> {
    Passphrase::entered(ask(prompt)?).map_err(|source| DeskError::Passphrase {
        holder: prompt.trim_end_matches(": ").to_owned(),
        source,
    })
}

/// Keeps the terminal from echoing for as long as it lives. A prompt alone would not do: while a passphrase is tried, which
/// takes a second by design, the next one may be typed already.
pub(crate) struct Quiet {
    before: Termios,
}

impl Quiet {
    /// Nothing where there is no terminal.
    pub(crate) fn begin() -> Option<Self> {
        let before = tcgetattr(io::stdin()).ok()?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Now, &quiet).ok()?;
        Some(Self { before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // A terminal that is gone needs no echo.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

/// A line from the terminal without echo.
pub(crate) fn ask(prompt: &str) -> Result<String, DeskError> {
    if !io::stdin().is_terminal() {
        return Err(DeskError::NoTerminal("a passphrase".to_owned()));
    }
    Ok(rpassword::prompt_password(prompt)?)
}

pub(crate) fn complain(error: &dyn std::error::Error, remedy: Option<&str>) {
    eprintln!("error: {error}");
    if let Some(remedy) = remedy {
        eprintln!("try: {remedy}");
    }
}

/// Prints a step: its number, what was done, what came of it, broken to 80 columns.
pub fn print_step(step: &StepRecord, total: u32) {
    print_wrapped(&format!("[{:>2}/{total}] ", step.number), &step.detail);
}

/// As [`print_step`], for a rehearsal.
pub fn print_rehearsed_step(step: &StepRecord, total: u32) {
    let head = format!("REHEARSAL [{:>2}/{total}] ", step.number);
    print_wrapped(&head, &step.detail);
}

/// What a rehearsal shows where a holder will be asked for the key.
pub fn print_rehearsed_turn(seat: Seat<'_>) {
    print_turn(seat);
    println!("REHEARSAL: on the day, the key file and its passphrase are asked for here.");
}

fn print_turn(seat: Seat<'_>) {
    println!(
        "\nShare {} of {}. It is the turn of {}.",
        seat.index,
        seat.threshold.n(),
        seat.holder.name
    );
}

/// Prints `text` behind `head`, broken to 80 columns; further lines begin below the text.
pub fn print_wrapped(head: &str, text: &str) {
    for line in wrapped(head, text) {
        println!("{line}");
    }
}

/// Prints a hash that is to be read out: `label`, 64 hex digits, and below them its 24 words on four lines.
pub fn print_hash(label: &str, hash: &[u8; 32]) {
    let head = format!("{label} ");
    println!("{head}{}", hex::encode(hash));
    for line in words::lines_of_hash(hash) {
        println!("{}{line}", " ".repeat(head.len()));
    }
}

/// The lines that [`print_wrapped`] prints.
#[must_use]
pub fn wrapped(head: &str, text: &str) -> Vec<String> {
    let indent = " ".repeat(head.chars().count());
    let mut lines = vec![head.to_owned()];
    for word in text.split(' ') {
        let last = lines.last_mut().expect("there is a first line");
        let fits = last.chars().count() + word.chars().count() < COLUMNS;
        if fits || last.trim().is_empty() {
            last.push_str(word);
            last.push(' ');
        } else {
            lines.push(format!("{indent}{word} "));
        }
    }
    lines
        .iter()
        .map(|line| line.trim_end().to_owned())
        .collect()
}

/// A ceremony at the terminal: each holder comes, names a key file and enters its passphrase.
#[derive(Debug, Default)]
pub struct Terminal;

impl Desk for Terminal {
    fn now(&self) -> Timestamp {
        wall_clock()
    }

    fn report(&mut self, step: &StepRecord, total: u32) {
        print_step(step, total);
    }

    fn call(&mut self, seat: Seat<'_>) -> Result<HolderSecrets, DeskError> {
        let name = &seat.holder.name;
        print_turn(seat);
        let mut tries = 1;
        loop {
            let path = ask_path(
                &format!("Key file [{name}.holder]: "),
                &format!("{name}.holder"),
            )?;
            match open_key(&path, None) {
                Ok(key) if key.public().sign_key == seat.holder.sign_key => return Ok(key),
                Ok(key) if tries < TRIES => {
                    eprintln!(
                        "error: this is a key of {}, but not the key that the plan names for {name}",
                        key.name()
                    );
                }
                Ok(_) => return Err(DeskError::Absent(name.clone())),
                Err(error @ DeskError::NoTerminal(_)) => return Err(error),
                Err(error) if tries < TRIES => complain(&error, error.remedy()),
                Err(error) => return Err(error),
            }
            tries += 1;
        }
    }

    fn pin(&mut self, seat: Seat<'_>, copy: u8) -> Result<Option<SharePin>, DeskError> {
        let holder = seat.holder.name.as_str();
        prompts::choose_pin(copy, holder).map_err(|source| DeskError::Pin {
            holder: holder.to_owned(),
            copy,
            source: Box::new(source),
        })
    }

    fn thank(&mut self, seat: Seat<'_>) {
        println!(
            "\nThank you, {}. Take your share with you; nobody else can open it.",
            seat.holder.name
        );
        if seat.index.get() < seat.threshold.n() {
            println!("Press Enter when you have left the keyboard.");
            // A closed terminal ends at the next question; here there is nothing to lose.
            let _ = io::stdin().lock().read_line(&mut String::new());
            clear();
        }
    }
}

fn ask_path(prompt: &str, default: &str) -> Result<PathBuf, DeskError> {
    if !io::stdin().is_terminal() {
        return Err(DeskError::NoTerminal("a key file".to_owned()));
    }
    print!("{prompt}");
    io::stdout().flush()?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let entered = line.trim();
    Ok(PathBuf::from(if entered.is_empty() {
        default
    } else {
        entered
    }))
}

/// Clears the screen and what can be scrolled back to, where there is a screen.
fn clear() {
    if io::stdout().is_terminal() {
        print!("\u{1b}[2J\u{1b}[3J\u{1b}[H");
        // A terminal that cannot be flushed cannot be read either: the next question says so.
        let _ = io::stdout().flush();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn text_is_broken_to_eighty_columns_below_its_beginning() {
        let text = format!(
            "token found: {} and some more words that do not fit on it",
            "0123456789 ".repeat(5)
        );
        let lines = wrapped("[ 3/14] ", &text);
        assert!(
            lines[0].starts_with("[ 3/14] token found: 0123456789"),
            "{lines:#?}"
        );
        assert!(lines[1].starts_with("        "), "{lines:#?}");
        assert!(
            lines.iter().all(|line| line.chars().count() <= 80),
            "{lines:#?}"
        );
        assert_eq!(wrapped("", "one two"), ["one two"]);
    }

    #[test]
    fn without_a_terminal_nobody_is_asked() {
        if io::stdin().is_terminal() {
            return;
        }
        let error = open_key(Path::new("alice.holder"), None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no terminal to ask for a passphrase on"
        );
        assert!(error.remedy().unwrap().contains("--passphrase-file"));
    }
}
