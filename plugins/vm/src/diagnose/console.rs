//! What the console tells of the last boot.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
};

/// How much of its end is read.
const TAIL_BYTES: u64 = 16 << 10;
/// How many lines are shown to people.
const LINES_SHOWN: usize = 12;

/// What a kernel or an initramfs says when it cannot use the root disk.
const DISK_SIGNS: [&str; 8] = [
    "unable to mount root fs",
    "root disk unusable",
    "no working init found",
    "cannot open root device",
    "can't find ext4 filesystem",
    "bad superblock",
    "gave up waiting for root",
    "requested init /linuxrc failed",
];

/// What the console's end tells.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Console {
    /// The line that says that the disk does not boot.
    pub(crate) disk_sign: Option<String>,
    /// The reason of the last panic.
    pub(crate) panic: Option<String>,
    /// The last lines that are worth showing.
    pub(crate) tail: Vec<String>,
}

impl Console {
    /// Reads the console's end; none where that is not granted, or there is none.
    pub(crate) fn read(path: &str) -> Option<Self> {
        let mut file = File::open(path).ok()?;
        let length = file.metadata().ok()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES))).ok()?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes).ok()?;
        Some(Self::parse(&String::from_utf8_lossy(&bytes)))
    }

    /// Reads the text from the last panic but one: what was before belongs to an earlier boot.
    pub(crate) fn parse(text: &str) -> Self {
        let lines: Vec<_> = text.lines().map(plain).collect();
        let panics: Vec<_> = (0..lines.len()).filter(|at| panic_reason(&lines[*at]).is_some()).collect();
        let start = match panics.as_slice() {
            [.., earlier, _] => earlier + 1,
            _ => 0,
        };
        let recent = &lines[start..];
        let is_sign = |line: &&String| {
            let line = line.to_ascii_lowercase();
            DISK_SIGNS.iter().any(|sign| line.contains(sign))
        };
        let told: Vec<_> = recent.iter().filter(|line| !is_trace(line)).cloned().collect();
        Self {
            disk_sign: recent.iter().find(is_sign).cloned(),
            panic: panics.last().and_then(|at| panic_reason(&lines[*at])).map(Into::into),
            tail: told[told.len().saturating_sub(LINES_SHOWN)..].to_vec(),
        }
    }
}

fn panic_reason(line: &str) -> Option<&str> {
    line.split_once("Kernel panic - not syncing: ").map(|(_, reason)| reason)
}

/// Part of a stack or register dump: says nothing to who is paged at night.
fn is_trace(line: &str) -> bool {
    let text = line.split_once("] ").map_or(line, |(_, text)| text).trim_start();
    let register = text
        .split_once(": ")
        .is_some_and(|(name, _)| name.len() <= 4 && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()));
    let frame = text.contains("+0x") && text.contains("/0x");
    let heading = ["Call Trace:", "Hardware name: ", "Code: "].iter().any(|heading| text.starts_with(heading));
    line.is_empty() || register || frame || heading || text.starts_with('<')
}

/// Without control characters, and not longer than a screen is wide.
fn plain(line: &str) -> String {
    line.chars().filter(|c| !c.is_control()).take(200).collect::<String>().trim_end().into()
}

#[cfg(test)]
mod tests {
    use super::Console;

    const PANIC: &str = "[   21.525720] sysrq: Trigger a crash
[   21.527530] Kernel panic - not syncing: sysrq triggered crash
[   21.529270]  <TASK>
[   21.529949]  panic+0x118/0x2f4
[   21.531427] RSP: 002b:00007fffd5cfe238 EFLAGS: 00000202
";

    #[test]
    fn a_panic_has_a_reason() {
        let console = Console::parse(PANIC);
        assert_eq!(console.panic.as_deref(), Some("sysrq triggered crash"));
        assert_eq!((console.disk_sign, console.tail.len()), (None, 2));
    }

    #[test]
    fn a_disk_that_does_not_boot_is_told() {
        let text = format!("{PANIC}mount: mounting failed\nlab: root disk unusable: it does not mount\n{PANIC}");
        let console = Console::parse(&text);
        assert_eq!(console.disk_sign.as_deref(), Some("lab: root disk unusable: it does not mount"));
        let vfs = "[ 1.0] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)";
        assert!(Console::parse(vfs).disk_sign.is_some());
    }

    #[test]
    fn an_earlier_boot_does_not_count() {
        let text = format!("root disk unusable\n{PANIC}{PANIC}");
        assert_eq!(Console::parse(&text).disk_sign, None);
    }

    #[test]
    fn a_console_may_hold_anything() {
        let console = Console::parse("\u{1b}[2Jx\u{0}\u{7}\nlast");
        assert_eq!(console.tail, ["[2Jx", "last"]);
        assert_eq!(Console::parse(""), Console::default());
        assert_eq!(Console::read("/nowhere/console.log"), None);
    }
}
