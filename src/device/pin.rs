//! Asking for a PIN: on the terminal without echo, or from a file for scripts.

use std::io::IsTerminal;
use std::path::Path;

use mpin::Pin;
use zeroize::Zeroizing;

use crate::term::{CliError, CliResult, Exit};

/// Asks once, or reads the first line of the file.
pub(super) fn read(file: Option<&Path>) -> CliResult<Pin> {
    match file {
        Some(path) => from_file(path),
        None => parse(&prompt("PIN: ")?),
    }
}

/// Asks twice, or reads the first line of the file.
pub(super) fn choose(file: Option<&Path>) -> CliResult<Pin> {
    if let Some(path) = file {
        return from_file(path);
    }
    let first = prompt("New PIN (4 to 8 digits): ")?;
    let pin = parse(&first)?;
    if *first != *prompt("The same PIN again: ")? {
        return Err(CliError::new(Exit::Failed, "the two PINs differ"));
    }
    Ok(pin)
}

fn from_file(path: &Path) -> CliResult<Pin> {
    let text = std::fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(|error| {
            CliError::new(Exit::Failed, error).with_remedy(Some(format!(
                "a readable PIN file instead of {}",
                path.display()
            )))
        })?;
    parse(text.lines().next().unwrap_or_default())
}

fn prompt(label: &str) -> CliResult<Zeroizing<String>> {
    if !std::io::stdin().is_terminal() {
        return Err(
            CliError::new(Exit::Usage, "there is no terminal to ask for the PIN on")
                .with_remedy(Some("--pin-file FILE")),
        );
    }
    rpassword::prompt_password(label)
        .map(Zeroizing::new)
        .map_err(|error| CliError::new(Exit::Failed, error))
}

fn parse(digits: &str) -> CliResult<Pin> {
    Pin::from_digits(digits)
        .map_err(|error| CliError::new(Exit::Failed, error).with_remedy(error.remedy()))
}
