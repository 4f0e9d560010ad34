//! The disk under the state directory.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Finding;

/// fdatasync calls that are timed; the median counts.
const SYNCS: usize = 20;
/// Bytes that are written before each.
const BYTES: usize = 4096;
/// A median above this makes every step wait noticeably.
const SLOW: Duration = Duration::from_millis(20);
/// A median below this is faster than a disk that keeps what it acknowledges.
const TOO_FAST: Duration = Duration::from_micros(10);

/// File systems on which neither locks nor fsync can be relied on.
const NETWORK: [&str; 9] = ["nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "glusterfs", "fuse.sshfs", "9p"];

pub(super) fn examine(state_dir: &Path) -> Vec<Finding> {
    let shown = state_dir.display().to_string();
    let (folder, exists) = match state_dir.is_dir() {
        true => (state_dir.to_owned(), true),
        false => (nearest(state_dir), false),
    };
    let mut findings = vec![file_system(&folder, &shown)];
    findings.push(match sync_time(&folder) {
        Err(error) => Finding::fail(
            "state directory",
            format!("{} can't be written: {error}", folder.display()),
            "let the engine's user write it, or give another one with --state-dir",
        ),
        Ok(median) if median > SLOW => Finding::warn(
            "state directory",
            format!("{shown}: one fdatasync takes {}", micros(median)),
            "every step waits for one: a disk with a write cache that survives power loss is faster",
        ),
        Ok(median) if median < TOO_FAST => Finding::warn(
            "state directory",
            format!("{shown}: one fdatasync takes {}, which no disk does", micros(median)),
            "after a power loss what was acknowledged may be gone; fine for trying things out",
        ),
        Ok(median) => {
            let note = if exists { "" } else { ", which is made when it is needed" };
            Finding::ok("state directory", format!("{shown}{note}; one fdatasync takes {}", micros(median)))
        }
    });
    findings
}

/// The nearest folder above that exists: where the state directory would be made.
fn nearest(path: &Path) -> PathBuf {
    let above = path.ancestors().skip(1).find(|above| above.is_dir());
    above.unwrap_or_else(|| Path::new(".")).to_owned()
}

fn micros(time: Duration) -> String {
    match time.as_micros() {
        micros @ 0..10_000 => format!("{micros} µs"),
        micros => format!("{} ms", micros / 1000),
    }
}

/// The median time to make a few bytes durable.
fn sync_time(folder: &Path) -> io::Result<Duration> {
    let path = folder.join(format!(".runwright-doctor-{}", std::process::id()));
    let timed = File::create_new(&path).and_then(|mut file| {
        let mut times = Vec::with_capacity(SYNCS);
        for _ in 0..SYNCS {
            file.write_all(&[0; BYTES])?;
            let begin = Instant::now();
            file.sync_data()?;
            times.push(begin.elapsed());
        }
        times.sort();
        Ok(times[SYNCS / 2])
    });
    let _ = fs::remove_file(&path);
    timed
}

fn file_system(folder: &Path, shown: &str) -> Finding {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let absolute = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    match kind(&mounts, &absolute) {
        Some(kind) if NETWORK.contains(&kind) => Finding::fail(
            "file system",
            format!("{shown} is on {kind}, where locks and fsync can't be relied on"),
            "give a folder on a local disk with --state-dir, or as state-dir in runwright.toml",
        ),
        Some(kind @ ("tmpfs" | "ramfs")) => Finding::warn(
            "file system",
            format!("{shown} is on {kind}, which is gone after a restart of the machine"),
            "give a folder on a disk with --state-dir, or as state-dir in runwright.toml",
        ),
        Some(kind) => Finding::ok("file system", kind),
        None => Finding::warn("file system", "it could not be found out", "make sure that it is a local disk"),
    }
}

/// The kind of file system that `path` is on, by the lines of proc_pid_mountinfo(5): the mount point is the fifth field,
/// the kind the first one behind the dash. Of several mounts the deepest one counts, of those the last.
fn kind<'a>(mounts: &'a str, path: &Path) -> Option<&'a str> {
    let mounts = mounts.lines().filter_map(|line| {
        let (mount, file_system) = line.split_once(" - ")?;
        let point = mount.split(' ').nth(4)?.replace("\\040", " ");
        path.starts_with(&point).then_some((point.len(), file_system.split(' ').next()?))
    });
    mounts.max_by_key(|(depth, _)| *depth).map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_mount_tells_the_file_system() {
        let mounts = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
                      30 22 0:25 / /srv/my\\040runs rw - nfs4 server:/x rw\n\
                      31 22 0:26 / /tmp rw - tmpfs tmpfs rw\n";
        let kind = |path: &str| kind(mounts, Path::new(path));
        assert_eq!(kind("/var/lib/runwright"), Some("ext4"));
        assert_eq!(kind("/srv/my runs/state"), Some("nfs4"));
        assert_eq!(kind("/tmpfoo"), Some("ext4"));
        assert!(NETWORK.contains(&kind("/srv/my runs").unwrap()));
    }
}
