//! What a followed run looks like: redrawn on a terminal, plain lines elsewhere, nothing where JSON is wanted.

use std::time::Duration;

use daemon::view::Tale;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use runwright_core::{Attempt, Direction, Phase, Run, Stream};

use super::story::{Line, Mark};
use super::words::attempt_of;
use crate::human::{duration, now};
use crate::screen::{Screen, Tone};

/// Characters that the column of steps has at most; longer paths stand out of it.
const WIDTH_MAX: usize = 40;

/// Milliseconds between two frames of a spinner.
const FRAME_MS: u64 = 120;

/// Shows a run while it goes on.
pub(crate) enum View {
    /// For a terminal: what is over as lines, what goes on below them.
    Live(Box<Live>),
    /// One line for each thing that happens; the flag is for all lines that steps say.
    Plain(Screen, bool),
    /// Nothing: standard output carries one JSON document at the end.
    Silent,
    /// Everything as it is told, one line of JSON each.
    Json(Screen),
}

impl View {
    /// The view that fits `screen`.
    pub(crate) fn new(screen: &Screen, verbose: bool) -> Self {
        if screen.is_json() {
            Self::Silent
        } else if screen.is_live() {
            Self::Live(Box::new(Live::new(screen.clone(), verbose)))
        } else {
            Self::Plain(screen.clone(), verbose)
        }
    }

    /// The same, but with JSON for each thing that happens instead of one document at the end.
    pub(crate) fn watching(screen: &Screen, verbose: bool) -> Self {
        if screen.is_json() { Self::Json(screen.clone()) } else { Self::new(screen, verbose) }
    }

    /// Shows it as it is told, where programs want it so.
    pub(crate) fn tale(&self, tale: &Tale) {
        if let Self::Json(screen) = self {
            screen.json_line(tale);
        }
    }

    /// Shows what was told; `run` is the state after it.
    pub(crate) fn show(&mut self, lines: Vec<Line>, run: Option<&Run>) {
        match self {
            Self::Live(live) => live.show(lines, run),
            Self::Plain(screen, verbose) => {
                screen.lines(lines.iter().filter(|line| *verbose || !is_detail(line)).filter_map(plain));
            }
            Self::Silent | Self::Json(_) => {}
        }
    }

    /// Says something that the run did not tell.
    pub(crate) fn say(&self, text: &str) {
        match self {
            Self::Live(live) => live.print(text),
            Self::Plain(screen, _) | Self::Json(screen) => screen.line(text),
            Self::Silent => {}
        }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        if let Self::Live(live) = self {
            live.clear();
        }
    }
}

/// The stable form of a line where nothing can be redrawn.
pub(crate) fn plain(line: &Line) -> Option<String> {
    Some(match line {
        Line::Run(text) => text.clone(),
        Line::Step { step, text, .. } => format!("{step}: {text}"),
        Line::Said { step, stream: stream @ (Stream::Warn | Stream::Error), text } => {
            format!("{step} | {}: {text}", stream.as_str())
        }
        Line::Said { step, text, .. } => format!("{step} | {text}"),
        Line::Progress { .. } => return None,
    })
}

/// Whether only who looks closely wants to see it.
fn is_detail(line: &Line) -> bool {
    matches!(line, Line::Said { stream, .. } if stream.is_detail())
}

/// The view on a terminal.
pub(crate) struct Live {
    screen: Screen,
    verbose: bool,
    bars: MultiProgress,
    /// The step that goes on: its id, its spinner, and the last that it said.
    active: Option<(String, ProgressBar, String)>,
    /// Characters of the longest path among the first places of the run, and how many those are.
    width: (usize, usize),
}

