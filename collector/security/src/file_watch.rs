//! Whether a file changed since it was read.

use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// The least time between two looks at the file.
const PAUSE: Duration = Duration::from_secs(1);

/// A file that was written so shortly before it was read could have been written again in the same tick of the file
/// system's clock. Its time says nothing then, and it counts as changed.
const TICK: Duration = Duration::from_secs(2);

/// Tells when a file should be read again. Looking at its time and length each second is cheap, and works in containers
/// and on network drives, where notifications do not come.
#[derive(Debug)]
pub(crate) struct FileWatch {
    path: PathBuf,
    looked: Option<Instant>,
    read: Option<LastRead>,
}

#[derive(Debug)]
struct LastRead {
    /// What the file was like.
    stamp: Stamp,
    /// When it was first seen so.
    since: Instant,
    /// Whether another write would have shown.
    is_settled: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp(Option<(SystemTime, u64, u64)>);

impl FileWatch {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            looked: None,
            read: None,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file should be read, first or again. The caller then reads it.
    pub(crate) fn is_due(&mut self) -> bool {
        if self.looked.is_some_and(|looked| looked.elapsed() < PAUSE) {
            return false;
        }
        let now = Instant::now();
        self.looked = Some(now);
        self.has_changed(now)
    }

    fn has_changed(&mut self, now: Instant) -> bool {
        // The file is looked at before it is read: a change in between is then noticed the next time.
        let stamp = Stamp(fs::metadata(&self.path).ok().map(|file| {
            (
                file.modified().unwrap_or(SystemTime::UNIX_EPOCH),
                file.len(),
                inode(&file),
            )
        }));
        let since = match &self.read {
            Some(read) if read.stamp == stamp && read.is_settled => return false,
            Some(read) if read.stamp == stamp => read.since,
            _ => now,
        };
        // By our own clock as well: the time of a file may lie in the future.
        let is_settled = stamp.is_old() || now.duration_since(since) > TICK;
        self.read = Some(LastRead {
            stamp,
            since,
            is_settled,
        });
        true
    }
}

impl Stamp {
    fn is_old(&self) -> bool {
        self.0
            .is_none_or(|(modified, ..)| modified.elapsed().is_ok_and(|age| age > TICK))
    }
}

#[cfg(unix)]
fn inode(file: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(file)
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn a_file_is_read_again_only_if_it_changed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        let mut watch = FileWatch::new(&path);
        assert!(watch.is_due(), "the first time");
        assert!(!watch.is_due(), "a second has not passed");
        assert!(!watch.has_changed(Instant::now()), "it is still not there");

        fs::write(&path, "one").expect("written");
        let old = SystemTime::now() - Duration::from_secs(60);
        let file = File::options().write(true).open(&path).expect("there");
        file.set_modified(old).expect("set");
        assert!(watch.has_changed(Instant::now()));
        assert!(!watch.has_changed(Instant::now()));

        fs::write(&path, "two").expect("written");
        file.set_modified(old + Duration::from_secs(1)).expect("set");
        assert!(watch.has_changed(Instant::now()), "another time");
        assert!(!watch.has_changed(Instant::now()));

        fs::write(&path, "three").expect("written");
        file.set_modified(old + Duration::from_secs(1)).expect("set");
        assert!(watch.has_changed(Instant::now()), "another length");

        fs::remove_file(&path).expect("removed");
        assert!(watch.has_changed(Instant::now()), "gone");
        assert!(!watch.has_changed(Instant::now()));
    }

    #[test]
    fn a_file_that_was_just_written_is_read_once_more() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        fs::write(&path, "one").expect("written");
        let mut watch = FileWatch::new(&path);
        assert!(watch.has_changed(Instant::now()));
        assert!(
            watch.has_changed(Instant::now()),
            "another write could have had the same time"
        );
    }

    #[test]
    fn a_time_in_the_future_settles_by_our_own_clock() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        fs::write(&path, "one").expect("written");
        let file = File::options().write(true).open(&path).expect("there");
        file.set_modified(SystemTime::now() + Duration::from_secs(86_400))
            .expect("set");
        let mut watch = FileWatch::new(&path);
        let first = Instant::now();
        let after = |seconds| first + Duration::from_secs(seconds);
        assert!(watch.has_changed(first));
        assert!(watch.has_changed(after(1)), "it could have been written again");
        assert!(watch.has_changed(after(3)), "once more when it no longer could");
        assert!(!watch.has_changed(after(4)));
        file.set_modified(SystemTime::now() + Duration::from_secs(86_500))
            .expect("set");
        assert!(watch.has_changed(after(5)), "another time");
        assert!(watch.has_changed(after(6)));
    }
}
