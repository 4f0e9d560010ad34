//! Programs on the engine's host, granted by absolute path and arguments. There is no shell.

use std::{fmt, time::Duration};

use super::{host, millis};
use crate::bindings::runwright::plugin::exec as wit;

/// A program to run, built like a [`std::process::Command`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    program: String,
    args: Vec<String>,
    env: Vec<(String, String)>,
    folder: Option<String>,
    input: Vec<u8>,
    timeout: Option<Duration>,
}

impl Command {
    /// The program at this absolute path, without arguments, in an empty environment.
    pub fn new(program: impl Into<String>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            folder: None,
            input: Vec::new(),
            timeout: None,
        }
    }

    /// The same with one more argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// The same with more arguments.
    #[must_use]
    pub fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// The same with an environment variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// The same in this folder.
    #[must_use]
    pub fn current_dir(mut self, folder: impl Into<String>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// The same with these bytes on standard input.
    #[must_use]
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = bytes.into();
        self
    }

    /// The same, killed after so long.
    #[must_use]
    pub fn timeout(mut self, time: Duration) -> Self {
        self.timeout = Some(time);
        self
    }

    /// Runs the program to its end. It dies with the engine, with the step's deadline, and when the step
    /// is cancelled.
    ///
    /// # Errors
    ///
    /// When it is not granted, not there, or did not end. A status other than 0 is no error here.
    pub fn run(&self) -> Result<Output, Error> {
        let output = host::exec::run(&self.to_wit())?;
        Ok(Output { status: output.status, stdout: output.out, stderr: output.err, truncated: output.truncated })
    }

    /// Starts the program in a session of its own and leaves it running: it outlives the step and the
    /// engine. Its output is dropped. The grant must say `detached`.
    ///
    /// # Errors
    ///
    /// When it is not granted or could not be started.
    pub fn start(&self) -> Result<Process, Error> {
        let process = host::exec::start(&self.to_wit())?;
        Ok(Process { pid: process.pid, started: process.started })
    }

    fn to_wit(&self) -> wit::Command {
        wit::Command {
            program: self.program.clone(),
            args: self.args.clone(),
            env: self.env.clone(),
            cwd: self.folder.clone(),
            input: self.input.clone(),
            timeout_ms: self.timeout.map(millis),
        }
    }
}

/// What a program left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its exit status; none: a signal killed it.
    pub status: Option<i32>,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
    /// There was more output than the grant allows.
    pub truncated: bool,
}

impl Output {
    /// Whether it ended with status 0.
    pub fn success(&self) -> bool {
        self.status == Some(0)
    }
}

/// A program that was left running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Its process id, which may come again.
    pub pid: u32,
    /// Clock ticks since boot at which it was started: with the pid it names one process.
    pub started: u64,
}

/// Why a program did not run to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// It is not granted, and the text names what is missing; or no program can be given this.
    Denied(String),
    /// There is no such program.
    NotFound,
    /// It did not end in time and was killed.
    TimedOut,
    /// It was never started; it may work later.
    NotStarted(String),
    /// The step was cancelled, so it was killed. What it did until then remains.
    Cancelled,
    /// It could not be watched.
    Failed(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(why) => write!(f, "the program was refused: {why}"),
            Self::NotFound => f.write_str("there is no such program"),
            Self::TimedOut => f.write_str("the program did not end in time"),
            Self::NotStarted(why) => write!(f, "the program could not be started: {why}"),
            Self::Cancelled => f.write_str("the program was killed before it ended"),
            Self::Failed(why) => write!(f, "the program could not be run: {why}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<wit::ExecError> for Error {
    fn from(error: wit::ExecError) -> Self {
        match error {
            wit::ExecError::Denied(why) => Self::Denied(why),
            wit::ExecError::NotFound => Self::NotFound,
            wit::ExecError::TimedOut => Self::TimedOut,
            // The contract promises these words.
            wit::ExecError::Failed(why) => match why.strip_prefix("not started: ") {
                Some(why) => Self::NotStarted(why.into()),
                None if why.starts_with("cancelled: ") => Self::Cancelled,
                None => Self::Failed(why),
            },
        }
    }
}

/// A program that was killed, or that nobody watched, may have done its work, or have told another to do it: the outcome is
/// unknown. An action that knows that nothing goes on without its program says `partial` instead.
impl From<Error> for crate::Error {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::Denied(_) => Self::denied(text).code("exec.denied"),
            Error::NotFound => Self::permanent(text).code("exec.not-found"),
            Error::TimedOut => Self::unknown_outcome(text).code("exec.timed-out"),
            Error::NotStarted(_) => Self::transient(text).code("exec.not-started"),
            Error::Cancelled => Self::unknown_outcome(text).code("exec.cancelled"),
            Error::Failed(_) => Self::unknown_outcome(text).code("exec.failed"),
        }
    }
}
