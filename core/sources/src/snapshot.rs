//! A consistent copy of a DuckDB file that another program is writing, without opening it with DuckDB.
//!
//! DuckDB lets one process write and shuts out all others, so a reader that opens a Flock file makes Flock lose spans.
//! [`BlockSnapshot`] only reads bytes, and takes no lock. Why the copy is sound: DuckDB never overwrites a block that
//! its last checkpoint refers to. A checkpoint writes free blocks, syncs them, then writes one header with a higher
//! iteration. So if the headers are the same before and after the copying, no checkpoint ended in between, and every
//! block that they refer to is whole. What was committed since that checkpoint stands in the write-ahead logs beside
//! the file; they only grow until the next checkpoint, so a copy that ends early is an earlier state, and DuckDB
//! ignores a half-written entry at the end. The logs are copied before the blocks, as they may refer to blocks.
//!
//! Each block begins with the checksum of its content. A block whose checksum is that of the mirror's block is the
//! same, so 8 bytes of it are read and not 256 KiB: a refresh costs what changed.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use crate::SourceError;
use crate::database_file::{CHECKSUM_SIZE, HEADERS_SIZE, HeaderFault, Headers, checksum, is_sound, number};
use crate::mirror_folder::MirrorFolder;

/// What DuckDB puts beside a file: the log, the one it writes while a checkpoint runs, and the one it writes while it
/// recovers from a crash.
const LOGS: [&str; 3] = [".wal", ".wal.checkpoint", ".wal.recovery"];

/// Attempts to get a consistent copy. With the pauses between them about a third of a second.
pub const MOST_ATTEMPTS: u32 = 20;

/// Follows a DuckDB file with two mirrors in turn, so that the last good copy is left alone while the next is made.
pub struct BlockSnapshot {
    source: PathBuf,
    folder: MirrorFolder,
    mirrors: [Mirror; 2],
    current: Option<usize>,
    seen: Option<Seen>,
    /// Size of the file, and the larger one that its header speaks of.
    shortfall: Option<(u64, u64)>,
}

/// What a refresh did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refreshed {
    /// Whether anything was committed since the last refresh (or might have been).
    pub changed: bool,
    /// Bytes copied from the file and its logs, over all attempts.
    pub copied_bytes: u64,
    /// Attempts made. More than one: a checkpoint came in between.
    pub attempts: u32,
    /// The copy. It stays as it is until the next refresh but one; close it before that.
    pub path: PathBuf,
}

/// A copy of the file, and the checksum that each of its blocks begins with.
struct Mirror {
    path: PathBuf,
    blocks: Vec<Block>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    Unknown,
    /// The same as the source's block that begins with this checksum.
    Known(u64),
    /// Does not fit its own checksum: it is being written, or it is free and holds anything. With the checksum of
    /// the content that was read.
    Unsettled(u64),
}

/// The state of the source that was last copied.
#[derive(PartialEq)]
struct Seen {
    file: Identity,
    length: u64,
    headers: Box<[u8; HEADERS_SIZE]>,
    logs: [Option<LogState>; 3],
}

#[derive(PartialEq, Clone, Copy)]
struct Identity(u64, u64);

#[derive(PartialEq, Clone, Copy)]
struct LogState {
    file: Identity,
    length: u64,
    modified: Option<SystemTime>,
}

enum Attempt {
    Unchanged,
    Copied(Seen),
    /// Not consistent. If it stays so, this is the error.
    Again(SourceError),
}

impl BlockSnapshot {
    /// Prepares to follow `source`, which need not exist yet. Mirrors are kept in a folder of their own inside
    /// `mirror_folder`, which goes away with this value.
    pub fn new(source: PathBuf, mirror_folder: &Path) -> Result<Self, SourceError> {
        let folder = MirrorFolder::new(mirror_folder).map_err(SourceError::io(mirror_folder))?;
        let mirrors = ["a.duckdb", "b.duckdb"].map(|name| Mirror {
            path: folder.path().join(name),
            blocks: Vec::new(),
        });
        Ok(Self {
            source,
            folder,
            mirrors,
            current: None,
            seen: None,
            shortfall: None,
        })
    }

    /// The file that is followed.
    pub fn source(&self) -> &Path {
        &self.source
    }

