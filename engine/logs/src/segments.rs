//! The files of one run: `1.log`, `2.log` and so on, each a line of JSON for each line that was said. The first ones stay,
//! of the others the newest; how many lines went with those between stands in `left-out`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use runwright_core::Line;

use crate::Place;

/// Files that stay because they are the first.
pub(crate) const FIRST: u64 = 4;

/// Files that stay because they are the newest.
pub(crate) const NEWEST: u64 = 4;

const LEFT_OUT: &str = "left-out";

/// Bytes of one line of a file; a longer one is none that was written here.
const LINE_BYTES_MAX: u64 = 256 * 1024;

/// The end of a run's files, where the next line goes.
#[derive(Debug)]
pub(crate) struct End {
    folder: PathBuf,
    number: u64,
    bytes: u64,
    /// The last line of the file is not whole: power was lost, or the disk was full.
    torn: bool,
}

impl End {
    /// The end of the files in `folder`, which need not be there.
    pub(crate) fn find(folder: PathBuf) -> io::Result<Self> {
        let number = numbers(&folder)?.last().copied().unwrap_or(1);
        let (bytes, torn) = match File::open(path(&folder, number)) {
            Ok(mut file) => {
                let bytes = file.metadata()?.len();
                let mut last = [b'\n'];
                if bytes > 0 {
                    file.seek(SeekFrom::End(-1))?;
                    file.read_exact(&mut last)?;
                }
                (bytes, last != *b"\n")
            }
            Err(error) if error.kind() == ErrorKind::NotFound => (0, false),
            Err(error) => return Err(error),
        };
        Ok(Self { folder, number, bytes, torn })
    }

    /// Writes these lines, none of which makes a file larger than `bytes_max` unless it is alone in it. After an error some
    /// of them may have been written: how many is the first part of it.
    pub(crate) fn append(&mut self, lines: &[Line], bytes_max: u64) -> Result<(), (usize, io::Error)> {
        let (mut text, mut begun, mut written) = (Vec::new(), 0, 0);
        for line in lines {
            let before = text.len();
            // What is written to memory does not fail.
            let _ = serde_json::to_writer(&mut text, line);
            text.push(b'\n');
            if self.bytes + text.len() as u64 > bytes_max && self.bytes + before as u64 > 0 {
                let next = text.split_off(before);
                self.write(&text).map_err(|error| (written, error))?;
                written = begun;
                self.roll().map_err(|error| (written, error))?;
                text = next;
            }
            begun += 1;
        }
        self.write(&text).map_err(|error| (written, error))
    }

    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(0o600);
        let mut file = match options.open(path(&self.folder, self.number)) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
                options.open(path(&self.folder, self.number))?
            }
            opened => opened?,
        };
        let begin = if self.torn { &b"\n"[..] } else { b"" };
        if let Err(error) = file.write_all(begin).and_then(|()| file.write_all(text)) {
            // So that the line that is not whole takes no other one with it.
            self.torn |= file.set_len(self.bytes).is_err();
            return Err(error);
        }
        self.bytes += (begin.len() + text.len()) as u64;
        self.torn = false;
        Ok(())
    }

    /// Goes on with a new file, and removes the one in the middle that is too many.
    fn roll(&mut self) -> io::Result<()> {
        (self.number, self.bytes, self.torn) = (self.number + 1, 0, false);
        let Some(gone) = self.number.checked_sub(NEWEST).filter(|number| *number > FIRST) else { return Ok(()) };
        let gone = path(&self.folder, gone);
        let lines = match File::open(&gone) {
            Ok(file) => BufReader::new(file).split(b'\n').count() as u64,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        // After a crash between the two, lines are told as left out that are still there.
        fs::write(self.folder.join(LEFT_OUT), (left_out(&self.folder) + lines).to_string())?;
        fs::remove_file(gone)
    }
}

/// Gives the lines in `folder` from `from` on to `each`, until there are no more or it gives false.
pub(crate) fn read(folder: &Path, from: Place, each: &mut dyn FnMut(Line) -> bool) -> io::Result<Place> {
    let mut place = from;
    let mut gap = 0;
    for number in numbers(folder)? {
        if number < place.segment {
            continue;
        }
        if number != place.segment {
            // The file that it stood in is at its end, or gone.
            gap += if number > FIRST + 1 && place.segment <= FIRST { left_out(folder) } else { 0 };
            place = Place { segment: number, offset: 0 };
        }
        let file = match File::open(path(folder, number)) {
            Ok(file) => file,
            // It became one too many just now.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if !read_file(file, &mut place.offset, &mut gap, each)? {
            break;
        }
    }
    Ok(place)
}

/// Gives the whole lines of one file; false when `each` did.
fn read_file(mut file: File, offset: &mut u64, gap: &mut u64, each: &mut dyn FnMut(Line) -> bool) -> io::Result<bool> {
    file.seek(SeekFrom::Start(*offset))?;
    let mut file = BufReader::new(file);
    let mut text = Vec::new();
    loop {
        text.clear();
        let length = (&mut file).take(LINE_BYTES_MAX).read_until(b'\n', &mut text)? as u64;
        let is_whole = text.ends_with(b"\n");
        if length == 0 || !is_whole && length < LINE_BYTES_MAX {
            return Ok(true);
        }
        *offset += length;
        // One that was torn by a loss of power is skipped.
        if let Ok(mut line) = serde_json::from_slice::<Line>(&text) {
            line.left_out += std::mem::take(gap);
            if !each(line) {
                return Ok(false);
            }
        }
    }
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number}.log"))
}

/// The lines that went with the files between the first and the newest.
fn left_out(folder: &Path) -> u64 {
    fs::read_to_string(folder.join(LEFT_OUT)).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// The numbers of the files in `folder`, in order.
fn numbers(folder: &Path) -> io::Result<Vec<u64>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        numbers.extend(name.to_str().and_then(|name| name.strip_suffix(".log")?.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}
