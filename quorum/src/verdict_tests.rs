//! Every verdict, in any order, with those already accepted kept.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::testing::{TestRng, TestSet, genesis, manifest_of, rng, signed_by};

fn index(number: u8) -> ShareIndex {
    ShareIndex::new(number).unwrap()
}

/// The chain after one reshare of `chain`, with the new set.
fn reshared(chain: &ManifestChain, m: u8, n: u8, rng: &mut TestRng) -> (ManifestChain, TestSet) {
    let id = chain.authority_id();
    let epoch = chain.current().unlock.epoch().next().unwrap();
    let set = TestSet::deal(m, n, epoch, |_| id, rng);
    let mut manifest = manifest_of(&set.set);
    manifest.predecessor = Some(chain.current().hash());
    let signed = signed_by(
        manifest,
        &chain.current().unlock,
        1..=chain.current().unlock.threshold().m(),
    );
    let mut chain = chain.clone();
    chain.append(signed).unwrap();
    (chain, set)
}

/// The share at `at`, changed and encoded again with a fitting checksum.
fn altered(set: &TestSet, at: u8, change: impl FnOnce(&mut Share)) -> Vec<u8> {
    let mut share = Share::decode(set.share(at)).unwrap();
    change(&mut share);
    share.encode().to_vec()
}

#[test]
fn shares_are_accepted_until_m_are_there_and_then_combine() {
    let (chain, set) = genesis(3, 5, &mut rng(1));
    let mut collector = Collector::new(&chain);
    for (have, at) in [(0, 4), (1, 1), (2, 5)] {
        assert_eq!(
            collector.combine().unwrap_err().to_string(),
            format!("{have} of the 3 shares needed are there")
        );
        let verdict = collector.offer(index(at), set.share(at));
        assert_eq!(
            verdict.to_string(),
            format!("share {at} of holder {at} is accepted")
        );
        assert_eq!(verdict.as_str(), "accepted");
    }
    assert!(collector.is_complete());
    let names: Vec<_> = collector.accepted().map(|h| h.name.as_str()).collect();
    assert_eq!(names, ["holder 1", "holder 4", "holder 5"]);
    let missing: Vec<_> = collector.missing().map(|h| h.index.get()).collect();
    assert_eq!(missing, [2, 3]);
    let set_id = set.set.set_id();
    let secret = collector.combine().unwrap();
    assert_eq!(secret.k_quorum(&set_id), set.secret.k_quorum(&set_id));
}

#[test]
fn the_same_share_twice_is_a_duplicate_and_counts_once() {
    let (chain, set) = genesis(2, 3, &mut rng(1));
    let mut collector = Collector::new(&chain);
    collector.offer(index(2), set.share(2));
    for _ in 0..3 {
        let verdict = collector.offer(index(2), set.share(2));
        assert_eq!(verdict.as_str(), "duplicate");
        assert_eq!(
            verdict.to_string(),
            "share 2 of holder 2 was entered before and counts once"
        );
        assert_eq!(verdict.remedy(), Some("let another holder enter a share"));
    }
    assert_eq!(collector.have(), 1);
    assert_eq!(
        collector.combine().unwrap_err(),
        CombineError::NotEnough { have: 1, need: 2 }
    );
}

#[test]
fn a_share_from_another_set_is_refused_and_named() {
    let (chain, _) = genesis(2, 3, &mut rng(1));
    let (_, other) = genesis(2, 3, &mut rng(2));
    let mut collector = Collector::new(&chain);
    let verdict = collector.offer(index(1), other.share(1));
    assert_eq!(verdict.as_str(), "other-set");
    assert_eq!(
        verdict.to_string(),
        format!(
            "this share belongs to another set: set {} of authority {}",
            other.set.set_id(),
            other.genesis
        )
    );
    assert_eq!(collector.have(), 0);
}

#[test]
fn a_share_of_this_authority_but_of_an_uncommitted_set_is_of_another_set() {
    let (chain, set) = genesis(2, 3, &mut rng(1));
    let mut collector = Collector::new(&chain);
    let aborted = altered(&set, 1, |share| share.set_id = SetId::from_bytes([9; 16]));
    assert_eq!(collector.offer(index(1), &aborted).as_str(), "other-set");
}

