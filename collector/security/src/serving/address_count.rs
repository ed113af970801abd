//! Connections of each address.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts the connections of each address that has any.
#[derive(Debug, Default)]
pub(super) struct AddressCount {
    counts: Mutex<HashMap<IpAddr, usize>>,
}

/// One counted connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Counted {
    address: IpAddr,
    counts: Arc<AddressCount>,
}

impl AddressCount {
    /// Counts one more, `None` if the address has so many already.
    pub(super) fn add(self: &Arc<Self>, address: IpAddr, most: usize) -> Option<Counted> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= most {
            if *count == 0 {
                counts.remove(&address);
            }
            return None;
        }
        *count += 1;
        Some(Counted {
            address,
            counts: Arc::clone(self),
        })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.counts.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut count) = counts.entry(self.address) {
            *count.get_mut() = count.get().saturating_sub(1);
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_and_gets_more_when_some_end() {
        let counts = Arc::new(AddressCount::default());
        let [one, two]: [IpAddr; 2] = [[10, 0, 0, 1].into(), [10, 0, 0, 2].into()];
        let first = counts.add(one, 2).expect("the first");
        let _second = counts.add(one, 2).expect("the second");
        assert!(counts.add(one, 2).is_none());
        assert!(counts.add(two, 2).is_some(), "another address");
        drop(first);
        assert!(counts.add(one, 2).is_some());
        assert!(counts.add(two, 0).is_none());
        assert_eq!(
            counts.counts.lock().expect("no panic").len(),
            1,
            "nothing is kept of those that ended"
        );
    }
}
