//! One-pass logins and their replay cache, on both backends.
#![allow(clippy::unwrap_used)]

mod common;

use common::world::{NOW, PIN, World};
use mpin::device::Device;
use mpin::server::{Login, LoginError, OnePassLimits, PermitPolicy, ReplayCache, Verifier};
use mpin::{Curve, OnePassLogin, Suite};

on_both_backends!(
    the_right_pin_is_accepted_in_one_pass,
    the_right_pin_and_permit_are_accepted_in_one_pass,
    a_wrong_pin_is_its_own_result_in_one_pass,
    a_changed_message_or_time_spoils_a_one_pass_login,
    a_one_pass_login_outside_its_time_is_refused,
    a_one_pass_login_is_accepted_once,
    a_refused_one_pass_login_leaves_no_trace_in_the_cache,
    a_full_replay_cache_refuses_and_empties_with_time,
    a_day_is_asked_for_and_compared_with_the_clock,
);

const SUITE: Suite = Suite::Ro;

fn limits() -> OnePassLimits {
    OnePassLimits {
        max_age: 60,
        max_skew: 5,
        capacity: 100,
    }
}

fn one_pass<C: Curve>(device: &Device<C>, verifier: &Verifier<C>) -> Result<Login, LoginError> {
    let login = device.one_pass(NOW as u32, b"pay 10 to Bob").unwrap();
    verifier.one_pass(device.claim(), &login, NOW, &mut ReplayCache::new(limits()))
}

fn the_right_pin_is_accepted_in_one_pass<C: Curve>() {
    for suite in Suite::ALL {
        let world = World::<C>::new(suite);
        let verifier = world.verifier(PermitPolicy::NotRequired);
        assert_eq!(
            one_pass(&world.device(PIN), &verifier).unwrap(),
            Login::Accepted,
            "{suite}"
        );
    }
}

fn the_right_pin_and_permit_are_accepted_in_one_pass<C: Curve>() {
    for suite in Suite::ALL {
        let world = World::<C>::new(suite);
        let verifier = world.verifier(PermitPolicy::Required);
        assert_eq!(
            one_pass(&world.permitted(PIN), &verifier).unwrap(),
            Login::Accepted,
            "{suite}"
        );
    }
}

fn a_wrong_pin_is_its_own_result_in_one_pass<C: Curve>() {
    let world = World::<C>::new(SUITE);
    let verifier = world.verifier(PermitPolicy::NotRequired);
    assert_eq!(
        one_pass(&world.device(PIN + 1), &verifier).unwrap(),
        Login::BadPin
    );
    assert_eq!(
        one_pass(&world.permitted(PIN + 1), &verifier).unwrap(),
        Login::BadPin
    );
}

fn a_changed_message_or_time_spoils_a_one_pass_login<C: Curve>() {
    let world = World::<C>::new(SUITE);
    let verifier = world.verifier(PermitPolicy::NotRequired);
    let device = world.device(PIN);
    let mut cache = ReplayCache::new(limits());
    let mut decide = |change: fn(&mut OnePassLogin<C>)| {
        let mut login = device.one_pass(NOW as u32, b"pay 10 to Bob").unwrap();
        change(&mut login);
        verifier
            .one_pass(device.claim(), &login, NOW, &mut cache)
            .unwrap()
    };
    assert_eq!(decide(|_| {}), Login::Accepted);
    assert_eq!(
        decide(|login| login.message = b"pay 99 to Eve".to_vec()),
        Login::BadPin
    );
    assert_eq!(decide(|login| login.time += 1), Login::BadPin);
    assert_eq!(decide(|login| login.u = login.v), Login::BadPin);
}

