//! Programs by [`std::process`]. The timeout does not count here.

use std::{
    io::{ErrorKind, Write},
    os::unix::process::CommandExt,
    process::{self, Stdio},
};

use crate::bindings::runwright::plugin::exec::{Command, ExecError, Output, Process};

pub(crate) fn run(command: &Command) -> Result<Output, ExecError> {
    let mut child = spawn(command, Stdio::piped)?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(&command.input).map_err(failed)?;
    }
    let output = child.wait_with_output().map_err(failed)?;
    Ok(Output { status: output.status.code(), out: output.stdout, err: output.stderr, truncated: false })
}

pub(crate) fn start(command: &Command) -> Result<Process, ExecError> {
    let child = spawn(command, Stdio::null)?;
    let started = start_time(child.id()).unwrap_or(0);
    Ok(Process { pid: child.id(), started })
}

fn spawn(command: &Command, stdio: fn() -> Stdio) -> Result<process::Child, ExecError> {
    let mut native = process::Command::new(&command.program);
    native
        .args(&command.args)
        .env_clear()
        .envs(command.env.iter().cloned())
        .process_group(0)
        .stdin(stdio())
        .stdout(stdio())
        .stderr(stdio());
    if let Some(folder) = &command.cwd {
        native.current_dir(folder);
    }
    native.spawn().map_err(failed)
}

/// Field 22 of /proc/PID/stat (proc_pid_stat(5)), counted behind the name, which may hold spaces.
fn start_time(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()
}

fn failed(error: std::io::Error) -> ExecError {
    match error.kind() {
        ErrorKind::NotFound => ExecError::NotFound,
        _ => ExecError::Failed(error.to_string()),
    }
}
