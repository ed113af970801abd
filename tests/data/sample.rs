//! The bundled sample, for the tests of any crate: taken in by its path.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use flockscope_model::{ReadReport, Span};

/// A file of this folder.
pub(crate) fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/data")
        .join(name)
}

/// The spans of the bundled sample, read by the real source.
pub(crate) fn spans() -> &'static [Span] {
    static SPANS: OnceLock<Vec<Span>> = OnceLock::new();
    SPANS.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("traces.duckdb");
        let packed = std::fs::File::open(data("traces.duckdb.gz")).expect("the bundled sample");
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(packed)
            .read_to_end(&mut bytes)
            .expect("a sound gzip file");
        std::fs::write(&file, bytes).expect("room for the sample");
        let mut source = flockscope_sources::open(&file).expect("a Flock file");
        let mut report = ReadReport::default();
        let mut spans = Vec::new();
        while let Some(batch) = source.next_batch(&mut report).expect("a sound file") {
            spans.extend(batch);
        }
        assert_eq!((report.read, report.skipped_total()), (6797, 0));
        spans
    })
}
