//! One file of frames, open for appending.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes before the first frame: a magic of eight, the version (u32, little-endian), and four of zero.
pub(crate) const HEAD: usize = 16;
const MAGIC: [u8; 8] = *b"\xf5fscope\n";
/// Of [`crate::record`] and [`crate::frame`].
const VERSION: u32 = 1;
/// The end of a segment's name.
const EXTENSION: &str = "spans";

/// A file that only grows at its end, and is cut back where growing failed.
pub(crate) struct Segment {
    file: Arc<File>,
    path: PathBuf,
    length: u64,
}

impl Segment {
    /// Makes the file; only its owner may read it. On failure nothing is left behind.
    pub(crate) fn create(folder: &Path, number: u64) -> io::Result<Self> {
        let path = folder.join(format!("{number:020}.{EXTENSION}"));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path)?;
        let mut segment = Self {
            file: Arc::new(file),
            path,
            length: 0,
        };
        if let Err(error) = segment.append(&head()) {
            // The caller hears of the failure that made this one.
            let _ = std::fs::remove_file(&segment.path);
            return Err(error);
        }
        Ok(segment)
    }

    /// Writes all of the bytes at the end. Where that fails, what was written of them is cut away.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        // An earlier failure may have left the position anywhere.
        let mut file = &*self.file;
        let written = file
            .seek(SeekFrom::Start(self.length))
            .and_then(|_| file.write_all(bytes));
        match written {
            Ok(()) => {
                self.length += bytes.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Where cutting fails as well, a replay finds a torn end, or the next append overwrites it.
                let _ = self.file.set_len(self.length);
                Err(error)
            }
        }
    }

    /// Cuts all frames away.
    pub(crate) fn empty(&mut self) -> io::Result<()> {
        self.file.set_len(HEAD as u64)?;
        self.length = HEAD as u64;
        Ok(())
    }

    /// Whether it holds no frame.
    pub(crate) fn is_empty(&self) -> bool {
        self.length <= HEAD as u64
    }

    /// Bytes of the file.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// For syncing it elsewhere.
    pub(crate) fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

fn head() -> [u8; HEAD] {
    let mut head = [0; HEAD];
    let bytes = MAGIC.iter().chain(&VERSION.to_le_bytes()).copied().collect::<Vec<u8>>();
    for (to, from) in head.iter_mut().zip(bytes) {
        *to = from;
    }
    head
}

/// What the first bytes of a file say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Head {
    /// Frames that this version reads follow.
    Known,
    /// The file was just made when the process ended.
    Torn,
    /// Of another version, or no segment.
    Unknown,
}

/// Reads a segment's first bytes.
pub(crate) fn head_of(file: &[u8]) -> Head {
    let wanted = head();
    match file.get(..HEAD) {
        Some(found) if found == wanted => Head::Known,
        None if wanted.starts_with(file) => Head::Torn,
        _ if file.iter().all(|byte| *byte == 0) => Head::Torn,
        _ => Head::Unknown,
    }
}

/// The segments of a folder with their numbers, oldest first, and the first number that no file ever had.
pub(crate) fn segments_of(folder: &Path) -> io::Result<(Vec<(u64, PathBuf)>, u64)> {
    let mut found = Vec::new();
    let mut next = 1;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        // A file that was set aside keeps its number in front.
        let Some((number, end)) = name.split_once('.') else {
            continue;
        };
        let Ok(number) = number.parse::<u64>() else {
            continue;
        };
        next = next.max(number.saturating_add(1));
        if end == EXTENSION {
            found.push((number, path));
        }
    }
    found.sort();
    Ok((found, next))
}

/// Gives a file another name, under which no replay takes it, and which says what it is. Nothing is overwritten.
pub(crate) fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let aside = path.with_extension(format!("{EXTENSION}.damaged"));
    if aside.try_exists()? {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "a damaged segment of this number is kept already",
        ));
    }
    std::fs::rename(path, &aside)?;
    Ok(aside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_known_torn_or_unknown() {
        assert_eq!(head_of(&head()), Head::Known);
        assert_eq!(head_of(&head()[..7]), Head::Torn);
        assert_eq!(head_of(&[]), Head::Torn);
        assert_eq!(head_of(&[0; 4096]), Head::Torn);
        assert_eq!(head_of(b"something else altogether"), Head::Unknown);
        let mut newer = head();
        newer[8] = 99;
        assert_eq!(head_of(&newer), Head::Unknown);
    }

    #[test]
    fn numbers_go_on_after_everything_that_was_there() {
        let folder = tempfile::tempdir().expect("a folder");
        for number in [3, 11] {
            Segment::create(folder.path(), number).expect("a segment");
        }
        let aside = set_aside(&folder.path().join("00000000000000000011.spans")).expect("renamed");
        assert!(aside.ends_with("00000000000000000011.spans.damaged"));
        std::fs::write(folder.path().join("notes.txt"), "").expect("written");
        let (found, next) = segments_of(folder.path()).expect("a folder");
        assert_eq!(found, [(3, folder.path().join("00000000000000000003.spans"))]);
        assert_eq!(next, 12);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_a_segment() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let segment = Segment::create(folder.path(), 1).expect("a segment");
        let mode = std::fs::metadata(segment.path()).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
