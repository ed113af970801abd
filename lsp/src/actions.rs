//! What can be done about a function: its traces, its spans, a test that calls it as it was called.

use async_lsp::lsp_types::{CodeAction, CodeActionKind, CodeActionOrCommand, Command, Position, Url};

use crate::commands::{OPEN_QUERY, OPEN_TRACE, REPRODUCE};
use crate::positions::offset;
use crate::server::Server;
use crate::words;

impl Server {
    /// The actions for the function that is meant at a place.
    pub(crate) fn function_actions(&mut self, url: &Url, at: Position) -> Option<Vec<CodeActionOrCommand>> {
        let path = self.up_to_date(url)?;
        let document = self.documents.get(url)?;
        let offset = u32::try_from(offset(&document.text, &document.lines, at, self.encoding)).ok()?;
        let (ids, _) = self.meant(&path, offset)?;
        let (id, figures) = ids
            .iter()
            .find_map(|id| Some((*id, self.figures.of(*id, &self.matches)?)))?;
        let name = self.workspace.function(id)?.qualified_name;
        let function = serde_json::to_string(&id).ok()?;
        let mut actions = vec![action(
            format!(
                "Open the slowest trace of {name} ({})",
                words::duration(figures.slowest.slowest_ms)
            ),
            OPEN_TRACE,
            vec![figures.slowest.slowest_trace_id.as_str().into()],
        )];
        let last_error = figures.last_error.and_then(|row| row.last_error_trace_id.as_deref());
        if let Some(trace) = last_error {
            actions.push(action(
                format!("Open the trace of the latest error of {name}"),
                OPEN_TRACE,
                vec![trace.into()],
            ));
        }
        actions.push(action(
            format!("Open a query of the spans of {name}"),
            OPEN_QUERY,
            vec![function.as_str().into()],
        ));
        if path.extension().is_some_and(|extension| extension == "py") {
            actions.push(action(
                format!("Write a test that calls {name} as it was called last"),
                REPRODUCE,
                vec![function.as_str().into(), "latest".into()],
            ));
            if last_error.is_some() {
                actions.push(action(
                    format!("Write a test that calls {name} as when it failed last"),
                    REPRODUCE,
                    vec![function.into(), "error".into()],
                ));
            }
        }
        Some(actions)
    }
}

fn action(title: String, command: &str, arguments: Vec<serde_json::Value>) -> CodeActionOrCommand {
    CodeActionOrCommand::CodeAction(CodeAction {
        title: title.clone(),
        // Nothing is changed in the text.
        kind: Some(CodeActionKind::EMPTY),
        command: Some(Command {
            title,
            command: command.to_owned(),
            arguments: Some(arguments),
        }),
        ..CodeAction::default()
    })
}
