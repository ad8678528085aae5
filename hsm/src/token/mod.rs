//! The token, inside the process `dta hsm`: module, session and login, one caller at a time.
//!
//! The module is loaded once. Label and serial select the token, since slot numbers change. One
//! read-write session is kept logged in; after an error that may mean that token or session are
//! gone it is thrown away, the library is initialised anew, and the next attempt logs in again.
//! A token answers one caller at a time anyway, creation of objects must not run concurrently, and
//! vendors' libraries have crashed under concurrency; so callers queue here, with a time limit.
//!
//! It refuses to offer a PIN that the token refused before: three impatient retries would lock it.

mod data;
mod fault;
mod keys;
mod module;
mod nodekey;
mod queue;
mod rawinfo;
mod sealing;
#[cfg(all(test, feature = "harness"))]
mod tests;

use std::time::Duration;

use cryptoki::context::Pkcs11;
use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use zeroize::Zeroizing;

use crate::config::Config;
use crate::error::HsmError;
use crate::pin::Pin;
use crate::protocol::MAX_RANDOM_BYTES;
use crate::types::{KeyLabel, NodeKey, PinState, Sealed, TokenId, TokenInfo};

use self::fault::{Fault, to_error};
use self::keys::CheckedKeys;
use self::module::{Module, node_key_algs};
use self::queue::Queue;
use self::sealing::GcmCalls;

/// How long a caller queues while another one's PKCS#11 call does not return.
const QUEUE_WITHIN: Duration = Duration::from_secs(15);

/// The token of a configuration. It need not be there yet.
pub(crate) struct Token {
    config: Config,
    state: Queue<State>,
}

/// What is known and open at the moment.
#[derive(Default)]
struct State {
    // Declared before the module: a session must be closed before the library goes.
    login: Option<Login>,
    module: Option<Module>,
    refused: Option<RefusedPin>,
    /// The token of the last login, to tell one that was removed from one that never was.
    seen: Option<TokenId>,
}

/// A session in which the user is logged in, with what was learnt in it.
struct Login {
    session: Session,
    pkcs11: Pkcs11,
    slot: Slot,
    id: TokenId,
    keys: CheckedKeys,
    gcm: GcmCalls,
}

/// A PIN that the token refused, and what it said.
struct RefusedPin {
    pin: Pin,
    error: HsmError,
}

/// Whether an operation that hit a lost session may be done once more in a new one.
#[derive(Clone, Copy)]
enum OnLoss {
    Repeat,
    Report,
}

