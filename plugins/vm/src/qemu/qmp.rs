//! QMP, the protocol of QEMU's monitor (docs/interop/qmp-spec.txt in QEMU): JSON lines, answers matched by id,
//! events in between.

use std::time::{Duration, Instant};

use runwright_sdk::{clock, unix};
use serde_json::{Value, json};

use super::wire::{Fault, Lines, Stream, connect};
use crate::inventory::Vm;

/// How long QEMU may take for one answer. Emulation on a busy machine can hold its lock for a second or more.
const ANSWER: Duration = Duration::from_secs(5);
/// How long it may take to greet.
const GREETING: Duration = Duration::from_secs(2);

/// A connection to a QEMU that answers.
pub(crate) struct Qmp<S = unix::Connection> {
    lines: Lines<S>,
    id: u64,
}

impl Qmp {
    /// Connects to the VM's QEMU. A monitor greets one client at a time, so when somebody else has the one for
    /// commands, the one for events is tried.
    pub(crate) fn connect(vm: &Vm) -> Result<Self, Fault> {
        match Self::open(connect(&vm.file("qmp.sock"))?) {
            Err(Fault::Silent) => Self::open(connect(&vm.file("events.sock"))?),
            answer => answer,
        }
    }
}

impl<S: Stream> Qmp<S> {
    /// Waits for the greeting and leaves the negotiation mode.
    pub(crate) fn open(mut lines: Lines<S>) -> Result<Self, Fault> {
        let greeting = lines.next(Instant::now() + GREETING)?;
        if greeting.get("QMP").is_none() {
            return Err(Fault::Broken("the socket is no QMP monitor".into()));
        }
        let mut qmp = Self { lines, id: 0 };
        qmp.execute("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// Does a command and gives what it returns.
    pub(crate) fn execute(&mut self, command: &str, arguments: Value) -> Result<Value, Fault> {
        self.id += 1;
        self.lines.send(&json!({"execute": command, "arguments": arguments, "id": self.id}))?;
        let deadline = Instant::now() + ANSWER;
        loop {
            let mut message = self.lines.next(deadline)?;
            if message.get("id").and_then(Value::as_u64) != Some(self.id) {
                continue; // an event, or an answer that came too late
            }
            if let Some(error) = message.get("error") {
                let text = error.get("desc").and_then(Value::as_str).unwrap_or("no reason given");
                return Err(Fault::Refused(format!("{command}: {text}")));
            }
            return Ok(message.get_mut("return").map(Value::take).unwrap_or_default());
        }
    }

    /// A command without arguments whose answer says nothing.
    pub(crate) fn tell(&mut self, command: &str) -> Result<(), Fault> {
        self.execute(command, json!({})).map(drop)
    }

    /// The run state: `running`, `paused`, `guest-panicked`, … (`RunState` in QEMU's qapi/run-state.json).
    pub(crate) fn status(&mut self) -> Result<String, Fault> {
        text(&self.execute("query-status", json!({}))?, "status")
    }

    /// The VM's name, as it was started.
    pub(crate) fn name(&mut self) -> Result<String, Fault> {
        text(&self.execute("query-name", json!({}))?, "name")
    }

    /// Waits until the run state is `wanted`.
    pub(crate) fn wait_for(&mut self, wanted: &str) -> Result<(), Fault> {
        let deadline = Instant::now() + ANSWER;
        while self.status()? != wanted {
            if Instant::now() > deadline {
                return Err(Fault::Silent);
            }
            clock::sleep(Duration::from_millis(20)).map_err(|error| Fault::Broken(error.to_string()))?;
        }
        Ok(())
    }
}

fn text(value: &Value, field: &str) -> Result<String, Fault> {
    let found = value.get(field).and_then(Value::as_str);
    found.map(Into::into).ok_or_else(|| Fault::Broken(format!("the answer has no {field}")))
}

#[cfg(test)]
mod tests {
    use super::{super::wire::tests::Script, *};

    const GREETING: &str = "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\n";

    fn open(pieces: &[&str]) -> Result<Qmp<Script>, Fault> {
        let pieces: Vec<_> = [GREETING, "{\"return\": {}, \"id\": 1}\n"].iter().chain(pieces).copied().collect();
        Qmp::open(Lines::new(Script::new(&pieces)))
    }

    #[test]
    fn events_and_late_answers_are_skipped() {
        let mut qmp = open(&[
            "{\"event\": \"RESET\", \"data\": {}}\n{\"return\": {\"status\": \"old\"}, \"id\": 1}\n",
            "{\"return\": {\"status\": \"paused\"}, \"id\": 2}\n",
        ])
        .unwrap();
        assert_eq!(qmp.status().unwrap(), "paused");
    }

    #[test]
    fn a_refusal_tells_the_command_and_the_reason() {
        let mut qmp = open(&["{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}, \"id\": 2}\n"]).unwrap();
        assert_eq!(qmp.tell("cont"), Err(Fault::Refused("cont: no".into())));
    }

    #[test]
    fn no_greeting_is_silence() {
        assert_eq!(Qmp::open(Lines::new(Script::new(&[]))).err(), Some(Fault::Silent));
        let other = Qmp::open(Lines::new(Script::new(&["{\"hello\": 1}\n"])));
        assert!(matches!(other.err(), Some(Fault::Broken(_))));
    }
}
