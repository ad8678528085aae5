//! Live progress of an unlock session: a line for every share that comes in, until it unlocks or ends.
//!
//! It only looks, once a second, so whoever stops it stops nothing. Plain lines that scroll: a serial console shows them as
//! well as a terminal does, and a log file keeps them.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use ceremony::session::SessionRequest;
use wire::operator::{AuthorityState, Op, StatusReport};

use crate::operator_cli::socket::SocketArgs;
use crate::term::{CliError, CliResult, Exit};

const PERIOD: Duration = Duration::from_secs(1);
/// A quiet session says every so many seconds that it is still there.
const REMINDER: u64 = 60;

/// `--wait` and `--no-wait`.
#[derive(Debug, clap::Args)]
pub(super) struct WaitArgs {
    /// Show the shares of all holders as they come in, until it is unlocked or the session ends.
    ///
    /// The default on a terminal. Ctrl-C ends only the display.
    #[arg(long)]
    wait: bool,
    /// Do not wait for the others.
    #[arg(long, conflicts_with = "wait")]
    no_wait: bool,
}

impl WaitArgs {
    /// Whether the others' shares are waited for.
    pub(super) fn wanted(&self) -> bool {
        self.wait || (!self.no_wait && std::io::stdout().is_terminal())
    }

    /// Whether it was asked for in so many words.
    pub(super) fn explicit(&self) -> bool {
        self.wait
    }
}

/// The names of the holders who may answer.
pub(super) fn roster(request: &SessionRequest) -> Vec<String> {
    let roster = request.chain.current().unlock.roster().iter();
    roster.map(|holder| holder.name.to_string()).collect()
}

/// Shows how a session goes on, to its end.
///
/// # Errors
/// `sealed` when the session ended and nothing was unlocked.
pub(super) fn watch(socket: &SocketArgs, request: &SessionRequest) -> CliResult {
    let id = request.session.session.session.to_string();
    let roster = roster(request);
    let mut progress = Progress::new(&id, &roster);
    say("Waiting for the other holders. Ctrl-C ends only this display.")?;
    loop {
        let report: StatusReport = socket.call(Op::Status {})?;
        let (lines, end) = progress.take(&report);
        for line in lines {
            say(&line)?;
        }
        match end {
            Some(End::Unlocked) => return Ok(()),
            Some(End::Over) => {
                return Err(CliError::new(
                    Exit::Sealed,
                    "the session is over and nothing is unlocked; its shares are wiped",
                )
                .with_remedy(Some("begin again with `dta unlock`")));
            }
            None => std::thread::sleep(PERIOD),
        }
    }
}

/// A line at once, also into a pipe.
fn say(line: &str) -> CliResult {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(|error| CliError::new(Exit::Failed, error))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Unlocked,
    Over,
}

/// What was shown of a session.
struct Progress<'a> {
    id: &'a str,
    roster: &'a [String],
    shown: Vec<u8>,
    /// The seconds left when something was last said.
    said: Option<u64>,
}

impl<'a> Progress<'a> {
    fn new(id: &'a str, roster: &'a [String]) -> Self {
        Self {
            id,
            roster,
            shown: Vec::new(),
            said: None,
        }
    }

    /// What a status adds to what was shown, and whether that is the end.
    fn take(&mut self, report: &StatusReport) -> (Vec<String>, Option<End>) {
        let session = match (&report.state, &report.session) {
            (AuthorityState::Unlocked, _) => {
                return (vec!["unlocked".to_owned()], Some(End::Unlocked));
            }
            (AuthorityState::Unlocking, Some(session)) if session.id == self.id => session,
            _ => return (Vec::new(), Some(End::Over)),
        };
        let mut lines = Vec::new();
        for share in &report.accepted {
            if !self.shown.contains(&share.index) {
                self.shown.push(share.index);
                lines.push(format!(
                    "share {} of {} is accepted",
                    share.index, share.holder
                ));
            }
        }
        let due = |said: u64| session.left + REMINDER <= said;
        if !lines.is_empty() || self.said.is_none_or(due) {
            self.said = Some(session.left);
            lines.push(self.summary(report, session.left));
        }
        (lines, None)
    }

    fn summary(&self, report: &StatusReport, left: u64) -> String {
        let there = |name: &&String| report.accepted.iter().any(|share| share.holder == **name);
        let missing: Vec<_> = self
            .roster
            .iter()
            .filter(|name| !there(name))
            .cloned()
            .collect();
        let (have, m) = (report.accepted.len(), report.set.m);
        let time = format!("{}:{:02} left", left / 60, left % 60);
        if have >= usize::from(m) {
            return format!("sealed, {have} of {m}, {time}; enough are there: see `dta status`");
        }
        format!(
            "sealed, {have} of {m}, {time}; may come: {}",
            missing.join(", ")
        )
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report(state: &str, accepted: &[(u8, &str)], left: u64) -> StatusReport {
        let accepted: Vec<_> = accepted
            .iter()
            .map(|(index, holder)| json!({"index": index, "holder": holder}))
            .collect();
        let mut report = json!({
            "state": state,
            "set": {"id": "5eed", "epoch": 1, "m": 2, "n": 3},
            "accepted": accepted,
            "hsm": "ready",
            "audit": {"size": 7, "state": "ready"},
            "version": "0.1.0",
        });
        if state == "unlocking" {
            report["session"] = json!({"id": "abcd", "expires": 0, "left": left});
        }
        serde_json::from_value(report).unwrap()
    }

    #[test]
    fn every_share_is_a_line_and_silence_is_broken_once_a_minute() {
        let roster = ["alice", "bob", "carol"].map(String::from);
        let mut progress = Progress::new("abcd", &roster);
        assert_eq!(
            progress.take(&report("unlocking", &[(1, "alice")], 600)),
            (
                vec![
                    "share 1 of alice is accepted".to_owned(),
                    "sealed, 1 of 2, 10:00 left; may come: bob, carol".to_owned()
                ],
                None
            )
        );
        for left in (541..600).rev() {
            let (lines, end) = progress.take(&report("unlocking", &[(1, "alice")], left));
            assert!(lines.is_empty() && end.is_none(), "{left}: {lines:?}");
        }
        let (lines, _) = progress.take(&report("unlocking", &[(1, "alice")], 540));
        assert_eq!(lines, ["sealed, 1 of 2, 9:00 left; may come: bob, carol"]);
        let (lines, end) = progress.take(&report("unlocked", &[], 0));
        assert_eq!(
            (lines.join("; "), end),
            ("unlocked".into(), Some(End::Unlocked))
        );
    }

    #[test]
    fn the_end_of_the_session_is_noticed_also_when_another_follows_it() {
        let mut progress = Progress::new("abcd", &[]);
        assert_eq!(
            progress.take(&report("sealed", &[], 0)),
            (vec![], Some(End::Over))
        );
        let mut progress = Progress::new("other", &[]);
        let (_, end) = progress.take(&report("unlocking", &[], 600));
        assert_eq!(end, Some(End::Over));
    }
}