impl Token {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            state: Queue::default(),
        }
    }

    /// Logs in if need be and says to which token.
    pub(crate) fn ping(&self) -> Result<TokenId, HsmError> {
        self.with(OnLoss::Repeat, |login, _| Ok(login.id.clone()))
    }

    pub(crate) fn info(&self) -> Result<TokenInfo, HsmError> {
        self.with(OnLoss::Repeat, |login, module| {
            module.token_info(login.slot)
        })
    }

    pub(crate) fn create_seal_key(&self, label: &KeyLabel) -> Result<(), HsmError> {
        self.with(OnLoss::Report, |login, _| {
            keys::create_seal_key(login, label)
        })
    }

    pub(crate) fn create_node_key(&self, label: &KeyLabel) -> Result<NodeKey, HsmError> {
        self.with(OnLoss::Report, |login, module| {
            let algs = node_key_algs(&module.mechanisms(login.slot)?);
            nodekey::create(login, label, &algs)
        })
    }

    pub(crate) fn find_node_key(&self, label: &KeyLabel) -> Result<NodeKey, HsmError> {
        self.with(OnLoss::Repeat, |login, _| nodekey::find(login, label))
    }

    pub(crate) fn seal_key_exists(&self, label: &KeyLabel) -> Result<bool, HsmError> {
        self.with(OnLoss::Repeat, |login, _| {
            keys::seal_key_exists(login, label)
        })
    }

    pub(crate) fn check_seal_key(&self, label: &KeyLabel) -> Result<(), HsmError> {
        self.with(OnLoss::Repeat, |login, _| sealing::check(login, label))
    }

    pub(crate) fn seal(
        &self,
        label: &KeyLabel,
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<Sealed, HsmError> {
        self.with(OnLoss::Repeat, |login, _| {
            sealing::seal(login, label, aad, plaintext)
        })
    }

    pub(crate) fn open(
        &self,
        label: &KeyLabel,
        aad: &[u8],
        sealed: &Sealed,
    ) -> Result<Zeroizing<Vec<u8>>, HsmError> {
        self.with(OnLoss::Repeat, |login, _| {
            sealing::open(login, label, aad, sealed)
        })
    }

    pub(crate) fn sign(&self, label: &KeyLabel, message: &[u8]) -> Result<Vec<u8>, HsmError> {
        self.with(OnLoss::Repeat, |login, _| {
            nodekey::sign(login, label, message)
        })
    }

    pub(crate) fn random(&self, bytes: usize) -> Result<Zeroizing<Vec<u8>>, HsmError> {
        if bytes > MAX_RANDOM_BYTES {
            let what = "the random value asked for".to_owned();
            return Err(HsmError::TooLarge {
                what,
                size: bytes,
                limit: MAX_RANDOM_BYTES,
            });
        }
        self.with(OnLoss::Repeat, |login, _| {
            let mut random = Zeroizing::new(vec![0; bytes]);
            login.session.generate_random_slice(&mut random)?;
            Ok(random)
        })
    }

    pub(crate) fn put_data(&self, label: &KeyLabel, bytes: &[u8]) -> Result<(), HsmError> {
        self.with(OnLoss::Repeat, |login, _| data::put(login, label, bytes))
    }

    pub(crate) fn get_data(&self, label: &KeyLabel) -> Result<Vec<u8>, HsmError> {
        self.with(OnLoss::Repeat, |login, _| data::get(login, label))
    }

    /// Says how many objects went.
    pub(crate) fn destroy_key(&self, label: &KeyLabel) -> Result<usize, HsmError> {
        self.with(OnLoss::Repeat, |login, _| keys::destroy(login, label))
    }

    /// Runs `work` in a logged-in session, alone. A session that turns out to be lost is thrown
    /// away; the work is then repeated once, or reported as failed, as `on_loss` says.
    fn with<T>(
        &self,
        on_loss: OnLoss,
        work: impl Fn(&mut Login, &Module) -> Result<T, Fault>,
    ) -> Result<T, HsmError> {
        let mut state = self.state.take(QUEUE_WITHIN).ok_or_else(|| {
            HsmError::timeout(
                "waiting for an earlier PKCS#11 call to return",
                QUEUE_WITHIN,
            )
        })?;
        let was_logged_in = state.login.is_some();
        let error = match self.attempt(&mut state, &work) {
            Ok(value) => return Ok(value),
            Err(Fault::Told(error)) => return Err(error),
            Err(lost) => state.give_up(lost),
        };
        if was_logged_in && matches!(on_loss, OnLoss::Repeat) {
            return self
                .attempt(&mut state, &work)
                .map_err(|fault| state.give_up(fault));
        }
        Err(error)
    }

    fn attempt<T>(
        &self,
        state: &mut State,
        work: &impl Fn(&mut Login, &Module) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let State {
            login,
            module,
            refused,
            seen,
        } = state;
        let module = match module {
            Some(module) => module,
            None => module.insert(Module::load(&self.config.module)?),
        };
        let login = match login {
            Some(login) => login,
            None => {
                let made = self
                    .log_in(module, refused)
                    .map_err(|f| removed(f, seen.as_ref()))?;
                tracing::info!(token = %made.id, "logged in");
                *seen = Some(made.id.clone());
                login.insert(made)
            }
        };
        work(login, module)
    }

    fn log_in(
        &self,
        module: &mut Module,
        refused: &mut Option<RefusedPin>,
    ) -> Result<Login, Fault> {
        module.start()?;
        let (slot, id) = module.find_token(&self.config)?;
        let pin = self.config.pin_file.read()?;
        if let Some(earlier) = refused.as_ref().filter(|earlier| earlier.pin.is_same(&pin)) {
            return Err(earlier.error.clone().into());
        }
        *refused = None;
        let pkcs11 = module.library();
        let session = pkcs11.open_rw_session(slot)?;
        match session.login(UserType::User, Some(&pin.to_auth())) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            Err(e) => {
                let error = login_error(&e, &id, module.pin_state(slot)).ok_or(e)?;
                *refused = Some(RefusedPin {
                    pin,
                    error: error.clone(),
                });
                return Err(error.into());
            }
        }
        let (keys, gcm) = (CheckedKeys::default(), GcmCalls::default());
        Ok(Login {
            session,
            pkcs11,
            slot,
            id,
            keys,
            gcm,
        })
    }
}

impl State {
    /// The error to report for `fault`; when the session may be lost, forgets it and stops the
    /// library, so that the next attempt starts from nothing.
    fn give_up(&mut self, fault: Fault) -> HsmError {
        if let Fault::Told(error) = fault {
            return error;
        }
        let error = fault.into_error(self.seen.as_ref());
        tracing::warn!(%error, "the token session is lost");
        self.login = None;
        if let Some(module) = &mut self.module {
            module.stop();
        }
        error
    }
}

/// A token that was there in this process's life and is not found now was removed.
fn removed(fault: Fault, seen: Option<&TokenId>) -> Fault {
    match (fault, seen) {
        (
            Fault::Told(
                error @ (HsmError::NoSuchToken { .. } | HsmError::ModuleNotLoadable { .. }),
            ),
            Some(_),
        ) => Fault::Lost {
            problem: error.to_string(),
        },
        (fault, _) => fault,
    }
}

/// What a refused login means, or nothing when it was not about the PIN.
fn login_error(error: &Error, token: &TokenId, tries: PinState) -> Option<HsmError> {
    use RvError as R;
    let Error::Pkcs11(code, _) = error else {
        return None;
    };
    let token = token.clone();
    Some(match code {
        R::PinLocked => HsmError::PinLocked { token },
        R::PinIncorrect | R::PinInvalid | R::PinLenRange => match tries {
            PinState::Locked => HsmError::PinLocked { token },
            tries => HsmError::WrongPin { token, tries },
        },
        R::PinExpired | R::UserPinNotInitialized | R::PinTooWeak => HsmError::PinUnusable {
            token,
            problem: to_error(error).to_string(),
        },
        _ => return None,
    })
}
