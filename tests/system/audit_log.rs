//! What the audit log says of a day's work, and that it cannot be cut.

use serde_json::json;

use crate::common::Dta;
use crate::common::customer::{Customer, new_identity};

#[test]
fn every_event_is_in_the_log_in_order_and_the_log_verifies() {
    let mut dta = Dta::unlocked("events");
    let customer = Customer::of(&[&dta], "acme");
    let identity = new_identity();
    assert_eq!(customer.client_share(&dta, &identity).status, 200);
    assert_eq!(customer.client_share(&dta, &identity).status, 200);
    dta.operator(&["lock"]).ok();
    dta.authority.as_mut().unwrap().terminate();

    let entries = dta.audit_entries();
    let names: Vec<_> = entries
        .iter()
        .map(|entry| entry["event"].as_str().unwrap())
        .collect();
    let mut expected = vec![
        "ceremony-init",
        "start",
        "session-opened",
        "unlock-share",
        "unlock-share",
    ];
    expected.extend([
        "unlocked",
        "customer-added",
        "client-share",
        "client-share",
        "locked",
        "stop",
    ]);
    let kept: Vec<_> = names
        .iter()
        .filter(|name| expected.contains(name))
        .copied()
        .collect();
    assert_eq!(kept, expected, "{names:?}");

    let issued: Vec<_> = entries
        .iter()
        .filter(|entry| entry["event"] == "client-share")
        .collect();
    assert_eq!(issued[0]["customer"], "acme");
    assert_eq!(
        issued[0]["identity"], issued[1]["identity"],
        "one identity has one tag"
    );
    assert!(
        !entries
            .iter()
            .any(|entry| entry.to_string().contains(&identity))
    );
    let said = dta.audit_verify().ok();
    assert!(said.contains(&entries.len().to_string()), "{said}");
}

#[test]
fn a_changed_byte_and_a_cut_log_are_noticed() {
    let mut dta = Dta::unlocked("cut");
    let _customer = Customer::of(&[&dta], "acme");
    dta.authority.as_mut().unwrap().terminate();
    let journal = dta.path("state/audit/journal");
    let good = std::fs::read(&journal).unwrap();
    dta.audit_verify().ok();

    let mut changed = good.clone();
    let at = changed
        .windows(4)
        .position(|window| window == b"acme")
        .unwrap();
    changed[at] = b'b';
    std::fs::write(&journal, &changed).unwrap();
    let said = dta.audit_verify().failed(4);
    assert!(said.contains("entry"), "{said}");

    std::fs::write(&journal, &good[..good.len() / 2]).unwrap();
    dta.audit_verify().failed(4);
    let mut refused = dta.spawn_authority(&[]);
    assert_eq!(refused.wait_for_end(), 6, "{}", refused.log());
}

#[test]
fn refusals_before_a_valid_signature_are_counted_not_logged_one_by_one() {
    let mut dta = Dta::unlocked("counted");
    let customer = Customer::of(&[&dta], "acme");
    for _ in 0..3 {
        let mut draft = customer.draft(
            &dta,
            "/v1/client-shares",
            &json!({ "identity": new_identity() }),
        );
        draft.created -= 300;
        assert_eq!(customer.send(&dta, &draft).status, 401);
    }
    dta.proxy.as_mut().unwrap().terminate();
    dta.authority.as_mut().unwrap().terminate();
    let entries = dta.audit_entries();
    assert!(!entries.iter().any(|entry| entry["event"] == "refused"));
    let counted: u64 = entries
        .iter()
        .filter(|entry| entry["event"] == "refusal-counts")
        .filter_map(|entry| entry["counts"]["expired"].as_u64())
        .sum();
    assert_eq!(counted, 3, "{entries:?}");
}
