//! Known answers: RFC 9380, Apache Milagro, and the pinned ones of our own formats.
#![allow(clippy::unwrap_used)]

mod common;

use common::{legacy_scalar, unhex, vectors};
use mpin::device::{DatedPermit, Device, Ephemeral, Factors};
use mpin::server::{Login, PermitPolicy, Verifier};
use mpin::{
    Challenge, Claim, ClientShare, Curve, Day, Encoding, Identity, IdentityPoint, KeyContext,
    LoginPoint, MasterSecret, PermitPoint, Pin, ServerShare, Statement, Suite, TimePermit, Token,
};
use serde::Deserialize;

on_both_backends!(
    rfc_9380_j_9_1_and_j_9_2_give_the_published_points,
    every_milagro_record_is_met_byte_for_byte,
    every_milagro_time_permit_is_met_byte_for_byte,
    milagro_permits_open_a_login,
    our_own_suites_and_proofs_are_pinned,
);

#[derive(Deserialize)]
struct Rfc9380 {
    suite: String,
    dst: String,
    vectors: Vec<Rfc9380Vector>,
}

#[derive(Deserialize)]
struct Rfc9380Vector {
    msg: String,
    #[serde(rename = "P.x")]
    x: String,
    #[serde(rename = "P.y")]
    y: String,
}

