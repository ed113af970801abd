//! The frame of a DuckDB file: its three headers and its block checksums.
//!
//! A file begins with three headers of 4,096 bytes: the main header, then two database headers of which the one with
//! the higher iteration counts. Blocks of one size follow. Headers and blocks each begin with the 8-byte checksum of
//! the rest of them. Numbers are little-endian. After DuckDB's `src/storage/single_file_block_manager.cpp`,
//! `src/include/duckdb/storage/storage_info.hpp` and `src/common/checksum.cpp`.

/// Bytes of one header.
pub(crate) const HEADER_SIZE: usize = 4096;
/// Bytes of the three headers.
pub(crate) const HEADERS_SIZE: usize = 3 * HEADER_SIZE;
/// Bytes of the checksum that a header or block begins with.
pub(crate) const CHECKSUM_SIZE: usize = 8;
/// Oldest storage version that is read (DuckDB 0.9.0 to 1.1; 1.2 to 1.5 write it too unless told otherwise).
pub(crate) const OLDEST_STORAGE: u64 = 64;
/// Newest storage version that is read (DuckDB 2.0).
pub(crate) const NEWEST_STORAGE: u64 = 69;
/// Since DuckDB 2.0 the main header holds this number, and the database headers hold the version.
const VERSION_IS_IN_DATABASE_HEADER: u64 = 999;
const ENCRYPTED_FLAG: u64 = 1;
const BLOCK_SIZES: std::ops::RangeInclusive<u64> = 16_384..=262_144;

/// What the headers say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Headers {
    /// Counts checkpoints.
    pub(crate) iteration: u64,
    /// Bytes of a block, its checksum included.
    pub(crate) block_size: u64,
    /// Blocks that the last checkpoint knows of.
    pub(crate) block_count: u64,
    /// Where the catalogue begins: `None` before the first checkpoint.
    pub(crate) catalogue: Option<MetaPointer>,
}

/// Place of a piece of metadata: a block, and one of the 64 equal parts of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MetaPointer {
    /// Number of the block, from 0.
    pub(crate) block: u64,
    /// Number of the part, from 0.
    pub(crate) part: u64,
}

impl MetaPointer {
    /// Parts of a metadata block.
    pub(crate) const PARTS: u64 = 64;

    /// Unpacks a stored pointer; `None` for the one that points nowhere.
    pub(crate) fn unpack(stored: u64) -> Option<Self> {
        (stored != u64::MAX).then_some(Self {
            block: stored & ((1 << 56) - 1),
            part: stored >> 56,
        })
    }
}

/// Why headers can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    /// No `DUCK` at byte 8.
    NotDuckDb,
    /// The file is encrypted.
    Encrypted,
    /// A storage version that is not read.
    Storage(u64),
    /// The content contradicts its checksum: damaged, or just being written.
    Checksum {
        /// Number of the header, from 0.
        header: usize,
    },
    /// A block size that DuckDB does not know.
    BlockSize(u64),
}

impl Headers {
    /// Reads the headers.
    pub(crate) fn parse(bytes: &[u8; HEADERS_SIZE]) -> Result<Self, HeaderFault> {
        if &bytes[8..12] != b"DUCK" {
            return Err(HeaderFault::NotDuckDb);
        }
        let sound = |header: usize| {
            let header_bytes = &bytes[header * HEADER_SIZE..(header + 1) * HEADER_SIZE];
            if is_sound(header_bytes) {
                Ok(())
            } else {
                Err(HeaderFault::Checksum { header })
            }
        };
        sound(0)?;
        let main_version = number(bytes, 12);
        if number(bytes, 20) & ENCRYPTED_FLAG != 0 {
            return Err(HeaderFault::Encrypted);
        }
        sound(1)?;
        sound(2)?;
        let field = |header: usize, index: usize| number(bytes, header * HEADER_SIZE + CHECKSUM_SIZE + 8 * index);
        let active = if field(1, 0) > field(2, 0) { 1 } else { 2 };
        let version = if main_version == VERSION_IS_IN_DATABASE_HEADER {
            field(active, 6)
        } else {
            main_version
        };
        if !(OLDEST_STORAGE..=NEWEST_STORAGE).contains(&version) {
            return Err(HeaderFault::Storage(version));
        }
        let block_size = match field(active, 4) {
            // Files of DuckDB 0.10 and before don't say it.
            0 => *BLOCK_SIZES.end(),
            size => size,
        };
        if !block_size.is_power_of_two() || !BLOCK_SIZES.contains(&block_size) {
            return Err(HeaderFault::BlockSize(block_size));
        }
        Ok(Self {
            iteration: field(active, 0),
            block_size,
            block_count: field(active, 3),
            catalogue: MetaPointer::unpack(field(active, 1)),
        })
    }

