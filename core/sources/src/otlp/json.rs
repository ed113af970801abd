//! OTLP/JSON files: one message a line, or one message over many lines.

use std::path::{Path, PathBuf};

use flockscope_model::{ReadReport, Span};
use flockscope_otlp::Message;

use super::json_records::Records;
use super::{move_into, unreadable};
use crate::batch::Batch;
use crate::compressed::Input;
use crate::{Progress, SourceError, SpanSource};

/// Reads an OTLP/JSON file.
pub(super) struct JsonSource {
    path: PathBuf,
    records: Records<Input>,
    /// Spans of the last record that did not fit into a batch, and its line.
    rest: Message,
    line: u64,
    ended: bool,
}

impl JsonSource {
    pub(super) fn new(path: &Path, input: Input) -> Self {
        Self {
            path: path.to_owned(),
            records: Records::new(input),
            rest: Message::default(),
            line: 0,
            ended: false,
        }
    }
}

impl SpanSource for JsonSource {
    fn next_batch(&mut self, report: &mut ReadReport) -> Result<Option<Vec<Span>>, SourceError> {
        let mut batch = Batch::default();
        loop {
            move_into(&mut batch, &mut self.rest, &format!("line {}", self.line), report);
            if batch.is_full() || self.ended {
                break;
            }
            let record = match self.records.next_record() {
                Ok(Some(record)) => record,
                Ok(None) => {
                    self.ended = true;
                    break;
                }
                Err(error) => {
                    self.ended = true;
                    if error.raw_os_error().is_some() {
                        return Err(SourceError::io(&self.path)(error));
                    }
                    // A packed file that is cut off or damaged, not a disk that fails.
                    let detail = format!("{error}; what follows it is lost");
                    unreadable(report, &format!("after line {}", self.line), &detail);
                    break;
                }
            };
            self.line = record.line;
            let message = record
                .text
                .and_then(|text| Message::of_json_record(&text).map_err(|error| error.to_string()));
            match message {
                Ok(message) => self.rest = message,
                Err(detail) => unreadable(report, &format!("line {}", self.line), &detail),
            }
        }
        Ok(batch.take())
    }

    fn progress(&self) -> Option<Progress> {
        Some(self.records.source().progress())
    }
}
