//! From the tree to a type that serde knows, with the place of what does not fit.

use std::fmt;
use std::ops::Range;

use runwright_core::{Value, did_you_mean};
use serde::de::value::MapAccessDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, Unexpected, VariantAccess,
    Visitor,
};
use serde::forward_to_deserialize_any;

use crate::limits;
use crate::node::{Entry, Kind, Node};

/// What does not fit, and where, as soon as that is known.
#[derive(Debug)]
pub(crate) struct Misfit {
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    pub(crate) span: Option<Range<usize>>,
    /// A key is missing, in the map at `span`.
    missing: bool,
}

impl Misfit {
    fn at(mut self, span: &Range<usize>) -> Self {
        self.span.get_or_insert_with(|| span.clone());
        self
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Misfit {}

impl de::Error for Misfit {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { message: message.to_string(), help: None, span: None, missing: false }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        unknown("key", field, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        unknown("word", variant, expected)
    }

    fn missing_field(field: &'static str) -> Self {
        Self { missing: true, ..Self::custom(format!("the key `{field}` is missing")) }
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let found = match unexpected {
            Unexpected::Unit => "nothing",
            Unexpected::Map => "a map",
            Unexpected::Seq => "a list",
            Unexpected::Bool(_) => "a boolean",
            Unexpected::Str(_) => "text",
            Unexpected::Signed(_) | Unexpected::Unsigned(_) | Unexpected::Float(_) => "a number",
            _ => "something else",
        };
        let expected = match expected.to_string().as_str() {
            "a string" => "text".to_owned(),
            "a boolean" => "`true` or `false`".to_owned(),
            "u8" | "u16" | "u32" | "u64" | "usize" | "i64" | "a nonzero u32" => "a whole number".to_owned(),
            // A type of this program says nothing to people.
            named if named.starts_with("struct ") => "a map".to_owned(),
            named if named.starts_with("a sequence") => "a list".to_owned(),
            "path string" => "a path".to_owned(),
            other => other.to_owned(),
        };
        Self::custom(format!("expected {expected}, found {found}"))
    }
}

fn unknown(what: &str, name: &str, expected: &'static [&'static str]) -> Misfit {
    let all = || format!("it is one of {}", expected.join(", "));
    let help = did_you_mean(name, expected.iter().copied()).unwrap_or_else(all);
    Misfit { help: Some(help), ..de::Error::custom(format!("unknown {what} `{name}`")) }
}

/// What the tree says, or everything that does not fit.
///
/// serde stops at the first misfit. So that is taken out of the tree and the rest is read again, until nothing more is
/// found; a map that lost a key so is not blamed for what it lacks then.
pub(crate) fn read<T: de::DeserializeOwned>(mut root: Node) -> Result<T, Vec<Misfit>> {
    let (mut misfits, mut cut) = (Vec::new(), Vec::new());
    loop {
        let mut misfit = match T::deserialize(Typed(&root)) {
            Ok(value) if misfits.is_empty() => return Ok(value),
            Ok(_) => return Err(misfits),
            Err(misfit) => misfit,
        };
        let span = misfit.span.get_or_insert_with(|| root.span.clone()).clone();
        if !misfit.missing || !cut.contains(&span) {
            misfits.push(misfit);
        }
        if misfits.len() > limits::DIAGNOSTICS || !take_out(&mut root, &span, &mut cut) {
            return Err(misfits);
        }
    }
}

/// Takes the innermost entry or item at `span` out; `cut` gets the place of what it was in. False: there is none.
fn take_out(node: &mut Node, span: &Range<usize>, cut: &mut Vec<Range<usize>>) -> bool {
    let place = match &mut node.kind {
        Kind::Map(entries) => {
            if entries.iter_mut().any(|entry| take_out(&mut entry.value, span, cut)) {
                return true;
            }
            let place = entries.iter().position(|entry| entry.at == *span || entry.value.span == *span);
            place.map(|place| drop(entries.remove(place)))
        }
        Kind::List(items) => {
            if items.iter_mut().any(|item| take_out(item, span, cut)) {
                return true;
            }
            items.iter().position(|item| item.span == *span).map(|place| drop(items.remove(place)))
        }
        Kind::Scalar(_) | Kind::Broken => None,
    };
    place.inspect(|()| cut.push(node.span.clone())).is_some()
}

/// A node as serde takes it.
pub(crate) struct Typed<'n>(pub(crate) &'n Node);

impl<'de> Deserializer<'de> for Typed<'_> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let visited = match &self.0.kind {
            Kind::Scalar(scalar) => match scalar.value() {
                Value::Null => visitor.visit_unit(),
                Value::Bool(bool) => visitor.visit_bool(bool),
                Value::String(text) => visitor.visit_string(text),
                Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                    (Some(whole), _) => visitor.visit_u64(whole),
                    (None, Some(whole)) => visitor.visit_i64(whole),
                    (None, None) => visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN)),
                },
                Value::Array(_) | Value::Object(_) => visitor.visit_unit(),
            },
            Kind::List(items) => visitor.visit_seq(List(items.iter())),
            Kind::Map(entries) => visitor.visit_map(Map { entries: entries.iter(), value: None }),
            Kind::Broken => visitor.visit_unit(),
        };
        visited.map_err(|misfit| misfit.at(&self.0.span))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let visited = match &self.0.kind {
            Kind::Map(entries) if entries.len() == 1 => visitor.visit_enum(Variant(&entries[0])),
            Kind::Scalar(_) if self.0.text().is_some() => {
                visitor.visit_enum(self.0.text().unwrap_or_default().into_deserializer())
            }
            Kind::Map(entries) => {
                let message = format!("expected one of the keys {}, found {}", words.join(", "), entries.len());
                Err(Misfit { missing: entries.is_empty(), ..de::Error::custom(message) })
            }
            _ => Err(de::Error::custom(format!("expected one of {}, found {}", words.join(", "), self.0.found()))),
        };
        visited.map_err(|misfit: Misfit| misfit.at(&self.0.span))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

