//! The HSM is away, wrong or dies: said plainly, and never a half-open authority.

use crate::common::customer::{Customer, new_identity};
use crate::common::{Dta, process, write_private};

#[test]
fn a_wrong_hsm_pin_is_said_with_what_to_do() {
    let mut dta = Dta::found("pin", 1, 1);
    write_private(&dta.hsm.pin_file(), "000000");
    dta.start();
    let said = dta.enter_share(1, &dta.share(1));
    assert_eq!(said.code, 5, "{said:?}");
    assert!(said.stderr.contains("PIN"), "{said:?}");
    assert_ne!(dta.status()["state"], "unlocked");
    assert_eq!(dta.status()["hsm"], "unavailable");
}

#[test]
fn an_authority_whose_hsm_is_away_starts_sealed_and_says_so() {
    let mut dta = Dta::found("away", 1, 1);
    dta.start_authority();
    assert_eq!(dta.status()["state"], "sealed");
    assert_eq!(dta.status()["hsm"], "unavailable");
    let status = dta.operator(&["status"]);
    assert_eq!(status.code, 5, "{status:?}");
    let said = dta.enter_share(1, &dta.share(1));
    assert_eq!(said.code, 5, "{said:?}");
    // With the HSM back, the same authority unlocks.
    dta.hsm.start_with(process::dta()).unwrap();
    dta.unlock(&[1]);
}

#[test]
fn an_hsm_that_dies_during_unlock_leaves_it_sealed_and_the_shares_are_kept() {
    let mut dta = Dta::found("dies", 2, 3);
    dta.start();
    dta.enter_share(1, &dta.share(1)).ok();
    dta.hsm.kill();
    let said = dta.enter_share(2, &dta.share(2));
    assert_eq!(said.code, 5, "{said:?}");
    assert_ne!(dta.status()["state"], "unlocked");
    dta.hsm.start_with(process::dta()).unwrap();
    // Any further share of the open session finishes the job.
    let _ = dta.enter_share(3, &dta.share(3));
    if dta.status()["state"] != "unlocked" {
        dta.unlock(&[1, 2]);
    }
    assert_eq!(dta.status()["state"], "unlocked");
}

#[test]
fn killing_the_hsm_process_leaves_an_unlocked_authority_issuing() {
    let mut dta = Dta::unlocked("survivor");
    let customer = Customer::of(&[&dta], "acme");
    dta.hsm.kill();
    let answer = customer.client_share(&dta, &new_identity());
    assert_eq!(answer.status, 200, "{:?}", answer.json());
    assert_eq!(dta.status()["state"], "unlocked");
    assert_eq!(dta.status()["hsm"], "unavailable");
}

#[test]
fn a_token_that_is_gone_is_named_at_the_ceremony() {
    let dta = Dta::before_the_ceremony("gone", 1, 1);
    std::fs::rename(dta.hsm.token_directory(), dta.path("unplugged")).unwrap();
    let said = dta.run_ceremony();
    assert_eq!(said.code, 5, "{said:?}");
    assert!(said.stderr.contains("token"), "{said:?}");
    assert!(!dta.path("state/state.db").exists());
}
