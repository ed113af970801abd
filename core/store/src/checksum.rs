//! DuckDB's checksum of headers, blocks and log entries; after its `src/common/checksum.cpp`.

const FACTOR: u64 = 0xbf58_476d_1ce4_e5b9;
const REST_FACTOR: u64 = 0xc6a4_a793_5bd1_e995;
const REST_SEED: u64 = 0xe17a_1465;
const REST_SHIFT: u32 = 47;

/// A checksum of bytes that come in pieces. All pieces but the last are whole words of 8 bytes.
pub(crate) struct Checksum(u64);

impl Checksum {
    pub(crate) fn new() -> Self {
        Self(5381)
    }

    pub(crate) fn add(&mut self, piece: &[u8]) {
        let (words, rest) = piece.as_chunks::<8>();
        for word in words {
            self.0 ^= u64::from_le_bytes(*word).wrapping_mul(FACTOR);
        }
        if !rest.is_empty() {
            self.0 ^= checksum_of_rest(rest);
        }
    }

    pub(crate) fn value(self) -> u64 {
        self.0
    }
}

pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    let mut checksum = Checksum::new();
    checksum.add(bytes);
    checksum.value()
}

/// Of fewer than 8 bytes: the end of MurmurHash 64A.
fn checksum_of_rest(rest: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..rest.len()].copy_from_slice(rest);
    let mut hash = REST_SEED ^ (rest.len() as u64).wrapping_mul(REST_FACTOR);
    hash ^= u64::from_le_bytes(word);
    hash = hash.wrapping_mul(REST_FACTOR);
    hash ^= hash >> REST_SHIFT;
    hash = hash.wrapping_mul(REST_FACTOR);
    hash ^ hash >> REST_SHIFT
}
