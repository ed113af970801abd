//! Which names mean what at a place: tables, aliases, common table expressions and their columns, with types as far as
//! they can be told without a database.

mod infer;

pub(crate) use infer::{Operand, field, fields, key_path, text_value};

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;

use crate::catalog::{Catalog, Column};
use crate::lexer::TokenKind;
use crate::syntax::{ClauseKind, Source, SourceKind, Tree};

/// Queries that read from each other in a longer chain than this have no columns.
const LONGEST_CHAIN: usize = 30;
/// `SELECT *, *` of itself again and again would double the columns each time.
const MOST_COLUMNS: usize = 1_000;

/// A column as it is seen somewhere in a statement.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ScopeColumn<'a> {
    pub(crate) name: String,
    /// Empty when it is not known.
    pub(crate) data_type: String,
    /// The column of the catalog that it passes on unchanged.
    pub(crate) base: Option<Base<'a>>,
}

/// A column of the catalog.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Base<'a> {
    pub(crate) relation: &'a str,
    pub(crate) column: &'a Column,
}

/// The columns of something. `complete` is false when there may be others.
#[derive(Debug, Default, Clone)]
pub(crate) struct Columns<'a> {
    pub(crate) list: Vec<ScopeColumn<'a>>,
    pub(crate) complete: bool,
}

/// Something to read from, as a select sees it.
#[derive(Debug, Clone)]
pub(crate) struct ScopeSource<'a> {
    /// Its alias, else the name of the table.
    pub(crate) name: Option<String>,
    pub(crate) columns: Rc<Columns<'a>>,
    /// Of a query around this one.
    pub(crate) outer: bool,
    pub(crate) using: Vec<String>,
    pub(crate) natural: bool,
}

/// One expression of a select list.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) expression: Range<usize>,
    pub(crate) alias: Option<usize>,
}

pub(crate) struct Scopes<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) tree: &'a Tree<'a>,
    outputs: RefCell<Vec<Option<Rc<Columns<'a>>>>>,
    sources: RefCell<Vec<Option<Rc<Vec<ScopeSource<'a>>>>>>,
    chain: Cell<usize>,
}

impl<'a> Scopes<'a> {
    pub(crate) fn new(catalog: &'a Catalog, tree: &'a Tree<'a>) -> Self {
        Self {
            catalog,
            tree,
            outputs: RefCell::new(vec![None; tree.queries.len()]),
            sources: RefCell::new(vec![None; tree.selects.len()]),
            chain: Cell::new(0),
        }
    }

