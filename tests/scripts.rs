//! The scripts that set a machine up: what they say when something is wrong, and that they explain themselves.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

fn tree() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Writes a program that bash runs.
fn program(path: &Path, text: &str) {
    fs::write(path, format!("#!/usr/bin/env bash\n{text}")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Calls `tests/packages download` where this is `apt-get`; `$HERE` in it is a folder of the test's.
fn download(apt_get: &str) -> (Output, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    program(&folder.path().join("apt-get"), apt_get);
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let mut command = Command::new(tree().join("tests/packages"));
    command.args(["download", folder.path().to_str().unwrap(), "such-a-tool"]);
    (command.env("PATH", path).env("HERE", folder.path()).output().unwrap(), folder)
}

#[test]
fn a_mirror_that_is_away_is_said_with_what_to_do() {
    let (output, _folder) = download("echo 'E: Could not connect to the mirror'; exit 100");
    let error = said(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    for line in
        ["could not download such-a-tool", "| E: Could not connect to the mirror", "Check that this machine reaches"]
    {
        assert!(error.contains(line), "{line}: {error}");
    }
}

#[test]
fn package_lists_that_are_out_of_date_are_updated_once() {
    let (output, folder) = download(
        "echo \"$*\" >>\"$HERE/calls\"
         case \" $* \" in
             *' update '*) touch \"$HERE/updated\" ;;
             *) [[ -e $HERE/updated ]] ;;
         esac",
    );
    // sudo may insist on the machine's own apt-get.
    if rustix::process::geteuid().is_root() {
        assert!(output.status.success(), "{}", said(&output.stderr));
        let calls = fs::read_to_string(folder.path().join("calls")).unwrap();
        let verbs: Vec<_> = calls.lines().map(|call| call.contains(" update")).collect();
        assert_eq!(verbs, [false, true, false], "{calls}");
    }
}

#[test]
fn a_program_that_is_unpacked_finds_what_its_package_has_in_usr_share() {
    let folder = tempfile::tempdir().unwrap();
    let package = folder.path();
    for part in ["usr/bin", "usr/share/such-a-tool"] {
        fs::create_dir_all(package.join(part)).unwrap();
    }
    fs::write(package.join("usr/share/such-a-tool/template"), "it is there").unwrap();
    program(&package.join("usr/bin/such-a-tool"), "cat /usr/share/such-a-tool/template; echo \", $1\"; exit 7");
    let mut command = Command::new(tree().join("tests/plugins/run-unpacked"));
    let output = command.arg(package).args(["such-a-tool", "with an argument"]).output().unwrap();
    assert_eq!((output.status.code(), said(&output.stdout)), (Some(7), "it is there, with an argument\n".to_owned()));
    assert!(!Path::new("/usr/share/such-a-tool").exists(), "only the program sees it");
}

/// The bash scripts below a folder; the guest's own are not for people.
fn scripts(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "guest") {
            found.extend(scripts(&path));
        } else if fs::read(&path).is_ok_and(|text| text.starts_with(b"#!/usr/bin/env bash")) {
            found.push(path);
        }
    }
    found
}

#[test]
fn every_script_explains_itself_and_refuses_what_it_does_not_know() {
    let mut all = scripts(&tree().join("tests"));
    all.push(tree().join("plugins/build"));
    assert!(all.len() > 10, "{all:?}");
    for script in all {
        let call = |word: &str| Command::new(&script).arg(word).output().unwrap();
        let help = call("--help");
        let text = said(&help.stdout);
        assert!(help.status.success() && text.starts_with("usage: "), "{}: {help:?}", script.display());
        let name = script.strip_prefix(tree()).unwrap().display().to_string();
        assert!(text.contains(&name), "{name} calls itself otherwise: {text}");
        assert_eq!(call("--no-such-option").status.code(), Some(2), "{name}");
    }
}