    /// Least size of the file in bytes; saturates.
    pub(crate) fn least_file_size(&self) -> u64 {
        self.block_count
            .saturating_mul(self.block_size)
            .saturating_add(HEADERS_SIZE as u64)
    }
}

/// Whether a header or block has the content that its checksum was made of.
pub(crate) fn is_sound(block: &[u8]) -> bool {
    number(block, 0) == checksum(&block[CHECKSUM_SIZE..])
}

/// DuckDB's checksum of a header or block, whose length is a multiple of 8.
pub(crate) fn checksum(content: &[u8]) -> u64 {
    let (words, rest) = content.as_chunks::<8>();
    debug_assert!(rest.is_empty(), "blocks and headers are whole words");
    words.iter().fold(5381, |sum, word| {
        sum ^ u64::from_le_bytes(*word).wrapping_mul(0xbf58_476d_1ce4_e5b9)
    })
}

/// The number at a byte offset.
pub(crate) fn number(bytes: &[u8], offset: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[offset..offset + 8]);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(mut header: Vec<u8>) -> Vec<u8> {
        header.resize(HEADER_SIZE, 0);
        let sum = checksum(&header[8..]);
        header[..8].copy_from_slice(&sum.to_le_bytes());
        header
    }

    fn headers(main_version: u64, flags: u64, first: [u64; 7], second: [u64; 7]) -> Box<[u8; HEADERS_SIZE]> {
        let mut main = vec![0; 8];
        main.extend(b"DUCK");
        main.extend(main_version.to_le_bytes());
        main.extend(flags.to_le_bytes());
        let mut all = sealed(main);
        for fields in [first, second] {
            let mut header = vec![0; 8];
            header.extend(fields.iter().flat_map(|field| field.to_le_bytes()));
            all.extend(sealed(header));
        }
        all.into_boxed_slice().try_into().expect("three headers")
    }

    #[test]
    fn the_header_of_the_later_checkpoint_counts() {
        let older = [6, 1, u64::MAX, 9, 262_144, 2048, 69];
        let newer = [7, (3 << 56) | 5, u64::MAX, 11, 16_384, 2048, 69];
        for bytes in [headers(999, 0, older, newer), headers(999, 0, newer, older)] {
            let read = Headers::parse(&bytes).expect("sound headers");
            assert_eq!((read.iteration, read.block_size, read.block_count), (7, 16_384, 11));
            assert_eq!(read.catalogue, Some(MetaPointer { block: 5, part: 3 }));
            assert_eq!(read.least_file_size(), 12_288 + 11 * 16_384);
        }
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let sound = [1, u64::MAX, u64::MAX, 0, 262_144, 2048, 69];
        let fault = |bytes: &[u8; HEADERS_SIZE]| Headers::parse(bytes).expect_err("a fault");
        let mut newer = sound;
        newer[6] = 70;
        assert_eq!(fault(&headers(999, 0, newer, newer)), HeaderFault::Storage(70));
        assert_eq!(fault(&headers(51, 0, sound, sound)), HeaderFault::Storage(51));
        assert_eq!(fault(&headers(68, 1, sound, sound)), HeaderFault::Encrypted);
        let mut odd = sound;
        odd[4] = 100_000;
        assert_eq!(fault(&headers(64, 0, odd, odd)), HeaderFault::BlockSize(100_000));
        let mut torn = headers(64, 0, sound, sound);
        torn[HEADER_SIZE + 40] ^= 1;
        assert_eq!(fault(&torn), HeaderFault::Checksum { header: 1 });
        torn[8] = b'd';
        assert_eq!(fault(&torn), HeaderFault::NotDuckDb);
    }
}
