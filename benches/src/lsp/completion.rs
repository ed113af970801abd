//! SQL typed letter by letter: after each letter the list of what can be written there.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::editor::{Editor, address};
use super::{Starter, report_times};
use crate::collector::server::Server;
use crate::report::{Figure, Line, Report};

/// Statements of real analyses, with marks around what completion should offer.
const STATEMENTS: &str = include_str!("../../../core/sql/tests/data/statements.txt");

const LIMIT: Duration = Duration::from_millis(10);
const MOST: Duration = Duration::from_secs(180);

/// Types so many statements; before that it is checked that keys and values of the store are offered.
pub(crate) async fn measure(
    editor: &mut Editor,
    (statements, server): (usize, &Server),
    starter: &Starter<'_>,
    report: &mut Report,
) -> Result<()> {
    let uri = address(&starter.project.folder.join("typed.sql"));
    let document = json!({"uri": uri, "languageId": "sql", "version": 1, "text": ""});
    editor
        .tell("textDocument/didOpen", json!({"textDocument": document}))
        .await?;
    let mut text = Text { uri, version: 1 };
    for (before, query) in [
        (
            "SELECT count(*) FROM spans WHERE service = '",
            "SELECT service AS wanted FROM spans GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1",
        ),
        (
            "SELECT attributes->>'",
            "SELECT unnest(json_keys(attributes)) AS wanted FROM (SELECT attributes FROM spans ORDER BY start_time DESC
             LIMIT 5000) GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1",
        ),
    ] {
        let answer = server.api.sql(query).await?;
        let wanted = answer
            .lines()
            .nth(1)
            .context("the store has spans")?
            .trim_matches('"')
            .to_owned();
        let begin = Instant::now();
        loop {
            text.replace(editor, before).await?;
            let (list, _) = text.complete(editor, before.encode_utf16().count()).await?;
            if labels(&list).any(|label| label.trim_matches('\'') == wanted) {
                break;
            }
            ensure!(begin.elapsed() < MOST, "{before} does not offer {wanted}");
            editor.rest(Duration::from_millis(100)).await?;
        }
    }
    let (mut times, mut items, mut empty) = (Vec::new(), 0, 0);
    for line in STATEMENTS.lines().cycle().take(statements) {
        text.replace(editor, "").await?;
        let statement: String = line.chars().filter(|letter| !['‹', '›'].contains(letter)).collect();
        let mut place = 0;
        for letter in statement.chars() {
            let start = Instant::now();
            text.insert(editor, place, letter).await?;
            place += letter.len_utf16();
            let (list, at) = text.complete(editor, place).await?;
            times.push(at - start);
            let count = labels(&list).count();
            items += count;
            empty += usize::from(count == 0);
        }
    }
    let what = format!("completion of SQL, {} keystrokes", times.len());
    report_times(report, &what, &times, Some(LIMIT));
    report.add(Line::new(
        "completion of SQL: items of an answer, mean",
        Figure::Count((items / times.len().max(1)) as u64),
    ));
    report.add(Line::new(
        "completion of SQL: keystrokes after which nothing can be offered",
        Figure::Count(empty as u64),
    ));
    Ok(())
}

fn labels(list: &Value) -> impl Iterator<Item = &str> {
    let items = list["items"].as_array().into_iter().flatten();
    items.filter_map(|item| item["label"].as_str())
}

/// A text of one line.
struct Text {
    uri: String,
    version: u64,
}

impl Text {
    async fn replace(&mut self, editor: &mut Editor, text: &str) -> Result<()> {
        self.change(editor, json!({"text": text})).await
    }

    async fn insert(&mut self, editor: &mut Editor, character: usize, letter: char) -> Result<()> {
        let at = json!({"line": 0, "character": character});
        let change = json!({"range": {"start": at, "end": at}, "text": letter.to_string()});
        self.change(editor, change).await
    }

    async fn change(&mut self, editor: &mut Editor, change: Value) -> Result<()> {
        self.version += 1;
        let document = json!({"uri": self.uri, "version": self.version});
        let params = json!({"textDocument": document, "contentChanges": [change]});
        editor.tell("textDocument/didChange", params).await
    }

    async fn complete(&self, editor: &mut Editor, character: usize) -> Result<(Value, Instant)> {
        let params = json!({"textDocument": {"uri": self.uri}, "position": {"line": 0, "character": character}});
        let id = editor.begin("textDocument/completion", params).await?;
        editor.answer(id).await
    }
}
