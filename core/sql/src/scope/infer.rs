//! The name and the type of an expression, as far as its text tells.

use std::ops::Range;

use super::{ScopeColumn, Scopes};
use crate::lexer::TokenKind;

/// What an operand is, for whoever wants to know its values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand<'a> {
    /// A column.
    Column(ScopeColumn<'a>),
    /// A value inside a JSON column: the steps that lead to it.
    Key {
        column: ScopeColumn<'a>,
        path: Vec<String>,
    },
    Other,
}

impl<'a> Scopes<'a> {
    /// An expression of a select as a column: its name is the one that DuckDB gives it.
    pub(super) fn infer(&self, select: usize, range: Range<usize>) -> ScopeColumn<'a> {
        let tree = self.tree;
        let text = tree.text.get(tree.bytes(range.clone())).unwrap_or("");
        let unnamed = |data_type: &str| ScopeColumn {
            name: text.split_whitespace().collect::<Vec<_>>().join(" "),
            data_type: data_type.to_owned(),
            base: None,
        };
        if range.is_empty() {
            return unnamed("");
        }
        // `x::TYPE`, `x::TYPE[]`
        if let Some(cast) = tree
            .top_level(range.clone())
            .filter(|token| tree.sign(*token, "::"))
            .last()
        {
            let data_type = tree.text.get(tree.bytes(cast + 1..range.end)).unwrap_or("");
            let operators = tree
                .top_level(cast + 1..range.end)
                .any(|token| tree.kind(token) == Some(TokenKind::Operator));
            if !operators {
                let mut column = unnamed(&data_type.to_ascii_uppercase());
                if let Operand::Column(inner) = self.operand(select, range.start..cast) {
                    column.name = inner.name;
                }
                return column;
            }
        }
        match self.operand(select, range.clone()) {
            Operand::Column(column) => return column,
            Operand::Key { .. } => {
                let text_wanted = tree.top_level(range.clone()).any(|token| tree.sign(token, "->>"))
                    || tree.text_of(range.start).to_ascii_lowercase().ends_with("string");
                return unnamed(if text_wanted { "VARCHAR" } else { "JSON" });
            }
            Operand::Other => {}
        }
        let whole_bracket = tree.is_open(range.start) && tree.after(range.start) == range.end;
        match tree.kind(range.start) {
            Some(TokenKind::Text) if range.len() == 1 => unnamed("VARCHAR"),
            Some(TokenKind::Number) if range.len() == 1 && text.contains(['.', 'e']) => unnamed("DECIMAL"),
            Some(TokenKind::Number) if range.len() == 1 => unnamed("INTEGER"),
            Some(TokenKind::Open) if whole_bracket && tree.sign(range.start, "{") => unnamed(&self.struct_type(range)),
            Some(TokenKind::Word) if tree.is_open(range.start + 1) => self.call(range, unnamed),
            _ => unnamed(""),
        }
    }

    fn call(&self, range: Range<usize>, unnamed: impl Fn(&str) -> ScopeColumn<'a>) -> ScopeColumn<'a> {
        let tree = self.tree;
        let name = tree.text_of(range.start).to_ascii_lowercase();
        let end = tree.after(range.start + 1);
        // `FILTER (…)` and `OVER (…)` do not change the type; an operator does.
        let whole = end >= range.end || tree.is_any(end, &["filter", "over"]);
        if !whole {
            return unnamed("");
        }
        let starred = name == "count" && tree.sign(range.start + 2, "*");
        let returns = self.catalog.function(&name).map_or("", |function| {
            let mut types = function.signatures.iter().map(|signature| signature.returns.as_str());
            let first = types.next().unwrap_or("");
            let plain = !matches!(first, "ANY" | "T" | "ANY[]" | "T[]");
            if plain && types.all(|other| other == first) {
                first
            } else {
                ""
            }
        });
        let mut column = unnamed(returns);
        if starred && end >= range.end {
            column.name = "count_star()".into();
        }
        column
    }

    /// The type of `{'a': …, 'b': …}`, as far as it names the fields.
    fn struct_type(&self, range: Range<usize>) -> String {
        let tree = self.tree;
        let fields: Vec<String> = tree
            .parts(tree.content(range.start))
            .into_iter()
            .filter_map(|part| {
                let key = text_value(tree.text_of(part.start)).or_else(|| tree.name(part.start))?;
                let data_type = match tree.kind(part.start + 2) {
                    Some(TokenKind::Text) => "VARCHAR",
                    Some(TokenKind::Number) => "INTEGER",
                    _ => "ANY",
                };
                Some(format!("{} {data_type}", crate::keywords::quoted_name(&key)))
            })
            .collect();
        format!("STRUCT({})", fields.join(", "))
    }

    /// What an operand refers to.
    pub(crate) fn operand(&self, select: usize, range: Range<usize>) -> Operand<'a> {
        let tree = self.tree;
        let mut range = range;
        // Brackets around it, a type after it.
        loop {
            if tree.sign(range.start, "(") && tree.after(range.start) == range.end && range.len() > 2 {
                range = range.start + 1..range.end - 1;
            } else if let Some(cast) = tree.top_level(range.clone()).find(|token| tree.sign(*token, "::")) {
                range = range.start..cast;
            } else {
                break;
            }
            if range.is_empty() {
                return Operand::Other;
            }
        }
        let arrows: Vec<usize> = tree
            .top_level(range.clone())
            .filter(|token| tree.sign(*token, "->>") || tree.sign(*token, "->"))
            .collect();
        let (base, steps) = match arrows.first() {
            Some(first) => {
                let ends = arrows.iter().skip(1).copied().chain([range.end]);
                let steps: Vec<Range<usize>> = arrows
                    .iter()
                    .map(|arrow| arrow + 1)
                    .zip(ends)
                    .map(|(a, b)| a..b)
                    .collect();
                (range.start..*first, steps)
            }
            None if tree.text_of(range.start).to_ascii_lowercase().starts_with("json_")
                && tree.sign(range.start + 1, "(")
                && tree.after(range.start + 1) == range.end =>
            {
                let mut arguments = tree.parts(tree.content(range.start + 1));
                if arguments.len() != 2 {
                    return Operand::Other;
                }
                let path = arguments.split_off(1);
                (arguments.into_iter().next().unwrap_or(0..0), path)
            }
            None => (range, Vec::new()),
        };
        let Some(column) = self.reference(select, base) else {
            return Operand::Other;
        };
        if steps.is_empty() {
            return Operand::Column(column);
        }
        let mut path = Vec::new();
        for step in steps {
            if step.len() != 1 {
                return Operand::Other;
            }
            match text_value(tree.text_of(step.start)) {
                Some(text) => path.extend(key_path(&text)),
                None if tree.kind(step.start) == Some(TokenKind::Number) => {
                    path.push(tree.text_of(step.start).to_owned());
                }
                None => return Operand::Other,
            }
        }
        Operand::Key { column, path }
    }

    /// `column`, `table.column` or `schema.table.column`.
    fn reference(&self, select: usize, range: Range<usize>) -> Option<ScopeColumn<'a>> {
        let tree = self.tree;
        let names: Option<Vec<String>> = range
            .clone()
            .enumerate()
            .filter_map(|(place, token)| match place % 2 {
                0 => Some(tree.plain_name(token)),
                _ if tree.kind(token) == Some(TokenKind::Dot) => None,
                _ => Some(None),
            })
            .collect();
        let names = names?;
        match names.as_slice() {
            [name] => self.column(select, None, name).or_else(|| {
                // An alias of the list; of one that names itself there is no more to say.
                let item = self.alias(select, name)?;
                if item.expression.contains(&range.start) || self.chain.get() > 8 {
                    return None;
                }
                self.chain.set(self.chain.get() + 1);
                let column = self.item_column(select, &item);
                self.chain.set(self.chain.get() - 1);
                Some(column)
            }),
            [.., table, name] => self
                .column(select, Some(table), name)
                .or_else(|| self.column(select, None, table).and_then(|column| field(&column, name))),
            [] => None,
        }
    }

    /// Where the operand begins that ends with the token `last`.
    pub(crate) fn operand_start(&self, last: usize, least: usize) -> usize {
        let tree = self.tree;
        let mut at = last;
        loop {
            if tree.is_close(at) {
                let Some(open) = tree.opening_of(at) else {
                    return at;
                };
                at = open;
                let before = at.wrapping_sub(1);
                if at > least && (tree.plain_name(before).is_some() || tree.is_close(before)) {
                    at = before;
                    if tree.is_close(at) {
                        continue;
                    }
                }
            }
            while at >= least + 2 && tree.kind(at - 1) == Some(TokenKind::Dot) && tree.name(at - 2).is_some() {
                at -= 2;
            }
            let joined = at >= least + 2 && ["->>", "->", "::"].iter().any(|sign| tree.sign(at - 1, sign));
            if !joined {
                return at;
            }
            at -= 2;
        }
    }
}

