//! Entering shares: every wrong one is named, and none spoils the others.

use crate::common::Dta;

#[test]
fn fewer_than_m_shares_leave_it_sealed_and_say_how_many_are_missing() {
    let mut dta = Dta::found("few", 3, 5);
    dta.start();
    let said = dta.enter_share(1, &dta.share(1)).ok();
    assert!(said.contains("1 of 3"), "{said}");
    let said = dta.enter_share(4, &dta.share(4)).ok();
    assert!(said.contains("2 of 3"), "{said}");
    let status = dta.status();
    assert_eq!(status["state"], "unlocking");
    assert_eq!(status["accepted"][0]["holder"], dta.holder(1));
    assert_eq!(status["accepted"][1]["holder"], dta.holder(4));
    assert_eq!(dta.operator(&["status"]).code, 3);
}

#[test]
fn a_duplicate_share_is_named_and_counts_once() {
    let mut dta = Dta::found("dup", 2, 3);
    dta.start();
    dta.enter_share(1, &dta.share(1)).ok();
    let said = dta.enter_share(1, &dta.share(1)).failed(4);
    assert!(
        said.contains("duplicate") && said.contains(&dta.holder(1)),
        "{said}"
    );
    assert_eq!(dta.status()["state"], "unlocking");
    dta.unlock(&[3]);
}

#[test]
fn a_share_of_another_d_ta_is_refused_and_named() {
    let mut dta = Dta::found("home", 2, 3);
    let foreign = Dta::found("away", 2, 3);
    dta.start();
    dta.enter_share(1, &dta.share(1)).ok();
    // The foreign holder brings the own key, too: it is no holder here.
    let said = dta
        .operator(&[
            "unlock",
            "--share",
            &foreign.share(2).display().to_string(),
            "--holder-key",
            &foreign.holder_key(2).display().to_string(),
            "--passphrase-file",
            &dta.arg("passphrase"),
        ])
        .failed(4);
    assert!(said.contains("other-set"), "{said}");
    assert_eq!(dta.status()["accepted"].as_array().unwrap().len(), 1);
    dta.unlock(&[2]);
}

#[test]
fn a_colleagues_share_is_refused_and_the_others_are_kept() {
    let mut dta = Dta::found("mix", 2, 3);
    dta.start();
    dta.enter_share(1, &dta.share(1)).ok();
    // The share of holder 3 is sealed to holder 3; holder 2 cannot open it.
    let said = dta.enter_share(2, &dta.share(3)).failed(4);
    assert!(said.contains(&dta.holder(2)), "{said}");
    dta.unlock(&[2]);
}

#[test]
fn a_damaged_share_file_is_named_and_the_others_are_kept() {
    let mut dta = Dta::found("torn", 2, 3);
    dta.start();
    dta.enter_share(1, &dta.share(1)).ok();
    let share = dta.share(2);
    let text = std::fs::read_to_string(&share).unwrap();
    let torn = dta.path("torn.share");
    let at = text.len() / 2;
    let flipped = if &text[at..=at] == "A" { "B" } else { "A" };
    std::fs::write(
        &torn,
        format!("{}{flipped}{}", &text[..at], &text[at + 1..]),
    )
    .unwrap();
    let said = dta.enter_share(2, &torn).failed(4);
    assert!(said.contains("damaged"), "{said}");
    dta.unlock(&[2]);
}

#[test]
fn a_wrong_passphrase_is_said_and_the_share_is_unharmed() {
    let mut dta = Dta::found("pass", 2, 3);
    dta.start();
    std::fs::write(dta.path("wrong"), "not the passphrase at all").unwrap();
    let arguments = [
        "unlock",
        "--share",
        &dta.share(1).display().to_string(),
        "--holder-key",
        &dta.holder_key(1).display().to_string(),
        "--passphrase-file",
        &dta.arg("wrong"),
    ];
    let said = dta.operator(&arguments).failed(4);
    assert!(said.contains("passphrase"), "{said}");
    dta.unlock(&[1, 2]);
}

#[test]
fn one_of_one_is_allowed_and_said_to_be_no_split() {
    let dta = Dta::before_the_ceremony("solo", 1, 1);
    let checked = dta.dta(&["ceremony", "check", &dta.arg("plan.toml")]);
    assert_eq!(checked.code, 0, "{checked:?}");
    let said = format!("{}{}", checked.stdout, checked.stderr);
    assert!(said.contains("not split"), "{said}");
    dta.run_ceremony().ok();
    let mut dta = dta;
    dta.start();
    dta.unlock(&[1]);
}

#[test]
fn lock_wipes_and_unlocking_again_works() {
    let dta = Dta::unlocked("again");
    dta.operator(&["lock"]).ok();
    assert_eq!(dta.status()["state"], "sealed");
    assert_eq!(dta.operator(&["status"]).code, 3);
    dta.unlock(&[2, 3]);
    assert_eq!(dta.operator(&["status"]).code, 0);
}
