//! What an editor can have done: show a trace, open a query, write a test. Each answers with what it made, and shows it as
//! a file where the editor can show one.

use std::path::{Path, PathBuf};

use async_lsp::lsp_types::notification::ShowMessage;
use async_lsp::lsp_types::request::ShowDocument;
use async_lsp::lsp_types::{ExecuteCommandParams, MessageType, ShowDocumentParams, ShowMessageParams, Url};
use async_lsp::{ClientSocket, ErrorCode, ResponseError};
use flockscope_analytics::calls::quoted;
use flockscope_client::{Connection, cache_folder};
use flockscope_functions::FunctionId;
use flockscope_model::rows::FunctionRow;
use flockscope_render::{Style, TimelineOptions, text};
use serde_json::{Value, json};

use crate::reproduction::{self, Recorded, Subject};
use crate::server::Server;
use crate::sql_commands::{EXPLAIN, RUN};

/// Shows a trace as a tree of text. Its argument is the trace's id.
pub(crate) const OPEN_TRACE: &str = "flockscope.openTrace";
/// Opens a query of a function's spans. Its argument is the function as a lens or an action names it.
pub(crate) const OPEN_QUERY: &str = "flockscope.openQuery";
/// Writes a test that calls a function as it was called: the function, then `latest` or `error`.
pub(crate) const REPRODUCE: &str = "flockscope.reproduce";

/// Columns of a trace that is shown.
const WIDTH: usize = 140;

/// Files that were shown, and are kept.
const MOST_KEPT: usize = 100;

/// Something to do away from the main loop.
pub(crate) enum Work {
    Trace(String),
    Query { name: String, sql: String },
    Reproduce { subject: Subject, wanted: Recorded },
}

/// What was made.
struct Made {
    /// Name of the file.
    name: String,
    text: String,
    /// Whether somebody may work in it, so that it stays as it is.
    is_to_edit: bool,
}

impl Server {
    /// The commands that this server carries out, without those that the editor does itself.
    pub(crate) fn commands(&self) -> Vec<String> {
        let own = [OPEN_TRACE, OPEN_QUERY, REPRODUCE, RUN, EXPLAIN].map(str::to_owned);
        let is_ours = |command: &String| !self.preferences.client_commands.contains(command);
        own.into_iter().filter(is_ours).collect()
    }

    /// What a command asks for, and where to do it.
    pub(crate) fn work(&mut self, params: &ExecuteCommandParams) -> Result<(Work, Desk), ResponseError> {
        let wrong = |words: String| ResponseError::new(ErrorCode::INVALID_PARAMS, words);
        let argument = |place: usize| params.arguments.get(place).and_then(Value::as_str);
        let work = match params.command.as_str() {
            OPEN_TRACE => match argument(0) {
                Some(trace) => Work::Trace(trace.to_owned()),
                None => return Err(wrong(format!("{OPEN_TRACE} needs the id of a trace"))),
            },
            command @ (OPEN_QUERY | REPRODUCE) => {
                self.match_anew();
                let id: Option<FunctionId> = argument(0).and_then(|text| serde_json::from_str(text).ok());
                let function = id.and_then(|id| Some((id, self.workspace.function(id)?)));
                let Some((id, function)) = function else {
                    return Err(wrong(format!("{command} needs a function as a code action names it")));
                };
                let Some(figures) = self.figures.of(id, &self.matches) else {
                    return Err(wrong(format!("no spans of {} were seen", function.qualified_name)));
                };
                let conditions = any_of(&figures.rows);
                if command == OPEN_QUERY {
                    Work::Query {
                        name: function.qualified_name.clone(),
                        sql: query(&function.qualified_name, &conditions),
                    }
                } else {
                    let wanted = match argument(1) {
                        None | Some("latest") => Recorded::Latest,
                        Some("error") => Recorded::Error,
                        Some(other) => return Err(wrong(format!("`{other}` is none of latest, error"))),
                    };
                    Work::Reproduce {
                        subject: Subject {
                            name: function.qualified_name.clone(),
                            conditions,
                        },
                        wanted,
                    }
                }
            }
            other => {
                return Err(wrong(format!(
                    "no command {other}; there are {}",
                    self.commands().join(", ")
                )));
            }
        };
        let Some(connection) = self.connection.clone() else {
            let words = "there are no traces yet: run the program with its tracing on";
            return Err(ResponseError::new(ErrorCode::REQUEST_FAILED, words));
        };
        let desk = Desk {
            client: self.client.clone(),
            connection,
            can_show: self.can_show,
        };
        Ok((work, desk))
    }
}

/// What a command needs to be carried out.
pub(crate) struct Desk {
    client: ClientSocket,
    connection: Connection,
    can_show: bool,
}

impl Desk {
    /// Does it, shows it, and answers with `{path, text}`.
    pub(crate) async fn carry_out(self, work: Work) -> Result<Option<Value>, ResponseError> {
        let failed = |words: String| ResponseError::new(ErrorCode::REQUEST_FAILED, words);
        let made = match work {
            Work::Trace(trace) => self.trace(&trace).await,
            Work::Query { name, sql } => Ok(Made {
                name: format!("{}.sql", file_name(&name)),
                text: sql,
                is_to_edit: true,
            }),
            Work::Reproduce { subject, wanted } => {
                let text = reproduction::write(&self.connection, &subject, wanted).await;
                text.map(|text| Made {
                    name: format!("test_{}.py", file_name(&subject.name).to_lowercase()),
                    text,
                    is_to_edit: true,
                })
            }
        };
        let Made { name, text, is_to_edit } = made.map_err(failed)?;
        let content = text.clone();
        let written = tokio::task::spawn_blocking(move || keep(&name, &content, is_to_edit)).await;
        let path = written
            .map_err(|error| failed(error.to_string()))?
            .map_err(|error| failed(format!("the file could not be written: {error}")))?;
        self.show(&path).await;
        Ok(Some(json!({"path": path, "text": text})))
    }

