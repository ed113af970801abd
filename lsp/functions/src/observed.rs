//! What was observed at run time, and the answer to whose it is.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::workspace::FunctionId;

/// Names an [`Observed`] operation; chosen by the caller.
pub type ObservedId = u64;

/// An operation: all spans that agree in these fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Observed {
    /// Its name in the answers.
    pub id: ObservedId,
    /// Name of the spans.
    pub name: String,
    /// Their service: in Flock the class.
    pub service: String,
    /// Their operation: in Flock the method.
    pub operation: String,
    /// The attribute `module`: where the function that ran is defined.
    pub module: Option<String>,
    /// The attribute `class`: of the object that it ran on; of a plain function the type of its first argument.
    pub class: Option<String>,
    /// The attribute `function`.
    pub function: Option<String>,
    /// `code.file.path` or `code.filepath`.
    pub code_file_path: Option<String>,
    /// `code.function.name`, or `code.namespace` and `code.function` joined by a dot.
    pub code_function_name: Option<String>,
    /// `code.line.number` or `code.lineno`, from 1.
    pub code_line: Option<u32>,
    /// The operations of the parents of its spans, with the number of spans that have such a parent.
    ///
    /// Only the operation's own id is looked for: `vec![(id, n)]` is enough, where `n` of its spans have a parent that is
    /// a span of the same operation, that is, of the same name, module, class and function. If `n` is above zero, and a
    /// method and that of its base look the same in spans, the operation is divided: [`Part::Nested`] are those `n` spans,
    /// [`Part::Outer`] the others. Without it, or with zero, all spans are taken for calls of the method of the class
    /// itself. The parent is the span directly above: where the method calls its base within another span, that one is the
    /// parent, and the call of the base is not told apart.
    pub parents: Vec<(ObservedId, u64)>,
}

/// How sure it is that spans are a function's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tier {
    /// The spans say where they come from.
    Exact,
    /// Their name, or how they nest, tells.
    Inferred,
    /// They are of one of these functions, and nothing tells of which.
    Ambiguous(Arc<[FunctionId]>),
}

/// Which spans of an operation are the function's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Part {
    /// All of them.
    All,
    /// Those whose parent is not a span of the same operation: calls of the method of the class itself.
    Outer,
    /// Those whose parent is a span of the same operation: calls that it passed on to the method of its base.
    Nested,
}

/// By what spans and function were brought together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Evidence {
    /// The spans name file, line or function (`code.*`).
    Code,
    /// The spans name module, class and function, and the class has the function from there.
    Classes,
    /// The spans name module and function, and the module has one such function.
    Module,
    /// The method and that of its base look the same in spans, but one calls the other.
    Nesting,
    /// The spans bear the name that is written for the calls of the function.
    Literal,
    /// The spans bear a name that is written inside the function: they are made by it, but are not its calls.
    Inside,
    /// The spans bear the name of class and method, or of a function.
    Name,
}

/// Spans of an operation that are a function's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// The operation.
    pub observed: ObservedId,
    /// The function.
    pub function: FunctionId,
    /// Which of its spans.
    pub part: Part,
    /// How sure that is.
    pub tier: Tier,
    /// Why.
    pub evidence: Evidence,
}

/// Which spans are whose. Stays right while functions are edited, until one is renamed, added or taken away.
#[derive(Debug, Clone, Default)]
pub struct Matches {
    by_function: HashMap<FunctionId, Vec<Match>>,
    by_observed: HashMap<ObservedId, Vec<Match>>,
}

impl Matches {
    /// The operations that are calls of a function, the surest first.
    pub fn of(&self, function: FunctionId) -> &[Match] {
        self.by_function.get(&function).map_or(&[], Vec::as_slice)
    }

    /// The functions that an operation is a call of: one if that is known; two if outer and nested spans are of two
    /// functions; more if it is ambiguous; none if no known function fits.
    pub fn functions_of(&self, observed: ObservedId) -> &[Match] {
        self.by_observed.get(&observed).map_or(&[], Vec::as_slice)
    }

    /// Every function with observed calls.
    pub fn functions(&self) -> impl Iterator<Item = FunctionId> {
        self.by_function.keys().copied()
    }

    pub(crate) fn add(&mut self, found: Match) {
        self.by_function.entry(found.function).or_default().push(found.clone());
        self.by_observed.entry(found.observed).or_default().push(found);
    }

    pub(crate) fn sort(&mut self) {
        for matches in self.by_function.values_mut() {
            matches.sort_by_key(|found| (found.tier.rank(), found.observed));
        }
    }
}

impl Tier {
    fn rank(&self) -> u8 {
        match self {
            Self::Exact => 0,
            Self::Inferred => 1,
            Self::Ambiguous(_) => 2,
        }
    }
}
