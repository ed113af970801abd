//! A workspace of Python files whose classes Flock would trace, and spans of some of its functions.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use bytes::Bytes;
use flockscope_model::{NewSpan, Span, StatusCode};
use prost::Message;
use serde_json::json;

use crate::collector::bodies;
use crate::flock_writer::now_in_nanoseconds;

/// Methods of each class of the large file.
const METHODS: usize = 20;

/// Files of a folder.
const FILES: usize = 50;

/// Spans of each function of the large file; of one in [`FAILING`] one span is an error.
pub(crate) const CALLS: usize = 3;
const FAILING: usize = 10;

/// The files of the workspace that are opened.
pub(crate) struct Project {
    pub(crate) folder: PathBuf,
    /// The file with many functions, and its text.
    pub(crate) large: (PathBuf, String),
    /// Calls of them, one a line.
    pub(crate) calls: (PathBuf, String),
    /// The file of the function whose spans are sent one by one.
    pub(crate) live: (PathBuf, String),
    /// A file whose classes are traced because of a base in another file.
    pub(crate) inheriting: (PathBuf, String),
    /// Functions of the large file.
    pub(crate) functions: usize,
}

/// A function of the large file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Function(pub(crate) usize);

impl Function {
    pub(crate) fn class(self) -> String {
        format!("Service{}", self.0 / METHODS)
    }

    pub(crate) fn name(self) -> String {
        format!("step_{}_{}", self.0 / METHODS, self.0 % METHODS)
    }

    fn has_failed(self) -> bool {
        self.0.is_multiple_of(FAILING)
    }
}

impl Project {
    /// Writes the files: so many in all, and one of so many functions.
    pub(crate) fn new(folder: &Path, files: usize, functions: usize) -> Result<Self> {
        let write = |name: &str, text: String| {
            let path = folder.join(name);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(&path, &text).with_context(|| format!("cannot write {}", path.display()))?;
            anyhow::Ok((path, text))
        };
        let mut inheriting = None;
        for file in 0..files {
            let package = format!("package_{:03}", file / FILES);
            if file % FILES == 0 {
                write(&format!("{package}/base.py"), base())?;
            }
            inheriting = Some(write(
                &format!("{package}/module_{file:05}.py"),
                module(&package, file),
            )?);
        }
        let live = "from flock.logging.auto_trace import AutoTracedMeta\n\n\n\
                    class Probe(metaclass=AutoTracedMeta):\n    def beat(self):\n        return 1\n";
        Ok(Self {
            folder: folder.to_owned(),
            large: write("catalogue.py", large(functions))?,
            calls: write("calls.py", calls(functions))?,
            live: write("live.py", live.to_owned())?,
            inheriting: inheriting.context("a workspace has files")?,
            functions,
        })
    }

    /// The spans of the functions of the large file and one of the live one, in request bodies.
    pub(crate) fn spans(&self) -> Result<Vec<Bytes>> {
        let now = now_in_nanoseconds()?;
        let mut spans = vec![live_span(0, now)?];
        for function in (0..self.functions).map(Function) {
            for call in 0..CALLS {
                let number = function.0 * CALLS + call;
                let failed = call == 0 && function.has_failed();
                let start = now - i64::try_from(number)? * 1_000_000;
                spans.push(span(1, number, start, &function.class(), &function.name(), failed)?);
            }
        }
        let body = |spans: &[Span]| Ok(bodies::request(spans.to_vec())?.encode_to_vec().into());
        spans.chunks(bodies::SPANS as usize).map(body).collect()
    }
}

/// A span of the function of the live file, the number of which makes its ids.
pub(crate) fn live_span(number: usize, start: i64) -> Result<Span> {
    span(2, number, start, "Probe", "beat", false)
}

