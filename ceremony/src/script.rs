//! The printed script of a ceremony: who, with what, and every step with a box for initials.
//!
//! The steps and the lines that the screen will show come from [`init::sequence`], the definition that the ceremony itself
//! follows, so the script can contain no step that does not happen. What only the ceremony will know is dotted. Plain text of
//! 80 columns, or one self-contained HTML page that breaks well when printed.

use std::fmt::Write as _;

use crate::init::{self, Step};
use crate::plan::Plan;
use crate::words;

const COLUMNS: usize = 78;
/// Writing into a string does not fail.
const INTO_A_STRING: &str = "writing into a string does not fail";

/// A script: the same for both ways of printing it.
#[derive(Clone, Debug)]
pub struct Script {
    title: String,
    plan_hash: String,
    plan_words: Vec<String>,
    sections: Vec<Section>,
}

#[derive(Clone, Debug)]
struct Section {
    title: &'static str,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
enum Entry {
    /// A sentence.
    Say(String),
    /// Something to have, to do or to have happened, with a box for initials.
    Tick { head: String, text: String },
    /// What the screen will show, with a box for initials.
    Screen { head: String, text: String },
    /// A line to write on.
    Line(&'static str),
}

impl Script {
    /// The script for `plan`.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        Self {
            title: format!("Ceremony script: {}", plan.authority),
            plan_hash: plan.hash.to_string(),
            plan_words: words::lines_of_hash(plan.hash.as_bytes()),
            sections: vec![
                roles(plan),
                materials(plan),
                before(plan),
                steps(plan),
                after(plan),
                exceptions(),
            ],
        }
    }

    /// Plain text, 80 columns, with a form feed between sections.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "{}\n{}\n\n",
            self.title,
            "=".repeat(self.title.chars().count())
        );
        text.push_str(&format!("plan sha256\n  {}\n", self.plan_hash));
        for line in &self.plan_words {
            writeln!(text, "  {line}").expect(INTO_A_STRING);
        }
        for (number, section) in (1..).zip(&self.sections) {
            let title = format!("{number}. {}", section.title);
            let feed = if number == 1 { "" } else { "\u{c}" };
            write!(text, "{feed}\n{title}\n{}\n\n", "-".repeat(title.len())).expect(INTO_A_STRING);
            for entry in &section.entries {
                text.push_str(&entry.to_text());
            }
        }
        text
    }

    /// One HTML page that needs nothing else.
    #[must_use]
    pub fn to_html(&self) -> String {
        let mut body = format!(
            "<h1>{}</h1>\n<p class=\"hash\">plan sha256<br>{}<br>{}</p>\n",
            escaped(&self.title),
            escaped(&self.plan_hash),
            self.plan_words.join("<br>")
        );
        for (number, section) in (1..).zip(&self.sections) {
            write!(
                body,
                "<section>\n<h2>{number}. {}</h2>\n<table>\n",
                escaped(section.title)
            )
            .expect(INTO_A_STRING);
            for entry in &section.entries {
                body.push_str(&entry.to_html());
            }
            body.push_str("</table>\n</section>\n");
        }
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n\
             <body>\n{body}</body>\n</html>\n",
            escaped(&self.title)
        )
    }
}

