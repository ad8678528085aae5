//! Plans: what is right, and every mistake by line and field.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::holder::{HolderPublic, HolderSecrets};

fn holders(count: usize) -> Vec<HolderPublic> {
    let make =
        |number| HolderSecrets::generate(&format!("holder-{number}").parse().unwrap()).unwrap();
    (1..=count)
        .map(|number| make(number).public().clone())
        .collect()
}

fn written(m: u8, n: usize) -> String {
    let token = TokenChoice {
        label: "dta east".into(),
        serial: "7f3a\"9b2c".into(),
    };
    let authority = "D-TA \"East\"".parse().unwrap();
    template(TemplateInput {
        authority: &authority,
        m,
        holders: &holders(n),
        approvers: &[],
        token: &token,
    })
    .unwrap()
}

fn mistakes(text: &str) -> Vec<String> {
    check(text)
        .unwrap_err()
        .0
        .iter()
        .map(Mistake::to_string)
        .collect()
}

/// The number of the first line that contains `part`.
fn line(text: &str, part: &str) -> usize {
    text.lines().position(|line| line.contains(part)).unwrap() + 1
}

#[test]
fn a_template_is_a_plan_without_mistakes() {
    let text = written(3, 5);
    let plan = check(&text).unwrap();
    assert_eq!(plan.authority.as_str(), "D-TA \"East\"");
    assert_eq!(plan.unlock.threshold.to_string(), "3 of 5");
    assert_eq!(plan.unlock.holders[4].name.as_str(), "holder-5");
    assert_eq!(plan.token.serial, "7f3a\"9b2c");
    assert_eq!(plan.suites, [Suite::Ro, Suite::Nu]);
    assert_eq!(plan.notices().len(), 1);
    assert!(plan.notices()[0].starts_with("No approvers are named"));
    use sha2::Digest;
    assert_eq!(
        plan.hash.to_string(),
        hex::encode(sha2::Sha256::digest(text.as_bytes()))
    );
}

#[test]
fn every_mistake_is_named_at_once_by_line_and_field() {
    let good = written(3, 3);
    let bad = good
        .replace("m = 3", "m = 4")
        .replace("\"NU\"]", "\"XX\", \"RO\"]")
        .replace("token_serial", "token_seriel")
        .replace("holder-2", "holder 2");
    let second = line(&bad, "holder 2");
    assert_eq!(
        mistakes(&bad),
        [
            format!(
                "line {}: `suites` names \"XX\", which is unknown; there are RO, NU and MILAGRO",
                line(&bad, "suites =")
            ),
            format!("line {}: `suites` names RO twice", line(&bad, "suites =")),
            format!(
                "line {}: `unlock.m` is 4, more than the 3 holders; M must not be more than N",
                line(&bad, "m = 4")
            ),
            format!(
                "line {second}: `unlock.holders[2].name` is refused: \"holder 2\" is not a holder's name: \
                 1 to 64 of A-Z a-z 0-9 . _ - @, beginning with a letter or digit"
            ),
            format!(
                "line {}: `hsm.token_serial` is missing; expected a string",
                line(&bad, "[hsm]")
            ),
            format!(
                "line {}: `hsm.token_seriel` is not a key of a plan; did you mean `token_serial`?",
                line(&bad, "token_seriel")
            ),
        ]
    );
}

#[test]
fn two_holders_with_one_name_key_or_recipient_are_named() {
    let text = written(2, 3);
    let plan = check(&text).unwrap();
    let [first, second, third] = &plan.unlock.holders[..] else {
        unreachable!()
    };
    let bad = text
        .replace(&second.sign_key.to_string(), &first.sign_key.to_string())
        .replace(&third.recipient.to_string(), &first.recipient.to_string())
        .replace("holder-3", "Holder-1");
    let found = mistakes(&bad);
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found[0].ends_with("`unlock.holders[2].sign_key` is that of holder 1 (holder-1) too; each holder needs an own one"));
    assert!(found[1].contains("`unlock.holders[3].name` is that of holder 1"));
    assert!(found[2].contains("`unlock.holders[3].recipient` is that of holder 1"));
}

