//! Traces that another process keeps, asked over HTTP on the loopback interface.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flockscope_analytics::calls::Call;
use flockscope_model::Span;
use flockscope_protocol::{
    BackupRequest, DiscoveryFile, DiscoveryRecord, Event, Problem, ProcessStatus, SpansTaken, SqlRequest,
};
use flockscope_store::Limits;
use futures_util::{Stream, StreamExt, stream};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, TE};
use hyper::{Method, Request, Response, StatusCode};
use serde::de::DeserializeOwned;
use sse_stream::SseStream;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use crate::connection::Note;
use crate::http::{self, Http, HttpError};
use crate::process::{Start, running, running_or_started};
use crate::{AnswerStream, ClientError, Connection, ServeLock, Served};

/// Bytes of one request that hands over spans; more make several.
const MOST_LINES: usize = 16 << 20;

const ARROW_STREAM: &str = "application/vnd.apache.arrow.stream";

/// Time for an analysis; a process may allow less.
const ANALYSIS_TIME: Duration = Duration::from_secs(600);
/// Time for all that asks no database.
const SHORT_TIME: Duration = Duration::from_secs(10);
/// The status counts spans, and may have to wait until a query has ended.
const STATUS_TIME: Duration = Duration::from_secs(90);
/// A process that ends first finishes what it has begun.
const END_TIME: Duration = Duration::from_secs(60);

/// Pauses between two tries to listen to events again.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A connection to the process of one store.
pub(crate) struct Remote {
    served: Served,
    /// How to start a process; `None`: one that is gone is an error.
    start: Option<Start>,
    http: Http,
    note: Note,
    /// The process that was last found. Held while another one is looked for, so that all wait for the same one.
    record: Mutex<Arc<DiscoveryRecord>>,
}

impl Remote {
    pub(crate) async fn connect(served: Served, start: Option<Start>, note: Note) -> Result<Self, ClientError> {
        let http = Http::new();
        let is_running = running(&http, &served.store).await;
        let record = match (is_running, &start) {
            (Some(record), _) => record,
            (None, Some(start)) => {
                let record = running_or_started(&http, &served, start).await?;
                note(&format!(
                    "process {} keeps the traces from now on, for all that ask for them; it ends by itself when nobody \
                     does (flockscope status)",
                    record.pid
                ));
                record
            }
            (None, None) => {
                return Err(ClientError::NotRunning {
                    store: served.store.clone(),
                });
            }
        };
        Ok(Self {
            served,
            start,
            http,
            note,
            record: Mutex::new(Arc::new(record)),
        })
    }

    pub(crate) async fn ask<T: DeserializeOwned>(&self, call: &Call<T>) -> Result<Vec<T>, ClientError> {
        let request = SqlRequest {
            query: call.sql().to_owned(),
            rows: Some(Connection::MOST_ROWS),
            time_ms: Some(milliseconds(ANALYSIS_TIME)),
            id: None,
        };
        let answer = match self.query(&request).await?.whole().await {
            // The process died while it answered. It only read, so it may be asked again.
            Err(ClientError::Unreachable(_)) => self.query(&request).await?.whole().await?,
            answer => answer?,
        };
        if answer.cut {
            return Err(ClientError::TooLarge {
                rows: answer.row_count() as u64,
            });
        }
        let mut rows = Vec::with_capacity(answer.row_count());
        for batch in &answer.batches {
            let part: Vec<T> =
                serde_arrow::from_record_batch(batch).map_err(|error| ClientError::Answer(error.to_string()))?;
            rows.extend(part);
        }
        Ok(rows)
    }

    pub(crate) async fn sql(
        &self,
        query: &str,
        limits: &Limits,
        id: Option<&str>,
    ) -> Result<AnswerStream, ClientError> {
        self.query(&SqlRequest {
            query: query.to_owned(),
            rows: Some(limits.rows as u64),
            time_ms: Some(milliseconds(limits.time)),
            id: id.map(str::to_owned),
        })
        .await
    }

    async fn query(&self, request: &SqlRequest) -> Result<AnswerStream, ClientError> {
        let body = serde_json::to_vec(request).map_err(|error| ClientError::Answer(error.to_string()))?;
        let question = Question {
            body: body.into(),
            headers: &[
                (CONTENT_TYPE, "application/json"),
                (ACCEPT, ARROW_STREAM),
                // Behind a long answer it is said whether it was cut off (RFC 9110, section 6.5).
                (TE, "trailers"),
            ],
            ..Question::new(Method::POST, "/api/v1/sql")
        };
        AnswerStream::read(self.send(&question).await?).await
    }

    pub(crate) async fn store(&self, spans: &[Span]) -> Result<SpansTaken, ClientError> {
        let mut taken = SpansTaken::default();
        let mut lines = Vec::new();
        for span in spans {
            let line = span.to_line().map_err(|error| ClientError::Answer(error.to_string()))?;
            if !lines.is_empty() && lines.len() + line.len() >= MOST_LINES {
                taken += self.store_lines(std::mem::take(&mut lines)).await?;
            }
            lines.extend_from_slice(line.as_bytes());
            lines.push(b'\n');
        }
        if !lines.is_empty() {
            taken += self.store_lines(lines).await?;
        }
        Ok(taken)
    }

