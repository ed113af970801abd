//! The parameters of the call around the cursor.

use std::ops::Range;

use crate::catalog::Catalog;
use crate::cursor::Cursor;
use crate::lexer::TokenKind;
use crate::syntax::Tree;

/// A call and the argument that is being written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The whole signature as text.
    pub label: String,
    /// Where each parameter stands in the label, in bytes.
    pub parameters: Vec<Range<usize>>,
    /// Which of them is being written; `None` when there are fewer.
    pub active: Option<usize>,
    /// What the function or the parameter means, as Markdown.
    pub doc: String,
}

/// The signature of the innermost call around a byte of a text whose function is known.
pub fn signature(catalog: &Catalog, text: &str, offset: usize) -> Option<Signature> {
    let cursor = Cursor::new(text, offset);
    if cursor.in_comment {
        return None;
    }
    let tree = &cursor.tree;
    let mut bracket = tree.bracket_at(cursor.before);
    while let Some(open) = bracket {
        if tree.sign(open, "(")
            && tree.query_in(open).is_none()
            && let Some(found) = of_call(catalog, tree, open, cursor.before)
        {
            return Some(found);
        }
        bracket = tree.parent.get(open).copied().flatten();
    }
    None
}

fn of_call(catalog: &Catalog, tree: &Tree<'_>, open: usize, before: usize) -> Option<Signature> {
    let name = tree.name(open.checked_sub(1)?)?;
    let arguments = tree.parts(open + 1..before.max(open + 1));
    let commas = tree
        .top_level(open + 1..before)
        .filter(|token| tree.kind(*token) == Some(TokenKind::Comma))
        .count();
    let current = if commas < arguments.len() {
        arguments.last()
    } else {
        None
    };
    let named = current
        .filter(|argument| tree.sign(argument.start + 1, ":=") || tree.sign(argument.start + 1, "=>"))
        .and_then(|argument| tree.name(argument.start));
    if let Some(table) = catalog.table_macro(&name) {
        let parameters = table.parameters.iter().map(|parameter| {
            let default = if parameter.required { "" } else { " := …" };
            (
                format!("{} {}{default}", parameter.name, parameter.data_type),
                parameter,
            )
        });
        let (texts, parameters): (Vec<_>, Vec<_>) = parameters.unzip();
        let active = match named {
            Some(named) => parameters
                .iter()
                .position(|parameter| parameter.name.eq_ignore_ascii_case(&named)),
            None => (commas < parameters.len()).then_some(commas),
        };
        let doc = active.and_then(|active| parameters.get(active)).map_or_else(
            || table.summary.clone(),
            |parameter| format!("{}: {}\n\n{}", parameter.name, parameter.doc, table.summary),
        );
        return Some(labelled(&table.name, &texts, "", active, doc));
    }
    let function = catalog.function(&name)?;
    let takes =
        |parameters: &[String]| parameters.len() > commas || parameters.last().is_some_and(|last| last == "...");
    let signature = function
        .signatures
        .iter()
        .find(|signature| takes(&signature.parameters))
        .or_else(|| function.signatures.first())?;
    let texts: Vec<String> = signature
        .parameters
        .iter()
        .zip(&signature.types)
        .map(|(name, data_type)| format!("{name} {data_type}"))
        .collect();
    let last = texts.len().checked_sub(1);
    let open_ended = signature.parameters.last().is_some_and(|last| last == "...");
    let active = match last {
        Some(last) if commas > last && !open_ended => None,
        last => last.map(|last| last.min(commas)),
    };
    Some(labelled(
        &function.name,
        &texts,
        &signature.returns,
        active,
        function.doc.clone(),
    ))
}

fn labelled(name: &str, texts: &[String], returns: &str, active: Option<usize>, doc: String) -> Signature {
    let mut label = format!("{name}(");
    let mut parameters = Vec::new();
    for (place, text) in texts.iter().enumerate() {
        if place > 0 {
            label.push_str(", ");
        }
        let start = label.len();
        label.push_str(text);
        parameters.push(start..label.len());
    }
    label.push(')');
    if !returns.is_empty() {
        label.push_str(" → ");
        label.push_str(returns);
    }
    Signature {
        label,
        parameters,
        active,
        doc,
    }
}
