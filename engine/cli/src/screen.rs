//! Where everything that is printed goes through.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

use serde::Serialize;

use crate::Error;

/// What standard output carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Lines for people.
    Text,
    /// JSON, stable, for programs.
    Json,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What a piece of text means; decides its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Bad,
    Warn,
    Dim,
    Strong,
    Plain,
}

/// The terminal, or what stands in its place.
///
/// A write that fails is dropped: a run must not end because somebody closed the pipe that it was shown in.
#[derive(Debug, Clone)]
pub(crate) struct Screen {
    format: Format,
    color: bool,
    color_errors: bool,
    live: bool,
}

impl Screen {
    pub(crate) fn new(format: Format, color: Color) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let wanted = |terminal: bool| match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !plain && !dumb,
        };
        let terminal = io::stdout().is_terminal();
        Self {
            format,
            color: wanted(terminal),
            color_errors: wanted(io::stderr().is_terminal()),
            live: terminal && !dumb && format == Format::Text,
        }
    }

    /// Whether standard output carries JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Whether standard output can be redrawn.
    pub(crate) fn is_live(&self) -> bool {
        self.live
    }

    /// Characters that fit on a line; none where no terminal bounds it.
    pub(crate) fn width(&self) -> Option<usize> {
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
        (size.ws_col > 0).then_some(usize::from(size.ws_col))
    }

    /// One line for people on standard output; nothing where it carries JSON.
    pub(crate) fn line(&self, text: impl Display) {
        if !self.is_json() {
            put(format_args!("{text}\n"));
        }
    }

    /// Lines for people on standard output.
    pub(crate) fn lines(&self, lines: impl IntoIterator<Item = impl Display>) {
        lines.into_iter().for_each(|line| self.line(line));
    }

    /// One JSON document on standard output; nothing where it carries text.
    pub(crate) fn json(&self, value: &impl Serialize) {
        if self.is_json()
            && let Ok(text) = serde_json::to_string_pretty(value)
        {
            put(format_args!("{text}\n"));
        }
    }

    /// One JSON document on one line of standard output; nothing where it carries text.
    pub(crate) fn json_line(&self, value: &impl Serialize) {
        if self.is_json()
            && let Ok(text) = serde_json::to_string(value)
        {
            put(format_args!("{text}\n"));
        }
    }

    /// Bytes on standard output, as they are.
    pub(crate) fn raw(&self, bytes: &[u8]) {
        note(io::stdout().lock().write_all(bytes));
    }

    /// A remark for people on standard error, whatever standard output carries.
    pub(crate) fn remark(&self, text: impl Display) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// The error, as text or JSON, on standard error.
    pub(crate) fn error(&self, error: &Error) {
        let text = if self.is_json() { error.to_json().to_string() } else { error.to_text(self.color_errors) };
        self.remark(text);
    }

    /// `text` in the colour of `tone`, where colours are wanted.
    pub(crate) fn paint(&self, tone: Tone, text: impl Display) -> String {
        paint(self.color, tone, text)
    }
}

/// Why standard output has not got all of what it should, if so.
static LOST: OnceLock<String> = OnceLock::new();

/// Writes to standard output.
fn put(text: std::fmt::Arguments<'_>) {
    note(io::stdout().lock().write_fmt(text));
}

/// Remembers that output was lost. Whoever closes a pipe has read enough.
fn note(written: io::Result<()>) {
    if let Err(error) = written
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        let _ = LOST.set(error.to_string());
    }
}

/// Why standard output has not got all of what it should, if so.
pub(crate) fn lost() -> Option<&'static str> {
    note(io::stdout().lock().flush());
    LOST.get().map(String::as_str)
}

/// `text` in the colour of `tone`, if `color`.
pub(crate) fn paint(color: bool, tone: Tone, text: impl Display) -> String {
    let code = match tone {
        Tone::Good => "32",
        Tone::Bad => "31",
        Tone::Warn => "33",
        Tone::Dim => "2",
        Tone::Strong => "1",
        Tone::Plain => return text.to_string(),
    };
    if color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_string() }
}
