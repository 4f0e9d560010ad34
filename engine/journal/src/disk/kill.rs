//! The switch for crash tests, in debug builds only: the process kills itself at a chosen record.
//!
//! `RUNWRIGHT_KILL_AT=after:N`: right after the commit with the N-th record that this process writes is durable, before
//! anyone is told. `RUNWRIGHT_KILL_AT=before:N`: right before that commit is written, so that nothing of it is durable.
//! Every commit then is a write of its own.

#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Kill {
    #[cfg(debug_assertions)]
    at: Option<(When, usize)>,
    #[cfg(debug_assertions)]
    seen: usize,
}

#[cfg(debug_assertions)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Before,
    After,
}

#[cfg(not(debug_assertions))]
impl Kill {
    pub(crate) fn from_env() -> Self {
        Self::default()
    }

    pub(crate) fn is_armed(self) -> bool {
        false
    }

    pub(crate) fn before(&mut self, _records: usize) {}

    pub(crate) fn after(&mut self, _records: usize) {}
}

#[cfg(debug_assertions)]
impl Kill {
    pub(crate) fn from_env() -> Self {
        let at = std::env::var("RUNWRIGHT_KILL_AT").ok().and_then(|text| parse(&text));
        Self { at, seen: 0 }
    }

    pub(crate) fn is_armed(self) -> bool {
        self.at.is_some()
    }

    /// `records` records are about to be written.
    pub(crate) fn before(&mut self, records: usize) {
        if self.at.is_some_and(|(when, nth)| when == When::Before && self.seen + records >= nth) {
            die();
        }
    }

    /// `records` records became durable.
    pub(crate) fn after(&mut self, records: usize) {
        self.seen += records;
        if self.at.is_some_and(|(when, nth)| when == When::After && self.seen >= nth) {
            die();
        }
    }
}

#[cfg(debug_assertions)]
fn parse(text: &str) -> Option<(When, usize)> {
    let (when, nth) = text.split_once(':')?;
    let when = match when {
        "before" => When::Before,
        "after" => When::After,
        _ => return None,
    };
    Some((when, nth.parse().ok().filter(|nth| *nth > 0)?))
}

#[cfg(debug_assertions)]
fn die() {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    loop {
        std::thread::park();
    }
}
