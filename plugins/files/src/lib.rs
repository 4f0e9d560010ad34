//! Reads, writes, lists and removes files of the folders that are granted.
//!
//! The folders are WASI's: they have the paths that they have outside, and no symbolic link and no `..` leads out of
//! them. What WASI does not know, a file's mode and owner, two programs do: see [`attributes`].

mod attributes;
mod checksum;
mod diff;
mod exists;
mod list;
mod place;
mod previous;
mod read;
mod remove;
mod write;

use runwright_sdk::{Action, Plugin};

fn plugin() -> Plugin {
    Plugin::new("files", env!("CARGO_PKG_VERSION"), "Files of granted folders")
        .action(Action::read("read", "Reads a file, or the beginning or end of a large one", read::run))
        .action(Action::read("list", "Lists the files of a folder that fit", list::run))
        .action(Action::read("exists", "Says whether there is something, and what", exists::run))
        .action(Action::read("checksum", "Gives the SHA-256 of a file", checksum::run))
        .action(
            Action::idempotent("write", "Gives a file this content, whole or not at all", write::run)
                .plan(write::plan)
                .verify(write::verify)
                .undo(write::undo)
                .undo_safe_if_not_run(),
        )
        .action(
            Action::idempotent("remove", "Removes a file or an empty folder", remove::run)
                .destructive()
                .plan(remove::plan)
                .verify(remove::verify)
                .undo(remove::undo)
                .undo_safe_if_not_run(),
        )
}

runwright_sdk::export!(plugin);

/// The context of a test, and a folder that is gone when it ends.
#[cfg(test)]
mod scene {
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// A folder of one test.
    pub(crate) struct Folder(PathBuf);

    impl Folder {
        pub(crate) fn new() -> Self {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let folder = std::env::temp_dir().join(format!("rw-files-{}-{number}", std::process::id()));
            std::fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }

        pub(crate) fn path(&self, name: &str) -> String {
            self.0.join(name).to_str().unwrap().to_owned()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}
