//! What is allowed, and what becomes of it.

use std::sync::Arc;
use std::time::Instant;

use super::*;
use crate::bindings::exec::Host;
use crate::notes::Kept;
use crate::state::bare;

fn command(program: &str, args: &[&str]) -> Command {
    let args = args.iter().map(|arg| (*arg).to_owned()).collect();
    Command { program: program.to_owned(), args, env: vec![], cwd: None, input: vec![], timeout_ms: None }
}

#[test]
fn a_command_is_compared_in_all_parts() {
    let grant: ExecGrant =
        toml::from_str("program = '/bin/ls'\nargs = ['-l', '*']\nenv = ['LS_COLORS']\ncwd = ['/proc']").unwrap();
    let asked = command("/bin/ls", &["-l", "/"]);
    let allows = |grant: &ExecGrant, command: &Command| {
        let folder = command.cwd.as_deref().and_then(|cwd| Folder::open(cwd).ok());
        super::allows(grant, command, folder.as_ref())
    };
    assert!(allows(&grant, &asked));
    assert!(allows(&grant, &command("ls", &["-l", "/"])));
    assert!(!allows(&grant, &command("./ls", &["-l", "/"])));
    assert!(!allows(&grant, &command("/bin/rm", &["-l", "/"])));
    assert!(!allows(&grant, &command("/bin/ls", &["-r", "/"])));
    let env = |name: &str| Command { env: vec![(name.to_owned(), String::new())], ..asked.clone() };
    assert!(allows(&grant, &env("LS_COLORS")) && !allows(&grant, &env("LD_PRELOAD")));
    let cwd = |path: &str| Command { cwd: Some(path.to_owned()), ..asked.clone() };
    assert!(allows(&grant, &cwd("/proc")) && !allows(&grant, &cwd("/proc/..")) && !allows(&grant, &cwd("/etc")));
    assert_eq!(line(&asked, true), r#"exec = [{ program = "/bin/ls", args = ["-l", "/"], detached = true }]"#);
}

#[test]
fn the_environment_is_plain_but_for_what_is_named() {
    let env = environment(&["CARGO_PKG_NAME".to_owned(), "NO_SUCH".to_owned()], &[("A".to_owned(), "b".to_owned())]);
    let names: Vec<_> = env.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["PATH", "LANG", "CARGO_PKG_NAME", "A"]);
}

fn shell(script: &str) -> Command {
    command("/bin/sh", &["-c", script])
}

async fn run(command: Command) -> Result<Output, ExecError> {
    let mut state = bare("exec = [{ program = '/bin/sh', args = ['-c', '*'] }]", Arc::new(Kept::default()));
    state.run(command).await.unwrap()
}

#[tokio::test]
async fn input_output_and_status_pass_through() {
    let output = run(Command { input: b"hello".to_vec(), ..shell("cat; echo oops >&2; exit 3") }).await.unwrap();
    assert_eq!((output.status, &output.out[..], &output.err[..]), (Some(3), &b"hello"[..], &b"oops\n"[..]));
    assert!(!output.truncated);
    let mut state = bare("exec = [{ program = '/bin/sh', args = ['-c', '*'] }]", Arc::new(Kept::default()));
    for (signal, name) in [("9", "SIGKILL"), ("SEGV", "SIGSEGV"), ("60", "signal 60")] {
        let killed = state.run(shell(&format!("ulimit -c 0; kill -{signal} $$"))).await.unwrap().unwrap();
        assert_eq!(killed.status, None);
        assert_eq!(state.refusals.take().aside, Some(format!("the program was killed by {name}")));
    }
    let unread = run(Command { input: vec![b'x'; 1 << 20], ..shell("exit 0") }).await.unwrap();
    assert_eq!(unread.status, Some(0));
}

#[tokio::test]
async fn much_output_is_cut_and_does_not_stop_the_program() {
    let output = run(shell("head -c 300000 /dev/zero; echo done >&2")).await.unwrap();
    assert_eq!((output.out.len(), output.truncated), (10_000, true));
    assert_eq!(output.err, b"done\n");
}

#[tokio::test]
async fn a_program_that_takes_too_long_or_is_not_there_is_told_apart() {
    let started = Instant::now();
    let slow = run(Command { timeout_ms: Some(200), ..shell("sleep 60 & sleep 60") }).await;
    assert!(matches!(slow, Err(ExecError::TimedOut)), "{slow:?}");
    assert!(started.elapsed() < Duration::from_secs(5));
    let mut state = bare("exec = [{ program = '/no/such' }]", Arc::new(Kept::default()));
    assert!(matches!(state.run(command("/no/such", &[])).await.unwrap(), Err(ExecError::NotFound)));
    assert!(matches!(state.start(command("/no/such", &[])).await.unwrap(), Err(ExecError::Denied(_))));
}

#[tokio::test]
async fn a_detached_program_that_is_not_there_is_told_too() {
    let kept = Arc::new(Kept::default());
    let mut state = bare("exec = [{ program = '/no/such', detached = true }]", Arc::<Kept>::clone(&kept));
    assert!(matches!(state.start(command("/no/such", &[])).await.unwrap(), Err(ExecError::NotFound)));
    assert_eq!(kept.notes.lock().unwrap().len(), 0, "nothing was tried");
    let input = Command { input: vec![1], ..command("/no/such", &[]) };
    assert!(matches!(state.start(input).await.unwrap(), Err(ExecError::Denied(_))));
}

