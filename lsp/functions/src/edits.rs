//! What was edited when. A span tells of the function as it was when the span was made, so whoever shows both must know
//! whether the function was edited in between. The body's hash is compared; comments, layout and docstrings don't count.
//!
//! Two scans that find different bodies know of an edit, which happened after the earlier scan and not after the file was
//! last written. Where no scan looked, [`crate::GitLook`] can know more.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::facts::Facts;
use crate::git::GitAnswer;
use crate::workspace::{File, FileId, Function, FunctionId, Stamp, Workspace};

/// Edits of one function that are kept, the latest ones.
const MOST_EDITS: usize = 8;

/// Functions whose edits are kept.
const MOST_FUNCTIONS: usize = 20_000;

/// Whether a function is another one than at a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Edit {
    /// Nobody looked, then or since. [`crate::GitLook`] may know.
    #[default]
    Unknown,
    /// It is what it was then.
    Unchanged,
    /// It is not what it was before, but it may have been edited a little earlier than that time, and be what it was then.
    Perhaps,
    /// It was edited after that time, and is not what it was then.
    Since {
        /// Whether the file on disk has the edit, not only the text in an editor.
        is_saved: bool,
    },
}

/// A body that a function had before an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Past {
    /// None: there was no such function.
    body: Option<u64>,
    /// The edit happened after this time, in nanoseconds since the epoch.
    after: i64,
    /// And not after this one.
    until: i64,
}

/// A file on disk while an editor has it open, perhaps with another text.
#[derive(Debug, Clone)]
pub(crate) struct Saved {
    pub(crate) stamp: Stamp,
    pub(crate) facts: Arc<Facts>,
    /// The functions' hashes by their keys.
    bodies: HashMap<u64, u64>,
}

impl Saved {
    pub(crate) fn new(stamp: Stamp, facts: Arc<Facts>) -> Self {
        let definitions = facts.definitions.iter();
        let bodies = definitions.map(|definition| (definition.key, definition.body));
        Self {
            bodies: bodies.collect(),
            stamp,
            facts,
        }
    }
}

/// Edits that scans found.
#[derive(Debug, Default)]
pub(crate) struct Edits {
    pub(crate) by_function: HashMap<FunctionId, Vec<Past>>,
    /// What git knew, with the time that it was asked about.
    pub(crate) of_git: HashMap<FunctionId, GitAnswer>,
    /// When the last scan that was taken in began.
    pub(crate) looked: i64,
}

impl Workspace {
    /// Whether a function is another one than at a time, in nanoseconds since the epoch: when a span of it was made, or
    /// better, where that is known, when the program that made the span was started, since it runs the code of that time.
    /// Reads memory alone.
    pub fn edited_since(&self, function: FunctionId, time: i64) -> Edit {
        match self.body(function) {
            Some(body) => self.body_edited_since(function, body, time),
            None => Edit::Unknown,
        }
    }

    /// The same for a function that was looked up before, as all those of a file are.
    pub fn function_edited_since(&self, function: &Function<'_>, time: i64) -> Edit {
        self.body_edited_since(function.id, function.definition.body, time)
    }

    fn body_edited_since(&self, function: FunctionId, body: u64, time: i64) -> Edit {
        let on_disk = match self.file(function.file) {
            Some(file) if file.stamp.is_some() => Some(body),
            Some(File { saved: Some(saved), .. }) => saved.bodies.get(&function.key).copied(),
            _ => return Edit::Unknown,
        };
        let is_saved = on_disk == Some(body);
        match self.at(function, time, on_disk, body) {
            Edit::Since { .. } => Edit::Since { is_saved },
            Edit::Unchanged => Edit::Unchanged,
            _ if !is_saved => Edit::Since { is_saved },
            Edit::Unknown => {
                let answer = self.edits.of_git.get(&function);
                answer.map_or(Edit::Unknown, |answer| answer.about(body, time))
            }
            Edit::Perhaps => Edit::Perhaps,
        }
    }