/// A field of a column that is a struct.
pub(crate) fn field<'a>(column: &ScopeColumn<'a>, name: &str) -> Option<ScopeColumn<'a>> {
    fields(&column.data_type)
        .into_iter()
        .find(|(field, _)| field.eq_ignore_ascii_case(name))
        .map(|(name, data_type)| ScopeColumn {
            name,
            data_type,
            base: None,
        })
}

/// The fields of `STRUCT(a INTEGER, "b c" STRUCT(…))`, with their types. Other types have none.
pub(crate) fn fields(data_type: &str) -> Vec<(String, String)> {
    let Some(inner) = data_type.get(..7).filter(|start| start.eq_ignore_ascii_case("struct(")) else {
        return Vec::new();
    };
    let inner = data_type
        .get(inner.len()..)
        .and_then(|rest| rest.rfind(')').and_then(|end| rest.get(..end)))
        .unwrap_or("");
    let mut fields = Vec::new();
    let mut depth = 0_usize;
    let mut quoted = false;
    let mut start = 0;
    for (at, letter) in inner.char_indices().chain([(inner.len(), ',')]) {
        match letter {
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth = depth.saturating_sub(1),
            ',' if (!quoted && depth == 0) || at == inner.len() => {
                let part = inner.get(start..at).unwrap_or("").trim();
                let split = match part.strip_prefix('"').and_then(|rest| rest.find('"')) {
                    Some(end) => end + 2,
                    None => part.find(' ').unwrap_or(part.len()),
                };
                let (name, data_type) = part.split_at_checked(split).unwrap_or((part, ""));
                if !name.is_empty() {
                    fields.push((name.trim_matches('"').to_owned(), data_type.trim().to_owned()));
                }
                start = at + 1;
            }
            _ => {}
        }
    }
    fields
}

