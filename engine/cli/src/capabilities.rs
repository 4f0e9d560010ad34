//! What a plugin can ask for, beside what it is granted.

pub(crate) use host::{Reach, missing, reach, withheld};
