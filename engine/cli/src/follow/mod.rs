//! Following a run until it is over, a person must decide, or somebody leaves.

mod asking;
pub(crate) mod hand_over;
mod many;
mod signals;
mod story;
mod summary;
mod view;
mod words;

#[cfg(test)]
mod tests;

use std::time::Duration;

use daemon::Access;
use daemon::view::{CancelRequest, RunView, StatusView, Tale};
use runwright_core::{By, Map, Run, RunId, RunStatus};
use serde_json::json;
use tokio::sync::mpsc::Receiver;

pub(crate) use asking::Asking;
pub(crate) use many::MANY;
pub(crate) use signals::{Signal, Signals};
pub(crate) use story::{Mark, told};
pub(crate) use summary::{INTERRUPTED, grouped, summary};
pub(crate) use words::{left_out, person};

use self::story::{Line, Story};
use self::view::View;
use crate::context::Context;
use crate::human::count;
use crate::{Error, exit};

/// How long an engine that goes on with a run has to say so.
const SAY_SO: Duration = Duration::from_secs(1);

/// How often, and how soon, a command that only looks asks again where the engine in another process ended meanwhile: what that
/// wrote is in the journal a moment later.
const LOOKS: usize = 40;
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A lock for which a step waits longer is told.
const LOCKS_COME: Duration = Duration::from_millis(200);

/// Between two looks at whether a run that waits does so in vain.
const LOOK_AT_LOCKS: Duration = Duration::from_secs(1);

/// How far to follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Until the run is over or blocked.
    AtTheEnd,
    /// Until this record, because no engine goes on with the run.
    At(u64),
}

/// How following a run ended.
#[derive(Debug)]
enum Followed {
    /// The run is over, or blocked.
    Over(Box<RunView>),
    /// It is neither: somebody left.
    Left,
    /// It is neither, as far as it was told.
    BrokeOff,
}

/// What Ctrl-C means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Interrupt {
    /// The first one cancels the run, the second one leaves it.
    Cancels,
    /// It stops watching.
    Leaves,
}

/// A run that is followed.
struct Following<'a> {
    context: &'a Context,
    access: &'a Access,
    id: RunId,
    signals: &'a mut Signals,
    view: View,
    /// The record up to which everything was so before: one line is enough for it.
    since: u64,
}

/// How a run stood before a command that asked something of it follows it.
struct Before {
    run: RunId,
    /// Its last record then: what happened before is one line.
    seq: u64,
    /// What was said to the command: it stands beside the run in JSON.
    said: Map,
    /// The end by which the command did what it should, where all came back that was to.
    wanted: Option<RunStatus>,
}

/// Follows a run that this command is responsible for, shows how it ended, and gives the exit code. Closes `access`.
///
/// The first Ctrl-C cancels the run: the step in flight is asked to stop. The second one, SIGTERM or SIGHUP, leaves it as it is.
/// `tales` are there already for a run that was just started. Runs that other commands started in the engine of this one
/// are waited for.
pub(crate) async fn see_through(
    context: &Context,
    access: Access,
    id: RunId,
    tales: Option<Receiver<Tale>>,
    signals: Signals,
) -> Result<u8, Error> {
    let before = Before { run: id, seq: 0, said: Map::new(), wanted: None };
    see_through_since(context, access, before, tales, signals).await
}

async fn see_through_since(
    context: &Context,
    mut access: Access,
    before: Before,
    tales: Option<Receiver<Tale>>,
    mut signals: Signals,
) -> Result<u8, Error> {
    let Before { run: id, seq: since, said, wanted } = before;
    let view = View::new(&context.screen, context.global.verbose > 0);
    let ended = async {
        let (tales, stop) = match tales {
            Some(tales) => (tales, Stop::AtTheEnd),
            None => begin(context, &mut access, id, Stop::AtTheEnd).await?,
        };
        let following = Following { context, access: &access, id, signals: &mut signals, view, since };
        let followed = following.follow(tales, stop, Interrupt::Cancels).await?;
        let Some(run) = over(context, &mut access, id, followed).await else {
            return Err(left(context, &access, id).await);
        };
        let mut shown = json!(run);
        shown.as_object_mut().into_iter().for_each(|shown| shown.extend(said.clone()));
        context.screen.json(&shown);
        context.screen.lines(summary(&context.screen, &run, &context.itself()));
        let is_whole = run.status != RunStatus::RolledBack || run.not_undoable.is_empty();
        Ok(if wanted == Some(run.status) && is_whole { exit::SUCCEEDED } else { exit::of(run.status) })
    };
    match ended.await {
        Ok(exit) => {
            close_after_others(context, access, signals).await;
            Ok(exit)
        }
        // It was left, or can't be followed.
        Err(error) => {
            close(access, &mut signals).await;
            Err(error)
        }
    }
}

