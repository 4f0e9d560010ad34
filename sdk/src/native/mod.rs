//! The capabilities without an engine, for tests of a plugin on the host: they act on this machine.

pub(crate) mod exec;
pub(crate) mod http;
pub(crate) mod unix;

pub(crate) mod log {
    use crate::bindings::runwright::plugin::log::Level;

    pub(crate) fn log(level: Level, message: &str) {
        eprintln!("{level:?}: {message}");
    }

    pub(crate) fn progress(percent: Option<u8>, note: &str) {
        match percent {
            Some(percent) => eprintln!("progress: {percent} %: {note}"),
            None => eprintln!("progress: {note}"),
        }
    }
}

pub(crate) mod clock {
    use std::time::{Duration, SystemTime};

    pub(crate) fn now_ms() -> u64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(0, |since| since.as_millis() as u64)
    }

    pub(crate) fn sleep_ms(ms: u32) -> bool {
        std::thread::sleep(Duration::from_millis(ms.into()));
        true
    }

    pub(crate) fn cancelled() -> bool {
        false
    }
}

pub(crate) mod checkpoint {
    use std::{cell::RefCell, collections::BTreeMap};

    use crate::bindings::runwright::plugin::checkpoint::CheckpointError;

    type Answered<T> = Result<T, CheckpointError>;

    thread_local! {
        static NOTES: RefCell<BTreeMap<String, Vec<u8>>> = const { RefCell::new(BTreeMap::new()) };
    }

    pub(crate) fn get(key: &str) -> Answered<Option<Vec<u8>>> {
        Ok(NOTES.with_borrow(|notes| notes.get(key).cloned()))
    }

    pub(crate) fn set(key: &str, value: &[u8]) -> Answered<()> {
        NOTES.with_borrow_mut(|notes| notes.insert(key.into(), value.into()));
        Ok(())
    }

    pub(crate) fn remove(key: &str) -> Answered<()> {
        NOTES.with_borrow_mut(|notes| notes.remove(key));
        Ok(())
    }
}

pub(crate) mod secrets {
    use crate::bindings::runwright::plugin::secrets::SecretError;

    pub(crate) fn get(_name: &str) -> Result<String, SecretError> {
        Err(SecretError::Denied)
    }
}
