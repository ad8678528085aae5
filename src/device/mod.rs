//! A test device and a test M-Pin server, so that a person can log in by hand.
//!
//! **Test tools.** A real device keeps its token in the phone's key store and asks for the PIN in its
//! own interface; a real M-Pin server counts wrong PINs and locks out, and speaks over TLS. These two
//! do neither: they show that what the D-TAs issue opens a login, and what is missing when it does
//! not.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod enroll;
mod fetch;
mod files;
mod login;
mod messages;
mod pin;
mod server;
#[cfg(test)]
mod tests;

use crate::term::CliResult;

const TEST_TOOL: &str = "This is a test tool: no lock-out after wrong PINs, no TLS, a token in a \
    plain file. Do not build a product on it.";

/// `dta device ...`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum DeviceCommand {
    /// Enrol a test device: fetch a client share from every D-TA, choose a PIN, keep the token.
    #[command(after_help = format!(
        "Example: dta device enroll --config customer.toml --id alice@example.com \
         --device alice.device\n\n{TEST_TOOL}"
    ))]
    Enroll(enroll::EnrollArgs),
    /// Run a test M-Pin server on loopback.
    #[command(after_help = format!(
        "Example: dta device server --server-share acme.server-share --require-permit\n\n{TEST_TOOL}"
    ))]
    Server(server::ServerArgs),
    /// Log in to a test M-Pin server with a PIN and today's time permit.
    #[command(after_help = format!(
        "Example: dta device login --device alice.device --server 127.0.0.1:4000 \
         --config customer.toml\n\nExit codes: 0 accepted, 4 refused.\n\n{TEST_TOOL}"
    ))]
    Login(login::LoginArgs),
}

/// Runs one command.
pub(crate) fn run(command: DeviceCommand) -> CliResult {
    match command {
        DeviceCommand::Enroll(args) => enroll::run(args),
        DeviceCommand::Server(args) => server::run(args),
        DeviceCommand::Login(args) => login::run(args),
    }
}

/// An `mpin_id` for a person to read: its text, or hexadecimal when it is none.
fn show_mpin_id(mpin_id: &[u8]) -> String {
    match std::str::from_utf8(mpin_id) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => hex::encode(mpin_id),
    }
}
