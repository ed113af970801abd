//! Rust: functions and `impl` blocks, `#[instrument]`, the span macros of `tracing`, and tracers of OpenTelemetry.

use tree_sitter::Node;

use super::{Syntax, argument, quoted};
use crate::facts::LiteralKind;
use crate::reading::{NewDefinition, Reader, literal, place};

/// What a kind of node means.
pub(crate) fn meaning(kind: &str) -> Syntax {
    match kind {
        "function_item" => Syntax::Function,
        "impl_item" | "trait_item" => Syntax::Class,
        "attribute_item" => Syntax::Decorator,
        "macro_invocation" => Syntax::Macro,
        "call_expression" => Syntax::Call,
        "struct_item"
        | "enum_item"
        | "union_item"
        | "mod_item"
        | "use_declaration"
        | "const_item"
        | "static_item"
        | "type_item"
        | "macro_definition"
        | "let_declaration"
        | "expression_statement"
        | "field_declaration"
        | "function_signature_item" => Syntax::Undecorated,
        _ => Syntax::Nothing,
    }
}

/// Takes a node in.
pub(crate) fn enter<'t>(reader: &mut Reader<'t>, syntax: Syntax, node: Node<'t>) {
    match syntax {
        Syntax::Function => function(reader, node),
        Syntax::Class => class(reader, node),
        Syntax::Decorator => attribute(reader, node),
        Syntax::Macro => macro_call(reader, node),
        Syntax::Call => call(reader, node),
        _ => reader.decorations = Default::default(),
    }
}

fn function<'t>(reader: &mut Reader<'t>, node: Node<'t>) {
    let Some(name_node) = node.child_by_field_name("name") else {
        return;
    };
    let name = reader.text(name_node);
    for literal in &mut reader.decorations.literals {
        // `#[instrument]` without a name takes that of the function.
        if literal.parts.is_empty() {
            literal.parts = [name.into()].into();
        }
    }
    reader.open_definition(node, NewDefinition::named(name, name_node));
}

fn class<'t>(reader: &mut Reader<'t>, node: Node<'t>) {
    let field = if node.kind() == "trait_item" { "name" } else { "type" };
    let Some(mut name) = node.child_by_field_name(field) else {
        return;
    };
    // `Vec<T>` is `Vec`, `module::Type` is `Type`.
    while let Some(inner) = name
        .child_by_field_name("type")
        .or_else(|| name.child_by_field_name("name"))
    {
        name = inner;
    }
    reader.open_named_class(node, reader.text(name).into(), name);
}

fn attribute<'t>(reader: &mut Reader<'t>, node: Node<'t>) {
    reader
        .decorations
        .start
        .get_or_insert((place(node.start_byte()), place(node.start_position().row)));
    reader.decorations.nodes.push(node);
    let Some(attribute) = node.named_child(0).filter(|child| child.kind() == "attribute") else {
        return;
    };
    let path = attribute.named_child(0).map_or("", |path| reader.text(path));
    if path.rsplit("::").next().map(str::trim) != Some("instrument") {
        return;
    }
    let arguments = attribute.child_by_field_name("arguments");
    let named = arguments.and_then(|arguments| string_after(reader, arguments, "name"));
    let found = match named {
        Some((name, at)) => literal(vec![name.into()], at, None, LiteralKind::Whole),
        None => literal(Vec::new(), attribute, None, LiteralKind::Whole),
    };
    reader.decorations.literals.push(found);
}

/// The string in `key = "…"` among the tokens of a macro or attribute.
fn string_after<'t>(reader: &Reader<'t>, tokens: Node<'t>, key: &str) -> Option<(&'t str, Node<'t>)> {
    let mut cursor = tokens.walk();
    let mut last = ["", ""];
    for token in tokens.children(&mut cursor) {
        if token.kind() == "string_literal" && last == [key, "="] {
            return Some((quoted(reader, token)?, token));
        }
        last = [last[1], reader.text(token)];
    }
    None
}

/// The macros that make a span.
const SPANS: [&str; 6] = [
    "span",
    "trace_span",
    "debug_span",
    "info_span",
    "warn_span",
    "error_span",
];

fn macro_call<'t>(reader: &mut Reader<'t>, node: Node<'t>) {
    let Some(name) = node.child_by_field_name("macro") else {
        return;
    };
    if !SPANS.contains(&reader.text(name).rsplit("::").next().unwrap_or_default()) {
        return;
    }
    let mut cursor = node.walk();
    let Some(tokens) = node.children(&mut cursor).find(|child| child.kind() == "token_tree") else {
        return;
    };
    let mut cursor = tokens.walk();
    let mut before = "";
    for token in tokens.children(&mut cursor) {
        // In `target: "…"` the string is not the name.
        if token.kind() == "string_literal" && before != ":" {
            if let Some(name) = quoted(reader, token) {
                reader.literal(vec![name.into()], token, LiteralKind::Inside);
            }
            return;
        }
        before = reader.text(token);
    }
}

fn call<'t>(reader: &mut Reader<'t>, node: Node<'t>) {
    let Some(function) = node.child_by_field_name("function") else {
        return;
    };
    let (name, receiver) = match function.kind() {
        "identifier" => (Some(function), None),
        "scoped_identifier" => (
            function.child_by_field_name("name"),
            function.child_by_field_name("path"),
        ),
        "field_expression" => (
            function.child_by_field_name("field"),
            function.child_by_field_name("value"),
        ),
        _ => return,
    };
    let Some(name) = name else { return };
    let is_tracer = receiver.is_some_and(|receiver| reader.text(receiver).contains("tracer"));
    if is_tracer
        && matches!(
            reader.text(name),
            "start" | "start_with_context" | "span_builder" | "in_span" | "build"
        )
        && let Some(string) = argument(node, 0).filter(|argument| argument.kind() == "string_literal")
        && let Some(text) = quoted(reader, string)
    {
        reader.literal(vec![text.into()], string, LiteralKind::Inside);
    }
    reader.call(node, name, receiver);
}
