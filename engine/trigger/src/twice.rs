//! Keys that stand twice in one object. A reader of JSON keeps the last of them in silence, and which was meant nobody knows.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// How deep it is looked: into the labels of an alert in a list of a body.
const DEPTH: usize = 4;

/// Keys that stand twice, each as its path: `alerts[1].labels.vm`.
#[derive(Debug, Default)]
pub(crate) struct Twice(BTreeSet<String>);

impl Twice {
    /// Those of a body that is JSON.
    pub(crate) fn of(body: &[u8]) -> Self {
        let mut twice = Self::default();
        let walk = Walk { at: String::new(), left: DEPTH, twice: &mut twice.0 };
        // What is wrong with it is told by whoever reads it.
        let _ = walk.deserialize(&mut serde_json::Deserializer::from_slice(body));
        twice
    }

    pub(crate) fn contains(&self, path: &str) -> bool {
        self.0.contains(path)
    }

    /// The first key of the object at `path` that stands twice in it, as its path.
    pub(crate) fn within(&self, path: &str) -> Option<&str> {
        let front = format!("{path}.");
        self.0.range(front.clone()..).next().filter(|found| found.starts_with(&front)).map(String::as_str)
    }
}

/// A walk through the value at a path.
struct Walk<'a> {
    at: String,
    /// Objects and lists that are looked into below this one.
    left: usize,
    twice: &'a mut BTreeSet<String>,
}

impl Walk<'_> {
    fn below(&mut self, at: String) -> Walk<'_> {
        Walk { at, left: self.left - 1, twice: self.twice }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        match self.left {
            0 => value.deserialize_ignored_any(IgnoredAny).map(drop),
            _ => value.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut keys = BTreeSet::new();
        while let Some(key) = map.next_key::<String>()? {
            let path = if self.at.is_empty() { key.clone() } else { format!("{}.{key}", self.at) };
            map.next_value_seed(self.below(path.clone()))?;
            if !keys.insert(key) {
                self.twice.insert(path);
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        let mut index = 0;
        loop {
            let path = format!("{}[{index}]", self.at);
            if list.next_element_seed(self.below(path))?.is_none() {
                return Ok(());
            }
            index += 1;
        }
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_with_their_paths() {
        let twice = Twice::of(
            br#"{"a": 1, "alerts": [{}, {"l": {"x": "1", "y": null, "x": "1"}, "s": 1.5, "s": true}], "a": []}"#,
        );
        assert_eq!(twice.0.iter().map(String::as_str).collect::<Vec<_>>(), ["a", "alerts[1].l.x", "alerts[1].s"]);
        assert!(twice.contains("a") && !twice.contains("alerts"));
        assert_eq!((twice.within("alerts[1].l"), twice.within("alerts[0]")), (Some("alerts[1].l.x"), None));
        // One object has one of each, however many others do.
        assert!(Twice::of(br#"[{"a": {"b": 1}}, {"a": {"b": 1}}]"#).0.is_empty());
        assert_eq!(Twice::of(br#"[{"a": {"b": 1, "b": 2}}]"#).within("[0].a"), Some("[0].a.b"));
    }
}
