//! Looks at the folder: which files changed since they were read, and what they say now.

use std::collections::{HashMap, HashSet};
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use ignore::{DirEntry, WalkBuilder, WalkState};

use crate::edits::Saved;
use crate::facts::Facts;
use crate::flock::PACKAGE;
use crate::language::Language;
use crate::open_text::read_well;
use crate::parsing::parse;
use crate::virtual_environment::{folder_of_flock, is_environment};
use crate::workspace::{FileId, LARGEST_FILE, Stamp, Workspace};

/// Walking and parsing leave the other processors to the editor.
const THREADS: usize = 2;

/// More files are not looked at: somebody opened a whole disk.
const MOST_FILES: usize = 200_000;

/// Folders of other people's code and of what was built, for a workspace without `.gitignore`.
const PASSED_BY: [&str; 6] = [
    "__pycache__",
    "node_modules",
    "site-packages",
    "target",
    "dist",
    "vendor",
];

/// Which files a workspace knows, and what they were like when it read them.
#[derive(Debug, Clone, Default)]
pub struct Stamps {
    root: PathBuf,
    files: HashMap<Arc<Path>, Stamp>,
    source_roots: Vec<PathBuf>,
}

/// What a look at the folder found.
#[derive(Debug, Default)]
pub struct Scan {
    changed: Vec<(PathBuf, Language, Stamp, Facts)>,
    gone: Vec<Arc<Path>>,
    source_roots: Vec<PathBuf>,
    moved: bool,
    /// When it began and when it ended, in nanoseconds since the epoch.
    began: i64,
    ended: i64,
}

impl Scan {
    /// Walks the folder of `known` with two threads, respecting `.gitignore`, and the `flock` package that it uses, and
    /// reads every file that is new or changed. `active` is the environment that `VIRTUAL_ENV` names. It blocks: not for
    /// the thread that answers.
    pub fn run(known: &Stamps, active: Option<&Path>) -> Self {
        let began = now();
        let flock = folder_of_flock(&known.root, active);
        // An editable installation can lie in the workspace itself; it is then walked with it.
        let source_roots: Vec<PathBuf> = flock
            .filter(|folder| !is_walked(&known.root, folder))
            .into_iter()
            .collect();
        let moved = source_roots != known.source_roots;
        let found = Mutex::new(Found::default());
        walk(WalkBuilder::new(&known.root).require_git(false), known, moved, &found);
        for folder in &source_roots {
            let package = folder.join(PACKAGE);
            walk(WalkBuilder::new(package).standard_filters(false), known, moved, &found);
        }
        let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        let gone = known
            .files
            .keys()
            .filter(|path| !found.seen.contains(&***path))
            .cloned()
            .collect();
        let mut changed = found.changed;
        changed.sort_by(|left, right| left.0.cmp(&right.0));
        Self {
            changed,
            gone,
            source_roots,
            moved,
            began,
            ended: now(),
        }
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.gone.is_empty() && !self.moved
    }

    /// How many files were read.
    pub fn changed_count(&self) -> usize {
        self.changed.len()
    }
}

impl Workspace {
    /// The workspace of a folder, up to date: the cache is loaded, the folder is looked at, and the cache is written
    /// again if something changed. A cache that cannot be written is done without. It takes `VIRTUAL_ENV` from the
    /// environment. For an answer before the folder was looked at, use [`Workspace::load`], [`Scan::run`] on another
    /// thread, and [`Workspace::apply`].
    pub fn scan(root: &Path, cache_file: Option<&Path>) -> Self {
        let mut workspace = match cache_file {
            Some(cache_file) => Self::load(root, cache_file),
            None => Self::new(root),
        };
        let active = std::env::var_os("VIRTUAL_ENV").map(PathBuf::from);
        let scan = Scan::run(&workspace.stamps(), active.as_deref());
        let is_new = !scan.is_empty();
        workspace.apply(scan);
        if is_new && let Some(cache_file) = cache_file {
            // The next start is slower; nothing else.
            let _ = workspace.to_keep().save(cache_file);
        }
        workspace
    }

    /// Which files are known, for a [`Scan`].
    pub fn stamps(&self) -> Stamps {
        let files = self.all_files().filter_map(|(id, file)| {
            // A text that was closed can be another one than that on disk.
            let (stamp, _) = file.on_disk().filter(|_| file.stamp.is_some() || self.has_open(id))?;
            Some((Arc::clone(&file.path), stamp))
        });
        Stamps {
            root: self.root.clone(),
            files: files.collect(),
            source_roots: self.source_roots.clone(),
        }
    }

