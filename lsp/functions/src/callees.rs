//! What calls can mean.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::Path;

use crate::facts::{Call, Parent};
use crate::hierarchy::{ClassId, Hierarchy};
use crate::names::Meaning;
use crate::workspace::{FileId, FunctionId, Workspace};

/// More functions of one name say nothing.
const MOST_CANDIDATES: usize = 50;

/// What a call can mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callee {
    /// Bytes of the called name.
    pub name_range: Range<u32>,
    /// Bytes of the whole call.
    pub range: Range<u32>,
    /// The function that it stands in; none at the top of the file.
    pub caller: Option<FunctionId>,
    /// The functions that can be meant, the likeliest first.
    pub candidates: Vec<FunctionId>,
    /// Whether it is worked out which one is meant; otherwise they only share the name.
    pub is_resolved: bool,
}

impl Workspace {
    /// What the call whose name holds this byte can mean; none where no known function has that name.
    pub fn call_at(&self, path: &Path, offset: u32) -> Option<Callee> {
        let (id, _) = self.file_at(path)?;
        let is_here = |call: &&Call| call.name_range.start <= offset && offset <= call.name_range.end;
        let call = self.calls(path).iter().find(is_here)?;
        Hierarchy::new(self).callees(id, [call]).pop()
    }

    /// What the calls whose names begin in a range of bytes can mean, in the order of the text, without those that no
    /// known function has the name of. Only of a file that was given by [`Workspace::update`].
    pub fn callees(&self, path: &Path, within: Range<u32>) -> Vec<Callee> {
        let Some((id, _)) = self.file_at(path) else {
            return Vec::new();
        };
        let calls = self.calls(path).iter();
        self.sorted_callees(id, calls.filter(|call| within.contains(&call.name_range.start)))
    }

    /// As [`Self::callees`], with all the other calls of the functions that these are in.
    pub fn callees_of_functions(&self, path: &Path, within: Range<u32>) -> Vec<Callee> {
        let Some((id, _)) = self.file_at(path) else {
            return Vec::new();
        };
        let calls = self.calls(path);
        let is_within = |call: &&Call| within.contains(&call.name_range.start);
        let functions: HashSet<Option<u32>> = calls.iter().filter(is_within).map(|call| call.function).collect();
        self.sorted_callees(id, calls.iter().filter(|call| functions.contains(&call.function)))
    }

    fn sorted_callees<'c>(&self, file: FileId, calls: impl IntoIterator<Item = &'c Call>) -> Vec<Callee> {
        let mut callees = Hierarchy::new(self).callees(file, calls);
        callees.sort_by_key(|callee| callee.name_range.start);
        callees
    }
}

impl Hierarchy<'_> {
    /// What calls of a file can mean. Every file is gone through once at most, for all of them together.
    fn callees<'c>(&self, file: FileId, calls: impl IntoIterator<Item = &'c Call>) -> Vec<Callee> {
        let answered = calls.into_iter().map(|call| (call, self.meant(file, call)));
        let answered: Vec<(&Call, Vec<FunctionId>)> = answered.collect();
        let left = answered.iter().filter(|(_, meant)| meant.is_empty());
        let mut named: HashMap<&str, Vec<FunctionId>> = left.map(|(call, _)| (&*call.name, Vec::new())).collect();
        self.find_named(file, &mut named);
        let callees = answered.into_iter().filter_map(|(call, meant)| {
            let is_resolved = !meant.is_empty();
            let candidates = if is_resolved {
                meant
            } else {
                named.get(&*call.name).filter(|found| !found.is_empty())?.clone()
            };
            Some(Callee {
                name_range: call.name_range.clone(),
                range: call.range.clone(),
                caller: call.function.and_then(|index| self.id(file, index)),
                candidates,
                is_resolved,
            })
        });
        callees.collect()
    }

    fn meant(&self, file: FileId, call: &Call) -> Vec<FunctionId> {
        let Some(found) = self.workspace.file(file) else {
            return Vec::new();
        };
        let definition = call
            .function
            .and_then(|index| found.facts.definitions.get(index as usize));
        // A function within a method sees its `self`.
        let mut parent = definition.map_or(Parent::File, |definition| definition.parent);
        for _ in 0..8 {
            let Parent::Function(outer) = parent else { break };
            parent = found
                .facts
                .definitions
                .get(outer as usize)
                .map_or(Parent::File, |outer| outer.parent);
        }
        let own_class = match parent {
            Parent::Class(class) => Some((file, class)),
            _ => None,
        };
        match (call.receiver.as_deref(), own_class) {
            (Some("self" | "cls" | "this" | "Self"), Some(class)) => self.method(class, &call.name, 0),
            (Some("super()"), Some(class)) => self.method(class, &call.name, 1),
            (Some(receiver), _) => {
                let (receiver, is_instance) = match receiver.split_once('(') {
                    Some((class, _)) => (class, true),
                    None => (receiver, false),
                };
                match self.resolve(file, parent, receiver, 32) {
                    Meaning::Class(class) => self.method(class, &call.name, 0),
                    Meaning::Module(module) if !is_instance => {
                        self.called(self.resolve(module, Parent::File, &call.name, 32))
                    }
                    _ => Vec::new(),
                }
            }
            (None, _) => {
                let nested = call.function.map(Parent::Function).unwrap_or(Parent::File);
                match self.last_in(file, nested, &call.name) {
                    Some(index) => self.id(file, index).into_iter().collect(),
                    None => self.called(self.resolve(file, parent, &call.name, 32)),
                }
            }
        }
    }

    fn called(&self, meaning: Meaning) -> Vec<FunctionId> {
        match meaning {
            Meaning::Function(file, index) => self.id(file, index).into_iter().collect(),
            Meaning::Class(class) => self.method(class, "__init__", 0),
            _ => Vec::new(),
        }
    }

    /// The method that a class has under a name, its own or that of the nearest base after the first `skipped` classes.
    fn method(&self, class: ClassId, name: &str, skipped: usize) -> Vec<FunctionId> {
        let lineage = self.lineage(class);
        for class in lineage.order.iter().skip(skipped) {
            let methods = self.methods_of(*class, name);
            if !methods.is_empty() {
                return methods
                    .into_iter()
                    .filter_map(|index| self.id(class.0, index))
                    .collect();
            }
        }
        Vec::new()
    }

    /// Fills in all functions of these names: those of the same file first, then by path.
    fn find_named(&self, file: FileId, named: &mut HashMap<&str, Vec<FunctionId>>) {
        let Some(language) = self.workspace.file(file).map(|file| file.language) else {
            return;
        };
        if named.is_empty() {
            return;
        }
        let of_language = self
            .workspace
            .all_files()
            .filter(|(_, other)| other.language == language);
        for (id, other) in of_language {
            for definition in &other.facts.definitions {
                if let Some(found) = named.get_mut(&*definition.name) {
                    let key = definition.key;
                    found.push(FunctionId { file: id, key });
                }
            }
        }
        let place = |id: &FunctionId| {
            (
                id.file != file,
                self.workspace.file(id.file).map(|file| &file.path),
                *id,
            )
        };
        for found in named.values_mut() {
            found.sort_by_key(place);
            found.truncate(MOST_CANDIDATES);
        }
    }

    /// The name of a function in questions to the workspace.
    pub(crate) fn id(&self, file: FileId, index: u32) -> Option<FunctionId> {
        let definition = self.workspace.file(file)?.facts.definitions.get(index as usize)?;
        Some(FunctionId {
            file,
            key: definition.key,
        })
    }
}
