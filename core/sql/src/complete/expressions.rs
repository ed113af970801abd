//! Where a value is wanted, or stands: columns, aliases, functions, operators.

use std::collections::HashMap;
use std::ops::Range;

use super::{Candidate, ItemKind, words};
use crate::catalog::{Function, FunctionKind};
use crate::cursor::Cursor;
use crate::keywords::quoted_name;
use crate::lexer::TokenKind;
use crate::scope::{ScopeColumn, ScopeSource, Scopes};
use crate::syntax::{ClauseKind, Tree};

const FEW_COLUMNS: usize = 25;

/// A column, with the table before it where its name alone is not enough.
///
/// Of few columns, which somebody chose, all are wanted; of many some more than others.
pub(super) fn column_candidate(
    column: &ScopeColumn<'_>,
    place: usize,
    of: usize,
    qualifier: Option<&str>,
) -> Candidate {
    let relation = column.base.map(|base| base.relation).filter(|_| of > FEW_COLUMNS);
    let score = words::column(relation, &column.name, place);
    let name = quoted_name(&column.name);
    let (label, insert) = match qualifier {
        Some(table) => (
            format!("{table}.{}", column.name),
            format!("{}.{name}", quoted_name(table)),
        ),
        None => (column.name.clone(), name),
    };
    let doc = column.base.map_or_else(String::new, |base| base.column.doc.clone());
    Candidate::new(ItemKind::Column, label, score)
        .filter(column.name.clone())
        .insert(insert)
        .detail(column.data_type.clone())
        .doc(doc)
}

/// Everything that has a value at a place of a select.
pub(super) fn values(cursor: &Cursor<'_>, scopes: &Scopes<'_>, select: usize, clause: ClauseKind) -> Vec<Candidate> {
    let mut found = Vec::new();
    let tree = &cursor.tree;
    columns(cursor, scopes, select, clause, &mut found);
    aliases(cursor, scopes, select, clause, &mut found);
    variables(cursor, &mut found);
    functions(cursor, scopes, clause, &mut found);
    for (keyword, score) in [
        ("CASE", 760),
        ("NOT", 740),
        ("NULL", 600),
        ("INTERVAL", 560),
        ("TRUE", 550),
        ("FALSE", 545),
    ] {
        found.push(Candidate::new(ItemKind::Keyword, keyword, score));
    }
    found.push(Candidate::new(ItemKind::Snippet, "CASE WHEN … END", 650).snippet("CASE WHEN $1 THEN $2 ELSE $3 END$0"));
    let previous = cursor.previous();
    if previous.is_some_and(|at| tree.sign(at, "(")) {
        found.push(Candidate::new(ItemKind::Keyword, "SELECT", 640));
        found.push(Candidate::new(ItemKind::Keyword, "FROM", 630));
        let of_aggregate = previous
            .and_then(|at| at.checked_sub(1))
            .and_then(|at| scopes.catalog.function(tree.text_of(at)))
            .is_some_and(|function| function.kind == FunctionKind::Aggregate);
        if of_aggregate {
            found.push(Candidate::new(ItemKind::Keyword, "DISTINCT", 932));
        }
    }
    found
}