    /// What scans know.
    fn at(&self, function: FunctionId, time: i64, on_disk: Option<u64>, body: u64) -> Edit {
        let known_since = self.file(function.file).and_then(|file| file.known_since);
        let edits = self.edits.by_function.get(&function).map_or(&[][..], Vec::as_slice);
        let (known_since, first) = match (edits.first(), known_since) {
            (Some(first), _) if edits.len() == MOST_EDITS => (first.after, first.body),
            (Some(first), Some(known_since)) => (known_since, first.body),
            (None, Some(known_since)) => (known_since, on_disk),
            (_, None) => return Edit::Unknown,
        };
        if time < known_since {
            // What it was before is not known, but a later edit is one after that time.
            return match edits {
                [] => Edit::Unknown,
                _ if first == Some(body) => Edit::Unknown,
                _ => Edit::Since { is_saved: true },
            };
        }
        // After how many of the edits that time can have been, and what the function was then.
        let possible = (0..=edits.len()).filter(|done| {
            let last = done.checked_sub(1).and_then(|last| edits.get(last));
            let next = edits.get(*done);
            last.is_none_or(|last| last.after < time) && next.is_none_or(|next| next.until > time)
        });
        let bodies = possible.map(|done| edits.get(done).map_or(on_disk, |next| next.body));
        let (mut same, mut other) = (false, false);
        for then in bodies {
            if then == Some(body) {
                same = true;
            } else {
                other = true;
            }
        }
        match (same, other) {
            (true, false) => Edit::Unchanged,
            (false, true) => Edit::Since { is_saved: true },
            (true, true) => Edit::Perhaps,
            (false, false) => Edit::Unknown,
        }
    }

    /// The body of a function as it is now.
    pub(crate) fn body(&self, function: FunctionId) -> Option<u64> {
        let mut definitions = self.file(function.file)?.facts.definitions.iter();
        let definition = definitions.find(|definition| definition.key == function.key)?;
        Some(definition.body)
    }

    /// Writes down what was edited between two readings of a file on disk, the later one of which was over at `read`.
    pub(crate) fn note_edits(&mut self, file: FileId, before: &Facts, now: &Facts, stamp: Stamp, read: i64) {
        let after = self.edits.looked;
        // A file that was put there with an older time, or with one that is still to come, tells nothing by it.
        let written = stamp.written();
        let until = if after < written && written <= read {
            written
        } else {
            read
        };
        let mut bodies: HashMap<u64, (Option<u64>, Option<u64>)> = HashMap::new();
        for definition in &before.definitions {
            bodies.entry(definition.key).or_default().0 = Some(definition.body);
        }
        for definition in &now.definitions {
            bodies.entry(definition.key).or_default().1 = Some(definition.body);
        }
        for (key, (body, now)) in bodies {
            if body != now {
                let edits = self.edits.by_function.entry(FunctionId { file, key }).or_default();
                if edits.len() == MOST_EDITS {
                    edits.remove(0);
                }
                edits.push(Past { body, after, until });
            }
        }
    }

    /// Forgets what was edited in a file.
    pub(crate) fn forget_edits(&mut self, file: FileId) {
        self.edits.by_function.retain(|function, _| function.file != file);
        self.edits.of_git.retain(|function, _| function.file != file);
    }

    /// Forgets the oldest edits where they are too many. Of the files that had them is then less known.
    pub(crate) fn forget_old_edits(&mut self) {
        if self.edits.by_function.len() <= MOST_FUNCTIONS {
            return;
        }
        let last = |edits: &[Past]| edits.last().map_or(i64::MIN, |edit| edit.until);
        let mut times: Vec<i64> = self.edits.by_function.values().map(|edits| last(edits)).collect();
        let (_, limit, _) = times.select_nth_unstable(self.edits.by_function.len() - MOST_FUNCTIONS);
        let limit = *limit;
        let mut forgotten: Vec<(FileId, i64)> = Vec::new();
        self.edits.by_function.retain(|function, edits| {
            let until = last(edits);
            let is_kept = until > limit;
            if !is_kept {
                forgotten.push((function.file, until));
            }
            is_kept
        });
        for (file, until) in forgotten {
            if let Some(Some(file)) = self.files.get_mut(file.0 as usize) {
                file.known_since = file.known_since.map(|since| since.max(until));
            }
        }
    }
}
