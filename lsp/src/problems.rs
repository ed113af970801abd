//! What the traces say is wrong with functions: slower or failing more often than before, beyond what was promised, and
//! where exceptions were raised.

use async_lsp::lsp_types::{Diagnostic, DiagnosticSeverity, NumberOrString, Position, Range, Url};
use flockscope_functions::{Edit, Function, Tier};

use crate::changes::Changes;
use crate::exceptions::{self, Raised};
use crate::figures::{FunctionFigures, Key};
use crate::positions::{Encoding, range};
use crate::preferences::{self, ServiceLevel};
use crate::server::Server;
use crate::words;

/// One thing that is wrong.
struct Problem {
    code: &'static str,
    message: String,
    /// A promise that is broken is more than a hint.
    is_promise: bool,
}

impl Server {
    /// The problems of a source file's functions, each at the name of its function.
    pub(crate) fn code_diagnostics(&mut self, url: &Url) -> Option<Vec<Diagnostic>> {
        let path = self.up_to_date(url)?;
        let document = self.documents.get(url)?;
        let preferences = &self.preferences.diagnostics;
        let mut diagnostics = Vec::new();
        if !preferences.enabled {
            return Some(diagnostics);
        }
        for function in self.workspace.functions(&path) {
            let Some(figures) = self.figures.of(function.id, &self.matches) else {
                continue;
            };
            // What may be another function's is no reason to blame this one.
            if matches!(figures.tier, Tier::Ambiguous(_)) {
                continue;
            }
            let mut problems = Vec::new();
            // It may be mended since.
            let edit = self.workspace.function_edited_since(&function, figures.last.last_time);
            if !matches!(edit, Edit::Since { .. }) {
                problems.extend(regressions(&function, &figures, &self.changes, preferences));
            }
            problems.extend(broken_promises(&figures, |name| {
                self.preferences.service_levels.get(name)
            }));
            diagnostics.extend(problems.into_iter().map(|problem| Diagnostic {
                range: range(&document.lines, &function.definition.name_range, self.encoding),
                severity: Some(if problem.is_promise {
                    DiagnosticSeverity::WARNING
                } else {
                    preferences.severity.into()
                }),
                code: Some(NumberOrString::String(problem.code.into())),
                source: Some("flockscope".into()),
                message: problem.message,
                ..Diagnostic::default()
            }));
        }
        let raised: Vec<Raised> = self
            .raised()
            .iter()
            .filter(|raised| raised.path == path)
            .cloned()
            .collect();
        for raised in raised {
            let Some(document) = self.documents.get(url) else {
                continue;
            };
            let Some(line) = raised.line_in(&document.text, &self.workspace) else {
                continue;
            };
            let failure = &raised.failure;
            let message = match (&failure.kind, &failure.message) {
                (Some(kind), Some(message)) => format!("{kind}: {message}"),
                (Some(text), None) | (None, Some(text)) => text.clone(),
                (None, None) => "an exception".into(),
            };
            diagnostics.push(Diagnostic {
                range: line_range(&document.text, line, self.encoding),
                severity: Some(self.preferences.diagnostics.severity.into()),
                code: Some(NumberOrString::String("exception".into())),
                source: Some("flockscope".into()),
                message: format!("raised here last in trace {}: {message}", failure.trace_id),
                ..Diagnostic::default()
            });
        }
        Some(diagnostics)
    }

    /// The exceptions at their lines, worked out anew when the traces or the files are others.
    fn raised(&mut self) -> &[Raised] {
        let (details, workspace) = (&self.details, &self.workspace);
        self.raised
            .get_or_insert_with(|| exceptions::raised(details, workspace))
    }
}

/// What stands on a line, without its indentation.
fn line_range(text: &str, line: usize, encoding: Encoding) -> Range {
    let content = text.lines().nth(line).unwrap_or_default();
    let column = |text: &str| match encoding {
        Encoding::Utf8 => text.len(),
        Encoding::Utf16 => text.encode_utf16().count(),
        Encoding::Utf32 => text.chars().count(),
    };
    let place = |column: usize| Position::new(u32::try_from(line).unwrap_or(0), u32::try_from(column).unwrap_or(0));
    let indentation = content.len() - content.trim_start().len();
    Range::new(place(indentation), place(column(content.trim_end())))
}

/// What has become worse since before, for each row of the function.
fn regressions(
    function: &Function<'_>,
    figures: &FunctionFigures<'_>,
    changes: &Changes,
    preferences: &preferences::Diagnostics,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for row in &figures.rows {
        let Some(change) = changes.of(&Key::from(*row)) else {
            continue;
        };
        let who = match row.class.as_deref() {
            Some(class) if Some(class) != function.class => format!("on {class}: "),
            _ => String::new(),
        };
        if let (Some(ratio), Some(now), Some(before)) = (change.p95_ratio(), change.p95_ms, change.p95_before_ms)
            && ratio >= preferences.slower
        {
            problems.push(Problem {
                code: "slower",
                message: format!(
                    "{who}p95 {} is {ratio:.1} times that of {} ({})",
                    words::duration(now),
                    changes.before,
                    words::duration(before)
                ),
                is_promise: false,
            });
        }
        if let Some((now, before)) = change.error_rates()
            && now - before >= preferences.failing
        {
            problems.push(Problem {
                code: "failing",
                message: format!(
                    "{who}{} of {} fail, of {} it were {}",
                    words::share(change.errors, change.calls),
                    words::counted(change.calls, "call", "calls"),
                    changes.before,
                    words::share(change.errors_before, change.calls_before)
                ),
                is_promise: false,
            });
        }
    }
    problems
}

/// What is beyond the service level of the spans' name.
fn broken_promises<'a>(
    figures: &FunctionFigures<'_>,
    level: impl Fn(&str) -> Option<&'a ServiceLevel>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for row in &figures.rows {
        let Some(level) = level(&row.name) else { continue };
        if let Some(most) = level.p95.map(|most| most.as_secs_f64() * 1_000.0)
            && row.p95_ms > most
        {
            problems.push(Problem {
                code: "service-level",
                message: format!(
                    "p95 of {} is {}, promised are {}",
                    row.name,
                    words::duration(row.p95_ms),
                    words::duration(most)
                ),
                is_promise: true,
            });
        }
        if let Some(most) = level.error_rate
            && row.errors as f64 > most * row.calls as f64
        {
            problems.push(Problem {
                code: "service-level",
                message: format!(
                    "{} of the calls of {} fail, promised are {:.4} % at most",
                    words::share(row.errors, row.calls),
                    row.name,
                    most * 100.0
                ),
                is_promise: true,
            });
        }
    }
    problems
}
