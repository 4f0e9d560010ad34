//! Compiled texts, kept while they are used.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Keeps the values of the texts that were used last, in two generations: a text that is not used while as many others
/// as fit are added is forgotten.
pub(crate) struct Cache<T> {
    generations: Mutex<Generations<T>>,
    capacity: usize,
    capacity_bytes: usize,
}

struct Generations<T> {
    young: HashMap<Box<str>, Arc<T>>,
    young_bytes: usize,
    old: HashMap<Box<str>, Arc<T>>,
}

impl<T> Cache<T> {
    /// A cache of at most `capacity` texts of `capacity_bytes` in all.
    pub(crate) fn new(capacity: usize, capacity_bytes: usize) -> Self {
        let generations = Generations { young: HashMap::new(), young_bytes: 0, old: HashMap::new() };
        Self { generations: Mutex::new(generations), capacity: capacity / 2, capacity_bytes: capacity_bytes / 2 }
    }

    /// The value of `text`, made by `make` where it is not known. Errors are not kept.
    pub(crate) fn get<E>(&self, text: &str, make: impl FnOnce() -> Result<T, E>) -> Result<Arc<T>, E> {
        let found = {
            let mut generations = self.lock();
            if let Some(value) = generations.young.get(text) {
                return Ok(Arc::clone(value));
            }
            generations.old.remove(text)
        };
        let value = match found {
            Some(value) => value,
            None => Arc::new(make()?),
        };
        let mut generations = self.lock();
        if generations.young.len() >= self.capacity || generations.young_bytes + text.len() > self.capacity_bytes {
            generations.old = std::mem::take(&mut generations.young);
            generations.young_bytes = 0;
        }
        if generations.young.insert(text.into(), Arc::clone(&value)).is_none() {
            generations.young_bytes += text.len();
        }
        Ok(value)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Generations<T>> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_what_is_not_goes() {
        let cache = Cache::new(8, 1_000);
        let get = |text: &str, known: bool| {
            let mut made = false;
            let value = cache.get(text, || {
                made = true;
                Ok::<_, ()>(text.len())
            });
            assert_eq!((value.as_deref(), made), (Ok(&text.len()), !known), "{text}");
        };
        get("kept", false);
        for n in 0..100 {
            get("kept", true);
            get(&format!("other {n}"), false);
        }
        get("other 99", true);
        get("other 1", false);
        assert!(cache.get("bad", || Err("no")).is_err());
        let held = cache.generations.lock().unwrap();
        assert!(held.young.len() + held.old.len() <= 8);
    }

    #[test]
    fn long_texts_count_by_their_bytes() {
        let cache = Cache::new(1_000, 1_000);
        for n in 0..100 {
            cache.get(&format!("{n:0>300}"), || Ok::<_, ()>(n)).unwrap();
        }
        let held = cache.generations.lock().unwrap();
        assert!(held.young.len() + held.old.len() <= 4);
    }
}
