//! Leaving a run to the engine that serves.

use daemon::Access;
use runwright_core::{Map, RunId};
use serde_json::json;

use crate::context::Context;
use crate::{Error, exit};

/// The engine that would go on with a run when this command is gone.
pub(crate) async fn serving(context: &Context, command: &str) -> Result<Access, Error> {
    let access = context.access(command).await?;
    let status = access.status().await;
    if status.as_ref().is_ok_and(|status| status.serves) {
        return Ok(access);
    }
    access.close().await;
    status.map_err(|error| Error::from(error).during("detach"))?;
    let hint = format!("start one with `{} serve`, or leave --detach out", context.itself());
    Err(Error::new(exit::INVALID, "could not detach: no engine serves this state directory").hint(hint))
}

/// Says which run it is, and in JSON what was `said` to the command beside; gives the exit code.
pub(crate) fn done(context: &Context, id: RunId, said: Map) -> u8 {
    let mut shown = said;
    shown.insert("run".to_owned(), json!(id));
    context.screen.json(&shown);
    context.screen.line(id);
    exit::SUCCEEDED
}
