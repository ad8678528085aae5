//! The states of an authority, as types: what exists in one state cannot be asked for in another.
//!
//! | from | to | by |
//! |---|---|---|
//! | [`Sealed`] | [`Unlocking`] | a session is opened |
//! | [`Unlocking`] | [`Sealed`] | the session expires or is closed, or `lock` |
//! | [`Unlocking`] | [`Unlocked`] | M shares and the HSM |
//! | [`Unlocked`] | [`Sealed`] | `lock` |
//! | any | [`Phase::Stopping`] | the end of the process |

use ceremony::session::UnlockSession;
use state::SealingKey;
use wire::operator::AuthorityState;
use wire::{Problem, ProblemType};

use super::vault::sealed;

/// Where the authority stands.
pub(super) enum Phase {
    Sealed(Sealed),
    Unlocking(Unlocking),
    Unlocked(Unlocked),
    /// The process ends; nothing begins any more.
    Stopping,
}

/// Nothing is there that anybody could steal.
pub(super) struct Sealed;

/// A session collects shares.
pub(super) struct Unlocking {
    pub(super) session: Box<UnlockSession>,
    /// How many answers were refused unopened.
    pub(super) refused: u64,
}

/// The vault is open; this is what the registry is changed with.
pub(super) struct Unlocked {
    pub(super) key: SealingKey,
}

impl Phase {
    /// The word in `dta status`.
    pub(super) fn state(&self) -> AuthorityState {
        match self {
            Self::Sealed(_) | Self::Stopping => AuthorityState::Sealed,
            Self::Unlocking(_) => AuthorityState::Unlocking,
            Self::Unlocked(_) => AuthorityState::Unlocked,
        }
    }

    /// The permission to open a session.
    ///
    /// # Errors
    /// `conflict` when one is open, which nobody may replace, or when it is unlocked already.
    pub(super) fn sealed(&self) -> Result<&Sealed, Problem> {
        let conflict = |detail: &str| Err(Problem::new(ProblemType::Conflict, detail));
        match self {
            Self::Sealed(sealed) => Ok(sealed),
            Self::Unlocking(_) => conflict("an unlock session is open already"),
            Self::Unlocked(_) => conflict("the authority is unlocked already"),
            Self::Stopping => conflict("the authority is stopping"),
        }
    }

    /// The open session.
    ///
    /// # Errors
    /// `not-found` when there is none.
    pub(super) fn unlocking(&mut self) -> Result<&mut Unlocking, Problem> {
        match self {
            Self::Unlocking(unlocking) => Ok(unlocking),
            Self::Sealed(_) | Self::Unlocked(_) | Self::Stopping => Err(Problem::new(
                ProblemType::NotFound,
                "no unlock session is open",
            )),
        }
    }

    /// The permission to change the registry.
    ///
    /// # Errors
    /// `sealed`.
    pub(super) fn unlocked(&self) -> Result<&Unlocked, Problem> {
        match self {
            Self::Unlocked(unlocked) => Ok(unlocked),
            Self::Sealed(_) | Self::Unlocking(_) | Self::Stopping => Err(sealed()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_authority_gives_nothing_but_a_session() {
        let mut phase = Phase::Sealed(Sealed);
        assert_eq!(phase.state(), AuthorityState::Sealed);
        assert!(phase.sealed().is_ok());
        let problem = phase.unlocking().map(|_| ()).expect_err("no session");
        assert_eq!(problem.kind(), ProblemType::NotFound);
        let problem = phase.unlocked().map(|_| ()).expect_err("sealed");
        assert_eq!(problem.kind(), ProblemType::Sealed);
    }

    #[test]
    fn nothing_begins_in_an_authority_that_is_stopping() {
        let mut phase = Phase::Stopping;
        assert_eq!(phase.state(), AuthorityState::Sealed);
        let problem = phase.sealed().map(|_| ()).expect_err("no session");
        assert_eq!(problem.detail(), "the authority is stopping");
        assert!(phase.unlocking().is_err() && phase.unlocked().is_err());
    }
}
