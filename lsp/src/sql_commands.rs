//! Running and explaining the queries of a text: what stands above them, and what it does.

use std::time::{Duration, Instant};

use async_lsp::lsp_types::notification::{LogMessage, ShowMessage};
use async_lsp::lsp_types::{
    CodeLens, Command, ExecuteCommandParams, LogMessageParams, MessageType, Position, Range, ShowMessageParams, Url,
};
use async_lsp::{ClientSocket, ErrorCode, ResponseError};
use flockscope_client::{Connection, column_names, row_texts};
use flockscope_render::text::{self, Style};
use flockscope_store::Limits;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::positions::offset;
use crate::server::Server;

/// The commands that this server runs. Their argument is [`Wanted`].
pub(crate) const RUN: &str = "flockscope.runSql";
pub(crate) const EXPLAIN: &str = "flockscope.explainSql";

/// Most rows and bytes of a result, and how long it may take.
const MOST_ROWS: usize = 1_000;
const MOST_BYTES: usize = 8 << 20;
const LONGEST: Duration = Duration::from_secs(30);

/// Longest value of a row.
const LONGEST_VALUE: usize = 10_000;

/// Rows and columns of the result as text.
const MOST_LINES: usize = 200;
const WIDTH: usize = 160;

/// Which query a command is about.
#[derive(Debug, Serialize, Deserialize)]
struct Wanted {
    /// The text that it stands in.
    uri: Url,
    /// Its words. Without them the query at `range` is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    statement: Option<String>,
    /// What is selected, or where the cursor stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    range: Option<Range>,
}

/// What a command answers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    columns: Vec<ColumnOfOutcome>,
    /// Values as text, `null` for NULL.
    rows: Vec<Vec<Option<String>>>,
    row_count: usize,
    /// Whether there are more rows.
    is_cut: bool,
    took_ms: f64,
    /// All of it as plain text: a table, or the plan.
    text: String,
    #[serde(skip)]
    is_plan: bool,
}

#[derive(Debug, Serialize)]
struct ColumnOfOutcome {
    name: String,
    r#type: String,
}

/// What stands above a query.
pub(crate) fn query_lenses(url: &Url, query: &str, range: Range) -> [CodeLens; 2] {
    let argument = serde_json::to_value(Wanted {
        uri: url.clone(),
        statement: Some(query.to_owned()),
        range: None,
    });
    let arguments = argument.ok().map(|argument| vec![argument]);
    [("▷ Run", RUN), ("Explain", EXPLAIN)].map(|(title, command)| CodeLens {
        range: Range::new(range.start, range.start),
        command: Some(Command {
            title: title.into(),
            command: command.into(),
            arguments: arguments.clone(),
        }),
        data: None,
    })
}

impl Server {
    /// What stands above the queries of a text that is SQL; nothing for any other.
    pub(crate) fn sql_lenses(&mut self, url: &Url) -> Option<Vec<CodeLens>> {
        self.documents.get(url)?.sql_start()?;
        let lenses = self.with_findings(url, |sql, piece, _| sql.lenses(url, piece));
        Some(lenses.unwrap_or_default().into_iter().flatten().collect())
    }

    /// Runs one of the commands. Dropping the future stops the query.
    pub(crate) fn run_command(
        &mut self,
        params: ExecuteCommandParams,
    ) -> impl Future<Output = Result<Option<Value>, ResponseError>> + Send + use<> {
        let query = self.wanted_query(params);
        let (connection, client, is_silent) = (self.connection.clone(), self.client.clone(), self.shows_results);
        async move {
            let (query, is_explained) = query?;
            let connection = connection.ok_or_else(|| failed("there are no traces yet that could be asked"))?;
            let outcome = run(&connection, &query, is_explained).await?;
            if !is_silent {
                tell(&client, &outcome);
            }
            serde_json::to_value(outcome).map(Some).map_err(failed)
        }
    }