fn columns(cursor: &Cursor<'_>, scopes: &Scopes<'_>, select: usize, clause: ClauseKind, found: &mut Vec<Candidate>) {
    let tree = &cursor.tree;
    let mut sources = scopes.sources(select).to_vec();
    let guessed = sources.is_empty();
    let likely = scopes.catalog.relations.first().map(|relation| relation.name.as_str());
    let expected = Expected::at(cursor, scopes);
    let called = cursor.at.is_some_and(|at| tree.sign(at + 1, "("));
    if guessed {
        sources = likely_sources(scopes, select);
    }
    let used = used(tree, scopes, select, cursor);
    let own = sources.iter().filter(|source| !source.outer).count();
    // Which sources have a column of a name.
    let mut having: HashMap<String, Vec<usize>> = HashMap::new();
    for (number, source) in sources.iter().enumerate() {
        for column in &source.columns.list {
            having.entry(column.name.to_ascii_lowercase()).or_default().push(number);
        }
    }
    for (number, source) in sources.iter().enumerate() {
        for (place, column) in source.columns.list.iter().enumerate() {
            let shares = |other: &usize| {
                let source = sources.get(*other).filter(|_| *other > 0);
                source.is_some_and(|source| {
                    source.natural
                        || source
                            .using
                            .iter()
                            .any(|using| using.eq_ignore_ascii_case(&column.name))
                })
            };
            let all = having
                .get(&column.name.to_ascii_lowercase())
                .map(Vec::as_slice)
                .unwrap_or_default();
            let merged = all.len() > 1 && all.iter().any(shares);
            if merged && all.first() != Some(&number) {
                continue;
            }
            let here = |other: &usize| sources.get(*other).is_some_and(|other| other.outer == source.outer);
            let ambiguous = !merged && all.iter().any(|other| *other != number && here(other));
            let hidden = source.outer && all.iter().any(|other| *other < own);
            let qualifier = if ambiguous || hidden {
                source.name.as_deref()
            } else {
                None
            };
            if !super::ranking::matches(&column.name, cursor.typed().trim_start_matches('"')) {
                continue;
            }
            let mut candidate = column_candidate(column, place, source.columns.list.len(), qualifier);
            candidate.score -= 4 * i32::try_from(number.min(20)).unwrap_or(0);
            // Columns of what may never be read from.
            let unlikely = guessed && column.base.is_some_and(|base| Some(base.relation) != likely);
            candidate.score -= if unlikely { 300 } else { 0 };
            candidate.score += expected.adjustment(&column.data_type);
            candidate.score -= if source.outer { 60 } else { 0 };
            candidate.score += used.adjustment(clause, column);
            candidate.score -= if called { 400 } else { 0 };
            found.push(candidate);
        }
        if let Some(name) = &source.name {
            // With several tables a name is often written with its table.
            let score = if own > 1 { 935 } else { 560 };
            let columns = source.columns.list.len();
            found.push(
                Candidate::new(
                    ItemKind::Alias,
                    name.clone(),
                    score - i32::try_from(number.min(50)).unwrap_or(0),
                )
                .insert(quoted_name(name))
                .detail(format!("{columns} columns")),
            );
        }
    }
}

/// Before anything is read from: what the statement defined itself, else spans, and the analyses.
pub(super) fn likely_sources<'a>(scopes: &Scopes<'a>, select: usize) -> Vec<ScopeSource<'a>> {
    let source = |columns| ScopeSource {
        name: None,
        columns,
        outer: false,
        using: Vec::new(),
        natural: true,
    };
    let query = scopes.tree.selects.get(select).map_or(0, |select| select.query);
    let own = |(owner, cte): &(usize, usize)| {
        let cte = scopes.tree.queries.get(*owner).and_then(|query| query.ctes.get(*cte));
        cte.is_some_and(|cte| cte.query == Some(query))
    };
    let ctes = scopes.ctes(query).into_iter().rev().filter(|cte| !own(cte));
    let mut sources: Vec<ScopeSource<'_>> = ctes
        .map(|(query, cte)| source(scopes.cte_columns(query, cte)))
        .collect();
    let relations = scopes
        .catalog
        .relations
        .iter()
        .map(|relation| (&relation.name, &relation.columns));
    let macros = scopes.catalog.macros.iter().map(|table| (&table.name, &table.columns));
    for (name, columns) in relations.chain(macros) {
        sources.push(source(std::rc::Rc::new(crate::scope::from_catalog(name, columns))));
    }
    sources
}

/// What the statement does with its columns elsewhere.
struct Used {
    selected: Vec<String>,
    grouped: Vec<String>,
    /// Compared with one value: the same in every row.
    fixed: Vec<String>,
}

