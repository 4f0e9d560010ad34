use std::fs;
use std::os::unix::fs::symlink;

use notify::EventKind;
use notify::event::{AccessKind, AccessMode, DataChange, ModifyKind};
use rustix::fs::{Mode, OFlags, mkdirat, openat};

use super::*;
use crate::names::Judged;

const TEXTS: Wanted = Wanted {
    deep: true,
    judge: |name| match name {
        name if name.ends_with(".txt") => Judged::Ours,
        name if name.ends_with(".bak") => Judged::Left("it is a backup"),
        _ => Judged::Other,
    },
};

fn folder() -> (tempfile::TempDir, Folder<Vec<u8>>) {
    let root = tempfile::tempdir().unwrap();
    let folder = Folder::new(vec![root.path().to_owned()], TEXTS);
    (root, folder)
}

/// Scans and reads what is due; the names of those files, and what is wrong.
fn scan(folder: &mut Folder<Vec<u8>>) -> (Vec<String>, Vec<String>) {
    let scan = folder.scan(false);
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let read = |path: &Path| host::regular::read(path, 4).map_err(|error| Trouble::Unread(error.to_string()));
    scan.due.iter().for_each(|due| _ = folder.learn(due, read(&due.path)));
    let problems = folder.problems(true).into_iter().map(|problem| problem.problem).collect();
    (scan.due.iter().map(|due| name(&due.path)).collect(), problems)
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Scans with patience until something is due, for at most 10 s.
fn scan_until_due(folder: &mut Folder<Vec<u8>>) -> Due {
    let began = Instant::now();
    loop {
        let scan = folder.scan(true);
        if let Some(due) = scan.due.into_iter().next() {
            return due;
        }
        assert!(scan.unsettled && began.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_file_is_due_once_it_has_settled_and_again_when_it_changed() {
    let (root, mut folder) = folder();
    fs::write(root.path().join("a.txt"), "1").unwrap();
    let written = Instant::now();
    for _ in 0..2 {
        let scan = folder.scan(true);
        assert!((scan.due.is_empty() && scan.unsettled) || written.elapsed() >= SETTLED, "it was written just now");
    }
    let due = scan_until_due(&mut folder);
    // Files have the time of the last tick.
    assert!(written.elapsed() >= SETTLED - Duration::from_millis(20));
    assert!(folder.learn(&due, Ok(b"1".to_vec())));
    assert!(folder.scan(true).due.is_empty());
    fs::write(root.path().join("a.txt"), "22").unwrap();
    assert_eq!(scan(&mut folder).0, ["a.txt"]);
    folder.forget_looks();
    assert_eq!(scan(&mut folder).0, ["a.txt"]);
}

#[test]
fn a_file_that_somebody_has_open_is_not_due_until_it_is_closed() {
    let (root, mut folder) = folder();
    let path = root.path().join("a.txt");
    fs::write(&path, "1").unwrap();
    let heard = |kind: EventKind| folder.open().hear(&Ok(notify::Event::new(kind).add_path(path.clone())));
    heard(EventKind::Modify(ModifyKind::Data(DataChange::Any)));
    let settled = |folder: &mut Folder<Vec<u8>>| {
        let known = folder.files.get_mut(&path).unwrap();
        // As if the next scan came that much later.
        known.seen = known.seen.map(|(look, since)| (look, since.checked_sub(OPEN_TOLD).unwrap()));
        folder.scan(true)
    };
    folder.scan(true);
    assert!(settled(&mut folder).due.is_empty());
    assert_eq!(folder.problems(true)[0].problem, "is still open for writing: it is used once it is closed");
    folder
        .open()
        .hear(&Ok(notify::Event::new(EventKind::Access(AccessKind::Close(AccessMode::Write))).add_path(path.clone())));
    let due = settled(&mut folder).due;
    assert!(due.len() == 1 && folder.learn(&due[0], Ok(b"1".to_vec())));
    assert!(folder.problems(true).is_empty());
}

#[test]
fn what_was_lost_of_the_events_holds_nothing_up_for_ever() {
    let (root, mut folder) = folder();
    let path = root.path().join("a.txt");
    let modified =
        || Ok(notify::Event::new(EventKind::Modify(ModifyKind::Data(DataChange::Any))).add_path(path.clone()));
    let open = folder.open();
    open.hear(&modified());
    open.hear(&Ok(notify::Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan)));
    assert!(!open.contains(&path), "some events were lost");
    open.hear(&modified());
    open.hear(&Err(notify::Error::generic("lost")));
    assert!(!open.contains(&path));
    open.hear(&modified());
    fs::write(&path, "1").unwrap();
    folder.scan(true);
    let known = folder.files.get_mut(&path).unwrap();
    known.seen = known.seen.map(|(look, since)| (look, since.checked_sub(OPEN_MAX).unwrap()));
    assert_eq!(folder.scan(true).due.len(), 1, "its closing was not heard of");
}

#[test]
fn a_file_that_can_not_be_used_keeps_the_last_good_one() {
    let (root, mut folder) = folder();
    let path = root.path().join("a.txt");
    fs::write(&path, "good").unwrap();
    scan(&mut folder);
    fs::write(&path, "too large").unwrap();
    assert_eq!(scan(&mut folder).1, ["it has more than 4 bytes"]);
    assert_eq!(folder.get(&path), Some((&b"good".to_vec(), true)));
    assert_eq!(scan(&mut folder).0, ["a.txt"], "what could not be read is tried again");
    fs::write(&path, "new").unwrap();
    assert_eq!(scan(&mut folder).1, names(&[]));
    assert_eq!(folder.get(&path), Some((&b"new".to_vec(), false)));
}

#[test]
fn a_file_is_gone_when_two_scans_miss_it() {
    let (root, mut folder) = folder();
    let path = root.path().join("a.txt");
    fs::write(&path, "1").unwrap();
    scan(&mut folder);
    fs::remove_file(&path).unwrap();
    let first = folder.scan(true);
    assert!(first.gone.is_empty() && first.unsettled && folder.get(&path).is_some(), "an editor may be saving it");
    assert_eq!(folder.scan(true).gone, std::slice::from_ref(&path));
    assert_eq!(folder.get(&path), None);
}

#[test]
fn a_folder_that_is_away_takes_nothing_with_it() {
    let root = tempfile::tempdir().unwrap();
    let (here, away) = (root.path().join("here"), root.path().join("away"));
    fs::create_dir(&here).unwrap();
    let mut folder = Folder::new(vec![here.clone()], TEXTS);
    fs::write(here.join("a.txt"), "1").unwrap();
    scan(&mut folder);
    fs::rename(&here, &away).unwrap();
    for _ in 0..3 {
        let (_, problems) = scan(&mut folder);
        assert!(problems[0].ends_with("what was loaded from it stays in use"), "{problems:?}");
        assert!(folder.get(&here.join("a.txt")).is_some() && folder.is_unread());
    }
    fs::rename(&away, &here).unwrap();
    fs::remove_file(here.join("a.txt")).unwrap();
    scan(&mut folder);
    assert_eq!(scan(&mut folder).1, names(&[]));
    assert!(folder.get(&here.join("a.txt")).is_none(), "it is gone from a folder that can be read");
}

#[test]
fn a_root_that_never_was_is_told_where_it_is_needed() {
    let nowhere = vec![PathBuf::from("/nowhere/at/all")];
    let mut folder = Folder::<()>::new(nowhere, TEXTS);
    folder.scan(false);
    assert!(folder.problems(false).is_empty());
    assert_eq!(folder.problems(true)[0].subject, "/nowhere/at/all");
}

/// Makes a folder in `root` whose path is longer than the system takes, so that nobody can read it, not even root.
fn too_deep(root: &Path) -> usize {
    let (name, flags) = ("d".repeat(200), OFlags::RDONLY | OFlags::DIRECTORY);
    let mut inner = rustix::fs::open(root, flags, Mode::empty()).unwrap();
    for _ in 0..21 {
        mkdirat(&inner, &name, Mode::RWXU).unwrap();
        inner = openat(&inner, &name, flags, Mode::empty()).unwrap();
    }
    name.len()
}

#[test]
fn a_subfolder_that_can_not_be_read_hides_only_its_own_files() {
    let (root, mut folder) = folder();
    let sub = root.path().join("d".repeat(too_deep(root.path())));
    for path in [root.path().join("a.txt"), sub.join("b.txt")] {
        fs::write(path, "1").unwrap();
    }
    let (due, problems) = scan(&mut folder);
    assert_eq!(due, ["a.txt", "b.txt"]);
    assert_eq!(problems, ["the folder can't be read: File name too long (os error 36)"]);
    assert!(folder.is_unread());
    let unread = folder.listing.unread.keys().next().unwrap().clone();
    assert!(folder.listing.hides(&unread.join("c.txt")) && !folder.listing.hides(&sub.join("b.txt")));
    fs::remove_file(sub.join("b.txt")).unwrap();
    scan(&mut folder);
    scan(&mut folder);
    assert!(folder.get(&sub.join("b.txt")).is_none() && folder.get(&root.path().join("a.txt")).is_some());
}

#[test]
fn dangling_links_and_files_that_are_left_alone_are_told() {
    let (root, mut folder) = folder();
    symlink("nothing", root.path().join("a.txt")).unwrap();
    symlink("nothing", root.path().join("other")).unwrap();
    fs::write(root.path().join("b.txt"), "1").unwrap();
    fs::write(root.path().join("b.txt.bak"), "1").unwrap();
    let (due, problems) = scan(&mut folder);
    assert_eq!(due, ["b.txt"]);
    let wanted = ["could not be read: No such file or directory (os error 2)", "it is a backup"];
    assert_eq!(problems, wanted);
}

#[test]
fn of_too_many_files_those_beyond_are_told() {
    let (root, mut folder) = folder();
    let path = |n: usize| root.path().join(format!("{n:05}.txt"));
    (0..FILES_MAX).for_each(|n| fs::write(path(n), "").unwrap());
    assert_eq!(folder.scan(false).due.len(), FILES_MAX);
    assert!(folder.problems(true).is_empty());
    fs::write(root.path().join("00000-first.txt"), "").unwrap();
    assert_eq!(folder.scan(false).due.len(), FILES_MAX, "a new one does not displace one that is known");
    let problems = folder.problems(true);
    assert_eq!(problems[0].problem, format!("holds more than {FILES_MAX} files: 1 of them are left out"));
}