/// What is refused before anything is started, as the plugin's input is to blame.
fn refused_as_invalid<T: std::fmt::Debug>(state: &crate::state::State, refused: Result<T, ExecError>) -> String {
    let Err(ExecError::Denied(why)) = refused else { panic!("{refused:?}") };
    let known = state.refusals.take();
    assert_eq!(known.refusal().map(|refusal| refusal.kind), Some(runwright_core::FailureKind::InvalidInput), "{why}");
    why
}

#[tokio::test]
async fn a_program_gets_what_linux_can_hand_over_and_no_more() {
    let grants = "exec = [{ program = '/bin/true', args = ['**'], env = ['A'] }]";
    let mut state = bare(grants, Arc::new(Kept::default()));
    let long = |bytes: usize| "x".repeat(bytes);
    let args = |args: Vec<String>| Command { args, ..command("/bin/true", &[]) };
    let env = |name: &str, bytes| Command { env: vec![(name.to_owned(), long(bytes))], ..command("/bin/true", &[]) };
    let fits =
        [args(vec![long(131_071)]), args(vec![String::new(); 1024]), env("A", 131_069), args(vec![long(65_536); 2])];
    for fits in fits {
        assert_eq!(state.run(fits).await.unwrap().unwrap().status, Some(0));
    }
    for (wrong, told) in [
        (args(vec![long(131_072)]), "one argument has 131072 bytes, and Linux takes at most 131071"),
        (args(vec![String::new(); 1025]), "1025 arguments and variables, and a program gets at most 1024"),
        (env("A", 131_070), "one variable with its name has 131072 bytes"),
        (args(vec![long(65_536), long(65_537)]), "131073 bytes together, and a program gets at most 131072"),
        (args(vec!["a\0b".to_owned()]), "a NUL in it"),
        (env("A=B", 1), "no name of an environment variable"),
    ] {
        let ran = state.run(wrong).await.unwrap();
        let why = refused_as_invalid(&state, ran);
        assert!(why.contains(told), "{why}");
    }
}

#[tokio::test]
async fn what_is_no_program_was_not_started() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, mode: u32| {
        let path = folder.path().join(name);
        std::fs::write(&path, "no program").unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    for program in [file("plain", 0o600), folder.path().to_str().unwrap().to_owned()] {
        let grants = format!("exec = [{{ program = '{program}', detached = true }}]");
        let mut state = bare(&grants, Arc::new(Kept::default()));
        let ran = state.run(command(&program, &[])).await.unwrap();
        assert!(refused_as_invalid(&state, ran).contains(&program));
        let started = state.start(command(&program, &[])).await.unwrap();
        assert!(refused_as_invalid(&state, started).contains(&program));
    }
}

#[tokio::test]
async fn a_program_that_is_killed_with_its_run_says_so() {
    let mut state = bare("exec = [{ program = '/bin/sh', args = ['-c', '*'] }]", Arc::new(Kept::default()));
    let (cancel, cancelled) = tokio::sync::watch::channel(false);
    state.ending = crate::ending::Ending::new(Duration::from_secs(60), cancelled);
    let running = state.run(shell("sleep 60"));
    let (ran, ()) = tokio::join!(running, async { _ = cancel.send_replace(true) });
    assert!(matches!(&ran.unwrap(), Err(ExecError::Failed(why)) if why.starts_with("cancelled: ")));
}

