//! What a store takes on the disk, without opening it.

use std::path::Path;
use std::{fs, io};

/// Bytes of a store's file, its log and its archive. What comes and goes meanwhile may count or not.
pub fn bytes_on_disk(store: &Path) -> io::Result<u64> {
    let mut log = store.as_os_str().to_owned();
    log.push(".wal");
    let archive = flockscope_protocol::process_folder(store).join("archive");
    Ok(fs::metadata(store)?.len() + length(Path::new(&log))? + length_of_all(&archive)?)
}

fn length(file: &Path) -> io::Result<u64> {
    match fs::metadata(file) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

fn length_of_all(folder: &Path) -> io::Result<u64> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut bytes = 0;
    for entry in entries {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() {
            length_of_all(&entry.path())?
        } else {
            length(&entry.path())?
        };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_log_and_archive_count_and_nothing_else_does() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = folder.path().join("s.duckdb");
        let write = |path: &str, bytes: usize| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, vec![0; bytes]).expect("a file");
        };
        write("s.duckdb", 1);
        assert_eq!(bytes_on_disk(&store).expect("readable"), 1);
        write("s.duckdb.wal", 20);
        write("s.duckdb.d/archive/day=2026-11-23/a.parquet", 300);
        write("s.duckdb.d/ingest/1.log", 4000);
        assert_eq!(bytes_on_disk(&store).expect("readable"), 321);
        assert!(bytes_on_disk(&folder.path().join("none")).is_err());
    }
}
