//! Snapshots of a running VM, disk and memory together: QEMU's jobs `snapshot-save`, `-load` and `-delete`
//! (qapi/migration.json). They are internal to the qcow2 disk.

use std::time::{Duration, Instant};

use runwright_sdk::{Error, Result, clock};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{image::Snapshot, qmp::Qmp};

/// The disk's node, as the command line calls it.
const NODE: &str = "disk";
/// How long a job may take: memory is written at the speed of the disk.
const JOB: Duration = Duration::from_secs(300);

/// Takes the snapshot `tag`. The guest stands still meanwhile.
pub(crate) fn save(qmp: &mut Qmp, job: &str, tag: &str) -> Result<()> {
    run(qmp, "snapshot-save", job, json!({"job-id": job, "tag": tag, "vmstate": NODE, "devices": [NODE]}))
}

/// Puts the guest, which must stand still, back to the snapshot `tag`. It stands still afterwards.
pub(crate) fn load(qmp: &mut Qmp, job: &str, tag: &str) -> Result<()> {
    run(qmp, "snapshot-load", job, json!({"job-id": job, "tag": tag, "vmstate": NODE, "devices": [NODE]}))
}

/// Deletes the snapshot `tag`.
pub(crate) fn delete(qmp: &mut Qmp, job: &str, tag: &str) -> Result<()> {
    run(qmp, "snapshot-delete", job, json!({"job-id": job, "tag": tag, "devices": [NODE]}))
}

/// The snapshots inside of the disk.
pub(crate) fn list(qmp: &mut Qmp) -> Result<Vec<Snapshot>> {
    let nodes = qmp.execute("query-named-block-nodes", json!({"flat": true})).map_err(|fault| fault.harmless("QMP"))?;
    let mut nodes = nodes.as_array().into_iter().flatten();
    let disk = nodes.find(|node| node.get("node-name").and_then(Value::as_str) == Some(NODE));
    let Some(found) = disk.and_then(|disk| disk.get("image")?.get("snapshots")) else {
        return Ok(Vec::new());
    };
    Vec::deserialize(found)
        .map_err(|error| Error::permanent(format!("QEMU lists its snapshots as is not expected: {error}")))
}

/// Runs a job to its end; one of this id that is there, because an engine died, is waited for instead.
fn run(qmp: &mut Qmp, command: &str, job: &str, arguments: Value) -> Result<()> {
    if find(qmp, job)?.is_none() {
        qmp.execute(command, arguments).map_err(|fault| fault.harmless("QMP"))?;
    }
    let deadline = Instant::now() + JOB;
    loop {
        let Some(found) = find(qmp, job)? else {
            return Err(Error::unknown_outcome(format!("the job {job} of QEMU is gone")).code("vm.job-lost"));
        };
        if found.get("status").and_then(Value::as_str) == Some("concluded") {
            qmp.execute("job-dismiss", json!({"id": job})).map_err(|fault| fault.unknown("QMP"))?;
            return match found.get("error").and_then(Value::as_str) {
                None => Ok(()),
                Some(why) => Err(Error::permanent(format!("{command}: {why}")).code("vm.job-failed")),
            };
        }
        if Instant::now() > deadline {
            return Err(Error::unknown_outcome(format!("the job {job} of QEMU does not end")).code("vm.job-slow"));
        }
        clock::sleep(Duration::from_millis(50)).map_err(Error::after_effect)?;
    }
}

/// Whether QEMU has a job of this id.
pub(crate) fn is_known(qmp: &mut Qmp, job: &str) -> Result<bool> {
    Ok(find(qmp, job)?.is_some())
}

fn find(qmp: &mut Qmp, job: &str) -> Result<Option<Value>> {
    let jobs = qmp.execute("query-jobs", json!({})).map_err(|fault| fault.unknown("QMP"))?;
    let jobs = jobs.as_array().into_iter().flatten();
    Ok(jobs.into_iter().find(|found| found.get("id").and_then(Value::as_str) == Some(job)).cloned())
}
