//! Python: definitions with decorators, classes with bases and metaclass, imports, and the calls that make spans.

use tree_sitter::Node;

use super::Syntax;
use crate::facts::{Binding, LiteralKind};
use crate::reading::{Decorations, NewDefinition, Reader, literal, place};

/// What a kind of node means.
pub(crate) fn meaning(kind: &str) -> Syntax {
    match kind {
        "decorated_definition" => Syntax::Decorated,
        "function_definition" => Syntax::Function,
        "class_definition" => Syntax::Class,
        "call" => Syntax::Call,
        "import_statement" => Syntax::Import,
        "import_from_statement" => Syntax::ImportFrom,
        "assignment" => Syntax::Assignment,
        "if_statement" => Syntax::If,
        "try_statement" | "for_statement" | "while_statement" | "match_statement" => Syntax::Condition,
        "block" => Syntax::Block,
        _ => Syntax::Nothing,
    }
}

/// Takes a node in.
pub(crate) fn enter<'t>(reader: &mut Reader<'t>, syntax: Syntax, node: Node<'t>) {
    match syntax {
        Syntax::Decorated => decorated(reader, node),
        Syntax::Function => function(reader, node),
        Syntax::Class => class(reader, node),
        Syntax::Call => call(reader, node),
        Syntax::Import => import(reader, node),
        Syntax::ImportFrom => import_from(reader, node),
        Syntax::Assignment => alias(reader, node),
        Syntax::If => {
            let condition = node
                .child_by_field_name("condition")
                .map_or("", |node| reader.text(node));
            if condition.contains("__name__") && condition.contains("__main__") {
                reader.is_script();
            }
            reader.open_condition(node);
        }
        Syntax::Condition => reader.open_condition(node),
        Syntax::Block => reader.open_block(node),
        _ => {}
    }
}

/// A name, or names joined by dots, with nothing else between them. What follows in brackets is left out:
/// `Generic[T]` is `Generic`, `decorator(1)` is `decorator`.
fn dotted(reader: &Reader<'_>, mut node: Node<'_>) -> Option<Box<str>> {
    loop {
        match node.kind() {
            "identifier" => break,
            "attribute" => {
                let text = reader.text(node);
                let is_plain =
                    |part: &str| !part.is_empty() && part.chars().all(|one| one.is_alphanumeric() || one == '_');
                return text.split('.').all(|part| is_plain(part.trim())).then(|| {
                    let parts: Vec<_> = text.split('.').map(str::trim).collect();
                    parts.join(".").into()
                });
            }
            "call" => node = node.child_by_field_name("function")?,
            "subscript" => node = node.child_by_field_name("value")?,
            "parenthesized_expression" => node = node.named_child(0)?,
            _ => return None,
        }
    }
    Some(reader.text(node).into())
}

fn decorated<'t>(reader: &mut Reader<'t>, node: Node<'t>) {
    let mut decorations = Decorations {
        start: Some((place(node.start_byte()), place(node.start_position().row))),
        ..Decorations::default()
    };
    let mut cursor = node.walk();
    for decorator in node.children(&mut cursor).filter(|child| child.kind() == "decorator") {
        decorations.nodes.push(decorator);
        let Some(expression) = decorator.named_child(0) else {
            continue;
        };
        decorations.names.extend(dotted(reader, expression));
        if expression.kind() == "call"
            && let Some((parts, at)) = span_name(reader, expression)
        {
            decorations.literals.push(literal(parts, at, None, LiteralKind::Whole));
        }
    }
    reader.decorations = decorations;
}

fn function<'t>(reader: &mut Reader<'t>, node: Node<'t>) {
    let Some(name_node) = node.child_by_field_name("name") else {
        return;
    };
    let mut new = NewDefinition::named(reader.text(name_node), name_node);
    new.docstring = docstring(node).map_or(0..0, |node| node.byte_range());
    reader.open_definition(node, new);
}

fn docstring(definition: Node<'_>) -> Option<Node<'_>> {
    let body = definition.child_by_field_name("body")?;
    let mut cursor = body.walk();
    let first = body.named_children(&mut cursor).find(|child| !child.is_extra())?;
    let is_string = |node: &Node<'_>| matches!(node.kind(), "string" | "concatenated_string");
    let string = if is_string(&first) {
        Some(first)
    } else {
        first.named_child(0)
    };
    string.filter(|node| is_string(node) && (first.kind() == "expression_statement" || is_string(&first)))
}

fn class<'t>(reader: &mut Reader<'t>, node: Node<'t>) {
    let Some(name) = node.child_by_field_name("name") else {
        return;
    };
    let mut bases = Vec::new();
    let mut metaclass = None;
    if let Some(arguments) = node.child_by_field_name("superclasses") {
        let mut cursor = arguments.walk();
        for argument in arguments.named_children(&mut cursor) {
            if argument.kind() == "keyword_argument" {
                let key = argument.child_by_field_name("name").map(|node| reader.text(node));
                if key == Some("metaclass") {
                    metaclass = argument
                        .child_by_field_name("value")
                        .and_then(|value| dotted(reader, value));
                }
            } else {
                bases.extend(dotted(reader, argument));
            }
        }
    }
    reader.open_class(node, name, bases, metaclass);
}

