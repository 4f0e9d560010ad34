//! Following a run until it is over, a person must decide, or somebody leaves.

pub(crate) mod hand_over;
mod signals;
mod story;
mod summary;
mod view;
mod words;

#[cfg(test)]
mod tests;

use daemon::Access;
use daemon::view::{CancelRequest, RunView, Tale};
use runwright_core::{By, RunId};
use tokio::sync::mpsc::Receiver;

pub(crate) use signals::{Signal, Signals};
pub(crate) use story::{Mark, told};
pub(crate) use summary::summary;
pub(crate) use words::person;

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

/// A run that is followed.
struct Following<'a> {
    context: &'a Context,
    access: &'a Access,
    id: RunId,
    signals: &'a mut Signals,
    view: View,
}

/// Follows a run that this command is responsible for, shows how it ended, and gives the exit code. Closes `access`.
///
/// The first Ctrl-C cancels the run: the step in flight is told. The second one, or SIGTERM, leaves it as it is. `tales`
/// are there already for a run that was just started.
pub(crate) async fn see_through(
    context: &Context,
    access: Access,
    id: RunId,
    tales: Option<Receiver<Tale>>,
    mut signals: Signals,
) -> Result<u8, Error> {
    let view = View::new(&context.screen, context.global.verbose > 0);
    let following = Following { context, access: &access, id, signals: &mut signals, view };
    let followed = following.follow(tales, Stop::AtTheEnd, Interrupt::Cancels).await;
    let served = close(access, &mut signals).await;
    if let Followed::Over(run) = &followed? {
        context.screen.json(&**run);
        context.screen.lines(summary(&context.screen, run, &context.itself()));
        return Ok(exit::of(run.outcome));
    }
    Err(left(context, id, served))
}

/// Shows a run that somebody else is responsible for, and gives the exit code. Closes `access`.
pub(crate) async fn watch_through(
    context: &Context,
    access: Access,
    id: RunId,
    stop: Stop,
    mut signals: Signals,
) -> Result<u8, Error> {
    let view = View::watching(&context.screen, context.global.verbose > 0);
    let following = Following { context, access: &access, id, signals: &mut signals, view };
    let followed = following.follow(None, stop, Interrupt::Leaves).await;
    let served = close(access, &mut signals).await;
    if let Followed::Over(run) = &followed? {
        context.screen.lines(summary(&context.screen, run, &context.itself()));
        return Ok(exit::of(run.outcome));
    }
    Err(left(context, id, served))
}

impl Following<'_> {
    async fn follow(
        mut self,
        tales: Option<Receiver<Tale>>,
        stop: Stop,
        mut interrupt: Interrupt,
    ) -> Result<Followed, Error> {
        let mut tales = match tales {
            Some(tales) => tales,
            None => self.access.watch(self.id).await?,
        };
        let mut story = Story::default();
        loop {
            tokio::select! {
                tale = tales.recv() => {
                    let Some(tale) = tale else { break };
                    self.hear(tale, &mut story)?;
                    if matches!((stop, story.run()), (Stop::At(seq), Some(run)) if run.seq() >= seq) {
                        break;
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
        Ok(match story.run().map(RunView::of) {
            Some(run) if exit::of(run.outcome) != exit::LEFT => Followed::Over(Box::new(run)),
            _ => Followed::Left,
        })
    }

    fn hear(&mut self, tale: Tale, story: &mut Story) -> Result<(), Error> {
        self.view.tale(&tale);
        let lines = story.hear(tale);
        let failed = |what| Error::new(exit::INTERNAL, format!("could not follow run {}: {what}", self.id));
        self.view.show(lines.map_err(failed)?, story.run());
        Ok(())
    }

    /// Asks the run to stop, and says so.
    async fn cancel(&self) -> String {
        let by = By { who: self.context.who(), why: "Ctrl-C".to_owned() };
        match self.access.cancel(self.id, CancelRequest { by, rollback: false }).await {
            Ok(()) => "cancelling: the step in flight is told; Ctrl-C again leaves the run to be resumed".to_owned(),
            Err(error) => format!("could not cancel: {error}; Ctrl-C again leaves the run to be resumed"),
        }
    }
}

/// Lets an engine of our own stop cleanly, unless somebody can't wait: what is in the journal is enough. True: another
/// process serves.
async fn close(access: Access, signals: &mut Signals) -> bool {
    let served = matches!(access, Access::There(_));
    tokio::select! {
        () = access.close() => {}
        _ = signals.next() => {}
    }
    served
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
