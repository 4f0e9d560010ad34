//! A store that is not what was written, or older than it was.

use std::fs;
use std::path::Path;

use super::damage::flip;
use super::{copy, export, fill, folder, open, small};
use crate::conformance::{batch, run_id};
use crate::store::Store;
use crate::table::Table;
use crate::{Journal, Options};

#[test]
fn a_store_that_is_damaged_is_rebuilt() {
    type Harm = fn(&Path);
    let harms: [(&str, Harm); 6] = [
        ("deleted", |sled| fs::remove_dir_all(sled).unwrap()),
        ("no db", |sled| fs::remove_file(sled.join("db")).unwrap()),
        ("garbage", |sled| fs::write(sled.join("db"), vec![0x5a; 100_000]).unwrap()),
        ("bad conf", |sled| fs::write(sled.join("conf"), b"nonsense").unwrap()),
        ("empty snapshot", |sled| fs::write(sled.join("snap.00000000FFFFFFFF.generating"), b"").unwrap()),
        ("bad snapshot", |sled| {
            for entry in fs::read_dir(sled).unwrap() {
                let path = entry.unwrap().path();
                if path.to_str().unwrap().contains("snap.") {
                    flip(&path, 5);
                }
            }
        }),
    ];
    let dir = folder();
    let lines = fill(dir.path(), &small(), 120);
    for (name, harm) in harms {
        let copied = folder();
        copy(dir.path(), copied.path());
        harm(&copied.path().join("sled"));
        let journal = open(copied.path(), &small());
        assert_eq!(export(&journal), lines, "{name}");
        assert_eq!(journal.verify().unwrap().damage, [], "{name}");
    }
}

#[test]
fn a_truncated_or_flipped_store_loses_nothing_silently() {
    let dir = folder();
    let lines = fill(dir.path(), &small(), 120);
    let db = fs::read(dir.path().join("sled/db")).unwrap();
    for round in 1..12 {
        let copied = folder();
        copy(dir.path(), copied.path());
        let path = copied.path().join("sled/db");
        if round % 2 == 0 {
            fs::write(&path, &db[..db.len() * round / 12]).unwrap();
        } else {
            flip(&path, db.len() * round / 40);
        }
        let journal = open(copied.path(), &small());
        let report = journal.verify().unwrap();
        assert!(!report.damage.is_empty() || export(&journal) == lines, "round {round}: silent loss");
    }
}

#[test]
fn a_store_that_was_not_built_to_its_end_is_built_again_and_not_set_aside() {
    let dir = folder();
    let lines = fill(dir.path(), &small(), 60);
    crate::compact(dir.path(), &small()).unwrap();
    fs::remove_dir_all(dir.path().join("sled")).unwrap();
    let store = Store::open(&dir.path().join("sled")).unwrap();
    let mut part = Table::default();
    part.meta.insert("name-1".to_owned(), Some(7.into()));
    store.apply(&part).unwrap();
    drop(store);
    for _ in 0..2 {
        let journal = open(dir.path(), &small());
        assert_eq!(export(&journal), lines);
        assert_eq!(journal.verify().unwrap().damage, []);
    }
    assert!(!dir.path().join("sled.damaged-1").exists());
}

#[test]
fn what_the_store_lost_is_read_from_the_log_until_it_is_rebuilt() {
    let dir = folder();
    let lines = fill(dir.path(), &small(), 60);
    let journal = open(dir.path(), &small());
    journal.shared.store.harm(run_id(13));
    assert!(journal.shared.history(run_id(13)).is_err());
    assert_eq!(journal.history(run_id(13)).unwrap().len(), 7);
    let damage = journal.verify().unwrap().damage;
    assert!(damage.iter().all(|damage| damage.run == Some(run_id(13)) && damage.readable), "{damage:?}");
    assert_eq!(damage.len(), 1);
    journal.close().unwrap();
    let journal = open(dir.path(), &Options { rebuild: true, ..small() });
    assert_eq!(journal.verify().unwrap().damage, []);
    assert_eq!(export(&journal), lines);
}

#[test]
fn verify_finds_nothing_while_others_append() {
    let dir = folder();
    let journal = open(dir.path(), &Options { segment_bytes: 256 << 10, table_bytes: 32 << 10, ..small() });
    std::thread::scope(|scope| {
        for n in 1..=4 {
            let journal = &journal;
            scope.spawn(move || {
                (1..=400).for_each(|seq| drop(journal.append(batch(n, seq, seq)).blocking_wait().unwrap()))
            });
        }
        for _ in 0..10 {
            assert_eq!(journal.verify().unwrap().damage, []);
        }
    });
    assert_eq!(journal.verify().unwrap().records, 1_600);
}

#[test]
fn an_older_store_catches_up_from_the_log() {
    let dir = folder();
    let options = small();
    let journal = open(dir.path(), &options);
    (1..=30).for_each(|seq| drop(journal.append(batch(1, seq, seq)).blocking_wait().unwrap()));
    journal.close().unwrap();
    let older = folder();
    copy(&dir.path().join("sled"), older.path());
    let journal = open(dir.path(), &options);
    (31..=90).for_each(|seq| drop(journal.append(batch(1, seq, seq)).blocking_wait().unwrap()));
    (1..=30).for_each(|seq| drop(journal.append(batch(2, seq, seq)).blocking_wait().unwrap()));
    let lines = export(&journal);
    journal.close().unwrap();
    // As after a power failure that took what sled wrote since its last sync.
    fs::remove_dir_all(dir.path().join("sled")).unwrap();
    copy(older.path(), &dir.path().join("sled"));
    let journal = open(dir.path(), &options);
    assert_eq!(export(&journal), lines);
    assert_eq!(journal.verify().unwrap().damage, []);
}
