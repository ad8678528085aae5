//! Which exit code and which remedy belongs to which error of `ceremony`.

use ceremony::approval::{CannotApprove, NotApproved};
use ceremony::files::FileError;
use ceremony::holder::{HolderPublicError, HolderSecretsError};
use ceremony::init::{DeskError, InitError};
use ceremony::paper::PaperError;
use ceremony::passphrase::PassphraseError;
use ceremony::pin::PinError;
use ceremony::prompts::AskError;
use ceremony::reshare::{ExamineError, NotMyShare};
use ceremony::session::{AnswerError, AnswerTextError, RequestError, SeenError};
use ceremony::sharefile::ShareFileError;
use ceremony::verify::Misfit;
use ceremony::words::BadWords;
use hsm::HsmError;

use crate::term::{CliError, Exit};

/// Makes a [`CliError`] of each: its exit code by a function of the error, its remedy by its own method.
macro_rules! into_cli_error {
    ($($error:ty => $exit:expr),+ $(,)?) => {
        $(impl From<$error> for CliError {
            fn from(error: $error) -> Self {
                let exit: fn(&$error) -> Exit = $exit;
                let (exit, remedy) = (exit(&error), error.remedy());
                Self::new(exit, error).with_remedy(remedy)
            }
        })+
    };
}

into_cli_error! {
    FileError => file_exit,
    HolderPublicError => |_| Exit::Refused,
    HolderSecretsError => key_exit,
    PassphraseError => passphrase_exit,
    DeskError => desk_exit,
    ShareFileError => share_exit,
    PaperError => paper_exit,
    PinError => pin_exit,
    AskError => ask_exit,
    SeenError => |_| Exit::Failed,
    AnswerError => |_| Exit::Refused,
    AnswerTextError => |_| Exit::Refused,
    RequestError => |_| Exit::Refused,
    InitError => init_exit,
    ExamineError => |error| match error {
        ExamineError::OtherPredecessor(_) => Exit::Conflict,
        _ => Exit::Refused,
    },
    NotMyShare => |_| Exit::Refused,
    NotApproved => |_| Exit::Refused,
    CannotApprove => |_| Exit::Refused,
    Misfit => |_| Exit::Refused,
    BadWords => |_| Exit::Refused,
}

/// An error of the HSM, which has no `From` of its own here: other commands map it differently.
pub(super) fn hsm_error(error: HsmError) -> CliError {
    let remedy = error.remedy();
    CliError::new(Exit::Hsm, error).with_remedy(remedy)
}

pub(super) fn file_exit(error: &FileError) -> Exit {
    match error {
        FileError::Exists(_) => Exit::Conflict,
        FileError::Exposed { .. } => Exit::Refused,
        _ => Exit::Failed,
    }
}

fn key_exit(error: &HolderSecretsError) -> Exit {
    match error {
        HolderSecretsError::File(error) => file_exit(error),
        HolderSecretsError::Generate(_) => Exit::Failed,
        _ => Exit::Refused,
    }
}

fn passphrase_exit(error: &PassphraseError) -> Exit {
    match error {
        PassphraseError::File(error) => file_exit(error),
        _ => Exit::Refused,
    }
}

fn desk_exit(error: &DeskError) -> Exit {
    match error {
        DeskError::Key { source, .. } => key_exit(source),
        DeskError::Passphrase { source, .. } => passphrase_exit(source),
        DeskError::Pin { source, .. } => ask_exit(source),
        DeskError::Absent(_) | DeskError::NoTerminal(_) => Exit::Usage,
        _ => Exit::Failed,
    }
}

fn share_exit(error: &ShareFileError) -> Exit {
    match error {
        ShareFileError::File(error) => file_exit(error),
        _ => Exit::Refused,
    }
}

fn paper_exit(error: &PaperError) -> Exit {
    match error {
        PaperError::Share(error) => share_exit(error),
        PaperError::Pin(error) => pin_exit(error),
        PaperError::CannotMake(_) => Exit::Failed,
        _ => Exit::Refused,
    }
}

fn pin_exit(error: &PinError) -> Exit {
    match error {
        PinError::Passphrase(error) => passphrase_exit(error),
        PinError::System(_) => Exit::Failed,
        _ => Exit::Refused,
    }
}

fn ask_exit(error: &AskError) -> Exit {
    match error {
        AskError::Share(error) => share_exit(error),
        AskError::Page(error) => paper_exit(error),
        AskError::Pin(error) => pin_exit(error),
        AskError::Desk(error) => desk_exit(error),
        _ => Exit::Refused,
    }
}

fn init_exit(error: &InitError) -> Exit {
    match error {
        InitError::Exists(_) | InitError::OtherToken { .. } | InitError::PlanOfAReshare => {
            Exit::Conflict
        }
        InitError::File(error) => file_exit(error),
        InitError::Share(error) => share_exit(error),
        InitError::Desk(error) => desk_exit(error),
        InitError::NotApproved(_) => Exit::Refused,
        InitError::Hsm(_) => Exit::Hsm,
        InitError::State(error) => match error.exit_code() {
            6 => Exit::Conflict,
            4 => Exit::Refused,
            _ => Exit::Failed,
        },
        _ => Exit::Failed,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn code(error: impl Into<CliError>) -> String {
        format!("{:?}", error.into().exit_code())
    }

    fn exit(exit: Exit) -> String {
        format!("{:?}", CliError::new(exit, "x").exit_code())
    }

    #[test]
    fn what_exists_is_a_conflict_wherever_it_is_met() {
        let exists = || FileError::Exists(PathBuf::from("x"));
        assert_eq!(code(exists()), exit(Exit::Conflict));
        assert_eq!(
            code(HolderSecretsError::File(exists())),
            exit(Exit::Conflict)
        );
        assert_eq!(code(ShareFileError::File(exists())), exit(Exit::Conflict));
        assert_eq!(
            code(InitError::Share(ShareFileError::File(exists()))),
            exit(Exit::Conflict)
        );
        assert_eq!(
            code(InitError::Exists(PathBuf::from("x"))),
            exit(Exit::Conflict)
        );
    }

    #[test]
    fn a_wrong_passphrase_is_a_refusal_and_a_missing_key_a_usage_error() {
        let wrong = || HolderSecretsError::WrongPassphrase(PathBuf::from("alice.holder"));
        assert_eq!(code(wrong()), exit(Exit::Refused));
        let desk = DeskError::Key {
            holder: "alice".into(),
            source: wrong(),
        };
        assert_eq!(code(InitError::Desk(desk)), exit(Exit::Refused));
        assert_eq!(
            code(DeskError::Absent("bob".parse().unwrap())),
            exit(Exit::Usage)
        );
    }

    #[test]
    fn the_hsm_has_its_own_code() {
        let error = || HsmError::KeyMissing {
            what: "seal key".into(),
            label: "x".into(),
        };
        assert_eq!(code(InitError::Hsm(error())), exit(Exit::Hsm));
        assert_eq!(code(hsm_error(error())), exit(Exit::Hsm));
    }
}
