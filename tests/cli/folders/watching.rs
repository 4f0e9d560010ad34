//! Watching itself.

use std::process::{Command, Stdio};

use rustix::process::Signal;

use super::{answer, ready, runbook};
use crate::support::Project;

#[test]
fn without_inotify_folders_are_polled_and_the_sysctl_is_named() {
    // In a user namespace of its own, so that this system's limits stay as they are.
    let namespaces = Command::new("unshare").args(["-Ur", "true"]).output();
    if !namespaces.is_ok_and(|ran| ran.status.success()) {
        eprintln!("skipped: this system gives no user namespaces to this user");
        return;
    }
    for (knob, sysctl) in [
        ("max_inotify_instances", "fs.inotify.max_user_instances"),
        ("max_inotify_watches", "fs.inotify.max_user_watches"),
    ] {
        let project = Project::with_plugins(&[]);
        project.write("runbooks/one.yaml", &runbook("one", 1));
        let mut command = Command::new("unshare");
        command.args(["-Ur", "sh", "-c", &format!("echo 0 > /proc/sys/user/{knob} && exec \"$0\" serve")]);
        command.arg(env!("CARGO_BIN_EXE_runwright")).current_dir(project.folder());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let served = ready(&project, project.start_as(command));
        project.write("runbooks/one.yaml", &runbook("one", 2));
        let served = served.wait_until("the change", || answer(&project, "one") == 2);
        served.signal(Signal::TERM);
        let ended = served.wait();
        assert_eq!(ended.exit, Some(0), "{ended:?}");
        assert!(ended.err.contains(&format!("raise the sysctl {sysctl}")), "{ended:?}");
        assert_eq!(ended.err.matches("can't be watched").count(), 1, "{ended:?}");
    }
}
