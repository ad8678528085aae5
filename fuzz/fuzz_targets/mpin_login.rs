//! The server's side of a login: `U` and `V` (48 bytes each), `y` (32) and the `mpin_id`, from anybody.
//! Both backends decide alike, and what is accepted is accepted for nobody else.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use mpin::server::{Login, OnePassLimits, PermitPolicy, ReplayCache, Verifier};
use mpin::{
    Blst, Challenge, Claim, Curve, Day, Identity, LoginPoint, OnePassLogin, ServerShare, Suite,
    Zkcrypto,
};

const TODAY: u32 = 20_777;
const NOW: u32 = 1_795_200_000;

/// The server share of the RO key in `tests/vectors/mpin_pinned.json`.
const SHARE: &str = "8fd4f76048c16e4b2cd05c6e7114f72295b9925f23a2e820e4cad9d40723c52ba9a2fb0dc2442cb5da7ad15c1df4fd3619e265492785e7ce75616cb4badc3895e794485d964e8fe795ce3e90f42ba89a8e057b13e14a4e1f51f7a4629ee5540b";

fn verifier<C: Curve>() -> Verifier<C> {
    let share = hex::decode(SHARE).expect("that is hex");
    let share = ServerShare::from_compressed(&share).expect("that is a share");
    Verifier::new(share, PermitPolicy::NotRequired)
}

static BLST: LazyLock<Verifier<Blst>> = LazyLock::new(verifier);
static ZKCRYPTO: LazyLock<Verifier<Zkcrypto>> = LazyLock::new(verifier);

struct Messages<'a> {
    u: &'a [u8],
    v: &'a [u8],
    y: &'a [u8; 32],
    mpin_id: &'a [u8],
}

/// `None` when a point or the challenge is refused.
fn decide<C: Curve>(
    verifier: &Verifier<C>,
    said: &Messages<'_>,
    day: Option<Day>,
) -> Option<Login> {
    let identity = Identity::of_mpin_id(said.mpin_id);
    let claim = match day {
        Some(day) => Claim::with_permit(Suite::Ro, &identity, day),
        None => Claim::without_permit(Suite::Ro, &identity),
    };
    let u = LoginPoint::from_compressed(said.u).ok()?;
    let v = LoginPoint::from_compressed(said.v).ok()?;
    let y = Challenge::from_be_bytes(said.y).ok()?;
    let pending = verifier.open_with(&claim, Day::new(TODAY), u, y).ok()?;
    Some(verifier.finish(pending, &v))
}

fuzz_target!(|input: &[u8]| {
    let Some((u, rest)) = input.split_at_checked(48) else {
        return;
    };
    let Some((v, rest)) = rest.split_at_checked(48) else {
        return;
    };
    let Some((y, mpin_id)) = rest.split_first_chunk() else {
        return;
    };
    let said = Messages { u, v, y, mpin_id };
    let outcome = decide(&BLST, &said, None);
    assert_eq!(outcome, decide(&ZKCRYPTO, &said, None));
    if outcome == Some(Login::Accepted) {
        assert_eq!(
            decide(&BLST, &said, Some(Day::new(TODAY))),
            Some(Login::BadPin)
        );
        let other = Messages {
            mpin_id: b"mallory",
            ..said
        };
        assert_eq!(decide(&BLST, &other, None), Some(Login::BadPin));
    }
    assert_eq!(decide(&BLST, &said, Some(Day::new(TODAY - 1))), None);

    let (Ok(u), Ok(v)) = (
        LoginPoint::from_compressed(u),
        LoginPoint::from_compressed(v),
    ) else {
        return;
    };
    let login = OnePassLogin {
        time: u32::from_be_bytes([y[0], y[1], y[2], y[3]]),
        message: y[4..].to_vec(),
        u,
        v,
    };
    let claim = Claim::without_permit(Suite::Ro, &Identity::of_mpin_id(mpin_id));
    let mut cache = ReplayCache::new(OnePassLimits {
        max_age: 60,
        max_skew: 5,
        capacity: 10,
    });
    match BLST.one_pass(&claim, &login, NOW.into(), &mut cache) {
        Ok(Login::Accepted) => {
            assert!(
                BLST.one_pass(&claim, &login, NOW.into(), &mut cache)
                    .is_err()
            );
        }
        Ok(Login::BadPin) => assert!(cache.is_empty()),
        Err(error) => dta_fuzz::say(&error),
    }
});
