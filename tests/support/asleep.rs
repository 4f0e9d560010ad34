//! Runs whose second step sleeps for longer than any test.

use super::{Called, Project};

const ASLEEP: &str = r#"
name: NAME
steps:
  - id: first
    uses: fixture/append
    with: { file: FOLDER/effects, line: NAME }
  - id: sleep
    uses: fixture/sleep
    with: { ms: 50000 }
"#;

impl Project {
    /// Writes such a runbook, with `rest` behind its two steps, as `NAME.yaml`.
    pub(crate) fn write_asleep(&self, name: &str, rest: &str) {
        self.write(&format!("{name}.yaml"), &(ASLEEP.replace("NAME", name) + rest));
    }

    /// Runs such a runbook, and waits until its second step is at work.
    pub(crate) fn asleep(&self, name: &str, rest: &str) -> Called {
        self.write_asleep(name, rest);
        self.start(&["run", &format!("{name}.yaml")]).wait_until("its second step", || self.is_asleep(name, 1))
    }

    /// Whether the newest run is of this runbook, and in this attempt of its second step.
    pub(crate) fn is_asleep(&self, name: &str, attempt: u64) -> bool {
        let shown = self.call(&["runs", "show", "latest", "-o", "json"]);
        shown.exit == Some(0) && {
            let run = shown.json();
            run["runbook"] == name && run["steps"][1]["attempts"] == attempt
        }
    }
}
