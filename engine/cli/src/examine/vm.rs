//! What the plugin `vm` needs on this machine.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::Finding;
use crate::human::clean;

/// How long QEMU may take to start a guest and end it.
const GUEST_PATIENCE: Duration = Duration::from_secs(10);

/// Programs that it runs, and the Debian packages that they are in.
const PROGRAMS: [(&str, &str); 2] = [("qemu-system-x86_64", "qemu-system-x86"), ("qemu-img", "qemu-utils")];

pub(super) async fn examine() -> Vec<Finding> {
    let mut findings: Vec<Finding> = PROGRAMS.iter().map(|(program, package)| find(program, package)).collect();
    findings.push(kvm().await);
    findings
}

/// Whether `/dev/kvm` can be used. That it opens says little: in many nested machines no guest starts with it.
async fn kvm() -> Finding {
    let slowly = |found: String, mend: &str| Finding::warn("kvm", found, format!("VMs run, but slowly; {mend}"));
    if let Err(error) = OpenOptions::new().read(true).write(true).open("/dev/kvm") {
        let mend = "add the engine's user to the group kvm, or switch virtualization on";
        return slowly(format!("/dev/kvm can't be used: {error}"), mend);
    }
    match guest(PROGRAMS[0].0).await {
        Ok(()) => Finding::ok("kvm", "/dev/kvm; a guest starts with it"),
        Err(why) => slowly(
            format!("/dev/kvm opens, but no guest starts with it: {why}"),
            "if this machine is a VM itself, switch nested virtualization on",
        ),
    }
}

/// Starts a guest with KVM and the CPU of this machine that runs nothing, and ends it by its monitor (QMP, on standard input and output).
async fn guest(qemu: &str) -> Result<(), String> {
    let options = ["-accel", "kvm", "-cpu", "host", "-nodefaults", "-display", "none", "-S", "-qmp", "stdio"];
    let mut command = Command::new(qemu);
    command.args(options).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    if let Some(mut monitor) = child.stdin.take() {
        // Where QEMU has ended already, its standard error says why.
        let _ = monitor.write_all(br#"{"execute":"qmp_capabilities"}{"execute":"quit"}"#).await;
    }
    let ended = tokio::time::timeout(GUEST_PATIENCE, child.wait_with_output()).await;
    let output = ended.map_err(|_| format!("QEMU did not start within {} s", GUEST_PATIENCE.as_secs()))?;
    let output = output.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(said.lines().next().map_or_else(|| format!("QEMU: {}", output.status), clean))
}

fn find(program: &str, package: &str) -> Finding {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let path: Option<PathBuf> =
        std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.is_file());
    match path {
        Some(path) => Finding::ok(program, path.display().to_string()),
        None => Finding::fail(program, "it is not installed", format!("apt-get install {package}")),
    }
}