    async fn store_lines(&self, lines: Vec<u8>) -> Result<SpansTaken, ClientError> {
        let question = Question {
            body: lines.into(),
            headers: &[(CONTENT_TYPE, "application/x-ndjson")],
            ..Question::new(Method::POST, "/api/v1/spans")
        };
        let bytes = http::whole(self.send(&question).await?).await?;
        serde_json::from_slice(&bytes).map_err(|error| ClientError::Answer(error.to_string()))
    }

    pub(crate) async fn backup(&self, folder: &Path) -> Result<(), ClientError> {
        let request = BackupRequest {
            folder: Some(folder.to_owned()),
        };
        let body = serde_json::to_vec(&request).map_err(|error| ClientError::Answer(error.to_string()))?;
        let question = Question {
            body: body.into(),
            headers: &[(CONTENT_TYPE, "application/json")],
            ..Question::new(Method::POST, "/api/v1/backup")
        };
        self.send(&question).await.map(drop)
    }

    pub(crate) async fn cancel(&self, id: &str) -> Result<(), ClientError> {
        let path = format!("/api/v1/queries/{}", escaped(id));
        let question = Question::new(Method::DELETE, &path).within(SHORT_TIME);
        match self.send(&question).await {
            Err(ClientError::Problem(problem)) if problem.status == StatusCode::NOT_FOUND.as_u16() => Ok(()),
            sent => sent.map(drop),
        }
    }

    pub(crate) async fn status(&self) -> Result<ProcessStatus, ClientError> {
        let question = Question::new(Method::GET, "/api/v1/status").within(STATUS_TIME);
        let bytes = http::whole(self.send(&question).await?).await?;
        serde_json::from_slice(&bytes).map_err(|error| ClientError::Answer(error.to_string()))
    }

    /// Ends the process that is known, never one that has taken its place.
    pub(crate) async fn stop(&self) -> Result<(), ClientError> {
        let record = self.record.lock().await.clone();
        let question = Question::new(Method::POST, "/api/v1/stop").within(SHORT_TIME);
        match self.ask_once(&record, &question).await {
            Ok(response) => drop(checked(response).await?),
            Err(HttpError::TimedOut(time)) => return Err(HttpError::TimedOut(time).into()),
            // It ended before it could answer, or had ended already.
            Err(HttpError::Broken(_)) => {}
        }
        // The record goes last, when the store is closed.
        let file = DiscoveryFile::of_store(&self.served.store);
        let deadline = Instant::now() + END_TIME;
        loop {
            let is_gone = match file.read() {
                Ok(found) => found.is_none_or(|found| found.instance != record.instance),
                Err(_) => true,
            };
            if is_gone || !ServeLock::is_taken(&self.served.store) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(ClientError::Unreachable(format!(
                    "it was told to end, and still runs after {} s (process {})",
                    END_TIME.as_secs(),
                    record.pid
                )));
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Asks the process. If it does not answer, finds or starts another one and asks that, once.
    async fn send(&self, question: &Question<'_>) -> Result<Response<Incoming>, ClientError> {
        let record = self.record.lock().await.clone();
        match self.ask_once(&record, question).await {
            Ok(response) if response.status() != StatusCode::UNAUTHORIZED => return checked(response).await,
            // Slow is not gone: a second question would only make it slower.
            Err(HttpError::TimedOut(time)) => return Err(HttpError::TimedOut(time).into()),
            // Either nobody listens there any more, or somebody else does, who does not know the token.
            Ok(_) | Err(HttpError::Broken(_)) => {}
        }
        let record = self.reconnect(&record.instance).await?;
        checked(self.ask_once(&record, question).await?).await
    }

    async fn ask_once(
        &self,
        record: &DiscoveryRecord,
        question: &Question<'_>,
    ) -> Result<Response<Incoming>, HttpError> {
        let mut request = Request::builder()
            .method(&question.method)
            .uri(format!("{}{}", http::base_url(record), question.path))
            .header(AUTHORIZATION, format!("Bearer {}", record.token));
        for (name, value) in question.headers {
            request = request.header(name, *value);
        }
        let request = request
            .body(Full::new(question.body.clone()))
            .map_err(|error| HttpError::Broken(error.to_string()))?;
        self.http.send(request, question.time).await
    }

    /// Another process than the one that failed, or the same one if it does answer.
    async fn reconnect(&self, failed: &str) -> Result<Arc<DiscoveryRecord>, ClientError> {
        let mut record = self.record.lock().await;
        if record.instance != failed {
            // Somebody else noticed it first.
            return Ok(record.clone());
        }
        let found = find(&self.http, &self.served, self.start.as_ref()).await?;
        if found.instance != failed {
            (self.note)(&format!(
                "the process that keeps the traces had ended; another one (process {}) has taken over",
                found.pid
            ));
        }
        *record = Arc::new(found);
        Ok(record.clone())
    }
}

/// A request to whichever process it is.
struct Question<'a> {
    method: Method,
    path: &'a str,
    headers: &'a [(HeaderName, &'static str)],
    body: Bytes,
    /// Time until the answer begins; `None`: as long as it takes.
    time: Option<Duration>,
}