/// Closes `access` once the runs are over that other commands started in an engine of our own, or somebody can't wait.
pub(crate) async fn close_after_others(context: &Context, mut access: Access, mut signals: Signals) {
    wait_for_others(context, &mut access, &mut signals).await;
    close(access, &mut signals).await;
}

/// Shows a run that somebody else is responsible for, and gives the exit code. Closes `access`.
pub(crate) async fn watch_through(
    context: &Context,
    mut access: Access,
    id: RunId,
    stop: Stop,
    mut signals: Signals,
) -> Result<u8, Error> {
    let view = View::watching(&context.screen, context.global.verbose > 0);
    let ended = async {
        let (tales, stop) = begin(context, &mut access, id, stop).await?;
        let following = Following { context, access: &access, id, signals: &mut signals, view, since: 0 };
        let followed = following.follow(tales, stop, Interrupt::Leaves).await?;
        let Some(run) = over(context, &mut access, id, followed).await else {
            return Err(left(context, &access, id).await);
        };
        context.screen.lines(summary(&context.screen, &run, &context.itself()));
        Ok(exit::of(run.status))
    };
    let ended = ended.await;
    close(access, &mut signals).await;
    ended
}

/// The run that `text` means, and how far it is to be watched: one that no engine goes on with, as far as the journal knows it.
pub(crate) async fn to_watch(context: &Context, access: &mut Access, text: &str) -> Result<(RunId, Stop), Error> {
    let mut looks = 0;
    loop {
        let found = async {
            let id = access.find(text).await?;
            let stop = match access.show(id).await?.is_interrupted() {
                true => Stop::At(access.history(id).await?.len() as u64),
                false => Stop::AtTheEnd,
            };
            Ok((id, stop))
        };
        match found.await {
            Err(daemon::Error::Connection(_)) if looks < LOOKS => looks += 1,
            found => return found.map_err(|error| Error::from(error).during(&format!("watch run {text}"))),
        }
        tokio::time::sleep(LOOK_AGAIN).await;
        *access = context.access("runwright runs watch").await?;
    }
}

/// Begins to watch.
async fn begin(context: &Context, access: &mut Access, id: RunId, stop: Stop) -> Result<(Receiver<Tale>, Stop), Error> {
    match access.watch(id).await {
        Err(daemon::Error::Connection(_)) => {}
        tales => return Ok((tales?, stop)),
    }
    *access = context.access("runwright runs watch").await?;
    let (_, stop) = to_watch(context, access, &id.to_string()).await?;
    Ok((access.watch(id).await?, stop))
}

/// The run, if it is over or blocked: where the tale of another process broke off, the journal may know that it is.
async fn over(context: &Context, access: &mut Access, id: RunId, followed: Followed) -> Option<RunView> {
    match (followed, &access) {
        (Followed::Over(run), _) => return Some(*run),
        (Followed::BrokeOff, Access::There(_)) => {}
        _ => return None,
    }
    *access = context.access("runwright runs show").await.ok()?;
    access.show(id).await.ok().filter(|run| exit::of(run.status) != exit::LEFT)
}

/// Whether the run waits, perhaps for what another one has.
fn waits(story: &Story) -> bool {
    story.run().is_some_and(|run| matches!(run.status(), RunStatus::Waiting | RunStatus::Queued))
}

