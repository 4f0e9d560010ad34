//! Safe mode: an engine that dies again and again starts no effect any more.

use std::time::Duration;

use journal::Batch;
use runwright_core::{Timestamp, Value};

use crate::{Engine, Error};

/// So many starts without a clean end, within [`WITHIN`], and the engine starts in safe mode.
const UNCLEAN_MAX: usize = 5;

/// The time in which they are counted.
const WITHIN: Duration = Duration::from_secs(10 * 60);

/// The journal's setting that holds the times of starts which no clean end followed, in milliseconds since 1970.
const NAME: &str = "starts";

/// Writes down that the engine starts, and puts it into safe mode where it died too often.
///
/// **A crash** after this counts as one of those deaths.
pub(crate) async fn begin(engine: &Engine) -> Result<(), Error> {
    let now = engine.driver().now();
    let mut starts = recent(engine.journal().meta(NAME)?, now);
    let deaths = starts.len();
    starts.push(now.millis());
    write(engine, Some(Value::from(starts))).await?;
    if deaths >= UNCLEAN_MAX {
        let why = format!("it died {deaths} times within {} minutes", WITHIN.as_secs() / 60);
        tracing::error!(why, "safe mode: nothing is started; stop the engine and start it again to leave it");
        engine.driver().enter_safe_mode(why);
    }
    Ok(())
}

/// Writes down that the engine ends as it should.
pub(crate) async fn end(engine: &Engine) -> Result<(), Error> {
    write(engine, None).await
}

async fn write(engine: &Engine, starts: Option<Value>) -> Result<(), Error> {
    engine.journal().append(Batch { meta: vec![(NAME.to_owned(), starts)], ..Batch::default() }).await?;
    Ok(())
}

/// The starts that count: those of the last [`WITHIN`], the newest [`UNCLEAN_MAX`] of them.
fn recent(noted: Option<Value>, now: Timestamp) -> Vec<u64> {
    let noted: Vec<u64> = noted.and_then(|noted| serde_json::from_value(noted).ok()).unwrap_or_default();
    let within = |start: &u64| u128::from(now.millis().abs_diff(*start)) <= WITHIN.as_millis();
    let starts: Vec<u64> = noted.into_iter().filter(within).collect();
    starts[starts.len().saturating_sub(UNCLEAN_MAX)..].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_starts_of_the_last_minutes_count() {
        let now = Timestamp::from_millis(10_000_000);
        let noted = Some(serde_json::json!([1, 9_000_000, 9_500_000, 9_999_999, 10_000_500, 99_000_000]));
        assert_eq!(recent(noted, now), [9_500_000, 9_999_999, 10_000_500]);
        assert_eq!(recent(Some(Value::from("broken")), now), [0; 0]);
        assert_eq!(recent(Some(Value::from(vec![9_999_999; 9])), now).len(), UNCLEAN_MAX);
    }
}
