//! Who holds which lock, and who is at work of each runbook.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use runwright_core::RunId;
use tokio::sync::oneshot;

/// The locks of one engine. What is held stands in the journal: a run or a step holds its lock from its `locked` event to
/// its end, also while no engine lives; this table is filled again from the runs that are resumed.
#[derive(Debug, Default)]
pub(crate) struct Locks(Mutex<HashMap<Key, Line>>);

/// What is claimed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// A lock.
    Lock(String),
    /// A place among the runs that have or want this lock: any number does.
    Wanted(String),
    /// A place among the runs of the runbook with this name.
    Runs(String),
}

/// Who claims: a run, or the step at a path of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Holder {
    pub(crate) run: RunId,
    /// Empty for the run.
    pub(crate) path: String,
}

/// Who holds one lock, and who waits for it, in the order in which they came.
#[derive(Debug, Default)]
struct Line {
    holders: BTreeSet<Holder>,
    waiting: VecDeque<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    who: Holder,
    /// So many hold it at the same time, this one among them.
    at_once: usize,
    /// It gives up rather than that others do: it does something new, and takes nothing back.
    yields: bool,
    turn: oneshot::Sender<Comes>,
}

/// What comes to who waits: the turn, or the run because of which it never would.
pub(crate) type Comes = Result<(), RunId>;

/// What became of a claim.
#[derive(Debug)]
pub(crate) enum Turn {
    /// It is held.
    Held,
    /// Others hold it; this resolves when it is this one's turn.
    Waits(oneshot::Receiver<Comes>),
    /// Its turn would never come: this run holds it, and waits for what the one that claims holds.
    Never(RunId),
}

impl Holder {
    pub(crate) fn of_run(run: RunId) -> Self {
        Self { run, path: String::new() }
    }

    /// Whether what this one does is a part of what the other one does.
    fn is_in(&self, other: &Self) -> bool {
        let below = || self.path.strip_prefix(&other.path).is_some_and(|rest| rest.starts_with('/'));
        self.run == other.run && (other.path.is_empty() || self.path == other.path || below())
    }
}

impl Locks {
    /// Claims it for `who`, who gets in line where `at_once` others hold it. Where all would wait for each other one gives up:
    /// who claims, or, where that does not yield, the first that does.
    pub(crate) fn claim(&self, key: &Key, who: &Holder, at_once: usize, yields: bool) -> Turn {
        let mut lines = self.lines();
        let line = lines.entry(key.clone()).or_default();
        if line.holders.contains(who) {
            return Turn::Held;
        }
        if line.holders.len() < at_once && (line.waiting.is_empty() || at_once == usize::MAX) {
            line.holders.insert(who.clone());
            return Turn::Held;
        }
        // A run that has not begun holds nothing that anybody waits for but its place, and who waits for a place holds nothing.
        while !who.path.is_empty()
            && let Some(circle) = circle(&lines, key, who)
        {
            let holder = lines.get(key).and_then(|line| line.holders.first()).map_or(who.run, |holder| holder.run);
            if yields || !give_up(&mut lines, &circle, who.run) {
                return Turn::Never(holder);
            }
        }
        let (turn, comes) = oneshot::channel();
        let waiter = Waiter { who: who.clone(), at_once, yields, turn };
        lines.entry(key.clone()).or_default().waiting.push_back(waiter);
        Turn::Waits(comes)
    }

    /// Who holds it.
    pub(crate) fn holders(&self, key: &Key) -> Vec<Holder> {
        self.lines().get(key).into_iter().flat_map(|line| line.holders.iter().cloned()).collect()
    }

    /// The run that holds it, or one of them.
    pub(crate) fn holder(&self, key: &Key) -> Option<RunId> {
        self.lines().get(key)?.holders.first().map(|holder| holder.run)
    }

