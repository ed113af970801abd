//! Names across files: what a dotted name of a Python file means, through imports, aliases and packages.

use std::collections::HashMap;
use std::rc::Rc;

use crate::facts::{Binding, Facts, Parent};
use crate::hierarchy::{ClassId, FURTHEST, Hierarchy};
use crate::workspace::{File, FileId};

/// What a dotted name means.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Meaning {
    /// A file of the workspace, as a module.
    Module(FileId),
    /// A class.
    Class(ClassId),
    /// A function, by its place in [`Facts::definitions`].
    Function(FileId, u32),
    /// Something outside of the workspace, as a full dotted name.
    Outside(String),
    /// Nothing that the file says anything about.
    Unknown,
}

/// The names at the top of a file.
#[derive(Default)]
pub(crate) struct Scope<'a> {
    classes: HashMap<&'a str, u32>,
    functions: HashMap<&'a str, u32>,
    bindings: HashMap<&'a str, &'a Binding>,
    stars: Vec<&'a str>,
}

impl<'a> Hierarchy<'a> {
    /// What a dotted name means in a file, seen from inside of a class or function.
    pub(crate) fn resolve(&self, file: FileId, parent: Parent, dotted: &str, further: u32) -> Meaning {
        let (first, rest) = match dotted.split_once('.') {
            Some((first, rest)) => (first, Some(rest)),
            None => (dotted, None),
        };
        let mut meaning = self
            .enclosed(file, parent, first)
            .unwrap_or_else(|| self.name_in(file, first, further));
        for name in rest.into_iter().flat_map(|rest| rest.split('.')) {
            meaning = self.member(&meaning, name, further);
        }
        meaning
    }

    /// A class that is defined in the same class or function, or one around it.
    fn enclosed(&self, file: FileId, mut parent: Parent, name: &str) -> Option<Meaning> {
        let facts = &self.workspace.file(file)?.facts;
        for _ in 0..FURTHEST {
            if parent == Parent::File {
                return None;
            }
            let position = facts
                .classes
                .iter()
                .position(|class| class.parent == parent && *class.name == *name);
            if let Some(index) = position {
                return Some(Meaning::Class((file, u32::try_from(index).ok()?)));
            }
            parent = match parent {
                Parent::Class(class) => facts.classes.get(class as usize)?.parent,
                Parent::Function(function) => facts.definitions.get(function as usize)?.parent,
                Parent::File => return None,
            };
        }
        None
    }

    fn name_in(&self, file: FileId, name: &str, further: u32) -> Meaning {
        let scope = self.scope(file);
        if let Some(class) = scope.classes.get(name) {
            return Meaning::Class((file, *class));
        }
        if let Some(function) = scope.functions.get(name) {
            return Meaning::Function(file, *function);
        }
        self.bound(file, name, further)
    }

    pub(crate) fn bound(&self, file: FileId, name: &str, further: u32) -> Meaning {
        let Some(further) = further.checked_sub(1) else {
            return Meaning::Unknown;
        };
        let scope = self.scope(file);
        match scope.bindings.get(name) {
            Some(Binding::Module { module, .. }) => self.module(file, module),
            Some(Binding::From { module, original, .. }) => {
                let module = self.module(file, module);
                self.member(&module, original, further)
            }
            Some(Binding::Alias { target, .. }) if **target != *name => {
                self.resolve(file, Parent::File, target, further)
            }
            Some(Binding::Alias { .. } | Binding::Star { .. }) => Meaning::Unknown,
            None => {
                for module in &scope.stars {
                    if let Meaning::Module(module) = self.module(file, module)
                        && module != file
                    {
                        let found = self.name_in(module, name, further);
                        if found != Meaning::Unknown {
                            return found;
                        }
                    }
                }
                Meaning::Unknown
            }
        }
    }

