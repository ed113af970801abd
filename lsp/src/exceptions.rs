//! The lines at which exceptions were raised, out of the stack traces that spans recorded.

use std::path::PathBuf;

use flockscope_functions::{Edit, FunctionId, Workspace, stack_frames};

use crate::details::{Details, Failure};

/// An exception at its line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Raised {
    pub(crate) path: PathBuf,
    /// From 0, as the trace says it.
    line: usize,
    /// What stood on the line, as the trace says it; empty if it does not.
    source: String,
    function: FunctionId,
    /// Without the stack.
    pub(crate) failure: Failure,
}

/// Finds the lines of exceptions. Those are left out that were raised in no file of the workspace, or where it is not
/// certain which line that was.
pub(crate) fn raised(details: &Details, workspace: &Workspace) -> Vec<Raised> {
    let failures: Vec<&Failure> = details.failures().collect();
    let traces: Vec<_> = failures.iter().map(|failure| stack_frames(&failure.stack)).collect();
    let places = workspace.places_of_frames(traces.iter().map(Vec::as_slice));
    let found = failures.into_iter().zip(traces).zip(places);
    let mut raised: Vec<Raised> = found
        .filter_map(|((failure, frames), place)| {
            let place = place.filter(|place| place.is_certain)?;
            let frame = frames.get(place.frame)?;
            Some(Raised {
                path: place.path.to_owned(),
                line: usize::try_from(place.line).ok()?,
                source: source(&failure.stack, &frame.path, frame.line).to_owned(),
                function: place.function?,
                failure: Failure {
                    time: failure.time,
                    trace_id: failure.trace_id.clone(),
                    kind: failure.kind.clone(),
                    message: failure.message.clone(),
                    stack: String::new(),
                },
            })
        })
        .collect();
    // What a function raised is recorded by its callers too: the latest of a line and kind is enough.
    raised.sort_by(|one, other| {
        let key = |raised: &Raised| (raised.path.clone(), raised.line, raised.failure.kind.clone());
        key(one)
            .cmp(&key(other))
            .then(other.failure.time.cmp(&one.failure.time))
    });
    raised.dedup_by(|one, other| {
        one.path == other.path && one.line == other.line && one.failure.kind == other.failure.kind
    });
    raised
}

impl Raised {
    /// The line now, from 0: lines above it may have come or gone, while the function itself stayed as it was. None where
    /// it was edited since, or is gone.
    pub(crate) fn line_in(&self, text: &str, workspace: &Workspace) -> Option<usize> {
        let edit = workspace.edited_since(self.function, self.failure.time);
        if matches!(edit, Edit::Since { .. } | Edit::Perhaps) {
            return None;
        }
        let (first, last) = workspace.function(self.function)?.definition.lines;
        let (first, last) = (first as usize, last as usize);
        if self.source.is_empty() {
            return (first <= self.line && self.line <= last).then_some(self.line);
        }
        let lines = text.lines().enumerate().skip(first).take(last - first + 1);
        let same = lines.filter(|(_, line)| line.trim() == self.source);
        same.map(|(number, _)| number)
            .min_by_key(|number| number.abs_diff(self.line))
    }
}

/// The line of the program that a traceback of Python shows below a frame.
fn source<'a>(stack: &'a str, path: &str, line: u32) -> &'a str {
    let frame = format!("File \"{path}\", line {line}, in ");
    let mut found = "";
    let mut is_next = false;
    for text in stack.lines().map(str::trim) {
        if is_next {
            found = text;
        }
        is_next = text.starts_with(&frame);
    }
    // Without the source at hand, Python shows the next frame at once.
    if found.starts_with("File \"") { "" } else { found }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_stands_below_its_frame() {
        let stack = "Traceback (most recent call last):\n  File \"/a.py\", line 3, in f\n    return g(1)\n           ^^^^\n  \
                     File \"/a.py\", line 7, in g\n    raise ValueError(\"x\")\nValueError: x\n";
        assert_eq!(source(stack, "/a.py", 7), "raise ValueError(\"x\")");
        assert_eq!(source(stack, "/a.py", 3), "return g(1)");
        assert_eq!(source(stack, "/b.py", 3), "");
        assert_eq!(
            source(
                "  File \"/a.py\", line 3, in f\n  File \"/a.py\", line 7, in g\n",
                "/a.py",
                3
            ),
            ""
        );
    }
}
