//! What a call can mean.

use crate::facts::{Call, Parent};
use crate::hierarchy::{ClassId, Hierarchy};
use crate::names::Meaning;
use crate::workspace::{Callee, FileId, FunctionId};

/// More functions of one name say nothing.
const MOST_CANDIDATES: usize = 50;

impl Hierarchy<'_> {
    /// The functions that a call can mean.
    pub(crate) fn callee(&self, file: FileId, call: &Call) -> Option<Callee> {
        let (candidates, is_resolved) = match self.meant(file, call) {
            found if !found.is_empty() => (found, true),
            _ => (self.named(file, &call.name), false),
        };
        let answer = Callee {
            name_range: call.name_range.clone(),
            candidates,
            is_resolved,
        };
        (!answer.candidates.is_empty()).then_some(answer)
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
                let inner = (0..).zip(&found.facts.definitions);
                let inner = inner.filter(|(_, inner)| inner.parent == nested && *inner.name == *call.name);
                match inner.last() {
                    Some((index, _)) => self.id(file, index).into_iter().collect(),
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

    /// All functions of a name: those of the same file first, then by path.
    fn named(&self, file: FileId, name: &str) -> Vec<FunctionId> {
        let language = self.workspace.file(file).map(|file| file.language);
        let mut found = Vec::new();
        for (id, other) in self
            .workspace
            .all_files()
            .filter(|(_, other)| Some(other.language) == language)
        {
            for definition in other
                .facts
                .definitions
                .iter()
                .filter(|definition| *definition.name == *name)
            {
                let key = definition.key;
                found.push((id != file, &other.path, FunctionId { file: id, key }));
            }
        }
        found.sort();
        found.truncate(MOST_CANDIDATES);
        found.into_iter().map(|(_, _, id)| id).collect()
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
