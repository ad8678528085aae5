//! Reads a plan and names everything that is wrong with it, by line and field.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use mpin::Suite;
use quorum::{HolderKey, ManifestHash, Name, Threshold};
use toml::de::DeTable;

use super::reader::{At, Reader, Section};
use super::{ONE_ALONE, Plan, PlanHash, PlannedHolder, SetPlan, TokenChoice, approvers};
use crate::canonical;
use crate::holder::{HolderName, ShareRecipient};

/// One thing that is wrong with a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The line, from 1. For something that is missing, the line of the table it is missing from.
    pub line: usize,
    /// The field, such as `unlock.holders[2].name`; empty when the file is not TOML there.
    pub field: String,
    /// What is wrong, to be read after the field.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            write!(f, "line {}: {}", self.line, self.message)
        } else {
            write!(f, "line {}: `{}` {}", self.line, self.field, self.message)
        }
    }
}

/// Everything that is wrong with a plan, in the order of the lines; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the plan has {}: {}", counted(.0.len()), .0.iter().map(Mistake::to_string).collect::<Vec<_>>().join("; "))]
pub struct Mistakes(pub Vec<Mistake>);

impl Mistakes {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        Some("correct the lines named and run `dta ceremony check` again")
    }
}

/// "1 mistake", "2 mistakes".
fn counted(mistakes: usize) -> String {
    if mistakes == 1 {
        "1 mistake".to_owned()
    } else {
        format!("{mistakes} mistakes")
    }
}

/// Reads the plan `text`.
///
/// # Errors
/// Every mistake in it, not only the first.
pub fn check(text: &str) -> Result<Plan, Mistakes> {
    let mut reader = Reader::new(text);
    let (document, syntax) = DeTable::parse_recoverable(text);
    for error in syntax {
        let line = error.span().map_or(1, |span| reader.line_of(span));
        reader.mistake(
            line,
            "",
            error.message().lines().collect::<Vec<_>>().join(", "),
        );
    }
    let plan = read(&mut reader, &Section::root(document.get_ref()), text);
    let mistakes = reader.into_mistakes();
    match plan {
        Some(plan) if mistakes.is_empty() => Ok(plan),
        _ => Err(Mistakes(mistakes)),
    }
}

/// Reads every section before giving up, so that each mistake is found; `None` goes with a mistake noted.
fn read(reader: &mut Reader<'_>, root: &Section<'_>, text: &str) -> Option<Plan> {
    reader.only(
        root,
        &[
            "plan",
            "authority",
            "succeeds",
            "suites",
            "unlock",
            "approval",
            "hsm",
        ],
    );
    let version = read_version(reader, root);
    let authority = reader
        .string(root, "authority")
        .and_then(|name| parsed::<Name>(reader, root.field("authority"), name));
    let succeeds = reader
        .optional_string(root, "succeeds")
        .map(|hash| parsed::<ManifestHash>(reader, root.field("succeeds"), hash));
    let suites = read_suites(reader, root);
    let unlock = reader
        .table(root, "unlock")
        .and_then(|section| read_set(reader, &section));
    let approval = approvers::read(reader, root, unlock.as_ref());
    let token = reader
        .table(root, "hsm")
        .and_then(|section| read_token(reader, &section));
    version?;
    Some(Plan {
        authority: authority?,
        suites: suites?,
        unlock: unlock?,
        approval: approval?,
        token: token?,
        succeeds: match succeeds {
            Some(hash) => Some(hash?),
            None => None,
        },
        hash: PlanHash(canonical::sha256(text.as_bytes())),
    })
}

fn read_version(reader: &mut Reader<'_>, root: &Section<'_>) -> Option<()> {
    let version = reader.integer(root, "plan")?;
    if version.value == 1 {
        return Some(());
    }
    reader.mistake(
        version.line,
        "plan",
        format!("is version {}; this tool knows version 1", version.value),
    );
    None
}

fn read_suites(reader: &mut Reader<'_>, root: &Section<'_>) -> Option<Vec<Suite>> {
    let names = reader.strings(root, "suites")?;
    let mut suites = Vec::new();
    for At { value, line } in names {
        match value.parse::<Suite>() {
            Ok(suite) if suites.contains(&suite) => {
                reader.mistake(line, "suites", format!("names {value} twice"));
            }
            Ok(suite) => suites.push(suite),
            Err(_) => reader.mistake(
                line,
                "suites",
                format!("names {value:?}, which is unknown; there are RO, NU and MILAGRO"),
            ),
        }
    }
    Some(suites)
}