#[tokio::test]
async fn what_was_asked_for_after_the_end_was_not_started() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let kept = Arc::new(Kept::default());
    let grants = "exec = [{ program = '/bin/sh', args = ['-c', '*'], detached = true }]";
    let (cancel, cancelled) = tokio::sync::watch::channel(true);
    for ending in [
        crate::ending::Ending::after(Duration::ZERO),
        crate::ending::Ending::new(Duration::from_secs(60), cancelled.clone()),
    ] {
        let mut state = bare(grants, Arc::<Kept>::clone(&kept));
        state.ending = ending;
        let asked = || shell(&format!("touch {}", trace.display()));
        let ran = state.run(asked()).await.unwrap().map(|_| ());
        let started = state.start(asked()).await.unwrap().map(|_| ());
        for unbegun in [ran, started] {
            let told =
                matches!(&unbegun, Err(ExecError::Failed(why)) if why.starts_with("not started: the call was over"));
            assert!(told, "{unbegun:?}");
        }
        let report = state.refusals.take();
        assert!(report.late && report.acts == 0, "{report:?}");
    }
    drop(cancel);
    assert!(!trace.exists() && kept.notes.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_program_that_ran_may_have_changed_something_unless_its_grant_says_otherwise() {
    let acts = async |in_plan: bool, command: Command| {
        let more = format!("args = ['**'], in-plan = {in_plan}, detached = true");
        let grants = format!("exec = [{{ program = '/bin/sh', {more} }}, {{ program = '/no/such', {more} }}]");
        let mut state = bare(&grants, Arc::new(Kept::default()));
        _ = state.run(command.clone()).await.unwrap();
        let ran = state.refusals.take().acts;
        _ = state.start(Command { timeout_ms: None, ..command }).await.unwrap();
        (ran, state.refusals.take().acts)
    };
    assert_eq!(acts(false, shell("exit 3")).await, (1, 1));
    assert_eq!(acts(true, shell("exit 3")).await, (0, 1), "what is left running is no reading");
    assert_eq!(acts(false, command("/no/such", &[])).await, (0, 0));
    assert_eq!(acts(false, command("/bin/rm", &[])).await, (0, 0), "it is refused");
    assert_eq!(acts(false, Command { timeout_ms: Some(50), ..shell("sleep 5") }).await.0, 1);
}

#[test]
fn a_line_that_would_grant_more_than_was_asked_for_says_so() {
    for open in ["*", "/srv/*", "**", "x..."] {
        assert!(caution(&command("/bin/ls", &[open])).contains("more"), "{open}");
    }
    assert_eq!(caution(&command("/bin/ls", &["-l", "/srv"])), "");
}

#[tokio::test]
async fn the_example_of_the_documentation_lets_no_option_through() {
    let grants = "exec = [{ program = '/bin/echo', args = ['pull', '*'] }]";
    let mut state = bare(grants, Arc::new(Kept::default()));
    assert!(state.run(command("/bin/echo", &["pull", "origin"])).await.unwrap().is_ok());
    for option in ["--upload-pack=/tmp/x", "-c", "--"] {
        let ran = state.run(command("/bin/echo", &["pull", option])).await.unwrap();
        assert!(matches!(ran, Err(ExecError::Denied(_))), "{option}");
    }
}

#[tokio::test]
async fn a_secret_may_be_in_the_environment_and_the_input_but_not_in_the_arguments() {
    let grants = "exec = [{ program = '/bin/sh', args = ['-c', '**'], env = ['TOKEN'] }]";
    let mut state = bare(grants, Arc::new(Kept::default()));
    state.tainted.add("token", "hunter22").unwrap();
    // Like the passwords for one app that some services give out.
    state.tainted.add("app", "qmzkvwhtrbnxplfj").unwrap();
    for argument in ["--password=qmzkvwhtrbnxplfj", "cW16a3Z3aHRyYm54cGxmag=="] {
        let ran = state.run(Command { args: vec!["-c".into(), argument.into()], ..shell("") }).await.unwrap();
        assert!(matches!(&ran, Err(ExecError::Denied(why)) if why.contains("secret app")), "{argument}: {ran:?}");
    }
    for argument in ["x hunter22", "--token=aHVudGVyMjI=", "68756e7465723232"] {
        let mut asked = shell("true");
        asked.args.push(argument.to_owned());
        for refused in
            [state.run(asked.clone()).await.unwrap().map(|_| ()), state.start(asked).await.unwrap().map(|_| ())]
        {
            let Err(ExecError::Denied(why)) = refused else { panic!("{argument}: {refused:?}") };
            assert!(why.contains("argument 3") && why.contains("secret token") && !why.contains("hunter22"), "{why}");
        }
    }
    let env = vec![("TOKEN".to_owned(), "hunter22".to_owned())];
    let asked = Command { env, input: b"hunter22".to_vec(), ..shell("test $TOKEN = $(cat)") };
    assert_eq!(state.run(asked).await.unwrap().unwrap().status, Some(0));
}

#[tokio::test]
async fn a_program_runs_in_the_folder_that_was_checked() {
    let root = tempfile::tempdir().unwrap();
    let place = |name: &str| root.path().join(name).to_str().unwrap().to_owned();
    for folder in ["granted", "granted/sub", "other"] {
        std::fs::create_dir(place(folder)).unwrap();
    }
    std::os::unix::fs::symlink(place("other"), place("granted/link")).unwrap();
    let grants =
        format!("exec = [{{ program = '/bin/sh', args = ['-c', '*'], cwd = ['{0}', '{0}/*'] }}]", place("granted"));
    let pwd = async |cwd: Option<String>| {
        let asked = Command { cwd, ..shell("pwd -P") };
        let ran = bare(&grants, Arc::new(Kept::default())).run(asked).await.unwrap();
        ran.map(|output| String::from_utf8(output.out).unwrap().trim().to_owned())
    };
    let real = |name: &str| root.path().canonicalize().unwrap().join(name).to_str().unwrap().to_owned();
    assert_eq!(pwd(None).await.unwrap(), "/");
    assert_eq!(pwd(Some(place("granted"))).await.unwrap(), real("granted"));
    assert_eq!(pwd(Some(place("granted/sub/../sub"))).await.unwrap(), real("granted/sub"));
    for refused in ["other", "granted/../other", "granted/link", "granted/none"] {
        assert!(matches!(pwd(Some(place(refused))).await, Err(ExecError::Denied(_))), "{refused}");
    }
    assert!(matches!(pwd(Some("granted".to_owned())).await, Err(ExecError::Denied(_))), "a relative one");
}
