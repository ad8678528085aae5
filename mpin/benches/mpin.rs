//! What a client share costs, and its parts, per backend: hash to the curve, multiplication by
//! the secret, the whole share as it leaves the room (compressed).

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use mpin::server::{PermitPolicy, Verifier};
use mpin::{
    Blst, ClientShare, Commitment, Curve, Day, Identity, IdentityPoint, MasterSecret, PermitPoint,
    ServerShare, Statement, Suite, Zkcrypto,
};

fn backend<C: Curve>(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(C::NAME);
    let identity = Identity::of_mpin_id(b"alice@example.com and 16 bytes of salt");
    let day = Day::new(20_777);
    let master = MasterSecret::<C>::random().expect("this machine has randomness");
    let point = IdentityPoint::<C>::hash(Suite::Ro, &identity);

    for suite in Suite::ALL {
        group.bench_function(format!("hash to curve {suite}"), |bencher| {
            bencher.iter(|| IdentityPoint::<C>::hash(suite, black_box(&identity)));
        });
    }
    group.bench_function("secret multiplication G1", |bencher| {
        bencher.iter(|| master.client_share(black_box(&point)));
    });
    group.bench_function("secret multiplication G2", |bencher| {
        bencher.iter(|| master.server_share());
    });
    group.bench_function("client share RO", |bencher| {
        bencher.iter(|| {
            let point = IdentityPoint::hash(Suite::Ro, black_box(&identity));
            master.client_share(&point).to_compressed()
        });
    });
    group.bench_function("time permit RO", |bencher| {
        bencher.iter(|| {
            let point = PermitPoint::hash(Suite::Ro, day, black_box(&identity));
            master.time_permit(&point).to_compressed()
        });
    });
    group.bench_function("server share", |bencher| {
        bencher.iter(|| master.server_share().to_compressed());
    });

    let share = master.client_share(&point);
    let commitment: Commitment<C> = master.commitment();
    let statements = [Statement::client_share(&point, &share)];
    let proof = master.prove(&statements, b"bench").expect("one share");
    group.bench_function("prove one share", |bencher| {
        bencher.iter(|| master.prove_with(&statements, b"bench", black_box(&[7; 32])));
    });
    group.bench_function("verify one share", |bencher| {
        bencher.iter(|| proof.verify(black_box(&commitment), &statements, b"bench"));
    });
    let bytes = share.to_compressed();
    group.bench_function("decode a client share", |bencher| {
        bencher.iter(|| ClientShare::<C>::from_compressed(black_box(&bytes[..])));
    });
    let bytes = master.server_share().to_compressed();
    group.bench_function("decode a server share", |bencher| {
        bencher.iter(|| ServerShare::<C>::from_compressed(black_box(&bytes[..])));
    });
    group.bench_function("verify a server share", |bencher| {
        let share = master.server_share();
        bencher.iter(|| share.verify(black_box(&commitment)));
    });
    server_login::<C>(&mut group, &master, &identity);
    group.finish();
}

/// The server's part of a two-pass login: hash, check the equation.
fn server_login<C: Curve>(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    master: &MasterSecret<C>,
    identity: &Identity,
) {
    use mpin::device::{Device, Factors};
    let pin = mpin::Pin::from_digits("1234").expect("four digits");
    let point = IdentityPoint::hash(Suite::Ro, identity);
    let share = master.client_share(&point);
    let token = mpin::Token::extract(share, &point, &pin).expect("they do not cancel");
    let factors = Factors {
        suite: Suite::Ro,
        identity,
        token: &token,
        pin: &pin,
    };
    let device = Device::without_permit(&factors).expect("they do not cancel");
    let verifier = Verifier::new(master.server_share(), PermitPolicy::NotRequired);
    let today = Day::new(20_777);
    let y = [0x11; 32];
    let challenge = || mpin::Challenge::<C>::from_be_bytes(&y).expect("a scalar");
    let login = device.begin().expect("this machine has randomness");
    let u = *login.u();
    let v = login.respond(&challenge()).expect("they do not cancel");
    group.bench_function("server decides a login", |bencher| {
        bencher.iter(|| {
            let claim = mpin::Claim::without_permit(Suite::Ro, black_box(identity));
            let pending = verifier.open_with(&claim, today, u, challenge());
            pending.map(|pending| verifier.finish(pending, &v))
        });
    });
}

fn both(criterion: &mut Criterion) {
    backend::<Blst>(criterion);
    backend::<Zkcrypto>(criterion);
}

criterion_group!(benches, both);
criterion_main!(benches);