    /// The query that a command means, and whether its plan is wanted.
    fn wanted_query(&mut self, params: ExecuteCommandParams) -> Result<(String, bool), ResponseError> {
        let is_explained = match params.command.as_str() {
            RUN => false,
            EXPLAIN => true,
            other => {
                let words = format!("{other} is no command of this server");
                return Err(ResponseError::new(ErrorCode::INVALID_PARAMS, words));
            }
        };
        let invalid = |words: &str| ResponseError::new(ErrorCode::INVALID_PARAMS, words);
        let argument = params.arguments.into_iter().next().unwrap_or_default();
        let wanted: Wanted = serde_json::from_value(argument)
            .map_err(|error| invalid(&format!("{{uri, statement}} or {{uri, range}} is needed: {error}")))?;
        let query = match (wanted.statement, wanted.range) {
            (Some(statement), _) => Some(statement),
            (None, Some(range)) => self.query_at(&wanted.uri, range),
            (None, None) => self.query_at(&wanted.uri, Range::new(Position::default(), Position::default())),
        };
        let query = query.filter(|query| !query.trim().is_empty());
        Ok((query.ok_or_else(|| invalid("no SQL stands there"))?, is_explained))
    }

    /// What is selected, or the statement that a place stands in or before.
    fn query_at(&mut self, url: &Url, range: Range) -> Option<String> {
        let document = self.documents.get(url)?;
        let [start, end] =
            [range.start, range.end].map(|at| offset(&document.text, &document.lines, at, self.encoding));
        if start < end {
            return document.text.get(start..end).map(str::to_owned);
        }
        let from = document.sql_start()?;
        let sql = document.text.get(from..)?;
        let statements = flockscope_sql::statements(sql);
        let at = statements.iter().find(|statement| start <= from + statement.end);
        sql.get(at.or(statements.last())?.clone()).map(str::to_owned)
    }
}

async fn run(connection: &Connection, query: &str, is_explained: bool) -> Result<Outcome, ResponseError> {
    let first = query.split_whitespace().next().unwrap_or_default();
    let is_plan = is_explained || first.eq_ignore_ascii_case("explain");
    let query = match is_explained && !first.eq_ignore_ascii_case("explain") {
        true => format!("EXPLAIN {query}"),
        false => query.to_owned(),
    };
    let limits = Limits {
        rows: MOST_ROWS,
        bytes: MOST_BYTES,
        time: LONGEST,
        ..Limits::default()
    };
    let begun = Instant::now();
    let answer = connection.sql(&query, &limits, None).await.map_err(failed)?;
    let answer = answer.whole().await.map_err(failed)?;
    let took_ms = begun.elapsed().as_secs_f64() * 1e3;
    let names = column_names(&answer);
    let mut rows = row_texts(&answer).map_err(failed)?;
    for value in rows.iter_mut().flatten().flatten() {
        if let Some((end, _)) = value.char_indices().nth(LONGEST_VALUE) {
            value.truncate(end);
            value.push('…');
        }
    }
    let text = if is_plan {
        // A plan is a drawing of many lines.
        let parts: Vec<&str> = rows.iter().filter_map(|row| row.last()?.as_deref()).collect();
        parts.join("\n")
    } else {
        let style = Style {
            width: WIDTH,
            ..Style::default()
        };
        let shown = rows.get(..rows.len().min(MOST_LINES)).unwrap_or_default();
        text::answer(&names, shown, Some(rows.len() as u64), &style)
    };
    let types = answer.schema.fields().iter().map(|field| field.data_type().to_string());
    Ok(Outcome {
        columns: names
            .into_iter()
            .zip(types)
            .map(|(name, r#type)| ColumnOfOutcome { name, r#type })
            .collect(),
        row_count: rows.len(),
        is_cut: answer.cut,
        took_ms,
        rows,
        text,
        is_plan,
    })
}

/// Shows an editor that does not read results itself how many rows there are, and has them in its log.
fn tell(client: &ClientSocket, outcome: &Outcome) {
    let what = match (outcome.is_plan, outcome.is_cut, outcome.row_count) {
        (true, ..) => "the plan".into(),
        (_, true, count) => format!("the first {count} rows"),
        (_, false, 1) => "1 row".into(),
        (_, false, count) => format!("{count} rows"),
    };
    // The editor may be gone.
    let _ = client.notify::<LogMessage>(LogMessageParams {
        typ: MessageType::INFO,
        message: outcome.text.clone(),
    });
    let _ = client.notify::<ShowMessage>(ShowMessageParams {
        typ: MessageType::INFO,
        message: format!("{what} in {:.0} ms", outcome.took_ms),
    });
}

fn failed(error: impl std::fmt::Display) -> ResponseError {
    ResponseError::new(ErrorCode::REQUEST_FAILED, error.to_string())
}
