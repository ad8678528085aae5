//! The approvers of a plan: who must sign its hash before it is carried out.

use std::collections::HashMap;

use quorum::HolderKey;

use super::check::read_parsed;
use super::reader::{At, Reader, Section};
use super::{ApprovalPlan, Approver, HOLDERS_APPROVE, SetPlan};
use crate::holder::HolderName;

/// More would not fit on one page of a script.
const MOST_APPROVERS: usize = 16;

/// Reads `[approval]`. The outer `None` goes with a mistake noted; the inner one is a plan without approvers.
pub(super) fn read(
    reader: &mut Reader<'_>,
    root: &Section<'_>,
    unlock: Option<&SetPlan>,
) -> Option<Option<ApprovalPlan>> {
    if reader.present(root, "approval").is_none() {
        return Some(None);
    }
    let section = reader.optional_table(root, "approval")?;
    reader.only(&section, &["m", "holders_approve", "approvers"]);
    let m = reader.integer(&section, "m");
    let said = reader.optional_string(&section, "holders_approve");
    let tables = reader.tables(&section, "approvers");
    let approvers: Option<Vec<_>> = tables.map(|tables| {
        let read = |table| (read_approver(reader, &table), table);
        tables.into_iter().map(read).collect()
    });
    if let Some(approvers) = &approvers {
        refuse_twins(reader, approvers);
        if let Some(unlock) = unlock {
            check_rosters(reader, &section, (approvers, unlock), said);
        }
        if approvers.len() > MOST_APPROVERS {
            let message = format!("are {}; at most {MOST_APPROVERS} can be", approvers.len());
            reader.mistake(section.line(), section.field("approvers"), message);
        }
        if let Some(m) = m {
            check_count(reader, &section, m, approvers.len());
        }
    }
    Some(Some(ApprovalPlan {
        m: u8::try_from(m?.value).ok()?,
        approvers: approvers?
            .into_iter()
            .map(|(approver, _)| approver)
            .collect::<Option<_>>()?,
    }))
}

fn read_approver(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<Approver> {
    reader.only(section, &["name", "sign_key"]);
    let name = read_parsed::<HolderName>(reader, section, "name");
    let sign_key = read_parsed::<HolderKey>(reader, section, "sign_key");
    Some(Approver {
        name: name?,
        sign_key: sign_key?,
    })
}

fn check_count(reader: &mut Reader<'_>, section: &Section<'_>, m: At<u64>, count: usize) {
    let message = if m.value < 2 {
        format!("is {}; nobody approves alone: M is at least 2", m.value)
    } else if m.value > count as u64 {
        format!("is {}, more than the {count} approvers listed", m.value)
    } else {
        return;
    };
    reader.mistake(m.line, section.field("m"), message);
}

/// The name and the key of somebody, each as it is compared.
fn traits(name: &HolderName, key: &HolderKey) -> [(&'static str, String); 2] {
    [
        ("name", name.as_str().to_lowercase()),
        ("sign_key", key.to_string()),
    ]
}

fn refuse_twins(reader: &mut Reader<'_>, approvers: &[(Option<Approver>, Section<'_>)]) {
    let mut seen = HashMap::new();
    for (at, (approver, section)) in approvers.iter().enumerate() {
        let Some(approver) = approver else { continue };
        for (key, value) in traits(&approver.name, &approver.sign_key) {
            if let Some((first, name)) = seen.get(&(key, value.clone())) {
                let message = format!(
                    "is that of approver {first} ({name}) too; each approver needs an own one"
                );
                reader.mistake(section.line(), section.field(key), message);
            } else {
                seen.insert((key, value), (at + 1, &approver.name));
            }
        }
    }
}

