//! The frame of a DuckDB file: three headers and blocks, each with a checksum. Read without DuckDB, to say what is wrong
//! with a file that DuckDB refuses.
//!
//! The main header is followed by two database headers, of which the one with the higher iteration counts; 4,096 bytes
//! each. Each header and block begins with the checksum of the rest of it, in 8 bytes. After DuckDB's
//! `src/storage/single_file_block_manager.cpp` and `src/include/duckdb/storage/storage_info.hpp`.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use crate::checksum::checksum;

pub(crate) const HEADER: usize = 4096;
pub(crate) const HEADERS: usize = 3 * HEADER;
const BLOCK_SIZES: std::ops::RangeInclusive<u64> = 16_384..=262_144;
/// Since DuckDB 2.0 the main header holds this number, and the database headers hold the version.
const VERSION_IS_IN_DATABASE_HEADER: u64 = 999;

/// What the frame of a file is like.
#[derive(Debug, Default)]
pub(crate) struct Frame {
    /// `DUCK` is not where it must be.
    pub(crate) not_duckdb: bool,
    /// The file ends within the headers.
    pub(crate) ends_in_headers: bool,
    /// Headers that contradict their checksum: 0 is the main header.
    pub(crate) bad_headers: Vec<usize>,
    /// Storage version.
    pub(crate) version: Option<u64>,
    /// Bytes of a block.
    pub(crate) block_size: u64,
    /// Bytes that the headers promise, where the file has fewer and the missing blocks are not free.
    pub(crate) promised: Option<u64>,
    /// Blocks that contradict their checksum, by number from 0. A free one does no harm.
    pub(crate) bad_blocks: Vec<u64>,
}

fn number(bytes: &[u8], offset: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[offset..offset + 8]);
    u64::from_le_bytes(word)
}

/// Reads the headers, and with `blocks` checks every block. `progress` is told the bytes that are done.
pub(crate) fn examine(path: &Path, blocks: bool, mut progress: impl FnMut(u64)) -> io::Result<Frame> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut frame = Frame::default();
    let mut headers = vec![0; HEADERS];
    match reader.read_exact(&mut headers) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            frame.not_duckdb = length >= 12 && &headers[8..12] != b"DUCK";
            frame.ends_in_headers = !frame.not_duckdb;
            return Ok(frame);
        }
        read => read?,
    }
    if &headers[8..12] != b"DUCK" {
        frame.not_duckdb = true;
        return Ok(frame);
    }
    let is_sound = |bytes: &[u8]| number(bytes, 0) == checksum(&bytes[8..]);
    frame.bad_headers = (0..3)
        .filter(|header| !is_sound(&headers[header * HEADER..(header + 1) * HEADER]))
        .collect();
    let field = |header: usize, index: usize| number(&headers, header * HEADER + 8 + 8 * index);
    let sound: Vec<usize> = (1..3).filter(|header| !frame.bad_headers.contains(header)).collect();
    let Some(active) = sound.into_iter().max_by_key(|header| field(*header, 0)) else {
        return Ok(frame);
    };
    frame.version = Some(match number(&headers, 12) {
        VERSION_IS_IN_DATABASE_HEADER => field(active, 6),
        version => version,
    });
    let block_size = field(active, 4);
    if !block_size.is_power_of_two() || !BLOCK_SIZES.contains(&block_size) {
        return Ok(frame);
    }
    frame.block_size = block_size;
    let count = field(active, 3);
    let least = count.saturating_mul(block_size).saturating_add(HEADERS as u64);
    // Asked for again: whoever has the file open writes new blocks before the header that counts them.
    let length = reader.get_ref().metadata()?.len();
    if length < least {
        let first_missing = length.saturating_sub(HEADERS as u64) / block_size;
        // After it has written the header DuckDB cuts off the free blocks at the end.
        let free = free_blocks(path, field(active, 2), block_size, count);
        let is_free = |block| free.as_ref().is_some_and(|free| free.contains(&block));
        frame.promised = (!(first_missing..count).all(is_free)).then_some(least);
    }
    if blocks {
        let mut block = vec![0; block_size as usize];
        for number_of_block in 0..length.saturating_sub(HEADERS as u64) / block_size {
            reader.read_exact(&mut block)?;
            if !is_sound(&block) {
                frame.bad_blocks.push(number_of_block);
            }
            progress(HEADERS as u64 + (number_of_block + 1) * block_size);
        }
    }
    Ok(frame)
}

