//! `runwright completions`

use crate::support::Project;

#[test]
fn every_shell_has_completions_that_name_the_commands() {
    let project = Project::with_plugins(&[]);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = project.call(&["completions", shell]);
        assert_eq!(ran.exit, Some(0), "{ran:?}");
        assert!(["settle", "doctor", "state-dir"].iter().all(|word| ran.out.contains(word)), "{shell}");
    }
}