    /// What a select can name columns of, the nearest first.
    pub(crate) fn sources(&self, select: usize) -> Rc<Vec<ScopeSource<'a>>> {
        if let Some(Some(known)) = self.sources.borrow().get(select) {
            return Rc::clone(known);
        }
        let found = Rc::new(self.find_sources(select));
        // Within a chain of queries the answer may be cut short.
        if self.chain.get() == 0
            && let Some(slot) = self.sources.borrow_mut().get_mut(select)
        {
            *slot = Some(Rc::clone(&found));
        }
        found
    }

    fn find_sources(&self, select: usize) -> Vec<ScopeSource<'a>> {
        let mut found = Vec::new();
        let mut at = Some(select);
        let mut outer = false;
        while let Some(scope) = at.and_then(|select| self.tree.selects.get(select)) {
            for source in &scope.sources {
                found.push(ScopeSource {
                    name: self.source_name(source),
                    columns: self.columns_of(source, scope.query),
                    outer,
                    using: source.using.clone(),
                    natural: source.natural,
                });
            }
            at = self.outer_of(scope.query);
            outer = true;
        }
        found
    }

    /// The select whose columns a query can use as well as its own: not that of a query after `FROM`.
    pub(crate) fn outer_of(&self, query: usize) -> Option<usize> {
        let outer = self.tree.queries.get(query)?.outer?;
        let select = self.tree.selects.get(outer)?;
        let is_source = select
            .sources
            .iter()
            .any(|source| matches!(source.kind, SourceKind::Query(inner) if inner == query) && !source.lateral);
        let is_cte = self
            .tree
            .queries
            .get(select.query)
            .is_some_and(|around| around.ctes.iter().any(|cte| cte.query == Some(query)));
        (!is_source && !is_cte).then_some(outer)
    }

    /// Alias, else the name of the table.
    pub(crate) fn source_name(&self, source: &Source) -> Option<String> {
        let token = source.alias.or(match source.kind {
            SourceKind::Table(name) | SourceKind::Function(name) => Some(name),
            _ => None,
        })?;
        self.tree.name(token)
    }

    /// The common table expressions that a query can read from, the nearest first: query and place in it.
    pub(crate) fn ctes(&self, query: usize) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        let mut at = Some(query);
        let mut inner = None;
        while let Some(query) = at {
            let Some(scope) = self.tree.queries.get(query) else {
                break;
            };
            // One that is being written sees those before it, and itself.
            let until = scope
                .ctes
                .iter()
                .position(|cte| cte.query.is_some() && cte.query == inner)
                .map_or(scope.ctes.len(), |own| own + 1);
            found.extend((0..until).map(|cte| (query, cte)));
            inner = Some(query);
            at = scope
                .outer
                .and_then(|select| self.tree.selects.get(select))
                .map(|select| select.query);
        }
        found
    }

    /// The columns of a common table expression.
    pub(crate) fn cte_columns(&self, query: usize, cte: usize) -> Rc<Columns<'a>> {
        let Some(cte) = self.tree.queries.get(query).and_then(|query| query.ctes.get(cte)) else {
            return Rc::default();
        };
        let columns = match cte.query {
            Some(inner) => self.output(inner),
            None => Rc::default(),
        };
        renamed(columns, &cte.columns)
    }

    /// The columns of a source in a query.
    pub(crate) fn columns_of(&self, source: &Source, query: usize) -> Rc<Columns<'a>> {
        let columns = match source.kind {
            SourceKind::Table(token) => self.table(token, query),
            SourceKind::Function(token) => self.function(token),
            SourceKind::Query(inner) => self.output(inner),
            SourceKind::Unknown => Rc::default(),
        };
        renamed(columns, &source.column_names)
    }

    fn table(&self, token: usize, query: usize) -> Rc<Columns<'a>> {
        let Some(name) = self.tree.name(token) else {
            return Rc::default();
        };
        let qualified = token > 0 && self.tree.kind(token - 1) == Some(TokenKind::Dot);
        if !qualified {
            for (owner, index) in self.ctes(query) {
                let cte = self.tree.queries.get(owner).and_then(|query| query.ctes.get(index));
                let same = cte
                    .and_then(|cte| self.tree.name(cte.name))
                    .is_some_and(|cte| cte.eq_ignore_ascii_case(&name));
                if same {
                    return self.cte_columns(owner, index);
                }
            }
        }
        match self.catalog.relation(&name) {
            Some(relation) => Rc::new(from_catalog(&relation.name, &relation.columns)),
            None => Rc::default(),
        }
    }

    fn function(&self, token: usize) -> Rc<Columns<'a>> {
        let name = self.tree.name(token).unwrap_or_default();
        if let Some(table) = self.catalog.table_macro(&name) {
            return Rc::new(from_catalog(&table.name, &table.columns));
        }
        let single = match name.to_ascii_lowercase().as_str() {
            "range" | "generate_series" | "unnest" => name.to_ascii_lowercase(),
            _ => return Rc::default(),
        };
        Rc::new(Columns {
            list: vec![ScopeColumn {
                name: single,
                data_type: String::new(),
                base: None,
            }],
            complete: true,
        })
    }

    /// The columns that a query answers with.
    pub(crate) fn output(&self, query: usize) -> Rc<Columns<'a>> {
        if let Some(Some(known)) = self.outputs.borrow().get(query) {
            return Rc::clone(known);
        }
        if self.chain.get() >= LONGEST_CHAIN {
            return Rc::default();
        }
        self.chain.set(self.chain.get() + 1);
        let first = self.tree.queries.get(query).and_then(|query| query.selects.first());
        let columns = Rc::new(first.map(|select| self.select_output(*select)).unwrap_or_default());
        self.chain.set(self.chain.get() - 1);
        if let Some(slot) = self.outputs.borrow_mut().get_mut(query) {
            *slot = Some(Rc::clone(&columns));
        }
        columns
    }

    fn select_output(&self, select: usize) -> Columns<'a> {
        let Some(scope) = self.tree.selects.get(select) else {
            return Columns::default();
        };
        let own = || {
            let sources = self.sources(select);
            sources
                .iter()
                .filter(|source| !source.outer)
                .cloned()
                .collect::<Vec<_>>()
        };
        let has_list = scope.clauses.iter().any(|clause| clause.kind == ClauseKind::Select);
        let mut columns = Columns {
            list: Vec::new(),
            complete: true,
        };
        if !has_list {
            // `FROM t` alone answers with everything.
            columns.complete = !scope.sources.is_empty();
            for source in merged(&own()) {
                columns.list.extend(source.1);
            }
            return columns;
        }
        for item in self.items(select) {
            if columns.list.len() >= MOST_COLUMNS {
                columns.complete = false;
                break;
            }
            match self.star(&item) {
                Some(prefix) => self.expand_star(&item, prefix.as_deref(), &own(), &mut columns),
                None => columns.list.push(self.item_column(select, &item)),
            }
        }
        columns.list.truncate(MOST_COLUMNS);
        columns
    }

    /// `Some(None)` for `*`, `Some(Some("t"))` for `t.*`.
    pub(crate) fn star(&self, item: &Item) -> Option<Option<String>> {
        let first = item.expression.start;
        if self.tree.sign(first, "*") {
            Some(None)
        } else if self.tree.kind(first + 1) == Some(TokenKind::Dot) && self.tree.sign(first + 2, "*") {
            Some(self.tree.name(first))
        } else {
            None
        }
    }

    fn expand_star(&self, item: &Item, prefix: Option<&str>, sources: &[ScopeSource<'a>], columns: &mut Columns<'a>) {
        let excluded: Vec<String> = item
            .expression
            .clone()
            .find(|token| self.tree.is(*token, "exclude"))
            .map(|token| {
                let names = if self.tree.is_open(token + 1) {
                    self.tree.content(token + 1)
                } else {
                    token + 1..token + 2
                };
                names.filter_map(|token| self.tree.name(token)).collect()
            })
            .unwrap_or_default();
        let keep = |column: &ScopeColumn<'_>| !excluded.iter().any(|name| name.eq_ignore_ascii_case(&column.name));
        let parts = match prefix {
            Some(prefix) => sources
                .iter()
                .filter(|source| {
                    source
                        .name
                        .as_deref()
                        .is_some_and(|name| name.eq_ignore_ascii_case(prefix))
                })
                .map(|source| (source.columns.complete, source.columns.list.clone()))
                .collect(),
            None => merged(sources),
        };
        columns.complete &= !parts.is_empty();
        for (complete, list) in parts {
            columns.complete &= complete;
            columns.list.extend(list.into_iter().filter(keep));
        }
    }

    fn item_column(&self, select: usize, item: &Item) -> ScopeColumn<'a> {
        let mut column = self.infer(select, item.expression.clone());
        if let Some(alias) = item.alias.and_then(|alias| self.tree.name(alias)) {
            column.name = alias;
        }
        column
    }

    /// The expressions of a select's list.
    pub(crate) fn items(&self, select: usize) -> Vec<Item> {
        let Some(clause) = self
            .tree
            .selects
            .get(select)
            .and_then(|select| select.clauses.iter().find(|clause| clause.kind == ClauseKind::Select))
        else {
            return Vec::new();
        };
        let mut content = clause.content.clone();
        if self.tree.is_any(content.start, &["distinct", "all"]) {
            content.start += 1;
            if self.tree.is(content.start, "on") {
                content.start = self.tree.after(content.start + 1).min(content.end);
            }
        }
        let parts = self.tree.parts(content);
        parts
            .into_iter()
            .filter(|part| part.start < part.end)
            .map(|part| self.item(part))
            .collect()
    }

    fn item(&self, part: Range<usize>) -> Item {
        let tree = self.tree;
        if tree.plain_name(part.start).is_some() && tree.kind(part.start + 1) == Some(TokenKind::Colon) {
            return Item {
                alias: Some(part.start),
                expression: (part.start + 2).min(part.end)..part.end,
            };
        }
        let last = part.end - 1;
        let plain = Item {
            alias: None,
            expression: part.clone(),
        };
        if last == part.start || tree.plain_name(last).is_none() {
            return plain;
        }
        let before = last - 1;
        if tree.is(before, "as") {
            return Item {
                alias: Some(last),
                expression: part.start..before,
            };
        }
        let ends_operand = match tree.kind(before) {
            Some(TokenKind::Word) => !crate::keywords::is_reserved(tree.text_of(before)) || tree.is(before, "end"),
            Some(TokenKind::QuotedName | TokenKind::Text | TokenKind::Number | TokenKind::Close) => true,
            _ => false,
        };
        // `IS NULL x` ends in a keyword before the name; `a LIKE b` has one between names.
        let operator = tree.is_any(
            before,
            &["like", "ilike", "between", "similar", "glob", "is", "escape", "collate"],
        );
        if ends_operand && !operator && !tree.is_any(last, &["like", "ilike", "isnull", "notnull"]) {
            Item {
                alias: Some(last),
                expression: part.start..last,
            }
        } else {
            plain
        }
    }

    /// The column that a name means in a select.
    pub(crate) fn column(&self, select: usize, qualifier: Option<&str>, name: &str) -> Option<ScopeColumn<'a>> {
        let same = |a: &str| a.eq_ignore_ascii_case(name);
        let sources = self.sources(select);
        if let Some(qualifier) = qualifier {
            return sources
                .iter()
                .filter(|source| {
                    source
                        .name
                        .as_deref()
                        .is_some_and(|name| name.eq_ignore_ascii_case(qualifier))
                })
                .find_map(|source| source.columns.list.iter().find(|column| same(&column.name)))
                .cloned();
        }
        let found = |columns: &Columns<'a>| columns.list.iter().find(|column| same(&column.name)).cloned();
        if sources.is_empty() {
            // Before anything is read from, most likely spans will be.
            let relation = self.catalog.relations.first()?;
            return found(&from_catalog(&relation.name, &relation.columns));
        }
        sources.iter().find_map(|source| found(&source.columns))
    }

    /// The alias of the select list that has this name.
    pub(crate) fn alias(&self, select: usize, name: &str) -> Option<Item> {
        self.items(select).into_iter().find(|item| {
            item.alias
                .and_then(|alias| self.tree.name(alias))
                .is_some_and(|alias| alias.eq_ignore_ascii_case(name))
        })
    }
}

