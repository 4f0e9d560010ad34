//! Names that people may have meant.

/// The one of `known` that is close to `name`: at most a third of it differs, or only case and dashes do.
pub fn closest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LONG: usize = 64;
    if name.len() > LONG {
        return None;
    }
    let plain = |text: &str| text.to_lowercase().replace(['-', '_'], "");
    let distance = |other: &str| match plain(name) == plain(other) {
        true => 0,
        false => strsim::damerau_levenshtein(name, other),
    };
    let near = known.into_iter().filter(|other| other.len() <= LONG).map(|other| (distance(other), other));
    let (distance, best) = near.min_by_key(|(distance, _)| *distance)?;
    let length = name.chars().count();
    (distance <= length.div_ceil(3) && distance < length).then_some(best)
}

/// `did you mean …`, where one of `known` is close to `name`.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    closest(name, known).map(|best| format!("did you mean `{best}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_may_differ() {
        let known = ["restart", "check", "roll-back"];
        let cases =
            [("restrt", Some("restart")), ("rollback", Some("roll-back")), ("CHECK", Some("check")), ("x", None)];
        for (name, near) in cases {
            assert_eq!(closest(name, known), near, "{name}");
        }
    }
}
