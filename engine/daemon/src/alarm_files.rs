//! The files in the folder of alarms: each is taken in once it is whole, and then moved away.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use host::{regular, shown};

use crate::folder::{Due, Folder, Trouble};
use crate::look::{Look, Open};
use crate::names::{Judged, Wanted};
use crate::{Engine, Error};

/// An alarm file's size, in bytes.
const ALARM_BYTES_MAX: usize = 1 << 20;

/// A file whose JSON ends too early is rejected only when it has not grown for so long: whoever writes it may be slow.
const GROWS_WITHIN: Duration = Duration::from_secs(10);

/// How long a scan waits for what becomes of the alarms in the files that it found.
const WAITED: Duration = Duration::from_secs(30);

/// Files whose alarms are taken in at once.
const TOGETHER: usize = 64;

/// How often it is tried again to move a file away.
const MOVED_EVERY: Duration = Duration::from_secs(30);

/// The bytes that the name of a file may have.
const NAME_BYTES_MAX: usize = 255;

/// `*.json`, but for hidden files; `*.tmp` is what whoever writes renames when it is whole.
const ALARMS: Wanted = Wanted {
    deep: false,
    judge: |name| match name {
        _ if name.starts_with('.') || name.ends_with(".tmp") => Judged::Other,
        _ if name.ends_with(".json") => Judged::Ours,
        _ => Judged::Left("is no alarm: the name of an alarm's file ends in .json"),
    },
};

/// The folder of alarms.
pub(crate) struct AlarmFiles {
    /// What came of files that could not be moved away since.
    folder: Folder<Verdict>,
}

/// What came of an alarm file.
struct Verdict {
    /// The file as it was judged.
    look: Look,
    /// It was taken in; else it was rejected.
    accepted: bool,
    /// What is written beside it.
    text: String,
    /// When moving it away was last tried.
    tried: Instant,
}

impl AlarmFiles {
    /// The files of this folder, not looked at yet.
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: Folder::new(vec![folder.to_owned()], ALARMS) }
    }

    /// Takes in what is whole. True: something is still changing.
    ///
    /// # Errors
    /// Only where the journal can't be written any more.
    pub(crate) async fn scan(&mut self, engine: &Engine) -> Result<bool, Error> {
        self.move_again();
        let scan = self.folder.scan(true);
        let mut unsettled = scan.unsettled;
        // They are waited for together, so that no file waits for what becomes of the one before it.
        let until = tokio::time::Instant::now() + WAITED;
        let judged = scan.due.into_iter().map(async |due| (judge(engine, &due, until).await, due));
        let mut judged = std::pin::pin!(stream::iter(judged).buffered(TOGETHER));
        while let Some((judged, due)) = judged.next().await {
            match judged? {
                Ok(verdict) => self.put_away(&due, verdict),
                Err(Unjudged::Early) => {
                    unsettled = true;
                    let within = GROWS_WITHIN.as_secs();
                    let why = format!("its JSON ends too early: it is rejected if it does not grow within {within} s");
                    self.folder.learn(&due, Err(Trouble::Unread(why)));
                }
                Err(Unjudged::Gone) => {}
                Err(Unjudged::Untaken(why)) => _ = self.folder.learn(&due, Err(Trouble::Unread(why))),
            }
        }
        *engine.alarm_problems.lock().unwrap_or_else(PoisonError::into_inner) = self.folder.problems(true);
        engine.tell_problems();
        Ok(unsettled)
    }

    pub(crate) fn folders(&self) -> &BTreeSet<PathBuf> {
        self.folder.folders()
    }

    pub(crate) fn open(&self) -> Open {
        self.folder.open()
    }

    pub(crate) fn is_unread(&self) -> bool {
        self.folder.is_unread()
    }

    /// Moves a file away. One that can't be moved is told and left; it is not taken in again unless it changes.
    fn put_away(&mut self, due: &Due, verdict: Verdict) {
        if !verdict.accepted {
            tracing::warn!(file = shown(&due.path), "alarm file rejected: {}", verdict.text.trim_end());
        }
        match verdict.put_away(&due.path) {
            Ok(()) => self.folder.forget(&due.path),
            Err(why) => {
                self.folder.learn(due, Ok(verdict));
                self.folder.learn(due, Err(Trouble::Unusable(why)));
            }
        }
    }

    /// Tries again to move what could not be moved.
    fn move_again(&mut self) {
        let stuck: Vec<PathBuf> = self.folder.good().map(|(path, _)| path.to_owned()).collect();
        for path in stuck {
            let Some(verdict) = self.folder.get_mut(&path) else { continue };
            if verdict.tried.elapsed() < MOVED_EVERY {
                continue;
            }
            verdict.tried = Instant::now();
            if verdict.put_away(&path).is_ok() {
                self.folder.forget(&path);
            }
        }
    }
}

