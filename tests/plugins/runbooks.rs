//! The runbooks that people copy: each checks and previews with the shipped plugins, and those that can run here do.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::bench::Bench;
use super::notify::Server as Chat;
use super::service::Guest;
use crate::support::Project;

const SHIPPED: [&str; 8] = ["alertmanager", "exec", "files", "http", "notify", "package", "service", "vm"];

/// What each needs to be previewed.
const INPUTS: [(&str, &[&str]); 5] = [
    ("disk-full", &[]),
    ("maintain-quietly", &["unit=web", "instance=web-1"]),
    ("notify-on-failure", &["unit=web"]),
    ("patch-packages", &["unit=web", "health=http://127.0.0.1:1/"]),
    ("recover-vm", &["vm=web1"]),
];

/// A project with the runbooks, these plugins, and this configuration.
fn project(plugins: &[&str], config: &str) -> Project {
    let project = Project::with_plugins(plugins);
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, project.path("runbooks").join(path.file_name().unwrap())).unwrap();
    }
    project.write("runwright.toml", &format!("state-dir = \"state\"\n{config}"));
    project
}

#[test]
fn every_runbook_checks_and_previews() {
    let project = project(&SHIPPED, "");
    let mut names: Vec<_> = fs::read_dir(project.path("runbooks"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert_eq!(names, INPUTS.map(|(name, _)| name), "each stands in this test");
    let checked = project.call(&["check", "runbooks"]);
    assert_eq!(checked.exit, Some(0), "{checked:?}");
    for (name, inputs) in INPUTS {
        let inputs = inputs.iter().flat_map(|input| ["-i", input]);
        let planned = project.call(&["plan", name].into_iter().chain(inputs).collect::<Vec<_>>());
        assert_eq!(planned.exit, Some(0), "{planned:?}");
    }
}

#[test]
fn old_logs_go_until_there_is_room() {
    let config = "[plugin.files.grants]\nfiles = [{ path = 'FOLDER/logs', write = true }]\n[plugin.exec.grants]\n\
                  exec = [{ program = '/usr/bin/df', args = ['--output=pcent', '*'] }]\n";
    let project = project(&["exec", "files"], config);
    fs::create_dir(project.path("logs")).unwrap();
    for (name, days) in [("app.log", 90), ("app.log.1", 2), ("app.log.2", 9), ("app.log.3", 16)] {
        project.write(&format!("logs/{name}"), "a line\n");
        let then = SystemTime::now() - Duration::from_secs(days * 86_400);
        fs::File::options().append(true).open(project.path("logs").join(name)).unwrap().set_modified(then).unwrap();
    }
    let folder = format!("folder={}", project.path("logs").display());
    // No disk is that empty, and none that full.
    let enough = |percent: &str| project.call(&["run", "disk-full", "-i", &folder, "-i", percent, "-o", "json"]);
    let kept = enough("enough=101").json();
    assert_eq!((&kept["outcome"], &kept["outputs"]["bytes_removed"]), (&json!("succeeded"), &json!(0)), "{kept:#}");
    let cleaned = enough("enough=0").json();
    assert_eq!(cleaned["outputs"]["bytes_removed"], 14, "{cleaned:#}");
    assert!(project.path("logs/app.log").exists() && project.path("logs/app.log.1").exists());
    assert!(!project.path("logs/app.log.2").exists() && !project.path("logs/app.log.3").exists());
}

/// Where the guest's systemctl is, and the grant of it.
fn service(guest: &Guest) -> (String, String) {
    let via = guest.via();
    let args = via[1..].iter().map(|word| format!("{word:?}, ")).collect::<String>();
    let grant = format!("exec = [{{ program = {:?}, args = [{args}\"/usr/bin/systemctl\", \"**\"] }}]", via[0]);
    (json!({"via": via}).to_string(), grant)
}

#[test]
fn people_are_told_when_a_service_does_not_come_back() {
    let (guest, chat) = (Guest::boot(), Chat::http("200 OK"));
    let (via, grant) = service(&guest);
    let config = format!(
        "[plugin.service]\nconfig-file = 'service.yaml'\n[plugin.service.grants]\n{grant}\n[plugin.notify.grants]\n\
         http = [{{ method = 'POST', url = 'http://127.0.0.1:*/hooks/*', private = true }}]\n\
         secrets = {{ ops-chat = {{ file = 'FOLDER/chat' }} }}\n"
    );
    let project = project(&["notify", "service"], &config);
    project.write("service.yaml", &via);
    project.write("chat", &chat.url());
    let failed = project.call(&["run", "notify-on-failure", "-i", "unit=breaks"]);
    assert_eq!(failed.exit, Some(1), "{failed:?}");
    let told = chat.next();
    assert!(told.contains("*breaks does not come back*") && told.contains("*run:* "), "{told}");
    assert!(!failed.out.contains("s3cret"), "{failed:?}");
}

#[test]
fn a_service_is_restarted_while_its_alerts_are_muted() {
    let guest = Guest::boot();
    guest.systemctl("start web");
    let bench = Bench::new("alertmanager");
    let server = super::alertmanager::Server::start(&bench);
    let (via, grant) = service(&guest);
    let config = format!(
        "[plugin.service]\nconfig-file = 'service.yaml'\n[plugin.service.grants]\n{grant}\n\
         [plugin.alertmanager]\nconfig-file = 'alertmanager.yaml'\n[plugin.alertmanager.grants]\n\
         http = [{{ method = '*', url = 'http://{}/api/v2/*', private = true }}]\n",
        server.address
    );
    let project = project(&["alertmanager", "service"], &config);
    project.write("service.yaml", &via);
    project.write("alertmanager.yaml", &format!("url: http://{}\n", server.address));
    let before = guest.systemctl("show --property MainPID --value web");
    let run = |unit: &str| project.call(&["run", "maintain-quietly", "-i", unit, "-i", "instance=web-1:9100"]);
    let ran = run("unit=web");
    assert_eq!(ran.exit, Some(0), "{ran:?}");
    assert_ne!(guest.systemctl("show --property MainPID --value web"), before);
    assert_eq!(server.silences(), 0, "it is loud again");
    let failed = run("unit=breaks");
    assert_eq!(failed.exit, Some(5), "rolled back: {failed:?}");
    assert_eq!(server.silences(), 0, "also when it fails");
}
