//! OTLP/protobuf files: messages that each follow their length in 4 bytes, the highest first (the file exporter's
//! `proto` format), or one message alone. With the exporter's older `compression: zstd` each message is packed by
//! itself, in the `json` format too, so a length-prefixed message may also be zstd or JSON.

use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};

use flockscope_model::{ReadReport, Span};
use flockscope_otlp::Message;

use super::{MOST_MESSAGE, move_into, unreadable};
use crate::batch::Batch;
use crate::compressed::{Input, ZSTD, unpack_zstd};
use crate::{Progress, SourceError, SpanSource};

/// Reads an OTLP/protobuf file.
pub(super) struct ProtobufSource {
    path: PathBuf,
    input: Input,
    prefixed: bool,
    ended: bool,
    /// Spans of the last message that did not fit into a batch.
    rest: Message,
    /// Number of the message, from 1.
    message: u64,
}

impl ProtobufSource {
    pub(super) fn new(path: &Path, mut input: Input) -> Result<Self, SourceError> {
        let start = input.fill_buf().map_err(SourceError::io(path))?;
        let prefixed = is_prefixed(start);
        Ok(Self {
            path: path.to_owned(),
            input,
            prefixed,
            ended: false,
            rest: Message::default(),
            message: 0,
        })
    }

    /// The bytes of the next message. A length that can't be is the end: where the next message begins is not known.
    fn next_message(&mut self, report: &mut ReadReport) -> Result<Option<Vec<u8>>, SourceError> {
        if self.ended {
            return Ok(None);
        }
        self.message += 1;
        let read = if self.prefixed {
            self.read_prefixed()
        } else {
            self.read_bare()
        };
        match read {
            Ok(Some(message)) => Ok(Some(message)),
            Ok(None) => {
                self.ended = true;
                Ok(None)
            }
            Err(Broken::Io(error)) => {
                self.ended = true;
                Err(SourceError::io(&self.path)(error))
            }
            Err(Broken::Content(detail)) => {
                self.ended = true;
                let place = format!("message {}", self.message);
                unreadable(report, &place, &format_args!("{detail}; what follows it is lost"));
                Ok(None)
            }
        }
    }

    fn read_prefixed(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        let mut length = Vec::new();
        self.take(4, &mut length)?;
        let Ok(length) = <[u8; 4]>::try_from(length.as_slice()) else {
            return if length.is_empty() { Ok(None) } else { Err(cut_off()) };
        };
        let length = u32::from_be_bytes(length) as usize;
        if length > MOST_MESSAGE {
            return Err(Broken::Content(format!(
                "it says that it has {length} bytes, more than {MOST_MESSAGE}"
            )));
        }
        let mut message = Vec::new();
        self.take(length, &mut message)?;
        if message.len() < length {
            return Err(cut_off());
        }
        Ok(Some(message))
    }

    fn read_bare(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        let mut message = Vec::new();
        self.take(MOST_MESSAGE + 1, &mut message)?;
        if message.len() > MOST_MESSAGE {
            return Err(Broken::Content(format!("it has more than {MOST_MESSAGE} bytes")));
        }
        Ok((!message.is_empty()).then_some(message))
    }

    fn take(&mut self, count: usize, into: &mut Vec<u8>) -> Result<(), Broken> {
        match (&mut self.input).take(count as u64).read_to_end(into) {
            Ok(_) => Ok(()),
            // A packed file that is cut off or damaged, not a disk that fails.
            Err(error) if error.raw_os_error().is_none() => Err(Broken::Content(error.to_string())),
            Err(error) => Err(Broken::Io(error)),
        }
    }
}

enum Broken {
    Io(io::Error),
    Content(String),
}

fn cut_off() -> Broken {
    Broken::Content("the file ends within it".to_owned())
}

impl SpanSource for ProtobufSource {
    fn next_batch(&mut self, report: &mut ReadReport) -> Result<Option<Vec<Span>>, SourceError> {
        let mut batch = Batch::default();
        loop {
            move_into(&mut batch, &mut self.rest, &format!("message {}", self.message), report);
            if batch.is_full() {
                break;
            }
            let Some(message) = self.next_message(report)? else {
                break;
            };
            match read_message(message) {
                Ok(message) => self.rest = message,
                Err(detail) => unreadable(report, &format!("message {}", self.message), &detail),
            }
        }
        Ok(batch.take())
    }

    fn progress(&self) -> Option<Progress> {
        Some(self.input.progress())
    }
}

/// Reads a message, which may be packed, and may be JSON.
fn read_message(mut bytes: Vec<u8>) -> Result<Message, String> {
    if bytes.starts_with(ZSTD) {
        bytes = unpack_zstd(&bytes, MOST_MESSAGE).map_err(|error| error.to_string())?;
    }
    let message = if bytes.starts_with(b"{") {
        Message::of_json_record(&bytes)
    } else {
        Message::of_protobuf(&bytes)
    };
    message.map_err(|error| error.to_string())
}

/// Whether `start`, the first bytes of a file, can be OTLP/protobuf.
pub(crate) fn looks_like_protobuf(start: &[u8]) -> bool {
    is_prefixed(start) || is_request(start)
}

/// A length that can be, and then the beginning of a request, of JSON or of a zstd frame.
fn is_prefixed(start: &[u8]) -> bool {
    let Some((length, message)) = start.split_first_chunk::<4>() else {
        return false;
    };
    let length = u32::from_be_bytes(*length) as usize;
    let within = &message[..message.len().min(length)];
    (1..=MOST_MESSAGE).contains(&length)
        && (is_request(within) || within.starts_with(ZSTD) || within.starts_with(b"{\""))
}

/// Field 1 (`resource_spans`), whose content begins with one of the fields of `ResourceSpans`, or is empty.
fn is_request(start: &[u8]) -> bool {
    let Some((0x0a, mut rest)) = start.split_first().map(|(tag, rest)| (*tag, rest)) else {
        return false;
    };
    let Ok(length) = prost::decode_length_delimiter(&mut rest) else {
        return false;
    };
    length == 0 || (length <= MOST_MESSAGE && matches!(rest.first(), Some(0x0a | 0x12 | 0x1a)))
}
