//! The plugins: whether they load, and what they may reach.

use daemon::{Settings, Workshop};

use super::Finding;
use crate::human::{clean, count, one_line};
use host::{Grants, cautions, missing, reach, secret_findings, withheld};

pub(super) fn examine(settings: &Settings, workshop: &Workshop) -> Vec<Finding> {
    let mut findings = Vec::new();
    for problem in &workshop.problems() {
        let mend = "build it again, or take it out of the folder";
        findings.push(Finding::fail("plugin", format!("{}: {}", problem.subject, one_line(&problem.problem)), mend));
    }
    let loaded = workshop.host.plugins();
    for facts in &loaded {
        let subject = format!("plugin {}", facts.name);
        let entry = settings.plugin.get(&facts.name);
        let actions = count(facts.actions.len(), "action");
        let found = format!("{}, {actions} ({})", clean(&facts.version), facts.digest.short());
        let mine = format!("[plugin.{}]\ndigest = \"{}\"", facts.name, facts.digest);
        let reach = reach(facts, entry);
        findings.push(match (withheld(facts, entry), missing(&reach)) {
            (Some(why), _) => Finding::fail(&subject, why, mine),
            (None, None) => Finding::ok(&subject, found),
            // It has what somebody thought that it needs.
            (None, Some((names, _))) if reach.iter().any(|reach| !reach.granted.is_empty()) => {
                Finding::ok(&subject, format!("{found}; of {names} nothing is granted"))
            }
            (None, Some((names, add))) => {
                let found = format!("{found}; it asks for {names}, of which nothing is granted");
                Finding::warn(&subject, found, format!("where a step needs it, add to runwright.toml:\n{add}"))
            }
        });
        findings.extend(entry.into_iter().flat_map(|entry| grants(&subject, &entry.grants)));
    }
    if loaded.is_empty() && workshop.problems().is_empty() {
        let folders: Vec<String> = settings.plugins.iter().map(|path| path.display().to_string()).collect();
        let found = format!("none in {}", folders.join(", "));
        findings.push(Finding::warn(
            "plugins",
            found,
            "runbooks can use scripts only; set plugins to folders of *.wasm",
        ));
    }
    for name in settings.plugin.keys().filter(|name| !loaded.iter().any(|facts| facts.name == **name)) {
        let found = format!("[plugin.{name}] is configured, but there is no such plugin");
        findings.push(Finding::warn(format!("plugin {name}"), found, "mend the name, or take it out"));
    }
    findings
}

/// What is granted and gives more than it seems to, or nothing.
fn grants(subject: &str, grants: &Grants) -> Vec<Finding> {
    let narrow = "grant the arguments that its steps need, and no others";
    let open = cautions(grants).into_iter().map(|caution| Finding::warn(subject, caution, narrow));
    let secrets = secret_findings(&grants.secrets).into_iter();
    let mend = "`runwright plugin grants` shows where each secret comes from";
    open.chain(secrets.map(|secret| Finding::warn(subject, secret, mend))).collect()
}