const STYLE: &str = "@page { size: A4; margin: 18mm; }
body { font: 11pt/1.4 serif; max-width: 180mm; margin: auto; color: #000; background: #fff; }
section { break-before: page; }
section:first-of-type { break-before: auto; }
h2 { break-after: avoid; }
table { width: 100%; border-collapse: collapse; }
tr { break-inside: avoid; }
td { border: 1px solid #888; padding: 2mm; vertical-align: top; }
td.head { width: 14mm; }
td.box { width: 28mm; }
.screen, .hash { font-family: monospace; overflow-wrap: anywhere; }
";

impl Entry {
    fn to_text(&self) -> String {
        let boxed = |head: &str, mark: &str, text: &str| {
            let mut lines = wrapped(&format!("{mark}{text}"), COLUMNS - 26);
            let first = lines.remove(0);
            let mut out = format!(
                "{head:>8}  {first:<width$} [______]\n",
                width = COLUMNS - 24
            );
            for line in lines {
                writeln!(out, "{:10}{line}", "").expect(INTO_A_STRING);
            }
            out.push('\n');
            out
        };
        match self {
            Self::Say(text) => wrapped(text, COLUMNS).join("\n") + "\n\n",
            Self::Tick { head, text } => boxed(head, "", text),
            Self::Screen { head, text } => boxed(head, "> ", text),
            Self::Line(label) => format!("{label:<30} {}\n\n", "_".repeat(COLUMNS - 31)),
        }
    }

    fn to_html(&self) -> String {
        let boxed = |head: &str, class: &str, text: &str| {
            format!(
                "<tr><td class=\"head\">{}</td><td class=\"{class}\">{}</td><td class=\"box\">initials</td></tr>\n",
                escaped(head),
                escaped(text)
            )
        };
        match self {
            Self::Say(text) => format!("<tr><td colspan=\"3\">{}</td></tr>\n", escaped(text)),
            Self::Tick { head, text } => boxed(head, "do", text),
            Self::Screen { head, text } => boxed(head, "screen", text),
            Self::Line(label) => format!(
                "<tr><td colspan=\"2\">{}</td><td class=\"box\"></td></tr>\n",
                escaped(label)
            ),
        }
    }
}

fn tick(head: impl Into<String>, text: impl Into<String>) -> Entry {
    Entry::Tick {
        head: head.into(),
        text: text.into(),
    }
}

fn roles(plan: &Plan) -> Section {
    let threshold = plan.unlock.threshold;
    let mut entries = vec![
        Entry::Say(format!(
            "All {} holders must be here. Afterwards any {} of them open this D-TA together, with the HSM. Everybody signs \
             below and, beside each step, initials what they have seen.",
            threshold.n(),
            threshold.m()
        )),
        tick(
            "operator",
            "types the commands and reads the screen aloud: name ............................",
        ),
        tick(
            "witness",
            "compares what is read out with the screen: name ............................",
        ),
        tick(
            "witness",
            "keeps the time and this script: name ............................",
        ),
    ];
    for (number, holder) in (1..).zip(&plan.unlock.holders) {
        entries.push(tick(
            format!("holder {number}"),
            format!("{}, signing key {}", holder.name, holder.sign_key),
        ));
    }
    for (number, approver) in (1..).zip(
        plan.approval
            .iter()
            .flat_map(|approval| &approval.approvers),
    ) {
        entries.push(tick(
            format!("appr. {number}"),
            format!(
                "{} (need not be here), signing key {}",
                approver.name, approver.sign_key
            ),
        ));
    }
    entries.push(Entry::Line("place"));
    entries.push(Entry::Line("date and time"));
    Section {
        title: "Roles",
        entries,
    }
}

fn materials(plan: &Plan) -> Section {
    let mut entries = vec![
        tick(
            "",
            "a machine that nobody else uses today, with dta, and hsm.toml for its token",
        ),
        tick(
            "",
            format!(
                "the HSM with token {}, serial {}",
                plan.token.label, plan.token.serial
            ),
        ),
        tick("", "the plan file, whose hash stands on the first page"),
        tick(
            "",
            "each holder: the own key file on the own medium, the passphrase in the head, a medium for the share",
        ),
        tick("", "pens, envelopes, this script for each witness"),
    ];
    if let Some(approval) = &plan.approval {
        entries.push(tick(
            "",
            format!("{} approval files of the approvers", approval.m),
        ));
    }
    Section {
        title: "Materials",
        entries,
    }
}

fn before(plan: &Plan) -> Section {
    let mut entries = vec![
        tick(
            "",
            "command: dta ceremony check plan.toml - it says: no mistakes",
        ),
        tick(
            "",
            "its 24 words are read out and are those of the first page",
        ),
        tick(
            "",
            "each holder reads the own signing key from the own paper; it is the one under Roles",
        ),
        tick(
            "",
            "command: dta ceremony rehearse plan.toml - the last line says: REHEARSAL passed",
        ),
    ];
    if plan.approval.is_some() {
        entries.push(tick("", "each approver has heard the same 24 words and run: dta ceremony approve plan.toml --holder-key FILE"));
    }
    for notice in plan.notices() {
        entries.push(Entry::Say(format!("Note: {notice}")));
    }
    Section {
        title: "Before the ceremony",
        entries,
    }
}

fn steps(plan: &Plan) -> Section {
    let sequence = init::sequence(plan);
    let approvals = if plan.approval.is_some() {
        " --approval FILE ..."
    } else {
        ""
    };
    let mut entries = vec![tick(
        "",
        format!(
            "command: dta ceremony run plan.toml --state-dir DIR --hsm-config hsm.toml --out DIR{approvals}"
        ),
    )];
    let total = sequence.len();
    for (number, step) in (1..).zip(&sequence) {
        if let Step::Share { index } = step {
            let name = plan
                .unlock
                .holders
                .get(usize::from(index.get()) - 1)
                .map_or("", |holder| holder.name.as_str());
            entries.push(tick(
                "",
                format!("{name} comes to the keyboard alone, plugs in the own medium, names the key file and types the passphrase"),
            ));
        }
        entries.push(Entry::Screen {
            head: format!("{number}/{total}"),
            text: step.line(plan),
        });
    }
    Section {
        title: "The ceremony: each line as the screen shows it",
        entries,
    }
}

fn after(plan: &Plan) -> Section {
    let mut entries = vec![
        Entry::Line("authority id, first 6 words"),
        Entry::Line("authority id, last 6 words"),
        Entry::Line("transcript, first 6 words"),
        Entry::Line("transcript, last 6 words"),
        tick(
            "",
            "command: dta ceremony verify --transcript transcript.json --manifest manifest.json --plan plan.toml --vkey authority.vkey",
        ),
    ];
    for (number, holder) in (1..).zip(&plan.unlock.holders) {
        entries.push(tick(
            "",
            format!(
                "{} has taken share {number}, and it is deleted on the machine",
                holder.name
            ),
        ));
    }
    entries.push(tick(
        "",
        "every witness has a copy of manifest.json, authority.vkey and transcript.json",
    ));
    Section {
        title: "Afterwards",
        entries,
    }
}

fn exceptions() -> Section {
    let sheet = [
        (
            "A hash, word or key that is read out differs",
            "Stop. Nobody goes on alone. Find out which file is another one; begin again with the right one.",
        ),
        (
            "A holder is not here, or a key file does not open",
            "Stop before the command of section 4. All holders of the plan must be here; otherwise a new plan is needed.",
        ),
        (
            "The command ends with an error",
            "Write it down. What was made is removed, and each thing is named. If state.db does not exist there is no D-TA. Begin section 4 again.",
        ),
        (
            "The power fails, or the process is killed",
            "If state.db exists, the D-TA is whole: go on with section 5. Otherwise use new directories and begin section 4 again.",
        ),
        (
            "A share does not read back",
            "The command ends by itself. Use another medium and begin section 4 again.",
        ),
        (
            "Somebody leaves the room",
            "Pause after the step; write down who and when; go on when everybody is back.",
        ),
    ];
    let mut entries = Vec::new();
    for (what, text) in sheet {
        entries.push(tick("", format!("{what}. {text}")));
        entries.push(Entry::Line("when, who, what was done"));
    }
    Section {
        title: "Exception sheets",
        entries,
    }
}

/// Broken to `width` columns between words; a longer word is broken where the line ends.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut rest: Vec<char> = word.chars().collect();
        loop {
            let last = lines.last_mut().expect("there is a first line");
            let used = last.chars().count();
            let gap = usize::from(used > 0);
            if used + gap + rest.len() <= width {
                last.push_str(&" ".repeat(gap));
                last.extend(rest);
                break;
            }
            if used == 0 {
                last.extend(rest.drain(..width));
            }
            lines.push(String::new());
        }
    }
    lines
}

