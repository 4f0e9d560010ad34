//! What can be run without a shell.

use std::io::{self, ErrorKind, Read};
use std::path::Path;

use crate::regular;

/// Bytes of a program's first line that Linux looks at (execve(2)).
const FIRST_LINE: usize = 256;

/// Why the file can't be run. The C library hands whatever Linux refuses as no program to `/bin/sh`, and a program for a
/// grant is never anything that a shell makes of a file (execvp(3)).
///
/// A file that may be run and not read is taken for a program.
pub(super) fn check(program: &Path) -> io::Result<()> {
    let mut start = Vec::new();
    match regular::open(program) {
        Ok((file, _)) => file.take(FIRST_LINE as u64).read_to_end(&mut start)?,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return Ok(()),
        Err(error) => return Err(error),
    };
    let wrong = |why: String| Err(io::Error::new(ErrorKind::InvalidInput, why));
    if let Some(line) = start.strip_prefix(b"#!") {
        let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let interpreter = line.trim_start_matches([' ', '\t']).split([' ', '\t']).next().unwrap_or_default();
        return match interpreter {
            "" => wrong("its first line names no interpreter behind `#!`".to_owned()),
            name if name.ends_with('\r') => {
                wrong("its lines end as on Windows (CR LF), so that no interpreter is found".to_owned())
            }
            name if !Path::new(name).exists() => wrong(format!("its interpreter {name} is not there")),
            _ => Ok(()),
        };
    }
    match is_elf_of(&start, std::env::consts::ARCH) {
        true => Ok(()),
        false if start.starts_with(b"\x7fELF") => wrong("its ELF header is broken, or for another machine".to_owned()),
        false => wrong("it is no program: it begins neither with `#!` nor as an ELF file".to_owned()),
    }
}

/// Whether this is the begin of an executable ELF file for this machine (elf(5)): `e_ident`, `e_type`, `e_machine`.
fn is_elf_of(start: &[u8], arch: &str) -> bool {
    let half = |at: usize| start.get(at..at + 2).map(|half| u16::from_le_bytes([half[0], half[1]]));
    let machines: &[u16] = match arch {
        "x86_64" => &[62, 3],
        "aarch64" => &[183, 40],
        _ => return start.starts_with(b"\x7fELF"),
    };
    start.starts_with(b"\x7fELF")
        && matches!((start.get(4), start.get(5)), (Some(1 | 2), Some(1)))
        && matches!(half(16), Some(2 | 3))
        && half(18).is_some_and(|machine| machines.contains(&machine))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_what_linux_runs_itself_is_a_program() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        let why = |text: &[u8]| {
            fs::write(&path, text).unwrap();
            check(&path).err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert_eq!(why(b"#!/bin/sh\nexit 0\n"), "");
        assert_eq!(why(b"#! /usr/bin/env sh\n"), "");
        assert_eq!(why(&fs::read("/proc/self/exe").unwrap()), "");
        for (text, told) in [
            (&b""[..], "no program"),
            (b"echo hello\n", "no program"),
            (b"\x7fELFgarbage", "ELF header is broken"),
            (b"#!/no/such/interpreter -x\n", "/no/such/interpreter is not there"),
            (b"#!/bin/sh\r\nexit 0\r\n", "CR LF"),
            (b"#!\n", "names no interpreter"),
        ] {
            assert!(why(text).contains(told), "{}", why(text));
        }
        assert_eq!(check(Path::new("/no/such")).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
