//! The list of cases, and the two ways to make one.

use serde::{Deserialize, Serialize};

use crate::draft::{Draft, Message};
use crate::{content, coverage, forgeries, shape};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) expect: String,
    /// Part of the detail.
    pub(crate) detail: String,
    pub(crate) request: Message,
}

pub(crate) struct Cases(Vec<Case>);

impl Cases {
    pub(crate) fn add(&mut self, name: &str, expect: &str, detail: &str, request: Message) {
        self.0.push(Case {
            name: name.into(),
            expect: expect.into(),
            detail: detail.into(),
            request,
        });
    }

    /// A change before signing: the signature is valid for what is sent.
    pub(crate) fn before(
        &mut self,
        name: &str,
        expect: &str,
        detail: &str,
        change: impl FnOnce(&mut Draft),
    ) {
        let mut draft = Draft::new();
        change(&mut draft);
        self.add(name, expect, detail, draft.sign());
    }

    /// A change after signing.
    pub(crate) fn after(
        &mut self,
        name: &str,
        expect: &str,
        detail: &str,
        change: impl FnOnce(&mut Message),
    ) {
        let mut message = Draft::new().sign();
        change(&mut message);
        self.add(name, expect, detail, message);
    }
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Cases(Vec::new());
    shape::fields(&mut cases);
    coverage::coverage(&mut cases);
    coverage::parameters(&mut cases);
    content::content(&mut cases);
    content::target(&mut cases);
    forgeries::forgeries(&mut cases);
    cases.0
}
