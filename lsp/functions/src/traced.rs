//! Why the calls of a function make spans.

use serde::{Deserialize, Serialize};

use crate::facts::{Definition, Parent};
use crate::flock;
use crate::hierarchy::{FURTHEST, Hierarchy};
use crate::language::Language;
use crate::names::Meaning;
use crate::workspace::{File, FileId, Workspace};

/// Why the calls of a function make spans.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Traced {
    /// It is a public method of a class that Flock traces.
    Metaclass {
        /// The class that it has the metaclass from: its own, or the nearest base that says so.
        from: String,
        /// Whether `@traced_and_logged` is on it too, which makes two spans of every call.
        twice: bool,
    },
    /// `@traced_and_logged`.
    Decorator,
    /// A decorator, attribute or annotation of OpenTelemetry or `tracing`, with the span's name.
    Span(String),
    /// It makes spans of these names inside.
    Inside(Vec<String>),
}

impl Traced {
    /// Whether every call of the function is a span.
    pub fn is_whole(&self) -> bool {
        !matches!(self, Self::Inside(_))
    }
}

impl<'a> Hierarchy<'a> {
    /// Whether the calls of a function make spans.
    pub(crate) fn traced(&self, id: FileId, index: u32) -> Option<Traced> {
        let file = self.workspace.file(id)?;
        let definition = file.facts.definitions.get(index as usize)?;
        if file.language == Language::Python
            && let Some(traced) = self.traced_by_flock(id, file, index, definition)
        {
            return Some(traced);
        }
        if let Some(literal) = Workspace::whole_literals(file, index).next() {
            return Some(Traced::Span(literal.shown()));
        }
        let inside = file
            .facts
            .literals
            .iter()
            .filter(|literal| literal.function == Some(index));
        let names: Vec<_> = inside.map(|literal| literal.shown()).collect();
        (!names.is_empty()).then_some(Traced::Inside(names))
    }

    fn traced_by_flock(&self, id: FileId, file: &'a File, index: u32, definition: &'a Definition) -> Option<Traced> {
        let has = |wanted: &str| {
            definition
                .decorators
                .iter()
                .any(|name| self.is_of_flock(id, name, wanted))
        };
        let decorated = has(flock::DECORATOR);
        let by_metaclass = || {
            let Parent::Class(class) = definition.parent else {
                return None;
            };
            if flock::is_private(&definition.name)
                || definition.decorators.iter().any(|name| flock::makes_uncallable(name))
            {
                return None;
            }
            let from = self.lineage((id, class)).traced_from.clone()?;
            (!has(flock::SKIP) && self.is_what_remains(id, &file.facts, definition, index)).then_some(from)
        };
        match by_metaclass() {
            Some(from) => Some(Traced::Metaclass { from, twice: decorated }),
            None => decorated.then_some(Traced::Decorator),
        }
    }

    /// Whether a decorator is the named one of Flock. One that nothing is known about is taken by its name.
    fn is_of_flock(&self, file: FileId, decorator: &str, wanted: &str) -> bool {
        let last = |dotted: &str| dotted.rsplit('.').next().map(ToOwned::to_owned);
        match self.resolve(file, Parent::File, decorator, FURTHEST) {
            Meaning::Function(file, index) => {
                let Some(file) = self.workspace.file(file) else {
                    return false;
                };
                let name = file.facts.definitions.get(index as usize).map(|found| &*found.name);
                wanted.rsplit_once('.').is_some_and(|(module, function)| {
                    name == Some(function) && self.workspace.module_of(file) == module
                })
            }
            Meaning::Outside(dotted) => flock::is(&dotted, wanted),
            Meaning::Unknown => last(decorator) == last(wanted),
            Meaning::Module(_) | Meaning::Class(_) => false,
        }
    }
}
