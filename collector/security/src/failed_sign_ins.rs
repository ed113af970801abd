//! Pauses for those who try one wrong credential after another.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many failures are forgiven: somebody pasted an old key.
const FREE: u32 = 5;

/// The pause after the first failure too many; it doubles with each that follows.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// An address without a failure for so long starts anew.
const MEMORY: Duration = Duration::from_secs(15 * 60);

/// Most addresses that are remembered.
const MOST_ADDRESSES: usize = 10_000;

/// The failures of each address. A success takes none back: whoever has a valid key could try others' in between.
#[derive(Debug, Default)]
pub(crate) struct FailedSignIns {
    addresses: Mutex<HashMap<IpAddr, Failures>>,
}

#[derive(Debug)]
struct Failures {
    number: u32,
    last: Instant,
    pause: Duration,
}

impl Failures {
    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last) >= MEMORY
    }
}

impl FailedSignIns {
    /// How long the address must wait until its next credential is looked at; `None`: not at all.
    pub(crate) fn pause(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let failures = addresses.get(&network(address))?;
        let left = failures
            .pause
            .saturating_sub(now.saturating_duration_since(failures.last));
        (!left.is_zero()).then_some(left)
    }

    /// Counts a failure.
    pub(crate) fn failed(&self, address: IpAddr, now: Instant) {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let address = network(address);
        if addresses.len() >= MOST_ADDRESSES && !addresses.contains_key(&address) {
            addresses.retain(|_, failures| !failures.is_over(now));
            if addresses.len() >= MOST_ADDRESSES {
                let oldest = addresses.iter().min_by_key(|(_, failures)| failures.last);
                if let Some(oldest) = oldest.map(|(address, _)| *address) {
                    addresses.remove(&oldest);
                }
            }
        }
        let failures = addresses.entry(address).or_insert(Failures {
            number: 0,
            last: now,
            pause: Duration::ZERO,
        });
        if failures.is_over(now) {
            failures.number = 0;
        }
        failures.number = failures.number.saturating_add(1);
        failures.last = now;
        failures.pause = match failures.number.checked_sub(FREE) {
            None | Some(0) => Duration::ZERO,
            Some(more) => FIRST_PAUSE.saturating_mul(1 << (more - 1).min(16)).min(LONGEST_PAUSE),
        };
    }
}

/// The network of an address that one person has: of IPv6 the first 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(network))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    #[test]
    fn pauses_grow_and_end() {
        let failures = FailedSignIns::default();
        let mut now = Instant::now();
        for _ in 0..FREE {
            failures.failed(v4(1), now);
            assert_eq!(failures.pause(v4(1), now), None);
        }
        for expected in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            failures.failed(v4(1), now);
            let pause = Duration::from_secs(expected);
            assert_eq!(failures.pause(v4(1), now), Some(pause));
            assert_eq!(failures.pause(v4(2), now), None, "another address");
            now += pause;
            assert_eq!(failures.pause(v4(1), now), None);
        }
        now += MEMORY;
        failures.failed(v4(1), now);
        assert_eq!(failures.pause(v4(1), now), None, "it starts anew");
    }

    #[test]
    fn an_attacker_with_many_addresses_does_not_fill_the_memory() {
        let failures = FailedSignIns::default();
        let start = Instant::now();
        let many = u32::try_from(MOST_ADDRESSES).expect("a small number");
        for number in 0..many + 200 {
            failures.failed(v4(number), start + Duration::from_millis(number.into()));
        }
        assert_eq!(failures.addresses.lock().expect("no panic").len(), MOST_ADDRESSES);
        let v6 = |last: &str| format!("2001:db8:1:2::{last}").parse().expect("an address");
        for last in ["1", "2", "3", "a:4", "ffff:ffff:5", "6"] {
            failures.failed(v6(last), start);
        }
        assert!(failures.pause(v6("77"), start).is_some(), "the same network");
        assert!(
            failures
                .pause("2001:db8:1:3::1".parse().expect("an address"), start)
                .is_none()
        );
    }
}
