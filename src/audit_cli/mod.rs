//! `dta audit`: what an auditor does with a log, offline, from the files and the public key alone.
//!
//! Nothing here locks or changes the log, and nothing here needs the authority.
#![allow(clippy::print_stdout)]

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use audit::{Entry, Filter, Progress, Timestamp, VerifierKey, VerifyError, VerifyOptions};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

use crate::term::{CliError, CliResult, Exit, print_json};

/// Journals above this many bytes take long enough for a progress bar.
const PROGRESS_FROM_BYTES: u64 = 64 << 20;

/// Commands on the audit log.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum AuditCommand {
    /// Check every entry, the tree and the signature; name the first bad entry.
    ///
    /// Example: dta audit verify --log /var/lib/dta/audit --vkey authority.vkey
    Verify(VerifyArgs),
    /// Print entries.
    ///
    /// Example: dta audit show --log /var/lib/dta/audit --event refused --since 2026-11-01
    Show(ShowArgs),
}

/// What `dta audit verify` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    /// The directory that holds `journal` and `checkpoint`.
    #[arg(long, value_name = "DIR")]
    log: PathBuf,
    /// The authority's verifier key, `authority.vkey`.
    #[arg(long, value_name = "FILE")]
    vkey: PathBuf,
    /// A checkpoint that was shown to you earlier; the log must contain what it signed.
    #[arg(long, value_name = "FILE")]
    seen: Vec<PathBuf>,
    /// Print the outcome as one line of JSON.
    #[arg(long)]
    json: bool,
}

/// What `dta audit show` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct ShowArgs {
    /// The directory that holds `journal`.
    #[arg(long, value_name = "DIR")]
    log: PathBuf,
    /// Only this event, such as client-share.
    #[arg(long, value_name = "NAME")]
    event: Option<String>,
    /// Only entries of this customer.
    #[arg(long, value_name = "NAME")]
    customer: Option<String>,
    /// Only entries from then on: 2026-11-20, or 2026-11-20T18:48:00.000Z (UTC).
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    since: Option<Timestamp>,
    /// Print the entries as they stand in the log, one JSON object per line.
    #[arg(long)]
    json: bool,
}

/// Runs one command.
pub(crate) fn run(command: AuditCommand) -> CliResult {
    match command {
        AuditCommand::Verify(args) => verify(args),
        AuditCommand::Show(args) => show(args),
    }
}

fn verify(args: VerifyArgs) -> CliResult {
    let key = read_key(&args.vkey)?;
    let mut bar = Bar::default();
    let mut progress = |progress: Progress| bar.at(progress);
    let options = VerifyOptions {
        seen: args.seen,
        progress: Some(&mut progress),
    };
    let outcome = audit::verify(&args.log, &key, options);
    bar.clear();
    let report = match outcome {
        Ok(report) => report,
        Err(error) => {
            if args.json && error.is_verdict() {
                print_json(&failure(&error))?;
            }
            return Err(refusal(error));
        }
    };
    if args.json {
        let mut fields =
            serde_json::to_value(&report).map_err(|error| CliError::new(Exit::Failed, error))?;
        fields["verified"] = true.into();
        return print_json(&fields);
    }
    println!("verified: {} entries of {}", report.size, report.origin);
    if let (Some(first), Some(last)) = (report.first, report.last) {
        println!("from {first} to {last}");
    }
    println!("signed:   {} entries, root {}", report.signed, report.root);
    if report.seen > 0 {
        println!(
            "seen:     {} earlier checkpoints are part of this log",
            report.seen
        );
    }
    if report.unsigned_tail > 0 {
        println!(
            "unsigned: the last {} entries have no checkpoint yet",
            report.unsigned_tail
        );
    }
    if report.torn_bytes > 0 {
        println!(
            "torn:     {} bytes at the end are no whole entry",
            report.torn_bytes
        );
    }
    Ok(())
}