    /// A name of a module or class.
    fn member(&self, of: &Meaning, name: &str, further: u32) -> Meaning {
        let Some(further) = further.checked_sub(1) else {
            return Meaning::Unknown;
        };
        match of {
            Meaning::Module(file) => {
                let found = self.name_in(*file, name, further);
                if found != Meaning::Unknown {
                    return found;
                }
                let Some(module) = self.workspace.file(*file) else {
                    return Meaning::Unknown;
                };
                let is_package = module.path.file_name().is_some_and(|name| name == "__init__.py");
                let inside = module.path.parent().filter(|_| is_package);
                if let Some(found) = inside.and_then(|folder| self.workspace.module_in(folder, name)) {
                    return Meaning::Module(found);
                }
                Meaning::Outside(format!("{}.{name}", self.workspace.module_of(module)))
            }
            Meaning::Class((file, class)) => match self.enclosed(*file, Parent::Class(*class), name) {
                Some(found) => found,
                None => match self.methods_of((*file, *class), name).first() {
                    Some(method) => Meaning::Function(*file, *method),
                    None => Meaning::Unknown,
                },
            },
            Meaning::Outside(dotted) => {
                let full = format!("{dotted}.{name}");
                // A folder without `__init__.py` is a package all the same.
                match self.nearest(None, &full) {
                    Some(file) => Meaning::Module(file),
                    None => Meaning::Outside(full),
                }
            }
            Meaning::Function(..) | Meaning::Unknown => Meaning::Unknown,
        }
    }

    /// What a module's name means in a file.
    fn module(&self, file: FileId, module: &str) -> Meaning {
        let Some(found) = self.workspace.file(file) else {
            return Meaning::Unknown;
        };
        let name = module.trim_start_matches('.');
        let dots = module.len() - name.len();
        if dots > 0 {
            let Some(folder) = found.path.ancestors().nth(dots) else {
                return Meaning::Unknown;
            };
            return match self.workspace.module_in(folder, name) {
                Some(module) => Meaning::Module(module),
                None => Meaning::Outside(module.to_owned()),
            };
        }
        match self.nearest(Some(found), name) {
            Some(module) => Meaning::Module(module),
            None => Meaning::Outside(name.to_owned()),
        }
    }

    /// Of the files that a module's name can mean, the one that shares most folders with the file that imports it.
    fn nearest(&self, from: Option<&File>, module: &str) -> Option<FileId> {
        let files = self.workspace.files_of_module(module);
        let shared = |id: &FileId| {
            let (Some(from), Some(to)) = (from, self.workspace.file(*id)) else {
                return 0;
            };
            from.path
                .components()
                .zip(to.path.components())
                .take_while(|(left, right)| left == right)
                .count()
        };
        files.into_iter().max_by_key(|id| (shared(id), std::cmp::Reverse(*id)))
    }

    fn scope(&self, id: FileId) -> Rc<Scope<'a>> {
        if let Some(scope) = self.scopes.borrow().get(&id) {
            return Rc::clone(scope);
        }
        let mut scope = Scope::default();
        if let Some(file) = self.workspace.file(id) {
            let facts: &'a Facts = &file.facts;
            let classes = (0..)
                .zip(&facts.classes)
                .filter(|(_, class)| class.parent == Parent::File);
            scope.classes = classes.map(|(index, class)| (&*class.name, index)).collect();
            let functions = (0..)
                .zip(&facts.definitions)
                .filter(|(_, function)| function.parent == Parent::File);
            scope.functions = functions.map(|(index, function)| (&*function.name, index)).collect();
            for binding in &facts.bindings {
                match binding {
                    Binding::Star { module } => scope.stars.push(module),
                    Binding::Module { name, .. } | Binding::From { name, .. } | Binding::Alias { name, .. } => {
                        scope.bindings.insert(name, binding);
                    }
                }
            }
        }
        let scope = Rc::new(scope);
        self.scopes.borrow_mut().insert(id, Rc::clone(&scope));
        scope
    }
}
