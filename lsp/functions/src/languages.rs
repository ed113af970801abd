//! What the nodes of each language's syntax tree mean.

use std::sync::OnceLock;

use tree_sitter::Node;

use crate::language::Language;
use crate::reading::Reader;

mod go;
mod java;
mod javascript;
mod python;
mod rust;

/// What a kind of node means to us. Most mean nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    Nothing,
    /// A definition with the decorators above it.
    Decorated,
    /// A decorator, attribute or annotation that stands beside what it decorates.
    Decorator,
    /// Something that a decorator can stand above and that is no function.
    Undecorated,
    Function,
    /// A name that is given a function, if the value is one.
    NamedValue,
    Class,
    Call,
    Macro,
    Import,
    ImportFrom,
    Assignment,
    If,
    /// Something other than `if` below which a definition may be one of several.
    Condition,
    /// A block without brackets, whose bounds count.
    Block,
}

/// The meaning of every kind of node of a language, by the number of the kind.
pub(crate) fn meanings(language: Language) -> &'static [Syntax] {
    static ALL: [OnceLock<Vec<Syntax>>; Language::ALL.len()] = [const { OnceLock::new() }; Language::ALL.len()];
    let Some(place) = ALL.get(language as usize) else {
        return &[];
    };
    place.get_or_init(|| {
        let grammar = language.grammar();
        let meaning = match language {
            Language::Python => python::meaning,
            Language::Rust => rust::meaning,
            Language::TypeScript | Language::JavaScript => javascript::meaning,
            Language::Go => go::meaning,
            Language::Java => java::meaning,
        };
        let count = u16::try_from(grammar.node_kind_count()).unwrap_or(u16::MAX);
        // A keyword can have the name of a rule: `class` in Java.
        let of_kind = |id| match grammar.node_kind_for_id(id) {
            Some(kind) if grammar.node_kind_is_named(id) => meaning(kind),
            _ => Syntax::Nothing,
        };
        (0..count).map(of_kind).collect()
    })
}

/// Takes a node in, before those below it.
pub(crate) fn enter<'t>(language: Language, reader: &mut Reader<'t>, syntax: Syntax, node: Node<'t>) {
    match language {
        Language::Python => python::enter(reader, syntax, node),
        Language::Rust => rust::enter(reader, syntax, node),
        Language::TypeScript | Language::JavaScript => javascript::enter(reader, syntax, node),
        Language::Go => go::enter(reader, syntax, node),
        Language::Java => java::enter(reader, syntax, node),
    }
}

/// What a string between plain quotes says; none where an escape would have to be worked out.
fn quoted<'t>(reader: &Reader<'t>, node: Node<'_>) -> Option<&'t str> {
    let text = reader.text(node);
    let quote = text.chars().next().filter(|quote| matches!(quote, '"' | '\'' | '`'))?;
    let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
    (!inner.contains('\\') && !inner.is_empty()).then_some(inner)
}

/// The first argument of a call, after as many others.
fn argument<'t>(call: Node<'t>, skipped: usize) -> Option<Node<'t>> {
    let arguments = call.child_by_field_name("arguments")?;
    let mut cursor = arguments.walk();
    arguments
        .named_children(&mut cursor)
        .filter(|child| !child.is_extra())
        .nth(skipped)
}