fn rfc_9380_j_9_1_and_j_9_2_give_the_published_points<C: Curve>() {
    let appendices: Vec<Rfc9380> = vectors("rfc9380_bls12381g1.json");
    assert_eq!(appendices.len(), 2);
    for appendix in appendices {
        assert_eq!(appendix.vectors.len(), 5);
        for vector in appendix.vectors {
            let (message, dst) = (vector.msg.as_bytes(), appendix.dst.as_bytes());
            let point = match appendix.suite.as_str() {
                "BLS12381G1_XMD:SHA-256_SSWU_RO_" => C::hash_to_g1(message, dst),
                "BLS12381G1_XMD:SHA-256_SSWU_NU_" => C::encode_to_g1(message, dst),
                other => panic!("unknown suite {other}"),
            };
            let expected = unhex(&(vector.x + &vector.y));
            assert_eq!(
                C::g1_to_uncompressed(&point)[..],
                expected,
                "{:?}",
                vector.msg
            );
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
struct Milagro {
    test: u32,
    #[serde(rename = "MPINId")]
    mpin_id: String,
    ms1: String,
    ms2: String,
    pin1: u32,
    pin2: u32,
    ss1: String,
    ss2: String,
    ss: String,
    cs1: String,
    cs2: String,
    cs: String,
    token: String,
    x: String,
    u: String,
    y: String,
    v: String,
    #[serde(rename = "AuthResult")]
    auth_result: i32,
}

fn every_milagro_record_is_met_byte_for_byte<C: Curve>() {
    let records: Vec<Milagro> = vectors("milagro_bls381.json");
    assert_eq!(records.len(), 50);
    let accepted = records
        .iter()
        .filter(|record| record.auth_result == 0)
        .count();
    assert!(
        accepted > 0 && accepted < 50,
        "both results occur, {accepted} accepted"
    );
    for record in &records {
        check_milagro_record::<C>(record);
    }
}

fn check_milagro_record<C: Curve>(record: &Milagro) {
    let test = record.test;
    let identity = Identity::of_mpin_id(&unhex(&record.mpin_id));
    let point = IdentityPoint::<C>::hash(Suite::Milagro, &identity);
    let master1 = MasterSecret::<C>::from_be_bytes(&legacy_scalar(&record.ms1)).unwrap();
    let master2 = MasterSecret::<C>::from_be_bytes(&legacy_scalar(&record.ms2)).unwrap();

    let servers = [master1.server_share(), master2.server_share()];
    let clients = [master1.client_share(&point), master2.client_share(&point)];
    let hex = |bytes: &[u8]| hex::encode(bytes);
    assert_eq!(
        hex(&servers[0].encode(Encoding::Milagro)),
        record.ss1,
        "SS1 of {test}"
    );
    assert_eq!(
        hex(&servers[1].encode(Encoding::Milagro)),
        record.ss2,
        "SS2 of {test}"
    );
    assert_eq!(
        hex(&clients[0].encode(Encoding::Milagro)),
        record.cs1,
        "CS1 of {test}"
    );
    assert_eq!(
        hex(&clients[1].encode(Encoding::Milagro)),
        record.cs2,
        "CS2 of {test}"
    );
    let server = ServerShare::combine(&servers).unwrap();
    let client = ClientShare::combine(&clients).unwrap();
    assert_eq!(
        hex(&server.encode(Encoding::Milagro)),
        record.ss,
        "SS of {test}"
    );
    assert_eq!(
        hex(&client.encode(Encoding::Milagro)),
        record.cs,
        "CS of {test}"
    );

    let token = Token::extract(client, &point, &Pin::new(record.pin1).unwrap()).unwrap();
    assert_eq!(
        hex(&token.encode(Encoding::Milagro)),
        record.token,
        "TOKEN of {test}"
    );

    let pin = Pin::new(record.pin2).unwrap();
    let factors = Factors {
        suite: Suite::Milagro,
        identity: &identity,
        token: &token,
        pin: &pin,
    };
    let device = Device::without_permit(&factors).unwrap();
    let login = device.begin_with(Ephemeral::from_be_bytes(&legacy_scalar(&record.x)).unwrap());
    let u = LoginPoint::decode(Encoding::Milagro, &login.u().encode(Encoding::Milagro)).unwrap();
    assert_eq!(hex(&u.encode(Encoding::Milagro)), record.u, "U of {test}");
    let y = || Challenge::from_be_bytes(&legacy_scalar(&record.y)).unwrap();
    let v = login.respond(&y()).unwrap();
    assert_eq!(hex(&v.encode(Encoding::Milagro)), record.v, "V of {test}");

    let verifier = Verifier::new(server, PermitPolicy::NotRequired);
    let claim = Claim::without_permit(Suite::Milagro, &identity);
    let pending = verifier.open_with(&claim, Day::new(0), u, y()).unwrap();
    let expected = match record.auth_result {
        0 => Login::Accepted,
        -19 => Login::BadPin,
        other => panic!("AuthResult {other} of {test}"),
    };
    assert_eq!(
        verifier.finish(pending, &v),
        expected,
        "AuthResult of {test}"
    );
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
struct MilagroPermit {
    test: u32,
    date: u32,
    #[serde(rename = "MPINId")]
    mpin_id: String,
    ms1: String,
    ms2: String,
    hash_id: String,
    pin: u32,
    tp1: String,
    tp2: String,
    time_permit: String,
}

fn every_milagro_time_permit_is_met_byte_for_byte<C: Curve>() {
    let records: Vec<MilagroPermit> = vectors("milagro_bls381_time_permits.json");
    assert_eq!(records.len(), 8);
    for record in &records {
        let test = record.test;
        let identity = Identity::of_mpin_id(&unhex(&record.mpin_id));
        assert_eq!(
            "00".repeat(16) + &identity.to_string(),
            record.hash_id,
            "HASH_ID of {test}"
        );
        let point = PermitPoint::<C>::hash(Suite::Milagro, Day::new(record.date), &identity);
        let permits = [&record.ms1, &record.ms2].map(|secret| {
            MasterSecret::<C>::from_be_bytes(&legacy_scalar(secret))
                .unwrap()
                .time_permit(&point)
        });
        let hex = |permit: &TimePermit<C>| hex::encode(permit.encode(Encoding::Milagro));
        assert_eq!(hex(&permits[0]), record.tp1, "TP1 of {test}");
        assert_eq!(hex(&permits[1]), record.tp2, "TP2 of {test}");
        let permit = TimePermit::combine(&permits).unwrap();
        assert_eq!(hex(&permit), record.time_permit, "TIME_PERMIT of {test}");
    }
}

fn milagro_permits_open_a_login<C: Curve>() {
    let records: Vec<MilagroPermit> = vectors("milagro_bls381_time_permits.json");
    for record in &records {
        let identity = Identity::of_mpin_id(&unhex(&record.mpin_id));
        let point = IdentityPoint::<C>::hash(Suite::Milagro, &identity);
        let masters = [&record.ms1, &record.ms2]
            .map(|secret| MasterSecret::<C>::from_be_bytes(&legacy_scalar(secret)).unwrap());
        let share = ClientShare::combine(&masters.each_ref().map(|m| m.client_share(&point)));
        let pin = Pin::new(record.pin).unwrap();
        let token = Token::extract(share.unwrap(), &point, &pin).unwrap();
        let permit = TimePermit::decode(Encoding::Milagro, &unhex(&record.time_permit)).unwrap();
        let day = Day::new(record.date);

        let factors = Factors {
            suite: Suite::Milagro,
            identity: &identity,
            token: &token,
            pin: &pin,
        };
        let dated = DatedPermit {
            day,
            permit: &permit,
        };
        let device = Device::with_permit(&factors, &dated).unwrap();
        let server = ServerShare::combine(&masters.each_ref().map(MasterSecret::server_share));
        let verifier = Verifier::new(server.unwrap(), PermitPolicy::Required);
        let login = device.begin().unwrap();
        let pending = verifier.open(device.claim(), day, *login.u()).unwrap();
        let v = login.respond(pending.challenge()).unwrap();
        assert_eq!(
            verifier.finish(pending, &v),
            Login::Accepted,
            "record {}",
            record.test
        );
    }
}

/// Points, shares and proofs of one key in our own formats. Never edited.
#[derive(Deserialize)]
struct Pinned {
    suite: String,
    secret: String,
    commitment: String,
    identity: String,
    day: u32,
    identity_point: String,
    permit_point: String,
    client_share: String,
    time_permit: String,
    server_share: String,
    authority: String,
    customer: String,
    key: String,
    fresh: String,
    knowledge_proof: String,
    share_proof: String,
}

fn our_own_suites_and_proofs_are_pinned<C: Curve>() {
    let records: Vec<Pinned> = vectors("mpin_pinned.json");
    assert_eq!(records.len(), 3);
    for record in &records {
        let suite: Suite = record.suite.parse().unwrap();
        let secret: [u8; 32] = unhex(&record.secret).try_into().unwrap();
        let master = MasterSecret::<C>::from_be_bytes(&secret).unwrap();
        let identity: Identity = record.identity.parse().unwrap();
        let point = IdentityPoint::hash(suite, &identity);
        let permit_point = PermitPoint::hash(suite, Day::new(record.day), &identity);
        let share = master.client_share(&point);
        let permit = master.time_permit(&permit_point);
        let authority: [u8; 32] = unhex(&record.authority).try_into().unwrap();
        let context = KeyContext {
            authority: &authority,
            customer: &record.customer,
            key: &record.key,
            suite,
        }
        .to_bytes();
        let fresh: [u8; 32] = unhex(&record.fresh).try_into().unwrap();
        let statements = [
            Statement::client_share(&point, &share),
            Statement::time_permit(&permit_point, &permit),
        ];
        let knowledge = master.prove_knowledge_with(&context, &fresh);
        let proof = master.prove_with(&statements, &context, &fresh).unwrap();

        let hex = |bytes: &[u8]| hex::encode(bytes);
        assert_eq!(master.commitment().to_string(), record.commitment);
        assert_eq!(hex(&point.to_compressed()), record.identity_point);
        assert_eq!(hex(&permit_point.to_compressed()), record.permit_point);
        assert_eq!(hex(&share.to_compressed()[..]), record.client_share);
        assert_eq!(hex(&permit.to_compressed()[..]), record.time_permit);
        assert_eq!(
            hex(&master.server_share().to_compressed()[..]),
            record.server_share
        );
        assert_eq!(hex(&knowledge.to_bytes()), record.knowledge_proof);
        assert_eq!(hex(&proof.to_bytes()), record.share_proof);
    }
}
