//! Batches at full speed, against plain DuckDB appending the same spans and against decoding alone.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use flockscope_generator::Shape;
use flockscope_model::Span;
use flockscope_store::record_batch;

use super::bodies::{Bodies, SPANS};
use super::load::{Load, Pace, Sent};
use super::sender::Protocol;
use super::server::Server;
use super::{recent, report_kept};
use crate::data;
use crate::plain;
use crate::report::{Figure, Limit, Line, Report};
use crate::timing::timed;
use crate::work_folder::{WorkFolder, clear};

/// The connections of each run.
const RUNS: [(Protocol, usize); 4] = [
    (Protocol::Grpc, 2),
    (Protocol::Grpc, 8),
    (Protocol::HttpProtobuf, 2),
    (Protocol::HttpProtobuf, 8),
];

/// How dense the spans lie in time.
const SPANS_AN_HOUR: u64 = 1_000_000;

/// Lean spans are stored several times as fast. A run of one second hangs on whether a checkpoint falls into it.
const LEAN_FOR_FULL: u64 = 4;

/// Sends so many full spans, and more lean ones, by each protocol.
pub(crate) fn measure(spans: u64, program: &Path, work: &WorkFolder, report: &mut Report) -> Result<()> {
    for (shape, name, times) in [(Shape::Full, "full", 1), (Shape::Lean, "lean", LEAN_FOR_FULL)] {
        measure_shape(spans * times, (shape, name), program, work, report)?;
    }
    Ok(())
}

fn measure_shape(
    spans: u64,
    (shape, name): (Shape, &str),
    program: &Path,
    work: &WorkFolder,
    report: &mut Report,
) -> Result<()> {
    eprintln!("batches: {spans} {name} spans in each run");
    let folder = work.folder(&format!("batches-{name}"))?;
    let count = spans.div_ceil(SPANS);
    let bodies = Arc::new(Bodies::new(shape, recent(Duration::from_secs(3600))?, SPANS_AN_HOUR)?);
    let without = without_server(&bodies, count, &folder.join("plain.duckdb"))?;
    let rate = |time: Duration| Figure::SpansASecond((count * SPANS) as f64 / time.as_secs_f64());

    super::runtime()?.block_on(async {
        let server = Server::start(program, &folder).await?;
        let mut all = Sent::default();
        for (protocol, senders) in RUNS {
            let start = Instant::now();
            let numbers = all.bodies..all.bodies + count;
            let load = Load::start(server.receivers, (protocol, senders), &bodies, numbers, Pace::FullSpeed).await?;
            let (sent, _) = load.sent().await?;
            all.bodies += sent.bodies;
            all.refusals += sent.refusals;
            server.wait_for(all.spans()).await?;
            let what = format!(
                "batches of {SPANS} {name} spans, {}, {senders} senders",
                protocol.name()
            );
            report.add(
                Line::new(what, rate(start.elapsed()))
                    .limit(Limit::AtLeastTimes(0.4))
                    .beside_named("appended to plain DuckDB", rate(without.appending)),
            );
        }
        let found = server.wait_for(all.spans()).await?;
        report_kept(report, &format!("batches of {name} spans"), all, found);
        server.stop().await
    })?;
    report.add(Line::new(
        format!("batches of {SPANS} {name} spans: decoding alone, on one core"),
        rate(without.decoding),
    ));
    clear(work, &folder);
    Ok(())
}

struct WithoutServer {
    decoding: Duration,
    /// Closing the file included; turning spans into Arrow is not.
    appending: Duration,
}

/// Decodes the bodies, and appends their spans to a bare table in batches as large as those of the other benchmark.
fn without_server(bodies: &Bodies, count: u64, file: &Path) -> Result<WithoutServer> {
    let bare = plain::create(file)?;
    let mut times = WithoutServer {
        decoding: Duration::ZERO,
        appending: Duration::ZERO,
    };
    let mut waiting: Vec<Span> = Vec::new();
    for number in 0..count {
        let body = bodies.body(number);
        let (decoded, time) = timed(|| Ok(flockscope_otlp::decode_protobuf(&body)?))?;
        times.decoding += time;
        waiting.extend(decoded.spans);
        if waiting.len() >= data::BATCH || number + 1 == count {
            let batch = record_batch(&waiting, 0);
            times.appending += timed(|| plain::append(&bare, batch))?.1;
            waiting.clear();
        }
    }
    times.appending += timed(|| plain::close(bare))?.1;
    Ok(times)
}