/// The functions whose first argument, or `name=`, is the name of a span. `traced_run` is Flock's own.
const MAKERS: [&str; 4] = [
    "start_as_current_span",
    "start_span",
    "start_as_current_observation",
    "traced_run",
];

fn call<'t>(reader: &mut Reader<'t>, node: Node<'t>) {
    let Some(function) = node.child_by_field_name("function") else {
        return;
    };
    match function.kind() {
        "identifier" => {
            if reader.text(function) == "super" {
                reader.calls_base();
            }
            reader.call(node, function, None);
        }
        "attribute" => {
            let Some(name) = function.child_by_field_name("attribute") else {
                return;
            };
            let receiver = function.child_by_field_name("object");
            let receiver_text = receiver.map_or("", |node| reader.text(node));
            let last = receiver_text.rsplit('.').next().unwrap_or_default();
            if last.starts_with(char::is_uppercase) && reader.function_name() == Some(reader.text(name)) {
                reader.calls_base();
            }
            if let Some((parts, at)) = span_name(reader, node)
                && node.parent().is_none_or(|parent| parent.kind() != "decorator")
            {
                reader.literal(parts, at, LiteralKind::Inside);
            }
            reader.call(node, name, receiver);
        }
        _ => {}
    }
}

/// The written name of the span that a call makes, and where it stands.
fn span_name<'t>(reader: &Reader<'t>, call: Node<'t>) -> Option<(Vec<Box<str>>, Node<'t>)> {
    let function = call.child_by_field_name("function")?;
    let name = function.child_by_field_name("attribute")?;
    if !MAKERS.contains(&reader.text(name)) {
        return None;
    }
    let arguments = call.child_by_field_name("arguments")?;
    let mut cursor = arguments.walk();
    let mut first = None;
    for argument in arguments.named_children(&mut cursor).filter(|child| !child.is_extra()) {
        if argument.kind() == "keyword_argument" {
            let key = argument.child_by_field_name("name").map(|node| reader.text(node));
            if key == Some("name") {
                first = argument.child_by_field_name("value");
                break;
            }
        } else if first.is_none() {
            first = Some(argument);
        }
    }
    let string = first.filter(|node| node.kind() == "string")?;
    Some((parts_of_string(reader, string)?, string))
}

/// What a string says, cut where an f-string puts a value in. None where an escape would have to be worked out.
fn parts_of_string(reader: &Reader<'_>, string: Node<'_>) -> Option<Vec<Box<str>>> {
    let mut parts = vec![String::new()];
    let mut cursor = string.walk();
    for piece in string.children(&mut cursor) {
        match piece.kind() {
            "string_content" => {
                let text = reader.text(piece);
                if text.contains('\\') {
                    return None;
                }
                parts.last_mut()?.push_str(text);
            }
            "interpolation" => parts.push(String::new()),
            "escape_sequence" => return None,
            _ => {}
        }
    }
    Some(parts.into_iter().map(Into::into).collect())
}

fn import<'t>(reader: &mut Reader<'t>, node: Node<'t>) {
    let mut cursor = node.walk();
    for name in node.children_by_field_name("name", &mut cursor) {
        let (module, alias) = name_and_alias(reader, name);
        let first = module.split('.').next().unwrap_or_default();
        let binding = match alias {
            Some(alias) => Binding::Module {
                name: alias.into(),
                module: module.into(),
            },
            None => Binding::Module {
                name: first.into(),
                module: first.into(),
            },
        };
        reader.bind(binding);
    }
}

fn import_from<'t>(reader: &mut Reader<'t>, node: Node<'t>) {
    let Some(module) = node.child_by_field_name("module_name") else {
        return;
    };
    let module: String = reader.text(module).split_whitespace().collect();
    let mut cursor = node.walk();
    if node
        .children(&mut cursor)
        .any(|child| child.kind() == "wildcard_import")
    {
        return reader.bind(Binding::Star { module: module.into() });
    }
    let mut cursor = node.walk();
    for name in node.children_by_field_name("name", &mut cursor) {
        let (original, alias) = name_and_alias(reader, name);
        reader.bind(Binding::From {
            name: alias.unwrap_or(original).into(),
            module: module.as_str().into(),
            original: original.into(),
        });
    }
}

fn name_and_alias<'t>(reader: &Reader<'t>, node: Node<'_>) -> (&'t str, Option<&'t str>) {
    if node.kind() == "aliased_import" {
        let name = node.child_by_field_name("name").map_or("", |node| reader.text(node));
        (name, node.child_by_field_name("alias").map(|node| reader.text(node)))
    } else {
        (reader.text(node), None)
    }
}

fn alias<'t>(reader: &mut Reader<'t>, node: Node<'t>) {
    if reader.parent() != crate::facts::Parent::File {
        return;
    }
    let (left, right) = (node.child_by_field_name("left"), node.child_by_field_name("right"));
    let (Some(left), Some(right)) = (left, right) else {
        return;
    };
    let is_name = left.kind() == "identifier" && matches!(right.kind(), "identifier" | "attribute" | "subscript");
    if is_name && let Some(target) = dotted(reader, right) {
        reader.bind(Binding::Alias {
            name: reader.text(left).into(),
            target,
        });
    }
}
