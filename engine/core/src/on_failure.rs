//! What the failure of a step means for the list in which it stands.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::FailureKind;

/// What the failure of a step means for its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// No further step starts but those marked `always`; the run failed.
    Stop,
    /// The same, but the steps done so far are undone first.
    Rollback,
    /// Of a for-each: the items of the wave that failed are undone, then as `stop`.
    RollbackWave,
    /// The next step starts, unless the failure says nothing about the world: where a capability was refused or the input
    /// is wrong, the run stops. A step marked `always` lets the run go on then, too.
    #[serde(rename = "continue-unless-refused")]
    Continue,
    /// The next step starts after a failure of one of these kinds.
    ContinueAfter {
        /// The kinds.
        kinds: FailureKinds,
        /// Whether any other kind means `rollback`, and not `stop`.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        rollback: bool,
    },
    /// The next step starts, whatever the failure: what `continue` meant to runs that were created before it meant
    /// [`OnFailure::Continue`]. They replay as they went.
    #[serde(rename = "continue")]
    ContinueAnyway,
}

impl OnFailure {
    /// What it comes to for a failure of this kind, in a step that `always` runs or not; none where the list goes on.
    pub(crate) fn after(self, kind: FailureKind, always: bool) -> Option<Self> {
        match self {
            Self::Stop | Self::Rollback | Self::RollbackWave => Some(self),
            Self::Continue => (kind.is_refusal() && !always).then_some(Self::Stop),
            Self::ContinueAfter { kinds, .. } if kinds.has(kind) => None,
            Self::ContinueAfter { rollback: true, .. } => Some(Self::Rollback),
            Self::ContinueAfter { rollback: false, .. } => Some(Self::Stop),
            Self::ContinueAnyway => None,
        }
    }

    /// Whether some failure of the step means that something is taken back.
    pub const fn may_roll_back(self) -> bool {
        matches!(self, Self::Rollback | Self::RollbackWave | Self::ContinueAfter { rollback: true, .. })
    }
}

/// A set of kinds of failure; in JSON a list of them.
#[derive(Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Vec<FailureKind>", into = "Vec<FailureKind>")]
pub struct FailureKinds(u8);

impl FailureKinds {
    /// Every kind.
    pub fn all() -> Self {
        FailureKind::ALL.into_iter().collect()
    }

    /// Every kind that says something about the world: those after which plain `continue` goes on.
    pub fn findings() -> Self {
        FailureKind::ALL.into_iter().filter(|kind| !kind.is_refusal()).collect()
    }

    /// Whether the kind is one of them.
    pub const fn has(self, kind: FailureKind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }

    /// The kinds, in the order of [`FailureKind::ALL`].
    pub fn iter(self) -> impl Iterator<Item = FailureKind> {
        FailureKind::ALL.into_iter().filter(move |kind| self.has(*kind))
    }
}

impl FromIterator<FailureKind> for FailureKinds {
    fn from_iter<I: IntoIterator<Item = FailureKind>>(kinds: I) -> Self {
        Self(kinds.into_iter().fold(0, |set, kind| set | 1 << kind as u8))
    }
}

impl From<Vec<FailureKind>> for FailureKinds {
    fn from(kinds: Vec<FailureKind>) -> Self {
        kinds.into_iter().collect()
    }
}

impl From<FailureKinds> for Vec<FailureKind> {
    fn from(kinds: FailureKinds) -> Self {
        kinds.iter().collect()
    }
}

impl fmt::Debug for FailureKinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_reads_every_form_that_was_ever_written() {
        let read = |text: &str| serde_json::from_str::<OnFailure>(text).unwrap();
        // The word in a journal that is older than the rule about refusals means what it meant then.
        assert_eq!(read("\"continue\""), OnFailure::ContinueAnyway);
        assert_eq!(read("\"continue-unless-refused\""), OnFailure::Continue);
        let kinds = [FailureKind::Denied, FailureKind::Transient].into_iter().collect();
        for (rollback, text) in [
            (false, r#"{"continue-after":{"kinds":["denied","transient"]}}"#),
            (true, r#"{"continue-after":{"kinds":["denied","transient"],"rollback":true}}"#),
        ] {
            let after = OnFailure::ContinueAfter { kinds, rollback };
            assert_eq!((read(text), serde_json::to_string(&after).unwrap()), (after, text.to_owned()));
        }
    }
}