fn used(tree: &Tree<'_>, scopes: &Scopes<'_>, select: usize, cursor: &Cursor<'_>) -> Used {
    let plain = |range: Range<usize>| {
        let holds_cursor = cursor.at.is_some_and(|at| range.contains(&at));
        if holds_cursor || range.is_empty() || range.len() > 3 {
            return None;
        }
        let last = range.end - 1;
        let chain = range.clone().enumerate().all(|(place, token)| {
            if place % 2 == 1 {
                tree.kind(token) == Some(TokenKind::Dot)
            } else {
                tree.plain_name(token).is_some()
            }
        });
        if chain { tree.name(last) } else { None }
    };
    let grouped = tree
        .selects
        .get(select)
        .and_then(|select| select.clauses.iter().find(|clause| clause.kind == ClauseKind::GroupBy))
        .map(|clause| {
            tree.parts(clause.content.clone())
                .into_iter()
                .filter_map(plain)
                .collect()
        })
        .unwrap_or_default();
    let selected = scopes
        .items(select)
        .into_iter()
        .filter_map(|item| plain(item.expression))
        .collect();
    let fixed = tree
        .selects
        .get(select)
        .and_then(|select| select.clauses.iter().find(|clause| clause.kind == ClauseKind::Where))
        .map(|clause| {
            let tokens = tree.top_level(clause.content.clone());
            tokens
                .filter(|token| tree.sign(*token, "=") && tree.kind(token + 1) == Some(TokenKind::Text))
                .filter_map(|token| tree.name(token.checked_sub(1)?))
                .collect()
        })
        .unwrap_or_default();
    Used {
        selected,
        grouped,
        fixed,
    }
}

/// The types that the function takes whose argument stands at the cursor.
struct Expected {
    types: Vec<String>,
}

impl Expected {
    fn at(cursor: &Cursor<'_>, scopes: &Scopes<'_>) -> Self {
        let tree = &cursor.tree;
        let none = Self { types: Vec::new() };
        let Some(open) = tree.bracket_at(cursor.before).filter(|open| tree.sign(*open, "(")) else {
            return none;
        };
        let previous = cursor.previous().unwrap_or(open);
        let Some(function) = open
            .checked_sub(1)
            .and_then(|name| scopes.catalog.function(tree.text_of(name)))
        else {
            return none;
        };
        if previous != open && tree.kind(previous) != Some(TokenKind::Comma) {
            return none;
        }
        let number = tree
            .top_level(open + 1..cursor.before)
            .filter(|token| tree.kind(*token) == Some(TokenKind::Comma))
            .count();
        let types = function
            .signatures
            .iter()
            .filter_map(|signature| signature.types.get(number).cloned());
        Self { types: types.collect() }
    }

    fn adjustment(&self, data_type: &str) -> i32 {
        const NUMBERS: &[&str] = &["BIGINT", "INTEGER", "DOUBLE", "DECIMAL", "HUGEINT", "FLOAT"];
        let number = |data_type: &str| NUMBERS.iter().any(|number| data_type.starts_with(number));
        let takes = |wanted: &String| {
            wanted == data_type
                || (number(wanted) && number(data_type) && !wanted.ends_with(']'))
                || (wanted == "ANY[]" && data_type.ends_with("[]"))
                || (data_type.starts_with("TIMESTAMP") && wanted.starts_with("TIMESTAMP"))
        };
        let anything = self.types.iter().any(|wanted| matches!(wanted.as_str(), "ANY" | "T"));
        if self.types.is_empty() || data_type.is_empty() || anything {
            0
        } else if self.types.iter().any(takes) {
            80
        } else {
            -60
        }
    }
}

impl Used {
    fn adjustment(&self, clause: ClauseKind, column: &ScopeColumn<'_>) -> i32 {
        let among = |names: &[String]| names.iter().any(|used| used.eq_ignore_ascii_case(&column.name));
        let ordered = matches!(column.data_type.as_str(), "BIGINT" | "DOUBLE" | "HUGEINT" | "TIMESTAMP");
        match clause {
            ClauseKind::OrderBy | ClauseKind::GroupBy | ClauseKind::Select if among(&self.fixed) => -100,
            ClauseKind::GroupBy if among(&self.grouped) => -300,
            ClauseKind::GroupBy if among(&self.selected) => 60,
            ClauseKind::Select if among(&self.selected) => -120,
            ClauseKind::Select if among(&self.grouped) => 60,
            ClauseKind::OrderBy => 30 * i32::from(among(&self.selected)) + 40 * i32::from(ordered),
            _ => 0,
        }
    }
}

