//! `dta status` and `dta lock`.

use wire::operator::{AuditState, AuthorityState, HsmState, Op, StatusReport};

use super::socket::SocketArgs;
use crate::term::{CliError, CliResult, Exit, print_json};

/// Say whether the authority is sealed, and how its parts are.
///
/// Exits with 0 when it issues, 3 when it is sealed, 5 when the HSM is away, 7 when the audit log
/// is blocked.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: dta status --json")]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    socket: SocketArgs,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Wipe the opened secrets and seal the authority.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: dta lock")]
pub(crate) struct LockArgs {
    #[command(flatten)]
    socket: SocketArgs,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs `dta status`.
pub(crate) fn run_status(args: StatusArgs) -> CliResult {
    let report: StatusReport = args.socket.call(Op::Status {})?;
    if args.json {
        print_json(&report)?;
    } else {
        print!("{}", describe(&report));
    }
    verdict(&report)
}

/// Runs `dta lock`.
pub(crate) fn run_lock(args: LockArgs) -> CliResult {
    let report: StatusReport = args.socket.call(Op::Lock {})?;
    if args.json {
        return print_json(&report);
    }
    println!("sealed: the opened secrets are wiped");
    Ok(())
}

/// The report as lines of `name  value`, the state in the words of the design (`sealed, 2 of 3`).
fn describe(report: &StatusReport) -> String {
    let set = &report.set;
    let state = match report.state {
        AuthorityState::Unlocked => "unlocked".to_owned(),
        AuthorityState::Sealed => format!("sealed, 0 of {}", set.m),
        AuthorityState::Unlocking => format!("sealed, {} of {}", report.accepted.len(), set.m),
    };
    let mut lines = vec![
        ("state", state),
        (
            "set",
            format!(
                "{}, epoch {}, {} of {} holders",
                set.id, set.epoch, set.m, set.n
            ),
        ),
    ];
    if let Some(session) = &report.session {
        lines.push((
            "session",
            format!("{}, {} s left", session.id, session.left),
        ));
    }
    if !report.accepted.is_empty() {
        let names = report
            .accepted
            .iter()
            .map(|share| format!("{} {}", share.index, share.holder));
        lines.push(("accepted", names.collect::<Vec<_>>().join(", ")));
    }
    lines.push(("hsm", describe_hsm(report)));
    lines.push(("audit", describe_audit(report)));
    lines.push(("version", report.version.clone()));
    lines
        .iter()
        .map(|(name, value)| format!("{name:<10}{value}\n"))
        .collect()
}

fn describe_hsm(report: &StatusReport) -> String {
    match (report.hsm, &report.hsm_reason) {
        (HsmState::Ready, _) => "ready".to_owned(),
        (HsmState::Unavailable, None) => "unavailable".to_owned(),
        (HsmState::Unavailable, Some(reason)) => format!("unavailable: {reason}"),
    }
}

fn describe_audit(report: &StatusReport) -> String {
    let state = match (report.audit.state, &report.audit.reason) {
        (AuditState::Ready, _) => "ready".to_owned(),
        (AuditState::Blocked, None) => "blocked".to_owned(),
        (AuditState::Blocked, Some(reason)) => format!("blocked: {reason}"),
    };
    format!("{} entries, {state}", report.audit.size)
}

/// What hinders issuing, the most urgent first.
fn verdict(report: &StatusReport) -> CliResult {
    let failed = |exit, what: &str, remedy: &str| {
        Err(CliError::new(exit, what.to_owned()).with_remedy(Some(remedy)))
    };
    if report.audit.state == AuditState::Blocked {
        return failed(
            Exit::AuditBlocked,
            "the audit log cannot be written, so nothing is issued",
            "look at the authority's log for the reason, mend the disk, restart the authority",
        );
    }
    if report.hsm == HsmState::Unavailable {
        return failed(
            Exit::Hsm,
            "the HSM does not answer with the right key",
            "check `dta hsm` and its token; the authority finds it again by itself",
        );
    }
    match report.state {
        AuthorityState::Unlocked => Ok(()),
        AuthorityState::Sealed | AuthorityState::Unlocking => {
            let missing = usize::from(report.set.m).saturating_sub(report.accepted.len());
            failed(
                Exit::Sealed,
                "the authority is sealed",
                &format!(
                    "`dta unlock` by {missing} more of the {} holders",
                    report.set.n
                ),
            )
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use wire::operator::{AcceptedShare, AuditReport, SessionReport, SetReport};

    fn report(state: AuthorityState) -> StatusReport {
        StatusReport {
            state,
            set: SetReport {
                id: "5eed".into(),
                epoch: 1,
                m: 3,
                n: 5,
            },
            accepted: vec![],
            session: None,
            hsm: HsmState::Ready,
            hsm_reason: None,
            audit: AuditReport {
                size: 7,
                state: AuditState::Ready,
                reason: None,
            },
            version: "0.1.0".into(),
        }
    }

    #[test]
    fn progress_reads_as_sealed_two_of_three() {
        let mut status = report(AuthorityState::Unlocking);
        status.session = Some(SessionReport {
            id: "abcd".into(),
            expires: 1_100,
            left: 100,
        });
        status.accepted = vec![
            AcceptedShare {
                index: 1,
                holder: "alice".into(),
            },
            AcceptedShare {
                index: 4,
                holder: "dora".into(),
            },
        ];
        let text = describe(&status);
        assert_eq!(
            text,
            "state     sealed, 2 of 3\n\
             set       5eed, epoch 1, 3 of 5 holders\n\
             session   abcd, 100 s left\n\
             accepted  1 alice, 4 dora\n\
             hsm       ready\n\
             audit     7 entries, ready\n\
             version   0.1.0\n"
        );
    }

    #[test]
    fn a_blocked_log_comes_before_an_absent_hsm_and_that_before_the_seal() {
        let mut status = report(AuthorityState::Sealed);
        let said = |status: &StatusReport| format!("{:?}", verdict(status).unwrap_err());
        assert!(said(&status).contains("Sealed"));
        status.hsm = HsmState::Unavailable;
        assert!(said(&status).contains("Hsm"));
        status.audit.state = AuditState::Blocked;
        assert!(said(&status).contains("AuditBlocked"));
        assert!(verdict(&report(AuthorityState::Unlocked)).is_ok());
    }

    #[test]
    fn what_is_wrong_with_hsm_and_log_is_said() {
        let mut status = report(AuthorityState::Unlocked);
        status.hsm = HsmState::Unavailable;
        status.hsm_reason = Some("the token refused the PIN".into());
        status.audit.state = AuditState::Blocked;
        status.audit.reason = Some("disk-full".into());
        let text = describe(&status);
        assert!(
            text.contains("hsm       unavailable: the token refused the PIN\n"),
            "{text}"
        );
        assert!(
            text.contains("audit     7 entries, blocked: disk-full\n"),
            "{text}"
        );
    }
}