#[test]
fn a_share_from_before_a_reshare_is_stale_and_the_new_one_is_accepted() {
    let mut rng = rng(1);
    let (first, old) = genesis(2, 3, &mut rng);
    let (chain, new) = reshared(&first, 3, 4, &mut rng);
    let mut collector = Collector::new(&chain);
    let verdict = collector.offer(index(1), old.share(1));
    assert_eq!(verdict.as_str(), "stale-epoch");
    assert_eq!(
        verdict.to_string(),
        "this share is of epoch 1, which epoch 2 has replaced"
    );
    assert!(collector.offer(index(1), new.share(1)).is_accepted());
}

#[test]
fn a_new_share_at_an_authority_rolled_back_is_of_another_set() {
    let mut rng = rng(1);
    let (rolled_back, _) = genesis(2, 3, &mut rng);
    let (_, new) = reshared(&rolled_back, 2, 3, &mut rng);
    let verdict = Collector::new(&rolled_back).offer(index(1), new.share(1));
    assert_eq!(verdict.as_str(), "other-set");
}

#[test]
fn a_colleagues_share_is_refused_with_the_colleagues_name() {
    let (chain, set) = genesis(2, 3, &mut rng(1));
    let mut collector = Collector::new(&chain);
    let verdict = collector.offer(index(3), set.share(2));
    assert_eq!(verdict.as_str(), "wrong-holder");
    assert_eq!(
        verdict.to_string(),
        "share 2 belongs to holder 2, not to who entered it"
    );
    assert_eq!(collector.have(), 0);
    assert!(collector.offer(index(2), set.share(2)).is_accepted());
}

#[test]
fn damage_is_named_by_what_is_wrong() {
    let (chain, set) = genesis(2, 3, &mut rng(1));
    let mut collector = Collector::new(&chain);
    let mut message = |bytes: &[u8]| {
        let verdict = collector.offer(index(1), bytes);
        assert_eq!(verdict.as_str(), "damaged");
        assert_eq!(
            verdict.remedy(),
            Some("use another copy of this share, or let another holder enter one")
        );
        verdict.to_string()
    };
    let good = set.share(1);
    let mut flipped = good.to_vec();
    flipped[100] ^= 1;
    assert_eq!(
        message(&flipped),
        "this share is damaged: the checksum of the share does not match its content"
    );
    assert_eq!(
        message(b""),
        "this share is damaged: this is not a share: it does not begin with DTASHARE"
    );
    let with = |change: fn(&mut Share)| altered(&set, 1, change);
    let header = |what| format!("this share is damaged: its {what} is not that of the manifest");
    let threshold = with(|share| share.threshold = Threshold::new(1, 3).unwrap());
    assert_eq!(message(&threshold), header("threshold"));
    assert_eq!(
        message(&with(|share| share.epoch = Epoch::new(2))),
        header("epoch")
    );
    let holder = with(|share| share.holder = "mallory".parse().unwrap());
    assert_eq!(message(&holder), header("holder"));

    let other = TestSet::new(2, 3, &mut rng(2));
    let foreign = Share::decode(other.share(1)).unwrap();
    let value = altered(&set, 1, |share| share.value = foreign.value);
    assert_eq!(
        message(&value),
        "this share is damaged: its value does not fit the commitments of the manifest"
    );
}

#[test]
fn a_damaged_copy_after_the_good_one_is_damaged_and_the_good_one_stays() {
    let (chain, set) = genesis(1, 2, &mut rng(1));
    let mut collector = Collector::new(&chain);
    collector.offer(index(1), set.share(1));
    let mut flipped = set.share(1).to_vec();
    flipped[100] ^= 1;
    assert_eq!(collector.offer(index(1), &flipped).as_str(), "damaged");
    assert!(collector.combine().is_ok());
}

#[test]
fn a_collector_prints_counts_and_no_values() {
    let (chain, set) = genesis(2, 3, &mut rng(1));
    let mut collector = Collector::new(&chain);
    collector.offer(index(1), set.share(1));
    assert_eq!(
        format!("{collector:?}"),
        format!("Collector(1 of 2 for set {})", set.set.set_id())
    );
}

