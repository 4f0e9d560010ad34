//! Frames and records from any bytes: never a panic, never a wrong record.

use proptest::prelude::*;

use super::{folder, log_only, open};
use crate::commit::Commit;
use crate::conformance::{batch, run_id};
use crate::frame::{Frame, Position};
use crate::record::View;
use crate::{Error, Journal};

fn sealed() -> Vec<u8> {
    let mut commit = Commit::encode(batch(1, 1, 3)).unwrap();
    commit.seal(9, Position::new(1, 64), Position::new(1, 640));
    commit.bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = View::read(&bytes);
        let _ = Commit::decode(Vec::new(), &bytes);
        prop_assert!(Frame::read(&bytes, Position::new(1, 64)).is_none());
    }

    #[test]
    fn a_changed_frame_is_noticed(at in any::<prop::sample::Index>(), change in 1_u8..) {
        let whole = sealed();
        let place = Position::new(1, 640);
        let frame = Frame::read(&whole, place).unwrap();
        let contents = frame.contents.unwrap().to_vec();
        let mut bytes = whole.clone();
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        if let Some(frame) = Frame::read(&bytes, place) {
            prop_assert_eq!(frame.touched.len(), 1);
            prop_assert!(frame.contents.is_none_or(|found| found == contents));
        }
        prop_assert!(Frame::read(&whole, Position::new(2, 640)).is_none(), "a frame at another place");
    }

    #[test]
    fn changed_contents_are_decoded_without_a_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let whole = sealed();
        let frame = Frame::read(&whole, Position::new(1, 640)).unwrap();
        let mut contents = frame.contents.unwrap().to_vec();
        for (at, byte) in changes {
            let at = at.index(contents.len());
            contents[at] = byte;
        }
        contents.truncate(cut.index(contents.len()) + 1);
        let _ = Commit::decode(frame.touched, &contents);
    }

    #[test]
    fn a_log_with_anything_in_it_opens(
        at in 0_usize..8_000,
        bytes in proptest::collection::vec(any::<u8>(), 1..600),
    ) {
        let dir = folder();
        let journal = open(dir.path(), &log_only());
        for n in 1..=3 {
            journal.append(batch(n, 1, 4)).blocking_wait().unwrap();
        }
        journal.close().unwrap();
        let path = dir.path().join("log/000001.log");
        let mut log = std::fs::read(&path).unwrap();
        log[at..at + bytes.len()].copy_from_slice(&bytes);
        std::fs::write(&path, &log).unwrap();
        let journal = match crate::SledJournal::open(dir.path()) {
            Err(Error::NewerFormat { .. }) => return Ok(()),
            other => other.unwrap(),
        };
        for n in 1..=3 {
            match journal.history(run_id(n)) {
                Ok(records) => prop_assert!(records.len() == 4 || records.is_empty()),
                Err(error) => prop_assert!(matches!(error, Error::Damaged { .. }), "another error"),
            }
        }
        journal.append(batch(9, 1, 1)).blocking_wait().unwrap();
    }
}
