//! How long it takes until the program does what it is for.

use std::time::{Duration, Instant};

use crate::support::Project;

/// What an empty runbook may take, the whole process, in a build that is optimized. Tests share the machine with others
/// and are not optimized, so they allow more; `benches` has the figure.
const MOST: Duration = Duration::from_millis(600);

#[test]
fn an_empty_runbook_is_run_at_once() {
    let project = Project::new();
    project.write("empty.yaml", "name: empty\nsteps:\n  - id: a\n    uses: fixture/empty\n");
    let took = || {
        let start = Instant::now();
        assert_eq!(project.call(&["run", "empty.yaml"]).exit, Some(0));
        start.elapsed()
    };
    took();
    let best = (0..5).map(|_| took()).min().expect("five");
    assert!(best < MOST, "{best:?}");
}
