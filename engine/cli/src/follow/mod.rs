//! Following a run until it is over, a person must decide, or somebody leaves.

pub(crate) mod hand_over;
mod signals;
mod story;
mod summary;
mod view;

#[cfg(test)]
mod tests;

use daemon::Access;
use daemon::view::{RunView, Tale};
use runwright_core::{By, RunId};

pub(crate) use signals::{Signal, Signals};
pub(crate) use story::{Mark, person};
pub(crate) use summary::summary;

use self::story::Story;
use self::view::View;
use crate::context::Context;
use crate::{Error, exit};

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
    /// It is neither: somebody left, or its engine was stopped.
    Left,
}

/// What Ctrl-C means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Interrupt {
    /// The first one cancels the run, the second one leaves it.
    Cancels,
    /// It stops watching.
    Leaves,
}

/// Follows a run that this command is responsible for, shows how it ended, and gives the exit code. Closes `access`.
///
/// The first Ctrl-C cancels the run: the step in flight is told. The second one, or SIGTERM, leaves it as it is.
pub(crate) async fn see_through(
    context: &Context,
    access: Access,
    id: RunId,
    mut signals: Signals,
) -> Result<u8, Error> {
    let mut view = View::new(&context.screen, context.global.verbose > 0);
    let followed = follow(context, &access, id, Stop::AtTheEnd, Interrupt::Cancels, &mut signals, &mut view).await;
    drop(view);
    let served = matches!(access, Access::There(_));
    close(access, &mut signals).await;
    match followed? {
        Followed::Over(run) => {
            context.screen.json(&*run);
            context.screen.lines(summary(&context.screen, &run, &context.itself()));
            Ok(exit::of(run.outcome))
        }
        Followed::Left => Err(left(context, id, served)),
    }
}

/// Shows a run that somebody else is responsible for, and gives the exit code. Closes `access`.
pub(crate) async fn watch_through(
    context: &Context,
    access: Access,
    id: RunId,
    stop: Stop,
    mut signals: Signals,
) -> Result<u8, Error> {
    let mut view = View::watching(&context.screen, context.global.verbose > 0);
    let followed = follow(context, &access, id, stop, Interrupt::Leaves, &mut signals, &mut view).await;
    drop(view);
    let served = matches!(access, Access::There(_));
    close(access, &mut signals).await;
    match followed? {
        Followed::Over(run) => {
            context.screen.lines(summary(&context.screen, &run, &context.itself()));
            Ok(exit::of(run.outcome))
        }
        Followed::Left => Err(left(context, id, served)),
    }
}

async fn follow(
    context: &Context,
    access: &Access,
    id: RunId,
    stop: Stop,
    mut interrupt: Interrupt,
    signals: &mut Signals,
    view: &mut View,
) -> Result<Followed, Error> {
    let mut tales = access.watch(id).await?;
    let mut story = Story::default();
    loop {
        tokio::select! {
            tale = tales.recv() => {
                let Some(tale) = tale else { break };
                hear(id, tale, &mut story, view)?;
                if matches!((stop, story.run()), (Stop::At(seq), Some(run)) if run.seq() >= seq) {
                    break;
                }
            }
            signal = signals.next() => match (signal, interrupt) {
                (Signal::Interrupt, Interrupt::Cancels) => {
                    interrupt = Interrupt::Leaves;
                    view.say(&cancel(context, access, id).await);
                }
                _ => return Ok(Followed::Left),
            },
        }
    }
    Ok(match story.run().map(RunView::of) {
        Some(run) if exit::of(run.outcome) != exit::LEFT => Followed::Over(Box::new(run)),
        _ => Followed::Left,
    })
}

fn hear(id: RunId, tale: Tale, story: &mut Story, view: &mut View) -> Result<(), Error> {
    view.tale(&tale);
    let lines = story.hear(tale);
    let lines = lines.map_err(|what| Error::new(exit::INTERNAL, format!("could not follow run {id}: {what}")))?;
    view.show(lines, story.run());
    Ok(())
}

/// Asks the run to stop, and says so.
async fn cancel(context: &Context, access: &Access, id: RunId) -> String {
    let by = By { who: context.who(), why: "Ctrl-C".to_owned() };
    match access.cancel(id, by).await {
        Ok(()) => "cancelling: the step in flight is told; Ctrl-C again leaves the run to be resumed".to_owned(),
        Err(error) => format!("could not cancel: {error}; Ctrl-C again leaves the run to be resumed"),
    }
}

/// Lets the engine stop cleanly, unless somebody can't wait: what is in the journal is enough.
async fn close(access: Access, signals: &mut Signals) {
    tokio::select! {
        () = access.close() => {}
        _ = signals.next() => {}
    }
}

/// Says that the run is not over, and how it goes on.
fn left(context: &Context, id: RunId, served: bool) -> Error {
    let itself = context.itself();
    let error = Error::new(exit::LEFT, format!("run {id} is not over"));
    error.hint(match served {
        true => format!("the engine that serves goes on with it; watch it with `{itself} runs watch {id}`"),
        false => format!("go on with it with `{itself} runs resume {id}`"),
    })
}
