//! Waits for children that nobody else waits for.

use std::process::Child;
use std::sync::OnceLock;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

/// How long a dead child may stay a zombie.
const PERIOD: Duration = Duration::from_millis(100);

/// Takes over `child`: it is waited for in the background, however long it lives.
pub(super) fn reap(child: Child) {
    static CHILDREN: OnceLock<Option<Sender<Child>>> = OnceLock::new();
    let children = CHILDREN.get_or_init(|| {
        let (sender, receiver) = mpsc::channel();
        thread::Builder::new().name("reaper".to_owned()).spawn(move || wait(&receiver)).ok().map(|_| sender)
    });
    // Without a thread the child is init's to reap when the engine ends.
    if let Some(children) = children {
        children.send(child).ok();
    }
}

fn wait(new: &Receiver<Child>) {
    let mut children: Vec<Child> = Vec::new();
    loop {
        let next = if children.is_empty() {
            new.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            new.recv_timeout(PERIOD)
        };
        match next {
            Ok(child) => children.push(child),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        children.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
    }
}
