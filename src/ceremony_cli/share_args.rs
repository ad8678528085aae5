//! Where a holder's share comes from: a file, a page of words, the keyboard; with its PIN.

use std::path::{Path, PathBuf};

use ceremony::files;
use ceremony::holder::HolderSecrets;
use ceremony::paper::{LONGEST_PAGE, Page};
use ceremony::prompts::{self, AskError};
use ceremony::sharefile::{self, OpenedShare, ShareFileError};

/// The share, as a file or on paper.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct ShareArgs {
    /// The share file.
    #[arg(long, value_name = "FILE", required_unless_present = "paper")]
    share: Option<PathBuf>,
    /// The share on paper instead: a file with the words of the page or what a scanner read from its QR code; `-` to type them.
    #[arg(long, value_name = "FILE", conflicts_with = "share")]
    paper: Option<PathBuf>,
    /// Take the PIN of this copy from the first line of this file.
    #[arg(long, value_name = "FILE")]
    pin_file: Option<PathBuf>,
}

impl ShareArgs {
    /// Opens the share with its holder's key, and its PIN if there is one.
    pub(crate) fn open(&self, holder: &HolderSecrets) -> Result<OpenedShare, AskError> {
        let unsealed = match &self.paper {
            Some(page) => read_page(page)?.unseal(holder)?,
            None => {
                let file = self.share.as_deref();
                sharefile::unseal(file.expect("clap asks for --share or --paper"), holder)?
            }
        };
        prompts::open_share(unsealed, self.pin_file.as_deref())
    }
}

/// The page in a file; `-` is typed in.
pub(super) fn read_page(path: &Path) -> Result<Page, AskError> {
    if path == Path::new("-") {
        return prompts::type_page();
    }
    let bytes = files::read(path, LONGEST_PAGE).map_err(ShareFileError::from)?;
    Ok(Page::read(&String::from_utf8_lossy(&bytes))?)
}
