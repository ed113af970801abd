//! Memory of the core process while it takes in more than it would ever hold.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use flockscope_generator::Shape;

use super::bodies::{Bodies, SPANS};
use super::load::{Load, Pace};
use super::sender::Protocol;
use super::server::Server;
use super::{recent, report_kept};
use crate::report::{Figure, Limit, Line, Report};
use crate::work_folder::{WorkFolder, clear};

const LIMIT: Limit = Limit::Below(Figure::Memory(400 << 20));
const SENDERS: usize = 8;
/// How dense the spans lie in time.
const SPANS_AN_HOUR: u64 = 2_000_000;

/// Sends so many lean spans at full speed.
pub(crate) fn measure(spans: u64, program: &Path, work: &WorkFolder, report: &mut Report) -> Result<()> {
    eprintln!("memory: {spans} lean spans");
    let folder = work.folder("memory")?;
    let count = spans.div_ceil(SPANS);
    let time = Duration::from_secs(3600).mul_f64(spans as f64 / SPANS_AN_HOUR as f64);
    let bodies = Arc::new(Bodies::new(Shape::Lean, recent(time)?, SPANS_AN_HOUR)?);
    super::runtime()?.block_on(async {
        let server = Server::start(program, &folder).await?;
        let before = server.memory();
        let start = Instant::now();
        let load = Load::start(
            server.receivers,
            (Protocol::Grpc, SENDERS),
            &bodies,
            0..count,
            Pace::FullSpeed,
        )
        .await?;
        let (sent, _) = load.sent().await?;
        let found = server.wait_for(sent.spans()).await?;
        let elapsed = start.elapsed();
        let after = server.memory();
        report.add(Line::new(
            format!("memory: {} lean spans, gRPC, {SENDERS} senders", sent.spans()),
            Figure::SpansASecond(sent.spans() as f64 / elapsed.as_secs_f64()),
        ));
        for (when, bytes, limit) in [
            ("before, with an empty store", before.now, None),
            ("at the end", after.now, None),
            ("at most", after.peak, Some(LIMIT)),
        ] {
            let Some(bytes) = bytes else {
                eprintln!("  memory: this system does not say what memory a process has {when}");
                continue;
            };
            let line = Line::new(
                format!("memory: resident memory of the server {when}"),
                Figure::Memory(bytes),
            );
            report.add(match limit {
                Some(limit) => line.limit(limit),
                None => line,
            });
        }
        report_kept(report, "memory", sent, found);
        server.stop().await
    })?;
    clear(work, &folder);
    Ok(())
}