/// The columns of sources side by side, those that a join makes one of only once.
pub(crate) fn merged<'a>(sources: &[ScopeSource<'a>]) -> Vec<(bool, Vec<ScopeColumn<'a>>)> {
    let mut seen: Vec<String> = Vec::new();
    let mut parts = Vec::new();
    for source in sources {
        let joined = |name: &str| {
            let again = seen.iter().any(|seen| seen.eq_ignore_ascii_case(name));
            again && (source.natural || source.using.iter().any(|using| using.eq_ignore_ascii_case(name)))
        };
        let list: Vec<ScopeColumn<'_>> = source
            .columns
            .list
            .iter()
            .filter(|column| !joined(&column.name))
            .cloned()
            .collect();
        seen.extend(list.iter().map(|column| column.name.clone()));
        parts.push((source.columns.complete, list));
    }
    parts
}

pub(crate) fn from_catalog<'a>(relation: &'a str, columns: &'a [Column]) -> Columns<'a> {
    let list = columns.iter().map(|column| ScopeColumn {
        name: column.name.clone(),
        data_type: column.data_type.clone(),
        base: Some(Base { relation, column }),
    });
    Columns {
        list: list.collect(),
        complete: true,
    }
}

fn renamed<'a>(columns: Rc<Columns<'a>>, names: &[String]) -> Rc<Columns<'a>> {
    if names.is_empty() {
        return columns;
    }
    let mut columns = Columns::clone(&columns);
    for (place, name) in names.iter().enumerate() {
        match columns.list.get_mut(place) {
            Some(column) => column.name.clone_from(name),
            None => columns.list.push(ScopeColumn {
                name: name.clone(),
                data_type: String::new(),
                base: None,
            }),
        }
    }
    Rc::new(columns)
}
