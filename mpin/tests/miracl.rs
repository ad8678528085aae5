//! Interop with MIRACL Core (`miracl_core_bls12381` 4.2.2): it plays device and server with our
//! shares. A test oracle only: its multiplication is not constant time, it checks no subgroup.
#![allow(clippy::unwrap_used)]

mod common;

use common::{cases, plus_small_order, secret};
use miracl_core_bls12381::bls12381::big::BIG;
use miracl_core_bls12381::bls12381::ecp::ECP;
use miracl_core_bls12381::bls12381::ecp2::ECP2;
use miracl_core_bls12381::bls12381::mpin as miracl;
use miracl_core_bls12381::bls12381::pair;
use miracl_core_bls12381::rand::{RAND, RAND_impl};
use mpin::device::{Device, Ephemeral, Factors};
use mpin::server::{Login, PermitPolicy, Verifier};
use mpin::{
    Blst, Challenge, Claim, ClientShare, Curve, Day, DecodeError, Encoding, Identity,
    IdentityPoint, LoginPoint, MasterSecret, Pin, ServerShare, Suite, Token,
};
use proptest::prelude::*;

const ACCEPTED: isize = 0;
const PIN: u32 = 7_093;
/// The tag that MIRACL Core's own test program gives to `encode_to_curve`.
const MIRACL_DST: &[u8] = b"BLS12381G1_XMD:SHA-256_SSWU_NU_MPIN";

/// A scalar in MIRACL's 48 bytes.
fn scalar48(bytes: &[u8; 32]) -> [u8; 48] {
    let mut out = [0; 48];
    out[16..].copy_from_slice(bytes);
    out
}

/// Scalars `x` and `y` that a seeded test chooses.
const X: [u8; 32] = [0x11; 32];
const Y: [u8; 32] = [0x22; 32];

/// A device run by MIRACL.
struct MiraclDevice {
    hashed_id: Vec<u8>,
    token: Vec<u8>,
}

impl MiraclDevice {
    /// Takes our combined client share and extracts the PIN by MIRACL's code.
    fn enrol(hashed_id: &[u8], share: &ClientShare, pin: u32) -> Self {
        let mut token = share.encode(Encoding::Miracl).to_vec();
        assert_eq!(
            miracl::extract_pin(hashed_id, pin as i32, &mut token),
            ACCEPTED
        );
        Self {
            hashed_id: hashed_id.to_vec(),
            token,
        }
    }

    /// `(U, V)` of a two-pass login.
    fn log_in(&self, pin: u32, x: &[u8; 32], y: &[u8; 32]) -> (Vec<u8>, Vec<u8>) {
        let mut x = scalar48(x);
        let (mut secret, mut u) = (vec![0; 97], vec![0; 97]);
        let no_generator: Option<&mut RAND_impl> = None;
        let done = miracl::client_1(
            &self.hashed_id,
            no_generator,
            &mut x,
            pin as usize,
            &self.token,
            &mut secret,
            &mut u,
        );
        assert_eq!(done, ACCEPTED);
        assert_eq!(miracl::client_2(&x, &scalar48(y), &mut secret), ACCEPTED);
        (u, secret)
    }
}

/// A server run by MIRACL with our server share.
fn miracl_server(hashed_id: &[u8], y: &[u8; 32], share: &ServerShare, u: &[u8], v: &[u8]) -> isize {
    let server_secret = share.encode(Encoding::Miracl);
    miracl::server(hashed_id, &scalar48(y), &server_secret, u, v)
}

/// Two D-TAs and one user in one suite.
struct World {
    suite: Suite,
    identity: Identity,
    clients: [ClientShare; 2],
    servers: [ServerShare; 2],
}

impl World {
    fn new(suite: Suite) -> Self {
        let identity = Identity::of_mpin_id(b"bob@example.com and a salt");
        let point = IdentityPoint::hash(suite, &identity);
        let issuers: [MasterSecret; 2] = [secret(1), secret(2)];
        Self {
            suite,
            identity,
            clients: issuers.each_ref().map(|issuer| issuer.client_share(&point)),
            servers: issuers.each_ref().map(MasterSecret::server_share),
        }
    }

    fn client(&self) -> ClientShare {
        ClientShare::combine(&self.clients).unwrap()
    }

    fn server(&self) -> ServerShare {
        ServerShare::combine(&self.servers).unwrap()
    }

