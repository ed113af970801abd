//! OTLP files, as the OpenTelemetry Collector's file exporter writes them. What a message means is the subject of
//! [`flockscope_otlp`]; here files are cut into messages.

mod json;
mod json_records;
mod protobuf;

use std::fmt;
use std::path::Path;

use flockscope_model::{ReadReport, SkipReason};
use flockscope_otlp::Message;

use crate::batch::Batch;
use crate::compressed::Input;
use crate::{SourceError, SpanSource};

/// Most bytes of one message (a line, a length-prefixed message) that are read; larger ones are skipped and counted.
pub(crate) const MOST_MESSAGE: usize = 64 << 20;

/// Moves spans to a batch until either is at its end.
fn move_into(batch: &mut Batch, message: &mut Message, place: &str, report: &mut ReadReport) {
    while !batch.is_full() {
        match message.next_span(place, report) {
            Some(Ok(span)) => batch.push(span),
            // It is in the report.
            Some(Err(_)) => {}
            None => return,
        }
    }
}

/// Counts something that could not be read.
fn unreadable(report: &mut ReadReport, place: &str, detail: &dyn fmt::Display) {
    report.read += 1;
    report.skip(SkipReason::Unreadable, format_args!("{place}, {detail}"));
}

/// Opens OTLP/JSON: one message a line, or one message over many lines.
pub(crate) fn open_json(path: &Path) -> Result<impl SpanSource + use<>, SourceError> {
    Ok(json::JsonSource::new(path, Input::open(path)?))
}

/// Opens OTLP/protobuf: length-prefixed messages, or one bare message.
pub(crate) fn open_protobuf(path: &Path) -> Result<impl SpanSource + use<>, SourceError> {
    protobuf::ProtobufSource::new(path, Input::open(path)?)
}

/// Whether a message of this kind can begin a protobuf file; for [`crate::detect()`].
pub(crate) use protobuf::looks_like_protobuf;
