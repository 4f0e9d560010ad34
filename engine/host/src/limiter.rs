//! The memory and tables that one call takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wasmtime::ResourceLimiter;

use crate::limits::{Limits, size};

/// Counts what the wasm side of one call takes; gives it back when it is dropped.
#[derive(Debug)]
pub(crate) struct Limiter {
    limits: Arc<Limits>,
    total: Arc<AtomicUsize>,
    memory: usize,
    elements: usize,
    refused: Option<String>,
}

impl Limiter {
    /// `total` is what all calls take together.
    pub(crate) fn new(limits: Arc<Limits>, total: Arc<AtomicUsize>) -> Self {
        Self { limits, total, memory: 0, elements: 0, refused: None }
    }

    /// What was refused, in words, if anything was.
    pub(crate) fn refused(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    fn memory(&mut self, more: usize) -> Result<(), String> {
        let limit = self.limits.memory_bytes;
        if self.memory.saturating_add(more) > limit {
            return Err(format!(
                "needs more memory than its limit of {}; raise memory-bytes under [limits] in runwright.toml if it \
                 should have more",
                size(limit)
            ));
        }
        let all = self.limits.memory_bytes_total;
        let fits = |taken: usize| taken.checked_add(more).filter(|sum| *sum <= all);
        if self.total.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_err() {
            return Err(format!(
                "got no memory: all plugins together need more than their limit of {}; raise memory-bytes-total or lower calls \
                 under [limits] in runwright.toml",
                size(all)
            ));
        }
        self.memory += more;
        Ok(())
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let granted = self.memory(desired.saturating_sub(current));
        self.refused = granted.err();
        Ok(self.refused.is_none())
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let elements = self.elements.saturating_add(desired.saturating_sub(current));
        if elements > self.limits.table_elements {
            let limit = self.limits.table_elements;
            self.refused = Some(format!(
                "needs tables of more than {limit} elements; raise table-elements under [limits] in runwright.toml \
                 if it should have more"
            ));
            return Ok(false);
        }
        self.elements = elements;
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.limits.instances
    }

    fn tables(&self) -> usize {
        self.limits.instances
    }

    fn memories(&self) -> usize {
        self.limits.instances
    }
}

impl Drop for Limiter {
    fn drop(&mut self) {
        self.total.fetch_sub(self.memory, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_call_and_all_calls_are_bounded_and_memory_comes_back() {
        let limits = Arc::new(Limits { memory_bytes: 100, memory_bytes_total: 150, ..Limits::default() });
        let total = Arc::default();
        let mut one = Limiter::new(Arc::clone(&limits), Arc::clone(&total));
        let mut two = Limiter::new(limits, Arc::clone(&total));
        assert!(one.memory_growing(0, 100, None).unwrap());
        assert!(!one.memory_growing(100, 101, None).unwrap());
        assert!(one.refused().unwrap().contains("raise memory-bytes under [limits]"));
        assert!(!two.memory_growing(0, 51, None).unwrap());
        assert!(two.refused().unwrap().contains("all plugins together"));
        drop(one);
        assert!(two.memory_growing(0, 51, None).unwrap());
        assert_eq!(two.refused(), None);
        drop(two);
        assert_eq!(total.load(Ordering::Relaxed), 0);
    }
}
