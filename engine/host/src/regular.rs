//! Regular files: opened without waiting for anybody, and read within a bound.
//!
//! Folders hold whatever people and programs put there. Opening a FIFO waits until somebody writes into it, and opening a
//! device may do something; so whatever reads files by name reads regular ones only. Links are followed.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// Opens the regular file at `path` for reading, and says what it is.
///
/// Anything else is [`InvalidInput`](ErrorKind::InvalidInput).
pub fn open(path: &Path) -> io::Result<(File, Metadata)> {
    // The first look spares a device the attempt to open it; the second one is of what was really opened.
    check(&std::fs::metadata(path)?)?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let meta = file.metadata()?;
    check(&meta)?;
    Ok((file, meta))
}

/// The bytes of the regular file at `path`, of which there may be `limit`; with more it is
/// [`FileTooLarge`](ErrorKind::FileTooLarge).
pub fn read(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let bytes = read_beginning(path, limit)?;
    if bytes.len() > limit {
        return Err(io::Error::new(ErrorKind::FileTooLarge, format!("it has more than {limit} bytes")));
    }
    Ok(bytes)
}

/// The same for text in UTF-8.
pub fn read_text(path: &Path, limit: usize) -> io::Result<String> {
    String::from_utf8(read(path, limit)?).map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is not UTF-8"))
}

/// The bytes of the regular file at `path`, at most `limit` and one more: for readers that say themselves what is too
/// large.
pub fn read_beginning(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.0.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn check(meta: &Metadata) -> io::Result<()> {
    let kind = meta.file_type();
    if kind.is_file() {
        return Ok(());
    }
    let what = match kind {
        kind if kind.is_dir() => "folder",
        kind if kind.is_fifo() => "pipe",
        kind if kind.is_socket() => "socket",
        _ => "device",
    };
    Err(io::Error::new(ErrorKind::InvalidInput, format!("it is a {what}, not a regular file")))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn only_regular_files_are_opened_and_nothing_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "text").unwrap();
        symlink("file", at("link")).unwrap();
        symlink("nothing", at("dangling")).unwrap();
        symlink("fifo", at("link-to-fifo")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, at("fifo"), rustix::fs::FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
            .unwrap();
        let _socket = UnixListener::bind(at("socket")).unwrap();
        assert_eq!(read_text(&at("link"), 4).unwrap(), "text");
        for (name, why) in [
            ("fifo", "it is a pipe, not a regular file"),
            ("link-to-fifo", "it is a pipe, not a regular file"),
            ("socket", "it is a socket, not a regular file"),
            ("", "it is a folder, not a regular file"),
            ("dangling", "No such file or directory (os error 2)"),
        ] {
            assert_eq!(open(&at(name)).unwrap_err().to_string(), why, "{name}");
        }
        assert_eq!(read(Path::new("/dev/null"), 1).unwrap_err().to_string(), "it is a device, not a regular file");
    }

    #[test]
    fn a_file_may_be_as_large_as_its_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, [0xff; 10]).unwrap();
        assert_eq!(read(&path, 10).unwrap().len(), 10);
        assert_eq!(read(&path, 9).unwrap_err().kind(), ErrorKind::FileTooLarge);
        assert_eq!(read_beginning(&path, 3).unwrap().len(), 4);
        assert_eq!(read_text(&path, 10).unwrap_err().kind(), ErrorKind::InvalidData);
    }
}
