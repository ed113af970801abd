//! The answer to a query as it comes: record batches, one after the other.

use arrow_ipc::reader::StreamDecoder;
use flockscope_store::arrow::array::RecordBatch;
use flockscope_store::arrow::buffer::Buffer;
use flockscope_store::arrow::datatypes::SchemaRef;
use flockscope_store::arrow::error::ArrowError;
use flockscope_store::{Answer, Part};
use futures_util::Stream;
use futures_util::stream;
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use tokio::sync::mpsc;

use crate::ClientError;
use crate::http::in_words;

/// Header, or for a long answer trailer, that says whether it was cut off at the limits.
const CUT: &str = "x-flockscope-cut";

/// Rows on their way. Dropping it stops the query that makes them.
pub struct AnswerStream {
    schema: SchemaRef,
    source: Source,
    cut: bool,
}

enum Source {
    /// They come over a connection.
    Remote(Box<Remote>),
    /// They come from a thread of this process.
    Local {
        parts: mpsc::Receiver<Result<LocalPart, ClientError>>,
        /// Dropping it stops the query.
        _running: Box<dyn Send + Sync>,
    },
}

/// What a query of this process gives.
pub(crate) enum LocalPart {
    Columns(SchemaRef),
    Rows(RecordBatch),
    End { cut: bool },
}

impl From<Part> for LocalPart {
    fn from(part: Part) -> Self {
        match part {
            Part::Columns(schema) => Self::Columns(schema),
            Part::Rows(batch) => Self::Rows(batch),
        }
    }
}

struct Remote {
    body: Incoming,
    decoder: StreamDecoder,
    /// What came and is not decoded yet.
    buffer: Buffer,
    /// Rows that came together with the columns.
    first: Option<RecordBatch>,
    ended: bool,
}

impl AnswerStream {
    /// Names and types of the columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Whether there were more rows than the limits allow. Known once the last batch has come.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// The next rows, `None` at the end.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, ClientError> {
        match &mut self.source {
            Source::Remote(remote) => remote.next(&mut self.cut).await,
            Source::Local { parts, .. } => match parts.recv().await {
                Some(Ok(LocalPart::Rows(batch))) => Ok(Some(batch)),
                Some(Ok(LocalPart::End { cut })) => {
                    self.cut = cut;
                    Ok(None)
                }
                Some(Err(error)) => Err(error),
                Some(Ok(LocalPart::Columns(_))) | None => Ok(None),
            },
        }
    }

    /// The rows as a stream, which ends after an error.
    pub fn into_stream(self) -> impl Stream<Item = Result<RecordBatch, ClientError>> + Send {
        stream::try_unfold(self, |mut answer| async move {
            Ok(answer.next().await?.map(|batch| (batch, answer)))
        })
    }

    /// All rows.
    pub async fn whole(mut self) -> Result<Answer, ClientError> {
        let mut batches = Vec::new();
        while let Some(batch) = self.next().await? {
            batches.push(batch);
        }
        Ok(Answer {
            schema: self.schema,
            batches,
            cut: self.cut,
        })
    }

    pub(crate) fn local(
        schema: SchemaRef,
        parts: mpsc::Receiver<Result<LocalPart, ClientError>>,
        running: Box<dyn Send + Sync>,
    ) -> Self {
        Self {
            schema,
            source: Source::Local {
                parts,
                _running: running,
            },
            cut: false,
        }
    }

    /// An Arrow IPC stream; it begins with the columns, and waits for these.
    /// <https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format>
    pub(crate) async fn read(response: Response<Incoming>) -> Result<Self, ClientError> {
        let mut cut = is_cut(response.headers());
        let mut remote = Box::new(Remote {
            body: response.into_body(),
            decoder: StreamDecoder::new(),
            buffer: Buffer::from(Vec::<u8>::new()),
            first: None,
            ended: false,
        });
        let schema = loop {
            remote.first = remote.step(&mut cut).await?;
            match remote.decoder.schema() {
                Some(schema) => break schema,
                None if remote.ended => return Err(ClientError::Answer("it has no columns".into())),
                None => {}
            }
        };
        Ok(Self {
            schema,
            source: Source::Remote(remote),
            cut,
        })
    }
}

impl Remote {
    async fn next(&mut self, cut: &mut bool) -> Result<Option<RecordBatch>, ClientError> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        while !self.ended {
            if let Some(batch) = self.step(cut).await? {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    /// Decodes what is there; if nothing is, waits for more.
    async fn step(&mut self, cut: &mut bool) -> Result<Option<RecordBatch>, ClientError> {
        if !self.buffer.is_empty() {
            return self.decoder.decode(&mut self.buffer).map_err(unreadable);
        }
        match self.body.frame().await {
            Some(frame) => match frame.map_err(lost)?.into_data() {
                Ok(data) => self.buffer = Buffer::from(data),
                Err(frame) => *cut |= frame.trailers_ref().is_some_and(is_cut),
            },
            None => {
                self.decoder.finish().map_err(unreadable)?;
                self.ended = true;
            }
        }
        Ok(None)
    }
}

fn is_cut(headers: &HeaderMap) -> bool {
    headers.get(CUT).is_some_and(|value| value == "true")
}

fn unreadable(error: ArrowError) -> ClientError {
    ClientError::Answer(error.to_string())
}

fn lost(error: hyper::Error) -> ClientError {
    ClientError::Unreachable(in_words(&error))
}
