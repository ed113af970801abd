//! The figures as they were last, on disk: a start shows them at once, and reads the traces meanwhile.

use std::io;
use std::path::{Path, PathBuf};

use flockscope_client::cache_folder;
use flockscope_functions::CacheFile;
use flockscope_model::rows::FunctionRow;
use sha2::{Digest, Sha256};

/// The format is counted up when [`FunctionRow`] changes.
const FILE: CacheFile = CacheFile {
    magic: *b"flocksfg",
    format: 1,
    largest: 64 << 20,
};

/// A file in the cache for what is known of a folder. `traces`: those that were asked for instead of the folder's own.
pub(crate) fn file(kind: &str, folder: &Path, traces: Option<&Path>) -> Option<PathBuf> {
    let mut name = Sha256::new();
    name.update(folder.as_os_str().as_encoded_bytes());
    if let Some(traces) = traces {
        name.update([0]);
        name.update(traces.as_os_str().as_encoded_bytes());
    }
    let name: String = name
        .finalize()
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Some(cache_folder().ok()?.join(kind).join(name))
}

/// Keeps rows, all or nothing.
pub(crate) fn save(file: &Path, rows: &[FunctionRow]) -> io::Result<()> {
    let body = postcard::to_stdvec(rows).map_err(io::Error::other)?;
    FILE.save(file, &body)
}

/// The rows that were kept; none if there are none, or the file is damaged or of another version.
pub(crate) fn load(file: &Path) -> Option<Vec<FunctionRow>> {
    postcard::from_bytes(&FILE.load(file)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::tests::row;

    #[test]
    fn what_was_kept_is_read_again_and_what_is_damaged_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("figures").join("x");
        assert_eq!(load(&file), None);
        let rows = vec![row("m", "A", "run", 4, 10), row("m", "B", "run", 6, 20)];
        save(&file, &rows).expect("kept");
        assert_eq!(load(&file), Some(rows));
        let mut bytes = std::fs::read(&file).expect("a file");
        for place in [0, 8, 12, 20] {
            bytes[place] ^= 1;
            std::fs::write(&file, &bytes).expect("written");
            assert_eq!(load(&file), None, "{place}");
            bytes[place] ^= 1;
        }
    }
}