/// Why there is no verdict on a file yet.
enum Unjudged {
    /// It went away.
    Gone,
    /// Its JSON ends too early, and it may still be written.
    Early,
    /// The engine could not take it in, with the reason: it stays and is tried again.
    Untaken(String),
}

/// Takes an alarm file in: what it says is durable when this says that it was accepted.
async fn judge(engine: &Engine, due: &Due, until: tokio::time::Instant) -> Result<Result<Verdict, Unjudged>, Error> {
    let body = match regular::read(&due.path, ALARM_BYTES_MAX) {
        Ok(body) => body,
        Err(error) => match error.kind() {
            std::io::ErrorKind::InvalidInput | std::io::ErrorKind::FileTooLarge => {
                return Ok(Ok(Verdict::rejected(due.look, error.to_string())));
            }
            std::io::ErrorKind::NotFound => return Ok(Err(Unjudged::Gone)),
            _ => return Ok(Err(Unjudged::Untaken(format!("could not be read: {error}")))),
        },
    };
    if due.unchanged < GROWS_WITHIN && ends_early(&body) {
        return Ok(Err(Unjudged::Early));
    }
    match engine.take_in_until(trigger::Format::Alertmanager, body, until).await {
        Ok(accepted) => {
            let text = serde_json::to_string_pretty(&accepted).unwrap_or_default();
            Ok(Ok(Verdict { look: due.look, accepted: true, text, tried: Instant::now() }))
        }
        Err(Error::Alarm(error)) => Ok(Ok(Verdict::rejected(due.look, error.to_string()))),
        // The engine is in trouble, not the file.
        Err(Error::Journal(error) | Error::Driver(driver::Error::Journal(error))) if error.is_final() => {
            Err(error.into())
        }
        Err(error) => Ok(Err(Unjudged::Untaken(format!("could not be taken in: {error}; it is tried again")))),
    }
}

/// Whether this is the beginning of JSON, or ends in zeros as a file does for which room was made before it was written.
fn ends_early(body: &[u8]) -> bool {
    let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let read = serde_json::from_slice::<serde::de::IgnoredAny>(text);
    text.ends_with(b"\0") || read.is_err_and(|error| error.is_eof())
}

impl Verdict {
    fn rejected(look: Look, why: String) -> Self {
        Self { look, accepted: false, text: why + "\n", tried: Instant::now() }
    }

    /// Moves the file to `accepted/` or `rejected/` beside it, never over another one, and writes beside it there what came
    /// of it. **A crash** in between leaves the file where it is: it is taken in again, and the inbox knows it.
    fn put_away(&self, path: &Path) -> Result<(), String> {
        let (folder, kind) = if self.accepted { ("accepted", "result.json") } else { ("rejected", "reason.txt") };
        let folder = path.parent().unwrap_or(Path::new(".")).join(folder);
        if std::fs::metadata(path).and_then(|meta| Look::of(&meta)).ok() != Some(self.look) {
            // It is another alarm now, which nobody has read.
            return Err("changed since it was read: it is read again".to_owned());
        }
        move_into(path, &folder, kind, &self.text).map_err(|error| match self.accepted {
            true => format!("was taken in, but could not be moved to accepted: {error}"),
            false => format!("is rejected: {}; it could not be moved to rejected: {error}", self.text.trim_end()),
        })
    }
}