struct List<'n>(std::slice::Iter<'n, Node>);

impl<'de> SeqAccess<'de> for List<'_> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Misfit> {
        let Some(item) = self.0.next() else { return Ok(None) };
        seed.deserialize(Typed(item)).map(Some).map_err(|misfit| misfit.at(&item.span))
    }
}

struct Map<'n> {
    entries: std::slice::Iter<'n, Entry>,
    value: Option<&'n Node>,
}

impl<'de> MapAccess<'de> for Map<'_> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        let Some(entry) = self.entries.next() else { return Ok(None) };
        self.value = Some(&entry.value);
        let key = seed.deserialize(entry.key.as_str().into_deserializer());
        key.map(Some).map_err(|misfit: Misfit| misfit.at(&entry.at))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        match self.value.take() {
            Some(node) => seed.deserialize(Typed(node)).map_err(|misfit| misfit.at(&node.span)),
            None => Err(de::Error::custom("a key without a value")),
        }
    }
}

/// A map of one key that is an enum's variant.
struct Variant<'n>(&'n Entry);

impl<'de, 'n> EnumAccess<'de> for Variant<'n> {
    type Error = Misfit;
    type Variant = Content<'n>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Content<'n>), Misfit> {
        let name = seed.deserialize(self.0.key.as_str().into_deserializer());
        name.map(|name| (name, Content(&self.0.value))).map_err(|misfit: Misfit| misfit.at(&self.0.at))
    }
}

struct Content<'n>(&'n Node);

impl<'de> VariantAccess<'de> for Content<'_> {
    type Error = Misfit;

    fn unit_variant(self) -> Result<(), Misfit> {
        de::Deserialize::deserialize(Typed(self.0))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Misfit> {
        seed.deserialize(Typed(self.0))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Misfit> {
        Typed(self.0).deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Misfit> {
        match &self.0.kind {
            Kind::Map(entries) => {
                let map = MapAccessDeserializer::new(Map { entries: entries.iter(), value: None });
                map.deserialize_any(visitor).map_err(|misfit: Misfit| misfit.at(&self.0.span))
            }
            _ => Typed(self.0).deserialize_any(visitor),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    struct All {
        text: String,
        number: f64,
        maybe: Option<u32>,
        #[serde(default)]
        kinds: Vec<Kind>,
        #[serde(default)]
        map: BTreeMap<String, bool>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Kind {
        Plain,
        New(String),
        Pair(u8, u8),
        Named { path: String },
    }

    fn read(text: &str) -> Result<All, String> {
        let engine = script::Engine::new(script::Limits::default());
        crate::typed("x.yaml", text.as_bytes(), &engine).map_err(|wrong| wrong[0].to_string())
    }

    #[test]
    fn every_shape_that_serde_knows_is_read() {
        let kinds = "kinds: [plain, { new: x }, { pair: [1, 2] }, { named: { path: p } }]";
        let all = read(&format!("text: 'yes'\nnumber: 3\nmaybe:\nmap: {{ a: true }}\n{kinds}\n")).unwrap();
        let path = "p".to_owned();
        let kinds = vec![Kind::Plain, Kind::New("x".to_owned()), Kind::Pair(1, 2), Kind::Named { path }];
        let map = BTreeMap::from([("a".to_owned(), true)]);
        assert_eq!(all, All { text: "yes".to_owned(), number: 3.0, maybe: None, kinds, map });
    }

    #[test]
    fn everything_that_does_not_fit_is_told_at_once() {
        let engine = script::Engine::new(script::Limits::default());
        let text = b"text: [x]\nnumbr: 1\nmaybe: no\nkinds: [plain, plian, { new: 1 }]\n";
        let told = crate::typed::<All>("x.yaml", text, &engine).unwrap_err();
        let told: Vec<String> = told.iter().map(ToString::to_string).collect();
        let expected = [
            "x.yaml:1:7: error: expected text, found a list",
            "x.yaml:2:1: error: unknown key `numbr`",
            "x.yaml:3:8: error: expected a whole number, found text",
            "x.yaml:4:16: error: unknown word `plian`",
            "x.yaml:4:30: error: expected text, found a number",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_place() {
        let told = |rest: &str| read(&format!("text: x\nnumber: 1\n{rest}\n")).unwrap_err();
        assert_eq!(told("maybe: -1"), "x.yaml:3:8: error: invalid value: integer `-1`, expected u32");
        assert_eq!(told("kinds: [plian]"), "x.yaml:3:9: error: unknown word `plian`");
        assert_eq!(told("kinds: [{ nwe: x }]"), "x.yaml:3:11: error: unknown word `nwe`");
        assert_eq!(
            told("kinds: [{ named: { path: p } }, [1]]"),
            "x.yaml:3:33: error: expected one of plain, new, pair, named, found a list"
        );
        assert_eq!(told("map: { a: 1 }"), "x.yaml:3:11: error: expected `true` or `false`, found a number");
        assert_eq!(told("map: [1]"), "x.yaml:3:6: error: expected a map, found a list");
        assert_eq!(read("text: x").unwrap_err(), "x.yaml:1:1: error: the key `number` is missing");
        assert_eq!(read("").unwrap_err(), "x.yaml:1:1: error: expected a map, found nothing");
    }
}
