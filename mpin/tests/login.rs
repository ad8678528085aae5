//! Two-pass logins, both sides, in every suite and on both backends.
#![allow(clippy::unwrap_used)]

mod common;

use common::world::{PIN, World, device, permit, today, token, two_pass};
use common::{plus_small_order, secret};
use mpin::device::{DeviceError, Ephemeral};
use mpin::server::{Login, LoginError, PermitPolicy, Verifier};
use mpin::{
    Challenge, Claim, Curve, Day, DecodeError, Identity, IdentityPoint, LoginPoint, Pin,
    ScalarError, Suite, Token,
};

on_both_backends!(
    the_right_pin_is_accepted_in_two_passes,
    the_right_pin_and_permit_are_accepted_in_two_passes,
    a_wrong_pin_is_its_own_result,
    a_token_without_the_share_of_one_d_ta_is_refused,
    a_server_without_the_share_of_one_d_ta_accepts_nobody,
    a_permit_without_the_share_of_one_d_ta_is_refused,
    the_permit_of_another_identity_is_refused,
    the_permit_of_another_day_is_refused,
    the_token_of_another_identity_is_refused,
    a_login_without_a_day_is_refused_where_permits_are_required,
    a_login_that_names_another_day_is_refused,
    a_permit_is_looked_at_also_where_none_is_required,
    infinity_and_points_of_small_order_are_no_login_points,
    a_challenge_of_zero_is_refused,
    a_challenge_that_cancels_the_device_is_refused,
    challenges_and_first_messages_are_fresh,
    token_and_pin_give_the_share_back,
);

const SUITE: Suite = Suite::Ro;

fn the_right_pin_is_accepted_in_two_passes<C: Curve>() {
    for suite in Suite::ALL {
        let world = World::<C>::new(suite);
        let verifier = world.verifier(PermitPolicy::NotRequired);
        assert_eq!(
            two_pass(&world.device(PIN), &verifier).unwrap(),
            Login::Accepted,
            "{suite}"
        );
    }
}

fn the_right_pin_and_permit_are_accepted_in_two_passes<C: Curve>() {
    for suite in Suite::ALL {
        let world = World::<C>::new(suite);
        let verifier = world.verifier(PermitPolicy::Required);
        assert_eq!(
            two_pass(&world.permitted(PIN), &verifier).unwrap(),
            Login::Accepted,
            "{suite}"
        );
    }
}

fn a_wrong_pin_is_its_own_result<C: Curve>() {
    let world = World::<C>::new(SUITE);
    let verifier = world.verifier(PermitPolicy::NotRequired);
    for wrong in [PIN + 1, PIN - 1, 0, Pin::MAX] {
        assert_eq!(
            two_pass(&world.device(wrong), &verifier).unwrap(),
            Login::BadPin
        );
        assert_eq!(
            two_pass(&world.permitted(wrong), &verifier).unwrap(),
            Login::BadPin
        );
    }
}

fn a_token_without_the_share_of_one_d_ta_is_refused<C: Curve>() {
    let world = World::<C>::new(SUITE);
    let verifier = world.verifier(PermitPolicy::NotRequired);
    for missing in 0..2 {
        let token = token(
            SUITE,
            &world.identity,
            &world.issuers[1 - missing..2 - missing],
            PIN,
        );
        let device = device(SUITE, &world.identity, &token, PIN);
        assert_eq!(two_pass(&device, &verifier).unwrap(), Login::BadPin);
    }
}

fn a_server_without_the_share_of_one_d_ta_accepts_nobody<C: Curve>() {
    let world = World::<C>::new(SUITE);
    let verifier = Verifier::new(world.issuers[0].server_share(), PermitPolicy::NotRequired);
    assert_eq!(
        two_pass(&world.device(PIN), &verifier).unwrap(),
        Login::BadPin
    );
}

