//! What was read, on disk: a start does not parse five thousand files again.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cache_file::CacheFile;
use crate::edits::Past;
use crate::facts::Facts;
use crate::language::Language;
use crate::workspace::{FunctionId, Stamp, Workspace};

/// The format is counted up when facts, or how they are worked out, change.
const FILE: CacheFile = CacheFile {
    magic: *b"flocksfn",
    format: 2,
    largest: 1 << 30,
};

#[derive(Serialize)]
struct Written<'a> {
    root: &'a Path,
    source_roots: &'a [PathBuf],
    looked: i64,
    files: Vec<(&'a Path, Language, Stamp, Option<i64>, &'a Facts)>,
    /// A file by its place in `files`, the function's key, and its edits.
    edits: Vec<(usize, u64, &'a [Past])>,
}

#[derive(Deserialize)]
struct Read {
    root: PathBuf,
    source_roots: Vec<PathBuf>,
    looked: i64,
    files: Vec<(PathBuf, Language, Stamp, Option<i64>, Facts)>,
    edits: Vec<(usize, u64, Vec<Past>)>,
}

impl Workspace {
    /// The workspace of a folder as a cache file knows it. Nothing else is read, so what it says may be out of date until
    /// a [`crate::Scan`] was applied. Empty if the cache is missing, damaged, of another version or of another folder.
    pub fn load(root: &Path, cache_file: &Path) -> Self {
        let mut workspace = Self::new(root);
        let Some(read) = read(cache_file).filter(|read| read.root == root) else {
            return workspace;
        };
        workspace.source_roots = read.source_roots;
        workspace.reserve(read.files.len());
        let mut ids = Vec::with_capacity(read.files.len());
        for (path, language, stamp, known_since, facts) in read.files {
            let id = workspace.insert(&path, language, facts, Some(stamp));
            if let Some(Some(file)) = workspace.files.get_mut(id.0 as usize) {
                file.known_since = known_since;
            }
            ids.push(id);
        }
        let edits = read.edits.into_iter();
        let edits = edits.filter_map(|(place, key, edits)| {
            Some((
                FunctionId {
                    file: *ids.get(place)?,
                    key,
                },
                edits,
            ))
        });
        workspace.edits.by_function = edits.collect();
        workspace.edits.looked = read.looked;
        workspace
    }

    /// What a cache file is to hold: what was read from disk, and no text of an editor. It shares the facts, so that
    /// another thread can write them.
    pub fn to_keep(&self) -> Kept {
        let mut files = Vec::with_capacity(self.file_count());
        let mut places = HashMap::new();
        for (id, file) in self.all_files() {
            if let Some((stamp, facts)) = file.on_disk() {
                places.insert(id, files.len());
                files.push((
                    Arc::clone(&file.path),
                    file.language,
                    stamp,
                    file.known_since,
                    Arc::clone(facts),
                ));
            }
        }
        let edits = self.edits.by_function.iter();
        let edits =
            edits.filter_map(|(function, edits)| Some((*places.get(&function.file)?, function.key, edits.clone())));
        Kept {
            root: self.root.clone(),
            source_roots: self.source_roots.clone(),
            looked: self.edits.looked,
            edits: edits.collect(),
            files,
        }
    }
}

/// A file with its stamp, since when it is known, and what it says.
type KeptFile = (Arc<Path>, Language, Stamp, Option<i64>, Arc<Facts>);

/// What a cache file is to hold.
#[derive(Debug)]
pub struct Kept {
    root: PathBuf,
    source_roots: Vec<PathBuf>,
    looked: i64,
    files: Vec<KeptFile>,
    edits: Vec<(usize, u64, Vec<Past>)>,
}

impl Kept {
    /// Writes it into a cache file, all or nothing.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, cache_file: &Path) -> io::Result<()> {
        let files = self
            .files
            .iter()
            .map(|(path, language, stamp, known_since, facts)| (&**path, *language, *stamp, *known_since, &**facts));
        let edits = self.edits.iter().map(|(place, key, edits)| (*place, *key, &**edits));
        let written = Written {
            root: &self.root,
            source_roots: &self.source_roots,
            looked: self.looked,
            files: files.collect(),
            edits: edits.collect(),
        };
        let body = postcard::to_stdvec(&written).map_err(io::Error::other)?;
        FILE.save(cache_file, &body)
    }
}

fn read(cache_file: &Path) -> Option<Read> {
    postcard::from_bytes(&FILE.load(cache_file)?).ok()
}
