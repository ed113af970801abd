//! The files of a workspace and what is asked about them. Queries read memory alone.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::facts::{Call, Definition, Facts, Literal, LiteralKind};
use crate::hierarchy::Hierarchy;
use crate::language::Language;
use crate::open_text::OpenText;
use crate::traced::Traced;

/// A larger file is generated, not written: it is not read.
pub const LARGEST_FILE: u64 = 8 << 20;

/// The functions of a folder and of the `flock` package that it uses.
#[derive(Default)]
pub struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) files: Vec<Option<File>>,
    by_path: HashMap<Arc<Path>, FileId>,
    /// Python files by the last part of their module's name.
    by_module: HashMap<Box<str>, Vec<FileId>>,
    open: HashMap<FileId, OpenText>,
    pub(crate) source_roots: Vec<PathBuf>,
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
}

/// By which a changed file is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    /// Nanoseconds since the epoch.
    pub(crate) modified: i128,
    pub(crate) length: u64,
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

/// What a call can mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callee {
    /// Bytes of the called name.
    pub name_range: Range<u32>,
    /// The functions that can be meant, the likeliest first.
    pub candidates: Vec<FunctionId>,
    /// Whether it is worked out which one is meant; otherwise they only share the name.
    pub is_resolved: bool,
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
        if let Some(file) = self.files.get_mut(id.0 as usize).and_then(Option::take)
            && let Some(name) = module_key(&file.path)
            && let Some(files) = self.by_module.get_mut(name)
        {
            files.retain(|file| *file != id);
        }
    }

    /// Whether an editor has the file open, so that its text on disk does not count.
    pub(crate) fn is_open(&self, path: &Path) -> bool {
        self.by_path.get(path).is_some_and(|id| self.open.contains_key(id))
    }

    pub(crate) fn reserve(&mut self, files: usize) {
        self.files.reserve(files);
        self.by_path.reserve(files);
    }

    pub(crate) fn insert(&mut self, path: &Path, language: Language, facts: Facts, stamp: Option<Stamp>) -> FileId {
        if let Some(id) = self.by_path.get(path) {
            if let Some(Some(file)) = self.files.get_mut(id.0 as usize) {
                file.facts = Arc::new(facts);
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

    /// The places of a file where names of spans are written.
    pub fn literals(&self, path: &Path) -> &[Literal] {
        self.file_at(path).map_or(&[], |(_, file)| &file.facts.literals)
    }

    /// The calls of a file, in the order of its text; only of a file that was given by [`Workspace::update`].
    pub fn calls(&self, path: &Path) -> &[Call] {
        let open = self.by_path.get(path).and_then(|id| self.open.get(id));
        open.map_or(&[], |open| &open.calls)
    }

    /// What the call whose name holds this byte can mean; none where no known function has that name.
    pub fn call_at(&self, path: &Path, offset: u32) -> Option<Callee> {
        let (id, _) = self.file_at(path)?;
        let calls = self.calls(path);
        let is_here = |call: &&Call| call.name_range.start <= offset && offset <= call.name_range.end;
        let call = calls.iter().find(is_here)?;
        Hierarchy::new(self).callee(id, call)
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

    fn index_of(&self, id: FunctionId) -> Option<u32> {
        let definitions = &self.file(id.file)?.facts.definitions;
        let index = definitions.iter().position(|definition| definition.key == id.key)?;
        u32::try_from(index).ok()
    }

    /// The span literals of a function of which every call is one.
    pub(crate) fn whole_literals(file: &File, index: u32) -> impl Iterator<Item = &Literal> {
        let literals = file.facts.literals.iter();
        literals.filter(move |literal| literal.function == Some(index) && literal.kind == LiteralKind::Whole)
    }

    /// The Python files that a module's dotted name can mean: those of the likeliest kind only.
    pub(crate) fn files_of_module(&self, module: &str) -> Vec<FileId> {
        let Some(last) = module.rsplit('.').next() else {
            return Vec::new();
        };
        let Some(candidates) = self.by_module.get(last) else {
            return Vec::new();
        };
        let ranked = candidates
            .iter()
            .filter_map(|id| Some((self.rank_of_module(self.file(*id)?, module)?, *id)));
        let mut ranked: Vec<_> = ranked.collect();
        let Some(best) = ranked.iter().map(|(rank, _)| *rank).min() else {
            return Vec::new();
        };
        ranked.retain(|(rank, _)| *rank == best);
        ranked.into_iter().map(|(_, id)| id).collect()
    }

    /// How well a file fits a module's name: 0 if its packages or a source folder say so, 1 if only its path's end does.
    fn rank_of_module(&self, file: &File, module: &str) -> Option<u8> {
        let names = module_path(&file.path);
        let wanted: Vec<_> = module.split('.').collect();
        if !names.ends_with(&wanted) {
            return None;
        }
        let folders = names.len() - wanted.len();
        if let Some(root) = &file.installed_in {
            // An installed package has one name only.
            return (folders == module_path(root).len()).then_some(0);
        }
        let from_root = folders.checked_sub(module_path(&self.root).len());
        if from_root == Some(0) || from_root == Some(1) && names.get(folders - 1) == Some(&"src") {
            return Some(0);
        }
        (self.package_depth(file) == wanted.len()).then_some(0).or(Some(1))
    }

    /// How many names the module of a file has if its folders with an `__init__.py` are its packages.
    fn package_depth(&self, file: &File) -> usize {
        let is_package = file.path.file_name().is_some_and(|name| name == "__init__.py");
        let folders = file.path.ancestors().skip(1);
        let packages = folders.take_while(|folder| self.by_path.contains_key(&*folder.join("__init__.py")));
        packages.count() + usize::from(!is_package)
    }

    /// The module's name of a Python file as its packages say: `helpdesk.engines`.
    pub fn module_name(&self, path: &Path) -> Option<String> {
        let (_, file) = self.file_at(path)?;
        Some(self.module_of(file))
    }

    pub(crate) fn module_of(&self, file: &File) -> String {
        let names = module_path(&file.path);
        let depth = match &file.installed_in {
            Some(root) => names.len().saturating_sub(module_path(root).len()),
            None => self.package_depth(file),
        };
        names
            .get(names.len().saturating_sub(depth)..)
            .unwrap_or_default()
            .join(".")
    }

    /// The file of a module in a folder.
    pub(crate) fn module_in(&self, folder: &Path, module: &str) -> Option<FileId> {
        let mut path = folder.to_owned();
        path.extend(module.split('.').filter(|part| !part.is_empty()));
        if let Some(id) = self.by_path.get(&*path.join("__init__.py")) {
            return Some(*id);
        }
        path.add_extension("py");
        self.by_path.get(&*path).copied()
    }
}

/// The last part of a module's name: the file's name without ending, or that of its folder.
fn module_key(path: &Path) -> Option<&str> {
    if path.extension()? != "py" {
        return None;
    }
    match path.file_stem()?.to_str()? {
        "__init__" => path.parent()?.file_name()?.to_str(),
        stem => Some(stem),
    }
}

/// The folders and the name of a module's file: `/a/b/__init__.py` is `["a", "b"]`.
fn module_path(path: &Path) -> Vec<&str> {
    let mut names: Vec<_> = path
        .components()
        .filter_map(|component| match component {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    if let Some(last) = names.last_mut()
        && let Some(stem) = last.strip_suffix(".py")
    {
        if stem == "__init__" {
            names.pop();
        } else {
            *last = stem;
        }
    }
    names
}
