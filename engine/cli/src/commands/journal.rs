//! `runwright journal`

mod abandon;
mod compact;
mod import;
mod prune;
mod repair;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use journal::{Damage, Memory, Options, Report, SledJournal};

use crate::human::count;
use crate::screen::Tone;
use crate::{Context, Error, exit};

const EXAMPLES: &str = "\
Examples:
  runwright journal verify
  runwright journal export --to backup.jsonl
  runwright journal import backup.jsonl --state-dir restored
  runwright journal prune --older-than 30d
  runwright journal repair --dry-run

They open the journal themselves, so end `runwright serve` before.";

const VERIFY_EXAMPLES: &str = "\
Examples:
  runwright journal verify
  runwright journal verify --state-dir /var/lib/runwright -o json

Reads everything: checksums, the hash chain of every run, and that no record is missing. The exit code is 1 if something \
is not what was written.";

const EXPORT_EXAMPLES: &str = "\
Examples:
  runwright journal export --to backup.jsonl
  runwright journal export | gzip > backup.jsonl.gz

One line of JSON for each run, record, runbook and alarm. This is the backup: never copy the folder.";

/// Check, back up, mend and shorten the journal
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Journal {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Verify(Verify),
    Export(Export),
    Import(import::Import),
    Repair(repair::Repair),
    Compact(compact::Compact),
    Prune(prune::Prune),
    Abandon(abandon::Abandon),
}

/// Read the whole journal and check that it is what was written
#[derive(Debug, clap::Args)]
#[command(after_help = VERIFY_EXAMPLES)]
struct Verify {}

/// Write the whole journal as JSON lines
#[derive(Debug, clap::Args)]
#[command(after_help = EXPORT_EXAMPLES)]
struct Export {
    /// The file, instead of standard output; it is replaced when the export is whole
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

impl Journal {
    pub(crate) fn run(self, context: &Context) -> Result<u8, Error> {
        match self.command {
            Command::Verify(verify) => verify.run(context),
            Command::Export(export) => export.run(context),
            Command::Import(import) => import.run(context),
            Command::Repair(repair) => repair.run(context),
            Command::Compact(compact) => compact.run(context),
            Command::Prune(prune) => prune.run(context),
            Command::Abandon(abandon) => abandon.run(context),
        }
    }
}

impl Verify {
    fn run(self, context: &Context) -> Result<u8, Error> {
        let journal = read(context, "runwright journal verify")?;
        let report = journal.verify().map_err(|error| Error::from(error).during("verify the journal"))?;
        context.screen.json(&report);
        context.screen.lines(text(context, &report));
        Ok(if report.damage.is_empty() { exit::SUCCEEDED } else { exit::FAILED })
    }
}

fn text(context: &Context, report: &Report) -> Vec<String> {
    let (runs, records) = (counted(report.runs, "run"), counted(report.records, "record"));
    let alarms = counted(report.inbox, "alarm");
    let mut lines = vec![format!("read {runs}, {records}, {alarms}, {} bytes of log", report.log_bytes)];
    lines.extend(report.damage.iter().map(|damage| damaged(context, damage)));
    if !report.damage.is_empty() {
        lines.push("`runwright journal repair` puts in order what can be".to_owned());
    }
    if report.damage.is_empty() {
        lines.push(context.screen.paint(Tone::Good, "everything is what was written"));
    }
    lines
}

/// One damage, with run and record.
fn damaged(context: &Context, damage: &Damage) -> String {
    let run = damage.run.map(|run| format!("run {run}, ")).unwrap_or_default();
    let record = damage.seq.map(|seq| format!("record {seq}: ")).unwrap_or_default();
    let copy = if damage.readable { " (a second copy is whole)" } else { "" };
    format!("{} {run}{record}{}{copy}", context.screen.paint(Tone::Bad, "damaged:"), damage.what)
}

fn counted(number: u64, thing: &str) -> String {
    count(usize::try_from(number).unwrap_or(usize::MAX), thing)
}

impl Export {
    fn run(self, context: &Context) -> Result<u8, Error> {
        let journal = read(context, "runwright journal export")?;
        match &self.to {
            None => {
                let mut out = BufWriter::new(io::stdout().lock());
                let written = journal.export(&mut out).map_err(Error::from);
                let flushed = |error| Error::because(exit::INTERNAL, "standard output could not be written", &error);
                written.and_then(|()| out.flush().map_err(flushed))
            }
            Some(path) => write(journal.as_ref(), path),
        }
        .map_err(|error| error.during("export the journal"))?;
        Ok(exit::SUCCEEDED)
    }
}

/// Writes beside the file, which then takes its place: an export that broke off never looks like one.
fn write(journal: &dyn journal::Journal, path: &Path) -> Result<(), Error> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let failed =
        |error: io::Error| Error::because(exit::INVALID, format!("{} could not be written", path.display()), &error);
    let mut out = BufWriter::new(File::create(&part).map_err(failed)?);
    journal.export(&mut out)?;
    let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().and_then(|()| std::fs::rename(&part, path)).map_err(failed)
}

/// The journal, to be read only: none is made where there is none, and an empty one is read.
fn read(context: &Context, purpose: &str) -> Result<Box<dyn journal::Journal>, Error> {
    folder(context)?;
    match context.no_journal()? {
        None => Ok(Box::new(open(context, purpose)?)),
        Some(why) => {
            context.screen.remark(why);
            Ok(Box::new(Memory::new()))
        }
    }
}

/// Forgets what was said in runs that the journal does not have any more.
fn forget_logs(context: &Context, journal: &SledJournal) -> Result<(), Error> {
    let forgotten = daemon::forget_logs(journal, &context.settings()?.logs());
    forgotten.map(drop).map_err(|error| {
        let what = "could not remove what was said in runs that are forgotten";
        Error::because(exit::INTERNAL, what, &error).hint("`runwright serve` tries again when it starts")
    })
}

fn open(context: &Context, purpose: &str) -> Result<SledJournal, Error> {
    let folder = folder(context)?;
    SledJournal::open_with(&folder, &options(purpose)).map_err(|error| Error::from(error).during("open the journal"))
}

/// The state directory, which must be there.
fn folder(context: &Context) -> Result<PathBuf, Error> {
    let folder = context.settings()?.state_dir;
    if folder.is_dir() {
        return Ok(folder);
    }
    let message = format!("could not open the journal: there is no folder {}", folder.display());
    Err(Error::new(exit::INVALID, message).hint("give its folder with --state-dir"))
}

fn options(purpose: &str) -> Options {
    Options { holder: purpose.to_owned(), ..Options::default() }
}