    /// The locks that steps of this run hold, each with the step's path.
    pub(crate) fn of_steps(&self, run: RunId) -> Vec<(String, String)> {
        let lines = self.lines();
        let held = lines.iter().flat_map(|(key, line)| line.holders.iter().map(move |holder| (key, holder)));
        let of_step = |(key, holder): (&Key, &Holder)| match key {
            Key::Lock(key) if holder.run == run && !holder.path.is_empty() => Some((holder.path.clone(), key.clone())),
            _ => None,
        };
        held.filter_map(of_step).collect()
    }

    /// It is over: the turn goes to who waits longest, and who waits itself leaves the line.
    pub(crate) fn release(&self, key: &Key, who: &Holder) {
        let mut lines = self.lines();
        let Some(line) = lines.get_mut(key) else { return };
        line.waiting.retain(|waiter| waiter.who != *who);
        line.holders.remove(who);
        while let Some(first) = line.waiting.front() {
            if line.holders.len() >= first.at_once {
                break;
            }
            let Some(Waiter { who, turn, .. }) = line.waiting.pop_front() else { break };
            if turn.send(Ok(())).is_ok() {
                line.holders.insert(who);
            }
        }
        if line.holders.is_empty() && line.waiting.is_empty() {
            lines.remove(key);
        }
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<Key, Line>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who waits so that `who` would wait for itself if it waited for `key`: each with what it waits for. None if it would not.
fn circle(lines: &HashMap<Key, Line>, key: &Key, who: &Holder) -> Option<Vec<(Key, Holder)>> {
    let mut rest = vec![(key, Vec::new())];
    let mut seen: Vec<&Key> = Vec::new();
    while let Some((key, way)) = rest.pop() {
        if seen.contains(&key) {
            continue;
        }
        seen.push(key);
        for holder in lines.get(key).into_iter().flat_map(|line| &line.holders) {
            for (wanted, line) in lines.iter().filter(|(key, _)| matches!(key, Key::Lock(_))) {
                let Some(waiter) = line.waiting.iter().find(|waiter| waiter.who.is_in(holder)) else { continue };
                let way = way.iter().cloned().chain([(wanted.clone(), waiter.who.clone())]).collect();
                if line.holders.iter().any(|other| who.is_in(other)) {
                    return Some(way);
                }
                rest.push((wanted, way));
            }
        }
    }
    None
}

/// Of those in the circle the first that yields leaves its line, and is told because of which run. False if none does.
fn give_up(lines: &mut HashMap<Key, Line>, circle: &[(Key, Holder)], because: RunId) -> bool {
    for (key, who) in circle {
        let Some(line) = lines.get_mut(key) else { continue };
        let Some(at) = line.waiting.iter().position(|waiter| waiter.who == *who && waiter.yields) else { continue };
        line.waiting.remove(at).map(|waiter| waiter.turn.send(Err(because)));
        return true;
    }
    false
}

#[cfg(test)]
mod tests {
    use runwright_core::Timestamp;

    use super::*;

    fn run(n: u64) -> RunId {
        RunId::new(Timestamp::from_millis(n), [0; 10])
    }

    fn step(n: u64, path: &str) -> Holder {
        Holder { run: run(n), path: path.to_owned() }
    }

    fn lock(key: &str) -> Key {
        Key::Lock(key.to_owned())
    }

    #[test]
    fn a_lock_goes_to_who_waits_longest_and_still_does() {
        let (locks, key) = (Locks::default(), lock("vm"));
        let (first, second, third) = (step(1, ""), step(2, ""), step(3, ""));
        assert!(matches!(locks.claim(&key, &first, 1, true), Turn::Held));
        assert!(matches!(locks.claim(&key, &first, 1, true), Turn::Held), "a holder holds it already");
        let Turn::Waits(gone) = locks.claim(&key, &second, 1, true) else { panic!("it is held") };
        let Turn::Waits(mut comes) = locks.claim(&key, &third, 1, true) else { panic!("it is held") };
        drop(gone);
        assert!(comes.try_recv().is_err());
        locks.release(&key, &first);
        assert_eq!((comes.try_recv(), locks.holder(&key)), (Ok(Ok(())), Some(run(3))));
        locks.release(&key, &first);
        assert_eq!(locks.holder(&key), Some(run(3)), "only the holder releases it");
        locks.release(&key, &third);
        assert_eq!(locks.holder(&key), None);
    }

    #[test]
    fn so_many_runs_are_at_work_and_those_without_a_bound_count() {
        let (locks, key) = (Locks::default(), Key::Runs("patch".to_owned()));
        assert!(matches!(locks.claim(&key, &step(1, ""), usize::MAX, true), Turn::Held));
        assert!(matches!(locks.claim(&key, &step(2, ""), 2, true), Turn::Held));
        let Turn::Waits(mut third) = locks.claim(&key, &step(3, ""), 2, true) else { panic!("two are at work") };
        assert!(matches!(locks.claim(&key, &step(4, ""), usize::MAX, true), Turn::Held));
        locks.release(&key, &step(1, ""));
        assert!(third.try_recv().is_err(), "two are at work still");
        locks.release(&key, &step(4, ""));
        assert!(third.try_recv().is_ok());
    }

    #[test]
    fn nobody_waits_in_a_circle() {
        let locks = Locks::default();
        let hold = |key: &str, who: &Holder| assert!(matches!(locks.claim(&lock(key), who, 1, true), Turn::Held));
        let wait = |key: &str, who: &Holder| locks.claim(&lock(key), who, 1, true);
        hold("a", &step(1, "x"));
        hold("b", &step(2, ""));
        hold("c", &step(3, "y"));
        let Turn::Waits(_second) = wait("a", &step(2, "z")) else { panic!("it is held") };
        assert!(matches!(wait("b", &step(1, "x/inner")), Turn::Never(id) if id == run(2)));
        let Turn::Waits(_beside) = wait("b", &step(1, "beside")) else { panic!("x comes to its end by itself") };
        let Turn::Waits(_third) = wait("b", &step(3, "y/1")) else { panic!("it is held") };
        let Turn::Never(through) = wait("c", &step(1, "x")) else { panic!("through two others") };
        assert_eq!(through, run(3));
    }

    #[test]
    fn two_branches_of_one_run_wait_for_each_other_too() {
        let locks = Locks::default();
        let claim = |key: &str, path: &str| locks.claim(&lock(key), &step(1, path), 1, true);
        assert!(matches!(claim("a", "one"), Turn::Held) && matches!(claim("b", "two"), Turn::Held));
        let Turn::Waits(_one) = claim("b", "one/in") else { panic!("it is held") };
        assert!(matches!(claim("a", "two/in"), Turn::Never(_)));
    }

    #[test]
    fn an_undo_does_not_give_up_for_what_goes_forward() {
        let locks = Locks::default();
        let claim = |key: &str, who: &Holder, yields| locks.claim(&lock(key), who, 1, yields);
        assert!(
            matches!(claim("a", &step(1, "g"), true), Turn::Held)
                && matches!(claim("b", &step(2, "h"), true), Turn::Held)
        );
        let Turn::Waits(mut forward) = claim("a", &step(2, "h/x"), true) else { panic!("it is held") };
        let Turn::Waits(mut undo) = claim("b", &step(1, "g/y"), false) else { panic!("the other one gives up") };
        assert_eq!(forward.try_recv(), Ok(Err(run(1))));
        locks.release(&lock("b"), &step(2, "h"));
        assert_eq!(undo.try_recv(), Ok(Ok(())));
        // Two undos: nobody can give up but who comes last.
        assert!(matches!(claim("c", &step(3, ""), false), Turn::Held));
        let Turn::Waits(_first) = claim("c", &step(1, "g/z"), false) else { panic!("it is held") };
        assert!(matches!(claim("a", &step(3, "u"), false), Turn::Never(_)));
    }
}