/// What a string literal says; `None` for anything else.
pub(crate) fn text_value(literal: &str) -> Option<String> {
    if let Some(rest) = literal.strip_prefix('\'') {
        return Some(rest.strip_suffix('\'').unwrap_or(rest).replace("''", "'"));
    }
    if literal.starts_with('$') {
        let tag = crate::lexer::dollar_tag(literal)?;
        let body = literal.get(tag.len()..)?;
        return Some(body.strip_suffix(tag).unwrap_or(body).to_owned());
    }
    None
}

/// The keys that a path of DuckDB's JSON functions names: a bare text is one key, whatever dots it has.
pub(crate) fn key_path(path: &str) -> Vec<String> {
    if let Some(pointer) = path.strip_prefix('/') {
        return pointer
            .split('/')
            .map(|step| step.replace("~1", "/").replace("~0", "~"))
            .collect();
    }
    let Some(mut rest) = path.strip_prefix('$') else {
        return vec![path.to_owned()];
    };
    let mut steps = Vec::new();
    while let Some(first) = rest.chars().next() {
        let after = rest.get(first.len_utf8()..).unwrap_or("");
        rest = match first {
            '.' if after.starts_with('"') => {
                let inner = after.get(1..).unwrap_or("");
                let end = inner.find('"').unwrap_or(inner.len());
                steps.push(inner.get(..end).unwrap_or("").to_owned());
                inner.get(end + 1..).unwrap_or("")
            }
            '.' => {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                steps.push(after.get(..end).unwrap_or("").to_owned());
                after.get(end..).unwrap_or("")
            }
            '[' => {
                let end = after.find(']').unwrap_or(after.len());
                steps.push(after.get(..end).unwrap_or("").to_owned());
                after.get(end + 1..).unwrap_or("")
            }
            _ => after,
        };
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_keys_as_duckdb_reads_it() {
        assert_eq!(key_path("agent.name"), ["agent.name"]);
        assert_eq!(key_path("$.output.value"), ["output", "value"]);
        assert_eq!(key_path("$.\"output.value\""), ["output.value"]);
        assert_eq!(key_path("/a~1b/c"), ["a/b", "c"]);
        assert_eq!(
            key_path("$[*].attributes.\"exception.type\""),
            ["*", "attributes", "exception.type"]
        );
    }

    #[test]
    fn the_fields_of_a_struct_are_read_with_their_types() {
        assert_eq!(
            fields("STRUCT(a INTEGER, \"b, c\" STRUCT(x DECIMAL(3, 1), y VARCHAR))"),
            [
                ("a".into(), "INTEGER".into()),
                ("b, c".into(), "STRUCT(x DECIMAL(3, 1), y VARCHAR)".into())
            ]
        );
        assert!(fields("VARCHAR").is_empty());
    }
}
