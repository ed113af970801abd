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

    let mut times = Vec::new();
    for _ in 0..rounds {
        times.push(round(editor, &document, SCREEN).await?.time);
    }
    let functions = project.functions;
    report_times(
        report,
        &format!("lenses of {functions} functions, {SCREEN} of them filled in"),
        &times,
        Some(LIMIT),
    );
    let mut times = Vec::new();
    for letter in 0..rounds {
        let line = text.lines().count() / 2;
        let at = json!({"line": line, "character": 0});
        let change = json!({"range": {"start": at, "end": at}, "text": "#"});
        let changed = json!({"uri": address(path), "version": letter + 2});
        let params = json!({"textDocument": changed, "contentChanges": [change]});
        let start = Instant::now();
        editor.tell("textDocument/didChange", params).await?;
        round(editor, &document, SCREEN).await?;
        times.push(start.elapsed());
    }
    report_times(
        report,
        &format!(
            "the same, each after a letter that was typed in the middle of the file of {} lines",
            text.lines().count()
        ),
        &times,
        None,
    );
    let mut times = Vec::new();
    for _ in 0..ROUNDS_OF_ALL {
        times.push(round(editor, &document, usize::MAX).await?.time);
    }
    report_times(
        report,
        &format!("lenses of {functions} functions, all of them filled in"),
        &times,
        None,
    );
    Ok(())
}

struct Round {
    time: Duration,
    lenses: usize,
    /// The sum of what the lenses say.
    calls: usize,
}

async fn round(editor: &mut Editor, document: &Value, most: usize) -> Result<Round> {
    let start = Instant::now();
    let id = editor.begin("textDocument/codeLens", document.clone()).await?;
    let (lenses, _) = editor.answer(id).await?;
    let lenses = lenses.as_array().cloned().context("lenses are a list")?;
    let count = lenses.len();
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
        time: end - start,
        lenses: count,
        calls,
    })
}

/// The only value of a CSV document.
fn number(csv: &str) -> Result<usize> {
    let line = csv.lines().nth(1).context("a query has an answer")?;
    Ok(line.trim().parse()?)
}
