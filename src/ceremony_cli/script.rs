//! `dta ceremony script`: the ceremony on paper.

use std::path::PathBuf;

use ceremony::script::Script;

use super::plan::read_plan;
use crate::term::CliResult;

/// Print the script of a ceremony: roles, materials, each step with a box for initials, exception sheets.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: dta ceremony script plan.toml --html > script.html")]
pub(crate) struct ScriptArgs {
    /// The plan.
    plan: PathBuf,
    /// One HTML page that prints well, instead of plain text.
    #[arg(long)]
    html: bool,
}

/// Runs `dta ceremony script`.
pub(super) fn run_script(args: ScriptArgs) -> CliResult {
    let script = Script::of(&read_plan(&args.plan, false)?);
    print!(
        "{}",
        if args.html {
            script.to_html()
        } else {
            script.to_text()
        }
    );
    Ok(())
}
