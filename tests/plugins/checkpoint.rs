//! What a step notes is there again after the engine was killed.

use rustix::process::Signal;

use crate::support::Project;

const JOB: &str = r#"
name: job
steps:
  - { id: begin, uses: fixture/job, with: { file: FOLDER/jobs, takes-ms: 60000 } }
"#;

#[test]
fn a_killed_engine_finds_the_job_that_it_began() {
    let project = Project::new();
    project.write("job.yaml", JOB);
    let running = project.start(&["run", "job.yaml"]);
    let running = running.wait_until("the job began", || !project.lines("jobs").is_empty());
    running.signal(Signal::KILL);
    assert_eq!(running.wait().exit, None);
    let resumed = project.call(&["runs", "resume", "latest", "-o", "json"]);
    assert_eq!(resumed.exit, Some(0), "{resumed:?}");
    assert_eq!(project.lines("jobs"), ["started job-0 in attempt 1", "resumed job-0 in attempt 2"]);
    let shown = project.call(&["runs", "show", "latest", "-o", "json"]).json();
    let step = &shown["steps"][0];
    assert_eq!(step["output"], serde_json::json!({"job": "job-0", "resumed": true}), "{shown:#}");
}
