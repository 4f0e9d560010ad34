//! A disk that is really full, a folder that can't be written to, formats of other versions.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::trimming::tiny;
use super::{copy, export, fill, log_only, open, small};
use crate::commit::item::Kind;
use crate::conformance::{batch, run_id};
use crate::frame::{Position, seal};
use crate::{Error, Journal, SledJournal};

const STATE: &str = "JOURNAL_TEST_FULL";

/// A file system of this many MiB; none where this process may not mount one.
struct Small {
    dir: tempfile::TempDir,
}

impl Small {
    fn mount(mib: u32) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let size = format!("size={mib}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(dir.path()).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self { dir })
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.dir.path()).status();
    }
}

/// Appends until it fails; gives how many records run 1 has, and the error.
fn until_full(journal: &SledJournal) -> (u64, Error) {
    let mut seq = journal.history(run_id(1)).unwrap().len() as u64;
    loop {
        let next: Vec<_> = (1..=8).map(|n| journal.append(batch(1, seq + 2 * n - 1, seq + 2 * n))).collect();
        for appended in next {
            match appended.blocking_wait() {
                Ok(_) => seq += 2,
                Err(Error::Sequence { .. }) => {}
                Err(error) => return (seq, error),
            }
        }
    }
}

/// What every full disk must come to.
fn fills_up(dir: &Path, room: impl FnOnce()) {
    let journal = open(dir, &tiny());
    let (seq, error) = until_full(&journal);
    assert!(matches!(error, Error::Full(_)), "{error:?}");
    assert!(seq > 100, "{seq}");
    let refused = journal.append(batch(2, 1, 1)).blocking_wait();
    assert!(refused.is_ok() || matches!(refused, Err(Error::Full(_))), "{refused:?}");
    assert_eq!(journal.history(run_id(1)).unwrap().len() as u64, seq);
    // It opens on the full disk too, and shows everything.
    drop(journal);
    let journal = open(dir, &tiny());
    assert_eq!(journal.history(run_id(1)).unwrap().len() as u64, seq);
    assert_eq!(journal.verify().unwrap().damage, []);
    room();
    let mut next = seq + 1;
    for _ in 0..200 {
        match journal.append(batch(1, next, next)).blocking_wait() {
            Ok(_) => next += 1,
            // The keeper looks again twice a second.
            Err(Error::Full(_)) => std::thread::sleep(std::time::Duration::from_millis(50)),
            Err(error) => panic!("{error}"),
        }
    }
    assert!(next > seq + 1, "it goes on when there is room");
    drop(journal);
    let journal = open(dir, &tiny());
    assert_eq!(journal.history(run_id(1)).unwrap().len() as u64, next - 1);
    assert_eq!(journal.verify().unwrap().damage, []);
}

#[test]
fn a_disk_that_is_full_stops_nothing_for_good() {
    let Some(disk) = Small::mount(24) else {
        println!("only root can mount: the limit on file sizes stands for it");
        return;
    };
    let ballast = disk.dir.path().join("ballast");
    fs::write(&ballast, vec![1; 12 << 20]).unwrap();
    fills_up(&disk.dir.path().join("state"), || fs::remove_file(ballast).unwrap());
}

/// Not a test: the process with a limit on the size of its files.
#[test]
#[ignore = "started by the next one"]
fn child() {
    let Ok(state) = std::env::var(STATE) else { return };
    let journal = open(Path::new(&state), &log_only());
    let (seq, error) = until_full(&journal);
    println!("full {seq} {}", matches!(error, Error::Full(_)));
}

#[test]
fn a_limit_on_file_sizes_is_a_full_disk() {
    let dir = tempfile::tempdir().unwrap();
    let test = std::env::current_exe().unwrap();
    // 2 MiB: the first segment has room, the second one has not.
    let script = "trap '' XFSZ; ulimit -f 4096; exec \"$0\" --exact disk::tests::limits::child --ignored --nocapture";
    let output = Command::new("sh").args(["-c", script]).arg(test).env(STATE, dir.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find_map(|line| line.split_once("full ").map(|(_, rest)| rest.to_owned()));
    println!("{text}{}", String::from_utf8_lossy(&output.stderr));
    if let Some((seq, full)) = line.as_deref().and_then(|line| line.split_once(' ')) {
        assert_eq!(full, "true");
        let journal = open(dir.path(), &small());
        assert_eq!(journal.history(run_id(1)).unwrap().len().to_string(), seq);
    } else {
        panic!("{text}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_to_is_an_error_with_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let lines = fill(&state, &small(), 6);
    let Some(disk) = Small::mount(8) else {
        fs::set_permissions(&state, fs::Permissions::from_mode(0o500)).unwrap();
        fs::set_permissions(state.join("lock"), fs::Permissions::from_mode(0o400)).unwrap();
        assert!(matches!(SledJournal::open(&state), Err(Error::Io { .. })));
        return;
    };
    let moved = disk.dir.path().join("state");
    copy(&state, &moved);
    let remount = |how: &str| {
        let options = format!("remount,{how}");
        assert!(Command::new("mount").args(["-o", &options]).arg(disk.dir.path()).status().unwrap().success());
    };
    remount("ro");
    let error = SledJournal::open(&moved).unwrap_err();
    assert!(matches!(&error, Error::Io { what, .. } if what.contains("state/lock")), "{error:?}");
    remount("rw");
    assert_eq!(export(&open(&moved, &small())), lines);
}

/// Puts a frame with these contents behind the last one of the first segment.
fn append_frame(dir: &Path, number: u64, contents: &[u8]) -> PathBuf {
    let path = dir.join("log/000001.log");
    let (at, length) = *super::damage::frames(dir).last().unwrap();
    let place = Position::new(1, at + length);
    let mut bytes = vec![0; crate::frame::contents_at(0)];
    bytes.extend_from_slice(contents);
    seal(&mut bytes, &[], number, place, place);
    let mut log = fs::read(&path).unwrap();
    log[at + length..at + length + bytes.len()].copy_from_slice(&bytes);
    fs::write(&path, log).unwrap();
    path
}

#[test]
fn what_a_newer_version_wrote_is_refused_by_name_and_left_alone() {
    let newer_item = [Kind::LAST + 1, 3, 0, 0, 0, 1, 2, 3];
    let mut record = Vec::new();
    crate::record::encode(&crate::conformance::record(1, 1), &mut record).unwrap();
    record[0] = 9;
    crate::record::seal(&mut record, &crate::record::NO_HASH);
    let mut newer_record = vec![Kind::Record as u8];
    newer_record.extend_from_slice(&(record.len() as u32).to_le_bytes());
    newer_record.extend_from_slice(&record);
    for (contents, version) in [(&newer_item[..], u64::from(Kind::LAST) + 1), (&newer_record[..], 9)] {
        let dir = tempfile::tempdir().unwrap();
        let journal = open(dir.path(), &log_only());
        journal.append(batch(1, 1, 2)).blocking_wait().unwrap();
        journal.close().unwrap();
        let path = append_frame(dir.path(), 1_000, contents);
        let before = fs::read(&path).unwrap();
        for result in [
            SledJournal::open(dir.path()).map(drop),
            crate::repair(dir.path(), &small(), false).map(drop),
            crate::compact(dir.path(), &small()).map(drop),
        ] {
            let error = result.unwrap_err();
            assert!(matches!(&error, Error::NewerFormat { found, .. } if *found == version), "{error}");
            assert!(error.to_string().contains("000001.log"), "{error}");
        }
        assert_eq!(fs::read(&path).unwrap(), before);
    }
}