    /// `A` as MIRACL takes it.
    fn hashed_id(&self) -> Vec<u8> {
        let point: IdentityPoint = IdentityPoint::hash(self.suite, &self.identity);
        let point = LoginPoint::<Blst>::from_compressed(&point.to_compressed()).unwrap();
        point.encode(Encoding::Miracl)
    }
}

#[test]
fn suite_nu_is_the_stock_encode_to_curve_of_miracl() {
    let world = World::new(Suite::Nu);
    let mut hashed = vec![0; 97];
    miracl::encode_to_curve(MIRACL_DST, world.identity.as_bytes(), &mut hashed);
    assert_eq!(hashed, world.hashed_id());
}

#[test]
fn miracl_device_and_server_accept_the_right_pin_with_our_shares() {
    for suite in Suite::ALL {
        let world = World::new(suite);
        let device = MiraclDevice::enrol(&world.hashed_id(), &world.client(), PIN);
        let (u, v) = device.log_in(PIN, &X, &Y);
        let outcome = miracl_server(&world.hashed_id(), &Y, &world.server(), &u, &v);
        assert_eq!(outcome, ACCEPTED, "{suite}");
    }
}

#[test]
fn miracl_refuses_a_wrong_pin() {
    let world = World::new(Suite::Nu);
    let device = MiraclDevice::enrol(&world.hashed_id(), &world.client(), PIN);
    let (u, v) = device.log_in(PIN + 1, &X, &Y);
    let outcome = miracl_server(&world.hashed_id(), &Y, &world.server(), &u, &v);
    assert_eq!(outcome, miracl::BAD_PIN);
}

#[test]
fn miracl_refuses_when_a_share_is_missing_on_either_side() {
    let world = World::new(Suite::Nu);
    let id = world.hashed_id();
    for held in 0..2 {
        let device = MiraclDevice::enrol(&id, &world.clients[held], PIN);
        let (u, v) = device.log_in(PIN, &X, &Y);
        assert_eq!(
            miracl_server(&id, &Y, &world.server(), &u, &v),
            miracl::BAD_PIN
        );
        // Both halves of one D-TA fit each other: only the sum needs both D-TAs.
        assert_eq!(
            miracl_server(&id, &Y, &world.servers[held], &u, &v),
            ACCEPTED
        );

        let device = MiraclDevice::enrol(&id, &world.client(), PIN);
        let (u, v) = device.log_in(PIN, &X, &Y);
        assert_eq!(
            miracl_server(&id, &Y, &world.servers[held], &u, &v),
            miracl::BAD_PIN
        );
    }
}

#[test]
fn a_miracl_device_logs_in_to_our_server() {
    for suite in Suite::ALL {
        let world = World::new(suite);
        let device = MiraclDevice::enrol(&world.hashed_id(), &world.client(), PIN);
        let verifier = Verifier::new(world.server(), PermitPolicy::NotRequired);
        for (pin, expected) in [(PIN, Login::Accepted), (PIN + 1, Login::BadPin)] {
            let (u, v) = device.log_in(pin, &X, &Y);
            let point = |bytes| LoginPoint::decode(Encoding::Miracl, bytes).unwrap();
            let claim = Claim::without_permit(suite, &world.identity);
            let y = Challenge::from_be_bytes(&Y).unwrap();
            let pending = verifier
                .open_with(&claim, Day::new(0), point(&u), y)
                .unwrap();
            assert_eq!(verifier.finish(pending, &point(&v)), expected, "{suite}");
        }
    }
}

#[test]
fn our_device_logs_in_to_a_miracl_server() {
    for suite in Suite::ALL {
        let world = World::new(suite);
        let point = IdentityPoint::hash(suite, &world.identity);
        let token = Token::extract(world.client(), &point, &Pin::new(PIN).unwrap()).unwrap();
        for (pin, expected) in [(PIN, ACCEPTED), (PIN + 1, miracl::BAD_PIN)] {
            let pin = Pin::new(pin).unwrap();
            let factors = Factors {
                suite,
                identity: &world.identity,
                token: &token,
                pin: &pin,
            };
            let device = Device::without_permit(&factors).unwrap();
            let login = device.begin().unwrap();
            let u = login.u().encode(Encoding::Miracl);
            let v = login
                .respond(&Challenge::from_be_bytes(&Y).unwrap())
                .unwrap();
            let v = v.encode(Encoding::Miracl);
            let outcome = miracl_server(&world.hashed_id(), &Y, &world.server(), &u, &v);
            assert_eq!(outcome, expected, "{suite}");
        }
    }
}

