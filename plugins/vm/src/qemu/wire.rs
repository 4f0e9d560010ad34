//! JSON lines over a unix socket, each exchange with a deadline.

use std::{
    fmt,
    time::{Duration, Instant},
};

use runwright_sdk::{Error, unix};
use serde_json::Value;

/// The longest line that is read.
const LINE_BYTES_MAX: usize = 4 << 20;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fault {
    /// Nobody listens: no such socket, or nobody behind it.
    Absent,
    /// The other side went away.
    Closed,
    /// Somebody listens, but does not answer.
    Silent,
    /// The socket is not granted.
    Denied(String),
    /// It answered that it won't.
    Refused(String),
    /// It answered what is no JSON, or the socket failed.
    Broken(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("nobody listens"),
            Self::Closed => f.write_str("it went away"),
            Self::Silent => f.write_str("it does not answer"),
            Self::Denied(why) | Self::Refused(why) | Self::Broken(why) => f.write_str(why),
        }
    }
}

impl Fault {
    /// As the error of an action that has done nothing yet.
    pub(crate) fn harmless(self, what: &str) -> Error {
        let message = format!("{what}: {self}");
        match self {
            Self::Denied(_) => Error::denied(message).code("vm.denied"),
            Self::Refused(_) => Error::permanent(message).code("vm.refused"),
            _ => Error::transient(message).code("vm.no-answer"),
        }
    }

    /// As the error of an action that has acted: what came of it must be asked.
    pub(crate) fn unknown(self, what: &str) -> Error {
        Error::unknown_outcome(format!("{what}: {self}")).code("vm.no-answer")
    }
}

impl From<unix::Error> for Fault {
    fn from(error: unix::Error) -> Self {
        match error {
            unix::Error::Denied(why) => Self::Denied(why),
            unix::Error::NotFound => Self::Absent,
            unix::Error::Closed => Self::Closed,
            unix::Error::TimedOut => Self::Silent,
            unix::Error::Failed(why) => Self::Broken(why),
        }
    }
}

/// A stream of bytes: a socket, or a script in a test.
pub(crate) trait Stream {
    /// The next bytes; none: the other side is done.
    fn read(&mut self, timeout: Duration) -> Result<Vec<u8>, Fault>;
    /// Writes all.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Fault>;
}

impl Stream for unix::Connection {
    fn read(&mut self, timeout: Duration) -> Result<Vec<u8>, Fault> {
        Ok(unix::Connection::read(self, 64 << 10, Some(timeout))?)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        Ok(self.write_all(bytes)?)
    }
}

/// Connects; nobody listening is [`Fault::Absent`].
pub(crate) fn connect(path: &str) -> Result<Lines<unix::Connection>, Fault> {
    match unix::Connection::connect(path) {
        Ok(connection) => Ok(Lines::new(connection)),
        Err(unix::Error::Closed) => Err(Fault::Absent),
        Err(unix::Error::Failed(why)) if why.contains("refused") => Err(Fault::Absent),
        // EAGAIN (connect(2)): so many wait already that no more may; nobody takes them up.
        Err(unix::Error::Failed(why)) if why.contains("temporarily unavailable") => Err(Fault::Silent),
        Err(error) => Err(error.into()),
    }
}

/// JSON lines over a stream.
pub(crate) struct Lines<S> {
    stream: S,
    buffer: Vec<u8>,
}

impl<S: Stream> Lines<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// Sends one line.
    pub(crate) fn send(&mut self, message: &Value) -> Result<(), Fault> {
        self.stream.write(format!("{message}\n").as_bytes())
    }

    /// Sends bytes as they are.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.stream.write(bytes)
    }

    /// The next line.
    pub(crate) fn next(&mut self, deadline: Instant) -> Result<Value, Fault> {
        loop {
            let line = self.until(b'\n', deadline)?;
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            return serde_json::from_slice(&line).map_err(|error| Fault::Broken(format!("not JSON: {error}")));
        }
    }

    /// What comes before the next `mark`, which is dropped.
    pub(crate) fn until(&mut self, mark: u8, deadline: Instant) -> Result<Vec<u8>, Fault> {
        loop {
            if let Some(at) = self.buffer.iter().position(|byte| *byte == mark) {
                let rest = self.buffer.split_off(at + 1);
                let mut head = std::mem::replace(&mut self.buffer, rest);
                head.pop();
                return Ok(head);
            }
            if self.buffer.len() > LINE_BYTES_MAX {
                return Err(Fault::Broken("a line is too long".into()));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Fault::Silent);
            }
            let bytes = self.stream.read(left)?;
            if bytes.is_empty() {
                return Err(Fault::Closed);
            }
            self.buffer.extend(bytes);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Gives these pieces, then is silent; keeps what was written.
    #[derive(Default)]
    pub(crate) struct Script {
        pub(crate) pieces: VecDeque<Vec<u8>>,
        pub(crate) written: Vec<u8>,
    }

    impl Script {
        pub(crate) fn new(pieces: &[&str]) -> Self {
            Self { pieces: pieces.iter().map(|piece| piece.as_bytes().to_vec()).collect(), written: Vec::new() }
        }
    }

    impl Stream for Script {
        fn read(&mut self, _: Duration) -> Result<Vec<u8>, Fault> {
            self.pieces.pop_front().ok_or(Fault::Silent)
        }

        fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
            self.written.extend(bytes);
            Ok(())
        }
    }

    pub(crate) fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[test]
    fn lines_are_put_together_from_pieces() {
        let mut lines = Lines::new(Script::new(&["{\"a\"", ":1}\r\n\n{\"b\":2}\n"]));
        assert_eq!(lines.next(soon()).unwrap()["a"], 1);
        assert_eq!(lines.next(soon()).unwrap()["b"], 2);
        assert_eq!(lines.next(soon()), Err(Fault::Silent));
    }

    #[test]
    fn an_end_is_closed_and_garbage_is_broken() {
        let mut lines = Lines::new(Script::new(&["{}\n", ""]));
        assert!(lines.next(soon()).is_ok());
        assert_eq!(lines.next(soon()), Err(Fault::Closed));
        let mut lines = Lines::new(Script::new(&["nonsense\n"]));
        assert!(matches!(lines.next(soon()), Err(Fault::Broken(_))));
    }

    #[test]
    fn an_endless_line_is_not_kept() {
        let piece = "x".repeat(LINE_BYTES_MAX / 2 + 1);
        let mut lines = Lines::new(Script::new(&[&piece, &piece, &piece]));
        assert!(matches!(lines.next(soon()), Err(Fault::Broken(_))));
    }
}
