//! The file by which a client finds the process that owns a store.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Name of the file, in [`process_folder`].
const FILE: &str = "serve.json";

/// Where a core process runs, and how to be let in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiscoveryRecord {
    /// Process id.
    pub pid: u32,
    /// A random word that tells this run of the process from every other; `/healthz` answers with it.
    pub instance: String,
    /// Where the API listens.
    pub address: SocketAddr,
    /// Whether the API speaks TLS.
    pub tls: bool,
    /// The token of this store; whoever can read the file may do everything.
    pub token: String,
    /// Version of the program that runs.
    pub version: String,
    /// Start of the process, in nanoseconds since the epoch.
    pub started_at: i64,
}

// The token must not come into a log by way of a debug print.
impl std::fmt::Debug for DiscoveryRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DiscoveryRecord")
            .field("pid", &self.pid)
            .field("instance", &self.instance)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// The folder beside a store (`store.duckdb.d`) in which the files of its process are: discovery record, lock, token,
/// log, spans that are not yet in the store.
pub fn process_folder(store: &Path) -> PathBuf {
    let mut name = OsString::from(store);
    name.push(".d");
    PathBuf::from(name)
}

/// The discovery file of one store.
#[derive(Debug, Clone)]
pub struct DiscoveryFile {
    path: PathBuf,
}

impl DiscoveryFile {
    /// The file of this store's process, whether it is there or not.
    pub fn of_store(store: &Path) -> Self {
        Self {
            path: process_folder(store).join(FILE),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The record, `None` if there is no file. A file that holds something else is an error of kind `InvalidData`.
    pub fn read(&self) -> io::Result<Option<DiscoveryRecord>> {
        match fs::read(&self.path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes the record whole or not at all. Only the owner of the file may read it.
    pub fn write(&self, record: &DiscoveryRecord) -> io::Result<()> {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{}", record.instance));
        let temporary = PathBuf::from(name);
        let written = write_privately(&temporary, &serde_json::to_vec_pretty(record)?)
            .and_then(|()| fs::rename(&temporary, &self.path));
        if written.is_err() {
            // It holds the token; nobody needs it.
            let _ = fs::remove_file(&temporary);
        }
        written
    }

    /// Removes the file if it is that of this run: another process may have written its own since.
    pub fn remove(&self, instance: &str) -> io::Result<()> {
        match self.read() {
            Ok(Some(record)) if record.instance == instance => fs::remove_file(&self.path),
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn write_privately(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(instance: &str) -> DiscoveryRecord {
        DiscoveryRecord {
            pid: 7,
            instance: instance.into(),
            address: ([127, 0, 0, 1], 4319).into(),
            tls: false,
            token: "secret".into(),
            version: "0.1.0".into(),
            started_at: 1,
        }
    }

    #[test]
    fn only_the_run_that_wrote_the_file_removes_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = folder.path().join("store.duckdb");
        fs::create_dir(process_folder(&store)).expect("a folder");
        let file = DiscoveryFile::of_store(&store);
        assert_eq!(file.read().expect("readable"), None);
        file.write(&record("one")).expect("written");
        file.write(&record("two")).expect("replaced");
        file.remove("one").expect("left alone");
        assert_eq!(file.read().expect("readable"), Some(record("two")));
        file.remove("two").expect("removed");
        assert_eq!(file.read().expect("readable"), None);
    }

    #[test]
    #[cfg(unix)]
    fn nobody_else_may_read_the_token() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let store = folder.path().join("store.duckdb");
        fs::create_dir(process_folder(&store)).expect("a folder");
        let file = DiscoveryFile::of_store(&store);
        file.write(&record("one")).expect("written");
        let mode = fs::metadata(file.path()).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!format!("{:?}", record("one")).contains("secret"));
    }

    #[test]
    fn a_broken_file_is_told_from_a_missing_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = folder.path().join("store.duckdb");
        fs::create_dir(process_folder(&store)).expect("a folder");
        let file = DiscoveryFile::of_store(&store);
        fs::write(file.path(), "{\"pid\": 7").expect("written");
        let error = file.read().expect_err("broken");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
