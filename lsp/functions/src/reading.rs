//! Reads one file: walks its syntax tree once and writes down the facts. What the nodes mean is said by the modules of
//! [`crate::languages`]; what all languages share is here: nesting, hashes, keys.

use std::collections::HashMap;
use std::hash::Hasher;
use std::ops::Range;

use fnv::FnvHasher;
use tree_sitter::{Node, Tree};

use crate::facts::{Binding, Call, Class, Definition, Facts, Literal, LiteralKind, Parent};
use crate::language::Language;
use crate::languages::{self, Syntax};

/// Facts of a text, and its calls if they are wanted.
pub(crate) fn read(language: Language, text: &str, tree: &Tree, with_calls: bool) -> (Facts, Vec<Call>) {
    let mut reader = Reader::new(text, with_calls);
    let meanings = languages::meanings(language);
    let mut cursor = tree.walk();
    // Iterative, since a text can nest as deep as it is long.
    loop {
        let node = cursor.node();
        // A comment can have parts, which are no code either.
        let is_code = !node.is_extra() || node.is_error();
        match meanings.get(usize::from(node.kind_id())) {
            Some(Syntax::Nothing) | None => {}
            Some(syntax) => languages::enter(language, &mut reader, *syntax, node),
        }
        if is_code && cursor.goto_first_child() {
            continue;
        }
        if is_code {
            reader.leaf(node);
        }
        reader.leave(node);
        loop {
            if cursor.goto_next_sibling() {
                break;
            }
            if !cursor.goto_parent() {
                reader.finish();
                return (reader.facts, reader.calls);
            }
            reader.leave(cursor.node());
        }
    }
}

/// A function as its language's module describes it.
pub(crate) struct NewDefinition<'t> {
    pub(crate) name: Box<str>,
    pub(crate) name_node: Node<'t>,
    /// A class that is not written around it, but named: the receiver in Go.
    pub(crate) class: Option<(Box<str>, Node<'t>)>,
    /// Bytes of the docstring, which do not count for the hash.
    pub(crate) docstring: Range<usize>,
}

impl<'t> NewDefinition<'t> {
    /// A function that only has a name.
    pub(crate) fn named(name: &str, name_node: Node<'t>) -> Self {
        Self {
            name: name.into(),
            name_node,
            class: None,
            docstring: 0..0,
        }
    }
}

/// Decorators that were read before the definition that they stand above.
#[derive(Default)]
pub(crate) struct Decorations<'t> {
    pub(crate) start: Option<(u32, u32)>,
    pub(crate) nodes: Vec<Node<'t>>,
    pub(crate) names: Vec<Box<str>>,
    pub(crate) literals: Vec<Literal>,
}

/// An open function, class or condition.
struct Frame {
    node: usize,
    kind: FrameKind,
}

enum FrameKind {
    Function {
        index: u32,
        hasher: FnvHasher,
        docstring: Range<usize>,
        conditions: u32,
    },
    Class {
        index: u32,
        conditions: u32,
    },
    Condition,
    Block,
}

