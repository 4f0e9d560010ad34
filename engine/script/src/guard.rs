//! What watches an evaluation while it runs: its time, its operations and its memory.
//!
//! One [`rhai::Engine`] serves every thread, and an evaluation stays on one thread; so what belongs to one evaluation is
//! in a thread-local that lives exactly as long.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rhai::{Dynamic, EvalAltResult, EvalContext, Position};

use crate::convert;
use crate::error::stop;
use crate::outside::World;

thread_local! {
    static WATCH: RefCell<Option<Watch>> = const { RefCell::new(None) };
    /// When everything that is evaluated [within](within) some time must have ended.
    static TOGETHER: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Calls `work`; whatever it evaluates on this thread takes at most `time` together.
pub(crate) fn within<T>(time: Duration, work: impl FnOnce() -> T) -> T {
    /// Puts back what was there, also after a panic.
    struct Restore(Option<Instant>);
    impl Drop for Restore {
        fn drop(&mut self) {
            TOGETHER.set(self.0);
        }
    }
    let before = Restore(TOGETHER.get());
    TOGETHER.set(Some(soonest(Instant::now() + time, before.0)));
    work()
}

fn soonest(end: Instant, other: Option<Instant>) -> Instant {
    other.map_or(end, |other| end.min(other))
}

/// What one evaluation may still use.
struct Watch {
    /// Operations that are left. Rhai's own count begins again in each closure that one of its functions calls.
    operations: u64,
    /// The limit that was passed. It ends whatever comes next too, because a script can catch an error that ends a
    /// function, and Rhai's functions for lists ignore those of their closures.
    ended: Option<&'static str>,
    deadline: Instant,
    cancel: Option<Arc<AtomicBool>>,
    data_bytes: usize,
    /// Bytes of the variables of each call, as last measured.
    levels: Vec<usize>,
    /// Bytes that functions for lists and maps have from their closures so far.
    collected: usize,
    /// Variable reads until they are measured again.
    unmeasured: usize,
    /// The variables from outside, and their bytes.
    outside: Variables,
    outside_bytes: usize,
    /// What answers the calls of a script; none while it does, and for expressions.
    world: Option<World>,
    /// Why the evaluation must end.
    halted: Option<String>,
}

/// Variables with their values.
pub(crate) type Variables = Vec<(String, Dynamic)>;

/// The bounds of one evaluation.
pub(crate) struct Bounds {
    pub(crate) operations: u64,
    pub(crate) time: Duration,
    pub(crate) cancel: Option<Arc<AtomicBool>>,
    pub(crate) data_bytes: usize,
    pub(crate) outside_bytes: usize,
    pub(crate) world: Option<World>,
}

/// What came of an evaluation.
pub(crate) struct Watched<T> {
    pub(crate) result: T,
    /// Why it was ended from outside.
    pub(crate) halted: Option<String>,
    /// The limit that it passed.
    pub(crate) ended: Option<&'static str>,
    /// The operations that are left.
    pub(crate) operations: u64,
}

/// Calls `evaluate` under `bounds`, with these variables from outside.
pub(crate) fn watched<T>(bounds: Bounds, outside: Variables, evaluate: impl FnOnce() -> T) -> Watched<T> {
    /// Puts back what was there, also after a panic.
    struct Restore(Option<Watch>);
    impl Drop for Restore {
        fn drop(&mut self) {
            WATCH.set(self.0.take());
        }
    }
    let watch = Watch {
        operations: bounds.operations,
        ended: None,
        deadline: soonest(Instant::now() + bounds.time, TOGETHER.get()),
        cancel: bounds.cancel,
        data_bytes: bounds.data_bytes,
        levels: Vec::new(),
        collected: 0,
        unmeasured: 0,
        outside_bytes: bounds.outside_bytes,
        outside,
        world: bounds.world,
        halted: None,
    };
    let before = Restore(WATCH.replace(Some(watch)));
    let result = evaluate();
    let watch = WATCH.with_borrow_mut(Option::take);
    drop(before);
    match watch {
        Some(Watch { halted, ended, operations, .. }) => Watched { result, halted, ended, operations },
        None => Watched { result, halted: None, ended: None, operations: 0 },
    }
}

/// Lets `ask` ask the world outside; none for an expression, which has none.
///
/// It may take long, since it waits for actions, which have deadlines of their own: that time is not the script's.
pub(crate) fn ask<T>(ask: impl FnOnce(&mut World) -> T) -> Option<T> {
    // Nothing is borrowed while it waits: whoever answers may evaluate something on this thread.
    let mut world = WATCH.with_borrow_mut(|watch| watch.as_mut()?.world.take())?;
    let begin = Instant::now();
    let answer = ask(&mut world);
    WATCH.with_borrow_mut(|watch| {
        if let Some(watch) = watch.as_mut() {
            watch.world = Some(world);
            watch.deadline += begin.elapsed();
        }
    });
    Some(answer)
}

/// Ends the evaluation with whatever it does next, though it caught the error that comes first: Rhai wraps what ends a
/// function into an error that can be caught.
pub(crate) fn halt(why: String) {
    WATCH.with_borrow_mut(|watch| {
        if let Some(watch) = watch.as_mut() {
            watch.halted.get_or_insert(why);
        }
    });
}

/// Called by Rhai at every operation: a value ends the evaluation.
pub(crate) fn progress(_: u64) -> Option<Dynamic> {
    WATCH.with_borrow_mut(|watch| {
        let watch = watch.as_mut()?;
        if watch.halted.is_some() {
            return Some(stop::HALTED.into());
        }
        watch.ended = watch.ended.or_else(|| watch.operation());
        watch.ended.map(Dynamic::from)
    })
}

/// Called by Rhai at every use of a variable: gives the value of one from outside.
///
/// Those are not in Rhai's own scope, because a closure that captured one would lock it, and then
/// `inputs.tags.map(|tag| tag + inputs.suffix)` would be refused as a data race.
pub(crate) fn variable(name: &str, index: usize, context: &EvalContext) -> Result<Option<Dynamic>, Box<EvalAltResult>> {
    WATCH.with_borrow_mut(|watch| {
        let Some(watch) = watch.as_mut() else { return Ok(None) };
        watch.measure(context)?;
        if index > 0 || context.scope().contains(name) {
            return Ok(None);
        }
        Ok(watch.outside.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()))
    })
}