impl Following<'_> {
    async fn follow(
        mut self,
        mut tales: Receiver<Tale>,
        stop: Stop,
        mut interrupt: Interrupt,
    ) -> Result<Followed, Error> {
        let mut story = Story::default();
        let mut is_first = true;
        loop {
            tokio::select! {
                tale = tales.recv() => {
                    let Some(tale) = tale else { break };
                    self.hear(tale, &mut story)?;
                    if story.run().is_some() && std::mem::take(&mut is_first) {
                        self.say_what_it_waits_for().await;
                    }
                    if matches!((stop, story.run()), (Stop::At(seq), Some(run)) if run.seq() >= seq) {
                        break;
                    }
                }
                () = tokio::time::sleep(LOCKS_COME), if story.has_waiting() => {
                    let lines = story.waiting();
                    self.view.show(lines, story.run());
                }
                () = tokio::time::sleep(LOOK_AT_LOCKS), if waits(&story) => {
                    if let Some(why) = self.waits_in_vain().await {
                        self.view.say(&why);
                        return Ok(Followed::Left);
                    }
                }
                signal = self.signals.next() => match (signal, interrupt) {
                    (Signal::Interrupt, Interrupt::Cancels) => {
                        interrupt = Interrupt::Leaves;
                        let said = self.cancel().await;
                        self.view.say(&said);
                    }
                    _ => return Ok(Followed::Left),
                },
            }
        }
        let lines = story.waiting();
        self.view.show(lines, story.run());
        Ok(match story.run().map(RunView::of) {
            Some(run) if exit::of(run.outcome) != exit::LEFT => Followed::Over(Box::new(run)),
            _ if stop == Stop::AtTheEnd => Followed::BrokeOff,
            _ => Followed::Left,
        })
    }

    fn hear(&mut self, tale: Tale, story: &mut Story) -> Result<(), Error> {
        self.view.tale(&tale);
        let failed = |what| Error::new(exit::INTERNAL, format!("could not follow run {}: {what}", self.id));
        let is_record = matches!(tale, Tale::Record(_));
        let mut lines = story.hear(tale).map_err(failed)?;
        let before = |run: &&Run| is_record && run.seq() > 1 && run.seq() <= self.since;
        if let Some(run) = story.run().filter(before) {
            lines = match run.seq() == self.since {
                true => words::so_far(run).map(Line::Run).into_iter().collect(),
                false => Vec::new(),
            };
        }
        self.view.show(lines, story.run());
        Ok(())
    }

    /// Says for whom the run waits, if it is queued.
    async fn say_what_it_waits_for(&self) {
        let waits = self.access.show(self.id).await.ok().and_then(|run| run.queued_behind);
        if let Some(behind) = waits {
            self.view.say(&summary::waits(&behind));
        }
    }

    /// Why the run waits for something that nobody gives it here, in an engine that ends with this command; none if it does not.
    async fn waits_in_vain(&self) -> Option<String> {
        let Access::Here(_) = self.access else { return None };
        if self.access.going_on().ok()?.contains(&self.id) {
            return None;
        }
        let run = self.access.show(self.id).await.ok()?;
        let of_step = run.all_steps().find(|step| !step.waits_for.is_empty()).and_then(|step| step.note.clone());
        let waits =
            of_step.or_else(|| run.queued_behind.as_ref().filter(|behind| behind.run.is_some()).map(summary::waits));
        let waits = waits.unwrap_or_else(|| format!("waits for its turn among the runs of {}", run.runbook));
        Some(format!("it {waits}; nothing here goes on with that: `runs list` shows what is unfinished"))
    }

    /// Asks the run to stop, and says so.
    async fn cancel(&self) -> String {
        let by = By { who: self.context.who(), why: "Ctrl-C".to_owned() };
        match self.access.cancel(self.id, CancelRequest { by, rollback: false }).await {
            Ok(()) => {
                "cancelling: the step in flight was asked to stop; Ctrl-C again leaves the run to be resumed".to_owned()
            }
            Err(error) => format!("could not cancel: {error}; Ctrl-C again leaves the run to be resumed"),
        }
    }
}

/// Waits for runs that other commands started in an engine of our own, or until somebody can't wait.
async fn wait_for_others(context: &Context, access: &mut Access, signals: &mut Signals) {
    let others = access.going_on().unwrap_or_default();
    if !others.is_empty() {
        let named = others.iter().map(RunId::to_string).collect::<Vec<_>>().join(", ");
        let what = count(others.len(), "run");
        context.screen.remark(format!("waiting for {what} that other commands have here: {named}; Ctrl-C leaves them"));
    }
    let quiet = async {
        access.until_quiet().await?;
        access.answer_no_more().await;
        // Somebody may have started one in the last moment.
        access.until_quiet().await
    };
    tokio::select! {
        _ = quiet => {}
        _ = signals.next() => {
            let itself = context.itself();
            context.screen.remark(format!("left; `{itself} runs resume` goes on with one, `{itself} serve` with all"));
        }
    }
}

/// Lets an engine of our own stop cleanly, unless somebody can't wait: what is in the journal is enough.
async fn close(access: Access, signals: &mut Signals) {
    tokio::select! {
        () = access.close() => {}
        _ = signals.next() => {}
    }
}

/// Says that the run is not over, and how it goes on.
async fn left(context: &Context, access: &Access, id: RunId) -> Error {
    let itself = context.itself();
    let error = Error::new(exit::LEFT, format!("run {id} is not over"));
    let mut others = access.going_on().unwrap_or_default();
    others.retain(|other| *other != id);
    if !others.is_empty() {
        let named = others.iter().map(RunId::to_string).collect::<Vec<_>>().join(", ");
        context.screen.remark(format!("runs that other commands have here are left too: {named}"));
    }
    error.hint(match goes_on(access, id).await {
        Some(StatusView { serves: true, .. }) => {
            format!("the engine that serves goes on with it; watch it with `{itself} runs watch {id}`")
        }
        Some(StatusView { command, pid, .. }) => format!(
            "`{command}` (pid {pid}) goes on with it as long as it lasts; watch it with `{itself} runs watch {id}`"
        ),
        None => format!("go on with it with `{itself} runs resume {id}`"),
    })
}

/// The engine in another process that goes on with the run.
async fn goes_on(access: &Access, id: RunId) -> Option<StatusView> {
    let asked = async {
        let live = access.show(id).await.ok()?.live?;
        if live { access.status().await.ok() } else { None }
    };
    match access {
        Access::Here(_) => None,
        Access::There(_) => tokio::time::timeout(SAY_SO, asked).await.ok().flatten(),
    }
}