/// The walk over one file.
pub(crate) struct Reader<'t> {
    text: &'t str,
    facts: Facts,
    calls: Vec<Call>,
    with_calls: bool,
    frames: Vec<Frame>,
    /// Places of the open functions in `frames`, and of the open functions and classes.
    functions: Vec<usize>,
    scopes: Vec<usize>,
    conditions: u32,
    keys: HashMap<(Parent, Box<str>), u32>,
    parent_keys: (Vec<u64>, Vec<u64>),
    named_classes: HashMap<Box<str>, u32>,
    pub(crate) decorations: Decorations<'t>,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str, with_calls: bool) -> Self {
        Self {
            text,
            facts: Facts::default(),
            calls: Vec::new(),
            with_calls,
            frames: Vec::new(),
            functions: Vec::new(),
            scopes: Vec::new(),
            conditions: 0,
            keys: HashMap::new(),
            parent_keys: (Vec::new(), Vec::new()),
            named_classes: HashMap::new(),
            decorations: Decorations::default(),
        }
    }

    fn leave(&mut self, node: Node<'t>) {
        while self.frames.last().is_some_and(|frame| frame.node == node.id()) {
            let Some(frame) = self.frames.pop() else { return };
            match frame.kind {
                FrameKind::Function {
                    index,
                    hasher,
                    conditions,
                    ..
                } => {
                    self.functions.pop();
                    self.scopes.pop();
                    let hash = hasher.finish();
                    if let Some(definition) = self.facts.definitions.get_mut(index as usize) {
                        definition.body = hash;
                    }
                    self.conditions = conditions;
                    // A function within a function counts for the outer one as one token.
                    self.hash(&hash.to_le_bytes());
                }
                FrameKind::Class { conditions, .. } => {
                    self.scopes.pop();
                    self.conditions = conditions;
                }
                FrameKind::Condition => self.conditions = self.conditions.saturating_sub(1),
                FrameKind::Block => self.hash(b"}"),
            }
        }
    }

    fn finish(&mut self) {
        while let Some(frame) = self.frames.pop() {
            if let FrameKind::Function { index, hasher, .. } = frame.kind
                && let Some(definition) = self.facts.definitions.get_mut(index as usize)
            {
                definition.body = hasher.finish();
            }
        }
    }

    fn leaf(&mut self, node: Node<'t>) {
        let Some(FrameKind::Function { docstring, .. }) = self.innermost_function() else {
            return;
        };
        if docstring.contains(&node.start_byte()) {
            return;
        }
        let token = self.text(node);
        self.hash(token.as_bytes());
    }

    fn innermost_function(&self) -> Option<&FrameKind> {
        let frame = self.frames.get(*self.functions.last()?)?;
        Some(&frame.kind)
    }

    fn hash(&mut self, token: &[u8]) {
        let frame = self.functions.last().and_then(|at| self.frames.get_mut(*at));
        if let Some(FrameKind::Function { hasher, .. }) = frame.map(|frame| &mut frame.kind) {
            write_token(hasher, token);
        }
    }

    /// The tokens of a node that the walk is not in. Comments do not count.
    fn hash_tokens(&self, node: Node<'t>, hasher: &mut FnvHasher) {
        let mut cursor = node.walk();
        loop {
            let node = cursor.node();
            let is_code = !node.is_extra() || node.is_error();
            if is_code && cursor.goto_first_child() {
                continue;
            }
            if is_code {
                write_token(hasher, self.text(node).as_bytes());
            }
            while !cursor.goto_next_sibling() {
                if !cursor.goto_parent() {
                    return;
                }
            }
        }
    }

    /// The text of a node; empty where a broken tree names bytes that are not there.
    pub(crate) fn text(&self, node: Node<'_>) -> &'t str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }

    /// A piece of the text; empty where it does not exist.
    pub(crate) fn slice(&self, range: Range<usize>) -> &'t str {
        self.text.get(range).unwrap_or_default()
    }

    /// The name of the open class.
    pub(crate) fn class_name(&self) -> Option<&str> {
        match self.parent() {
            Parent::Class(class) => self.facts.classes.get(class as usize).map(|class| &*class.name),
            _ => None,
        }
    }

    /// What is open: the function or class that the walk is in.
    pub(crate) fn parent(&self) -> Parent {
        let innermost = self.scopes.last().and_then(|at| self.frames.get(*at));
        match innermost.map(|frame| &frame.kind) {
            Some(FrameKind::Function { index, .. }) => Parent::Function(*index),
            Some(FrameKind::Class { index, .. }) => Parent::Class(*index),
            _ => Parent::File,
        }
    }

    /// The innermost open function.
    pub(crate) fn function(&self) -> Option<u32> {
        match self.innermost_function() {
            Some(FrameKind::Function { index, .. }) => Some(*index),
            _ => None,
        }
    }

    /// The name of the innermost open function.
    pub(crate) fn function_name(&self) -> Option<&str> {
        let definition = self.facts.definitions.get(self.function()? as usize)?;
        Some(&definition.name)
    }

    /// The method that the walk is in, and the functions within it, call on a base class.
    pub(crate) fn calls_base(&mut self) {
        let Self {
            scopes, frames, facts, ..
        } = self;
        for frame in scopes.iter().rev().filter_map(|at| frames.get(*at)) {
            let FrameKind::Function { index, .. } = frame.kind else {
                return;
            };
            if let Some(definition) = facts.definitions.get_mut(index as usize) {
                // Those further out were marked together with this one.
                if std::mem::replace(&mut definition.calls_base, true) {
                    return;
                }
            }
        }
    }

    /// Opens a function, which takes the decorations that were read before it. Returns its place.
    pub(crate) fn open_definition(&mut self, node: Node<'t>, new: NewDefinition<'t>) -> u32 {
        let decorations = std::mem::take(&mut self.decorations);
        let parent = match new.class {
            Some((name, name_node)) => Parent::Class(self.named_class(name, name_node)),
            None => self.parent(),
        };
        let index = place(self.facts.definitions.len());
        let key = self.key(parent, &new.name);
        let start = decorations.start;
        self.parent_keys.0.push(key);
        self.facts.definitions.push(Definition {
            name: new.name,
            parent,
            name_range: range(new.name_node),
            range: start.map_or(place(node.start_byte()), |(byte, _)| byte)..place(node.end_byte()),
            line: place(new.name_node.start_position().row),
            lines: (
                start.map_or(place(node.start_position().row), |(_, line)| line),
                place(node.end_position().row),
            ),
            body: 0,
            key,
            is_conditional: self.conditions > 0,
            calls_base: false,
            decorators: decorations.names.into(),
        });
        let mut hasher = FnvHasher::default();
        for decoration in decorations.nodes {
            self.hash_tokens(decoration, &mut hasher);
        }
        for mut literal in decorations.literals {
            literal.function = Some(index);
            self.facts.literals.push(literal);
        }
        self.functions.push(self.frames.len());
        self.scopes.push(self.frames.len());
        self.frames.push(Frame {
            node: node.id(),
            kind: FrameKind::Function {
                index,
                hasher,
                docstring: new.docstring,
                conditions: std::mem::take(&mut self.conditions),
            },
        });
        index
    }

    /// Opens a class.
    pub(crate) fn open_class(
        &mut self,
        node: Node<'t>,
        name: Node<'t>,
        bases: Vec<Box<str>>,
        metaclass: Option<Box<str>>,
    ) {
        self.decorations = Decorations::default();
        let index = self.add_class(self.text(name).into(), name, bases, metaclass);
        self.open_class_at(node, index);
    }

    /// Opens a class that can have been opened before: a Rust type with several `impl` blocks.
    pub(crate) fn open_named_class(&mut self, node: Node<'t>, name: Box<str>, name_node: Node<'t>) {
        let index = self.named_class(name, name_node);
        self.open_class_at(node, index);
    }

    fn open_class_at(&mut self, node: Node<'t>, index: u32) {
        self.scopes.push(self.frames.len());
        self.frames.push(Frame {
            node: node.id(),
            kind: FrameKind::Class {
                index,
                conditions: std::mem::take(&mut self.conditions),
            },
        });
    }

    fn named_class(&mut self, name: Box<str>, name_node: Node<'t>) -> u32 {
        if let Some(index) = self.named_classes.get(&name) {
            return *index;
        }
        let index = self.add_class(name.clone(), name_node, Vec::new(), None);
        self.named_classes.insert(name, index);
        index
    }

    fn add_class(
        &mut self,
        name: Box<str>,
        name_node: Node<'t>,
        bases: Vec<Box<str>>,
        metaclass: Option<Box<str>>,
    ) -> u32 {
        let parent = self.parent();
        let index = place(self.facts.classes.len());
        let key = self.key(parent, &name);
        self.parent_keys.1.push(key);
        self.facts.classes.push(Class {
            name,
            parent,
            name_range: range(name_node),
            line: place(name_node.start_position().row),
            bases: bases.into(),
            metaclass,
        });
        index
    }

    /// Names a definition by the names above it and how many of the name came before.
    fn key(&mut self, parent: Parent, name: &str) -> u64 {
        let above = match parent {
            Parent::File => 0,
            Parent::Class(index) => self.parent_keys.1.get(index as usize).copied().unwrap_or(0),
            Parent::Function(index) => self.parent_keys.0.get(index as usize).copied().unwrap_or(0),
        };
        let earlier = self.keys.entry((parent, name.into())).or_insert(0);
        let mut hasher = FnvHasher::default();
        hasher.write(&above.to_le_bytes());
        hasher.write(name.as_bytes());
        hasher.write(&earlier.to_le_bytes());
        *earlier += 1;
        hasher.finish()
    }

    /// Opens a condition: what is defined in it may be one of several.
    pub(crate) fn open_condition(&mut self, node: Node<'t>) {
        self.conditions += 1;
        self.frames.push(Frame {
            node: node.id(),
            kind: FrameKind::Condition,
        });
    }

    /// Opens a block, whose bounds count for the hash where the language has no brackets.
    pub(crate) fn open_block(&mut self, node: Node<'t>) {
        self.hash(b"{");
        self.frames.push(Frame {
            node: node.id(),
            kind: FrameKind::Block,
        });
    }

    /// Writes down a name from elsewhere.
    pub(crate) fn bind(&mut self, binding: Binding) {
        self.facts.bindings.push(binding);
    }

    /// The file is meant to be run.
    pub(crate) fn is_script(&mut self) {
        self.facts.is_script = true;
    }

    /// Writes down a span that is made in the open function.
    pub(crate) fn literal(&mut self, parts: Vec<Box<str>>, node: Node<'t>, kind: LiteralKind) {
        let function = self.function();
        self.facts.literals.push(literal(parts, node, function, kind));
    }

    /// Writes down a call.
    pub(crate) fn call(&mut self, node: Node<'t>, name: Node<'t>, receiver: Option<Node<'t>>) {
        if !self.with_calls {
            return;
        }
        let plain = receiver.map(|receiver| self.text(receiver));
        let plain = plain.filter(|text| text.len() <= 100 && !text.contains(['\n', '[', '{', '"', '\'']));
        let call = Call {
            name: self.text(name).into(),
            receiver: plain.map(Into::into),
            name_range: range(name),
            range: range(node),
            function: self.function(),
        };
        self.calls.push(call);
    }
}

/// A string over several lines is the same whatever ends its lines.
fn write_token(hasher: &mut FnvHasher, token: &[u8]) {
    for piece in token.split(|byte| *byte == b'\r') {
        hasher.write(piece);
    }
    hasher.write(&[0]);
}

/// A literal at a node.
pub(crate) fn literal(parts: Vec<Box<str>>, node: Node<'_>, function: Option<u32>, kind: LiteralKind) -> Literal {
    Literal {
        parts: parts.into(),
        range: range(node),
        line: place(node.start_position().row),
        function,
        kind,
    }
}

/// Bytes of a node.
pub(crate) fn range(node: Node<'_>) -> Range<u32> {
    place(node.start_byte())..place(node.end_byte())
}

/// Offsets and places fit: no file of more than [`crate::workspace::LARGEST_FILE`] is read.
pub(crate) fn place(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