    /// Takes in what was found. What an editor has open stays as the editor has it.
    pub fn apply(&mut self, scan: Scan) {
        if scan.moved {
            self.source_roots = scan.source_roots;
        }
        for path in scan.gone {
            match self.file_at(&path).map(|(id, _)| id) {
                Some(id) if self.has_open(id) => {
                    self.forget_edits(id);
                    self.set_saved(id, None);
                }
                _ => self.remove(&path),
            }
        }
        for (path, language, stamp, facts) in scan.changed {
            let known = self.file_at(&path);
            let before = known.and_then(|(_, file)| Some(Arc::clone(file.on_disk()?.1)));
            let id = known.map(|(id, _)| id);
            if let (Some(id), Some(before)) = (id, before) {
                self.note_edits(id, &before, &facts, stamp, scan.ended);
            }
            match id.filter(|id| self.has_open(*id)) {
                Some(id) => {
                    self.set_saved(id, Some(Saved::new(stamp, Arc::new(facts))));
                }
                None => {
                    self.insert(&path, language, facts, Some(stamp));
                }
            }
        }
        self.forget_old_edits();
        self.edits.looked = scan.began;
    }

    /// Writes down what the file of an open text is on disk.
    fn set_saved(&mut self, id: FileId, saved: Option<Saved>) {
        if let Some(Some(file)) = self.files.get_mut(id.0 as usize) {
            let written = saved.as_ref().map(|saved| saved.stamp.written());
            // What happens to a file that is gone is not known.
            file.known_since = written.map(|written| file.known_since.unwrap_or(written));
            file.saved = saved;
        }
    }
}

/// What the threads of a walk bring together.
#[derive(Default)]
struct Found {
    seen: HashSet<PathBuf>,
    changed: Vec<(PathBuf, Language, Stamp, Facts)>,
}

fn walk(builder: &mut WalkBuilder, known: &Stamps, moved: bool, found: &Mutex<Found>) {
    builder
        .threads(THREADS)
        .follow_links(false)
        .max_filesize(Some(LARGEST_FILE))
        .filter_entry(is_wanted);
    builder.build_parallel().run(|| {
        Box::new(|entry| {
            let Ok(entry) = entry else { return WalkState::Continue };
            let Some(language) = Language::of_path(entry.path()) else {
                return WalkState::Continue;
            };
            let is_file = entry.file_type().is_some_and(|kind| kind.is_file());
            let stamp = entry
                .metadata()
                .ok()
                .filter(|_| is_file)
                .map(|metadata| stamp(&metadata));
            let Some(stamp) = stamp else { return WalkState::Continue };
            let is_known = !moved && known.files.get(entry.path()) == Some(&stamp);
            let facts = if is_known {
                None
            } else {
                facts_of_file(language, entry.path())
            };
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            let path = entry.into_path();
            if let Some(facts) = facts {
                found.changed.push((path.clone(), language, stamp, facts));
            } else if !is_known {
                return WalkState::Continue;
            }
            found.seen.insert(path);
            if found.seen.len() < MOST_FILES {
                WalkState::Continue
            } else {
                WalkState::Quit
            }
        })
    });
}

fn is_wanted(entry: &DirEntry) -> bool {
    let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
    if !is_folder || entry.depth() == 0 {
        return true;
    }
    let is_passed_by = entry.file_name().to_str().is_some_and(|name| PASSED_BY.contains(&name));
    !is_passed_by && !is_environment(entry.path())
}

/// Whether a walk over the root comes to a folder.
fn is_walked(root: &Path, folder: &Path) -> bool {
    let Ok(inside) = folder.strip_prefix(root) else {
        return false;
    };
    let hidden = |name: &str| name.starts_with('.') || PASSED_BY.contains(&name);
    !inside.iter().filter_map(|name| name.to_str()).any(hidden)
}

fn stamp(metadata: &Metadata) -> Stamp {
    let modified = metadata
        .modified()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    Stamp {
        modified: modified.map_or(0, |since| i128::try_from(since.as_nanos()).unwrap_or(0)),
        length: metadata.len(),
    }
}

fn facts_of_file(language: Language, path: &Path) -> Option<Facts> {
    facts_of_bytes(language, &fs::read(path).ok()?)
}

/// What a file with these bytes says.
pub(crate) fn facts_of_bytes(language: Language, bytes: &[u8]) -> Option<Facts> {
    let text = String::from_utf8_lossy(bytes);
    // Editors hand texts over without it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    if is_minified(text) {
        return Some(Facts::default());
    }
    let tree = parse(language, text, None)?;
    Some(read_well(language, text, &tree, false).0)
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// Whether a program wrote the text: it is long, and so are its lines.
fn is_minified(text: &str) -> bool {
    const LONG_TEXT: usize = 50_000;
    const LONG_LINE: usize = 400;
    text.len() > LONG_TEXT && text.bytes().filter(|byte| *byte == b'\n').count() * LONG_LINE < text.len()
}
