//! The device's side of a login.
//!
//! Two-pass: the device sends `U = x * A`, is sent `y`, answers `V = -(x + y) * S`, where
//! `S = token + PIN * A`. Under a permit the base is `A + A_T` and the permit is added to `S`.
//! One-pass: the device makes `y` itself from time, `U` and a message.
//!
//! `x` serves one login: it is made inside, moved in, and gone with the answer.

use std::fmt;

use zeroize::Zeroizing;

use crate::login::{one_pass_challenge, scalar_from_be_bytes};
use crate::random::{self, RandomError};
use crate::{
    Blst, Challenge, Claim, ClientShare, Curve, Day, Identity, LoginPoint, OnePassLogin, Pin,
    ScalarError, Suite, TimePermit, Token, TokenError,
};

/// What a user brings to a login.
#[derive(Debug)]
pub struct Factors<'a, C: Curve = Blst> {
    /// The suite of the customer's key.
    pub suite: Suite,
    /// Who logs in.
    pub identity: &'a Identity,
    /// What the device has.
    pub token: &'a Token<C>,
    /// What the user knows.
    pub pin: &'a Pin,
}

/// A combined permit and its day.
#[derive(Debug)]
pub struct DatedPermit<'a, C: Curve = Blst> {
    /// The day that the permit was issued for.
    pub day: Day,
    /// The combined permit of all D-TAs.
    pub permit: &'a TimePermit<C>,
}

/// A device with token and PIN put together, ready to log in.
pub struct Device<C: Curve = Blst> {
    claim: Claim<C>,
    secret: ClientShare<C>,
}

impl<C: Curve> Device<C> {
    /// Puts the factors together, for logins without a permit.
    pub fn without_permit(factors: &Factors<'_, C>) -> Result<Self, TokenError> {
        let claim = Claim::without_permit(factors.suite, factors.identity);
        let secret = factors
            .token
            .recombine(claim.identity_point(), factors.pin)?;
        Ok(Self { claim, secret })
    }

    /// Puts the factors and a permit together.
    pub fn with_permit(
        factors: &Factors<'_, C>,
        dated: &DatedPermit<'_, C>,
    ) -> Result<Self, TokenError> {
        let claim = Claim::with_permit(factors.suite, factors.identity, dated.day);
        let share = factors
            .token
            .recombine(claim.identity_point(), factors.pin)?;
        let secret = ClientShare::new(C::g1_add(&share.point, &dated.permit.point));
        Ok(Self { claim, secret })
    }

    /// What the device tells the server of itself.
    pub fn claim(&self) -> &Claim<C> {
        &self.claim
    }

    /// Begins a two-pass login with a fresh `x`.
    pub fn begin(&self) -> Result<TwoPass<'_, C>, RandomError> {
        Ok(self.begin_with(Ephemeral::random()?))
    }

    /// Begins a two-pass login with the caller's `x`, for known answers.
    pub fn begin_with(&self, x: Ephemeral<C>) -> TwoPass<'_, C> {
        let u = LoginPoint {
            point: C::g1_mul(&self.claim.base(), &x.0),
        };
        TwoPass { device: self, x, u }
    }

    /// Makes a one-pass login at `time` (Unix seconds) over `message`.
    pub fn one_pass(&self, time: u32, message: &[u8]) -> Result<OnePassLogin<C>, DeviceError> {
        self.one_pass_with(Ephemeral::random()?, time, message)
    }

    /// As [`Device::one_pass`], with the caller's `x`.
    pub fn one_pass_with(
        &self,
        x: Ephemeral<C>,
        time: u32,
        message: &[u8],
    ) -> Result<OnePassLogin<C>, DeviceError> {
        let login = self.begin_with(x);
        let u = login.u;
        let v = login.answer(&one_pass_challenge(time, &u, message))?;
        Ok(OnePassLogin {
            time,
            message: message.to_vec(),
            u,
            v,
        })
    }
}

impl<C: Curve> fmt::Debug for Device<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Device({:?}, ..)", self.claim)
    }
}

/// A two-pass login under way. Answering ends it, so that `x` is used once.
pub struct TwoPass<'a, C: Curve = Blst> {
    device: &'a Device<C>,
    x: Ephemeral<C>,
    u: LoginPoint<C>,
}

impl<C: Curve> TwoPass<'_, C> {
    /// The first message: `U`, or `UT` under a permit.
    pub fn u(&self) -> &LoginPoint<C> {
        &self.u
    }

    /// The third message, in answer to the server's challenge.
    pub fn respond(self, y: &Challenge<C>) -> Result<LoginPoint<C>, DeviceError> {
        self.answer(&y.scalar)
    }

    fn answer(self, y: &C::Scalar) -> Result<LoginPoint<C>, DeviceError> {
        let sum = C::scalar_add(&self.x.0, y);
        let point = C::g1_neg(&C::g1_mul(&self.device.secret.point, &sum));
        if C::g1_is_identity(&point) {
            return Err(DeviceError::Cancelled);
        }
        Ok(LoginPoint { point })
    }
}

impl<C: Curve> fmt::Debug for TwoPass<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TwoPass({:?}, ..)", self.u)
    }
}

/// `x`, the device's secret scalar of one login; not zero, wiped on drop.
pub struct Ephemeral<C: Curve = Blst>(Zeroizing<C::Scalar>);

impl<C: Curve> Ephemeral<C> {
    /// A fresh one.
    pub fn random() -> Result<Self, RandomError> {
        Ok(Self(Zeroizing::new(random::nonzero_scalar::<C>()?)))
    }

    /// Reads 32 bytes, big endian, for known answers. Using one twice gives the secret away.
    pub fn from_be_bytes(bytes: &[u8; 32]) -> Result<Self, ScalarError> {
        Ok(Self(Zeroizing::new(scalar_from_be_bytes::<C>(bytes)?)))
    }
}

impl<C: Curve> fmt::Debug for Ephemeral<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ephemeral(..)")
    }
}

/// Why a device gives no answer.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// `x + y = 0`: no honest server's challenge does that.
    #[error("the server's challenge cancels the device's own scalar")]
    Cancelled,
    /// No randomness for `x`.
    #[error("no scalar for the login")]
    Random(#[from] RandomError),
}
