//! Whom a frame with a damaged header was about.

use crate::commit::item::{Kind, items};
use crate::frame::{ALIGN, Touched, contents_at};
use crate::record::View;

/// At most this many runs are looked for in one frame.
const RUNS_MAX: usize = 64;

/// The runs with records in a frame that filled exactly these bytes, where all its items are still in place and each
/// record has its checksum. Only the names are taken: whatever else is in the frame has lost its own checksum.
pub(crate) fn touched(frame: &[u8]) -> Option<Vec<Touched>> {
    (0..=RUNS_MAX).find_map(|runs| {
        let contents = frame.get(contents_at(runs)..)?;
        let touched = read(contents)?;
        (touched.len() == runs).then_some(touched)
    })
}

fn read(contents: &[u8]) -> Option<Vec<Touched>> {
    let mut touched: Vec<Touched> = Vec::new();
    let mut end = 0;
    for item in items(contents) {
        let rest = &contents[end..];
        if rest.len() < ALIGN && rest.iter().all(|byte| *byte == 0) {
            break;
        }
        let item = item.ok()?;
        end = item.at + item.bytes.len();
        if item.kind.ok()? != Kind::Record {
            continue;
        }
        let view = View::read(item.bytes).ok()?;
        match touched.iter_mut().find(|touched| touched.run == view.run()) {
            Some(touched) => touched.last = view.seq(),
            None => touched.push(Touched { run: view.run(), first: view.seq(), last: view.seq() }),
        }
    }
    let rest = &contents[end..];
    (rest.len() < ALIGN && rest.iter().all(|byte| *byte == 0)).then_some(touched)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commit::Commit;
    use crate::conformance::batch;
    use crate::frame::Position;

    #[test]
    fn the_runs_of_a_frame_are_found_up_to_64() {
        for (runs, found) in [(1, true), (63, true), (64, true), (65, false)] {
            let mut all = batch(1, 1, 2);
            for n in 2..=runs {
                let one = batch(n, 1, 2);
                all.records.extend(one.records);
                all.heads.extend(one.heads);
            }
            let mut commit = Commit::encode(all).unwrap();
            for slot in commit.records.clone() {
                crate::record::seal(&mut commit.bytes[slot.start..slot.end], &crate::record::NO_HASH);
            }
            commit.seal(1, Position::new(1, 64), Position::new(1, 64));
            commit.bytes[..16].fill(0xa5);
            let salvaged = touched(&commit.bytes);
            assert_eq!(salvaged.map(|touched| touched.len() as u64), found.then_some(runs), "{runs}");
        }
    }
}
