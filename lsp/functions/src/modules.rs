//! Names of Python modules and the files that they mean: by packages, source folders, and the ends of paths.

use std::path::{Component, Path};

use crate::workspace::{File, FileId, Workspace};

impl Workspace {
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
pub(crate) fn module_key(path: &Path) -> Option<&str> {
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
