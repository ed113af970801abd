//! JavaScript and TypeScript: functions in all their forms, and the calls of OpenTelemetry that make spans.

use tree_sitter::Node;

use super::{Syntax, argument, quoted};
use crate::facts::LiteralKind;
use crate::reading::{NewDefinition, Reader, literal, place};

/// What a kind of node means.
pub(crate) fn meaning(kind: &str) -> Syntax {
    match kind {
        "function_declaration" | "generator_function_declaration" | "method_definition" => Syntax::Function,
        "variable_declarator" | "public_field_definition" | "pair" | "assignment_expression" => Syntax::NamedValue,
        "class_declaration" | "abstract_class_declaration" | "class" => Syntax::Class,
        "decorator" => Syntax::Decorator,
        "call_expression" => Syntax::Call,
        _ => Syntax::Nothing,
    }
}

/// Takes a node in.
pub(crate) fn enter<'t>(reader: &mut Reader<'t>, syntax: Syntax, node: Node<'t>) {
    match syntax {
        Syntax::Function => {
            if let Some(name) = node.child_by_field_name("name") {
                open(reader, node, name);
            }
        }
        Syntax::NamedValue => named_value(reader, node),
        Syntax::Class => {
            if let Some(name) = node.child_by_field_name("name") {
                reader.open_class(node, name, Vec::new(), None);
            }
        }
        Syntax::Decorator => decorator(reader, node),
        Syntax::Call => call(reader, node),
        _ => {}
    }
}

fn open<'t>(reader: &mut Reader<'t>, node: Node<'t>, name: Node<'t>) {
    let text = reader.text(name).trim_matches(['"', '\'', '#']);
    for literal in &mut reader.decorations.literals {
        if literal.parts.is_empty() {
            literal.parts = [text.into()].into();
        }
    }
    reader.open_definition(node, NewDefinition::named(text, name));
}

/// `const name = () => …`, `name = function () …` and the like.
fn named_value<'t>(reader: &mut Reader<'t>, node: Node<'t>) {
    let value = node
        .child_by_field_name("value")
        .or_else(|| node.child_by_field_name("right"));
    let is_function = value.is_some_and(|value| {
        matches!(
            value.kind(),
            "arrow_function" | "function_expression" | "generator_function"
        )
    });
    let name = ["name", "key", "left"]
        .into_iter()
        .find_map(|field| node.child_by_field_name(field));
    let name = name.map(|name| name.child_by_field_name("property").unwrap_or(name));
    match name {
        Some(name) if is_function && !matches!(name.kind(), "object_pattern" | "array_pattern") => {
            open(reader, node, name)
        }
        // A decorator above a field is not that of the next method.
        _ => reader.decorations = Default::default(),
    }
}

/// `@Span("name")`, as the OpenTelemetry packages of NestJS have it.
fn decorator<'t>(reader: &mut Reader<'t>, node: Node<'t>) {
    reader
        .decorations
        .start
        .get_or_insert((place(node.start_byte()), place(node.start_position().row)));
    reader.decorations.nodes.push(node);
    let Some(call) = node.named_child(0).filter(|child| child.kind() == "call_expression") else {
        return;
    };
    let name = call
        .child_by_field_name("function")
        .map_or("", |name| reader.text(name));
    if !matches!(name, "Span" | "WithSpan" | "OtelSpan") {
        return;
    }
    let found = match argument(call, 0).and_then(|string| Some((name_of_span(reader, string)?, string))) {
        Some((parts, at)) => literal(parts, at, None, LiteralKind::Whole),
        None => literal(Vec::new(), call, None, LiteralKind::Whole),
    };
    reader.decorations.literals.push(found);
}

/// A string, a template, or the property `name` of an object.
fn name_of_span(reader: &Reader<'_>, node: Node<'_>) -> Option<Vec<Box<str>>> {
    match node.kind() {
        "string" => Some(vec![quoted(reader, node)?.into()]),
        "template_string" => {
            let mut cursor = node.walk();
            let mut parts = Vec::new();
            let mut start = node.start_byte() + 1;
            for gap in node
                .named_children(&mut cursor)
                .filter(|child| child.kind() == "template_substitution")
            {
                parts.push(reader.slice(start..gap.start_byte()).into());
                start = gap.end_byte();
            }
            parts.push(reader.slice(start..node.end_byte().saturating_sub(1)).into());
            Some(parts)
        }
        "object" => {
            let mut cursor = node.walk();
            let mut pairs = node.named_children(&mut cursor).filter(|child| child.kind() == "pair");
            let is_name = |pair: &Node<'_>| {
                pair.child_by_field_name("key")
                    .is_some_and(|key| reader.text(key) == "name")
            };
            let value = pairs.find(is_name)?.child_by_field_name("value")?;
            if value.kind() == "object" {
                None
            } else {
                name_of_span(reader, value)
            }
        }
        _ => None,
    }
}

fn call<'t>(reader: &mut Reader<'t>, node: Node<'t>) {
    let Some(function) = node.child_by_field_name("function") else {
        return;
    };
    let (name, receiver) = match function.kind() {
        "identifier" => (Some(function), None),
        "member_expression" => (
            function.child_by_field_name("property"),
            function.child_by_field_name("object"),
        ),
        _ => return,
    };
    let Some(name) = name else { return };
    if matches!(reader.text(name), "startActiveSpan" | "startSpan" | "startInactiveSpan")
        && let Some(first) = argument(node, 0)
        && let Some(parts) = name_of_span(reader, first)
    {
        reader.literal(parts, first, LiteralKind::Inside);
    }
    reader.call(node, name, receiver);
}
