//! What the word at the cursor means.

use std::ops::Range;

use crate::catalog::{Catalog, Column, Function, Profile, Relation, TableMacro, Value};
use crate::complete::{Place, json_column, key_doc, literal_at, place};
use crate::cursor::Cursor;
use crate::definitions::{Definition, definition_of};
use crate::lexer::TokenKind;
use crate::scope::{Columns, Operand, ScopeColumn, Scopes, key_path};
use crate::syntax::SourceKind;

/// What is known about a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hover {
    /// The word, in bytes.
    pub range: Range<usize>,
    /// What it means, as Markdown. What came from traces is in it as code.
    pub markdown: String,
}

/// What the word at a byte of a text means: a column, table, analysis, function, attribute key or value.
pub fn hover(catalog: &Catalog, text: &str, offset: usize) -> Option<Hover> {
    let cursor = Cursor::new(text, offset);
    if cursor.in_comment {
        return None;
    }
    let tree = &cursor.tree;
    let token = tree
        .tokens
        .iter()
        .position(|token| token.start <= cursor.offset && cursor.offset < token.end)
        .or(cursor.at)?;
    let scopes = Scopes::new(catalog, tree);
    let markdown = match tree.kind(token)? {
        TokenKind::Text => literal(&scopes, token)?,
        TokenKind::Word | TokenKind::QuotedName => name(&scopes, token)?,
        _ => return None,
    };
    let range = tree.tokens.get(token)?.range();
    Some(Hover { range, markdown })
}

fn literal(scopes: &Scopes<'_>, token: usize) -> Option<String> {
    let text = literal_at(scopes, token)?;
    match place(scopes, token)? {
        Place::Key { column, .. } => {
            let key = key_path(&text).pop()?;
            let name = json_column(&column)?;
            let known = scopes.catalog.keys_of(name).find(|known| known.key == key);
            known.map(key_doc)
        }
        Place::Value(operand) => value(scopes, &operand, &text),
        Place::Argument(parameter) => Some(format!(
            "**{}** {}\n\n{}",
            parameter.name, parameter.data_type, parameter.doc
        )),
        Place::DatePart => None,
    }
}

fn value(scopes: &Scopes<'_>, operand: &Operand<'_>, text: &str) -> Option<String> {
    let (title, values, all) = match operand {
        Operand::Key { column, path } => {
            let column = json_column(column)?;
            let last = path.last()?;
            let key = scopes.catalog.keys_of(column).find(|key| key.key == *last)?;
            (key.key.as_str(), key.values.as_slice(), key.spans)
        }
        Operand::Column(column) => {
            let base = column.base?;
            if base.column.name == "trace_id" {
                let trace = scopes.catalog.traces.iter().find(|trace| trace.trace_id == text)?;
                return Some(format!(
                    "Trace of {}, {:.1} ms",
                    code(&trace.root_name),
                    trace.duration_ms
                ));
            }
            let profile = base.column.profile.as_ref()?;
            (base.column.name.as_str(), profile.values.as_slice(), profile.rows)
        }
        Operand::Other => return None,
    };
    let found = values.iter().find(|value| value.text == text)?;
    let share = if all > 0 {
        found.count as f64 / all as f64 * 100.0
    } else {
        0.0
    };
    Some(format!(
        "{} = {}: {} of {all} spans ({share:.1} %)",
        code(title),
        code(text),
        found.count
    ))
}

fn name(scopes: &Scopes<'_>, token: usize) -> Option<String> {
    let tree = scopes.tree;
    let name = tree.name(token)?;
    if tree.sign(token + 1, "(") {
        if let Some(table) = scopes.catalog.table_macro(&name) {
            return Some(table_macro(table));
        }
        if let Some(known) = scopes.catalog.function(&name) {
            return Some(function(known));
        }
    }
    if let Some(definition) = definition_of(scopes, token) {
        return defined(scopes, definition, &name);
    }
    let is_table = tree
        .selects
        .iter()
        .flat_map(|select| &select.sources)
        .any(|source| matches!(source.kind, SourceKind::Table(table) if table == token));
    if is_table {
        return scopes.catalog.relation(&name).map(relation);
    }
    if crate::keywords::is_reserved(&name) && tree.kind(token) == Some(TokenKind::Word) {
        return None;
    }
    let select = tree.select_at(token + 1)?;
    let qualifier = (token >= 2 && tree.kind(token - 1) == Some(TokenKind::Dot)).then(|| tree.name(token - 2));
    let column = scopes.column(select, qualifier.flatten().as_deref(), &name);
    if let Some(column) = column {
        return Some(scope_column(&column));
    }
    // The name of a table before a dot.
    scopes.catalog.relation(&name).map(relation)
}