/// Safe between tags and in quoted attributes.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::holder::HolderSecrets;
    use crate::plan::{TemplateInput, TokenChoice, check, template};

    fn plan(label: &str) -> Plan {
        let person = |name: &str| {
            HolderSecrets::generate(&name.parse().unwrap())
                .unwrap()
                .public()
                .clone()
        };
        let text = template(TemplateInput {
            authority: &"D-TA <script>alert('x')</script>".parse().unwrap(),
            m: 2,
            holders: &[person("alice"), person("bob"), person("carol")],
            approvers: &[person("xena"), person("yves")],
            token: &TokenChoice {
                label: label.into(),
                serial: "7f3a".into(),
            },
        });
        check(&text.unwrap()).unwrap()
    }

    #[test]
    fn the_script_has_every_step_of_the_ceremony_in_order_and_no_other() {
        let plan = plan("east");
        let script = Script::of(&plan);
        let screens: Vec<_> = script
            .sections
            .iter()
            .flat_map(|section| &section.entries)
            .filter_map(|entry| match entry {
                Entry::Screen { text, .. } => Some(text.clone()),
                _ => None,
            })
            .collect();
        let lines: Vec<_> = init::sequence(&plan)
            .iter()
            .map(|step| step.line(&plan))
            .collect();
        assert_eq!(screens, lines);
        assert_eq!(lines.len(), 19);
        let text = script.to_text();
        assert!(text.contains(&plan.hash.to_string()));
        assert!(text.contains("carol comes to the keyboard alone"), "{text}");
        assert!(text.contains("[______]"));
    }

    #[test]
    fn the_text_fits_eighty_columns() {
        let text = Script::of(&plan("east")).to_text();
        let long: Vec<_> = text
            .lines()
            .filter(|line| line.chars().count() > 80)
            .collect();
        assert!(long.is_empty(), "{long:#?}");
    }

    #[test]
    fn the_page_is_self_contained_and_escaped() {
        let html = Script::of(&plan("<b>&\"east\"")).to_html();
        assert!(!html.contains("<script"), "{html}");
        assert!(html.contains("D-TA &lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"));
        assert!(html.contains("token &lt;b&gt;&amp;&quot;east&quot;"));
        assert!(html.contains("break-before: page"));
        for outside in ["http", "src=", "href=", "url(", "@import"] {
            assert!(!html.contains(outside), "{outside}");
        }
    }
}
