//! What is known of the functions' spans: a snapshot of the store, and what of it is about one function.

use std::collections::HashMap;
use std::sync::Arc;

use flockscope_functions::{Evidence, FunctionId, Matches, Observed, ObservedId, Part, Tier, Workspace};
use flockscope_model::rows::FunctionRow;
use serde::Deserialize;

use crate::nesting::{Nesting, Nestings};
use crate::recent::Known;

/// What tells rows of the analysis `functions` apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
pub(crate) struct Key {
    service: String,
    operation: String,
    name: String,
    module: Option<String>,
    class: Option<String>,
    function: Option<String>,
    code_file_path: Option<String>,
    code_function_name: Option<String>,
    code_line_number: Option<i32>,
}

/// Its columns, and it as a value of SQL.
pub(crate) const KEY_COLUMNS: &str =
    "service, operation, name, module, class, function, code_file_path, code_function_name, code_line_number";
pub(crate) const KEY: &str = "{'service': service, 'operation': operation, 'name': name, 'module': module, \
    'class': class, 'function': function, 'code_file_path': code_file_path, \
    'code_function_name': code_function_name, 'code_line_number': code_line_number}";

impl From<&FunctionRow> for Key {
    fn from(row: &FunctionRow) -> Self {
        Self {
            service: row.service.clone(),
            operation: row.operation.clone(),
            name: row.name.clone(),
            module: row.module.clone(),
            class: row.class.clone(),
            function: row.function.clone(),
            code_file_path: row.code_file_path.clone(),
            code_function_name: row.code_function_name.clone(),
            code_line_number: row.code_line_number,
        }
    }
}

/// Rows of the analysis `functions`, as they were at one time.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    rows: Vec<FunctionRow>,
    /// See [`Known::later_calls`]; one for each row.
    later_calls: Vec<i64>,
    /// Of rows that call themselves, the two parts.
    nestings: HashMap<ObservedId, Nesting>,
    /// Figures of the same operations share these.
    observed: Arc<Vec<Observed>>,
}

impl Figures {
    /// `before`: the figures that these take the place of.
    pub(crate) fn new(known: Vec<Known>, nestings: &Nestings, before: &Self) -> Self {
        let (rows, later_calls): (Vec<_>, Vec<_>) =
            known.into_iter().map(|known| (known.row, known.later_calls)).unzip();
        let nestings: HashMap<ObservedId, Nesting> = (0..)
            .zip(&rows)
            .filter_map(|(id, row)| Some((id, nestings.of(&Key::from(row))?.clone())))
            .collect();
        let is_same = rows.len() == before.rows.len()
            && nestings.len() == before.nestings.len()
            && nestings.keys().all(|id| before.nestings.contains_key(id))
            && rows
                .iter()
                .zip(before.observed.iter())
                .all(|(row, observed)| is_of(row, observed));
        let observed = if is_same {
            Arc::clone(&before.observed)
        } else {
            let numbered = (0..).zip(&rows);
            Arc::new(numbered.map(|(id, row)| observed(id, row, nestings.get(&id))).collect())
        };
        Self {
            nestings,
            rows,
            later_calls,
            observed,
        }
    }

    /// The figures of these rows alone.
    pub(crate) fn of_rows(rows: Vec<FunctionRow>) -> Self {
        let known = |row| Known { row, later_calls: 0 };
        Self::new(
            rows.into_iter().map(known).collect(),
            &Nestings::default(),
            &Self::default(),
        )
    }

    /// Whether these are about the same operations, so that spans are whose they were.
    pub(crate) fn match_as(&self, others: &Self) -> bool {
        Arc::ptr_eq(&self.observed, &others.observed)
    }