fn move_into(path: &Path, folder: &Path, kind: &str, text: &str) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let name = path.file_name().unwrap_or(OsStr::new("alarm.json"));
    let mut names = (0_u32..).map(|number| fitting(name, number, kind));
    let is_free = |(file, beside): &(OsString, OsString)| !folder.join(file).exists() && !folder.join(beside).exists();
    let Some((file, beside)) = names.find(is_free) else { return Err(std::io::ErrorKind::AlreadyExists.into()) };
    let beside = folder.join(beside);
    // What is said of it comes first: where there is no room for that, the file stays where people look for it.
    let moved = std::fs::write(&beside, text).and_then(|()| std::fs::rename(path, folder.join(file)));
    moved.inspect_err(|_| _ = std::fs::remove_file(&beside))
}

/// The `number`-th choice of names for a file and for what is written beside it. Of a name that is too long the end of its
/// stem is cut.
fn fitting(name: &OsStr, number: u32, kind: &str) -> (OsString, OsString) {
    let front = if number == 0 { String::new() } else { format!("{number}-") };
    let room = NAME_BYTES_MAX - front.len() - 1 - kind.len();
    let bytes = name.as_bytes();
    let mut file = front.into_bytes();
    if bytes.len() <= room {
        file.extend(bytes);
    } else {
        let cut = room - ".json".len();
        // Not in the middle of a letter.
        let cut = std::str::from_utf8(bytes).map_or(cut, |name| name.floor_char_boundary(cut));
        file.extend(&bytes[..cut]);
        file.extend(b".json");
    }
    let beside = [file.as_slice(), b".", kind.as_bytes()].concat();
    (OsString::from_vec(file), OsString::from_vec(beside))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_json_is_told_from_what_is_wrong() {
        for early in ["", " \n", "{", "[{\"labels\": {\"a", "\u{feff}{\"a\": tr", "{\"a\":1}\0\0"] {
            assert!(ends_early(early.as_bytes()), "{early:?}");
        }
        for whole in ["{}", "[1]\n", "\u{feff}{}", "{]", "{} {", "nul!", "name: yaml"] {
            assert!(!ends_early(whole.as_bytes()), "{whole:?}");
        }
    }

    #[test]
    fn a_file_that_changed_since_it_was_judged_is_not_moved() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        std::fs::write(&path, "{}").unwrap();
        let look = Look::of(&std::fs::metadata(&path).unwrap()).unwrap();
        let verdict = Verdict { look, accepted: true, text: "taken".to_owned(), tried: Instant::now() };
        std::fs::write(&path, "{\"another\": 1}").unwrap();
        assert!(verdict.put_away(&path).is_err() && path.exists());
        std::fs::write(&path, "{}").unwrap();
        let look = Look::of(&std::fs::metadata(&path).unwrap()).unwrap();
        assert_eq!(Verdict { look, ..verdict }.put_away(&path), Ok(()));
        let beside = std::fs::read_to_string(folder.path().join("accepted/a.json.result.json"));
        assert_eq!((path.exists(), beside.unwrap().as_str()), (false, "taken"));
    }

    #[test]
    fn names_fit_whatever_is_put_to_them() {
        let fitting = |name: &[u8], number| fitting(OsStr::from_bytes(name), number, "result.json");
        assert_eq!(fitting(b"a.json", 0), ("a.json".into(), "a.json.result.json".into()));
        assert_eq!(fitting(b"caf\xe9.json", 2).0.as_bytes(), b"2-caf\xe9.json");
        for length in 200..=250 {
            for letter in ["x", "é", "→"] {
                let name = format!("{}.json", letter.repeat(length / letter.len()));
                let (file, beside) = fitting(name.as_bytes(), 17);
                assert!(beside.len() <= NAME_BYTES_MAX && file.as_bytes().ends_with(b".json"), "{length} {beside:?}");
                assert!(file.to_str().is_some(), "{file:?}");
                assert_eq!(file.to_str() == Some(&format!("17-{name}")), name.len() + "17-.result.json".len() <= 255);
            }
        }
    }
}
