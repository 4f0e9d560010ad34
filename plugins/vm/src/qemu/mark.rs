//! Marks: how a restarted engine finds out what it had done to a VM.
//!
//! A mark is a harmless object of a running QEMU (`authz-simple`, which nothing refers to) whose id names the action,
//! the idempotency key and the attempt. It lives and dies with the QEMU process, is neither reset with the guest
//! nor part of a snapshot, and is set while the guest stands still, before it goes on. So "the mark is there and
//! the guest went on" is true exactly when the attempt came to its end.

use runwright_sdk::Context;
use serde_json::json;

use super::{
    qmp::Qmp,
    wire::{Fault, Stream},
};

const PREFIX: &str = "runwright-";
/// More marks than this on one QEMU are removed.
const MARKS_MAX: usize = 64;

/// The id of a mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark(String);

impl Mark {
    /// The mark of the attempt in hand.
    pub(crate) fn new(action: &str, context: &Context) -> Self {
        Self(format!("{PREFIX}{action}-{}-{}", plain(context.key()), context.attempt()))
    }

    /// The argument of `-object` with which a QEMU has the mark from its start.
    pub(crate) fn object(&self) -> String {
        format!("authz-simple,id={0},identity={0}", self.0)
    }

    /// Whether the QEMU has it.
    pub(crate) fn is_on<S: Stream>(&self, qmp: &mut Qmp<S>) -> Result<bool, Fault> {
        Ok(all(qmp)?.contains(&self.0))
    }

    /// Sets it.
    pub(crate) fn set<S: Stream>(&self, qmp: &mut Qmp<S>) -> Result<(), Fault> {
        let marks = all(qmp)?;
        if marks.contains(&self.0) {
            return Ok(());
        }
        if marks.len() > MARKS_MAX {
            for old in marks {
                qmp.execute("object-del", json!({"id": old}))?;
            }
        }
        let object = json!({"qom-type": "authz-simple", "id": self.0, "identity": self.0});
        qmp.execute("object-add", object).map(drop)
    }
}

/// The key with what QEMU allows in an id.
pub(crate) fn plain(key: &str) -> String {
    key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

fn all<S: Stream>(qmp: &mut Qmp<S>) -> Result<Vec<String>, Fault> {
    let objects = qmp.execute("qom-list", json!({"path": "/objects"}))?;
    let names = objects.as_array().into_iter().flatten().filter_map(|object| object.get("name")?.as_str());
    Ok(names.filter(|name| name.starts_with(PREFIX)).map(Into::into).collect::<Vec<String>>())
}

#[cfg(test)]
mod tests {
    use super::{
        super::wire::{Lines, tests::Script},
        *,
    };

    fn listed(ids: &[&str]) -> serde_json::Value {
        ids.iter().map(|id| json!({"name": id, "type": "child<authz-simple>"})).collect()
    }

    #[test]
    fn a_mark_names_action_key_and_attempt() {
        let context = Context::new("run", "step", "a/b").with_attempt(2);
        let mark = Mark::new("restart", &context);
        assert_eq!(mark.object(), "authz-simple,id=runwright-restart-a-b-2,identity=runwright-restart-a-b-2");
    }

    #[test]
    fn a_mark_is_found_among_other_objects() {
        let mark = Mark::new("restart", &Context::new("run", "step", "k"));
        let answer = format!("{{\"return\": {}, \"id\": 2}}\n", listed(&["type", "pc.ram", "runwright-restart-k-1"]));
        let pieces = ["{\"QMP\": {}}\n", "{\"return\": {}, \"id\": 1}\n", &answer];
        let mut qmp = Qmp::open(Lines::new(Script::new(&pieces))).unwrap();
        assert!(mark.is_on(&mut qmp).unwrap());
    }
}
