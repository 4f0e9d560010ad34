//! Scripts in flight: what they ask of the world is journaled, and answered from the journal when they are run again.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use host::Log;
use runwright_core::{
    ActionName, Direction, Event, Failure, FailureKind, Note, Outcome, ScriptCall, StepRun, StepState, Value,
};
use script::{Outside, Refusal};
use serde_json::json;
use tokio::sync::mpsc;

use super::{Task, too_large};
use crate::Error;

/// What a script gets of a call.
pub(super) type Answered = Result<Value, Refusal>;

/// Where the answers to one script go: to its thread, which asks one thing at a time and waits for each.
pub(super) type AnswerTo = SyncSender<Answered>;

/// Something that a script asks, from the thread that it runs on.
pub(super) struct Question {
    step: String,
    attempt: u32,
    ask: Ask,
}

/// What a script asks.
#[derive(Debug, PartialEq)]
enum Ask {
    Act { action: String, input: Value },
    Value { function: &'static str },
}

impl std::fmt::Display for Ask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Act { action, input } => write!(f, "act({action:?}, {input})"),
            Self::Value { function } => write!(f, "{function}()"),
        }
    }
}

/// The script's end of the line to its run.
pub(super) struct Line {
    step: String,
    attempt: u32,
    questions: mpsc::Sender<Box<Question>>,
    /// The other end is in the script's session: it goes away with that, and whoever waits hears so.
    answers: Receiver<Answered>,
    heard: Heard,
}

/// Hears what a script says, but for what it said before: up to its last recorded call.
pub(super) struct Heard {
    log: Log,
    /// Calls whose answers are recorded and were not given to it yet.
    recorded: usize,
}

impl Heard {
    pub(super) fn new(log: Log, recorded: usize) -> Self {
        Self { log, recorded }
    }
}

impl Line {
    fn ask(&mut self, ask: Ask) -> Result<Value, Refusal> {
        self.heard.recorded = self.heard.recorded.saturating_sub(1);
        let stopped = || Refusal::Halt("its run does not go on here".to_owned());
        let question = Box::new(Question { step: self.step.clone(), attempt: self.attempt, ask });
        self.questions.blocking_send(question).map_err(|_| stopped())?;
        self.answers.recv().map_err(|_| stopped())?
    }
}

impl Outside for Line {
    fn act(&mut self, action: &str, input: Value) -> Result<Value, Refusal> {
        self.ask(Ask::Act { action: action.to_owned(), input })
    }

    fn value(&mut self, function: &'static str) -> Result<Value, Refusal> {
        self.ask(Ask::Value { function })
    }

    fn print(&mut self, text: &str) {
        if self.heard.recorded == 0 {
            self.heard.log.print(text);
        }
    }
}

/// What a script that undoes a step may ask: nothing, since an undo has no calls of its own in the journal.
pub(super) struct Closed(pub(super) Log);

impl Outside for Closed {
    fn act(&mut self, _: &str, _: Value) -> Result<Value, Refusal> {
        Err(Refusal::Halt("a script that undoes a step can't call actions: use `uses` in its `undo`".to_owned()))
    }

    fn value(&mut self, _: &'static str) -> Result<Value, Refusal> {
        Err(Refusal::Halt("a script that undoes a step gets no time and nothing random".to_owned()))
    }

    fn print(&mut self, text: &str) {
        self.0.print(text);
    }
}

/// The scripts in flight, by step.
#[derive(Default)]
pub(super) struct Sessions(HashMap<String, Session>);

/// One execution of a script.
struct Session {
    attempt: u32,
    /// Calls that it made in this execution.
    asked: usize,
    /// The call whose end it waits for.
    waits: Option<String>,
    answers: AnswerTo,
}

impl Sessions {
    /// The script of this step is run, from its begin; this is its line.
    pub(super) fn begin(
        &mut self,
        step: &str,
        attempt: u32,
        questions: mpsc::Sender<Box<Question>>,
        heard: Heard,
    ) -> Line {
        let (answers, answered) = sync_channel(1);
        self.0.insert(step.to_owned(), Session { attempt, asked: 0, waits: None, answers });
        Line { step: step.to_owned(), attempt, questions, answers: answered, heard }
    }

    /// Whether a script of this step is run.
    pub(super) fn has(&self, step: &str) -> bool {
        self.0.contains_key(step)
    }

    /// Ends the session of this step: a script that still waits there is halted.
    pub(super) fn end(&mut self, step: &str) {
        self.0.remove(step);
    }
}

