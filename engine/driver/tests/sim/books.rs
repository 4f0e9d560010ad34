//! The books that are kept outside the engine: of what is on the disk, and of what happened in the world. The rules that
//! they are checked by stand in `invariants.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use journal::Batch;
use runwright_core::{Attempt, Direction, Event, Key, Phase, Record, Run, RunId, RunStatus, Runbook, StepState, Work};

/// The books, and the first rule that was broken.
pub(crate) struct Books {
    pub(crate) honest: bool,
    pub(crate) runs: BTreeMap<RunId, Watched>,
    /// Runs, all of one name, whose turn it was and that are not over.
    pub(crate) begun: BTreeSet<RunId>,
    /// Who holds which lock.
    pub(crate) holders: BTreeMap<String, (RunId, String)>,
    /// How often each key acted.
    pub(crate) effects: BTreeMap<String, u32>,
    /// Keys under which an unsafe effect happened and must not happen again.
    pub(crate) spent: BTreeSet<String>,
    /// Runs that were told to stop.
    pub(crate) stopped: BTreeSet<RunId>,
    /// What a person said to try again.
    pub(crate) retried: BTreeSet<(RunId, String)>,
    /// Effects and records in their order, for people.
    pub(crate) story: Vec<String>,
    pub(crate) broken: Option<String>,
}

/// A run as its durable records make it.
pub(crate) struct Watched {
    pub(crate) run: Run,
    /// By path, the record with which a step completed.
    pub(crate) completed: BTreeMap<String, u64>,
    pub(crate) undone: Vec<Undone>,
}

/// An undo that began.
pub(crate) struct Undone {
    pub(crate) path: String,
    /// The record of that.
    pub(crate) began: u64,
    /// What had to wait then.
    pub(crate) held_back: BTreeSet<String>,
}

impl Books {
    pub(crate) fn new(honest: bool) -> Self {
        Self {
            honest,
            runs: BTreeMap::new(),
            begun: BTreeSet::new(),
            holders: BTreeMap::new(),
            effects: BTreeMap::new(),
            spent: BTreeSet::new(),
            stopped: BTreeSet::new(),
            retried: BTreeSet::new(),
            story: Vec::new(),
            broken: None,
        }
    }

    /// A rule was broken.
    pub(crate) fn blame(&mut self, what: String) {
        self.story.push(format!("!! {what}"));
        self.broken.get_or_insert(what);
    }

    /// The run by what is durable.
    pub(crate) fn run(&self, id: RunId) -> Option<Run> {
        self.runs.get(&id).map(|watched| watched.run.clone())
    }

    /// How often this key acted.
    pub(crate) fn effects(&self, key: &Key) -> u32 {
        self.effects.get(key.as_str()).copied().unwrap_or(0)
    }

    /// How many effects there were.
    pub(crate) fn effects_in_all(&self) -> u32 {
        self.effects.values().sum()
    }

    /// How deep the steps stand that began, at most. Items and calls have numbers, and are no deeper than what they are of.
    pub(crate) fn depth(&self) -> usize {
        let all = self.runs.values().flat_map(|watched| watched.run.attempts());
        let begun = all.filter(|(_, state)| state.forward.started > 0);
        let is_step = |name: &&str| name.parse::<u32>().is_err() && *name != "between";
        begun.map(|(_, state)| state.path.split('/').filter(is_step).count()).max().unwrap_or(0)
    }

    /// Where a step stands by what is durable.
    pub(crate) fn state(&self, run: RunId, path: &str) -> Option<&StepState> {
        self.runs.get(&run)?.run.step(path).map(|(_, state)| &state.state)
    }

    /// Whether what is called there now is a script.
    pub(crate) fn is_script(&self, run: RunId, path: &str) -> bool {
        let step = self.runs.get(&run).and_then(|watched| watched.run.step(path));
        step.is_some_and(|(step, state)| match state.active() {
            Some(Attempt { direction, phase: Phase::Calling, .. }) => {
                matches!(step.work(*direction), Work::Script { .. })
            }
            _ => false,
        })
    }