/// Aliases of the select list, which DuckDB knows in every later clause and in the list itself.
fn aliases(cursor: &Cursor<'_>, scopes: &Scopes<'_>, select: usize, clause: ClauseKind, found: &mut Vec<Candidate>) {
    let tree = &cursor.tree;
    for item in scopes.items(select) {
        let Some(name) = item
            .alias
            .filter(|alias| Some(*alias) != cursor.at)
            .and_then(|alias| tree.name(alias))
        else {
            continue;
        };
        let own = item.expression.start <= cursor.before && cursor.before <= item.expression.end;
        let later = clause == ClauseKind::Select && item.expression.start >= cursor.before;
        if own && clause == ClauseKind::Select || later {
            continue;
        }
        let score = match clause {
            ClauseKind::OrderBy => 990,
            ClauseKind::GroupBy if !holds_aggregate(scopes, item.expression.clone()) => 985,
            ClauseKind::Having | ClauseKind::Qualify => 970,
            ClauseKind::GroupBy => 300,
            _ => 840,
        };
        let text = tree.text.get(tree.bytes(item.expression.clone())).unwrap_or("");
        found.push(
            Candidate::new(ItemKind::Alias, name.clone(), score)
                .insert(quoted_name(&name))
                .detail(shortened(text)),
        );
    }
}

pub(super) fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or("")),
        None => line,
    }
}

fn holds_aggregate(scopes: &Scopes<'_>, range: Range<usize>) -> bool {
    range
        .filter(|token| scopes.tree.is_open(token + 1))
        .filter_map(|token| scopes.catalog.function(scopes.tree.text_of(token)))
        .any(|function| function.kind == FunctionKind::Aggregate)
}

/// Parameters of the lambdas around the cursor, and variables of list comprehensions.
fn variables(cursor: &Cursor<'_>, found: &mut Vec<Candidate>) {
    let tree = &cursor.tree;
    let mut push = |name: String, detail: &str| {
        found.push(
            Candidate::new(ItemKind::Variable, name.clone(), 1_100)
                .insert(quoted_name(&name))
                .detail(detail),
        );
    };
    let mut bracket = tree.bracket_at(cursor.before);
    while let Some(open) = bracket {
        let content = tree.content(open);
        for token in tree.top_level(content.clone()) {
            if token < cursor.before && tree.is(token, "lambda") {
                let colon = (token + 1..cursor.before).find(|at| tree.kind(*at) == Some(TokenKind::Colon));
                for name in (token + 1..colon.unwrap_or(token + 1)).filter_map(|at| tree.plain_name(at)) {
                    push(name, "parameter of the lambda");
                }
            }
            if tree.sign(open, "[") && tree.is(token, "for") && Some(token) != cursor.at {
                let end = tree.top_level(token + 1..content.end).find(|at| tree.is(*at, "in"));
                for name in (token + 1..end.unwrap_or(token + 2)).filter_map(|at| tree.plain_name(at)) {
                    push(name, "variable of the list");
                }
            }
        }
        bracket = tree.parent.get(open).copied().flatten();
    }
}

fn functions(cursor: &Cursor<'_>, scopes: &Scopes<'_>, clause: ClauseKind, found: &mut Vec<Candidate>) {
    let tree = &cursor.tree;
    let typed = !cursor.typed().is_empty();
    let called = cursor.at.is_some_and(|at| tree.sign(at + 1, "("));
    let expected = Expected::at(cursor, scopes);
    let aggregates = matches!(
        clause,
        ClauseKind::Select | ClauseKind::Having | ClauseKind::OrderBy | ClauseKind::Qualify
    );
    for function in scopes.catalog.all_functions() {
        // There are many, and most of them are not meant.
        if typed && !super::ranking::matches(&function.name, cursor.typed()) {
            continue;
        }
        let score = match words::function(&function.name) {
            Some(score) => score,
            None if typed => 300,
            None => continue,
        };
        let score = match function.kind {
            FunctionKind::Aggregate if !aggregates => score - 500,
            FunctionKind::Window
                if !matches!(clause, ClauseKind::Select | ClauseKind::Qualify | ClauseKind::OrderBy) =>
            {
                score - 500
            }
            FunctionKind::Window if clause == ClauseKind::Qualify => score + 120,
            FunctionKind::Table if function.name != "unnest" => continue,
            _ => score,
        };
        let returns = function.signatures.first().map_or("", |signature| &signature.returns);
        let fits = expected.adjustment(returns).max(0);
        found.push(function_candidate(
            function,
            score + fits + if called { 300 } else { 0 },
            called,
        ));
    }
}