fn a_one_pass_login_outside_its_time_is_refused<C: Curve>() {
    let world = World::<C>::new(SUITE);
    let verifier = world.verifier(PermitPolicy::NotRequired);
    let device = world.device(PIN);
    let at = |now: u64| {
        let login = device.one_pass(NOW as u32, b"").unwrap();
        verifier.one_pass(device.claim(), &login, now, &mut ReplayCache::new(limits()))
    };
    assert_eq!(at(NOW + 60).unwrap(), Login::Accepted);
    assert_eq!(at(NOW - 5).unwrap(), Login::Accepted);
    let error = at(NOW + 61).unwrap_err();
    assert!(matches!(error, LoginError::TooOld { by: 1 }));
    assert_eq!(error.to_string(), "the login is 1 seconds too old");
    let error = at(NOW - 7).unwrap_err();
    assert!(matches!(error, LoginError::TooEarly { by: 2 }));
    assert_eq!(
        error.remedy(),
        Some("set the device's clock and log in again")
    );
}

fn a_one_pass_login_is_accepted_once<C: Curve>() {
    let world = World::<C>::new(SUITE);
    let verifier = world.verifier(PermitPolicy::NotRequired);
    let device = world.device(PIN);
    let mut cache = ReplayCache::new(limits());
    let login = device.one_pass(NOW as u32, b"pay").unwrap();
    let mut decide =
        |login: &OnePassLogin<C>, now| verifier.one_pass(device.claim(), login, now, &mut cache);
    assert_eq!(decide(&login, NOW).unwrap(), Login::Accepted);
    let error = decide(&login, NOW + 59).unwrap_err();
    assert!(matches!(error, LoginError::Replayed));
    assert_eq!(error.to_string(), "the login was used before");
    let next = device.one_pass(NOW as u32, b"pay").unwrap();
    assert_eq!(decide(&next, NOW).unwrap(), Login::Accepted);
}

fn a_refused_one_pass_login_leaves_no_trace_in_the_cache<C: Curve>() {
    let world = World::<C>::new(SUITE);
    let verifier = world.verifier(PermitPolicy::NotRequired);
    let device = world.device(PIN + 1);
    let mut cache = ReplayCache::new(limits());
    let login = device.one_pass(NOW as u32, b"").unwrap();
    for _ in 0..2 {
        let outcome = verifier
            .one_pass(device.claim(), &login, NOW, &mut cache)
            .unwrap();
        assert_eq!(outcome, Login::BadPin);
    }
    assert!(cache.is_empty());
}

fn a_full_replay_cache_refuses_and_empties_with_time<C: Curve>() {
    let world = World::<C>::new(SUITE);
    let verifier = world.verifier(PermitPolicy::NotRequired);
    let device = world.device(PIN);
    let mut cache = ReplayCache::new(OnePassLimits {
        capacity: 1,
        ..limits()
    });
    let mut decide = |now: u64| {
        let login = device.one_pass(now as u32, b"").unwrap();
        verifier.one_pass(device.claim(), &login, now, &mut cache)
    };
    assert_eq!(decide(NOW).unwrap(), Login::Accepted);
    let error = decide(NOW + 1).unwrap_err();
    assert!(matches!(error, LoginError::CacheFull));
    assert_eq!(
        error.to_string(),
        "too many logins at once, none can be remembered"
    );
    assert_eq!(decide(NOW + 61).unwrap(), Login::Accepted);
    assert_eq!(cache.len(), 1);
}

fn a_day_is_asked_for_and_compared_with_the_clock<C: Curve>() {
    let world = World::<C>::new(SUITE);
    let verifier = world.verifier(PermitPolicy::Required);
    let error = one_pass(&world.device(PIN), &verifier).unwrap_err();
    assert!(matches!(error, LoginError::PermitRequired));
    let device = world.permitted(PIN);
    let login = device.one_pass(NOW as u32, b"").unwrap();
    let tomorrow = NOW + 86_400;
    let mut cache = ReplayCache::new(limits());
    let error = verifier
        .one_pass(device.claim(), &login, tomorrow, &mut cache)
        .unwrap_err();
    assert!(matches!(error, LoginError::WrongDay { .. }));
}
