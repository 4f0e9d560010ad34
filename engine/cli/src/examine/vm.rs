//! What the plugin `vm` needs on this machine.

use std::fs::OpenOptions;
use std::path::PathBuf;

use super::Finding;

/// Programs that it runs, and the Debian packages that they are in.
const PROGRAMS: [(&str, &str); 2] = [("qemu-system-x86_64", "qemu-system-x86"), ("qemu-img", "qemu-utils")];

pub(super) fn examine() -> Vec<Finding> {
    let mut findings: Vec<Finding> = PROGRAMS.iter().map(|(program, package)| find(program, package)).collect();
    findings.push(match OpenOptions::new().read(true).write(true).open("/dev/kvm") {
        Ok(_) => Finding::ok("kvm", "/dev/kvm"),
        Err(error) => Finding::warn(
            "kvm",
            format!("/dev/kvm can't be used: {error}"),
            "VMs run, but slowly; add the engine's user to the group kvm, or switch virtualization on",
        ),
    });
    findings
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
