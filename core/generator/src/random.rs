//! Chance that is the same on every machine.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// One stream of ChaCha8. Everything is made from its 64-bit words here, because the sampling algorithms of `rand`
/// may change from one version to the next.
pub(crate) struct Random(ChaCha8Rng);

/// The natural logarithm of a duration in ns is normal with this mean and deviation; durations stay within the limits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogNormal {
    pub(crate) mean: f64,
    pub(crate) deviation: f64,
    pub(crate) least: i64,
    pub(crate) most: i64,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Any 64 bits.
    pub(crate) fn word(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// From 0 to below 1, in steps that a double holds exactly.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True with this chance.
    pub(crate) fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    /// From 0 to below `limit`. The bias is below 2⁻³² for the small limits used here.
    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        (((self.word() >> 32) * u64::from(limit)) >> 32) as u32
    }

    /// One of these.
    pub(crate) fn one_of<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u32) as usize]
    }

    /// Nanoseconds, at least 1.
    pub(crate) fn duration(&mut self, of: &LogNormal) -> i64 {
        // Box and Muller 1958, "A note on the generation of random normal deviates". 1 - unit() is never 0.
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.unit()));
        let normal = radius * libm::cos(std::f64::consts::TAU * self.unit());
        (libm::exp(of.mean + of.deviation * normal) as i64).clamp(of.least, of.most)
    }

    /// A random UUID (RFC 9562, version 4).
    pub(crate) fn uuid(&mut self) -> Uuid {
        let high = self.word() & !0xf000 | 0x4000;
        let low = self.word() & !(0b11 << 62) | 0b10 << 62;
        let mut text = *b"00000000-0000-0000-0000-000000000000";
        let mut bits = (u128::from(high) << 64) | u128::from(low);
        for digit in text.iter_mut().rev().filter(|digit| **digit != b'-') {
            *digit = HEX[(bits & 15) as usize];
            bits >>= 4;
        }
        Uuid(text)
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// The text of a UUID.
#[derive(Clone, Copy)]
pub(crate) struct Uuid([u8; 36]);

impl Uuid {
    pub(crate) fn as_str(&self) -> &str {
        // `uuid` wrote nothing but hexadecimal digits and hyphens.
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// `digits` hexadecimal digits of the number.
pub(crate) fn hexadecimal(number: u128, digits: usize) -> String {
    (0..digits)
        .rev()
        .map(|place| HEX[(number >> (4 * place) & 15) as usize] as char)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_the_same_everywhere() {
        let mut random = Random::new(7);
        let words: Vec<u64> = (0..2).map(|_| random.word()).collect();
        // Computed by a separate program: PCG32 makes the key from the seed (rand_core), ChaCha8 the words.
        assert_eq!(words, [2_910_824_217_569_608_635, 3_098_856_782_162_503_994]);
    }

    #[test]
    fn uuids_are_of_version_4() {
        let mut random = Random::new(1);
        for _ in 0..100 {
            let uuid = random.uuid();
            let text = uuid.as_str();
            assert_eq!(text.len(), 36);
            assert_eq!(&text[14..15], "4", "{text}");
            assert!("89ab".contains(&text[19..20]), "{text}");
        }
    }

    #[test]
    fn durations_have_the_median_and_spread_that_were_asked_for() {
        let mut random = Random::new(3);
        let wanted = LogNormal {
            mean: 10.0,
            deviation: 0.5,
            least: 1,
            most: i64::MAX,
        };
        let mut durations: Vec<i64> = (0..20_001).map(|_| random.duration(&wanted)).collect();
        durations.sort_unstable();
        let (median, p84) = (durations[10_000] as f64, durations[16_826] as f64);
        assert!((median / 22_026.5 - 1.0).abs() < 0.02, "e^10 is 22026.5, got {median}");
        // One deviation above the mean lies 84.13 % of a normal distribution.
        assert!((p84 / 36_315.5 - 1.0).abs() < 0.03, "e^10.5 is 36315.5, got {p84}");
        assert_eq!(random.duration(&LogNormal { most: 5, ..wanted }), 5);
    }

    #[test]
    fn numbers_as_hexadecimal() {
        assert_eq!(hexadecimal(0xab, 4), "00ab");
    }
}
