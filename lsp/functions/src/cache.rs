//! What was read, on disk: a start does not parse five thousand files again.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::facts::Facts;
use crate::language::Language;
use crate::workspace::{Stamp, Workspace};

/// Counted up when facts, or how they are worked out, change: a cache of another format is not read.
const FORMAT: u32 = 1;

/// The first bytes of a cache.
const MAGIC: &[u8; 8] = b"flocksfn";

/// A larger cache is none of ours.
const LARGEST: u64 = 1 << 30;

#[derive(Serialize)]
struct Written<'a> {
    root: &'a Path,
    source_roots: &'a [PathBuf],
    files: Vec<(&'a Path, Language, Stamp, &'a Facts)>,
}

#[derive(Deserialize)]
struct Read {
    root: PathBuf,
    source_roots: Vec<PathBuf>,
    files: Vec<(PathBuf, Language, Stamp, Facts)>,
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
        for (path, language, stamp, facts) in read.files {
            workspace.insert(&path, language, facts, Some(stamp));
        }
        workspace
    }

    /// Writes what was read from disk into a cache file, all or nothing. Texts of an editor are not in it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, cache_file: &Path) -> io::Result<()> {
        let files = self
            .all_files()
            .filter_map(|(_, file)| Some((&*file.path, file.language, file.stamp?, &*file.facts)));
        let written = Written {
            root: &self.root,
            source_roots: &self.source_roots,
            files: files.collect(),
        };
        let body = postcard::to_stdvec(&written).map_err(io::Error::other)?;
        let folder = cache_file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(MAGIC)?;
        file.write_all(&FORMAT.to_le_bytes())?;
        file.write_all(&crc32fast::hash(&body).to_le_bytes())?;
        file.write_all(&body)?;
        file.persist(cache_file)?;
        Ok(())
    }
}

fn read(cache_file: &Path) -> Option<Read> {
    if fs::metadata(cache_file).ok()?.len() > LARGEST {
        return None;
    }
    let bytes = fs::read(cache_file).ok()?;
    let rest = bytes.strip_prefix(MAGIC)?;
    let (format, rest) = rest.split_first_chunk::<4>()?;
    let (sum, body) = rest.split_first_chunk::<4>()?;
    if u32::from_le_bytes(*format) != FORMAT || u32::from_le_bytes(*sum) != crc32fast::hash(body) {
        return None;
    }
    postcard::from_bytes(body).ok()
}
