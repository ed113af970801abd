//! The lenses of a file with very many functions.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::editor::{Editor, address};
use super::project::Project;
use super::report_times;
use crate::collector::server::Server;
use crate::report::Report;

const LIMIT: Duration = Duration::from_millis(20);

/// Lenses that a screen shows.
const SCREEN: usize = 50;

/// Times that all lenses are filled in.
const ROUNDS_OF_ALL: usize = 20;

/// Asks for the lenses and for the words of those on a screen, all at once, as editors do; first of a text that stays as
/// it is, then after a letter was typed into it.
pub(crate) async fn measure(
    editor: &mut Editor,
    rounds: usize,
    (project, server): (&Project, &Server),
    report: &mut Report,
) -> Result<()> {
    let (path, text) = &project.large;
    editor.open(path, "python", text).await?;
    let document = json!({"textDocument": {"uri": address(path)}});
    let failed = number(
        &server
            .api
            .sql("SELECT count(DISTINCT name) AS functions FROM spans WHERE module = 'catalogue' AND status_code = 'ERROR'")
            .await?,
    )?;
    let expected = project.functions + failed;
    let calls = number(
        &server
            .api
            .sql("SELECT count(*) AS calls FROM spans WHERE module = 'catalogue'")
            .await?,
    )?;

    let all = round(editor, &document, usize::MAX).await?;
    ensure!(all.lenses == expected, "{} lenses instead of {expected}", all.lenses);
    ensure!(
        all.calls == calls,
        "the lenses say {} calls, a query {calls}",
        all.calls
    );

    let (mut lists, mut times) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let round = round(editor, &document, SCREEN).await?;
        lists.push(round.list);
        times.push(round.list + round.words);
    }
    let what = format!("lenses of {} functions", project.functions);
    report_times(report, &format!("{what}, without words"), &lists, None);
    report_times(
        report,
        &format!("{what}, with the words of {SCREEN}"),
        &times,
        Some(LIMIT),
    );
    let mut times = Vec::new();
    let line = text.lines().count() / 2;
    for version in 2..rounds + 2 {
        let at = json!({"line": line, "character": 0});
        let change = json!({"range": {"start": at, "end": at}, "text": "#"});
        let changed = json!({"uri": address(path), "version": version});
        let params = json!({"textDocument": changed, "contentChanges": [change]});
        editor.tell("textDocument/didChange", params).await?;
        let round = round(editor, &document, SCREEN).await?;
        times.push(round.list + round.words);
    }
    let lines = text.lines().count();
    let how = format!("each after a letter that was typed amid its {lines} lines");
    report_times(
        report,
        &format!("{what}, with the words of {SCREEN}, {how}"),
        &times,
        None,
    );
    let mut times = Vec::new();
    for _ in 0..ROUNDS_OF_ALL {
        let round = round(editor, &document, usize::MAX).await?;
        times.push(round.list + round.words);
    }
    report_times(report, &format!("{what}, with the words of all"), &times, None);
    Ok(())
}

struct Round {
    /// Until the lenses were there, and until their words were. What the editor does between is its own.
    list: Duration,
    words: Duration,
    lenses: usize,
    /// The sum of what the lenses say.
    calls: usize,
}

async fn round(editor: &mut Editor, document: &Value, most: usize) -> Result<Round> {
    let (lenses, list) = editor.ask("textDocument/codeLens", document.clone()).await?;
    let lenses = lenses.as_array().cloned().context("lenses are a list")?;
    let count = lenses.len();
    let start = Instant::now();
    let mut asked = Vec::new();
    for lens in lenses.into_iter().take(most) {
        asked.push(editor.begin("codeLens/resolve", lens).await?);
    }
    let (mut calls, mut end) = (0, start);
    for id in asked {
        let (lens, at) = editor.answer(id).await?;
        end = at;
        let title = lens["command"]["title"].as_str().unwrap_or_default();
        // The line of the latest error has no calls.
        let words = title.split(" · ").find_map(|part| part.strip_suffix(" calls"));
        calls += words.and_then(|number| number.parse::<usize>().ok()).unwrap_or(0);
    }
    Ok(Round {
        list,
        words: end - start,
        lenses: count,
        calls,
    })
}

/// The only value of a CSV document.
fn number(csv: &str) -> Result<usize> {
    let line = csv.lines().nth(1).context("a query has an answer")?;
    Ok(line.trim().parse()?)
}
