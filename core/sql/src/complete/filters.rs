//! What a query has already said about the spans it wants, so that only what those have is offered.

use std::ops::Range;

use crate::lexer::TokenKind;
use crate::scope::{Operand, Scopes, text_value};
use crate::syntax::{ClauseKind, SourceKind};

/// Values that `service`, `operation`, `name` and the like were compared with.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Filters {
    pub(crate) services: Vec<String>,
    pub(crate) operations: Vec<String>,
    pub(crate) names: Vec<String>,
}

impl Filters {
    /// What the conditions of a select, and of the queries it reads from, ask for. The literal at the token `except` is
    /// being written, and does not count.
    pub(crate) fn of(scopes: &Scopes<'_>, select: usize, except: Option<usize>) -> Self {
        let mut filters = Self::default();
        filters.read(scopes, select, except, 0);
        filters
    }

    fn read(&mut self, scopes: &Scopes<'_>, select: usize, except: Option<usize>, depth: usize) {
        let tree = scopes.tree;
        let Some(scope) = tree.selects.get(select).filter(|_| depth < 5) else {
            return;
        };
        for clause in &scope.clauses {
            if matches!(clause.kind, ClauseKind::Where | ClauseKind::From) {
                self.read_condition(scopes, select, clause.content.clone(), except);
            }
        }
        for source in &scope.sources {
            let inner = match source.kind {
                SourceKind::Query(query) => Some(query),
                SourceKind::Table(token) => {
                    let name = tree.name(token).unwrap_or_default();
                    scopes.ctes(scope.query).into_iter().find_map(|(query, cte)| {
                        let cte = tree.queries.get(query)?.ctes.get(cte)?;
                        let same = tree.name(cte.name)?.eq_ignore_ascii_case(&name);
                        if same { cte.query } else { None }
                    })
                }
                _ => None,
            };
            if let Some(query) = inner.and_then(|query| tree.queries.get(query)) {
                for inner in query.selects.clone() {
                    if inner != select {
                        self.read(scopes, inner, except, depth + 1);
                    }
                }
            }
        }
    }

    fn read_condition(&mut self, scopes: &Scopes<'_>, select: usize, content: Range<usize>, except: Option<usize>) {
        let tree = scopes.tree;
        let tokens: Vec<usize> = tree.top_level(content.clone()).collect();
        let mut found = Self::default();
        for operator in tokens.iter().copied().filter(|token| *token > content.start) {
            let equal = tree.sign(operator, "=") || tree.sign(operator, "==");
            let among = tree.is(operator, "in") && !tree.is(operator - 1, "not") && tree.is_open(operator + 1);
            if !equal && !among {
                continue;
            }
            let values = if equal {
                operator + 1..operator + 2
            } else {
                tree.content(operator + 1)
            };
            let values: Vec<String> = values
                .filter(|token| Some(*token) != except && tree.kind(*token) == Some(TokenKind::Text))
                .filter_map(|token| text_value(tree.text_of(token)))
                .collect();
            if values.is_empty() {
                continue;
            }
            let start = scopes.operand_start(operator - 1, content.start);
            let Operand::Column(column) = scopes.operand(select, start..operator) else {
                continue;
            };
            match column.base.map(|base| base.column.name.as_str()) {
                Some("service") => found.services.extend(values),
                Some("operation") => found.operations.extend(values),
                Some("name") => found.names.extend(values),
                _ => {}
            }
        }
        let kinds = [&found.services, &found.operations, &found.names];
        let constrained = kinds.iter().filter(|values| !values.is_empty()).count();
        // Either of two columns may hold then, and no value is excluded.
        if constrained > 1 && tokens.iter().any(|token| tree.is(*token, "or")) {
            return;
        }
        self.services.extend(found.services);
        self.operations.extend(found.operations);
        self.names.extend(found.names);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.services.is_empty() && self.operations.is_empty() && self.names.is_empty()
    }

    /// Whether spans of a service and operation pass.
    pub(crate) fn pass(&self, service: &str, operation: &str) -> bool {
        let among = |values: &[String], value: &str| values.is_empty() || values.iter().any(|wanted| wanted == value);
        let named = |name: &String| match name.split_once('.') {
            Some((first, rest)) => first == service && rest == operation,
            None => name == operation,
        };
        among(&self.services, service)
            && among(&self.operations, operation)
            && (self.names.is_empty() || self.names.iter().any(named))
    }
}