fn read_set(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<SetPlan> {
    reader.only(section, &["m", "n", "one_alone", "copies", "holders"]);
    let (m, n) = (reader.integer(section, "m"), reader.integer(section, "n"));
    let one_alone = reader.optional_string(section, "one_alone");
    let holders = reader.tables(section, "holders").map(|tables| {
        let count = tables.len();
        let holders: Vec<_> = tables
            .iter()
            .map(|table| read_holder(reader, table))
            .collect();
        refuse_twins(reader, &tables, &holders);
        (count, holders)
    });
    let threshold = read_threshold(reader, section, m?, n?);
    if let Some((count, _)) = &holders
        && n?.value != *count as u64
    {
        reader.mistake(
            n?.line,
            section.field("n"),
            format!("is {}, but {count} holders are listed", n?.value),
        );
    }
    check_one_alone(reader, section, m?, n?, one_alone);
    let copies = read_copies(reader, section);
    Some(SetPlan {
        threshold: threshold?,
        copies: copies?,
        holders: holders?.1.into_iter().collect::<Option<_>>()?,
    })
}

/// One copy of each share, unless the plan says otherwise.
fn read_copies(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<u8> {
    if reader.present(section, "copies").is_none() {
        return Some(1);
    }
    let copies = reader.integer(section, "copies")?;
    match u8::try_from(copies.value) {
        Ok(few @ 1..=9) => Some(few),
        _ => {
            let message = format!(
                "is {}; there can be 1 to 9 copies of each share",
                copies.value
            );
            reader.mistake(copies.line, section.field("copies"), message);
            None
        }
    }
}

fn read_threshold(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    m: At<u64>,
    n: At<u64>,
) -> Option<Threshold> {
    let most = u64::from(Threshold::MAX_HOLDERS);
    if n.value == 0 || n.value > most {
        reader.mistake(
            n.line,
            section.field("n"),
            format!("is {}; N is 1 to {most}", n.value),
        );
    }
    if m.value == 0 {
        reader.mistake(
            m.line,
            section.field("m"),
            "is 0; at least one holder must be needed",
        );
    } else if m.value > n.value {
        let message = format!(
            "is {}, more than the {} holders; M must not be more than N",
            m.value, n.value
        );
        reader.mistake(m.line, section.field("m"), message);
    }
    Threshold::new(u8::try_from(m.value).ok()?, u8::try_from(n.value).ok()?).ok()
}

fn check_one_alone(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    m: At<u64>,
    n: At<u64>,
    said: Option<At<&str>>,
) {
    let needed = m.value == 1 && n.value > 1;
    match said {
        None if needed => {
            let message = format!(
                "is 1 of {}: say so with one_alone = {ONE_ALONE:?}, or raise m",
                n.value
            );
            reader.mistake(m.line, section.field("m"), message);
        }
        Some(said) if !needed => {
            reader.mistake(
                said.line,
                section.field("one_alone"),
                "belongs only to M = 1 with several holders; remove it",
            );
        }
        Some(said) if said.value != ONE_ALONE => {
            reader.mistake(
                said.line,
                section.field("one_alone"),
                format!("must read exactly {ONE_ALONE:?}"),
            );
        }
        _ => {}
    }
}

fn read_holder(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<PlannedHolder> {
    reader.only(section, &["name", "sign_key", "recipient"]);
    let name = read_parsed::<HolderName>(reader, section, "name");
    let sign_key = read_parsed::<HolderKey>(reader, section, "sign_key");
    let recipient = read_parsed::<ShareRecipient>(reader, section, "recipient");
    Some(PlannedHolder {
        name: name?,
        sign_key: sign_key?,
        recipient: recipient?,
    })
}

/// Two holders with one name, one signing key or one recipient are one person or one mistake.
fn refuse_twins(
    reader: &mut Reader<'_>,
    tables: &[Section<'_>],
    holders: &[Option<PlannedHolder>],
) {
    let mut seen: HashMap<(&str, String), (usize, &HolderName)> = HashMap::new();
    for (at, holder) in holders.iter().enumerate() {
        let Some(holder) = holder else { continue };
        let traits = [
            ("name", holder.name.as_str().to_lowercase()),
            ("sign_key", holder.sign_key.to_string()),
            ("recipient", holder.recipient.to_string()),
        ];
        for (key, value) in traits {
            match seen.get(&(key, value.clone())) {
                Some((first, name)) => {
                    let message = format!(
                        "is that of holder {first} ({name}) too; each holder needs an own one"
                    );
                    reader.mistake(tables[at].line(), tables[at].field(key), message);
                }
                None => {
                    seen.insert((key, value), (at + 1, &holder.name));
                }
            }
        }
    }
}

fn read_token(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<TokenChoice> {
    for secret in ["pin", "pin_file", "so_pin", "slot", "module"] {
        if let Some(found) = reader.present(section, secret) {
            let message = "belongs to hsm.toml on the machine, never to a plan that people review";
            reader.mistake(found, section.field(secret), message);
        }
    }
    reader.only(
        section,
        &[
            "token_label",
            "token_serial",
            "pin",
            "pin_file",
            "so_pin",
            "slot",
            "module",
        ],
    );
    let mut field = |key| {
        let text = reader.string(section, key)?;
        if text.value.trim().is_empty() || text.value.len() > 64 {
            reader.mistake(
                text.line,
                section.field(key),
                "must have 1 to 64 characters",
            );
            return None;
        }
        Some(text.value.to_owned())
    };
    let (label, serial) = (field("token_label"), field("token_serial"));
    Some(TokenChoice {
        label: label?,
        serial: serial?,
    })
}

pub(super) fn read_parsed<T: FromStr<Err: fmt::Display>>(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    key: &str,
) -> Option<T> {
    let text = reader.string(section, key)?;
    parsed(reader, section.field(key), text)
}

fn parsed<T: FromStr<Err: fmt::Display>>(
    reader: &mut Reader<'_>,
    field: String,
    text: At<&str>,
) -> Option<T> {
    text.value
        .parse()
        .map_err(|error| reader.mistake(text.line, field, format!("is refused: {error}")))
        .ok()
}
