//! Where a name is defined: common table expressions, aliases of tables, aliases of columns.

use crate::lexer::TokenKind;
use crate::scope::{Item, Scopes};
use crate::syntax::{Source, SourceKind};

/// Something that a statement gives a name to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Definition {
    /// Query, and place in its `WITH`.
    Cte(usize, usize),
    /// Select, and place among what it reads from.
    Source(usize, usize),
    /// Select, and the token of an alias in its list.
    Alias(usize, usize),
}

/// What the name at a token stands for, where the statement itself defines it.
pub(crate) fn definition_of(scopes: &Scopes<'_>, token: usize) -> Option<Definition> {
    let tree = scopes.tree;
    let name = tree.plain_name(token)?;
    for (query, scope) in tree.queries.iter().enumerate() {
        if let Some(cte) = scope.ctes.iter().position(|cte| cte.name == token) {
            return Some(Definition::Cte(query, cte));
        }
    }
    for (select, scope) in tree.selects.iter().enumerate() {
        for (place, source) in scope.sources.iter().enumerate() {
            if source.alias == Some(token) {
                return Some(Definition::Source(select, place));
            }
            if matches!(source.kind, SourceKind::Table(table) if table == token) {
                return cte_of(scopes, source, scope.query);
            }
        }
    }
    let after_dot = token > 0 && tree.kind(token - 1) == Some(TokenKind::Dot);
    let select = tree.select_at(token + 1)?;
    if scopes.items(select).iter().any(|item| item.alias == Some(token)) {
        return Some(Definition::Alias(select, token));
    }
    if after_dot {
        let qualifier = tree.name(token.checked_sub(2)?)?;
        let (owner, place) = source_named(scopes, select, &qualifier)?;
        return alias_behind(scopes, owner, place, &name, 0);
    }
    if tree.sign(token + 1, "(") {
        return None;
    }
    if tree.kind(token + 1) == Some(TokenKind::Dot) {
        let (owner, place) = source_named(scopes, select, &name)?;
        let source = tree.selects.get(owner)?.sources.get(place)?;
        return match source.alias {
            Some(_) => Some(Definition::Source(owner, place)),
            None => cte_of(scopes, source, tree.selects.get(owner)?.query),
        };
    }
    // A column before an alias of the same name, as in DuckDB.
    let mut at = Some(select);
    while let Some(scope) = at.and_then(|select| tree.selects.get(select)) {
        for (place, source) in scope.sources.iter().enumerate() {
            let columns = scopes.columns_of(source, scope.query);
            if columns
                .list
                .iter()
                .any(|column| column.name.eq_ignore_ascii_case(&name))
            {
                return alias_behind(scopes, at?, place, &name, 0);
            }
        }
        at = scopes.outer_of(scope.query);
    }
    let alias = scopes.alias(select, &name)?.alias?;
    Some(Definition::Alias(select, alias))
}

/// Every token of the statement that names the same thing.
pub(crate) fn references(scopes: &Scopes<'_>, definition: Definition) -> Vec<usize> {
    let tree = scopes.tree;
    let wanted = defining_token(scopes, definition).and_then(|token| tree.name(token));
    (0..tree.tokens.len())
        .filter(|token| {
            let same = tree
                .name(*token)
                .zip(wanted.as_deref())
                .is_some_and(|(name, wanted)| name.eq_ignore_ascii_case(wanted));
            same && definition_of(scopes, *token) == Some(definition)
        })
        .collect()
}

/// The token that gives the name.
pub(crate) fn defining_token(scopes: &Scopes<'_>, definition: Definition) -> Option<usize> {
    match definition {
        Definition::Cte(query, cte) => Some(scopes.tree.queries.get(query)?.ctes.get(cte)?.name),
        Definition::Source(select, place) => scopes.tree.selects.get(select)?.sources.get(place)?.alias,
        Definition::Alias(_, token) => Some(token),
    }
}

fn cte_of(scopes: &Scopes<'_>, source: &Source, query: usize) -> Option<Definition> {
    let SourceKind::Table(token) = source.kind else {
        return None;
    };
    if token > 0 && scopes.tree.kind(token - 1) == Some(TokenKind::Dot) {
        return None;
    }
    let name = scopes.tree.name(token)?;
    scopes.ctes(query).into_iter().find_map(|(owner, index)| {
        let cte = scopes.tree.queries.get(owner)?.ctes.get(index)?;
        let same = scopes.tree.name(cte.name)?.eq_ignore_ascii_case(&name);
        same.then_some(Definition::Cte(owner, index))
    })
}

fn source_named(scopes: &Scopes<'_>, select: usize, name: &str) -> Option<(usize, usize)> {
    let mut at = Some(select);
    while let Some(scope) = at.and_then(|select| scopes.tree.selects.get(select)) {
        let place = scope.sources.iter().position(|source| {
            scopes
                .source_name(source)
                .is_some_and(|source| source.eq_ignore_ascii_case(name))
        });
        if let Some(place) = place {
            return Some((at?, place));
        }
        at = scopes.outer_of(scope.query);
    }
    None
}

/// The alias that a column of a source has in the query that the source is, or in one that this query reads from.
fn alias_behind(scopes: &Scopes<'_>, select: usize, place: usize, name: &str, depth: usize) -> Option<Definition> {
    let tree = scopes.tree;
    let scope = tree.selects.get(select).filter(|_| depth < 20)?;
    let source = scope.sources.get(place)?;
    let query = match (&source.kind, cte_of(scopes, source, scope.query)) {
        (SourceKind::Query(query), _) => *query,
        (_, Some(Definition::Cte(owner, index))) => tree.queries.get(owner)?.ctes.get(index)?.query?,
        _ => return None,
    };
    let inner = *tree.queries.get(query)?.selects.first()?;
    if let Some(alias) = scopes.alias(inner, name).and_then(|item| item.alias) {
        return Some(Definition::Alias(inner, alias));
    }
    let items = scopes.items(inner);
    let passes = |item: &Item| {
        let last = item.expression.end.checked_sub(1);
        let last_name = last.and_then(|last| tree.name(last));
        let same = last_name.is_some_and(|last| last.eq_ignore_ascii_case(name));
        let whole = matches!(item.expression.len(), 1 | 3) && same;
        item.alias.is_none() && (whole || scopes.star(item).is_some())
    };
    if !items.is_empty() && !items.iter().any(passes) {
        return None;
    }
    let next = tree.selects.get(inner)?;
    let from = next.sources.iter().position(|source| {
        let columns = scopes.columns_of(source, next.query);
        columns.list.iter().any(|column| column.name.eq_ignore_ascii_case(name))
    })?;
    alias_behind(scopes, inner, from, name, depth + 1)
}
