//! Writes a plan, with comments for those who review it.

use std::fmt::Write as _;

use quorum::{Name, Threshold, ThresholdError};

use super::{ONE_ALONE, TokenChoice};
use crate::holder::HolderPublic;

/// What a template is filled with.
#[derive(Clone, Copy, Debug)]
pub struct TemplateInput<'a> {
    /// What the D-TA is called.
    pub authority: &'a Name,
    /// How many holders are needed.
    pub m: u8,
    /// All holders, in the order of their share indexes.
    pub holders: &'a [HolderPublic],
    /// Who approves the plan, two of them at least; empty when nobody need.
    pub approvers: &'a [HolderPublic],
    /// The token that is to be used.
    pub token: &'a TokenChoice,
}

/// Why no template can be written.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// M and the number of public files do not go together.
    #[error("{0}")]
    Threshold(#[from] ThresholdError),
    /// Nobody approves alone.
    #[error("one approver is named; nobody approves alone")]
    LoneApprover,
}

impl TemplateError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Threshold(_) => {
                Some("pass one --holder-pub for each holder and an --m that is not more")
            }
            Self::LoneApprover => Some("pass --approver-pub at least twice, or not at all"),
        }
    }
}

/// A commented plan. What [`super::check()`] still has to say about it (twins, say), it says.
///
/// # Errors
/// [`TemplateError`].
pub fn template(input: TemplateInput<'_>) -> Result<String, TemplateError> {
    let count = u8::try_from(input.holders.len()).unwrap_or(u8::MAX);
    let threshold = Threshold::new(input.m, count)?;
    if input.approvers.len() == 1 {
        return Err(TemplateError::LoneApprover);
    }
    let mut text = String::new();
    writeln!(
        text,
        "# The plan of a ceremony: everything but secrets. Read it, have others read it,
# then
#   dta ceremony check plan.toml
#   dta ceremony run plan.toml ...
# The SHA-256 of this file goes into the transcript.
plan = 1

# What this D-TA is called, on screens and in its manifest, for ever.
authority = {authority}

# The hash-to-curve suites its customer keys may have: \"RO\", \"NU\" and, for the
# clients of Apache Milagro only, \"MILAGRO\" (read docs/ceremony.md first).
suites = [\"RO\", \"NU\"]

# Who unlocks it: any m of these n holders together, m - 1 learn nothing.
[unlock]
m = {m}
n = {n}",
        authority = quoted(input.authority.as_str()),
        m = threshold.m(),
        n = threshold.n(),
    )
    .expect(INTO_A_STRING);
    if threshold.m() == 1 && threshold.n() > 1 {
        writeln!(
            text,
            "# With m = 1 these words must stand here; better raise m.\none_alone = {}",
            quoted(ONE_ALONE)
        )
        .expect(INTO_A_STRING);
    }
    for (at, holder) in input.holders.iter().enumerate() {
        writeln!(
            text,
            "\n# Share {index} of {n}.\n[[unlock.holders]]\nname = {name}\nsign_key = {sign_key}\nrecipient = {recipient}",
            index = at + 1,
            n = threshold.n(),
            name = quoted(holder.name.as_str()),
            sign_key = quoted(&holder.sign_key.to_string()),
            recipient = quoted(&holder.recipient.to_string()),
        )
        .expect(INTO_A_STRING);
    }
    write_approvers(&mut text, input.approvers);
    writeln!(
        text,
        "\n# The token, by what does not change. Slot, module and PIN stay in hsm.toml.\n[hsm]\ntoken_label = {}\ntoken_serial = {}",
        quoted(&input.token.label),
        quoted(&input.token.serial),
    )
    .expect(INTO_A_STRING);
    Ok(text)
}

fn write_approvers(text: &mut String, approvers: &[HolderPublic]) {
    if approvers.is_empty() {
        return;
    }
    writeln!(
        text,
        "\n# Who approves it: m of them sign the hash of this file with\n# `dta ceremony approve`. Nobody approves alone, and no holder approves.\n\
         [approval]\nm = 2"
    )
    .expect(INTO_A_STRING);
    for approver in approvers {
        writeln!(
            text,
            "\n[[approval.approvers]]\nname = {}\nsign_key = {}",
            quoted(approver.name.as_str()),
            quoted(&approver.sign_key.to_string()),
        )
        .expect(INTO_A_STRING);
    }
}

const INTO_A_STRING: &str = "writing into a string does not fail";

/// As a TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
