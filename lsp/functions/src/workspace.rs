//! The files of a workspace and what is asked about them. Queries read memory alone.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::edits::{Edits, Saved};
use crate::facts::{Call, Class, Definition, Facts, Literal, LiteralKind};
use crate::hierarchy::Hierarchy;
use crate::language::Language;
use crate::matching::Matching;
use crate::modules::module_key;
use crate::open_text::OpenText;
use crate::traced::Traced;

/// A larger file is generated, not written: it is not read.
pub const LARGEST_FILE: u64 = 8 << 20;

/// The functions of a folder and of the `flock` package that it uses.
#[derive(Default)]
pub struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) files: Vec<Option<File>>,
    pub(crate) by_path: HashMap<Arc<Path>, FileId>,
    /// Python files by the last part of their module's name.
    pub(crate) by_module: HashMap<Box<str>, Vec<FileId>>,
    open: HashMap<FileId, OpenText>,
    pub(crate) source_roots: Vec<PathBuf>,
    pub(crate) edits: Edits,
}

/// A file of a [`Workspace`]; the same as long as the workspace lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileId(pub(crate) u32);

/// A function of a [`Workspace`]: the same while the text around it is edited, until it is renamed or moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FunctionId {
    /// Its file.
    pub file: FileId,
    /// [`Definition::key`].
    pub key: u64,
}

/// What is known about one file.
pub(crate) struct File {
    pub(crate) path: Arc<Path>,
    pub(crate) language: Language,
    /// The folder that its modules are named from, if it belongs to an installed package.
    pub(crate) installed_in: Option<Arc<Path>>,
    /// What the file on disk was like when it was read; none for a text that only an editor has.
    pub(crate) stamp: Option<Stamp>,
    pub(crate) facts: Arc<Facts>,
    /// The file on disk, where `facts` are those of a text that an editor has or had.
    pub(crate) saved: Option<Saved>,
    /// When the file on disk was written as it was read first, in nanoseconds since the epoch: what was edited since then
    /// is known.
    pub(crate) known_since: Option<i64>,
}

impl File {
    /// What is known of the file on disk.
    pub(crate) fn on_disk(&self) -> Option<(Stamp, &Arc<Facts>)> {
        match (self.stamp, &self.saved) {
            (Some(stamp), _) => Some((stamp, &self.facts)),
            (None, Some(saved)) => Some((saved.stamp, &saved.facts)),
            (None, None) => None,
        }
    }
}

/// By which a changed file is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    /// Nanoseconds since the epoch.
    pub(crate) modified: i128,
    pub(crate) length: u64,
}

impl Stamp {
    /// When the file was written, in nanoseconds since the epoch.
    pub(crate) fn written(self) -> i64 {
        i64::try_from(self.modified).unwrap_or(i64::MAX)
    }
}

/// A function with all that is known about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Function<'a> {
    /// Its name in questions to the workspace.
    pub id: FunctionId,
    /// Its file.
    pub path: &'a Path,
    /// Its language.
    pub language: Language,
    /// Ranges, lines, hash.
    pub definition: &'a Definition,
    /// The class that it is a method of.
    pub class: Option<&'a str>,
    /// `Class.method`, with everything around it.
    pub qualified_name: String,
    /// Whether its calls make spans, and why.
    pub traced: Option<Traced>,
    /// Whether it belongs to an installed package.
    pub is_installed: bool,
}

