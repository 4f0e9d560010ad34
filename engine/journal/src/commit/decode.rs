//! The contents of a frame that was read, as a commit again.

use runwright_core::{Digest, RunId};

use super::item::{Accept, Handle, Item, Kind, LostRun, Meta, items};
use super::{Change, Commit, Slot};
use crate::Entry;
use crate::frame::{self, Touched};
use crate::record::{Bad, View, array};

/// Why whole contents can't be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Undecodable {
    /// They are not what any version writes.
    Bad(String),
    /// A newer version wrote them: the format, and the newest that is known.
    Newer { found: u8, known: u8 },
}

impl From<String> for Undecodable {
    fn from(why: String) -> Self {
        Self::Bad(why)
    }
}

impl From<serde_json::Error> for Undecodable {
    fn from(error: serde_json::Error) -> Self {
        Self::Bad(error.to_string())
    }
}

impl Commit {
    /// Bytes of its frame in the log, for a commit that was read.
    pub(crate) fn frame_bytes(&self) -> usize {
        (frame::contents_at(self.touched.len()) + self.bytes.len()).next_multiple_of(frame::ALIGN)
    }

    /// The commit in the contents of a frame that was read. Hashes are taken again.
    pub(crate) fn decode(touched: Vec<Touched>, contents: &[u8]) -> Result<Self, Undecodable> {
        let mut commit = Self { touched, bytes: contents.to_vec(), ..Self::default() };
        for item in items(contents) {
            commit.take(item?)?;
        }
        Ok(commit)
    }

    fn take(&mut self, item: Item<'_>) -> Result<(), Undecodable> {
        let known = Kind::LAST;
        let bytes = item.bytes;
        let short = |what: &str| Undecodable::Bad(format!("{what} ends too early"));
        match item.kind.map_err(|found| Undecodable::Newer { found, known })? {
            Kind::Void | Kind::Base | Kind::Index => {}
            Kind::Record => {
                let view = View::read(bytes).map_err(|bad| match bad {
                    Bad::Newer(found) => Undecodable::Newer { found, known: crate::record::FORMAT },
                    bad => Undecodable::Bad(bad.to_string()),
                })?;
                let (start, end) = (item.at, item.at + view.bytes().len());
                self.records.push(Slot { run: view.run(), seq: view.seq(), start, end, hash: view.hash() });
            }
            Kind::Head => self.heads.push(serde_json::from_slice(bytes)?),
            Kind::Source => {
                let (digest, bytes) = bytes.split_at_checked(32).ok_or_else(|| short("a source"))?;
                self.sources.push((Digest::from_bytes(array(digest)), bytes.to_vec()));
            }
            Kind::Accept => {
                let (number, text) = bytes.split_at_checked(8).ok_or_else(|| short("an entry"))?;
                let Accept { key, at, payload } = serde_json::from_slice(text)?;
                let number = u64::from_le_bytes(array(number));
                let entry = Entry { number, key, at, payload, handled: None };
                self.inbox.push(Change::Accept { entry, item: item.at - super::item::HEADER });
            }
            Kind::Handle => {
                let Handle { key, handled } = serde_json::from_slice(bytes)?;
                self.inbox.push(Change::Handle { key, handled });
            }
            Kind::Meta => self.meta.push(serde_json::from_slice::<Meta>(bytes)?.into_parts()),
            Kind::Prune => {
                let run = bytes.get(..16).ok_or_else(|| short("a run's id"))?;
                self.pruned.push(RunId::from_bytes(array(run)));
            }
            Kind::Forget => self.inbox.push(Change::Forget { key: String::from_utf8_lossy(bytes).into_owned() }),
            Kind::Entry => self.inbox.push(Change::Put(serde_json::from_slice(bytes)?)),
            Kind::Lost => {
                let LostRun { run, lost } = serde_json::from_slice(bytes)?;
                self.lost.push((run, lost));
            }
        }
        Ok(())
    }
}
