//! `checkpoint`: small durable notes of one step, kept over attempts and engine restarts. Always granted.

use std::collections::BTreeMap;

use runwright_core::{Note, Stream};

use crate::bindings::checkpoint::{self, CheckpointError};
use crate::state::State;

/// Checkpoints of one step at most: each is a record in the journal.
const KEYS_MAX: usize = 64;
/// Bytes of a checkpoint's name.
const KEY_BYTES_MAX: usize = 128;
/// Bytes of a checkpoint's value: an id or a small cursor, no payload.
const VALUE_BYTES_MAX: usize = 4096;

/// The checkpoints of one step as this call sees them.
pub(crate) type Checkpoints = BTreeMap<String, Vec<u8>>;

impl State {
    /// A checkpoint stands in the journal.
    fn without_secrets(&self, key: String, value: Vec<u8>) -> (String, Vec<u8>) {
        if key.len() > KEY_BYTES_MAX || value.len() > VALUE_BYTES_MAX {
            return (key, value);
        }
        let hidden = self.tainted.hide(&key).into_owned();
        match self.tainted.hide_bytes(&value) {
            Some(value) => {
                self.log.write(Stream::Warn, &format!("a secret was taken out of the checkpoint {hidden:?}"));
                (hidden, value)
            }
            None => (hidden, value),
        }
    }

    async fn remember(&mut self, key: String, value: Option<Vec<u8>>) -> Result<(), CheckpointError> {
        // A preview changes nothing outside, so also nothing in the journal.
        if !self.read_only {
            let note = Note::Checkpoint { key: key.clone(), value: value.clone() };
            let noted = self.ending.within(None, self.notes.note(note)).await;
            noted
                .map_err(|_| CheckpointError::Failed("the call ended before the checkpoint was durable".to_owned()))?
                .map_err(CheckpointError::Failed)?;
        }
        match value {
            Some(value) => self.checkpoints.insert(key, value),
            None => self.checkpoints.remove(&key),
        };
        Ok(())
    }
}

impl checkpoint::Host for State {
    async fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<Vec<u8>>, CheckpointError>> {
        Ok(Ok(self.checkpoints.get(&*self.tainted.hide(&key)).cloned()))
    }

    async fn set(&mut self, key: String, value: Vec<u8>) -> wasmtime::Result<Result<(), CheckpointError>> {
        let (key, value) = self.without_secrets(key, value);
        let one_more = !self.checkpoints.contains_key(&key) && self.checkpoints.len() >= KEYS_MAX;
        if one_more || key.len() > KEY_BYTES_MAX || value.len() > VALUE_BYTES_MAX {
            return Ok(Err(CheckpointError::TooLarge));
        }
        if self.checkpoints.get(&key) == Some(&value) {
            return Ok(Ok(()));
        }
        Ok(self.remember(key, Some(value)).await)
    }

    async fn remove(&mut self, key: String) -> wasmtime::Result<Result<(), CheckpointError>> {
        let key = self.tainted.hide(&key).into_owned();
        if !self.checkpoints.contains_key(&key) {
            return Ok(Ok(()));
        }
        Ok(self.remember(key, None).await)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::bindings::checkpoint::Host;
    use crate::notes::Kept;
    use crate::state::bare;

    #[tokio::test]
    async fn a_checkpoint_is_there_only_when_it_is_durable() {
        let kept = Arc::new(Kept::default());
        let mut state = bare("", Arc::<Kept>::clone(&kept));
        let job = || "job".to_owned();
        assert_eq!(state.get(job()).await.unwrap().unwrap(), None);
        state.set(job(), b"42".to_vec()).await.unwrap().unwrap();
        state.set(job(), b"42".to_vec()).await.unwrap().unwrap();
        assert_eq!(state.get(job()).await.unwrap().unwrap(), Some(b"42".to_vec()));
        kept.full.store(true, Ordering::Relaxed);
        assert!(matches!(state.set(job(), b"43".to_vec()).await.unwrap(), Err(CheckpointError::Failed(_))));
        assert_eq!(state.get(job()).await.unwrap().unwrap(), Some(b"42".to_vec()));
        kept.full.store(false, Ordering::Relaxed);
        state.remove(job()).await.unwrap().unwrap();
        state.remove(job()).await.unwrap().unwrap();
        let note = |value: Option<&[u8]>| Note::Checkpoint { key: job(), value: value.map(<[u8]>::to_vec) };
        assert_eq!(*kept.notes.lock().unwrap(), [note(Some(b"42")), note(None)], "what changes nothing is no record");
    }

    #[tokio::test]
    async fn a_checkpoint_holds_no_secret() {
        let kept = Arc::new(Kept::default());
        let mut state = bare("", Arc::<Kept>::clone(&kept));
        state.tainted.add("token", "hunter22").unwrap();
        state.set("of hunter22".to_owned(), b"\xffhunter22".to_vec()).await.unwrap().unwrap();
        assert_eq!(state.get("of hunter22".to_owned()).await.unwrap().unwrap().unwrap(), b"\xff[secret token]");
        state.remove("of hunter22".to_owned()).await.unwrap().unwrap();
        let notes = kept.notes.lock().unwrap();
        let expected = |value| Note::Checkpoint { key: "of [secret token]".to_owned(), value };
        assert_eq!(*notes, [expected(Some(b"\xff[secret token]".to_vec())), expected(None)]);
    }

    #[tokio::test]
    async fn checkpoints_are_few_and_small_and_a_dry_run_keeps_none() {
        let kept = Arc::new(Kept::default());
        let mut state = bare("", Arc::<Kept>::clone(&kept));
        state.read_only = true;
        for key in 0..KEYS_MAX {
            state.set(key.to_string(), vec![0; VALUE_BYTES_MAX]).await.unwrap().unwrap();
        }
        let too_large = |set: wasmtime::Result<_>| matches!(set.unwrap(), Err(CheckpointError::TooLarge));
        assert!(too_large(state.set("one more".to_owned(), vec![]).await));
        assert!(too_large(state.set("0".to_owned(), vec![0; VALUE_BYTES_MAX + 1]).await));
        assert!(kept.notes.lock().unwrap().is_empty());
    }
}
