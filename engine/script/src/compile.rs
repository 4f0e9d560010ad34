//! Texts to what can be evaluated.

use rhai::{AST, Dynamic};
use runwright_core::Value;

use crate::guard::Variables;
use crate::known::Called;
use crate::names::{Names, collect, has_names, named};
use crate::{Error, Limits, Reason, calls, convert, words};

/// A compiled expression or script.
pub(crate) struct Compiled {
    pub(crate) ast: AST,
    pub(crate) names: Names,
    /// The whole text is one read, such as `inputs.vm`: it is looked up without evaluating anything.
    pub(crate) plain: bool,
    wanted: Vec<Wanted>,
}

/// What is needed of one variable or property: all of it, or only some of its properties.
struct Wanted {
    name: String,
    whole: bool,
    /// It stands before `??`: it may be missing, and is null then.
    defaulted: bool,
    inner: Vec<Wanted>,
}

/// What a label or an annotation is that an alarm lacks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Empty text, as in Prometheus: for conditions, which look at alarms of all kinds.
    Empty,
    /// Missing: an action that gets an empty name by accident does harm.
    Refused,
}

/// Compiles `text`, an expression or else a script.
pub(crate) fn compile(engine: &rhai::Engine, limits: &Limits, text: &str, script: bool) -> Result<Compiled, Error> {
    if text.len() > limits.text_bytes {
        return Err(Error::new(Reason::Limit, format!("it is longer than {} KiB", limits.text_bytes / 1024)));
    }
    if text.trim().is_empty() && !script {
        return Err(Error::new(Reason::Syntax, "there is no expression"));
    }
    words::begin();
    let ast = match script {
        true => engine.compile(text),
        false => engine.compile_expression(text),
    };
    let ast = ast.map_err(|error| Error::of_parse(&error))?;
    let (mut names, perhaps) = collect(&ast)?;
    names.calls = calls::collect(&ast, script)?;
    names.called = Called::collect(&ast);
    let mut wanted = Vec::new();
    for read in names.iter() {
        let keys: Vec<&str> = read.keys.iter().map(|key| key.name.as_str()).collect();
        want(&mut wanted, &read.variable, &keys, read.defaulted);
    }
    for name in &perhaps {
        want(&mut wanted, name, &[], false);
    }
    let plain = names.only().is_some_and(|read| read.to_string() == text.trim());
    Ok(Compiled { ast, names, plain, wanted })
}

fn want(known: &mut Vec<Wanted>, name: &str, keys: &[&str], defaulted: bool) {
    let at = known.iter().position(|wanted| wanted.name == name).unwrap_or_else(|| {
        known.push(Wanted { name: name.to_owned(), whole: false, defaulted: false, inner: Vec::new() });
        known.len() - 1
    });
    let wanted = &mut known[at];
    wanted.defaulted |= defaulted;
    match keys {
        [] => wanted.whole = true,
        [first, rest @ ..] => want(&mut wanted.inner, first, rest, defaulted),
    }
}

impl Compiled {
    /// The value that a plain read finds, where every part of it is there.
    pub(crate) fn look_up<'a>(&self, scope: &'a Value) -> Option<&'a Value> {
        let read = self.names.only().filter(|_| self.plain)?;
        read.value(scope)
    }

    /// The variables that the text reads, with only the properties that it reads. Those that are missing are left out:
    /// whether that matters is known when the text reads them.
    pub(crate) fn variables(&self, scope: &Value, missing: Missing) -> Variables {
        let known = |wanted: &Wanted| {
            let value = scope.get(&wanted.name)?;
            Some((wanted.name.clone(), wanted.take(value, Place::root(&wanted.name), missing)))
        };
        self.wanted.iter().filter_map(known).collect()
    }
}

/// Where a value stands, as far as it matters for what is missing in it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Alarm,
    /// The inputs or the steps, which are found by their names.
    Names,
    /// The labels or the annotations of an alarm.
    Labels,
    Other,
}

impl Wanted {
    fn take(&self, value: &Value, place: Place, missing: Missing) -> Dynamic {
        let Value::Object(map) = value else { return convert::dynamic(value) };
        let mut taken = match self.whole {
            true => convert::map(map),
            false => rhai::Map::new(),
        };
        for inner in &self.inner {
            let found = match place {
                Place::Names => named(map, &inner.name),
                _ => map.get(&inner.name),
            };
            let value = match found {
                // An empty label is none: <https://prometheus.io/docs/concepts/data_model/>.
                Some(Value::String(text)) if text.is_empty() && place == Place::Labels && inner.defaulted => None,
                Some(value) => Some(inner.take(value, place.of(&inner.name), missing)),
                None => None,
            };
            let value = value.or_else(|| match inner.defaulted {
                true => Some(Dynamic::UNIT),
                // Who asks for all of them looks for what is there.
                false => (place == Place::Labels && missing == Missing::Empty && !self.whole).then(|| "".into()),
            });
            if let Some(value) = value {
                taken.insert(inner.name.as_str().into(), value);
            }
        }
        Dynamic::from_map(taken)
    }
}

impl Place {
    fn root(variable: &str) -> Self {
        match variable {
            "alarm" => Self::Alarm,
            name if has_names(name) => Self::Names,
            _ => Self::Other,
        }
    }

    fn of(self, key: &str) -> Self {
        match (self, key) {
            (Self::Alarm, "labels" | "annotations") => Self::Labels,
            _ => Self::Other,
        }
    }
}