#[test]
fn both_sides_write_the_same_messages() {
    let world = World::new(Suite::Nu);
    let theirs = MiraclDevice::enrol(&world.hashed_id(), &world.client(), PIN);
    let pin = Pin::new(PIN).unwrap();
    let point = IdentityPoint::hash(Suite::Nu, &world.identity);
    let token = Token::extract(world.client(), &point, &pin).unwrap();
    assert_eq!(token.encode(Encoding::Miracl)[..], theirs.token);
    let factors = Factors {
        suite: Suite::Nu,
        identity: &world.identity,
        token: &token,
        pin: &pin,
    };
    let ours = Device::without_permit(&factors).unwrap();
    let login = ours.begin_with(Ephemeral::from_be_bytes(&X).unwrap());
    let u = login.u().encode(Encoding::Miracl);
    let v = login
        .respond(&Challenge::from_be_bytes(&Y).unwrap())
        .unwrap();
    assert_eq!((u, v.encode(Encoding::Miracl)), theirs.log_in(PIN, &X, &Y));
}

#[test]
fn points_plus_a_small_order_point_are_accepted_by_miracl_and_refused_by_us() {
    let world = World::new(Suite::Nu);
    let device = MiraclDevice::enrol(&world.hashed_id(), &world.client(), PIN);
    let (u, v) = device.log_in(PIN, &X, &Y);
    let moved = |bytes: &[u8]| {
        let point = LoginPoint::<Blst>::decode(Encoding::Miracl, bytes).unwrap();
        let compressed = plus_small_order(&point.to_compressed());
        let point = bls12_381::G1Affine::from_compressed_unchecked(&compressed).unwrap();
        [&[4][..], &point.to_uncompressed()].concat()
    };
    let (moved_u, moved_v) = (moved(&u), moved(&v));
    let id = world.hashed_id();
    assert_eq!(
        miracl_server(&id, &Y, &world.server(), &moved_u, &v),
        ACCEPTED
    );
    assert_eq!(
        miracl_server(&id, &Y, &world.server(), &u, &moved_v),
        ACCEPTED
    );
    for bytes in [moved_u, moved_v] {
        let error = LoginPoint::<Blst>::decode(Encoding::Miracl, &bytes).unwrap_err();
        assert_eq!(error, DecodeError::NotInSubgroup);
    }
}

#[test]
fn a_miracl_generator_makes_master_secrets_that_we_take() {
    let mut generator = RAND_impl::new();
    generator.seed(32, &[5; 32]);
    let mut secret = [0; 48];
    assert_eq!(miracl::random_generate(&mut generator, &mut secret), 0);
    let ours: [u8; 32] = secret[16..].try_into().unwrap();
    let master = MasterSecret::<Blst>::from_be_bytes(&ours).unwrap();
    let mut server = vec![0; 193];
    assert_eq!(miracl::get_server_secret(&secret, &mut server), 0);
    assert_eq!(server, master.server_share().encode(Encoding::Miracl)[..]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn a_third_implementation_multiplies_alike(number in 1_u64.., name in any::<[u8; 16]>()) {
        let master: MasterSecret = secret(number);
        let identity = Identity::of_mpin_id(&name);
        let point = IdentityPoint::<Blst>::hash(Suite::Nu, &identity);
        let s = BIG::frombytes(&scalar48(&master.to_be_bytes()));

        let mut hashed = vec![0; 97];
        miracl::encode_to_curve(MIRACL_DST, identity.as_bytes(), &mut hashed);
        let mut share = vec![0; 97];
        pair::g1mul(&ECP::frombytes(&hashed), &s).tobytes(&mut share, false);
        prop_assert_eq!(&share[..], &master.client_share(&point).encode(Encoding::Miracl)[..]);

        let mut server = vec![0; 193];
        pair::g2mul(&ECP2::generator(), &s).tobytes(&mut server, false);
        prop_assert_eq!(&server[..], &master.server_share().encode(Encoding::Miracl)[..]);

        let mut commitment = vec![0; 97];
        pair::g1mul(&ECP::generator(), &s).tobytes(&mut commitment, false);
        let ours = Blst::g1_from_compressed(&master.commitment().to_compressed()).ok().unwrap();
        prop_assert_eq!(&commitment[1..], &Blst::g1_to_uncompressed(&ours)[..]);
    }
}
