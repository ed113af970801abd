//! The store that all is measured beside: made once, and copied for each run, since spans come into it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use flockscope_store::{Settings, Store};

use crate::collector::recent;
use crate::collector::server::Server;
use crate::data;
use crate::report::{Figure, Line, Report};
use crate::work_folder::size_of;

/// A copy, in a folder, of the store with so many lean spans over so many hours. They end when the store was first made.
pub(crate) fn copy(spans: u64, hours: u64, folder: &Path) -> Result<PathBuf> {
    let kept = kept(spans, hours)?;
    let store = folder.join("store.duckdb");
    fs::copy(&kept, &store).with_context(|| format!("cannot copy {}", kept.display()))?;
    Ok(store)
}

fn kept(spans: u64, hours: u64) -> Result<PathBuf> {
    let folder = flockscope_client::cache_folder()?.join("bench");
    let kept = folder.join(format!("lean-{spans}-{hours}h-1.duckdb"));
    if kept.is_file() {
        return Ok(kept);
    }
    eprintln!("a store of {spans} lean spans, made once: {}", kept.display());
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    // What is made half is not taken for the whole.
    let making = tempfile::tempdir_in(&folder)?;
    let file = making.path().join("store.duckdb");
    let time = Duration::from_secs(hours * 3_600);
    let mut generator = data::starting(recent(time)?, time, flockscope_generator::Shape::Lean, spans, 1)?;
    let store = Store::open(&file, Settings::default())?;
    while let Some(batch) = generator.next_batch(data::BATCH) {
        store.ingest(&batch)?;
    }
    drop(store);
    ensure!(size_of(&file) > 0, "the store is empty");
    fs::rename(&file, &kept).with_context(|| format!("cannot keep {}", kept.display()))?;
    Ok(kept)
}

/// What the lenses' own question costs on this store, and how much there is in it.
pub(crate) async fn measure(server: &Server, spans: u64, report: &mut Report) -> Result<()> {
    let found = server.api.count().await?;
    ensure!(found == spans, "{found} of {spans} spans are in the store");
    report.add(Line::new("spans of the store", Figure::Count(found)));
    for (what, query) in [
        ("everything", "FROM functions()".to_owned()),
        (
            "the last ten minutes",
            "FROM functions(since := (SELECT max(start_time) FROM spans) - 600000000000)".to_owned(),
        ),
    ] {
        server.api.sql(&query).await?;
        let start = std::time::Instant::now();
        server.api.sql(&query).await?;
        report.add(Line::new(
            format!("the query of all lenses, {what}"),
            Figure::Time(start.elapsed()),
        ));
    }
    Ok(())
}
