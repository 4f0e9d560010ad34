//! How a message is sent at most once.
//!
//! Right before it is sent the step notes so, and right after it was taken it notes what came of it. So [`verify`] knows:
//!
//! | the step noted | the message |
//! |---|---|
//! | nothing | was not sent: an attempt may send it |
//! | that it sends | may have been sent: a person decides, or what the step says by `on-unknown` |
//! | what came of it | was taken |
//!
//! An error that says that nothing was sent takes the note back.

use runwright_sdk::{Context, ErrorKind, Outcome, Result, Verdict, checkpoint};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

const NOTE: &str = "delivery";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Note<T> {
    Sending { attempt: u32 },
    Taken(T),
}

/// Sends, with notes before and after. An attempt means to send, whatever earlier ones did: the engine asks
/// [`verify`] before it starts another one.
pub(crate) fn once<T>(context: &Context, send: impl FnOnce() -> Result<T>) -> Result<Outcome<T>>
where
    T: Serialize,
{
    checkpoint::set(NOTE, &Note::<()>::Sending { attempt: context.attempt() })?;
    match send() {
        Ok(output) => {
            // Without the note only `verify` knows less: the answer itself is on its way.
            checkpoint::set(NOTE, &Note::Taken(&output)).ok();
            Ok(Outcome::changed(output))
        }
        Err(error) => {
            if !matches!(error.kind(), ErrorKind::UnknownOutcome | ErrorKind::Partial) {
                checkpoint::remove(NOTE).ok();
            }
            Err(error)
        }
    }
}

/// Whether the message was sent.
pub(crate) fn verify<T: DeserializeOwned>() -> Result<Verdict<T>> {
    Ok(match checkpoint::get::<Note<T>>(NOTE)? {
        None => Verdict::NotHappened,
        Some(Note::Taken(output)) => Verdict::Happened(Outcome::changed(output)),
        Some(Note::Sending { .. }) => Verdict::cannot_tell(
            "the message may have been sent: look where it should have arrived, or let the step say `on-unknown: fail`",
        ),
    })
}

#[cfg(test)]
mod tests {
    use runwright_sdk::Error;

    use super::*;

    #[test]
    fn the_notes_tell_what_became_of_a_message() {
        let context = Context::new("run", "step", "key");
        let told = || verify::<u8>().unwrap();
        assert_eq!(told(), Verdict::NotHappened);
        let refused = once::<u8>(&context, || Err(Error::transient("refused"))).unwrap_err();
        assert_eq!((refused.kind(), told()), (ErrorKind::Transient, Verdict::NotHappened));
        once::<u8>(&context, || Err(Error::unknown_outcome("cut off"))).unwrap_err();
        assert!(matches!(told(), Verdict::CannotTell(_)));
        assert_eq!(once(&context, || Ok(7)).unwrap(), Outcome::changed(7));
        assert_eq!(told(), Verdict::Happened(Outcome::changed(7)));
    }
}