    /// The folder that holds the mirrors.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Brings a mirror up to date, unless nothing was written.
    pub fn refresh(&mut self) -> Result<Refreshed, SourceError> {
        let mut copied_bytes = 0;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let next = self.current.map_or(0, |current| 1 - current);
            let changed = match self.attempt(next, &mut copied_bytes)? {
                Attempt::Unchanged => false,
                Attempt::Copied(seen) => {
                    self.seen = Some(seen);
                    self.current = Some(next);
                    true
                }
                Attempt::Again(fault) if attempts == MOST_ATTEMPTS => return Err(fault),
                Attempt::Again(_) => {
                    thread::sleep(Duration::from_millis(u64::from(attempts.min(20))));
                    continue;
                }
            };
            return Ok(Refreshed {
                changed,
                copied_bytes,
                attempts,
                path: self.mirrors[self.current.unwrap_or(next)].path.clone(),
            });
        }
    }

    /// Forgets what the mirrors hold, so that the next refresh copies the whole file: for a copy that DuckDB refused.
    pub fn distrust(&mut self) {
        self.seen = None;
        for mirror in &mut self.mirrors {
            mirror.blocks.clear();
        }
    }

    /// Turns DuckDB's error about the copy into one about the file, and says so if the file was too short.
    ///
    /// A file may be shorter than its header says, because DuckDB cuts free blocks off after it wrote the header. So
    /// only when DuckDB misses something is the file called truncated.
    pub(crate) fn explain(&self, error: SourceError) -> SourceError {
        match (error, self.shortfall) {
            (SourceError::Database { .. }, Some((found, expected))) => SourceError::Truncated {
                path: self.source.clone(),
                found,
                expected,
            },
            (SourceError::Database { source, .. }, None) => SourceError::database(&self.source)(source),
            (other, _) => other,
        }
    }

    fn attempt(&mut self, next: usize, copied_bytes: &mut u64) -> Result<Attempt, SourceError> {
        let on_source = |error| SourceError::io(&self.source)(error);
        let mut file = File::open(&self.source).map_err(on_source)?;
        let metadata = file.metadata().map_err(on_source)?;
        if metadata.is_dir() {
            return Err(on_source(io::ErrorKind::IsADirectory.into()));
        }
        let length = metadata.len();
        if length < HEADERS_SIZE as u64 {
            return Err(self.too_short(&mut file, length)?);
        }
        let bytes = read_headers(&mut file).map_err(on_source)?;
        let before = Seen {
            file: identity(&metadata),
            length,
            headers: bytes,
            logs: self.log_states().map_err(on_source)?,
        };
        if self.current.is_some() && self.seen.as_ref() == Some(&before) {
            return Ok(Attempt::Unchanged);
        }
        let headers = match Headers::parse(&before.headers) {
            Ok(headers) => headers,
            Err(HeaderFault::Checksum { header }) => {
                return Ok(Attempt::Again(
                    self.damaged(format!("header {header} does not fit its checksum")),
                ));
            }
            Err(fault) => return Err(self.refused(fault)),
        };
        let mirror = &mut self.mirrors[next];
        let mut logs_were_read = true;
        for (suffix, state) in LOGS.iter().zip(&before.logs) {
            let copied = copy_log(
                &beside(&self.source, suffix),
                &beside(&mirror.path, suffix),
                state.is_some(),
            );
            match copied.map_err(SourceError::io(&mirror.path))? {
                Some(count) => *copied_bytes += count,
                None => logs_were_read = false,
            }
        }
        let blocks = mirror
            .copy_blocks(&mut file, length, &headers, &before.headers, copied_bytes)
            .map_err(SourceError::io(&mirror.path))?;

        let again = read_headers(&mut file).map_err(on_source)?;
        let now = fs::metadata(&self.source).map_err(on_source)?;
        let logs = self.log_states().map_err(on_source)?;
        let same_logs = before.logs.iter().zip(&logs).all(|(before, now)| match (before, now) {
            (Some(before), Some(now)) => before.file == now.file && before.length <= now.length,
            (None, None) => true,
            // A log that came up since then belongs to a later state. The next refresh sees it.
            (None, Some(_)) => true,
            (Some(_), None) => false,
        });
        let consistent = again == before.headers && identity(&now) == before.file && same_logs && logs_were_read;
        if !consistent || blocks == Copied::CutShort {
            return Ok(Attempt::Again(SourceError::Busy {
                path: self.source.clone(),
                attempts: MOST_ATTEMPTS,
            }));
        }
        if blocks == Copied::Unsettled {
            return Ok(Attempt::Again(
                self.damaged("blocks keep changing without fitting their checksum".into()),
            ));
        }
        let expected = headers.least_file_size();
        self.shortfall = (length < expected).then_some((length, expected));
        Ok(Attempt::Copied(before))
    }

    fn log_states(&self) -> io::Result<[Option<LogState>; 3]> {
        let mut states = [None; 3];
        for (state, suffix) in states.iter_mut().zip(LOGS) {
            match fs::metadata(beside(&self.source, suffix)) {
                Ok(metadata) => {
                    *state = Some(LogState {
                        file: identity(&metadata),
                        length: metadata.len(),
                        modified: metadata.modified().ok(),
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(states)
    }

    /// A file shorter than its headers is just being made, or it is none of DuckDB's.
    fn too_short(&self, file: &mut File, length: u64) -> Result<SourceError, SourceError> {
        let mut start = Vec::new();
        file.take(12)
            .read_to_end(&mut start)
            .map_err(SourceError::io(&self.source))?;
        if start.len() == 12 && &start[8..] != b"DUCK" {
            return Err(self.refused(HeaderFault::NotDuckDb));
        }
        Ok(SourceError::Truncated {
            path: self.source.clone(),
            found: length,
            expected: HEADERS_SIZE as u64,
        })
    }

    fn damaged(&self, detail: String) -> SourceError {
        SourceError::Damaged {
            path: self.source.clone(),
            detail,
        }
    }

    fn refused(&self, fault: HeaderFault) -> SourceError {
        let path = self.source.clone();
        match fault {
            HeaderFault::NotDuckDb => SourceError::Unrecognised {
                path,
                found: "a file that is not DuckDB's".into(),
            },
            HeaderFault::Encrypted => SourceError::Encrypted { path },
            HeaderFault::Storage(found) => SourceError::UnsupportedStorage { path, found },
            HeaderFault::Checksum { header } => self.damaged(format!("header {header} does not fit its checksum")),
            HeaderFault::BlockSize(size) => self.damaged(format!("its header names a block size of {size} bytes")),
        }
    }
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum Copied {
    Whole,
    /// Some blocks do not fit their checksum, and were not seen like that before.
    Unsettled,
    /// The file became shorter.
    CutShort,
}

impl Mirror {
    /// Copies the blocks that are not those of the mirror, then the headers.
    fn copy_blocks(
        &mut self,
        source: &mut File,
        length: u64,
        headers: &Headers,
        header_bytes: &[u8; HEADERS_SIZE],
        copied_bytes: &mut u64,
    ) -> io::Result<Copied> {
        let mut mirror = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&self.path)?;
        mirror.set_len(length)?;
        let size = headers.block_size as usize;
        // A block is as long as the block size, but the file may end within the last one while it grows.
        let count = usize::try_from((length - HEADERS_SIZE as u64) / headers.block_size).unwrap_or(usize::MAX);
        self.blocks.resize(count, Block::Unknown);
        let mut buffer = vec![0; size];
        let mut copied = Copied::Whole;
        for (index, known) in self.blocks.iter_mut().enumerate() {
            let offset = HEADERS_SIZE as u64 + index as u64 * headers.block_size;
            source.seek(SeekFrom::Start(offset))?;
            if let Block::Known(known) = *known {
                if !read_whole(source, &mut buffer[..CHECKSUM_SIZE])? {
                    return Ok(Copied::CutShort);
                }
                if number(&buffer, 0) == known {
                    continue;
                }
                source.seek(SeekFrom::Start(offset))?;
            }
            if !read_whole(source, &mut buffer)? {
                return Ok(Copied::CutShort);
            }
            let before = std::mem::replace(known, Block::Unknown);
            mirror.seek(SeekFrom::Start(offset))?;
            mirror.write_all(&buffer)?;
            *copied_bytes += size as u64;
            *known = settle(&buffer, before);
            if matches!(known, Block::Unsettled(_)) {
                copied = Copied::Unsettled;
            }
        }
        mirror.seek(SeekFrom::Start(0))?;
        mirror.write_all(header_bytes)?;
        *copied_bytes += HEADERS_SIZE as u64;
        Ok(copied)
    }
}

/// What is known of a block that was just read. A block that was punched out of the file is all zeros. One that does
/// not fit its checksum is taken as it is once it was read twice with the same content: it is free, and no checkpoint
/// refers to it; or it is damaged, and DuckDB will say so.
fn settle(block: &[u8], before: Block) -> Block {
    let stored = number(block, 0);
    if is_sound(block) || block.iter().all(|byte| *byte == 0) {
        return Block::Known(stored);
    }
    let content = checksum(block);
    if before == Block::Unsettled(content) {
        Block::Known(stored)
    } else {
        Block::Unsettled(content)
    }
}

fn read_headers(file: &mut File) -> io::Result<Box<[u8; HEADERS_SIZE]>> {
    let mut bytes = Box::new([0; HEADERS_SIZE]);
    file.seek(SeekFrom::Start(0))?;
    file.read_exact(bytes.as_mut_slice())?;
    Ok(bytes)
}

/// Fills the buffer; `false` if the file ends before.
fn read_whole(file: &mut File, buffer: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Copies a log, or removes the mirror's where the source has none. `None`: it went away meanwhile.
fn copy_log(source: &Path, target: &Path, exists: bool) -> io::Result<Option<u64>> {
    if !exists {
        return match fs::remove_file(target) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(Some(0)),
        };
    }
    let mut log = match File::open(source) {
        Ok(log) => log,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    io::copy(&mut log, &mut File::create(target)?).map(Some)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Tells a file from another one that took its name.
#[cfg(unix)]
fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    Identity(metadata.dev(), metadata.ino())
}

/// Tells a file from another one that took its name, by the time when it was made.
#[cfg(not(unix))]
fn identity(metadata: &Metadata) -> Identity {
    let made = metadata
        .created()
        .ok()
        .and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
    Identity(0, made.map_or(0, |made| made.as_nanos() as u64))
}