fn defined(scopes: &Scopes<'_>, definition: Definition, name: &str) -> Option<String> {
    let tree = scopes.tree;
    match definition {
        Definition::Cte(query, cte) => {
            let columns = scopes.cte_columns(query, cte);
            Some(format!(
                "**{}**: common table expression\n\n{}",
                escaped(name),
                columns_table(&columns)
            ))
        }
        Definition::Source(select, place) => {
            let scope = tree.selects.get(select)?;
            let source = scope.sources.get(place)?;
            let columns = scopes.columns_of(source, scope.query);
            let what = match source.kind {
                SourceKind::Table(table) | SourceKind::Function(table) => code(tree.text_of(table)),
                _ => "a query".into(),
            };
            Some(format!(
                "**{}**: alias of {what}\n\n{}",
                escaped(name),
                columns_table(&columns)
            ))
        }
        Definition::Alias(select, token) => {
            let item = scopes
                .items(select)
                .into_iter()
                .find(|item| item.alias == Some(token))?;
            let expression = tree.text.get(tree.bytes(item.expression))?;
            Some(format!("**{}**: alias of {}", escaped(name), code(expression)))
        }
    }
}

fn scope_column(column: &ScopeColumn<'_>) -> String {
    match column.base {
        Some(base) => {
            let mut markdown = format!("**{}** {}", escaped(&column.name), base.column.data_type);
            if !base.relation.is_empty() {
                markdown.push_str(&format!(" · {}", code(base.relation)));
            }
            markdown.push_str(&format!("\n\n{}", base.column.doc));
            if let Some(found) = &base.column.profile {
                markdown.push_str(&format!("\n\n{}", profile(found)));
            }
            markdown
        }
        None => format!("**{}** {}", escaped(&column.name), column.data_type),
    }
}

fn profile(profile: &Profile) -> String {
    let mut markdown = format!(
        "{:.1} % NULL, {} distinct, over the newest {} spans",
        profile.null_share * 100.0,
        profile.distinct,
        profile.rows
    );
    if let (Some(min), Some(max)) = (&profile.min, &profile.max) {
        markdown.push_str(&format!("  \nfrom {} to {}", code(min), code(max)));
    }
    if !profile.values.is_empty() {
        markdown.push_str(&format!("\n\n{}", value_list(&profile.values)));
    }
    markdown
}

fn relation(relation: &Relation) -> String {
    format!(
        "**{}**\n\n{}\n\n{}",
        escaped(&relation.name),
        relation.doc,
        column_list(&relation.columns)
    )
}

fn table_macro(table: &TableMacro) -> String {
    let mut markdown = format!("**{}**: {}", table.name, table.summary);
    if !table.details.is_empty() {
        markdown.push_str(&format!("\n\n{}", table.details));
    }
    if !table.parameters.is_empty() {
        let lines: Vec<String> = table
            .parameters
            .iter()
            .map(|parameter| format!("- `{}` {}: {}", parameter.name, parameter.data_type, parameter.doc))
            .collect();
        markdown.push_str(&format!("\n\nParameters\n\n{}", lines.join("\n")));
    }
    markdown.push_str(&format!("\n\nColumns\n\n{}", column_list(&table.columns)));
    markdown.push_str(&format!("\n\n```sql\n{}\n```", table.example));
    markdown
}

fn column_list(columns: &[Column]) -> String {
    let lines: Vec<String> = columns
        .iter()
        .map(|column| format!("- {} {}: {}", code(&column.name), column.data_type, column.doc))
        .collect();
    lines.join("\n")
}

fn columns_table(columns: &Columns<'_>) -> String {
    let lines: Vec<String> = columns
        .list
        .iter()
        .take(60)
        .map(|column| format!("- {} {}", code(&column.name), column.data_type))
        .collect();
    lines.join("\n")
}

/// A function's signatures, what it does and an example.
pub(crate) fn function(function: &Function) -> String {
    let signatures: Vec<String> = function
        .signatures
        .iter()
        .take(4)
        .map(|signature| {
            let parameters: Vec<String> = signature
                .parameters
                .iter()
                .zip(&signature.types)
                .map(|(name, data_type)| format!("{name} {data_type}"))
                .collect();
            format!("{}({}) → {}", function.name, parameters.join(", "), signature.returns)
        })
        .collect();
    let mut markdown = format!("```sql\n{}\n```", signatures.join("\n"));
    if !function.doc.is_empty() {
        markdown.push_str(&format!("\n\n{}", function.doc));
    }
    if !function.example.is_empty() {
        markdown.push_str(&format!("\n\nExample: {}", code(&function.example)));
    }
    markdown
}

/// A name that may stand in Markdown's text.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_ascii_punctuation() && letter != '_' {
            escaped.push('\\');
        }
        escaped.push(if letter.is_control() { ' ' } else { letter });
    }
    escaped
}

/// A text as code in Markdown, whatever is in it.
pub(crate) fn code(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut short: String = line.chars().take(120).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    // One backtick more than the text has in a row.
    let mut longest = 0;
    let mut run = 0;
    for letter in short.chars() {
        run = if letter == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest + 1);
    if longest > 0 || short.is_empty() {
        format!("{fence} {short} {fence}")
    } else {
        format!("{fence}{short}{fence}")
    }
}

/// The most frequent values as a list.
pub(crate) fn value_list(values: &[Value]) -> String {
    let lines: Vec<String> = values
        .iter()
        .take(8)
        .map(|value| format!("- {} × {}", code(&value.text), value.count))
        .collect();
    lines.join("\n")
}