/// A person in both rosters is a mistake unless the plan says word by word that it is none.
fn check_rosters(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    (approvers, unlock): (&[(Option<Approver>, Section<'_>)], &SetPlan),
    said: Option<At<&str>>,
) {
    let holders: HashMap<_, _> = unlock
        .holders
        .iter()
        .zip(1..)
        .flat_map(|(holder, number)| {
            traits(&holder.name, &holder.sign_key).map(|key| (key, (number, &holder.name)))
        })
        .collect();
    let mut both = Vec::new();
    for (approver, table) in approvers {
        let Some(approver) = approver else { continue };
        for key in traits(&approver.name, &approver.sign_key) {
            if let Some((number, name)) = holders.get(&key) {
                both.push((table, key.0, *number, *name));
            }
        }
    }
    match said {
        Some(said) if said.value != HOLDERS_APPROVE => {
            let message = format!("must read exactly {HOLDERS_APPROVE:?}");
            reader.mistake(said.line, section.field("holders_approve"), message);
        }
        Some(said) if both.is_empty() => {
            let message = "belongs only to a plan in which a holder approves; remove it";
            reader.mistake(said.line, section.field("holders_approve"), message);
        }
        Some(_) => {}
        None => {
            for (table, key, number, name) in both {
                let message = format!(
                    "is that of holder {number} ({name}): a person in two rosters; name somebody else, or say \
                     holders_approve = {HOLDERS_APPROVE:?} in [approval]"
                );
                reader.mistake(table.line(), table.field(key), message);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{
        HOLDERS_APPROVE, TemplateError, TemplateInput, TokenChoice, check, template,
    };
    use crate::holder::{HolderPublic, HolderSecrets};

    fn people(names: &[&str]) -> Vec<HolderPublic> {
        let make = |name: &&str| HolderSecrets::generate(&name.parse().unwrap()).unwrap();
        names
            .iter()
            .map(|name| make(name).public().clone())
            .collect()
    }

    fn try_written(
        holders: &[HolderPublic],
        approvers: &[HolderPublic],
    ) -> Result<String, TemplateError> {
        template(TemplateInput {
            authority: &"east".parse().unwrap(),
            m: 2,
            holders,
            approvers,
            token: &TokenChoice {
                label: "l".into(),
                serial: "s".into(),
            },
        })
    }

    fn written(holders: &[HolderPublic], approvers: &[HolderPublic]) -> String {
        try_written(holders, approvers).unwrap()
    }

    fn mistakes(text: &str) -> Vec<String> {
        check(text)
            .unwrap_err()
            .0
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn a_template_with_approvers_is_a_plan_without_mistakes() {
        let plan = check(&written(&people(&["a", "b"]), &people(&["x", "y", "z"]))).unwrap();
        let approval = plan.approval.unwrap();
        assert_eq!(approval.m, 2);
        assert_eq!(approval.approvers[2].name.as_str(), "z");
        let error = try_written(&people(&["a", "b"]), &people(&["x"])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "one approver is named; nobody approves alone"
        );
    }

    #[test]
    fn nobody_approves_alone() {
        let text = written(&people(&["a", "b", "c"]), &people(&["x", "y"]));
        let alone = text.replace("[approval]\nm = 2", "[approval]\nm = 1");
        assert_eq!(mistakes(&alone).len(), 1);
        assert!(
            mistakes(&alone)[0]
                .ends_with("`approval.m` is 1; nobody approves alone: M is at least 2")
        );
        let three = text.replace("[approval]\nm = 2", "[approval]\nm = 3");
        assert!(
            mistakes(&three)[0].ends_with("`approval.m` is 3, more than the 2 approvers listed")
        );
        let huge = text.replace("[approval]\nm = 2", "[approval]\nm = 300");
        assert!(
            mistakes(&huge)[0].ends_with("`approval.m` is 300, more than the 2 approvers listed")
        );
    }

    #[test]
    fn a_person_in_two_rosters_is_named_unless_the_plan_says_so() {
        let holders = people(&["alice", "bob"]);
        let mut approvers = people(&["x", "Bob"]);
        approvers[0] = holders[0].clone();
        approvers[0].name = "xeno".parse().unwrap();
        let text = written(&holders, &approvers);
        let found = mistakes(&text);
        assert_eq!(found.len(), 2, "{found:#?}");
        assert!(found[0].contains(
            "`approval.approvers[1].sign_key` is that of holder 1 (alice): a person in two rosters"
        ));
        assert!(found[1].contains("`approval.approvers[2].name` is that of holder 2 (bob)"));
        let said = format!("[approval]\nholders_approve = {HOLDERS_APPROVE:?}");
        check(&text.replace("[approval]", &said)).unwrap();
        let wrong = text.replace("[approval]", "[approval]\nholders_approve = \"yes\"");
        assert!(mistakes(&wrong)[0].contains("`approval.holders_approve` must read exactly"));
        let needless = written(&holders, &people(&["x", "y"])).replace("[approval]", &said);
        assert!(
            mistakes(&needless)[0].contains("belongs only to a plan in which a holder approves")
        );
    }

    #[test]
    fn two_approvers_with_one_name_or_key_are_named() {
        let approvers = people(&["x", "y"]);
        let text = written(&people(&["a", "b"]), &approvers);
        let bad = text
            .replace(
                &approvers[1].sign_key.to_string(),
                &approvers[0].sign_key.to_string(),
            )
            .replace("\"y\"", "\"X\"");
        let found = mistakes(&bad);
        assert_eq!(found.len(), 2, "{found:#?}");
        assert!(found[0].contains("`approval.approvers[2].name` is that of approver 1 (x) too"));
        let odd = text.replace("[approval]\nm = 2", "[approval]\nn = 2");
        let found = mistakes(&odd);
        assert!(
            found.iter().any(|m| m.contains("`approval.m` is missing")),
            "{found:#?}"
        );
        assert!(
            found
                .iter()
                .any(|m| m.contains("`approval.n` is not a key of a plan"))
        );
    }
}
