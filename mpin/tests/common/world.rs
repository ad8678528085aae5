//! Two D-TAs, one user and one server, for the tests of the login protocol.

use mpin::device::{DatedPermit, Device, Factors};
use mpin::server::{Login, LoginError, PermitPolicy, Verifier};
use mpin::{
    Challenge, ClientShare, Curve, Day, Identity, IdentityPoint, LoginPoint, MasterSecret,
    PermitPoint, Pin, ServerShare, Suite, TimePermit, Token,
};

use super::secret;

pub const PIN: u32 = 1234;
pub const NOW: u64 = 1_795_200_000;

pub fn today() -> Day {
    Day::from_unix_seconds(NOW)
}

/// Two D-TAs, one user and one server.
pub struct World<C: Curve> {
    pub suite: Suite,
    pub identity: Identity,
    pub issuers: [MasterSecret<C>; 2],
    pub token: Token<C>,
    pub permit: TimePermit<C>,
}

impl<C: Curve> World<C> {
    pub fn new(suite: Suite) -> Self {
        let identity = Identity::of_mpin_id(b"alice@example.com and 16 byte salt");
        let issuers = [secret(1), secret(2)];
        let token = token(suite, &identity, &issuers, PIN);
        let permit = permit(suite, &identity, today(), &issuers);
        Self {
            suite,
            identity,
            issuers,
            token,
            permit,
        }
    }

    pub fn verifier(&self, policy: PermitPolicy) -> Verifier<C> {
        let shares = self.issuers.each_ref().map(MasterSecret::server_share);
        Verifier::new(ServerShare::combine(&shares).unwrap(), policy)
    }

    pub fn device(&self, pin: u32) -> Device<C> {
        device(self.suite, &self.identity, &self.token, pin)
    }

    pub fn permitted(&self, pin: u32) -> Device<C> {
        self.device_with(&self.permit, pin)
    }

    pub fn device_with(&self, permit: &TimePermit<C>, pin: u32) -> Device<C> {
        let pin = Pin::new(pin).unwrap();
        let factors = Factors {
            suite: self.suite,
            identity: &self.identity,
            token: &self.token,
            pin: &pin,
        };
        Device::with_permit(
            &factors,
            &DatedPermit {
                day: today(),
                permit,
            },
        )
        .unwrap()
    }
}

pub fn token<C: Curve>(
    suite: Suite,
    identity: &Identity,
    issuers: &[MasterSecret<C>],
    pin: u32,
) -> Token<C> {
    let point = IdentityPoint::hash(suite, identity);
    let shares: Vec<_> = issuers
        .iter()
        .map(|issuer| issuer.client_share(&point))
        .collect();
    let share = ClientShare::combine(&shares).unwrap();
    Token::extract(share, &point, &Pin::new(pin).unwrap()).unwrap()
}

pub fn permit<C: Curve>(
    suite: Suite,
    identity: &Identity,
    day: Day,
    issuers: &[MasterSecret<C>],
) -> TimePermit<C> {
    let point = PermitPoint::hash(suite, day, identity);
    let permits: Vec<_> = issuers
        .iter()
        .map(|issuer| issuer.time_permit(&point))
        .collect();
    TimePermit::combine(&permits).unwrap()
}

pub fn device<C: Curve>(
    suite: Suite,
    identity: &Identity,
    token: &Token<C>,
    pin: u32,
) -> Device<C> {
    let pin = Pin::new(pin).unwrap();
    Device::without_permit(&Factors {
        suite,
        identity,
        token,
        pin: &pin,
    })
    .unwrap()
}

/// A two-pass login, every message through its bytes.
pub fn two_pass<C: Curve>(device: &Device<C>, verifier: &Verifier<C>) -> Result<Login, LoginError> {
    let login = device.begin().unwrap();
    let u = LoginPoint::from_compressed(&login.u().to_compressed()).unwrap();
    let pending = verifier.open(device.claim(), today(), u)?;
    let y = Challenge::from_be_bytes(&pending.challenge().to_be_bytes()).unwrap();
    let v = login.respond(&y).unwrap();
    Ok(verifier.finish(
        pending,
        &LoginPoint::from_compressed(&v.to_compressed()).unwrap(),
    ))
}
