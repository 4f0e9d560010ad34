//! The folder of alarms.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::super::inbox::slow_runbooks;
use super::{alarm, bound, is_told, problems, ran, ready, runbook, serve};
use crate::support::Project;

fn project() -> Project {
    let project = Project::with_plugins(&[]);
    project.write("runbooks/odd.yaml", &runbook("odd", 1));
    project.write("runbooks/last.yaml", &runbook("last", 1));
    project
}

/// Drops an alarm file as the guide says: written, then renamed.
fn drop_alarm(project: &Project, name: &[u8], text: &str) {
    let folder = project.path("alarms");
    fs::write(folder.join("new.tmp"), text).expect("a file");
    fs::rename(folder.join("new.tmp"), folder.join(OsStr::from_bytes(name))).expect("it is moved");
}

fn entries(project: &Project, folder: &str) -> usize {
    fs::read_dir(project.path(folder)).map_or(0, Iterator::count)
}

#[test]
fn an_alarm_file_may_have_any_name_and_none_ends_the_engine() {
    let project = project();
    let served = serve(&project);
    let long: Vec<Vec<u8>> = (238..=255).map(|length| [&vec![b'x'; length - 5], &b".json"[..]].concat()).collect();
    let names = [&b"caf\xe9.json"[..], b"a b; $(id).json", b"-rf.json", b"a\nb\x1b[2J.json", "ж.json".as_bytes()];
    for name in long.iter().map(Vec::as_slice).chain(names) {
        drop_alarm(&project, name, &alarm("odd"));
    }
    let all = long.len() + names.len();
    let served = served.wait_until("they are accepted", || entries(&project, "alarms/accepted") == 2 * all);
    assert!(fs::exists(project.path("alarms/accepted").join(OsStr::from_bytes(b"caf\xe9.json"))).unwrap());
    for name in ["UP.JSON", "x.txt", "half.json.tmp", ".hidden"] {
        project.write(&format!("alarms/{name}"), &alarm("odd"));
    }
    fs::write(project.path("alarms").join(OsStr::from_bytes(b"\x1b[31mred.txt")), "").expect("a file");
    fs::create_dir(project.path("alarms/folder.json")).expect("a folder");
    let served = served.wait_until("what is no alarm is told", || problems(&project).len() == 4);
    for name in ["alarms/UP.JSON", "alarms/x.txt", "alarms/\\u{1b}[31mred.txt"] {
        assert!(is_told(&project, &[name, "the name of an alarm's file ends in .json"]), "{:?}", problems(&project));
    }
    assert!(is_told(&project, &["alarms/folder.json", "is a folder"]));
    assert_eq!(ran(&project), ["odd"], "it is one alarm");
    served.signal(Signal::TERM);
    let ended = served.wait();
    assert!(ended.exit == Some(0) && !ended.err.contains('\u{1b}'), "{ended:?}");
}

#[test]
fn alarms_that_wait_for_their_turn_hold_up_no_runbook() {
    const ALL: usize = 8;
    let project = project();
    slow_runbooks(&project);
    let served = serve(&project);
    for n in 0..ALL {
        drop_alarm(&project, format!("{n}.json").as_bytes(), &alarm(&format!("slow-{n}")));
    }
    let inbox = || project.call(&["status", "-o", "json"]).json()["alarms"].as_array().map_or(0, Vec::len);
    let served = served.wait_until("the first is handled", || inbox() > 0);
    project.write("runbooks/new.yaml", &runbook("new", 1));
    let is_used = || project.call(&["status", "-o", "json"]).json()["runbooks"].to_string().contains("\"new\"");
    let _served = served.wait_until("the new runbook", is_used);
    assert!(inbox() < ALL, "it was held up until all were handled");
}

#[test]
fn what_can_not_be_moved_is_told_and_left_and_the_rest_goes_on() {
    let project = project();
    project.write("alarms/accepted", "a file where a folder should be\n");
    project.write("alarms/rejected", "a file where a folder should be\n");
    drop_alarm(&project, b"good.json", &alarm("odd"));
    drop_alarm(&project, b"bad.json", "{\"no\": \"alarm\"}");
    let served = serve(&project);
    let served = served.wait_until("both are told", || {
        is_told(&project, &["alarms/good.json", "was taken in", "accepted"])
            && is_told(&project, &["alarms/bad.json", "is rejected", "rejected"])
    });
    drop_alarm(&project, b"last.json", &alarm("last"));
    let served = served.wait_until("the last one", || is_told(&project, &["alarms/last.json", "was taken in"]));
    assert_eq!(ran(&project), ["last", "odd"]);
    served.signal(Signal::TERM);
    let ended = served.wait();
    assert_eq!(ended.exit, Some(0));
    assert_eq!(ended.err.matches("bad.json").count(), 2, "rejected once, and told once: {}", ended.err);

    fs::remove_file(project.path("alarms/accepted")).expect("a file");
    let served = serve(&project);
    let _served = served.wait_until("they are moved", || entries(&project, "alarms/accepted") == 4);
    assert_eq!(ran(&project), ["last", "odd"], "they were taken in before");
}

#[test]
fn a_folder_of_alarms_that_can_not_be_written_is_told() {
    let project = project();
    drop_alarm(&project, b"a.json", &alarm("odd"));
    let command = bound(&project, &["serve"]);
    fs::set_permissions(project.path("alarms"), fs::Permissions::from_mode(0o555)).expect("a folder");
    let served = ready(&project, project.start_as(command));
    let served = served.wait_until("it is told", || is_told(&project, &["alarms/a.json", "Permission denied"]));
    assert_eq!(ran(&project), ["odd"]);
    served.signal(Signal::TERM);
    assert_eq!(served.wait().exit, Some(0));
    fs::set_permissions(project.path("alarms"), fs::Permissions::from_mode(0o755)).expect("a folder");
}

#[test]
fn an_alarm_that_is_written_slowly_is_waited_for() {
    let project = project();
    let served = serve(&project);
    let text = alarm("odd");
    let mut served = served;
    let write = |part: &[u8]| {
        let file = OpenOptions::new().create(true).append(true).open(project.path("alarms/slow.json"));
        file.and_then(|mut file| file.write_all(part)).expect("it is written");
    };
    // Whoever writes it closes it after each part.
    let parts: Vec<&[u8]> = text.as_bytes().chunks(40).collect();
    let (last, parts) = parts.split_last().expect("parts");
    for part in parts {
        write(part);
        served = served
            .wait_until("it is not whole", || is_told(&project, &["alarms/slow.json", "its JSON ends too early"]));
    }
    write(last);
    served = served.wait_until("it is accepted", || entries(&project, "alarms/accepted") == 2);
    assert_eq!((ran(&project), problems(&project)), (vec!["odd".to_owned()], Vec::new()));

    let began = Instant::now();
    drop_alarm(&project, b"half.json", &text[..20]);
    let _served = served.wait_until("it is rejected", || entries(&project, "alarms/rejected") == 2);
    assert!(began.elapsed() >= Duration::from_secs(10), "{:?}", began.elapsed());
}
