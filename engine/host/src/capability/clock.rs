//! `clock`: the time, a sleep that ends with the call, and whether the call is cancelled. Always granted.

use std::time::{Duration, SystemTime};

use crate::bindings::clock;
use crate::ending::End;
use crate::state::State;

impl clock::Host for State {
    async fn now_ms(&mut self) -> wasmtime::Result<u64> {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Ok(u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX))
    }

    /// True when the whole time has passed; false when the call was cancelled or reached its deadline before.
    async fn sleep_ms(&mut self, ms: u32) -> wasmtime::Result<bool> {
        let slept = self.ending.within(Some(Duration::from_millis(ms.into())), std::future::pending::<()>()).await;
        Ok(slept == Err(End::Timeout))
    }

    /// True also from the deadline on: whoever polls this in a loop should stop then.
    async fn cancelled(&mut self) -> wasmtime::Result<bool> {
        Ok(self.ending.cancelled() || self.ending.left().is_zero())
    }
}
