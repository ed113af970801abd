//! Go: functions, methods by their receiver, and `tracer.Start(ctx, "…")`.

use tree_sitter::Node;

use super::{Syntax, argument, quoted};
use crate::facts::LiteralKind;
use crate::reading::{NewDefinition, Reader};

/// What a kind of node means.
pub(crate) fn meaning(kind: &str) -> Syntax {
    match kind {
        "function_declaration" | "method_declaration" => Syntax::Function,
        "call_expression" => Syntax::Call,
        _ => Syntax::Nothing,
    }
}

/// Takes a node in.
pub(crate) fn enter<'t>(reader: &mut Reader<'t>, syntax: Syntax, node: Node<'t>) {
    match syntax {
        Syntax::Function => function(reader, node),
        Syntax::Call => call(reader, node),
        _ => {}
    }
}

fn function<'t>(reader: &mut Reader<'t>, node: Node<'t>) {
    let Some(name) = node.child_by_field_name("name") else {
        return;
    };
    let mut new = NewDefinition::named(reader.text(name), name);
    new.class = receiver(node).map(|class| (reader.text(class).into(), class));
    reader.open_definition(node, new);
}

/// The type of a method's receiver: `Client` in `func (c *Client[T]) Do()`.
fn receiver(method: Node<'_>) -> Option<Node<'_>> {
    let mut node = method
        .child_by_field_name("receiver")?
        .named_child(0)?
        .child_by_field_name("type")?;
    for _ in 0..4 {
        node = match node.kind() {
            "pointer_type" | "parenthesized_type" => node.named_child(0)?,
            "generic_type" => node.child_by_field_name("type")?,
            _ => break,
        };
    }
    Some(node)
}

fn call<'t>(reader: &mut Reader<'t>, node: Node<'t>) {
    let Some(function) = node.child_by_field_name("function") else {
        return;
    };
    let (name, receiver) = match function.kind() {
        "identifier" => (Some(function), None),
        "selector_expression" => (
            function.child_by_field_name("field"),
            function.child_by_field_name("operand"),
        ),
        _ => return,
    };
    let Some(name) = name else { return };
    let operand = receiver.map_or("", |receiver| reader.text(receiver));
    let place_of_name = match reader.text(name) {
        "Start" if operand.contains("racer") => Some(1),
        "StartSpanFromContext" => Some(1),
        "StartSpan" if operand == "trace" => Some(1),
        "StartSpan" => Some(0),
        _ => None,
    };
    if let Some(string) = place_of_name.and_then(|place| argument(node, place))
        && string.kind().ends_with("string_literal")
        && let Some(text) = quoted(reader, string)
    {
        reader.literal(vec![text.into()], string, LiteralKind::Inside);
    }
    reader.call(node, name, receiver);
}
