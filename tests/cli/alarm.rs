//! `runwright alarm`; that alarms start runs is shown with `serve`.

use crate::support::Project;

#[test]
fn without_an_engine_that_serves_it_is_refused() {
    let project = Project::new();
    project.write("alarm.json", "{}");
    insta::assert_snapshot!(project.call(&["alarm", "send", "alarm.json"]).shown(), @r"
    exit 3
    --- standard error
    error: could not send the alarm
      cause: no engine serves this state directory
      hint: start one with `runwright serve`
    ");
    insta::assert_snapshot!(project.call(&["alarm", "send", "none.json", "-o", "json"]).shown(), @r#"
    exit 3
    --- standard error
    {"error":{"message":"could not read none.json: No such file or directory (os error 2)","hint":null,"exit":3}}
    "#);
}
