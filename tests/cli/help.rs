//! Help, versions, and command lines that are wrong.

use crate::support::Project;

fn call(words: &[&str]) -> String {
    Project::with_plugins(&[]).call(words).shown()
}

#[test]
fn help_has_the_commands_and_the_exit_codes() {
    insta::assert_snapshot!(call(&["--help"]), @r"
    exit 0
    Runs runbooks: YAML files whose steps are sandboxed plugins or scripts.

    Every step is in a crash-safe journal before it acts, so a run goes on or goes back after a crash.

    Usage: runwright [OPTIONS] <COMMAND>

    Commands:
      run          Run a runbook and watch it
      plan         Show what a run would do, without doing it
      check        Check runbooks without running them
      runs         List, show, watch, resume, cancel and roll back runs, and read what they said
      approve      Answer a step that asks for approval
      settle       Say what became of a step, where nobody but a person can
      serve        Watch folders, take alarms, and run what they call for
      alarm        Send alarms, and see which could not start what they call for
      status       Show where the engine stands: runs, runbooks, plugins, and files that can't be used
      plugin       Look at plugins, make them, test them
      journal      Check, back up, mend and shorten the journal
      doctor       Look for what is wrong with this installation
      schema       Print the JSON Schema of runbooks, for editors
      completions  Print the completions for a shell

    Options:
      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    Global options:
          --config <FILE>
              The configuration [default: runwright.toml here, if it is there]

              [env: RUNWRIGHT_CONFIG]

          --state-dir <DIR>
              The journal's folder, instead of the configuration's state-dir

      -o, --format <FORMAT>
              What goes to standard output: text or json

              [default: text]

      -v, --verbose...
              Say more: all log lines of steps; twice: what the engine does

          --color <WHEN>
              Colours: auto, always or never; auto honours NO_COLOR

              [default: auto]

    Examples:
      runwright run recover-vm.yaml -i vm=web1    run a runbook and watch it
      runwright plan recover-vm.yaml -i vm=web1   see what it would do
      runwright serve                             start runbooks when alarms come
      runwright runs show latest                  see what became of a run

    Exit codes:
       0  the run succeeded, or the command did what it should
       1  the run failed, a check found something wrong, or an alarm could not start what it calls for
       2  the command line is wrong
       3  a runbook, an input, a name or the configuration is wrong; nothing was started
       4  the run is blocked: a person must decide, with `runwright approve` or `settle`
       5  the run was rolled back
       6  the run was cancelled
       7  only a part of what was sent was taken
      70  something that should not be so: the disk, the network, or a defect
      75  the run is not over, but this command was ended; the run can be resumed
    ");
}

#[test]
fn help_of_a_command_has_examples() {
    insta::assert_snapshot!(call(&["run", "--help"]), @r#"
    exit 0
    Run a runbook and watch it

    Usage: runwright run [OPTIONS] <FILE|NAME>

    Arguments:
      <FILE|NAME>  The path of a runbook, or the name of one in the folder of runbooks

    Options:
      -i, --input <KEY=VALUE>   An input: KEY=TEXT, or KEY:=JSON for a list, a map or null
          --inputs-file <FILE>  A YAML or JSON file with inputs; those of -i count more
          --reason <WHY>        Why, for the journal
          --plan                Show what it would do instead, as `runwright plan` does
          --detach              Print the run's id and leave it to the engine that serves
      -h, --help                Print help

    Global options:
          --config <FILE>    The configuration [default: runwright.toml here, if it is there] [env:
                             RUNWRIGHT_CONFIG]
          --state-dir <DIR>  The journal's folder, instead of the configuration's state-dir
      -o, --format <FORMAT>  What goes to standard output: text or json [default: text]
      -v, --verbose...       Say more: all log lines of steps; twice: what the engine does
          --color <WHEN>     Colours: auto, always or never; auto honours NO_COLOR [default: auto]

    Examples:
      runwright run recover-vm.yaml -i vm=web1           a file, shown while it runs
      runwright run recover-vm -i vm=web1 --reason test  one of the folder of runbooks
      runwright run probe.yaml -i 'hosts:=["a", "b"]'    an input that is a list
      runwright run recover-vm.yaml -i vm=web1 -o json   one JSON document at the end

    Ctrl-C cancels the run: the step in flight is asked to stop. Ctrl-C again, SIGTERM or SIGHUP (unless
    it is ignored, as under nohup) leaves it as it is; it goes on with `runwright runs resume`.

    Where `runwright serve` has the journal, the run is its, and goes on when this command is left.
    Without it, other commands go through this one while it lasts: runs that they start here are waited
    for at its end.
    "#);
    insta::assert_snapshot!(call(&["settle", "--help"]), @r#"
    exit 0
    Say what became of a step, where nobody but a person can

    Usage: runwright settle [OPTIONS] <RUN> <STEP> <BECAME>

    Arguments:
      <RUN>
              The run: its id, the beginning or end of it, or `latest`

      <STEP>
              The step, or a call of a script, such as `fix/2`; or a pattern for several, such as
              `fix/*`

      <BECAME>
              What became of it

              Possible values:
              - done:   It happened
              - failed: It did not happen, or not in full: go on as after a failure
              - retry:  It did not happen: try again
              - undo:   Take back whatever it did, and what came before it

    Options:
          --output <JSON>
              With done: what the step gave, as JSON, for later steps

          --reason <WHY>
              Why, for the journal

          --detach
              Leave the run to the engine that serves

      -h, --help
              Print help (see a summary with '-h')

    Global options:
          --config <FILE>
              The configuration [default: runwright.toml here, if it is there]

              [env: RUNWRIGHT_CONFIG]

          --state-dir <DIR>
              The journal's folder, instead of the configuration's state-dir

      -o, --format <FORMAT>
              What goes to standard output: text or json

              [default: text]

      -v, --verbose...
              Say more: all log lines of steps; twice: what the engine does

          --color <WHEN>
              Colours: auto, always or never; auto honours NO_COLOR

              [default: auto]

    Examples:
      runwright settle latest restart done --reason 'it answers again'
      runwright settle 01m5d create done --output '{"id": 7}'
      runwright settle latest restart retry
      runwright settle latest 'clean/*' failed

    Where nobody can tell whether a step happened, its run is blocked until a person looked and says
    what became of it. Who decided what, and why, is in the journal. A STEP with `*` means all that fit
    it and wait for a person: `*` stands for any characters of one name, `**` for any names, so
    `fleet/*/patch` is that step of every item, and `**` is all. Afterwards the run goes on and is
    watched.
    "#);
}

#[test]
fn a_wrong_command_line_is_told_with_what_was_meant() {
    insta::assert_snapshot!(call(&["rnu", "x.yaml"]), @r"
    exit 2
    --- standard error
    error: unrecognized subcommand 'rnu'

      tip: a similar subcommand exists: 'runs'

    Usage: runwright [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(call(&["runs", "list", "--limit", "many"]), @r"
    exit 2
    --- standard error
    error: invalid value 'many' for '--limit <COUNT>': invalid digit found in string

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(call(&["run", "-o", "json"]), @r#"
    exit 2
    --- standard error
    {"error":{"message":"the following required arguments were not provided:\n  <FILE|NAME>","hint":"Usage: runwright run --format <FORMAT> <FILE|NAME>\n\nFor more information, try '--help'.","exit":2}}
    "#);
}

#[test]
fn the_version_is_that_of_the_package() {
    assert_eq!(call(&["--version"]), format!("exit 0\nrunwright {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn help_and_version_are_understood_as_words_too() {
    assert_eq!(call(&["version"]), call(&["--version"]));
    assert_eq!(call(&["help", "runs", "list"]), call(&["runs", "list", "--help"]));
    assert_eq!(call(&["help"]), call(&["--help"]));
    assert_eq!(call(&["help", "rnu"]), call(&["rnu", "--help"]));
}
