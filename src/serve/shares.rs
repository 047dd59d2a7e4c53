//! Shares: the places of a listener, of which no single address gets more than its share.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Places for connections.
pub(super) struct Shares {
    all: Arc<Semaphore>,
    share: usize,
    most: usize,
    taken: Mutex<HashMap<IpAddr, Weak<Semaphore>>>,
}

/// A place, given back when it is dropped.
pub(super) struct Place {
    _of_all: OwnedSemaphorePermit,
    _of_share: OwnedSemaphorePermit,
}

impl Shares {
    /// So many places, of which one address gets at most `share`.
    pub(super) fn new(most: usize, share: usize) -> Self {
        Shares { all: Arc::new(Semaphore::new(most)), share, most, taken: Mutex::default() }
    }

    /// A place for a connection from there, if one is left.
    pub(super) fn place(&self, address: IpAddr) -> Option<Place> {
        let of_share = self.of(address.to_canonical()).try_acquire_owned().ok()?;
        let of_all = Arc::clone(&self.all).try_acquire_owned().ok()?;
        Some(Place { _of_all: of_all, _of_share: of_share })
    }

    fn of(&self, address: IpAddr) -> Arc<Semaphore> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = taken.get(&address).and_then(Weak::upgrade) {
            return share;
        }
        // At most as many addresses are connected as there are places; the rest have gone.
        if taken.len() >= 2 * self.most {
            taken.retain(|_, share| share.strong_count() > 0);
        }
        let share = Arc::new(Semaphore::new(self.share));
        taken.insert(address, Arc::downgrade(&share));
        share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(0x0a00_0000 + last).into()
    }

    #[test]
    fn one_address_gets_its_share_and_leaves_the_rest_to_others() {
        let shares = Shares::new(8, 6);
        let mut places: Vec<Place> = std::iter::from_fn(|| shares.place(address(1))).collect();
        assert_eq!(places.len(), 6);
        let others: Vec<Place> = std::iter::from_fn(|| shares.place(address(2))).collect();
        assert_eq!(others.len(), 2, "all places are taken then");
        places.pop();
        assert!(shares.place(address(1)).is_some(), "a place that is free again is given again");
    }

    #[test]
    fn addresses_that_have_gone_are_forgotten() {
        let shares = Shares::new(8, 6);
        let held = shares.place(address(0));
        (1..1000).for_each(|last| drop(shares.place(address(last))));
        assert!(held.is_some() && shares.taken.lock().unwrap().len() <= 16);
    }
}
