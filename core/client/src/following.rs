//! Keeps a store up to date with a file that a Flock program writes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use flockscope_model::{ReadReport, Span};
use flockscope_redaction::Redactor;
use flockscope_sources::{FlockFollower, Position};
use flockscope_store::Store;

use crate::loading::Loader;
use crate::open::mirror_folder;
use crate::{ClientError, Loaded, Progress};

/// A Flock file that is read on from where its store left off.
pub struct Following {
    follower: FlockFollower,
    file: PathBuf,
    /// Name of the file in the store's list of positions.
    source: String,
    redactor: Arc<Redactor>,
}

impl Following {
    /// Reads on from the position that the store keeps. The file need not be there yet.
    pub fn resume(store: &Store, file: &Path) -> Result<Self, ClientError> {
        let source = source_name(file);
        // A position in words that this version does not know: from the start; spans that are there are replaced.
        let position = store
            .source_position(&source)?
            .and_then(|position| serde_json::from_str(&position).ok())
            .unwrap_or_default();
        Self::at(file, position, source)
    }

    /// Reads from the file's first span on.
    pub fn from_the_start(file: &Path) -> Result<Self, ClientError> {
        Self::at(file, Position::default(), source_name(file))
    }

    fn at(file: &Path, position: Position, source: String) -> Result<Self, ClientError> {
        Self::mirrored_in(mirror_folder()?, file, position, source)
    }

    fn mirrored_in(mirrors: PathBuf, file: &Path, position: Position, source: String) -> Result<Self, ClientError> {
        Ok(Self {
            follower: FlockFollower::resume(file.to_owned(), mirrors, position)?,
            file: file.to_owned(),
            source,
            redactor: Arc::new(Redactor::off()),
        })
    }

    /// Reads from the file's first span on, with what it needs on the disk in this folder.
    #[cfg(test)]
    pub(crate) fn for_a_test(mirrors: &Path, file: &Path) -> Self {
        Self::mirrored_in(mirrors.to_owned(), file, Position::default(), source_name(file)).expect("a follower")
    }

    /// Makes secrets unreadable in the spans that are read from now on.
    pub fn redacting(self, redactor: Arc<Redactor>) -> Self {
        Self { redactor, ..self }
    }

    /// Goes back to the file's first span.
    pub(crate) fn begin_again(&mut self) -> Result<(), ClientError> {
        *self = Self::from_the_start(&self.file)?.redacting(self.redactor.clone());
        Ok(())
    }

    /// The spans written since the last call, at most a batch of them.
    pub fn poll(&mut self, report: &mut ReadReport) -> Result<Vec<Span>, ClientError> {
        let mut spans = self.follower.poll(report)?;
        for span in &mut spans {
            self.redactor.redact(span);
        }
        Ok(spans)
    }

    /// Whether more spans can be had at once.
    pub fn has_more(&self) -> bool {
        self.follower.has_more()
    }

    /// Whether the reading had to begin again, because the file was cleared, compacted or replaced by another one.
    pub fn has_restarted(&self) -> bool {
        self.follower.has_restarted()
    }

    /// Keeps the position in the store. Call it when all spans that [`Self::poll`] gave out are stored.
    pub fn keep_position(&self, store: &Store) -> Result<(), ClientError> {
        let position = serde_json::to_string(self.follower.position()).map_err(|source| ClientError::Position {
            path: self.file.clone(),
            source,
        })?;
        store.set_source_position(&self.source, &position)?;
        Ok(())
    }

    /// Stores all that was written until now.
    pub fn catch_up(&mut self, store: &Store, progress: &mut dyn FnMut(Progress)) -> Result<Loaded, ClientError> {
        let mut report = ReadReport::default();
        let mut loader = Loader::default();
        loop {
            let spans = self.poll(&mut report)?;
            let is_something = !spans.is_empty();
            if loader.add(store, spans)? {
                self.keep_position(store)?;
            }
            if is_something {
                progress(Progress {
                    spans: loader.ingested().stored,
                    done_of: None,
                });
            }
            if !self.has_more() {
                break;
            }
        }
        if report.read > 0 {
            loader.flush(store)?;
            self.keep_position(store)?;
        }
        Ok(Loaded {
            report,
            ingested: loader.ingested(),
        })
    }
}

/// The file's full name, so that it is the same one from every working directory.
fn source_name(file: &Path) -> String {
    let full = file.canonicalize().or_else(|_| std::path::absolute(file));
    full.unwrap_or_else(|_| file.to_owned()).to_string_lossy().into_owned()
}