#[test]
fn one_of_several_needs_an_explicit_word() {
    let text = written(1, 3);
    let plan = check(&text).unwrap();
    assert_eq!(
        plan.notices()[0],
        "M = 1: any one of the 3 holders opens this authority alone."
    );
    let without: String = text
        .lines()
        .filter(|l| !l.starts_with("one_alone"))
        .map(|l| format!("{l}\n"))
        .collect();
    let found = mistakes(&without);
    assert_eq!(found.len(), 1);
    assert!(found[0].ends_with("`unlock.m` is 1 of 3: say so with one_alone = \"any one holder opens this alone\", or raise m"));
    let wrong = text.replace(ONE_ALONE, "yes");
    assert!(mistakes(&wrong)[0].contains("`unlock.one_alone` must read exactly"));
    let needless = written(2, 3).replace(
        "n = 3",
        "n = 3\none_alone = \"any one holder opens this alone\"",
    );
    assert!(mistakes(&needless)[0].contains("belongs only to M = 1 with several holders"));
}

#[test]
fn one_of_one_is_a_plan_and_is_said_plainly() {
    let plan = check(&written(1, 1)).unwrap();
    assert!(
        plan.notices()[0]
            .starts_with("M = N = 1: the unlock secret is not split. holder-1 alone opens")
    );
}

#[test]
fn thresholds_out_of_bounds_are_named() {
    let seventeen = written(2, 16).replace("n = 16", "n = 17");
    let found = mistakes(&seventeen);
    assert!(
        found
            .iter()
            .any(|m| m.ends_with("`unlock.n` is 17; N is 1 to 16")),
        "{found:#?}"
    );
    assert!(
        found
            .iter()
            .any(|m| m.ends_with("`unlock.n` is 17, but 16 holders are listed"))
    );
    let zero = written(2, 3).replace("m = 2", "m = 0");
    assert!(mistakes(&zero)[0].ends_with("`unlock.m` is 0; at least one holder must be needed"));
    let negative = written(2, 3).replace("m = 2", "m = -2");
    assert!(mistakes(&negative)[0].ends_with("`unlock.m` is -2; expected a whole number from 0"));
    let authority = "x".parse().unwrap();
    let token = TokenChoice {
        label: "l".into(),
        serial: "s".into(),
    };
    let error = template(TemplateInput {
        authority: &authority,
        m: 4,
        holders: &holders(3),
        approvers: &[],
        token: &token,
    })
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "4 of 3 can never be reached: M must not be more than N"
    );
}

#[test]
fn slot_module_and_pin_have_no_place_in_a_plan() {
    let text = written(2, 3).replace("[hsm]\n", "[hsm]\npin = \"1234\"\nslot = 3\n");
    let found = mistakes(&text);
    assert_eq!(found.len(), 2);
    assert!(found[0].ends_with(
        "`hsm.pin` belongs to hsm.toml on the machine, never to a plan that people review"
    ));
}

#[test]
fn what_is_not_toml_is_named_by_line() {
    let found = mistakes("plan = 1\nauthority = \"x\nsuites = [\"RO\"]\n");
    assert!(
        found
            .iter()
            .any(|m| m == "line 2: invalid basic string, expected `\"`"),
        "{found:#?}"
    );
    assert!(mistakes("").len() >= 5);
    assert!(mistakes("plan = 2")[0].contains("`plan` is version 2; this tool knows version 1"));
    let wrong = mistakes("plan = \"1\"\nauthority = 5\nsuites = \"RO\"\nunlock = 1\nhsm = []\n");
    assert_eq!(
        wrong[1],
        "line 2: `authority` has type integer; expected a string"
    );
}
