//! Inputs of a run, as people give them.

use serde_json::json;

use crate::support::Project;

const DEPLOY: &str = r#"
name: deploy
inputs:
  env: { type: string, enum: [dev, production] }
  vms: { type: list, of: { type: string, pattern: "[a-z0-9-]+" }, default: [] }
  older-than: { type: string, default: 7d }
  token: { type: secret, default: ops-chat }
steps:
  - { id: say-it, script: '`${inputs.env} ${inputs.older_than} ${inputs.token}`' }
outputs: { said: "${{ steps.say_it.output }}" }
"#;

fn project() -> Project {
    let project = Project::with_plugins(&[]);
    project.write("runbooks/deploy.yaml", DEPLOY);
    let settings = std::fs::read_to_string(project.path("runwright.toml")).unwrap_or_default();
    let grant = "\n[plugin.notify.grants]\nsecrets = { ops-chat = { env = \"OPS_CHAT\" } }\n";
    project.write("runwright.toml", &(settings + grant));
    project
}

#[test]
fn what_does_not_fit_its_input_starts_nothing() {
    let project = project();
    let ran =
        project.call(&["run", "deploy", "-i", "env=prodution", "-i", "vms:=[\"web-1\", \"Web\", 3]", "-i", "tokn=x"]);
    insta::assert_snapshot!(ran.shown(), @r"
    exit 3
    --- standard error
    error: could not run deploy
      cause: the input `env`: expected one of dev, production, found prodution; did you mean `production`?
             the runbook `deploy` has no input `tokn`; did you mean `token`?
             the input `vms`: item 2: `Web` does not match the pattern `[a-z0-9-]+`
             the input `vms`: item 3: expected text, found a number
    ");
    assert_eq!(project.call(&["runs", "list", "-o", "json"]).json(), json!({"runs": [], "more": false}));
    let ran = project.call(&["run", "deploy", "-i", "env=dev", "-i", "older-than=2d", "-o", "json"]);
    assert_eq!(ran.json()["outputs"], json!({"said": "dev 2d ops-chat"}), "{ran:?}");
}

#[test]
fn a_secret_that_is_given_instead_of_its_name_is_refused_and_shown_nowhere() {
    let project = project();
    for pasted in ["correct-horse-battery", "p@ss word"] {
        let ran = project.call(&["run", "deploy", "-i", "env=dev", "-i", &format!("token={pasted}")]);
        assert_eq!(ran.exit, Some(3), "{ran:?}");
        assert!(!ran.shown().contains(pasted), "{ran:?}");
    }
    let ran = project.call(&["run", "deploy", "-i", "env=dev", "-i", "token=correct-horse-battery"]);
    insta::assert_snapshot!(ran.shown(), @r"
    exit 3
    --- standard error
    error: could not run deploy
      cause: the input `token`: no plugin is granted a secret of this name; give the name that stands in `secrets` of a plugin's grants in runwright.toml, never the value; there are: ops-chat
    ");
    let plan = project.call(&["plan", "deploy", "-i", "env=dev", "-i", "token=correct-horse-battery"]);
    assert_eq!(plan.exit, Some(3), "{plan:?}");
}
