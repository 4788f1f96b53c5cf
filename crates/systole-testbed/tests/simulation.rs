//! Many random stories: whatever fails, nothing is lost or run twice, and afterwards the cluster comes to rest.
//!
//! `SYSTOLE_SEEDS` sets how many are told; `cargo xtask simulate` tells as many as one likes, faster.

use std::sync::atomic::{AtomicU64, Ordering};
use systole_testbed::scenario::{self, Family};

#[test]
fn whatever_fails_the_cluster_keeps_its_promises() {
    let n_seeds = std::env::var("SYSTOLE_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(30);
    let next = AtomicU64::new(0);
    let tell_some = || {
        while let seed @ 0.. = next.fetch_add(1, Ordering::Relaxed)
            && seed < n_seeds
        {
            // These take longest.
            let is_told = |family: &Family| *family != Family::Unanswered || seed.is_multiple_of(3);
            for family in Family::ALL.into_iter().filter(is_told) {
                let outcome = scenario::tell(family, seed);
                assert!(outcome.violation.is_none(), "{outcome}");
            }
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(tell_some)).collect();
        for worker in workers {
            worker.join().expect("every story ends well");
        }
    });
}

#[test]
fn the_same_seed_tells_the_same_story() {
    for (family, seed) in
        [(Family::Plain, 1), (Family::Plain, 7), (Family::Guests, 21), (Family::HarshGuests, 3)]
    {
        assert_eq!(scenario::tell(family, seed).story, scenario::tell(family, seed).story);
    }
}
