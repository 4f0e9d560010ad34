//! One history: a few runs, and as many engines as it takes to bring them to their ends.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

use driver::{Admission, Driver, Error};
use journal::Journal;
use runwright_core::{By, Cause, RunId, Runbook, Timestamp};
use serde_json::json;
use tokio::runtime::Builder;

use crate::disk::Disk;
use crate::outside::Outside;
use crate::person;
use crate::runbooks::runbook;
use crate::schedule::End;
use crate::world::{Time, World};

/// Engines in one history, at most: who needs more makes no progress.
const LIVES_MAX: u64 = 40;

/// A script that does nothing for so long never will.
const PATIENCE: Duration = Duration::from_secs(10);

/// It is costly to make, and keeps nothing of what it evaluated.
static SCRIPTS: OnceLock<Arc<script::Engine>> = OnceLock::new();

/// What happened in one history.
#[derive(Debug, PartialEq)]
pub(crate) struct History {
    pub(crate) seed: u64,
    pub(crate) kills: u64,
    pub(crate) faults: u64,
    pub(crate) effects: u32,
    /// How deep the steps stood that began: 4 is a step in a step in a step in a step.
    pub(crate) depth: usize,
    /// The first promise that was broken.
    pub(crate) broken: Option<String>,
    pub(crate) story: Vec<String>,
    /// Its runs as JSON, one a line.
    pub(crate) runs: String,
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.story.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        let Self { seed, kills, faults, effects, .. } = self;
        write!(f, "seed {seed}: {kills} kills, {faults} faults, {effects} effects")?;
        self.broken.as_ref().map_or(Ok(()), |broken| write!(f, "; broken: {broken}"))
    }
}

/// A run that is to be.
pub(crate) struct Wish {
    pub(crate) id: RunId,
    pub(crate) runbook: Arc<Runbook>,
    n: u64,
}

impl Wish {
    pub(crate) fn admission(&self) -> Admission {
        let by = By { who: "ada".into(), why: String::new() };
        let inputs = json!({ "n": self.n }).as_object().cloned().unwrap_or_default();
        Admission { runbook: Arc::clone(&self.runbook), inputs, cause: Cause::Person { by } }
    }
}

/// How an engine left the world.
pub(crate) enum Left {
    /// Everything that was to be done is done.
    Done,
    /// It was stopped, or its disk failed.
    Stopped,
}

/// The history of this seed.
pub(crate) fn history(seed: u64) -> History {
    let scripts = SCRIPTS.get_or_init(|| Arc::new(script::Engine::new(script::Limits::default())));
    let world = Arc::new(World::new(seed, Arc::clone(scripts)));
    let mut dice = world.dice(format_args!("wishes"));
    let wishes: Vec<Wish> = (0..1 + dice.below(3))
        .map(|n| {
            let mut random = [0; 10];
            random[0] = n as u8;
            let id = RunId::new(Timestamp::from_millis(1), random);
            Wish { id, runbook: Arc::new(runbook(&mut dice)), n: dice.below(3) }
        })
        .collect();
    for wish in &wishes {
        world.books().story.push(format!("run {}: {:#?}", wish.id, wish.runbook));
    }
    let kills = lives(&world, &wishes);
    let mut runs = String::new();
    for wish in &wishes {
        match world.journal.history(wish.id) {
            Ok(records) if !records.is_empty() => {
                world.books().replayed(&records);
                runs += &format!("{}\n", json!({ "runbook": *wish.runbook, "records": records }));
            }
            Ok(_) => {}
            Err(error) => world.books().blame(format!("5: {error}")),
        }
    }
    let mut books = world.books();
    let (effects, depth, story) = (books.effects_in_all(), books.depth(), std::mem::take(&mut books.story));
    History {
        seed,
        kills,
        faults: world.faults.load(Relaxed),
        effects,
        depth,
        broken: books.broken.take(),
        story,
        runs,
    }
}

/// Lets one engine live after the other; returns how many were killed.
fn lives(world: &Arc<World>, wishes: &[Wish]) -> u64 {
    let mut dice = world.dice(format_args!("lives"));
    let faulty = dice.below(12);
    let (mut now, mut kills, mut taken_back) = (1_000_000_000, 0, BTreeSet::new());
    for life in 0..LIVES_MAX {
        world.calm.store(life >= faulty, Relaxed);
        world.life.store(life, Relaxed);
        world.journal.restart();
        let dies_at = (life < faulty && dice.percent(85)).then(|| {
            let soon = dice.one(&[8, 30, 120]);
            1 + dice.below(soon)
        });
        world.books().story.push(format!("== engine {life} at {now}, dies at {dies_at:?}"));
        let left = one_life(world, wishes, now, dies_at, &mut taken_back);
        match left {
            Some(Left::Done) => return kills,
            Some(Left::Stopped) => {}
            None => kills += 1,
        }
        if world.books().broken.is_some() {
            return kills;
        }
        let away = dice.one(&[0, 1_000, 60_000, 86_400_000]);
        // A wall clock may be set back while no engine lives.
        let back = if dice.percent(10) { 3_600_000 } else { 0 };
        now = (world.schedule.now_ms() + dice.below(away + 1)).saturating_sub(back).max(1_000_000);
    }
    world.books().blame(format!("4: not every run came to its end in {LIVES_MAX} lives"));
    kills
}

/// The life of one engine; none if it was killed.
fn one_life(
    world: &Arc<World>,
    wishes: &[Wish],
    now: u64,
    dies_at: Option<u64>,
    taken_back: &mut BTreeSet<RunId>,
) -> Option<Left> {
    let ends = world.schedule.begin(now, dies_at);
    let idle = Arc::clone(world);
    let runtime = Builder::new_current_thread().on_thread_park(move || idle.schedule.idle()).build();
    let runtime = runtime.unwrap_or_else(|error| panic!("no runtime: {error}"));
    let _patience = patience(Arc::clone(world));
    let awake = Arc::clone(world);
    runtime.spawn(async move { awake.schedule.keeps_going().await });
    runtime.block_on(async {
        let journal = Arc::new(Disk::new(Arc::clone(world)));
        let outside = Arc::new(Outside(Arc::clone(world)));
        let driver = Driver::new(journal, outside, Arc::new(Time(Arc::clone(world))), Arc::clone(&world.scripts));
        tokio::select! {
            biased;
            end = ends => {
                if end == Ok(End::Stuck) {
                    world.books().blame("4: nothing can happen any more, and somebody waits".into());
                }
                None
            }
            left = person::looks_after(world, &driver, wishes, taken_back) => Some(left),
        }
    })
}

/// Looks every now and then, until the answer is dropped, whether a script neither asks nor ends, so that it shows as a
/// history that is stuck and not as a test that hangs.
fn patience(world: Arc<World>) -> mpsc::Sender<()> {
    let (over, life) = mpsc::channel();
    std::thread::spawn(move || {
        let mut seen = u64::MAX;
        while life.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            let (happened, stuck) = world.schedule.gives_up_on_scripts(seen);
            seen = happened;
            if stuck {
                world.books().story.push("-- a script neither asks nor ends".into());
            }
        }
    });
    over
}

/// Whether an engine may answer so to a person.
pub(crate) fn is_answer(error: &Error) -> bool {
    matches!(error, Error::Misfit(_) | Error::Over { .. } | Error::Stopped | Error::Busy { .. } | Error::NoSuchRun(_))
}