impl<'a> Question<'a> {
    fn new(method: Method, path: &'a str) -> Self {
        Self {
            method,
            path,
            headers: &[],
            body: Bytes::new(),
            time: None,
        }
    }

    fn within(self, time: Duration) -> Self {
        Self {
            time: Some(time),
            ..self
        }
    }
}

/// What happens to the traces; see [`Connection::events`].
pub(crate) fn events(remote: Arc<Remote>) -> impl Stream<Item = Event> + Send + 'static {
    Listener::new(remote).heard()
}

/// See [`Connection::listen`].
pub(crate) async fn listen(remote: Arc<Remote>) -> Result<impl Stream<Item = Event> + Send + 'static, ClientError> {
    let mut listener = Listener::new(remote);
    let instance = listener.remote.record.lock().await.instance.clone();
    listener.events = Some(listener.listen(&instance).await?);
    listener.is_first = false;
    Ok(listener.heard())
}

struct Listener {
    remote: Arc<Remote>,
    events: Option<SseStream<Incoming>>,
    is_first: bool,
    /// The process said that it ends. It was told to, so none is started only for the sake of listening.
    was_told_to_stop: bool,
    pause: Duration,
}

impl Listener {
    fn new(remote: Arc<Remote>) -> Self {
        Self {
            remote,
            events: None,
            is_first: true,
            was_told_to_stop: false,
            pause: FIRST_PAUSE,
        }
    }

    fn heard(self) -> impl Stream<Item = Event> + Send + 'static {
        stream::unfold(self, |mut listener| async move {
            let event = listener.next().await;
            Some((event, listener))
        })
    }

    async fn next(&mut self) -> Event {
        loop {
            let Some(events) = &mut self.events else {
                let instance = self.remote.record.lock().await.instance.clone();
                match self.listen(&instance).await {
                    Ok(events) => {
                        self.events = Some(events);
                        self.was_told_to_stop = false;
                        self.pause = FIRST_PAUSE;
                        if !std::mem::take(&mut self.is_first) {
                            return Event::Missed { events: 0 };
                        }
                    }
                    Err(error) => {
                        tracing::debug!(%error, "no events can be listened to");
                        sleep(self.pause).await;
                        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                    }
                }
                continue;
            };
            match events.next().await {
                Some(Ok(message)) => {
                    let event = message.data.and_then(|data| serde_json::from_str(&data).ok());
                    match event {
                        Some(Event::Stopping) => {
                            self.was_told_to_stop = true;
                            return Event::Stopping;
                        }
                        Some(event) => return event,
                        // A sign of life, or the word of a later version.
                        None => {}
                    }
                }
                Some(Err(_)) | None => self.events = None,
            }
        }
    }

    async fn listen(&mut self, instance: &str) -> Result<SseStream<Incoming>, ClientError> {
        let remote = &self.remote;
        if self.was_told_to_stop {
            // Whoever needs a process starts it; until then there is nothing to hear.
            let Some(found) = running(&remote.http, &remote.served.store).await else {
                self.pause = FIRST_PAUSE;
                return Err(ClientError::NotRunning {
                    store: remote.served.store.clone(),
                });
            };
            let mut record = remote.record.lock().await;
            if record.instance == instance {
                *record = Arc::new(found);
            }
        }
        let question = Question {
            headers: &[(ACCEPT, "text/event-stream")],
            ..Question::new(Method::GET, "/api/v1/events")
        };
        Ok(SseStream::new(remote.send(&question).await?.into_body()))
    }
}

async fn find(http: &Http, served: &Served, start: Option<&Start>) -> Result<DiscoveryRecord, ClientError> {
    match start {
        Some(start) => running_or_started(http, served, start).await,
        None => running(http, &served.store)
            .await
            .ok_or_else(|| ClientError::NotRunning {
                store: served.store.clone(),
            }),
    }
}

/// The response, or the problem that it tells of.
async fn checked(response: Response<Incoming>) -> Result<Response<Incoming>, ClientError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let body = http::whole(response).await.unwrap_or_default();
    let problem = serde_json::from_slice(&body).unwrap_or_else(|_| Problem {
        kind: "about:blank".into(),
        title: format!("the process that keeps the traces answered {status}"),
        status: status.as_u16(),
        detail: None,
        id: None,
    });
    Err(ClientError::Problem(Box::new(problem)))
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A text as one segment of a path. <https://www.rfc-editor.org/rfc/rfc3986#section-2.1>
fn escaped(text: &str) -> String {
    let mut segment = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            segment.push(char::from(byte));
        } else {
            segment.push_str(&format!("%{byte:02X}"));
        }
    }
    segment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_segment_of_the_path_whatever_is_in_it() {
        assert_eq!(escaped("a/../b?c#d é"), "a%2F..%2Fb%3Fc%23d%20%C3%A9");
        assert_eq!(escaped("cell-7_A.~"), "cell-7_A.~");
    }
}
