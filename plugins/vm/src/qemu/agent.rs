//! The guest agent (qemu-ga): is somebody at home in the guest?

use std::time::{Duration, Instant, SystemTime};

use runwright_sdk::clock;
use serde_json::{Value, json};

use super::wire::{Fault, Lines, Stream, connect};
use crate::inventory::Vm;

/// Asks the agent to answer a ping within `patience`.
pub(crate) fn ping(vm: &Vm, patience: Duration) -> Result<(), Fault> {
    let mut lines = connect(&vm.file("agent.sock"))?;
    let since = clock::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    exchange(&mut lines, since.subsec_nanos().into(), Instant::now() + patience)
}

/// Answers to earlier clients stay in the channel, so first everything up to the answer with our token is skipped:
/// the agent drops what it has half read at 0xff, and puts one before its answer to `guest-sync-delimited`.
fn exchange<S: Stream>(lines: &mut Lines<S>, token: u64, deadline: Instant) -> Result<(), Fault> {
    lines.send_raw(b"\xff")?;
    lines.send(&json!({"execute": "guest-sync-delimited", "arguments": {"id": token}}))?;
    loop {
        lines.until(0xff, deadline)?;
        let answer = lines.next(deadline)?;
        if answer.get("return").and_then(Value::as_u64) == Some(token) {
            break;
        }
    }
    lines.send(&json!({"execute": "guest-ping"}))?;
    let answer = lines.next(deadline)?;
    answer.get("return").map(drop).ok_or_else(|| Fault::Refused(answer.to_string()))
}

#[cfg(test)]
mod tests {
    use super::{
        super::wire::tests::{Script, soon},
        *,
    };

    #[test]
    fn stale_answers_are_skipped() {
        let mut script = Script::new(&["{\"return\": {}}\n{\"error\": {}}\n"]);
        script.pieces.push_back(b"\xff{\"return\": 6}\n\xff{\"return\": 7}\n".to_vec());
        script.pieces.push_back(b"{\"return\": {}}\n".to_vec());
        let mut lines = Lines::new(script);
        assert_eq!(exchange(&mut lines, 7, soon()), Ok(()));
    }

    #[test]
    fn no_answer_is_silence() {
        let mut lines = Lines::new(Script::new(&["{\"return\": {}}\n"]));
        assert_eq!(exchange(&mut lines, 7, soon()), Err(Fault::Silent));
    }
}
