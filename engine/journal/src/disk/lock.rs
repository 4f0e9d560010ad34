//! One process per state directory, and no network file system under it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use crate::Error;

/// The lock file's text is cut off at, or filled up with spaces to, this many characters.
const TEXT_CHARS: usize = 120;
/// More of it is not read.
const TEXT_MAX: u64 = 1_024;
/// Another one each time the machine starts.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The lock on a state directory. The kernel releases it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
    /// Whether the machine has not been started again since the folder was locked before: then everything that was
    /// written is there, synced or not.
    pub(crate) same_boot: bool,
}

impl Lock {
    /// Makes the folder where it is missing, and locks it.
    pub(crate) fn take(dir: &Path, what: &str) -> Result<Self, Error> {
        make_dir(dir)?;
        refuse_network(dir)?;
        let path = dir.join("lock");
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let mut file = opened.map_err(|error| Error::io("open", &path, error))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(locked(dir, &mut file)),
            Err(error) => return Err(Error::io("lock", &path, error)),
        }
        // Written over in place: to cut a file off and write it again costs milliseconds.
        let text: String = format!("{} {what}", std::process::id()).chars().take(TEXT_CHARS).collect();
        let boot = fs::read_to_string(BOOT_ID).unwrap_or_default();
        let mut before = String::new();
        let _ = (&file).take(TEXT_MAX).read_to_string(&mut before);
        let same_boot = !boot.is_empty() && before.lines().nth(1) == boot.lines().next();
        let written = file.write_all_at(format!("{text:<TEXT_CHARS$}\n{boot:<36}\n").as_bytes(), 0);
        written.map_err(|error| Error::io("write", &path, error))?;
        Ok(Self { _file: file, same_boot })
    }
}

fn locked(dir: &Path, file: &mut File) -> Error {
    let mut text = String::new();
    let _ = file.take(TEXT_MAX).read_to_string(&mut text);
    let (pid, what) = text.lines().next().unwrap_or_default().trim_end().split_once(' ').unwrap_or_default();
    let holder = if what.is_empty() { "another process" } else { what };
    Error::Locked { path: dir.to_owned(), pid: pid.parse().ok(), holder: holder.to_owned() }
}

/// Makes a folder that only its owner can look into.
pub(crate) fn make_dir(dir: &Path) -> Result<(), Error> {
    if dir.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| Error::io("make", dir, error))?;
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let synced = File::open(parent).and_then(|parent| parent.sync_all());
    synced.map_err(|error| Error::io("sync", parent, error))
}

/// File systems over a network: locks and fsync mean something else there. The numbers are of `statfs(2)`.
const NETWORK: [(i64, &str); 11] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB"),
    (0x00c3_6400, "Ceph"),
    (0x5346_414f, "AFS"),
    (0x6b41_4653, "AFS"),
    (0x7375_7245, "Coda"),
    (0x0102_1997, "9P"),
    (0x0bd0_0bd0, "Lustre"),
    (0x564c, "NCP"),
];

fn refuse_network(dir: &Path) -> Result<(), Error> {
    let stat = rustix::fs::statfs(dir).map_err(|error| Error::io("ask for the file system of", dir, error))?;
    let magic = i64::from(stat.f_type as u32);
    match NETWORK.iter().find(|(number, _)| *number == magic) {
        Some((_, kind)) => Err(Error::Network { path: dir.to_owned(), kind }),
        None => Ok(()),
    }
}

/// Bytes that this process can still write to the file system.
pub(crate) fn free_bytes(dir: &Path) -> Result<u64, Error> {
    let stat = rustix::fs::statvfs(dir).map_err(|error| Error::io("ask for the free space of", dir, error))?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Marks the store as broken: the next opening sets it aside and rebuilds it.
pub(crate) fn mark_broken(dir: &Path) {
    let _ = fs::write(dir.join(BROKEN), b"");
}

/// The name of that mark.
pub(crate) const BROKEN: &str = "sled.broken";
