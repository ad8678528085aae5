//! What a ceremony has made so far, so that a failed one can take it back.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use hsm::HsmClient;

use crate::files::{self, FileError};

/// Everything made so far, in the order of making.
#[derive(Debug, Default)]
pub(super) struct Leftovers {
    made: Vec<Made>,
}

#[derive(Debug)]
enum Made {
    Key(String),
    Anchor(String),
    File(PathBuf),
    Directory(PathBuf),
    Tree(PathBuf),
}

impl Leftovers {
    /// A seal key or node key on the token.
    pub(super) fn key(&mut self, label: &str) {
        self.made.push(Made::Key(label.to_owned()));
    }

    /// A key that was destroyed again.
    pub(super) fn forget_key(&mut self, label: &str) {
        self.made
            .retain(|made| !matches!(made, Made::Key(key) if key == label));
    }

    /// A data object on the token.
    pub(super) fn anchor(&mut self, label: &str) {
        self.made.push(Made::Anchor(label.to_owned()));
    }

    /// A file.
    pub(super) fn file(&mut self, path: &Path) {
        self.made.push(Made::File(path.to_owned()));
    }

    /// A directory with everything in it that did not exist before.
    pub(super) fn tree(&mut self, path: &Path) {
        self.made.push(Made::Tree(path.to_owned()));
    }

    /// Makes a directory for its owner alone, durably, unless it exists.
    pub(super) fn make_directory(&mut self, path: &Path) -> Result<(), FileError> {
        match fs::DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => {
                self.made.push(Made::Directory(path.to_owned()));
                // Or a whole share might be in a directory that a power cut takes away.
                files::sync_directory(path)?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && path.is_dir() => {}
            Err(source) => {
                return Err(FileError::Io {
                    verb: "make",
                    path: path.to_owned(),
                    source,
                });
            }
        }
        Ok(())
    }

    /// Takes everything back, the latest first. Returns a line for each thing.
    pub(super) fn remove(self, hsm: &HsmClient) -> Vec<String> {
        self.made
            .iter()
            .rev()
            .map(|made| made.remove(hsm))
            .collect()
    }
}

impl Made {
    fn remove(&self, hsm: &HsmClient) -> String {
        let (what, outcome) = match self {
            Self::Key(label) => (
                format!("key {label} on the token"),
                hsm.destroy_key(label).map_err(|e| e.to_string()),
            ),
            Self::Anchor(label) => {
                return format!(
                    "left: data object {label} on the token; it names a D-TA that does not exist and opens nothing"
                );
            }
            Self::File(path) => (path.display().to_string(), gone(fs::remove_file(path))),
            Self::Directory(path) => (path.display().to_string(), gone(fs::remove_dir(path))),
            Self::Tree(path) => (path.display().to_string(), gone(fs::remove_dir_all(path))),
        };
        match outcome {
            Ok(()) => format!("removed: {what}"),
            Err(why) => format!("left: {what} ({why}); it opens nothing, remove it by hand"),
        }
    }
}

/// What is not there need not be removed.
fn gone(outcome: std::io::Result<()>) -> Result<(), String> {
    match outcome {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.to_string()),
        _ => Ok(()),
    }
}
