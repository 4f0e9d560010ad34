//! A program with what it is given, and what it left.

use std::collections::BTreeMap;
use std::time::Duration;

use runwright_sdk::exec::{self, Command};
use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Error, ErrorKind, Result, Span, clock, secrets};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Bytes of each output that may be kept.
const KEPT_MAX: usize = 256 * 1024;
/// Characters of standard error that an error repeats: its end says why.
const SHOWN_MAX: usize = 400;

/// A program and what it is given.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Program {
    /// The program's absolute path. No shell reads it or its arguments: `|`, `*` and `$` mean nothing.
    #[schemars(regex(pattern = "^/"), example = &"/usr/sbin/lvextend")]
    pub(crate) program: String,
    /// Its arguments, one by one. No secrets: they would stand in the journal and in the list of processes.
    #[serde(default)]
    #[schemars(example = json!(["--size", "+1G", "/dev/vg0/data"]))]
    pub(crate) args: Vec<String>,
    /// Environment variables; the grant must name them. It gets `PATH` and `LANG` anyway, and no others.
    #[serde(default)]
    #[schemars(example = json!({"LC_ALL": "C"}))]
    env: BTreeMap<String, String>,
    /// Environment variables whose values are secrets, by the names of the secrets.
    #[serde(default)]
    #[schemars(example = json!({"PGPASSWORD": "database"}))]
    secret_env: BTreeMap<String, String>,
    /// The folder that it runs in; the grant must name it. Without it that is `/`.
    #[schemars(regex(pattern = "^/"), example = &"/srv/app")]
    folder: Option<String>,
    /// What it gets on standard input.
    #[schemars(example = &"yes\n")]
    input: Option<String>,
    /// After so long it is killed, with all that it started.
    #[serde(default = "five_minutes")]
    #[schemars(example = json!("5m"))]
    timeout: Span,
    /// The exit statuses that mean success.
    #[serde(default = "zero")]
    #[schemars(length(min = 1), example = json!([0]))]
    success_statuses: Vec<i32>,
    /// How many bytes of each output are kept; of a longer one its end.
    #[serde(default = "kept")]
    #[schemars(range(max = 262_144), example = 65_536)]
    keep_bytes: usize,
}

fn five_minutes() -> Span {
    Span::seconds(300)
}

fn zero() -> Vec<i32> {
    vec![0]
}

fn kept() -> usize {
    64 * 1024
}

/// What a program left.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Left {
    /// Its exit status.
    #[schemars(example = 0)]
    pub(crate) status: i32,
    /// Its standard output as text; what is not UTF-8 is replaced.
    #[schemars(example = &"Logical volume vg0/data successfully resized.\n")]
    stdout: String,
    /// Its standard error as text.
    #[schemars(example = &"")]
    stderr: String,
    /// Whether some of its output was left out.
    #[schemars(example = false)]
    truncated: bool,
    /// Its standard output as JSON, if it is JSON and whole; else null.
    #[schemars(example = json!(null))]
    json: Option<Value>,
}

impl Program {
    /// Runs it to its end, whatever its status: what it left, and whether that is success.
    pub(crate) fn run(&self) -> Result<exec::Output> {
        self.check()?;
        let mut command = Command::new(&self.program).args(&self.args).timeout(self.timeout.into());
        for (name, value) in &self.env {
            command = command.env(name, value);
        }
        for (name, secret) in &self.secret_env {
            command = command.env(name, secrets::get(secret)?.expose());
        }
        if let Some(folder) = &self.folder {
            command = command.current_dir(folder);
        }
        if let Some(input) = &self.input {
            command = command.input(input.as_bytes());
        }
        command.run().map_err(|error| match error {
            exec::Error::TimedOut => {
                // The engine tells why it had to end, where that is not this time-out.
                let within = if clock::cancelled() { String::new() } else { format!(" within {}", self.timeout) };
                let message = format!("{} did not end{within} and was killed", self.program);
                Error::unknown_outcome(message).code("exec.timed-out")
            }
            // It and all that it started are gone, so what remains is what it did until then.
            exec::Error::Cancelled => {
                Error::partial(format!("{} was killed before it ended", self.program)).code("exec.cancelled")
            }
            other => Error::from(other).context(&self.program),
        })
    }

    fn check(&self) -> Result<()> {
        let wrong = |message: String| Err(Error::invalid_input(message).code("exec.input"));
        if !self.program.starts_with('/') {
            return wrong(format!("{:?} is no absolute path: nothing is looked for in PATH", self.program));
        }
        let texts = || self.args.iter().chain(self.env.keys()).chain(self.env.values()).chain(self.secret_env.keys());
        if texts().any(|text| text.contains('\0')) {
            return wrong("an argument or a variable has a NUL in it".into());
        }
        if let Some(name) =
            self.env.keys().chain(self.secret_env.keys()).find(|name| name.is_empty() || name.contains('='))
        {
            return wrong(format!("{name:?} is no name of an environment variable"));
        }
        if self.keep_bytes > KEPT_MAX || Duration::from(self.timeout).is_zero() || self.success_statuses.is_empty() {
            return wrong(format!(
                "keep-bytes is at most {KEPT_MAX}, timeout more than 0s, and one status means success"
            ));
        }
        Ok(())
    }