/// Reads of variables between two measurements, at most. One read can nest a value by as many levels as an expression
/// has; what nests a thousand levels still fits the smallest stack, in Rhai's functions too.
const READS_UNMEASURED_MAX: usize = 32;

impl Watch {
    /// Counts an operation; the limit that it passes, if it does.
    fn operation(&mut self) -> Option<&'static str> {
        let Some(left) = self.operations.checked_sub(1) else { return Some(stop::OPERATIONS) };
        self.operations = left;
        if !left.is_multiple_of(16) {
            return None;
        }
        if self.cancel.as_ref().is_some_and(|cancel| cancel.load(Ordering::Relaxed)) {
            return Some(stop::CANCELLED);
        }
        (Instant::now() >= self.deadline).then_some(stop::TIME)
    }

    fn held(&self) -> usize {
        self.outside_bytes + self.collected + self.levels.iter().sum::<usize>()
    }

    /// Rhai bounds the values that operations give, but neither the keys of maps, nor maps that grow by assignment, nor
    /// how deep values nest, nor the sum of all variables; these are bounded here. They are measured the more often the larger they are, because
    /// one use can copy all of them.
    fn measure(&mut self, context: &EvalContext) -> Result<(), Box<EvalAltResult>> {
        let level = context.call_level();
        if self.unmeasured > 0 && level < self.levels.len() {
            self.unmeasured -= 1;
            return Ok(());
        }
        self.levels.resize(level + 1, 0);
        self.levels[level] = 0;
        for (_, _, value) in context.scope().iter_raw() {
            let most = self.data_bytes.saturating_sub(self.held());
            self.levels[level] += convert::bytes(value, most).map_err(terminated)?;
            context.engine().ensure_data_size_within_limits(value)?;
        }
        let held = self.held();
        self.unmeasured = (self.data_bytes / held.max(64 * 1024)).min(READS_UNMEASURED_MAX);
        Ok(())
    }
}

fn terminated(why: &'static str) -> Box<EvalAltResult> {
    EvalAltResult::ErrorTerminated(why.into(), Position::NONE).into()
}

/// Counts what the closures of a function for lists or maps give, while that holds it: no variable does.
pub(crate) struct Collected(usize);

impl Collected {
    pub(crate) fn new() -> Self {
        Self(0)
    }

    /// Counts one more value; an error where all of them are too much.
    pub(crate) fn add(&mut self, value: &Dynamic) -> Result<(), Box<EvalAltResult>> {
        WATCH.with_borrow_mut(|watch| {
            let Some(watch) = watch.as_mut() else { return Ok(()) };
            let most = watch.data_bytes.saturating_sub(watch.held());
            let bytes = convert::bytes(value, most).map_err(terminated)?;
            self.0 += bytes;
            watch.collected += bytes;
            Ok(())
        })
    }
}

impl Drop for Collected {
    fn drop(&mut self) {
        WATCH.with_borrow_mut(|watch| {
            if let Some(watch) = watch.as_mut() {
                watch.collected = watch.collected.saturating_sub(self.0);
            }
        });
    }
}

/// Called by Rhai for `print` and `debug`. An expression has nobody to say something to.
pub(crate) fn print(text: &str) {
    WATCH.with_borrow_mut(|watch| {
        if let Some(world) = watch.as_mut().and_then(|watch| watch.world.as_mut()) {
            world.print(text);
        }
    });
}