impl Task {
    /// Answers a script: from the journal what it asked before; a new question is answered and journaled.
    pub(super) fn question(&mut self, question: Question) -> Result<(), Error> {
        let Question { step, attempt, ask } = question;
        let Some(session) = self.sessions.0.get_mut(&step).filter(|session| session.attempt == attempt) else {
            return Ok(());
        };
        session.asked += 1;
        let (number, answer) = (session.asked, session.answers.clone());
        let path = format!("{step}/{number}");
        let known = self.run.asked(&step, number).map(|(call, act)| (call.clone(), act));
        match (known, ask) {
            (None, Ask::Value { function }) => {
                let value = self.draw(function)?;
                let note = Note::Value { function: function.to_owned(), value: value.clone() };
                self.add(Event::Noted { step, direction: Direction::Forward, attempt, note })?;
                self.answers.push((answer, Ok(value)));
            }
            (None, Ask::Act { action, input }) => {
                if let Some(why) = too_large(&input) {
                    let why = format!("the input of {action} is too large: {why}");
                    self.answers.push((answer, Err(Refusal::Halt(why))));
                    return Ok(());
                }
                self.act(&step, &path, &action, input)?;
                self.waits(&step, path);
            }
            (Some((ScriptCall::Value { function, value }, _)), Ask::Value { function: asked }) if function == asked => {
                self.answers.push((answer, Ok(value)));
            }
            (Some((_, Some((known, act)))), Ask::Act { action, input })
                if known.work.action().is_some_and(|known| known.as_str() == action)
                    && act.input.as_ref() == Some(&input) =>
            {
                self.waits(&step, path);
            }
            (Some(known), ask) => {
                let known = match known {
                    (ScriptCall::Value { function, .. }, _) => format!("{function}()"),
                    (ScriptCall::Act, known) => {
                        let input = known.and_then(|(_, act)| act.input.as_ref()).unwrap_or(&Value::Null);
                        let action = known.and_then(|(step, _)| step.work.action()).map_or("", ActionName::as_str);
                        format!("act({action:?}, {input})")
                    }
                };
                let why = format!("not deterministic: call {number} was {known}, and is {ask} when it is run again");
                self.answers.push((answer, Err(Refusal::Halt(why))));
            }
        }
        Ok(())
    }

    fn draw(&self, function: &str) -> Result<Value, Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|error| Error::Internal(format!("no random bytes: {error}")))?;
        let bits = u128::from_be_bytes(bytes);
        Ok(match function {
            "now" => json!(self.world.clock.now().millis()),
            // 53 bits: what a float between 0 and 1 can hold.
            "random" => json!((bits >> 75) as f64 / (1_u64 << 53) as f64),
            _ => {
                // RFC 9562, version 4: random but for the bits that say so.
                let bits = bits & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
                let text = format!("{bits:032x}");
                let parts = [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]];
                json!(parts.join("-"))
            }
        })
    }

    /// Adds the start of a call. An input that does not fit ends it before anything starts.
    fn act(&mut self, step: &str, path: &str, action: &str, input: Value) -> Result<(), Error> {
        let unknown = || Error::Internal(format!("script {step} calls {action:?}, which the run is not pinned to"));
        let name: ActionName = action.parse().map_err(|_| unknown())?;
        let started = self.run.next_act(step, name.clone(), input.clone()).ok_or_else(unknown)?;
        let Event::Started { plugin: Some(plugin), .. } = &started else { return Err(unknown()) };
        let checked = self.world.plugins.check(*plugin, &name, &input);
        self.add(started)?;
        if let Err(failure) = checked {
            let outcome = Outcome::Failed(failure);
            self.add(Event::Ended { step: path.to_owned(), direction: Direction::Forward, attempt: 1, outcome })?;
        }
        Ok(())
    }

    fn waits(&mut self, step: &str, path: String) {
        if let Some(session) = self.sessions.0.get_mut(step) {
            session.waits = Some(path);
            self.stirred.insert(step.to_owned());
        }
    }

    /// Answers the scripts whose call has ended, durably.
    pub(super) fn answer_scripts(&mut self) {
        for (answer, result) in self.answers.drain(..) {
            // The script may have been ended meanwhile.
            let _ = answer.send(result);
        }
        for script in &self.stirred {
            let Some(session) = self.sessions.0.get_mut(script) else { continue };
            let ended = session.waits.as_ref().and_then(|path| ended(self.run.step(path)?.1));
            if let Some(result) = ended {
                session.waits = None;
                let _ = session.answers.send(result);
            }
        }
    }
}

/// What a script gets of a call that has ended; none while it has not.
fn ended(call: &StepRun) -> Option<Answered> {
    match call.state {
        StepState::Succeeded => Some(Ok(call.answer.as_ref().map(|answer| answer.output.clone()).unwrap_or_default())),
        StepState::Failed => {
            let failure = call.failure.clone().unwrap_or_else(|| Failure::new(FailureKind::Permanent, "it failed"));
            let Failure { kind, message, code, .. } = failure;
            Some(Err(Refusal::Failed { kind: kind.as_str().to_owned(), message, code }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_that_nobody_will_take_out_is_given_up() {
        let (questions, mut asked) = mpsc::channel(4);
        let mut sessions = Sessions::default();
        let heard = Heard::new(Log::plain_of(std::sync::Arc::new(host::Silent)), 0);
        let mut line = sessions.begin("fix", 1, questions, heard);
        let script = std::thread::spawn(move || line.act("x/read", json!({})));
        while asked.is_empty() {
            std::thread::yield_now();
        }
        // The question lies in the channel, as where it comes at the moment at which the run goes away.
        asked.close();
        drop(sessions);
        let refused = script.join().unwrap();
        assert!(matches!(refused, Err(Refusal::Halt(_))), "{refused:?}");
    }
}