    /// What it left, if its status means success; else an error of this kind.
    pub(crate) fn judge(&self, output: &exec::Output, otherwise: ErrorKind) -> Result<Left> {
        let status = match output.status {
            Some(status) if self.success_statuses.contains(&status) => status,
            Some(status) => {
                let message = format!("{} ended with status {status}{}", self.program, said(&output.stderr));
                return Err(Error::new(otherwise, message).code(format!("exec.status-{status}")));
            }
            None => {
                let message = format!("{} did not end by itself{}", self.program, said(&output.stderr));
                return Err(Error::new(otherwise, message).code("exec.signal"));
            }
        };
        let (stdout, cut_out) = end(&output.stdout, self.keep_bytes);
        let (stderr, cut_err) = end(&output.stderr, self.keep_bytes);
        let truncated = output.truncated || cut_out || cut_err;
        let json = if truncated { None } else { serde_json::from_slice(&output.stdout).ok() };
        Ok(Left { status, stdout, stderr, truncated, json })
    }

    /// The command line for people, quoted so that its words can be told.
    pub(crate) fn shown(&self) -> String {
        let plain = |word: &str| {
            !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c))
        };
        let word = |word: &String| if plain(word) { word.clone() } else { format!("{word:?}") };
        [&self.program].into_iter().chain(&self.args).map(word).collect::<Vec<_>>().join(" ")
    }
}

/// The end of an output as text, and whether it was cut.
fn end(bytes: &[u8], kept: usize) -> (String, bool) {
    let start = bytes.len().saturating_sub(kept);
    // No character is cut in two.
    let skip = bytes[start..].iter().take(3).take_while(|byte| start > 0 && (0x80..0xc0).contains(*byte)).count();
    (String::from_utf8_lossy(&bytes[start + skip..]).into_owned(), start > 0)
}

fn said(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr).split_whitespace().collect::<Vec<_>>().join(" ");
    let skip = text.chars().count().saturating_sub(SHOWN_MAX);
    let text: String = text.chars().skip(skip).collect();
    if text.is_empty() { text } else { format!(": {text}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn program(json: &str) -> Program {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn what_it_left_is_judged_by_its_status() {
        let sh = program(r#"{"program": "/bin/sh", "args": ["-c", "echo '[1]'; echo no >&2; exit 3"]}"#);
        let output = sh.run().unwrap();
        let error = sh.judge(&output, ErrorKind::Partial).unwrap_err();
        assert_eq!((error.kind(), error.code_text()), (ErrorKind::Partial, Some("exec.status-3")));
        assert_eq!(error.to_string(), "/bin/sh ended with status 3: no");
        let fine = Program { success_statuses: vec![0, 3], ..sh };
        let left = fine.judge(&output, ErrorKind::Partial).unwrap();
        assert_eq!((left.status, left.stdout.as_str(), left.json), (3, "[1]\n", Some(json!([1]))));
    }

    #[test]
    fn of_a_long_output_the_end_is_kept() {
        assert_eq!(end("aüb".as_bytes(), 3), ("üb".into(), true));
        assert_eq!(end("aüb".as_bytes(), 2), ("b".into(), true));
        assert_eq!(end(b"\x80a", 9), ("\u{fffd}a".into(), false));
        assert_eq!(end(b"abc", 0), (String::new(), true));
        assert!(said(&[b'x'; 5000]).len() < 500);
    }

    #[test]
    fn what_can_be_no_program_is_refused() {
        for wrong in [
            r#"{"program": "ls"}"#,
            r#"{"program": "/bin/ls", "args": ["a\u0000b"]}"#,
            r#"{"program": "/bin/ls", "env": {"A=B": "c"}}"#,
            r#"{"program": "/bin/ls", "success-statuses": []}"#,
            r#"{"program": "/bin/ls", "keep-bytes": 1000000}"#,
            r#"{"program": "/bin/ls", "timeout": "0s"}"#,
        ] {
            assert_eq!(program(wrong).run().unwrap_err().code_text(), Some("exec.input"), "{wrong}");
        }
    }

    #[test]
    fn a_command_line_shows_its_words() {
        let shown = program(r#"{"program": "/bin/echo", "args": ["a b", "", "--x=1", "$(id)"]}"#).shown();
        assert_eq!(shown, r#"/bin/echo "a b" "" --x=1 "$(id)""#);
    }
}
