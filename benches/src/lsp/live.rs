//! How long it takes until a span is in its lens: until the server asks for lenses to be drawn anew, and they have it.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bytes::Bytes;
use prost::Message;
use serde_json::json;

use super::editor::{Editor, address};
use super::project::{self, Project};
use crate::collector::bodies;
use crate::collector::sender::{Protocol, Sender};
use crate::collector::server::Server;
use crate::flock_writer::now_in_nanoseconds;
use crate::report::{Figure, Limit, Line, Report};
use crate::timing::percentile;

const LIMIT: Limit = Limit::Below(Figure::Time(Duration::from_millis(500)));

/// The server has read the whole store by then.
const MOST: Duration = Duration::from_secs(180);

/// A function whose spans are sent one by one.
pub(crate) struct Live {
    sender: Sender,
    file: serde_json::Value,
    /// Its spans so far.
    calls: usize,
}

impl Live {
    /// Opens the file, and waits until the lens has its figures.
    pub(crate) async fn new(editor: &mut Editor, project: &Project, server: &Server) -> Result<Self> {
        let (path, text) = &project.live;
        editor.open(path, "python", text).await?;
        let live = Self {
            sender: Sender::connect(server.receivers, Protocol::Grpc).await?,
            file: json!({"textDocument": {"uri": address(path)}}),
            calls: 1,
        };
        let begin = Instant::now();
        while live.shown(editor).await? != Some(live.calls) {
            ensure!(begin.elapsed() < MOST, "the lens has no figures");
            editor.rest(Duration::from_millis(20)).await?;
        }
        Ok(live)
    }

    /// Sends so many spans, each as the lens has the one before, at irregular times.
    pub(crate) async fn measure(
        &mut self,
        editor: &mut Editor,
        (probes, how): (usize, &str),
        report: &mut Report,
    ) -> Result<()> {
        // What follows the start is not a part of this.
        editor.rest(Duration::from_secs(10)).await?;
        let mut times = Vec::with_capacity(probes);
        for probe in 0..probes {
            let pause = 200 + (probe as u64 * 373) % 600;
            editor.rest(Duration::from_millis(pause)).await?;
            let body = self.next_span()?;
            let sent = Instant::now();
            self.sender.send(body).await?;
            let mut refresh = sent;
            loop {
                refresh = editor.refresh_after(refresh).await?;
                match self.shown(editor).await? {
                    Some(calls) if calls == self.calls => break,
                    shown => ensure!(
                        shown.is_some_and(|calls| calls < self.calls),
                        "the lens says {shown:?} calls, {} were sent",
                        self.calls
                    ),
                }
            }
            times.push(refresh - sent);
        }
        let line = |what: &str, share| {
            Line::new(
                format!("from a span's sending to its lens, {how}: {what}"),
                Figure::Time(percentile(times.clone(), share)),
            )
        };
        report.add(line("p50", 0.5));
        report.add(line("p95", 0.95).limit(LIMIT));
        report.add(line("longest", 1.0));
        Ok(())
    }

    fn next_span(&mut self) -> Result<Bytes> {
        let span = project::live_span(self.calls, now_in_nanoseconds()?)?;
        self.calls += 1;
        Ok(bodies::request(vec![span])?.encode_to_vec().into())
    }

    /// The calls that the lens tells of.
    async fn shown(&self, editor: &mut Editor) -> Result<Option<usize>> {
        let (lenses, _) = editor.ask("textDocument/codeLens", self.file.clone()).await?;
        let Some(lens) = lenses.as_array().and_then(|lenses| lenses.first()) else {
            return Ok(None);
        };
        let (lens, _) = editor.ask("codeLens/resolve", lens.clone()).await?;
        let title = lens["command"]["title"].as_str().unwrap_or_default();
        let calls = title.split(" · ").find_map(|part| part.split_once(" call"));
        Ok(calls.and_then(|(number, _)| number.parse().ok()))
    }
}
