//! The M-Pin server's side of a login.
//!
//! A login is accepted when `e(V, Q) * e(U + y * A, s * Q) = 1`, with `A + A_T` in place of `A`
//! under a permit. When it is not, the PIN was wrong, or the token, or the permit: the equation
//! does not say which, and recovering the distance of a wrong PIN is not offered.
//!
//! What it refuses before it looks at the equation: infinity and points outside the subgroup
//! (they cannot be a [`LoginPoint`]); a login without a day where permits are required; a day
//! other than today; one-pass logins that are too old, too new, or seen before. A challenge
//! serves one login: answering consumes it.

use std::collections::HashMap;
use std::fmt;

use sha2::{Digest, Sha256};

use crate::login::one_pass_challenge;
use crate::{
    Blst, Challenge, Claim, Curve, Day, LoginPoint, OnePassLogin, RandomError, ServerShare,
};

/// Whether users need a permit of today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PermitPolicy {
    /// Without today's permit nobody logs in: this is what makes revocation work.
    Required,
    /// A login may name today or no day at all.
    NotRequired,
}

/// How a login ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a login that is not looked at lets everybody in"]
pub enum Login {
    /// PIN, token and permit are right.
    Accepted,
    /// The equation does not hold: wrong PIN, token or permit. Count it and lock out.
    BadPin,
}

/// An M-Pin server's secret and its policy.
#[derive(Debug)]
pub struct Verifier<C: Curve = Blst> {
    share: ServerShare<C>,
    permits: PermitPolicy,
}

impl<C: Curve> Verifier<C> {
    /// Takes the combined server share of all D-TAs.
    pub fn new(share: ServerShare<C>, permits: PermitPolicy) -> Self {
        Self { share, permits }
    }

    /// Takes the first message of a two-pass login and makes a fresh challenge.
    pub fn open(
        &self,
        claim: &Claim<C>,
        today: Day,
        u: LoginPoint<C>,
    ) -> Result<PendingLogin<C>, LoginError> {
        let y = Challenge::random()?;
        self.open_with(claim, today, u, y)
    }

    /// As [`Verifier::open`], with the caller's challenge, for known answers.
    pub fn open_with(
        &self,
        claim: &Claim<C>,
        today: Day,
        u: LoginPoint<C>,
        y: Challenge<C>,
    ) -> Result<PendingLogin<C>, LoginError> {
        self.check_day(claim, today)?;
        Ok(PendingLogin {
            base: claim.base(),
            u,
            y,
        })
    }

    /// Takes the third message of a two-pass login and decides it. A challenge is good for one
    /// answer:
    ///
    /// ```compile_fail,E0382
    /// # use mpin::{server::{PendingLogin, Verifier}, LoginPoint};
    /// # fn guess(verifier: Verifier, pending: PendingLogin, v: [LoginPoint; 2]) {
    /// let _first = verifier.finish(pending, &v[0]);
    /// let _second = verifier.finish(pending, &v[1]); // `pending` was moved
    /// # }
    /// ```
    pub fn finish(&self, pending: PendingLogin<C>, v: &LoginPoint<C>) -> Login {
        self.decide(&pending.base, &pending.u, &pending.y.scalar, v)
    }

    /// Decides a one-pass login at `now` (Unix seconds). `cache` bounds the time and remembers
    /// what was accepted.
    pub fn one_pass(
        &self,
        claim: &Claim<C>,
        login: &OnePassLogin<C>,
        now: u64,
        cache: &mut ReplayCache,
    ) -> Result<Login, LoginError> {
        self.check_day(claim, Day::from_unix_seconds(now))?;
        let base = claim.base();
        let slot = cache.slot::<C>(&base, login, now)?;
        let y = one_pass_challenge(login.time, &login.u, &login.message);
        let outcome = self.decide(&base, &login.u, &y, &login.v);
        if outcome == Login::Accepted {
            cache.remember(slot);
        }
        Ok(outcome)
    }

    fn check_day(&self, claim: &Claim<C>, today: Day) -> Result<(), LoginError> {
        match claim.day() {
            Some(named) if named != today => Err(LoginError::WrongDay { named, today }),
            None if self.permits == PermitPolicy::Required => Err(LoginError::PermitRequired),
            Some(_) | None => Ok(()),
        }
    }

    fn decide(&self, base: &C::G1, u: &LoginPoint<C>, y: &C::Scalar, v: &LoginPoint<C>) -> Login {
        let commitment = C::g1_add(&u.point, &C::g1_mul(base, y));
        let holds = C::pairings_cancel(
            (&v.point, &C::g2_generator()),
            (&commitment, &self.share.point),
        );
        if holds {
            Login::Accepted
        } else {
            Login::BadPin
        }
    }
}

