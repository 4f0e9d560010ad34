//! Chance that can be repeated, and how long the tests that use it go on.
//!
//! `SEED=n` gives the same damage again. `RUNWRIGHT_SOAK=n` makes each of these tests go on for `n` seconds, each round
//! with the next seed.

use std::time::{Duration, Instant};

/// Random numbers from a seed (splitmix64).
#[derive(Debug, Clone)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 where there is none.
    pub(super) fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { (self.next() % end as u64) as usize }
    }

    /// True once in N times.
    pub(super) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

/// Calls `round` with seeds: once, or as often as the time for soaking allows. It says how many `faults` it made.
pub(super) fn rounds(faults: &str, mut round: impl FnMut(u64) -> usize) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let began = Instant::now();
    let (first, seconds) = (number("SEED").unwrap_or(1), number("RUNWRIGHT_SOAK").unwrap_or(0));
    let (mut seed, mut made) = (first, 0);
    loop {
        made += round(seed);
        seed += 1;
        if began.elapsed() >= Duration::from_secs(seconds) {
            break;
        }
    }
    println!("{made} {faults} with the seeds {first} to {} in {:.1?}", seed - 1, began.elapsed());
}
