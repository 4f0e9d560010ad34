//! What a person says became of steps: of one, or of all that fit a pattern.

use runwright_core::RunId;

use crate::view::{RefusedSettlement, RunView, SettleRequest, Settled, StepView};
use crate::{Engine, Error};

impl Engine {
    /// Decides what became of a step, or of each step that fits a pattern and waits for a person; each is a record of its own.
    /// What was settled is durable when this returns. An error means that nothing was.
    pub async fn settle(&self, run: RunId, request: SettleRequest) -> Result<Settled, Error> {
        let SettleRequest { step: wanted, settlement, by } = request;
        let steps = match wanted.contains('*') {
            true => self.asked(run, &wanted)?,
            false => vec![wanted],
        };
        let mut settled = Settled { run, settled: Vec::new(), refused: Vec::new() };
        let mut first = None;
        for step in steps {
            match self.driver().settle(run, step.clone(), settlement.clone(), by.clone()).await {
                Ok(()) => settled.settled.push(step),
                Err(error) => {
                    settled.refused.push(RefusedSettlement { step, problem: error.to_string() });
                    first.get_or_insert(error);
                }
            }
        }
        match first {
            Some(error) if settled.settled.is_empty() => Err(error.into()),
            _ => Ok(settled),
        }
    }

    /// The steps that fit the pattern and of which a person must say what became of them. Of what a script did and the script
    /// itself, the script: that is one decision.
    fn asked(&self, run: RunId, pattern: &str) -> Result<Vec<String>, Error> {
        let view = RunView::of(&self.driver().load(run)?);
        let open = |step: &&StepView| step.decide.as_ref().is_some_and(|decide| !decide.approval);
        let open: Vec<&str> = view.all_steps().filter(open).map(|step| step.id.as_str()).collect();
        let mut asked: Vec<String> = Vec::new();
        for path in open.iter().filter(|path| fits(pattern, path)) {
            let is_in = |script: &String| path.strip_prefix(script.as_str()).is_some_and(|rest| rest.starts_with('/'));
            if !asked.iter().any(is_in) {
                asked.push((*path).to_owned());
            }
        }
        if asked.is_empty() {
            let open = open.into_iter().map(str::to_owned).collect();
            return Err(Error::NothingToSettle { pattern: pattern.to_owned(), open });
        }
        Ok(asked)
    }
}

/// Whether the path fits: `*` stands for any characters of a name, and `**` for any names, also for none.
fn fits(pattern: &str, path: &str) -> bool {
    let mut pattern: Vec<&str> = pattern.split('/').collect();
    pattern.dedup_by(|one, other| *one == "**" && *other == "**");
    let path: Vec<&str> = path.split('/').collect();
    names_fit(&pattern, &path)
}

fn names_fit(pattern: &[&str], path: &[&str]) -> bool {
    match pattern.split_first() {
        None => path.is_empty(),
        Some((&"**", rest)) => (0..=path.len()).any(|names| names_fit(rest, &path[names..])),
        Some((first, rest)) => {
            path.split_first().is_some_and(|(name, below)| host::fits(first, name) && names_fit(rest, below))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stays_within_a_name_and_two_stand_for_any_names() {
        for (pattern, path, expected) in [
            ("clean/*", "clean/2", true),
            ("clean/*", "clean", false),
            ("clean/*", "clean/2/fix", false),
            ("fleet/*/patch", "fleet/3/patch", true),
            ("fleet/*/patch", "fleet/between/1/patch", false),
            ("fleet/1*/pa*", "fleet/12/patch", true),
            ("*", "a", true),
            ("*", "a/b", false),
            ("**", "a", true),
            ("**", "a/b/c", true),
            ("a/**", "a", true),
            ("a/**", "b/a", false),
            ("**/fix/*", "fleet/3/fix/2", true),
            ("**/**/**/2", "fleet/3/fix/2", true),
            ("fleet/**/2/*", "fleet/3/fix/2", false),
            ("a**", "ab/c", false),
            ("", "a", false),
        ] {
            assert_eq!(fits(pattern, path), expected, "{pattern} {path}");
        }
    }
}