/// A two-pass login that waits for its third message.
pub struct PendingLogin<C: Curve = Blst> {
    base: C::G1,
    u: LoginPoint<C>,
    y: Challenge<C>,
}

impl<C: Curve> PendingLogin<C> {
    /// The second message: `y`.
    pub fn challenge(&self) -> &Challenge<C> {
        &self.y
    }
}

impl<C: Curve> fmt::Debug for PendingLogin<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingLogin")
            .field("u", &self.u)
            .field("y", &self.y)
            .finish()
    }
}

/// What a one-pass server allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnePassLimits {
    /// Seconds for which a login is good.
    pub max_age: u32,
    /// Seconds by which a device's clock may run ahead.
    pub max_skew: u32,
    /// Accepted logins that are remembered at once; further ones are refused, not forgotten.
    pub capacity: usize,
}

/// Accepted one-pass logins of the last `max_age` seconds. Holds no clock: the caller's `now`
/// drives it, and a `now` that runs backwards forgets nothing. A server that restarts has an empty
/// one: let it refuse one-pass logins for `max_age + max_skew` seconds.
#[derive(Debug)]
pub struct ReplayCache {
    limits: OnePassLimits,
    seen: HashMap<[u8; 32], u64>,
}

impl ReplayCache {
    /// An empty cache.
    pub fn new(limits: OnePassLimits) -> Self {
        Self {
            limits,
            seen: HashMap::new(),
        }
    }

    /// Logins remembered.
    pub fn len(&self) -> usize {
        self.seen.len()
    }

    /// Whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// Checks the time and that this `U` is new and has room.
    fn slot<C: Curve>(
        &mut self,
        base: &C::G1,
        login: &OnePassLogin<C>,
        now: u64,
    ) -> Result<Slot, LoginError> {
        let time = u64::from(login.time);
        let good_until = time + u64::from(self.limits.max_age);
        if now > good_until {
            return Err(LoginError::TooOld {
                by: now - good_until,
            });
        }
        let latest = now.saturating_add(u64::from(self.limits.max_skew));
        if time > latest {
            return Err(LoginError::TooEarly { by: time - latest });
        }
        self.seen.retain(|_, until| *until >= now);
        // `x` is fresh in each honest login, so one `U` is one login, whatever else is said.
        let key = Sha256::new()
            .chain_update(C::g1_to_compressed(base))
            .chain_update(login.u.to_compressed())
            .finalize()
            .into();
        if self.seen.contains_key(&key) {
            return Err(LoginError::Replayed);
        }
        if self.seen.len() >= self.limits.capacity {
            return Err(LoginError::CacheFull);
        }
        Ok(Slot { key, good_until })
    }

    fn remember(&mut self, slot: Slot) {
        self.seen.insert(slot.key, slot.good_until);
    }
}

struct Slot {
    key: [u8; 32],
    good_until: u64,
}

/// Why a login was refused before the equation was looked at.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// No day named where one is needed.
    #[error("a time permit is required, and the login names no day")]
    PermitRequired,
    /// A permit of another day.
    #[error("the login names day {}, today is day {}", named.number(), today.number())]
    WrongDay {
        /// The day of the permit.
        named: Day,
        /// The server's day.
        today: Day,
    },
    /// A one-pass login past its time.
    #[error("the login is {by} seconds too old")]
    TooOld {
        /// Seconds past the limit.
        by: u64,
    },
    /// A one-pass login from the future.
    #[error("the login is {by} seconds too early")]
    TooEarly {
        /// Seconds past the limit.
        by: u64,
    },
    /// A one-pass login seen before.
    #[error("the login was used before")]
    Replayed,
    /// No room to remember another login.
    #[error("too many logins at once, none can be remembered")]
    CacheFull,
    /// No randomness for the challenge.
    #[error("no challenge for the login")]
    Random(#[from] RandomError),
}

impl LoginError {
    /// What a person may do about it.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            LoginError::PermitRequired | LoginError::WrongDay { .. } => {
                Some("fetch today's time permit and log in with it")
            }
            LoginError::TooOld { .. } | LoginError::TooEarly { .. } => {
                Some("set the device's clock and log in again")
            }
            LoginError::Replayed => Some("log in again"),
            LoginError::CacheFull => Some("log in again in a minute"),
            LoginError::Random(error) => error.remedy(),
        }
    }
}