fn show(args: ShowArgs) -> CliResult {
    let filter = Filter {
        event: args.event,
        customer: args.customer,
        since: args.since,
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut failed = None;
    audit::show(&args.log, &filter, |entry| {
        let written = match args.json {
            true => out
                .write_all(entry.bytes)
                .and_then(|()| out.write_all(b"\n")),
            false => writeln!(out, "{}", line(entry)),
        };
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    })
    .map_err(refusal)?;
    match failed.map_or_else(|| out.flush(), Err) {
        // Whoever reads along, `head` for one, has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.map_err(|error| CliError::new(Exit::Failed, error)),
    }
}

fn read_key(path: &Path) -> CliResult<VerifierKey> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let what = format!("{} cannot be read: {error}", path.display());
        CliError::new(Exit::Failed, what)
    })?;
    VerifierKey::from_file(&text).map_err(|error| {
        let what = format!("{} is not a verifier key: {error}", path.display());
        CliError::new(Exit::Failed, what).with_remedy(Some(
            "give the file `authority.vkey` that the authority published",
        ))
    })
}

fn refusal(error: VerifyError) -> CliError {
    let exit = if error.is_verdict() {
        Exit::Refused
    } else {
        Exit::Failed
    };
    let remedy = error.remedy();
    CliError::new(exit, error).with_remedy(remedy)
}

/// What a failed verification says with `--json`; the same also goes to standard error in words.
fn failure(error: &VerifyError) -> Value {
    let mut fields = json!({ "verified": false, "error": error.to_string() });
    if let VerifyError::BadEntry(bad) = error {
        fields["index"] = bad.index.into();
        fields["offset"] = bad.offset.into();
    }
    fields
}

/// One entry for a person: index, time, event, and the event's fields.
fn line(entry: &Entry<'_>) -> String {
    let mut text = format!("{:>8}  {}  {:<18}", entry.index, entry.time, entry.event);
    let fields: Map<String, Value> = entry.fields();
    for (name, value) in &fields {
        if !matches!(name.as_str(), "v" | "index" | "time" | "event") {
            text.push_str(&format!(" {name}={}", plain(value)));
        }
    }
    text
}

/// A value without anything that a terminal would obey: an entry can hold what a caller sent.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => match text
            .chars()
            .all(|c| c.is_alphanumeric() || "-_.:/".contains(c))
        {
            true => text.clone(),
            false => format!("{text:?}"),
        },
        Value::Array(items) => {
            format!(
                "[{}]",
                items.iter().map(plain).collect::<Vec<_>>().join(",")
            )
        }
        Value::Object(fields) => {
            let fields: Vec<_> = fields
                .iter()
                .map(|(name, value)| format!("{name}:{}", plain(value)))
                .collect();
            format!("{{{}}}", fields.join(","))
        }
        other => other.to_string(),
    }
}

fn parse_since(text: &str) -> Result<Timestamp, String> {
    let midnight = format!("{text}T00:00:00.000Z");
    text.parse().or_else(|_| midnight.parse()).map_err(|_| {
        "expected a day such as 2026-11-20 or a time such as 2026-11-20T18:48:00.000Z".to_owned()
    })
}

/// The progress bar; it draws on a terminal only, and only where there is much to read.
#[derive(Default)]
struct Bar(Option<ProgressBar>);

impl Bar {
    fn at(&mut self, progress: Progress) {
        if progress.total < PROGRESS_FROM_BYTES {
            return;
        }
        let bar = self.0.get_or_insert_with(|| {
            let style = ProgressStyle::with_template(
                "verifying {bar:32} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            )
            .expect("the template is well formed");
            ProgressBar::new(progress.total).with_style(style)
        });
        bar.set_position(progress.done);
    }

    fn clear(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_day_and_a_time_are_understood_and_nothing_else() {
        assert_eq!(
            parse_since("2026-11-20").unwrap().to_string(),
            "2026-11-20T00:00:00.000Z"
        );
        let time = "2026-11-20T18:48:00.123Z";
        assert_eq!(parse_since(time).unwrap().to_string(), time);
        assert!(
            parse_since("yesterday")
                .unwrap_err()
                .starts_with("expected a day such as")
        );
    }

    #[test]
    fn a_terminal_is_never_told_what_to_do_by_an_entry() {
        assert_eq!(plain(&json!("acme-1")), "acme-1");
        assert_eq!(plain(&json!("Zürich")), "Zürich");
        assert_eq!(plain(&json!("\u{1b}[2J\u{9b}x")), r#""\u{1b}[2J\u{9b}x""#);
        assert_eq!(plain(&json!({ "a": ["b", 1] })), "{a:[b,1]}");
    }
}