    pub(crate) fn rows(&self) -> &[FunctionRow] {
        &self.rows
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Which spans are whose.
    pub(crate) fn matched_with(&self, workspace: &Workspace) -> Matches {
        workspace.match_operations(&self.observed)
    }

    /// Start of the latest span of all.
    pub(crate) fn latest(&self) -> Option<i64> {
        self.rows.iter().map(|row| row.last_time).max()
    }

    /// The operations whose spans have a name.
    pub(crate) fn of_name(&self, name: &str) -> impl Iterator<Item = ObservedId> {
        let named = self.observed.iter().filter(move |observed| observed.name == name);
        named.map(|observed| observed.id)
    }

    /// The figures of an operation, or of one of its parts.
    fn row(&self, id: ObservedId, part: Part) -> Option<&FunctionRow> {
        let nesting = self.nestings.get(&id);
        match (part, nesting) {
            (Part::Outer, Some(nesting)) => nesting.outer.as_ref(),
            (Part::Nested, Some(nesting)) => nesting.nested.as_ref(),
            _ => self.rows.get(usize::try_from(id).ok()?),
        }
    }

    /// What is known of one function; `None`: nothing was seen.
    pub(crate) fn of(&self, function: FunctionId, matches: &Matches) -> Option<FunctionFigures<'_>> {
        let mut rows = Vec::new();
        let mut later_calls = 0;
        let mut certainty = None;
        for found in matches.of(function) {
            let Ok(place) = usize::try_from(found.observed) else {
                continue;
            };
            let Some(row) = self.row(found.observed, found.part) else {
                continue;
            };
            // Spans that are made inside of it are not its calls.
            if found.evidence == Evidence::Inside {
                continue;
            }
            let first: &mut (Tier, Evidence) = certainty.get_or_insert((found.tier.clone(), found.evidence));
            // What is said of all is no surer than of any: the surest come first, and what is less sure is left out.
            if std::mem::discriminant(&first.0) == std::mem::discriminant(&found.tier) {
                rows.push(row);
                later_calls += self.later_calls.get(place).copied().unwrap_or(0);
            }
        }
        let (tier, evidence) = certainty?;
        FunctionFigures::new(rows, later_calls, (tier, evidence))
    }
}

fn observed(id: ObservedId, row: &FunctionRow, nesting: Option<&Nesting>) -> Observed {
    Observed {
        id,
        name: row.name.clone(),
        service: row.service.clone(),
        operation: row.operation.clone(),
        module: row.module.clone(),
        class: row.class.clone(),
        function: row.function.clone(),
        code_file_path: row.code_file_path.clone(),
        code_function_name: row.code_function_name.clone(),
        code_line: line(row),
        parents: nesting
            .and_then(|nesting| Some((id, nesting.nested.as_ref()?.calls.max(0).cast_unsigned())))
            .into_iter()
            .collect(),
    }
}

/// Whether this is the operation of a row.
fn is_of(row: &FunctionRow, observed: &Observed) -> bool {
    row.name == observed.name
        && row.service == observed.service
        && row.operation == observed.operation
        && row.module == observed.module
        && row.class == observed.class
        && row.function == observed.function
        && row.code_file_path == observed.code_file_path
        && row.code_function_name == observed.code_function_name
        && line(row) == observed.code_line
}

fn line(row: &FunctionRow) -> Option<u32> {
    row.code_line_number.and_then(|line| u32::try_from(line).ok())
}

/// The figures of one function, over all rows that are its.
#[derive(Debug)]
pub(crate) struct FunctionFigures<'a> {
    /// One for each class that has reached it, and for each place it was seen at.
    pub(crate) rows: Vec<&'a FunctionRow>,
    /// The row of the latest span.
    pub(crate) last: &'a FunctionRow,
    /// The row of the slowest one.
    pub(crate) slowest: &'a FunctionRow,
    /// The row of the latest error.
    pub(crate) last_error: Option<&'a FunctionRow>,
    pub(crate) calls: i64,
    pub(crate) errors: i64,
    /// Calls of these that are not in the percentiles yet.
    pub(crate) later_calls: i64,
    pub(crate) total_ms: f64,
    pub(crate) tier: Tier,
    pub(crate) evidence: Evidence,
}

/// A percentile over several rows: known, or the least that it is not above.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Percentile {
    Exact(f64),
    AtMost(f64),
}

impl<'a> FunctionFigures<'a> {
    pub(crate) fn new(
        rows: Vec<&'a FunctionRow>,
        later_calls: i64,
        (tier, evidence): (Tier, Evidence),
    ) -> Option<Self> {
        let last = rows.iter().copied().max_by_key(|row| row.last_time)?;
        let slowest = rows
            .iter()
            .copied()
            .max_by(|one, other| one.slowest_ms.total_cmp(&other.slowest_ms))?;
        let last_error = rows.iter().copied().filter(|row| row.last_error_time.is_some());
        Some(Self {
            last,
            slowest,
            last_error: last_error.max_by_key(|row| row.last_error_time),
            calls: rows.iter().map(|row| row.calls).sum(),
            errors: rows.iter().map(|row| row.errors).sum(),
            total_ms: rows.iter().map(|row| row.total_ms).sum(),
            rows,
            later_calls,
            tier,
            evidence,
        })
    }

