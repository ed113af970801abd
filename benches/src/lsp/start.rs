//! From the start of the process to the first lens, with the functions of the workspace in the cache on disk.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;

use super::editor::{Editor, address};
use super::{Starter, report_times};
use crate::report::{Figure, Limit, Line, Report};
use crate::timing::percentile;

const LIMIT: Duration = Duration::from_millis(300);

/// Pause between two questions.
const LOOK_EVERY: Duration = Duration::from_millis(2);
const MOST: Duration = Duration::from_secs(120);

/// Whether the process that keeps the traces runs already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Core {
    Running,
    Ended,
}

/// The start that reads all files and fills the cache.
pub(crate) async fn measure_first(starter: &Starter<'_>, report: &mut Report) -> Result<()> {
    let (first, _) = start(starter).await?;
    starter.stop_core().await?;
    report.add(Line::new(
        "first start of all, nothing cached: to the first lens of a class with a base elsewhere",
        Figure::Time(first),
    ));
    Ok(())
}

/// So many starts, each to the first lens that needs the whole workspace, and to the first one with figures.
pub(crate) async fn measure(starter: &Starter<'_>, (starts, core): (u32, Core), report: &mut Report) -> Result<()> {
    let (mut lenses, mut figures) = (Vec::new(), Vec::new());
    for _ in 0..starts {
        let (first, with_figures) = start(starter).await?;
        lenses.push(first);
        figures.push(with_figures);
        if core == Core::Ended {
            starter.stop_core().await?;
        }
    }
    let how = match core {
        Core::Running => "core process running",
        Core::Ended => "core process not running",
    };
    report_times(report, &format!("start to first lens, {how}"), &lenses, Some(LIMIT));
    let line = |what, share| {
        Line::new(
            format!("start to first lens with figures, {how}: {what}"),
            Figure::Time(percentile(figures.clone(), share)),
        )
    };
    report.add(line("p50", 0.5));
    report.add(line("longest", 1.0).limit(Limit::Below(Figure::Time(LIMIT))));
    Ok(())
}

/// Starts a server, opens two files, and asks for lenses until there is one.
async fn start(starter: &Starter<'_>) -> Result<(Duration, Duration)> {
    let project = starter.project;
    let mut editor = starter.editor().await?;
    for (path, text) in [&project.inheriting, &project.live] {
        editor.open(path, "python", text).await?;
    }
    let first = first_lens(&mut editor, &project.inheriting, |count, _| count >= 10).await?;
    let figures = first_lens(&mut editor, &project.live, |_, title| title.contains("1 call")).await?;
    let times = (first - editor.started, figures - editor.started);
    // What is read is kept for the next start once the folder was looked at.
    editor.rest(Duration::from_secs(2)).await?;
    editor.end().await?;
    Ok(times)
}

/// When a file first had the lenses that are wanted: by their number, and by the words of the first one.
async fn first_lens(
    editor: &mut Editor,
    (path, _): &(PathBuf, String),
    is_wanted: impl Fn(usize, &str) -> bool,
) -> Result<Instant> {
    let begin = Instant::now();
    loop {
        let id = editor.begin("textDocument/codeLens", document(path)).await?;
        let (lenses, _) = editor.answer(id).await?;
        let lenses = lenses.as_array().cloned().unwrap_or_default();
        if let Some(lens) = lenses.first().cloned() {
            let id = editor.begin("codeLens/resolve", lens).await?;
            let (lens, at) = editor.answer(id).await?;
            if is_wanted(lenses.len(), lens["command"]["title"].as_str().unwrap_or_default()) {
                return Ok(at);
            }
        }
        ensure!(begin.elapsed() < MOST, "{} has no lens", path.display());
        editor.rest(LOOK_EVERY).await?;
    }
}

fn document(path: &Path) -> serde_json::Value {
    json!({"textDocument": {"uri": address(path)}})
}
