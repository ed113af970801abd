//! Java: methods of classes, `@WithSpan`, and `spanBuilder("…")`.

use tree_sitter::Node;

use super::{Syntax, argument, quoted};
use crate::facts::LiteralKind;
use crate::reading::{NewDefinition, Reader, literal};

/// What a kind of node means.
pub(crate) fn meaning(kind: &str) -> Syntax {
    match kind {
        "method_declaration" | "constructor_declaration" => Syntax::Function,
        "class_declaration" | "interface_declaration" | "enum_declaration" | "record_declaration" => Syntax::Class,
        "method_invocation" => Syntax::Call,
        _ => Syntax::Nothing,
    }
}

/// Takes a node in.
pub(crate) fn enter<'t>(reader: &mut Reader<'t>, syntax: Syntax, node: Node<'t>) {
    let Some(name) = node.child_by_field_name("name") else {
        return;
    };
    match syntax {
        Syntax::Function => {
            annotations(reader, node, name);
            reader.open_definition(node, NewDefinition::named(reader.text(name), name));
        }
        Syntax::Class => reader.open_class(node, name, Vec::new(), None),
        Syntax::Call => {
            if reader.text(name) == "spanBuilder"
                && let Some(string) = argument(node, 0).filter(|argument| argument.kind() == "string_literal")
                && let Some(text) = quoted(reader, string)
            {
                reader.literal(vec![text.into()], string, LiteralKind::Inside);
            }
            reader.call(node, name, node.child_by_field_name("object"));
        }
        _ => {}
    }
}

/// `@WithSpan("name")`; without a name the span is called `Class.method`.
fn annotations<'t>(reader: &mut Reader<'t>, method: Node<'t>, method_name: Node<'t>) {
    let mut cursor = method.walk();
    let Some(modifiers) = method.children(&mut cursor).find(|child| child.kind() == "modifiers") else {
        return;
    };
    let mut cursor = modifiers.walk();
    for annotation in modifiers.named_children(&mut cursor) {
        let name = annotation
            .child_by_field_name("name")
            .map_or("", |name| reader.text(name));
        if name.rsplit('.').next() != Some("WithSpan") {
            continue;
        }
        let found = match written(annotation).and_then(|string| Some((quoted(reader, string)?, string))) {
            Some((name, at)) => literal(vec![name.into()], at, None, LiteralKind::Whole),
            None => {
                let class = reader.class_name().map(|class| format!("{class}."));
                let name = format!("{}{}", class.unwrap_or_default(), reader.text(method_name));
                literal(vec![name.into()], annotation, None, LiteralKind::Whole)
            }
        };
        reader.decorations.literals.push(found);
    }
}

/// The string in `("name")` or `(value = "name")`.
fn written(annotation: Node<'_>) -> Option<Node<'_>> {
    let first = argument(annotation, 0)?;
    let value = if first.kind() == "element_value_pair" {
        first.child_by_field_name("value")?
    } else {
        first
    };
    (value.kind() == "string_literal").then_some(value)
}
