//! How long a span that was acknowledged stays out of sight.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use flockscope_generator::Shape;
use tokio::time::sleep;

use super::bodies::Bodies;
use super::load::{Load, Pace};
use super::one_span::one_by_one;
use super::recent;
use super::sender::{Protocol, Sender};
use super::server::Server;
use crate::report::{Figure, Limit, Line, Report};
use crate::timing::percentile;
use crate::work_folder::{WorkFolder, clear};

const LIMIT: Limit = Limit::Below(Figure::Time(Duration::from_millis(200)));
/// Pause between two looks for a span.
const LOOK_EVERY: Duration = Duration::from_millis(2);
const MOST: Duration = Duration::from_secs(30);

/// Sends spans one by one and looks for each, first on its own, then beside a steady ingest.
pub(crate) fn measure(
    (probes, steady): (usize, u64),
    program: &Path,
    work: &WorkFolder,
    report: &mut Report,
) -> Result<()> {
    eprintln!("visibility: {probes} spans");
    let folder = work.folder("visibility")?;
    let spans = one_by_one(2 * probes)?;
    let (alone, beside) = spans.split_at(probes);
    let hour = Duration::from_secs(3600);
    let bodies = Arc::new(Bodies::new(Shape::Lean, recent(hour)?, 1_000_000)?);
    super::runtime()?.block_on(async {
        let server = Server::start(program, &folder).await?;
        let times = look_for(&server, alone).await?;
        add(report, "alone", times);
        let pace = Pace::SpansASecond(steady);
        let load = Load::start(server.receivers, (Protocol::Grpc, 2), &bodies, 0..u64::MAX, pace).await?;
        let times = look_for(&server, beside).await;
        load.end();
        load.sent().await?;
        add(report, &format!("beside {steady} spans/s"), times?);
        server.stop().await
    })?;
    clear(work, &folder);
    Ok(())
}

fn add(report: &mut Report, how: &str, times: Vec<Duration>) {
    let line = |what: &str, share| {
        Line::new(
            format!("from reply to visible, {how}: {what}"),
            Figure::Time(percentile(times.clone(), share)),
        )
    };
    report.add(line("p50", 0.5));
    report.add(line("p95", 0.95).limit(LIMIT));
    report.add(line("longest", 1.0));
}

/// For each span, from its reply to the answer that holds it.
async fn look_for(server: &Server, bodies: &[Bytes]) -> Result<Vec<Duration>> {
    let mut sender = Sender::connect(server.receivers, Protocol::Grpc).await?;
    let mut times = Vec::with_capacity(bodies.len());
    for body in bodies {
        let span = flockscope_otlp::decode_protobuf(body)?
            .spans
            .pop()
            .context("a body has a span")?;
        let condition = format!("trace_id = '{}' AND span_id = '{}'", span.trace_id, span.span_id);
        sender.send(body.clone()).await?;
        let start = Instant::now();
        while server.api.count_where(&condition).await? == 0 {
            ensure!(
                start.elapsed() < MOST,
                "a span is not visible after {} s",
                MOST.as_secs()
            );
            sleep(LOOK_EVERY).await;
        }
        times.push(start.elapsed());
    }
    Ok(times)
}
