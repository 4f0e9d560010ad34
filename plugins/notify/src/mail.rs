//! `mail`: an e-mail, handed to the mail program of the engine's host.
//!
//! The program is what every Unix has as `sendmail -i -t`: Postfix, Exim, msmtp and others bring one. It gets the message
//! on its standard input and reads the receivers from it, so no address is ever an argument.

use std::time::Duration;

use runwright_sdk::exec::{Command, Output};
use runwright_sdk::schemars::{self, JsonSchema};
use runwright_sdk::{Change, ChangeKind, Context, Error, Outcome, Preview, Result, Verdict, clock};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::delivery;
use crate::message::{Address, Message};

/// How long the program may take.
const TIMEOUT: Duration = Duration::from_secs(50);
/// Receivers of one message.
const RECEIVERS_MAX: usize = 100;
/// Bytes of a message's text.
const TEXT_MAX: usize = 256 * 1024;
/// Characters of what the program says that an error repeats.
const SHOWN_MAX: usize = 300;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Input {
    /// Who gets it: addresses, with or without a name.
    #[schemars(length(min = 1), example = json!(["Operations <ops@example.org>"]))]
    to: Vec<String>,
    /// Who gets a copy.
    #[serde(default)]
    #[schemars(example = json!(["lead@example.org"]))]
    cc: Vec<String>,
    /// Who sends it; without it, who the configuration says.
    #[schemars(example = &"runwright@example.org")]
    from: Option<String>,
    /// Who gets answers.
    #[schemars(example = &"ops@example.org")]
    reply_to: Option<String>,
    /// The subject: one line.
    #[schemars(example = &"recover-vm failed")]
    subject: String,
    /// The text.
    #[schemars(example = &"The disk of web-1 does not mount.\n")]
    text: String,
}

/// What the operator says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    from: Option<String>,
    #[serde(default = "sendmail")]
    sendmail: Vec<String>,
}

fn sendmail() -> Vec<String> {
    ["/usr/sbin/sendmail", "-i", "-t"].map(Into::into).into()
}

impl Default for Config {
    fn default() -> Self {
        Self { from: None, sendmail: sendmail() }
    }
}

/// What the mail program took.
#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Sent {
    /// How many receivers it has.
    #[schemars(example = 2)]
    receivers: usize,
}

fn config(context: &Context) -> Result<Config> {
    match context.config() {
        Err(error) if error.code_text() == Some("config.missing") => Ok(Config::default()),
        other => other,
    }
}

impl Input {
    fn message(&self, config: &Config) -> Result<Message> {
        let all = |texts: &[String]| texts.iter().map(|text| Address::parse(text)).collect::<Result<Vec<_>>>();
        let receivers = self.to.len() + self.cc.len();
        if self.to.is_empty() || receivers > RECEIVERS_MAX {
            let message = format!("a message has 1 to {RECEIVERS_MAX} receivers, and at least one in `to`");
            return Err(Error::invalid_input(message).code("notify.address"));
        }
        if self.text.len() > TEXT_MAX {
            let message = format!("the text has {} bytes: at most {TEXT_MAX}", self.text.len());
            return Err(Error::invalid_input(message).code("notify.text"));
        }
        let from = self.from.as_ref().or(config.from.as_ref()).ok_or_else(|| {
            let message = "nobody sends it: give `from`, or write `from` into the plugin's configuration";
            Error::invalid_input(message).code("notify.from")
        })?;
        Ok(Message {
            from: Address::parse(from)?,
            to: all(&self.to)?,
            cc: all(&self.cc)?,
            reply_to: self.reply_to.as_deref().map(Address::parse).transpose()?,
            subject: self.subject.clone(),
            text: self.text.clone(),
        })
    }
}

pub(crate) fn run(input: Input, context: &Context) -> Result<Outcome<Sent>> {
    let config = config(context)?;
    let message = input.message(&config)?.render(context.key(), clock::now())?;
    let (program, args) = config.sendmail.split_first().ok_or_else(|| {
        Error::permanent("`sendmail` in the plugin's configuration names no program").code("config.invalid")
    })?;
    let command = Command::new(program).args(args).input(message).timeout(TIMEOUT);
    let receivers = input.to.len() + input.cc.len();
    delivery::once(context, || {
        let output = command.run().map_err(|error| Error::from(error).context(program))?;
        judge(program, &output).map(|()| Sent { receivers })
    })
}

/// The statuses are those of sysexits.h: they say that the message was not taken.
fn judge(program: &str, output: &Output) -> Result<()> {
    let said = String::from_utf8_lossy(&output.stderr);
    let said: String = said.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(SHOWN_MAX).collect();
    let message = |what: &str| format!("{program} {what}: {said}").trim_end_matches([':', ' ']).to_owned();
    match output.status {
        Some(0) => Ok(()),
        Some(status @ 75) => {
            Err(Error::transient(message(&format!("says to try later (status {status})"))).code("notify.try-later"))
        }
        Some(status @ 64..=78) => {
            Err(Error::permanent(message(&format!("refused it (status {status})"))).code("notify.refused"))
        }
        Some(status) => Err(Error::unknown_outcome(message(&format!("ended with status {status}")))),
        None => Err(Error::unknown_outcome(message("was killed"))),
    }
}

pub(crate) fn plan(input: Input, context: &Context) -> Result<Preview> {
    let config = config(context)?;
    let message = input.message(&config)?.render(context.key(), clock::now())?;
    let to = [input.to.as_slice(), input.cc.as_slice()].concat().join(", ");
    let mut change = Change::new(ChangeKind::Execute, &to, format!("an e-mail {:?}", input.subject));
    change.after = Some(message);
    Ok(Preview::new(format!("mails {:?} to {to}", input.subject)).change(change))
}

pub(crate) fn verify(_: Input, _: &Context) -> Result<Verdict<Sent>> {
    delivery::verify()
}

#[cfg(test)]
mod tests {
    use runwright_sdk::ErrorKind;

    use super::*;

    #[test]
    fn a_status_says_whether_it_was_taken() {
        let kind = |status| {
            let output = Output { status, stdout: Vec::new(), stderr: b"no\nroute".to_vec(), truncated: false };
            judge("/usr/sbin/sendmail", &output).map_err(|error| error.kind())
        };
        assert_eq!(kind(Some(0)), Ok(()));
        assert_eq!(kind(Some(75)), Err(ErrorKind::Transient));
        assert_eq!(kind(Some(67)), Err(ErrorKind::Permanent));
        assert_eq!(kind(Some(139)), Err(ErrorKind::UnknownOutcome));
        assert_eq!(kind(None), Err(ErrorKind::UnknownOutcome));
    }

    #[test]
    fn somebody_sends_it_to_somebody() {
        let check = |json: &str, config: &Config| serde_json::from_str::<Input>(json).unwrap().message(config);
        let mail = r#"{"to": ["a@x"], "subject": "s", "text": "t"}"#;
        assert_eq!(check(mail, &Config::default()).unwrap_err().code_text(), Some("notify.from"));
        let config = Config { from: Some("r@x".into()), ..Config::default() };
        assert!(check(mail, &config).is_ok());
        let nobody = r#"{"to": [], "cc": ["a@x"], "subject": "s", "text": "t"}"#;
        assert_eq!(check(nobody, &config).unwrap_err().code_text(), Some("notify.address"));
    }
}
