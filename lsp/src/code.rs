//! Lenses and hovers of source files.

use std::path::{Path, PathBuf};

use async_lsp::lsp_types::{
    CodeLens, CodeLensParams, Command, Hover, HoverContents, HoverParams, MarkupContent, MarkupKind, Url,
};
use async_lsp::{ErrorCode, ResponseError};
use flockscope_functions::{FunctionId, Workspace};
use serde::{Deserialize, Serialize};

use crate::commands::OPEN_TRACE;
use crate::figures::Key;
use crate::hover::Around;
use crate::lens::Facts;
use crate::positions::{offset, range};
use crate::server::{Server, now};
use crate::{calls, hover, lens};

/// What names a function between a lens and its resolution: one text, as a file can have thousands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct LensData {
    /// A [`FunctionId`] as text: editors that know numbers as `double` alone would round it.
    function: String,
    /// 0: the figures; 1: the latest error.
    line: usize,
}

impl From<LensData> for String {
    fn from(data: LensData) -> Self {
        format!("{} {}", data.line, data.function)
    }
}

impl TryFrom<String> for LensData {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let parts = text.split_once(' ');
        let parts = parts.and_then(|(line, function)| Some((line.parse().ok()?, function)));
        let (line, function) = parts.ok_or("no line and function")?;
        Ok(Self {
            function: function.to_owned(),
            line,
        })
    }
}

impl Server {
    /// Tells the workspace of the text as the editor has it. Returns its path.
    pub(crate) fn up_to_date(&mut self, url: &Url) -> Option<PathBuf> {
        let document = self.documents.get_mut(url)?;
        let path = document.path.clone()?;
        if std::mem::take(&mut document.is_new) {
            let ids = |workspace: &Workspace| -> Vec<FunctionId> {
                workspace.functions(&path).iter().map(|function| function.id).collect()
            };
            let before = ids(&self.workspace);
            self.workspace.update(&path, &document.text);
            // While one types within a function, whose the spans are stays the same.
            self.is_unmatched |= before != ids(&self.workspace);
        }
        self.match_anew();
        Some(path)
    }

    /// Brings functions and figures together again, if either has changed.
    pub(crate) fn match_anew(&mut self) {
        if std::mem::take(&mut self.is_unmatched) {
            self.matches = self.figures.matched_with(&self.workspace);
        }
    }

    pub(crate) fn lenses(&mut self, params: &CodeLensParams) -> Vec<CodeLens> {
        let url = &params.text_document.uri;
        if let Some(lenses) = self.sql_lenses(url) {
            return lenses;
        }
        let Some(path) = self.up_to_date(url) else {
            return Vec::new();
        };
        let Some(document) = self.documents.get(url) else {
            return Vec::new();
        };
        let mut lenses = Vec::new();
        for function in self.workspace.functions(&path) {
            let figures = self.figures.of(function.id, &self.matches);
            if !lens::is_wanted(&function, figures.as_ref()) {
                continue;
            }
            let Ok(id) = serde_json::to_string(&function.id) else {
                continue;
            };
            let has_failed = figures.is_some_and(|figures| figures.last_error.is_some());
            for line in 0..=usize::from(has_failed) {
                let data = LensData {
                    function: id.clone(),
                    line,
                };
                lenses.push(CodeLens {
                    range: range(&document.lines, &function.definition.name_range, self.encoding),
                    command: None,
                    data: serde_json::to_value(data).ok(),
                });
            }
        }
        lenses
    }

    /// Fills in what a lens says. The function may be gone by now, and then it says nothing.
    pub(crate) fn resolved(&mut self, lens: CodeLens) -> Result<CodeLens, ResponseError> {
        let foreign =
            |error| ResponseError::new(ErrorCode::INVALID_PARAMS, format!("not a lens of this server: {error}"));
        let data: LensData = serde_json::from_value(lens.data.clone().unwrap_or_default()).map_err(foreign)?;
        let function: FunctionId = serde_json::from_str(&data.function).map_err(foreign)?;
        let command = match self.figures.of(function, &self.matches) {
            Some(figures) => {
                let mut changes = figures.rows.iter().filter_map(|row| self.changes.of(&Key::from(*row)));
                let change = changes.next().filter(|_| changes.next().is_none());
                let facts = Facts {
                    figures: &figures,
                    change: change.map(|change| (change, self.changes.before.as_str())),
                    edit: self.workspace.edited_since(function, figures.last.last_time),
                    now: now(),
                };
                let titles = lens::titles(&facts, &self.preferences.lens.template);
                let title = titles.into_iter().nth(data.line);
                let trace = match data.line {
                    0 => Some(&figures.last.last_trace_id),
                    _ => figures.last_error.and_then(|row| row.last_error_trace_id.as_ref()),
                };
                Command {
                    title: title.unwrap_or_default(),
                    command: OPEN_TRACE.into(),
                    arguments: trace.map(|trace| vec![trace.as_str().into()]),
                }
            }
            None => Command {
                title: if self.has_figures { lens::NEVER } else { lens::TRACED }.into(),
                command: String::new(),
                arguments: None,
            },
        };
        Ok(CodeLens {
            command: Some(command),
            ..lens
        })
    }

    pub(crate) fn hover(&mut self, params: &HoverParams) -> Option<Hover> {
        let at = &params.text_document_position_params;
        let url = &at.text_document.uri;
        let of_text = self.sql_at(url, at.position, |sql| sql.hover(at.position));
        if let Some(hover) = of_text.or_else(|| self.settings(url, |settings| settings.hover(at.position))) {
            return hover;
        }
        let path = self.up_to_date(url)?;
        let document = self.documents.get(url)?;
        let offset = u32::try_from(offset(&document.text, &document.lines, at.position, self.encoding)).ok()?;
        let (ids, bytes) = self.meant(&path, offset)?;
        let found = ids.iter().find_map(|id| {
            let function = self.workspace.function(*id)?;
            let figures = self.figures.of(*id, &self.matches)?;
            let names = calls::span_names(*id, &self.figures, &self.matches);
            let around = Around {
                callers: self.edges.callers(&names),
                callees: self.edges.callees(&names),
                details: &self.details,
                changes: &self.changes,
                has_links: self.preferences.command_links,
                edit: self.workspace.edited_since(*id, figures.last.last_time),
            };
            Some(hover::markdown(&function, &figures, &around, now()))
        });
        Some(Hover {
            contents: HoverContents::Markup(MarkupContent {
                kind: MarkupKind::Markdown,
                value: found?,
            }),
            range: Some(range(&document.lines, &bytes, self.encoding)),
        })
    }

    /// The functions that are meant at a byte: the one whose name stands there, or those that are called there.
    pub(crate) fn meant(&self, path: &Path, offset: u32) -> Option<(Vec<FunctionId>, std::ops::Range<u32>)> {
        if let Some(function) = self.workspace.function_at(path, offset) {
            let name = &function.definition.name_range;
            if name.start <= offset && offset <= name.end {
                return Some((vec![function.id], name.clone()));
            }
        }
        let callee = self.workspace.call_at(path, offset)?;
        Some((callee.candidates, callee.name_range))
    }
}