fn a_permit_without_the_share_of_one_d_ta_is_refused<C: Curve>() {
    let world = World::<C>::new(SUITE);
    let verifier = world.verifier(PermitPolicy::Required);
    let half = permit(SUITE, &world.identity, today(), &world.issuers[..1]);
    let device = world.device_with(&half, PIN);
    assert_eq!(two_pass(&device, &verifier).unwrap(), Login::BadPin);
}

fn the_permit_of_another_identity_is_refused<C: Curve>() {
    let world = World::<C>::new(SUITE);
    let verifier = world.verifier(PermitPolicy::Required);
    let bob = permit(
        SUITE,
        &Identity::of_mpin_id(b"bob"),
        today(),
        &world.issuers,
    );
    assert_eq!(
        two_pass(&world.device_with(&bob, PIN), &verifier).unwrap(),
        Login::BadPin
    );
}

fn the_permit_of_another_day_is_refused<C: Curve>() {
    let world = World::<C>::new(SUITE);
    let verifier = world.verifier(PermitPolicy::Required);
    let yesterday = Day::new(today().number() - 1);
    let stale = permit(SUITE, &world.identity, yesterday, &world.issuers);
    assert_eq!(
        two_pass(&world.device_with(&stale, PIN), &verifier).unwrap(),
        Login::BadPin
    );
}

fn the_token_of_another_identity_is_refused<C: Curve>() {
    let world = World::<C>::new(SUITE);
    let verifier = world.verifier(PermitPolicy::NotRequired);
    let device = device(SUITE, &Identity::of_mpin_id(b"bob"), &world.token, PIN);
    assert_eq!(two_pass(&device, &verifier).unwrap(), Login::BadPin);
}

fn a_login_without_a_day_is_refused_where_permits_are_required<C: Curve>() {
    let world = World::<C>::new(SUITE);
    let verifier = world.verifier(PermitPolicy::Required);
    let error = two_pass(&world.device(PIN), &verifier).unwrap_err();
    assert!(matches!(error, LoginError::PermitRequired));
    assert_eq!(
        error.to_string(),
        "a time permit is required, and the login names no day"
    );
    assert_eq!(
        error.remedy(),
        Some("fetch today's time permit and log in with it")
    );
}

fn a_login_that_names_another_day_is_refused<C: Curve>() {
    let world = World::<C>::new(SUITE);
    let verifier = world.verifier(PermitPolicy::Required);
    let device = world.permitted(PIN);
    let tomorrow = Day::new(today().number() + 1);
    let login = device.begin().unwrap();
    let error = verifier
        .open(device.claim(), tomorrow, *login.u())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the login names day {}, today is day {}",
            today().number(),
            tomorrow.number()
        )
    );
}

fn a_permit_is_looked_at_also_where_none_is_required<C: Curve>() {
    let world = World::<C>::new(SUITE);
    let verifier = world.verifier(PermitPolicy::NotRequired);
    assert_eq!(
        two_pass(&world.permitted(PIN), &verifier).unwrap(),
        Login::Accepted
    );
    let bob = permit(
        SUITE,
        &Identity::of_mpin_id(b"bob"),
        today(),
        &world.issuers,
    );
    assert_eq!(
        two_pass(&world.device_with(&bob, PIN), &verifier).unwrap(),
        Login::BadPin
    );
}

fn infinity_and_points_of_small_order_are_no_login_points<C: Curve>() {
    let mut infinity = [0; 48];
    infinity[0] = 0xc0;
    assert_eq!(
        LoginPoint::<C>::from_compressed(&infinity).unwrap_err(),
        DecodeError::Infinity
    );
    let u = World::<C>::new(SUITE)
        .device(PIN)
        .begin()
        .unwrap()
        .u()
        .to_compressed();
    let error = LoginPoint::<C>::from_compressed(&plus_small_order(&u)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the point is not in the subgroup of prime order"
    );
}

