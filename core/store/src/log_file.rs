//! DuckDB's write-ahead log, read without DuckDB.
//!
//! DuckDB takes the first entry that is longer than what is left of the file for a write that a crash cut off, and
//! drops it with all that follows, without a word. That is right at the very end of the file. But where sound entries
//! follow, a damaged byte in a length would cost every batch after it; a damaged head of the file costs all of them.
//!
//! The file begins with a head without a checksum, then come entries: length and checksum in 8 bytes each, and the
//! content. After DuckDB's `src/storage/write_ahead_log.cpp` and `wal_replay.cpp` (version 2 of the log).

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use crate::checksum::{Checksum, checksum};

/// What DuckDB appends to a database's name for its logs: the log, the one that is written during a checkpoint, and
/// the one that an interrupted checkpoint's recovery writes.
pub(crate) const LOGS: [&str; 3] = [".wal", ".wal.checkpoint", ".wal.recovery"];

/// Length and checksum of an entry.
const ENTRY_HEAD: u64 = 16;
/// So far behind a torn entry a sound one is looked for: further than any batch is long.
const SEARCHED: u64 = 64 << 20;
/// The head is a few dozen bytes long.
const LONGEST_HEAD: usize = 256;

/// What a log is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogState {
    /// There is none, or nothing in it.
    Empty,
    /// Every entry is sound.
    Sound,
    /// Sound up to this byte; what follows is a write that was cut off, and was never acknowledged.
    Torn { at: u64 },
    /// Damaged at this byte, with sound entries behind it.
    Damaged { at: u64 },
    /// Of a version that this program does not read.
    Unknown,
}

struct Log {
    file: File,
    length: u64,
}

/// Reads a log. With `checksums` of every entry, else only of what follows a torn one.
pub(crate) fn examine(path: &Path, checksums: bool) -> io::Result<LogState> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(LogState::Empty),
        file => file?,
    };
    let length = file.metadata()?.len();
    Log { file, length }.examine(checksums)
}

impl Log {
    fn examine(&mut self, checksums: bool) -> io::Result<LogState> {
        if self.length == 0 {
            return Ok(LogState::Empty);
        }
        let mut head = Vec::new();
        self.file.seek(SeekFrom::Start(0))?;
        self.file.by_ref().take(LONGEST_HEAD as u64).read_to_end(&mut head)?;
        let mut at = match head_length(&head) {
            Some(Head::Version2 { length }) => length as u64,
            Some(Head::OtherVersion) => return Ok(LogState::Unknown),
            // Cut off within the head, or damaged.
            None => {
                return Ok(if self.sound_entry_behind(1)? {
                    LogState::Damaged { at: 0 }
                } else {
                    LogState::Torn { at: 0 }
                });
            }
        };
        while at < self.length {
            let Some((length, stored)) = self.entry(at)? else {
                let damaged = self.ends_with_entry(at)? || self.sound_entry_behind(at + 1)?;
                return Ok(if damaged {
                    LogState::Damaged { at }
                } else {
                    LogState::Torn { at }
                });
            };
            if checksums && self.checksum(at + ENTRY_HEAD, length)? != stored {
                return Ok(LogState::Damaged { at });
            }
            at += ENTRY_HEAD + length;
        }
        Ok(LogState::Sound)
    }

    /// Length and checksum of the entry at a byte, if it can be one.
    fn entry(&mut self, at: u64) -> io::Result<Option<(u64, u64)>> {
        if self.length - at < ENTRY_HEAD {
            return Ok(None);
        }
        let mut head = [0; ENTRY_HEAD as usize];
        self.file.seek(SeekFrom::Start(at))?;
        self.file.read_exact(&mut head)?;
        let (length, stored) = (word(&head, 0), word(&head, 8));
        Ok((length > 0 && length <= self.length - at - ENTRY_HEAD).then_some((length, stored)))
    }

    fn checksum(&mut self, at: u64, length: u64) -> io::Result<u64> {
        self.file.seek(SeekFrom::Start(at))?;
        let mut content = self.file.by_ref().take(length);
        let mut checksum = Checksum::new();
        let mut piece = Vec::new();
        loop {
            piece.clear();
            content.by_ref().take(1 << 20).read_to_end(&mut piece)?;
            if piece.is_empty() {
                return Ok(checksum.value());
            }
            checksum.add(&piece);
        }
    }

    /// Whether all from here to the end of the file is one entry whose length alone is wrong.
    fn ends_with_entry(&mut self, at: u64) -> io::Result<bool> {
        let Some(length @ 1..=SEARCHED) = (self.length - at).checked_sub(ENTRY_HEAD) else {
            return Ok(false);
        };
        let mut head = [0; ENTRY_HEAD as usize];
        self.file.seek(SeekFrom::Start(at))?;
        self.file.read_exact(&mut head)?;
        Ok(self.checksum(at + ENTRY_HEAD, length)? == word(&head, 8))
    }

    /// Whether a sound entry begins anywhere behind a byte.
    fn sound_entry_behind(&mut self, at: u64) -> io::Result<bool> {
        self.file.seek(SeekFrom::Start(at.min(self.length)))?;
        let mut tail = Vec::new();
        self.file.by_ref().take(SEARCHED).read_to_end(&mut tail)?;
        let sound = |start: usize| {
            let content = start + ENTRY_HEAD as usize;
            let length = word(&tail, start);
            // The shortest entry, the end of a transaction, has 7 bytes.
            if length < 3 || length > (tail.len() - content) as u64 {
                return false;
            }
            checksum(&tail[content..content + length as usize]) == word(&tail, start + 8)
        };
        Ok((0..tail.len().saturating_sub(ENTRY_HEAD as usize)).any(sound))
    }
}

enum Head {
    Version2 { length: usize },
    OtherVersion,
}

/// Reads the head: fields by number, each a number or a list of numbers, ended by `FFFF`.
fn head_length(bytes: &[u8]) -> Option<Head> {
    /// `WALType::WAL_VERSION`.
    const VERSION_ENTRY: u64 = 98;
    let mut reader = Fields { bytes, at: 0 };
    if reader.field()? != 100 || reader.number()? != VERSION_ENTRY || reader.field()? != 101 {
        return None;
    }
    if reader.number()? != 2 {
        return Some(Head::OtherVersion);
    }
    loop {
        match reader.field()? {
            102 => {
                let count = reader.number()?;
                for _ in 0..count {
                    reader.number()?;
                }
            }
            103 => {
                reader.number()?;
            }
            0xffff => return Some(Head::Version2 { length: reader.at }),
            _ => return None,
        }
    }
}

struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Fields<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at).copied()?;
        self.at += 1;
        Some(byte)
    }

    fn field(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes([self.byte()?, self.byte()?]))
    }

    /// A number in groups of 7 bits, least first (LEB128).
    fn number(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

fn word(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}
