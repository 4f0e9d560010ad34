//! Leaving a run to the engine that serves.

use daemon::Access;
use runwright_core::RunId;
use serde_json::json;

use crate::context::Context;
use crate::{Error, exit};

/// Whether there is an engine that would go on with a run when this command is gone.
pub(crate) fn check(context: &Context, access: &Access) -> Result<(), Error> {
    match access {
        Access::There(_) => Ok(()),
        Access::Here(_) => {
            let hint = format!("start one with `{} serve`, or leave --detach out", context.itself());
            Err(Error::new(exit::INVALID, "could not detach: no engine serves this state directory").hint(hint))
        }
    }
}

/// Says which run it is, and gives the exit code.
pub(crate) fn done(context: &Context, id: RunId) -> u8 {
    context.screen.json(&json!({ "run": id }));
    context.screen.line(id);
    exit::SUCCEEDED
}
