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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::bindings::clock::Host;
    use crate::ending::Ending;
    use crate::notes::Silent;
    use crate::state::bare;

    #[tokio::test]
    async fn a_sleep_ends_with_the_call() {
        let mut state = bare("", Arc::new(Silent));
        assert!(state.now_ms().await.unwrap() > 1_700_000_000_000);
        assert!(state.sleep_ms(1).await.unwrap() && !state.cancelled().await.unwrap());
        state.ending = Ending::after(Duration::from_millis(10));
        assert!(!state.sleep_ms(60_000).await.unwrap() && state.cancelled().await.unwrap());
        let (cancel, cancelled) = tokio::sync::watch::channel(true);
        state.ending = Ending::new(Duration::from_secs(60), cancelled);
        assert!(!state.sleep_ms(60_000).await.unwrap() && state.cancelled().await.unwrap());
        drop(cancel);
    }
}
