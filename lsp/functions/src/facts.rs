//! What one file says by itself: its functions, classes, imported names and written span names. Nothing here knows
//! another file, so a file is read again only when its own text changes.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Everything that is known about one file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Functions and methods, in the order of the text.
    pub definitions: Vec<Definition>,
    /// Classes (and what stands for them in other languages), in the order of the text.
    pub classes: Vec<Class>,
    /// Names that the file takes from elsewhere or gives to something else. Python only.
    pub bindings: Vec<Binding>,
    /// Places where the name of a span is written.
    pub literals: Vec<Literal>,
    /// Whether the file is meant to be run: it compares `__name__` with `"__main__"`. Python only.
    pub is_script: bool,
}

/// Where something is defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Parent {
    /// At the top of the file.
    File,
    /// In a class, by its place in [`Facts::classes`].
    Class(u32),
    /// In a function, by its place in [`Facts::definitions`].
    Function(u32),
}

/// A function or method, as written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// Its own name, without class.
    pub name: Box<str>,
    /// What it is defined in.
    pub parent: Parent,
    /// Bytes of the name.
    pub name_range: Range<u32>,
    /// Bytes of the whole definition, with its decorators or attributes.
    pub range: Range<u32>,
    /// Line of the name, from 0.
    pub line: u32,
    /// First line of the definition with its decorators, and its last line, from 0.
    pub lines: (u32, u32),
    /// Hash of decorators, parameters and body. Comments, layout and the docstring do not count. It is the same on every
    /// machine, and changes only with the version of the grammar.
    pub body: u64,
    /// Names this function among those of the file, and stays the same while others are edited.
    pub key: u64,
    /// Decorators as dotted names, without arguments, from the top. Python only.
    pub decorators: Box<[Box<str>]>,
    /// Whether it stands below an `if`, a `try` or a loop, so that another definition of the name can be the one that is.
    pub is_conditional: bool,
    /// Whether it calls on a base class: `super()`, or `Base.same_name(…)`. Python only.
    pub calls_base: bool,
}

/// A class; in Rust the type of an `impl`, in Go the type of a receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Class {
    /// Its own name.
    pub name: Box<str>,
    /// What it is defined in.
    pub parent: Parent,
    /// Bytes of the name.
    pub name_range: Range<u32>,
    /// Line of the name, from 0.
    pub line: u32,
    /// Base classes as dotted names. Python only.
    pub bases: Box<[Box<str>]>,
    /// Metaclass as a dotted name. Python only.
    pub metaclass: Option<Box<str>>,
}

/// A name of a Python file that stands for something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Binding {
    /// `import module as name`, or `import name.more`, which binds `name` alone.
    Module {
        /// The name in this file.
        name: Box<str>,
        /// Dotted.
        module: Box<str>,
    },
    /// `from module import original as name`.
    From {
        /// The name in this file.
        name: Box<str>,
        /// Dotted; leading dots are relative.
        module: Box<str>,
        /// The name there.
        original: Box<str>,
    },
    /// `from module import *`.
    Star {
        /// Dotted; leading dots are relative.
        module: Box<str>,
    },
    /// `name = target`, at the top of the file.
    Alias {
        /// The name in this file.
        name: Box<str>,
        /// Dotted.
        target: Box<str>,
    },
}

/// A place where the name of a span is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Literal {
    /// The name, cut where a value is put in: `["ticket_", ""]` for `f"ticket_{n}"`. One part is the whole name.
    pub parts: Box<[Box<str>]>,
    /// Bytes of the written name, or of the function's name if the span takes that.
    pub range: Range<u32>,
    /// Its line, from 0.
    pub line: u32,
    /// The function that makes the span or is the span, by its place in [`Facts::definitions`].
    pub function: Option<u32>,
    /// How the span is made.
    pub kind: LiteralKind,
}

/// How a written span is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LiteralKind {
    /// Every call of the function is the span: a decorator, attribute or annotation.
    Whole,
    /// The span is made inside the function.
    Inside,
}

/// A call, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Name of what is called, without receiver.
    pub name: Box<str>,
    /// What stands before the name, where it is plain: `self`, `super()`, `engine`, `module.Class`.
    pub receiver: Option<Box<str>>,
    /// Bytes of the name.
    pub name_range: Range<u32>,
    /// Bytes of the whole call.
    pub range: Range<u32>,
    /// The function that it stands in, by its place in [`Facts::definitions`].
    pub function: Option<u32>,
}

/// More enclosing definitions than any program has; names are cut there.
const DEEPEST: usize = 32;

impl Facts {
    /// The class that a definition is a method of.
    pub fn class_of(&self, definition: &Definition) -> Option<&Class> {
        match definition.parent {
            Parent::Class(class) => self.classes.get(class as usize),
            _ => None,
        }
    }

    /// The names from the top of the file down to the definition, joined by dots.
    pub fn qualified_name(&self, definition: &Definition) -> String {
        self.qualified(&definition.name, definition.parent)
    }

    /// The names from the top of the file down to the class, joined by dots.
    pub fn qualified_class_name(&self, class: &Class) -> String {
        self.qualified(&class.name, class.parent)
    }

    pub(crate) fn qualified(&self, name: &str, mut parent: Parent) -> String {
        let mut names = vec![name];
        while names.len() < DEEPEST {
            let next = match parent {
                Parent::File => None,
                Parent::Class(class) => self
                    .classes
                    .get(class as usize)
                    .map(|class| (&class.name, class.parent)),
                Parent::Function(function) => {
                    let found = self.definitions.get(function as usize);
                    found.map(|function| (&function.name, function.parent))
                }
            };
            let Some((name, above)) = next else { break };
            names.push(name);
            parent = above;
        }
        names.reverse();
        names.join(".")
    }

    /// The innermost definition that holds a byte.
    pub fn definition_at(&self, offset: u32) -> Option<(u32, &Definition)> {
        let before = self
            .definitions
            .partition_point(|definition| definition.range.start <= offset);
        let mut found = before.checked_sub(1)?;
        loop {
            let definition = self.definitions.get(found)?;
            if offset < definition.range.end || (offset == definition.range.end && definition.range.start < offset) {
                return Some((u32::try_from(found).ok()?, definition));
            }
            found = found.checked_sub(1)?;
        }
    }
}

impl Literal {
    /// The whole name, where nothing is put in.
    pub fn name(&self) -> Option<&str> {
        match &*self.parts {
            [name] => Some(name),
            _ => None,
        }
    }

    /// The name as it is shown: `ticket_{}`.
    pub fn shown(&self) -> String {
        self.parts.join("{}")
    }

    /// Whether a span's name can come from here.
    pub fn fits(&self, name: &str) -> bool {
        let [first, between @ .., last] = &*self.parts else {
            return self.name() == Some(name);
        };
        // A name of which next to nothing is written would fit every span.
        if self.parts.iter().map(|part| part.len()).sum::<usize>() < 3 {
            return false;
        }
        let Some(mut rest) = name.strip_prefix(&**first).and_then(|rest| rest.strip_suffix(&**last)) else {
            return false;
        };
        for part in between {
            match rest.split_once(&**part) {
                Some((_, after)) => rest = after,
                None => return false,
            }
        }
        true
    }
}