/// A span as Flock makes it. Its ids come from `kind` and `number`.
fn span(kind: usize, number: usize, start: i64, class: &str, function: &str, failed: bool) -> Result<Span> {
    let module = if kind == 1 { "catalogue" } else { "live" };
    let found = NewSpan {
        trace_id: format!("{kind:016x}{:016x}", number + 1),
        span_id: format!("{kind:04x}{:012x}", number + 1),
        name: format!("{class}.{function}"),
        start_time: start,
        end_time: start + 1_000_000 * i64::try_from(number % 100 + 1)?,
        status_code: if failed { StatusCode::Error } else { StatusCode::Ok },
        status_description: failed.then(|| "it failed".to_owned()),
        attributes: json!({"module": module, "class": class, "function": function}).to_string(),
        ..NewSpan::default()
    };
    Span::new(found, |_| {}).map_err(|reason| anyhow::anyhow!("a span is not sound: {reason:?}"))
}

fn base() -> String {
    "from flock.logging.auto_trace import AutoTracedMeta\n\n\nclass Base(metaclass=AutoTracedMeta):\n    \
     def __init__(self):\n        self.state = {}\n\n    def prepare(self, task):\n        return dict(task, state=self.state)\n"
        .to_owned()
}

/// A file of usual size: two classes and some functions, a hundred lines.
fn module(package: &str, number: usize) -> String {
    let mut text = format!(
        "\"\"\"Module {number} of a generated workspace.\"\"\"\n\nimport asyncio\nimport json\n\nfrom {package}.base import Base\n\n\n"
    );
    for class in ["Worker", "Checker"] {
        let _ = write!(text, "class {class}{number}(Base):\n    limit = {number}\n\n");
        for method in ["collect", "normalise", "evaluate", "publish", "describe"] {
            let _ = write!(
                text,
                "    async def {method}(self, task: dict, limit: int | None = None) -> dict:\n        \
                 prepared = self.prepare(task)\n        \
                 if limit is not None and len(prepared) > limit:\n            \
                 raise ValueError(f\"{{len(prepared)}} are more than {{limit}}\")\n        \
                 await asyncio.sleep(0)\n        \
                 return {{\"{method}\": json.dumps(prepared), \"limit\": limit or self.limit}}\n\n"
            );
        }
        text.push('\n');
    }
    for function in ["load", "store", "main"] {
        let _ = write!(
            text,
            "def {function}_{number}(path: str) -> dict:\n    with open(path, encoding=\"utf-8\") as file:\n        \
             return json.load(file)\n\n\n"
        );
    }
    text
}

fn large(functions: usize) -> String {
    let mut text = "from flock.logging.auto_trace import AutoTracedMeta\n".to_owned();
    for function in (0..functions).map(Function) {
        if function.0.is_multiple_of(METHODS) {
            let _ = write!(text, "\n\nclass {}(metaclass=AutoTracedMeta):\n", function.class());
        }
        let _ = write!(
            text,
            "    def {}(self, value):\n        result = [item for item in value if item]\n        \
             return len(result)\n\n",
            function.name()
        );
    }
    text
}

fn calls(functions: usize) -> String {
    let mut text = "import catalogue\n\n\ndef run(value):\n".to_owned();
    for function in (0..functions).map(Function) {
        let _ = writeln!(text, "    catalogue.{}().{}(value)", function.class(), function.name());
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_function_has_its_spans_and_no_id_comes_twice() {
        let folder = tempfile::tempdir().expect("a folder");
        let project = Project::new(folder.path(), 60, 40).expect("written");
        assert_eq!(project.large.1.matches("    def ").count(), 40);
        assert_eq!(project.large.1.matches("\nclass ").count(), 2);
        let mut spans = Vec::new();
        for body in project.spans().expect("spans") {
            spans.extend(flockscope_otlp::decode_protobuf(&body).expect("readable").spans);
        }
        assert_eq!(spans.len(), 40 * CALLS + 1);
        let ids: HashSet<&str> = spans.iter().map(|span| span.span_id.as_str()).collect();
        assert_eq!(ids.len(), spans.len());
        let of = |name: &str| spans.iter().filter(|span| span.name == name).count();
        assert_eq!((of("Service1.step_1_7"), of("Probe.beat")), (CALLS, 1));
        // In the second folder, with the base of that one.
        assert!(project.inheriting.1.contains("from package_001.base import Base"));
        assert!(folder.path().join("package_001/base.py").is_file());
    }
}