pub(super) fn function_candidate(function: &Function, score: i32, called: bool) -> Candidate {
    let parameters = function
        .signatures
        .first()
        .map_or_else(String::new, |signature| signature.parameters.join(", "));
    let returns = function.signatures.first().map_or("", |signature| &signature.returns);
    let candidate = Candidate::new(ItemKind::Function, function.name.clone(), score)
        .detail(format!("({parameters}) → {returns}").trim_end_matches(" → ").to_owned())
        .doc(function.doc.clone());
    if called {
        return candidate;
    }
    let name = &function.name;
    match (name.as_str(), parameters.is_empty()) {
        ("count", _) => candidate.snippet("count(${1:*})$0"),
        ("exists", _) => candidate.snippet("EXISTS ($0)"),
        ("cast" | "try_cast", _) => candidate.snippet(format!("{name}($1 AS ${{2:VARCHAR}})$0")),
        (_, true) if function.kind == FunctionKind::Window => candidate.snippet(format!("{name}() OVER ($0)")),
        (_, true) => candidate.snippet(format!("{name}()$0")),
        _ => candidate.snippet(format!("{name}($1)$0")),
    }
}

/// Words that can follow an operand.
pub(super) fn operators(cursor: &Cursor<'_>, scopes: &Scopes<'_>, clause: ClauseKind) -> Vec<Candidate> {
    let tree = &cursor.tree;
    let conditions = matches!(
        clause,
        ClauseKind::Where | ClauseKind::Having | ClauseKind::Qualify | ClauseKind::From
    );
    // A value that nothing is said about yet wants a comparison first, a finished one AND.
    let bare = conditions && is_bare(cursor, scopes);
    let mut found: Vec<Candidate> = words::OPERATORS
        .iter()
        .map(|(word, score)| {
            let joins = matches!(*word, "AND" | "OR");
            let score = match (conditions, bare) {
                (false, _) => score - 300,
                (true, true) if !joins => score + 150,
                (true, false) if !joins => score - 150,
                (true, true) => score - 60,
                (true, false) => score + 60,
            };
            Candidate::new(ItemKind::Keyword, *word, score)
        })
        .collect();
    if let Some(previous) = cursor.previous().filter(|at| tree.is_close(*at)) {
        let function = tree
            .opening_of(previous)
            .and_then(|open| open.checked_sub(1))
            .and_then(|name| scopes.catalog.function(tree.text_of(name)));
        match function.map(|function| function.kind) {
            Some(FunctionKind::Aggregate) => {
                found.push(Candidate::new(ItemKind::Keyword, "FILTER", 855).snippet("FILTER (WHERE $0)"));
                found.push(Candidate::new(ItemKind::Keyword, "OVER", 850).snippet("OVER ($0)"));
            }
            Some(FunctionKind::Window) => {
                found.push(Candidate::new(ItemKind::Keyword, "OVER", 990).snippet("OVER ($0)"));
            }
            _ => {}
        }
    }
    // The branches of a CASE that is open here.
    let bracket = tree.bracket_at(cursor.before);
    let mut open_cases = 0_i32;
    let mut last = "";
    for at in (0..cursor.before)
        .rev()
        .filter(|at| tree.parent.get(*at) == Some(&bracket))
    {
        if tree.is(at, "end") {
            open_cases -= 1;
        } else if tree.is(at, "case") {
            open_cases += 1;
        } else if open_cases == 0 && last.is_empty() && tree.is_any(at, &["when", "then", "else"]) {
            last = tree.text_of(at);
        }
    }
    if open_cases > 0 {
        let next: &[&str] = match last.to_ascii_lowercase().as_str() {
            "when" => &["THEN"],
            "then" => &["ELSE", "END", "WHEN"],
            "else" => &["END"],
            _ => &["WHEN"],
        };
        for (word, place) in next.iter().zip(0..) {
            found.push(Candidate::new(ItemKind::Keyword, *word, 1_060 - place));
        }
    }
    found
}

/// Whether the value before the cursor begins a condition.
fn is_bare(cursor: &Cursor<'_>, scopes: &Scopes<'_>) -> bool {
    let tree = &cursor.tree;
    let Some(previous) = cursor.previous() else {
        return false;
    };
    let start = scopes.operand_start(previous, 0);
    let before = start.checked_sub(1);
    before.is_some_and(|before| {
        tree.is_any(
            before,
            &["where", "and", "or", "not", "on", "having", "qualify", "when"],
        ) || tree.is_open(before)
    }) && !matches!(tree.kind(previous), Some(TokenKind::Text | TokenKind::Number))
}
