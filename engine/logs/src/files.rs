//! Lines in files: a folder for each run that said something.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, thread};

use runwright_core::{Line, RunId};

use crate::queue::Queue;
use crate::segments::{self, End, FIRST, NEWEST};
use crate::{Logs, Place};

/// Ends of runs that are remembered: of others they are looked up again.
const ENDS_MAX: usize = 1_024;

/// Keeps lines below a folder, of each run so many bytes at most: its first lines and its newest.
///
/// One thread writes; it is started by the first line. Lines of one moment are one write.
pub struct LogFiles {
    folder: PathBuf,
    /// Bytes of one file of a run.
    segment_bytes: u64,
    queue: Arc<Queue>,
}

impl LogFiles {
    /// Keeps lines below `folder`, which need not be there, and of each run `run_bytes` at most; with 0 none.
    pub fn new(folder: impl Into<PathBuf>, run_bytes: u64) -> Self {
        Self { folder: folder.into(), segment_bytes: run_bytes / (FIRST + NEWEST), queue: Arc::default() }
    }

    fn of(&self, run: RunId) -> PathBuf {
        self.folder.join(run.to_string())
    }

    /// Starts the thread that writes.
    fn start(&self) {
        let mut state = self.queue.state();
        if state.is_written {
            return;
        }
        let mut writer = Writer {
            folder: self.folder.clone(),
            segment_bytes: self.segment_bytes,
            queue: Arc::clone(&self.queue),
            ends: HashMap::new(),
        };
        match thread::Builder::new().name("logs".to_owned()).spawn(move || writer.live()) {
            Ok(_) => state.is_written = true,
            Err(error) => state.trouble = Some(format!("no thread to write what steps say: {error}")),
        }
    }
}

impl Logs for LogFiles {
    fn keep(&self, run: RunId, line: Line) {
        if self.segment_bytes > 0 && !self.queue.push(run, line) {
            self.start();
        }
    }

    fn settle(&self, patience: Duration) {
        self.queue.settle(patience);
    }

    fn read(&self, run: RunId, from: Place, each: &mut dyn FnMut(Line) -> bool) -> io::Result<Place> {
        segments::read(&self.of(run), from, each)
    }

    fn retain(&self, known: &mut dyn FnMut(RunId) -> bool) -> io::Result<usize> {
        let (mut forgotten, mut failed) = (0, None);
        for run in runs(&self.folder)?.into_iter().filter(|run| !known(*run)) {
            match fs::remove_dir_all(self.of(run)) {
                Ok(()) => forgotten += 1,
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(forgotten), Err)
    }

    fn trouble(&self) -> Option<String> {
        self.queue.state().trouble.clone()
    }
}

impl Drop for LogFiles {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// The runs of which something is kept.
fn runs(folder: &Path) -> io::Result<Vec<RunId>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut runs = Vec::new();
    for entry in entries {
        runs.extend(entry?.file_name().to_str().and_then(|name| name.parse::<RunId>().ok()));
    }
    Ok(runs)
}

/// The thread that writes.
struct Writer {
    folder: PathBuf,
    segment_bytes: u64,
    queue: Arc<Queue>,
    ends: HashMap<RunId, End>,
}

impl Writer {
    fn live(&mut self) {
        while let Some(lines) = self.queue.take() {
            let count = lines.len();
            let mut by_run: HashMap<RunId, Vec<Line>> = HashMap::new();
            for (run, line) in lines {
                by_run.entry(run).or_default().push(line);
            }
            for (run, lines) in by_run {
                self.keep(run, lines);
            }
            self.queue.dealt(count);
        }
    }

    /// Writes the lines of one run; what can't be written is told of once, and counted.
    fn keep(&mut self, run: RunId, mut lines: Vec<Line>) {
        let lost = self.queue.state().lost.remove(&run).unwrap_or(0);
        if let Some(first) = lines.first_mut() {
            first.left_out += lost;
        }
        let Err((written, error)) = self.append(run, &lines) else {
            if self.queue.state().trouble.take().is_some() {
                tracing::info!("what steps say is kept again");
            }
            return;
        };
        self.ends.remove(&run);
        let why = format!("what steps say can't be kept: {}: {error}", self.folder.display());
        let mut state = self.queue.state();
        state.lose(run, lines[written..].iter().map(|line| 1 + line.left_out).sum());
        if state.trouble.is_none() {
            tracing::warn!("{why}; runs go on without it");
        }
        state.trouble = Some(why);
    }

    fn append(&mut self, run: RunId, lines: &[Line]) -> Result<(), (usize, io::Error)> {
        if self.ends.len() >= ENDS_MAX {
            self.ends.clear();
        }
        let end = match self.ends.entry(run) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(End::find(self.folder.join(run.to_string())).map_err(|error| (0, error))?),
        };
        end.append(lines, self.segment_bytes)
    }
}

#[cfg(test)]
mod tests;