impl Live {
    fn new(screen: Screen, verbose: bool) -> Self {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stdout());
        Self { screen, verbose, bars, active: None, width: (0, 0) }
    }

    fn print(&self, text: &str) {
        // The spinner is taken away, so that what is printed is a line like any other: people copy it.
        self.bars.suspend(|| self.screen.line(text));
    }

    fn clear(&mut self) {
        if let Some((_, bar, _)) = self.active.take() {
            bar.finish_and_clear();
        }
        let _ = self.bars.clear();
    }

    fn show(&mut self, lines: Vec<Line>, run: Option<&Run>) {
        if let Some(run) = run {
            let (longest, known) = self.width;
            let longer = run.born_since(known).map(|(_, state)| state.path.chars().count()).max().unwrap_or(0);
            self.width = (longer.max(longest).min(WIDTH_MAX), run.size());
        }
        for line in &lines {
            self.line(line);
        }
        if let Some(run) = run {
            self.spin(run);
        }
    }

    fn line(&mut self, line: &Line) {
        match line {
            Line::Run(text) => self.print(&self.screen.paint(Tone::Dim, text)),
            Line::Step { mark: Mark::Began, .. } => {}
            Line::Step { step, mark, text } => {
                let shown = format!("{:<1$}  {text}", step, self.width.0);
                self.print(&format!("  {} {shown}", self.screen.paint(mark.tone(), mark.as_str())));
            }
            Line::Said { step, text, .. } if is_detail(line) && !self.verbose => self.shows(step, text),
            Line::Said { .. } => {
                let text = plain(line).unwrap_or_default();
                self.print(&self.screen.paint(Tone::Dim, format!("    {text}")));
            }
            Line::Progress { step, text } => self.shows(step, text),
        }
    }

    /// The step said something: it stands behind its spinner until it says something else.
    fn shows(&mut self, step: &str, text: &str) {
        if let Some((active, bar, last)) = &mut self.active
            && active == step
        {
            text.clone_into(last);
            bar.set_message(last.clone());
        }
    }

    /// Makes the spinner that of the step that goes on.
    fn spin(&mut self, run: &Run) {
        // A script that waits for its call stands before it.
        let going = run.active().filter_map(|(step, state)| match state.active()? {
            Attempt { phase: Phase::Inside { .. } | Phase::Asking { .. }, .. } => None,
            attempt => Some((step, state, attempt)),
        });
        let going: Vec<_> = going.collect();
        let Some((step, state, attempt)) = going.last() else { return self.clear() };
        if self.active.as_ref().is_none_or(|(path, ..)| **path != *state.path) {
            self.clear();
            let bar = self.bars.add(ProgressBar::new_spinner());
            let ago = now().millis_since(state.started.unwrap_or_default());
            let bar = bar.with_elapsed(Duration::from_millis(ago));
            bar.enable_steady_tick(Duration::from_millis(FRAME_MS));
            self.active = Some((state.path.to_string(), bar, String::new()));
        }
        let word = match (&attempt.phase, attempt.direction) {
            (Phase::Waiting { .. } | Phase::Sleeping { .. } | Phase::Queued, _) => "waiting",
            (Phase::Verifying { .. }, _) => "verifying",
            (_, Direction::Forward) => "running",
            (_, Direction::Undo) => "undoing",
        };
        let attempts = match (step.retry.attempts, attempt.number) {
            (1, 1) => String::new(),
            (allowed, number) => format!("  {}", attempt_of(number, allowed)),
        };
        let beside = if going.len() > 1 { format!(" (and {} beside it)", going.len() - 1) } else { String::new() };
        let head = format!("{:<1$}  {word}{beside}", state.path, self.width.0).replace(['{', '}'], "");
        if let Some((_, bar, _)) = &self.active {
            let template = format!("  {{spinner}} {head} {{elapsed_short}}{attempts}  {{wide_msg:.dim}}");
            let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_spinner());
            let elapsed = |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = out.write_str(&duration(state.elapsed().as_millis().try_into().unwrap_or(u64::MAX)));
            };
            bar.set_style(style.with_key("elapsed_short", elapsed).tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ "));
        }
    }
}