#[test]
fn for_every_threshold_one_share_less_stays_sealed_and_m_shares_open() {
    for n in 1..=16 {
        for m in 1..=n {
            let (chain, set) = genesis(m, n, &mut rng(u64::from(m) * 100 + u64::from(n)));
            let mut collector = Collector::new(&chain);
            for at in (n - m + 1..=n).rev() {
                let have = collector.have();
                assert_eq!(
                    collector.combine().unwrap_err(),
                    CombineError::NotEnough { have, need: m }
                );
                assert!(collector.offer(index(at), set.share(at)).is_accepted());
            }
            let set_id = set.set.set_id();
            let secret = collector.combine().unwrap();
            assert_eq!(
                secret.k_quorum(&set_id),
                set.secret.k_quorum(&set_id),
                "{m} of {n}"
            );
        }
    }
}

/// What somebody may do at the collector.
#[derive(Clone, Copy, Debug)]
enum Offer {
    Own(u8),
    Colleagues(u8),
    Foreign(u8),
    Stale(u8),
    Flipped(u8, usize),
}

fn offers() -> impl Strategy<Value = Vec<Offer>> {
    let one = (0..5u8, 0..16u8, any::<usize>()).prop_map(|(kind, at, bit)| match kind {
        0 => Offer::Own(at),
        1 => Offer::Colleagues(at),
        2 => Offer::Foreign(at),
        3 => Offer::Stale(at),
        _ => Offer::Flipped(at, bit),
    });
    proptest::collection::vec(one, 0..24)
}

fn cases() -> u32 {
    if std::env::var_os("DTA_TEST_LONG").is_some() {
        1000
    } else {
        50
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]
    #[test]
    fn whatever_is_offered_in_any_order_exactly_the_good_shares_count(
        n in 1..=16u8,
        m_of_n in any::<prop::sample::Index>(),
        offers in offers(),
        seed in any::<u64>(),
    ) {
        let m = u8::try_from(m_of_n.index(usize::from(n))).unwrap() + 1;
        let mut rng = rng(seed);
        let (first, old) = genesis(m, n, &mut rng);
        let (chain, set) = reshared(&first, m, n, &mut rng);
        let (_, foreign) = genesis(m, n, &mut rng);
        let mut collector = Collector::new(&chain);
        let mut good = std::collections::BTreeSet::new();
        for offer in offers {
            match offer {
                Offer::Own(at) => {
                    let at = at % n + 1;
                    let verdict = collector.offer(index(at), set.share(at));
                    let expected = if good.insert(at) { "accepted" } else { "duplicate" };
                    prop_assert_eq!(verdict.as_str(), expected);
                }
                Offer::Colleagues(at) => {
                    let (at, signer) = (at % n + 1, (at + 1) % n + 1);
                    if at != signer {
                        let verdict = collector.offer(index(signer), set.share(at));
                        prop_assert_eq!(verdict.as_str(), "wrong-holder");
                    }
                }
                Offer::Foreign(at) => {
                    let at = at % n + 1;
                    let verdict = collector.offer(index(at), foreign.share(at));
                    prop_assert_eq!(verdict.as_str(), "other-set");
                }
                Offer::Stale(at) => {
                    let at = at % n + 1;
                    let verdict = collector.offer(index(at), old.share(at));
                    prop_assert_eq!(verdict.as_str(), "stale-epoch");
                }
                Offer::Flipped(at, bit) => {
                    let at = at % n + 1;
                    let mut bytes = set.share(at).to_vec();
                    let bit = bit % (bytes.len() * 8);
                    bytes[bit / 8] ^= 1 << (bit % 8);
                    let verdict = collector.offer(index(at), &bytes);
                    prop_assert_eq!(verdict.as_str(), "damaged");
                }
            }
            let there: Vec<u8> = collector.accepted().map(|h| h.index.get()).collect();
            prop_assert_eq!(there, good.iter().copied().collect::<Vec<_>>());
        }
        match collector.combine() {
            Ok(secret) => {
                prop_assert!(good.len() >= usize::from(m));
                let set_id = set.set.set_id();
                prop_assert_eq!(secret.k_quorum(&set_id), set.secret.k_quorum(&set_id));
            }
            Err(error) => {
                prop_assert!(good.len() < usize::from(m), "{error}");
            }
        }
    }
}