    /// Tokens that went into models, and that came out.
    pub(crate) fn tokens(&self) -> (i64, i64) {
        let sum = |of: fn(&FunctionRow) -> i64| self.rows.iter().map(|row| of(row)).sum();
        (sum(|row| row.input_tokens), sum(|row| row.output_tokens))
    }

    /// What its spans say that they cost.
    pub(crate) fn cost(&self) -> f64 {
        self.rows.iter().map(|row| row.cost).sum()
    }

    /// Of several rows the percentile of all lies between theirs.
    pub(crate) fn percentile(&self, of_row: impl Fn(&FunctionRow) -> f64) -> Percentile {
        let most = self.rows.iter().map(|row| of_row(row)).fold(0.0, f64::max);
        if self.rows.len() == 1 {
            Percentile::Exact(most)
        } else {
            Percentile::AtMost(most)
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::Path;

    use super::*;

    /// A row of spans as Flock's tracing makes them.
    pub(crate) fn row(module: &str, class: &str, function: &str, calls: i64, last_time: i64) -> FunctionRow {
        FunctionRow {
            service: class.into(),
            operation: function.into(),
            name: format!("{class}.{function}"),
            module: Some(module.into()),
            class: Some(class.into()),
            function: Some(function.into()),
            calls,
            p50_ms: 1.0,
            p95_ms: 5.0,
            p99_ms: 9.0,
            total_ms: 2.0 * calls as f64,
            last_time,
            last_ms: 3.0,
            last_trace_id: "feed".into(),
            slowest_ms: 10.0,
            slowest_trace_id: "beef".into(),
            ..FunctionRow::default()
        }
    }

    /// A base class and two that are made from it.
    const PROGRAM: &str = "\
from flock.logging.auto_trace import AutoTracedMeta

class Base(metaclass=AutoTracedMeta):
    def run(self):
        return 1

class One(Base):
    pass

class Two(Base):
    def only(self):
        return 2
";

    #[test]
    fn a_method_has_the_calls_of_all_classes_that_inherit_it() {
        let path = Path::new("/project/program.py");
        let mut workspace = Workspace::new(Path::new("/project"));
        workspace.update(path, PROGRAM);
        let mut one = row("program", "One", "run", 4, 10);
        one.errors = 1;
        one.last_error_time = Some(9);
        let mut two = row("program", "Two", "run", 6, 20);
        two.p95_ms = 7.0;
        two.slowest_ms = 2.0;
        let rows = [one, two, row("elsewhere", "Two", "only", 1, 30)];
        let known = |row| Known { row, later_calls: 2 };
        let figures = Figures::new(rows.map(known).to_vec(), &Nestings::default(), &Figures::default());
        let matches = figures.matched_with(&workspace);
        let of = |name: &str| {
            let functions = workspace.functions(path);
            let found = functions.iter().find(|function| function.qualified_name == name);
            figures.of(found.expect(name).id, &matches)
        };
        let run = of("Base.run").expect("it was seen");
        assert_eq!((run.calls, run.errors, run.total_ms), (10, 1, 20.0));
        assert_eq!(run.later_calls, 4);
        assert_eq!(
            (run.last.class.as_deref(), run.slowest.class.as_deref()),
            (Some("Two"), Some("One"))
        );
        assert_eq!(run.last_error.and_then(|row| row.last_error_time), Some(9));
        assert_eq!(run.percentile(|row| row.p95_ms), Percentile::AtMost(7.0));
        assert_eq!(run.tier, Tier::Exact);
        assert!(
            of("Two.only").is_none_or(|figures| figures.tier != Tier::Exact),
            "it was another module's"
        );
        assert_eq!(figures.latest(), Some(30));
    }

    #[test]
    fn figures_of_the_same_operations_match_as_those_before() {
        let known = |row| Known { row, later_calls: 0 };
        let before = Figures::new(
            vec![known(row("m", "One", "run", 4, 10))],
            &Nestings::default(),
            &Figures::default(),
        );
        let more = Figures::new(
            vec![known(row("m", "One", "run", 5, 20))],
            &Nestings::default(),
            &before,
        );
        assert!(more.match_as(&before));
        let other = Figures::new(
            vec![known(row("m", "One", "stop", 5, 20))],
            &Nestings::default(),
            &before,
        );
        assert!(!other.match_as(&before));
        let fewer = Figures::new(Vec::new(), &Nestings::default(), &before);
        assert!(!fewer.match_as(&before));
    }
}
