//! Hovers on definitions and on calls.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use super::editor::{Editor, address};
use super::project::{CALLS, Function, Project};
use super::report_times;
use crate::report::Report;

const LIMIT: Duration = Duration::from_millis(5);

/// So many hovers, half of them on definitions and half on calls, of functions with spans. Each must name its function
/// and its number of calls.
pub(crate) async fn measure(editor: &mut Editor, hovers: usize, project: &Project, report: &mut Report) -> Result<()> {
    for (path, text) in [&project.large, &project.calls] {
        editor.open(path, "python", text).await?;
    }
    for (what, (path, text), before) in [
        ("definitions", &project.large, "def "),
        ("calls", &project.calls, "()."),
    ] {
        let mut times = Vec::new();
        for number in 0..hovers / 2 {
            // Another function each time, here and there in the file.
            let function = Function((number * 7_919) % project.functions);
            let (line, character) = place(text, &format!("{before}{}(", function.name()), before.len() + 1);
            let position = json!({"line": line, "character": character});
            let params = json!({"textDocument": {"uri": address(path)}, "position": position});
            let (hover, time) = editor.ask("textDocument/hover", params).await?;
            let said = hover["contents"]["value"].as_str().unwrap_or_default();
            // Markdown escapes the underscore.
            let name = format!("{}.{}", function.class(), function.name()).replace('_', "\\_");
            let name = name.replace('.', "\\.");
            ensure!(
                said.contains(&name) && said.contains(&format!("· {CALLS} calls")),
                "a hover on {name} says {said}"
            );
            times.push(time);
        }
        report_times(report, &format!("hover, {what}"), &times, Some(LIMIT));
    }
    Ok(())
}

/// Line and column of a text within a text of ASCII, and so much further.
fn place(text: &str, needle: &str, further: usize) -> (usize, usize) {
    let at = text.find(needle).unwrap_or_default();
    let before = text.get(..at).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count(), at - start + further)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_counted_from_the_start_of_its_line() {
        assert_eq!(place("a\n  def b(", "def b(", 4), (1, 6));
        assert_eq!(place("def b(", "def b(", 0), (0, 0));
    }
}