    async fn trace(&self, trace: &str) -> Result<Made, String> {
        let rows = self
            .connection
            .timeline(trace)
            .await
            .map_err(|error| error.to_string())?;
        if rows.is_empty() {
            return Err(format!("there is no trace {trace}; it may have been removed meanwhile"));
        }
        let style = Style {
            width: WIDTH,
            ..Style::default()
        };
        Ok(Made {
            name: format!("trace-{}.txt", file_name(trace)),
            text: text::timeline(&rows, &TimelineOptions::default(), &style),
            is_to_edit: false,
        })
    }

    async fn show(&self, path: &Path) {
        let Ok(uri) = Url::from_file_path(path) else { return };
        if self.can_show {
            let params = ShowDocumentParams {
                uri,
                external: None,
                take_focus: Some(true),
                selection: None,
            };
            let shown = self.client.request::<ShowDocument>(params).await;
            if shown.is_ok_and(|shown| shown.success) {
                return;
            }
        }
        // The editor may be gone.
        let _ = self.client.notify::<ShowMessage>(ShowMessageParams {
            typ: MessageType::INFO,
            message: format!("Written to {}", path.display()),
        });
    }
}

/// The condition that finds the spans of rows.
fn any_of(rows: &[&FunctionRow]) -> String {
    let texts = |row: &FunctionRow| {
        let mut parts = vec![
            format!("service = {}", quoted(&row.service)),
            format!("operation = {}", quoted(&row.operation)),
        ];
        for (column, value) in [
            ("module", &row.module),
            ("class", &row.class),
            ("code_file_path", &row.code_file_path),
        ] {
            parts.extend(value.as_ref().map(|value| format!("{column} = {}", quoted(value))));
        }
        parts.join(" AND ")
    };
    match rows {
        [row] => texts(row),
        rows => {
            let each: Vec<String> = rows.iter().map(|row| format!("({})", texts(row))).collect();
            format!("({})", each.join("\n    OR "))
        }
    }
}

fn query(name: &str, conditions: &str) -> String {
    // A line break in a name would end the comment.
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    format!(
        "-- The latest spans of {name}, with the attributes that they recorded.\n\
         SELECT to_timestamp(start_time / 1e9) AS time, duration_ms, status_code, agent, exception_type, trace_id, attributes\n\
         FROM spans\n\
         WHERE {conditions}\n\
         ORDER BY start_time DESC\n\
         LIMIT 100;\n"
    )
}

/// A name as part of a file's name.
fn file_name(name: &str) -> String {
    let plain = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
    plain.take(80).collect()
}

/// Writes a file to show, and forgets the oldest ones.
fn keep(name: &str, text: &str, is_to_edit: bool) -> std::io::Result<PathBuf> {
    let folder = cache_folder()
        .map_err(|error| std::io::Error::other(error.to_string()))?
        .join("shown");
    std::fs::create_dir_all(&folder)?;
    let path = if is_to_edit {
        free_place(&folder, name, text)?
    } else {
        folder.join(name)
    };
    std::fs::write(&path, text)?;
    let mut kept: Vec<_> = std::fs::read_dir(&folder)?
        .filter_map(|file| {
            let file = file.ok()?;
            Some((file.metadata().ok()?.modified().ok()?, file.path()))
        })
        .collect();
    kept.sort();
    for (_, old) in kept.iter().rev().skip(MOST_KEPT) {
        // Another server may have done it.
        let _ = std::fs::remove_file(old);
    }
    Ok(path)
}

/// Where a file can be written without changing one that holds something else: somebody may have worked in it.
fn free_place(folder: &Path, name: &str, text: &str) -> std::io::Result<PathBuf> {
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    for number in 1..=MOST_KEPT {
        let path = match number {
            1 => folder.join(name),
            _ => folder.join(format!("{stem}_{number}.{extension}")),
        };
        match std::fs::read_to_string(&path) {
            Ok(found) if found == text => return Ok(path),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(path),
            Err(_) => {}
        }
    }
    Err(std::io::Error::other(format!(
        "{MOST_KEPT} files of the name {name} are in {} already",
        folder.display()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_edited_is_not_written_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = free_place(folder.path(), "query.sql", "SELECT 1").expect("a place");
        assert_eq!(first, folder.path().join("query.sql"));
        std::fs::write(&first, "SELECT 1").expect("written");
        assert_eq!(
            free_place(folder.path(), "query.sql", "SELECT 1").expect("the same"),
            first
        );
        std::fs::write(&first, "SELECT 1 -- mine").expect("written");
        let second = free_place(folder.path(), "query.sql", "SELECT 1").expect("a place");
        assert_eq!(second, folder.path().join("query_2.sql"));
        std::fs::write(&second, [0xff, 0xfe]).expect("written");
        let third = free_place(folder.path(), "query.sql", "SELECT 1").expect("a place");
        assert_eq!(
            third,
            folder.path().join("query_3.sql"),
            "what is no text is somebody's, too"
        );
    }
}