fn a_challenge_of_zero_is_refused<C: Curve>() {
    let error = Challenge::<C>::from_be_bytes(&[0; 32]).unwrap_err();
    assert_eq!(error, ScalarError::Zero);
    assert_eq!(error.to_string(), "the scalar is zero");
    let error = Challenge::<C>::from_be_bytes(&[0xff; 32]).unwrap_err();
    assert_eq!(error.to_string(), "the scalar is not below the group order");
    assert!(Ephemeral::<C>::from_be_bytes(&[0; 32]).is_err());
}

fn a_challenge_that_cancels_the_device_is_refused<C: Curve>() {
    let world = World::<C>::new(SUITE);
    let x = secret::<C>(9).to_be_bytes();
    let zero = C::scalar_from_be_bytes(&[0; 32]).unwrap();
    let minus_x = C::scalar_sub(&zero, &C::scalar_from_be_bytes(&x).unwrap());
    let y = Challenge::from_be_bytes(&C::scalar_to_be_bytes(&minus_x)).unwrap();
    let device = world.device(PIN);
    let login = device.begin_with(Ephemeral::from_be_bytes(&x).unwrap());
    let error = login.respond(&y).unwrap_err();
    assert!(matches!(error, DeviceError::Cancelled));
    assert_eq!(
        error.to_string(),
        "the server's challenge cancels the device's own scalar"
    );
}

fn challenges_and_first_messages_are_fresh<C: Curve>() {
    let world = World::<C>::new(SUITE);
    let verifier = world.verifier(PermitPolicy::NotRequired);
    let device = world.device(PIN);
    let (first, second) = (device.begin().unwrap(), device.begin().unwrap());
    assert_ne!(first.u(), second.u());
    let open = || verifier.open(device.claim(), today(), *first.u()).unwrap();
    let (one, other) = (open(), open());
    assert_ne!(
        one.challenge().to_be_bytes(),
        other.challenge().to_be_bytes()
    );
    // An answer to one challenge does not answer the other.
    let v = first.respond(one.challenge()).unwrap();
    assert_eq!(verifier.finish(other, &v), Login::BadPin);
}

fn token_and_pin_give_the_share_back<C: Curve>() {
    let identity = Identity::of_mpin_id(b"alice");
    let point = IdentityPoint::hash(SUITE, &identity);
    let share = || secret::<C>(1).client_share(&point);
    let pin = Pin::from_digits("0471").unwrap();
    let token = Token::extract(share(), &point, &pin).unwrap();
    let token = Token::<C>::from_compressed(&token.to_compressed()[..]).unwrap();
    assert_ne!(*token.to_compressed(), *share().to_compressed());
    let again = token.recombine(&point, &pin).unwrap();
    assert_eq!(*again.to_compressed(), *share().to_compressed());
    let other = token.recombine(&point, &Pin::new(472).unwrap()).unwrap();
    assert_ne!(*other.to_compressed(), *share().to_compressed());
    assert_eq!(format!("{token:?} {pin:?}"), "Token(..) Pin(..)");
}

#[test]
fn a_claim_says_its_day() {
    let identity = Identity::of_mpin_id(b"alice");
    let claim: Claim = Claim::without_permit(SUITE, &identity);
    assert_eq!(claim.day(), None);
    let claim: Claim = Claim::with_permit(SUITE, &identity, today());
    assert_eq!(claim.day(), Some(today()));
}

#[test]
fn a_pin_is_four_to_eight_digits() {
    for good in ["0000", "1234", "00000000", "99999999"] {
        Pin::from_digits(good).unwrap();
    }
    for bad in ["", "123", "123456789", "12a4", "+123", "12 34", "１２３４"] {
        let error = Pin::from_digits(bad).unwrap_err();
        assert_eq!(error.to_string(), "a PIN is 4 to 8 decimal digits");
    }
    assert!(Pin::new(Pin::MAX + 1).is_err());
}
