//! Where the text of a log comes from.

use runwright_core::Stream;

/// Where text comes from. Each that is a stream has lines of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// The standard output of the plugin.
    Out,
    /// The standard error of the plugin.
    Err,
    /// The standard error of a plugin that is a program, which has no other log: a line may begin with its level, as in
    /// `warn: `.
    Leveled,
    /// The standard output of a program that the plugin runs.
    ProgramOut,
    /// The standard error of such a program.
    ProgramErr,
    /// The standard output of a program that only reads: it is for the plugin.
    Answer,
    /// Whole messages.
    Message(Stream),
}

impl Source {
    /// Whether its lines explain why a plugin trapped.
    pub(super) fn explains(self) -> bool {
        matches!(self, Self::Err | Self::Leveled)
    }

    /// How a line was said, and the rest of it.
    pub(super) fn leveled(self, line: &str) -> (Stream, &str) {
        match self {
            Self::Out | Self::ProgramOut => (Stream::Stdout, line),
            Self::Err | Self::ProgramErr => (Stream::Stderr, line),
            Self::Answer => (Stream::Debug, line),
            Self::Message(stream) => (stream, line),
            Self::Leveled => leveled(line),
        }
    }
}

/// A line's level, which it may begin with, and the rest.
fn leveled(line: &str) -> (Stream, &str) {
    let levels = [Stream::Trace, Stream::Debug, Stream::Info, Stream::Warn, Stream::Error];
    let named = levels.into_iter().find_map(|level| {
        let message = line.strip_prefix(level.as_str())?.strip_prefix(':')?;
        Some((level, message.trim_start()))
    });
    named.unwrap_or((Stream::Info, line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_its_level_or_is_for_everyone() {
        assert_eq!(leveled("warn: low"), (Stream::Warn, "low"));
        assert_eq!(leveled("error:gone"), (Stream::Error, "gone"));
        assert_eq!(leveled("warning: x"), (Stream::Info, "warning: x"));
        assert_eq!(leveled("done"), (Stream::Info, "done"));
    }
}
