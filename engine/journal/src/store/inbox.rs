//! The inbox in the store.

use super::{Store, blob, guarded, json, name_key};
use crate::record::array;
use crate::{Entry, Error};

impl Store {
    /// An inbox entry.
    pub(crate) fn entry(&self, key: &str) -> Result<Option<Entry>, Error> {
        blob::get(&self.inbox, &name_key(key))?.map(|bytes| json(&bytes)).transpose()
    }

    /// Every inbox entry.
    pub(crate) fn each_entry(&self, visit: &mut dyn FnMut(Entry) -> Result<(), Error>) -> Result<(), Error> {
        self.each(&self.inbox, |_, bytes| visit(json(bytes)?)).map(drop)
    }

    /// The entries that wait, oldest first, but for those that `skip` takes out.
    pub(crate) fn waiting(&self, limit: usize, skip: impl Fn(u64) -> bool) -> Result<Vec<Entry>, Error> {
        let mut found = Vec::new();
        let mut range = self.waiting.iter();
        while found.len() < limit {
            let Some((number, key)) = guarded(|| range.next().transpose())? else { break };
            if skip(u64::from_be_bytes(array(&number))) {
                continue;
            }
            let Some(bytes) = blob::get(&self.inbox, &key)? else { continue };
            found.extend(Some(json::<Entry>(&bytes)?).filter(|entry| entry.handled.is_none()));
        }
        Ok(found)
    }
}
