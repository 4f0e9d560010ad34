//! What the disk allows.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

const SIZE: u64 = 4 << 20;
const WRITE: usize = 512;

/// A file with room, on the disk of the journal: appending to it changes no size, as in a segment of the commit log.
pub(crate) struct Floor(File);

impl Floor {
    pub(crate) fn new(folder: &Path) -> Self {
        let file = File::create(folder.join("floor")).unwrap();
        file.write_all_at(&vec![0; SIZE as usize], 0).unwrap();
        file.sync_all().unwrap();
        Self(file)
    }

    /// Times so many writes, each with its fdatasync.
    pub(crate) fn syncs(&self, count: u64) -> Vec<Duration> {
        let times = (0..count).map(|n| {
            let began = Instant::now();
            self.0.write_all_at(&[1; WRITE], n * WRITE as u64 % SIZE).unwrap();
            self.0.sync_data().unwrap();
            began.elapsed()
        });
        times.collect()
    }
}