impl Workspace {
    /// An empty workspace of a folder. Nothing is read.
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            ..Self::default()
        }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Takes in a text that an editor has open, as it is now. Does nothing for a file of another language.
    pub fn update(&mut self, path: &Path, text: &str) {
        let Some(language) = Language::of_path(path) else {
            return;
        };
        if text.len() as u64 > LARGEST_FILE {
            return;
        }
        let known = self.by_path.get(path).copied();
        let open = known.and_then(|id| self.open.remove(&id));
        let Some((open, facts)) = OpenText::read(language, text, open) else {
            return;
        };
        let id = self.insert(path, language, facts, None);
        self.open.insert(id, open);
    }

    /// Forgets the text of a file that no editor has open any more. What it says stays, until the file on disk is read.
    pub fn close(&mut self, path: &Path) {
        if let Some(id) = self.by_path.get(path) {
            self.open.remove(id);
        }
    }

    /// Forgets a file.
    pub fn remove(&mut self, path: &Path) {
        let Some(id) = self.by_path.remove(path) else { return };
        self.open.remove(&id);
        self.forget_edits(id);
        if let Some(file) = self.files.get_mut(id.0 as usize).and_then(Option::take)
            && let Some(name) = module_key(&file.path)
            && let Some(files) = self.by_module.get_mut(name)
        {
            files.retain(|file| *file != id);
        }
    }

    /// Whether an editor has the file open, so that its text on disk does not count.
    pub(crate) fn has_open(&self, id: FileId) -> bool {
        self.open.contains_key(&id)
    }

    pub(crate) fn reserve(&mut self, files: usize) {
        self.files.reserve(files);
        self.by_path.reserve(files);
    }

    pub(crate) fn insert(&mut self, path: &Path, language: Language, facts: Facts, stamp: Option<Stamp>) -> FileId {
        if let Some(id) = self.by_path.get(path) {
            if let Some(Some(file)) = self.files.get_mut(id.0 as usize) {
                let before = std::mem::replace(&mut file.facts, Arc::new(facts));
                match (stamp, file.stamp) {
                    (Some(stamp), _) => {
                        file.saved = None;
                        file.known_since = file.known_since.or(Some(stamp.written()));
                    }
                    (None, Some(stamp)) => file.saved = Some(Saved::new(stamp, before)),
                    (None, None) => {}
                }
                file.stamp = stamp;
            }
            return *id;
        }
        let id = FileId(crate::reading::place(self.files.len()));
        let path: Arc<Path> = path.into();
        if language == Language::Python
            && let Some(name) = module_key(&path)
        {
            self.by_module.entry(name.into()).or_default().push(id);
        }
        self.by_path.insert(Arc::clone(&path), id);
        let installed_in = self.source_roots.iter().find(|root| path.starts_with(root));
        self.files.push(Some(File {
            installed_in: installed_in.map(|root| root.as_path().into()),
            path,
            language,
            stamp,
            facts: Arc::new(facts),
            saved: None,
            known_since: stamp.map(Stamp::written),
        }));
        id
    }

    /// How many files are known.
    pub fn file_count(&self) -> usize {
        self.by_path.len()
    }

    /// The paths of all files that are known, in no order.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.by_path.keys().map(|path| &**path)
    }

    /// The functions of a file, in the order of its text; none if it is not known.
    pub fn functions(&self, path: &Path) -> Vec<Function<'_>> {
        let Some((id, file)) = self.file_at(path) else {
            return Vec::new();
        };
        let hierarchy = Hierarchy::new(self);
        let all = 0..crate::reading::place(file.facts.definitions.len());
        all.filter_map(|index| hierarchy.function(id, index)).collect()
    }

    /// One function; none if it is gone.
    pub fn function(&self, id: FunctionId) -> Option<Function<'_>> {
        let index = self.index_of(id)?;
        Hierarchy::new(self).function(id.file, index)
    }

    /// The innermost function that holds a byte of a file.
    pub fn function_at(&self, path: &Path, offset: u32) -> Option<Function<'_>> {
        let (id, file) = self.file_at(path)?;
        let (index, _) = file.facts.definition_at(offset)?;
        Hierarchy::new(self).function(id, index)
    }

    /// The classes of a file, in the order of its text.
    pub fn classes(&self, path: &Path) -> &[Class] {
        self.file_at(path).map_or(&[], |(_, file)| &file.facts.classes)
    }

    /// Every class of a name, with its file: where a service of Flock is written. Those of the workspace come before those
    /// of installed packages.
    pub fn classes_named(&self, name: &str) -> Vec<(&Path, &Class)> {
        let classes = self
            .all_files()
            .flat_map(|(_, file)| file.facts.classes.iter().map(move |class| (file, class)));
        let mut found: Vec<_> = classes.filter(|(_, class)| *class.name == *name).collect();
        found.sort_by_key(|(file, class)| (file.installed_in.is_some(), &file.path, class.line));
        found.into_iter().map(|(file, class)| (&*file.path, class)).collect()
    }

    /// The files that a path of a recorded stack trace can mean, which may be one of another machine or of a container:
    /// the file itself, or those whose paths end alike.
    pub fn files_of_path(&self, path: &str) -> Vec<&Path> {
        let (files, _) = Matching::new(self).files_of_path(path);
        files.into_iter().filter_map(|id| Some(&*self.file(id)?.path)).collect()
    }

    /// The places of a file where names of spans are written.
    pub fn literals(&self, path: &Path) -> &[Literal] {
        self.file_at(path).map_or(&[], |(_, file)| &file.facts.literals)
    }

    /// The calls of a file, in the order of its text; only of a file that was given by [`Workspace::update`].
    pub fn calls(&self, path: &Path) -> &[Call] {
        let open = self.by_path.get(path).and_then(|id| self.open.get(id));
        open.map_or(&[], |open| &open.calls)
    }

    /// The text of a file that was given by [`Workspace::update`], and its tree.
    pub(crate) fn open_text(&self, path: &Path) -> Option<(&str, tree_sitter::Node<'_>)> {
        let open = self.open.get(self.by_path.get(path)?)?;
        Some(open.current())
    }

    pub(crate) fn file(&self, id: FileId) -> Option<&File> {
        self.files.get(id.0 as usize)?.as_ref()
    }

    pub(crate) fn file_at(&self, path: &Path) -> Option<(FileId, &File)> {
        let id = *self.by_path.get(path)?;
        Some((id, self.file(id)?))
    }

    pub(crate) fn all_files(&self) -> impl Iterator<Item = (FileId, &File)> {
        let numbered = (0..).map(FileId).zip(&self.files);
        numbered.filter_map(|(id, file)| Some((id, file.as_ref()?)))
    }

    pub(crate) fn index_of(&self, id: FunctionId) -> Option<u32> {
        let definitions = &self.file(id.file)?.facts.definitions;
        let index = definitions.iter().position(|definition| definition.key == id.key)?;
        u32::try_from(index).ok()
    }

    /// The span literals of a function of which every call is one.
    pub(crate) fn whole_literals(file: &File, index: u32) -> impl Iterator<Item = &Literal> {
        let literals = file.facts.literals.iter();
        literals.filter(move |literal| literal.function == Some(index) && literal.kind == LiteralKind::Whole)
    }
}
