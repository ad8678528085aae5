//! The checkpoints that are kept for a log that is being opened, and what they demand of its journal.

use std::fs;
use std::path::{Path, PathBuf};

use crate::files::{self, CHECKPOINT, CheckpointFiles};
use crate::open::Found;
use crate::{Checkpoint, OpenError, Options, TreeHead, VerifierKey};

/// The checkpoints that are kept for this log.
pub(crate) struct Kept {
    own: (PathBuf, Checkpoint),
    anchor: Option<KeptAnchor>,
}

struct KeptAnchor {
    /// The directory as entries name it.
    directory: String,
    path: PathBuf,
    checkpoint: Option<Checkpoint>,
}

impl Kept {
    /// Reads them and checks their signatures.
    pub(crate) fn read(
        directory: &Path,
        key: &VerifierKey,
        options: &Options,
    ) -> Result<Self, OpenError> {
        let path = directory.join(CHECKPOINT);
        let own = read_checkpoint(&path, key)?
            .ok_or_else(|| OpenError::Missing { path: path.clone() })?;
        let anchor = options.anchor_dir.as_ref().map(|directory| {
            let absolute = fs::canonicalize(directory).map_err(OpenError::io(directory))?;
            let path = files::anchor_path(directory, key.origin());
            let checkpoint = read_checkpoint(&path, key)?;
            let directory = absolute.to_string_lossy().into_owned();
            Ok(KeptAnchor {
                directory,
                path,
                checkpoint,
            })
        });
        Ok(Self {
            own: (path, own),
            anchor: anchor.transpose()?,
        })
    }

    /// Each with its file.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Path, &Checkpoint)> {
        let anchor = self
            .anchor
            .iter()
            .filter_map(|anchor| Some((anchor.path.as_path(), anchor.checkpoint.as_ref()?)));
        std::iter::once((self.own.0.as_path(), &self.own.1)).chain(anchor)
    }

    /// Refuses a journal that does not contain what they were signed over, and an anchor directory
    /// that has lost its copy.
    pub(crate) fn compare(&self, found: &Found) -> Result<(), OpenError> {
        if let Some(anchor) = &self.anchor
            && anchor.checkpoint.is_none()
            && found.anchors.contains(&anchor.directory)
        {
            return Err(OpenError::AnchorMissing {
                path: anchor.path.clone(),
            });
        }
        for (path, checkpoint) in self.all() {
            let path = path.to_owned();
            let TreeHead { size, root: signed } = checkpoint.head();
            if size > found.tree.size() {
                return Err(match &found.torn {
                    Some(bad) => OpenError::BadEntry(bad.clone()),
                    None => OpenError::Shorter {
                        path,
                        found: found.tree.size(),
                        signed: size,
                    },
                });
            }
            let root = found
                .heads
                .iter()
                .find(|head| head.size == size)
                .map(|head| head.root);
            match root {
                Some(found) if found != signed => {
                    return Err(OpenError::Differs {
                        path,
                        size,
                        found,
                        signed,
                    });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Puts the copy into an anchor directory that is used for the first time; returns the directory
    /// when an entry has to say so.
    pub(crate) fn new_anchor(&self, found: &Found) -> Result<Option<String>, OpenError> {
        let Some(anchor) = &self.anchor else {
            return Ok(None);
        };
        if anchor.checkpoint.is_none() {
            files::write_atomically(&anchor.path, self.own.1.note().as_bytes())
                .map_err(OpenError::io(&anchor.path))?;
        }
        let said = found.anchors.contains(&anchor.directory);
        Ok((!said).then(|| anchor.directory.clone()))
    }

    /// Goes on from here.
    pub(crate) fn into_files(self) -> (CheckpointFiles, Checkpoint) {
        let (path, own) = self.own;
        let anchored = self.anchor.map(|anchor| {
            let content = anchor.checkpoint.as_ref().unwrap_or(&own).note().to_owned();
            (anchor.path, content)
        });
        (CheckpointFiles::new(path, anchored), own)
    }
}

fn read_checkpoint(path: &Path, key: &VerifierKey) -> Result<Option<Checkpoint>, OpenError> {
    let note = files::read_if_there(path).map_err(OpenError::io(path))?;
    note.map(|note| Checkpoint::open(&note, key))
        .transpose()
        .map_err(|source| OpenError::Checkpoint {
            path: path.to_owned(),
            source,
        })
}