/// Metadata lies in parts of a block, so many each.
const PARTS: u64 = 64;
/// No pointer, and the end of a list.
const NOWHERE: u64 = u64::MAX;

/// The free blocks of a file, as its header lists them; `None` where the list can't be read. After DuckDB's
/// `SingleFileBlockManager::LoadFreeList` and `MetadataReader`: a count and the numbers, over parts of blocks that each
/// begin with a pointer to the next one.
fn free_blocks(path: &Path, list: u64, block_size: u64, count: u64) -> Option<BTreeSet<u64>> {
    if list == NOWHERE {
        return Some(BTreeSet::new());
    }
    // A block begins with its checksum.
    let part_size = (block_size - 8) / PARTS / 8 * 8;
    let mut file = File::open(path).ok()?;
    let mut part = vec![0; usize::try_from(part_size).ok()?];
    // A list of more parts than the file has runs in a circle.
    let mut parts_left = file.metadata().ok()?.len() / part_size + 1;
    let (mut next, mut left, mut free) = (list, None, BTreeSet::new());
    while left != Some(0) {
        let (block, index) = (next & (NOWHERE >> 8), next >> 56);
        if block >= count || index >= PARTS || parts_left == 0 {
            return None;
        }
        parts_left -= 1;
        let offset = block
            .checked_mul(block_size)?
            .checked_add(HEADERS as u64 + 8 + index * part_size)?;
        file.seek(SeekFrom::Start(offset)).ok()?;
        file.read_exact(&mut part).ok()?;
        next = number(&part, 0);
        for offset in (8..part.len()).step_by(8) {
            match &mut left {
                None => left = Some(number(&part, offset)),
                Some(0) => break,
                Some(left) => {
                    free.insert(number(&part, offset));
                    *left -= 1;
                }
            }
        }
        // Each number stands there once, so a list that is longer runs in a circle.
        if left.is_some_and(|left| left > count) {
            return None;
        }
    }
    Some(free)
}

/// The number of the block that one of DuckDB's errors is about: `… in block at location 274432`.
pub(crate) fn block_of(message: &str, block_size: u64) -> Option<u64> {
    let (_, rest) = message.split_once("in block at location ")?;
    let digits = rest
        .find(|c: char| !c.is_ascii_digit())
        .map_or(rest, |end| &rest[..end]);
    digits
        .parse::<u64>()
        .ok()?
        .checked_sub(HEADERS as u64)?
        .checked_div(block_size)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const BLOCK: usize = 16_384;

    /// A file with sound headers that say this of its free list and its blocks, and one block of zeros but for the
    /// first words behind its checksum.
    fn crafted(list: u64, count: u64, words: &[u64]) -> tempfile::NamedTempFile {
        let mut bytes = vec![0; HEADERS + BLOCK];
        let put = |bytes: &mut [u8], at: usize, number: u64| {
            bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
        };
        bytes[8..12].copy_from_slice(b"DUCK");
        put(&mut bytes, 12, 64);
        for header in 1..3 {
            for (index, field) in [1, NOWHERE, list, count, BLOCK as u64].into_iter().enumerate() {
                put(&mut bytes, header * HEADER + 8 + 8 * index, field);
            }
        }
        for header in 0..3 {
            let sum = checksum(&bytes[header * HEADER + 8..(header + 1) * HEADER]);
            put(&mut bytes, header * HEADER, sum);
        }
        for (index, word) in words.iter().enumerate() {
            put(&mut bytes, HEADERS + 8 + 8 * index, *word);
        }
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), bytes).expect("written");
        file
    }

    /// What is found, or nothing where it takes for ever.
    fn examined(file: tempfile::NamedTempFile) -> Frame {
        let (done, is_done) = std::sync::mpsc::channel();
        std::thread::spawn(move || done.send(examine(file.path(), true, |_| {})));
        let found = is_done.recv_timeout(Duration::from_secs(60));
        found.expect("no panic, and an end").expect("readable")
    }

    #[test]
    fn a_free_list_that_runs_in_a_circle_has_an_end() {
        let count = NOWHERE >> 8;
        let frame = examined(crafted(0, count, &[0, count - 1]));
        assert_eq!(frame.promised, Some(u64::MAX));
    }

    #[test]
    fn a_free_list_beyond_all_numbers_is_no_list() {
        let frame = examined(crafted((NOWHERE >> 8) - 1, NOWHERE, &[]));
        assert_eq!((frame.block_size, frame.promised), (BLOCK as u64, Some(u64::MAX)));
    }
}