    /// Whether an attempt of this script is in flight.
    pub(crate) fn is_calling(&self, run: RunId, script: &str) -> bool {
        let state = self.state(run, script);
        matches!(state, Some(StepState::Active(Attempt { direction: Direction::Forward, phase: Phase::Calling, .. })))
    }

    /// A batch became durable.
    pub(crate) fn committed(&mut self, batch: &Batch) {
        for record in &batch.records {
            self.story.push(format!("{:>5} {} {}", record.seq, record.run, line(record)));
            let fits = if let Event::Created { runbook, .. } = &record.event {
                let source = batch.sources.iter().find(|(digest, _)| digest == runbook);
                let parsed = source.and_then(|(_, bytes)| serde_json::from_slice::<Runbook>(bytes).ok());
                let known = self.runs.values().map(|w| Arc::clone(w.run.runbook())).find(|b| b.source().0 == *runbook);
                parsed.map(Arc::new).or(known).ok_or("no source".to_owned()).and_then(|book| self.create(book, record))
            } else {
                self.record(record)
            };
            if let Err(misfit) = fits {
                self.blame(format!("5: record {} can't be replayed: {misfit}", record.seq));
            }
        }
        for head in &batch.heads {
            if self.runs.get(&head.run).is_none_or(|watched| watched.run.head() != *head) {
                self.blame(format!("5: the engine thinks {head:?}, and the history says something else"));
            }
        }
    }

    fn create(&mut self, runbook: Arc<Runbook>, record: &Record) -> Result<(), String> {
        let run = Run::create(runbook, record).map_err(|misfit| misfit.to_string())?;
        if run.status() != RunStatus::Queued {
            self.begun.insert(record.run);
        }
        self.runs.insert(record.run, Watched { run, completed: BTreeMap::new(), undone: Vec::new() });
        Ok(())
    }

    fn record(&mut self, record: &Record) -> Result<(), String> {
        let Some(watched) = self.runs.get_mut(&record.run) else { return Err("its run was not created".into()) };
        let before = watched.run.clone();
        watched.run.apply(record).map_err(|misfit| misfit.to_string())?;
        let is_derived = watched.run == watched.run.derived_afresh();
        for path in paths(&watched.run) {
            let is = |run: &Run| {
                run.step(&path).is_some_and(|(_, s)| matches!(s.state, StepState::Succeeded | StepState::Failed))
            };
            if is(&watched.run) && !is(&before) {
                watched.completed.insert(path, record.seq);
            }
        }
        let after = watched.run.clone();
        let blames = [
            self.lock_rule(&before, &after, record),
            self.stop_rule(&before, record),
            self.undo_rule(&before, record),
            self.truth_rule(record),
            (!is_derived).then(|| format!("12: after record {} something was not derived again", record.seq)),
        ];
        blames.into_iter().flatten().for_each(|blame| self.blame(blame));
        self.licence(&before, record);
        Ok(())
    }
}

/// The paths of everything that has a place in the run.
pub(crate) fn paths(run: &Run) -> Vec<String> {
    run.attempts().map(|(_, state)| state.path.to_string()).collect()
}

/// The path and those of all that is around it, from within.
pub(crate) fn around(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| path.rsplit_once('/').map(|(above, _)| above))
}

/// A record for people, without what differs between two histories of one seed: what scripts drew at random.
fn line(record: &Record) -> String {
    let at = record.at.millis();
    match &record.event {
        Event::Noted { step, note: runwright_core::Note::Value { function, .. }, .. } => {
            format!("{at} noted {step} {function}()")
        }
        Event::Created { inputs, lock, .. } => format!("{at} created {inputs:?} {lock:?}"),
        event => format!("{at} {event:?}"),
    }
}
